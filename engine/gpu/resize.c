/* SPDX-License-Identifier: Apache-2.0
 * Resize of the last two dimensions, all modes: positions and weights are tables among the weights, one an
 * axis, made by op_resize_taps as for the reference. They are shape dependent but small (8 to 32 bytes a row
 * or column). */
#include "graph/ops/resize.h"
#include "graph/ops/schema.h"

#include <string.h>

#include "gpu/strided.h"
#include "gpu/texels.h"

typedef struct resize_form {
    int64_t planes; /* of elements, or of slices of four channels */
    op_resize_axis h, w;
} resize_form;

typedef struct table_entry { /* Tap of shaders/resize_taps.comp */
    int32_t at;
    float weight;
} table_entry;

static const op_resize_axis unscaled = {1, 1, 1, 1, 0, 1, true};

static bool form_of(const gr_graph *g, const gr_node *n, bool c4, resize_form *f, const char **why)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    op_resize_axis axes[GR_MAX_RANK];
    *why = op_resize_axes_of(g, n, axes);
    if (*why) return false;
    int first = (int)vkb_max(x->rank - 2, c4 ? 2 : 0); /* of the dimensions that may be scaled */
    *f = (resize_form){.planes = 1, .h = unscaled, .w = unscaled};
    for (int d = 0; d < first; d++) {
        *why = "only the last two dimensions are resized on the GPU (in channel slices, only positions)";
        if (!axes[d].same) return false;
        f->planes *= c4 && d == 1 ? vkb_ceil_div(x->dims[d], 4) : x->dims[d];
    }
    if (x->rank - first == 2) f->h = axes[first];
    if (x->rank - first >= 1) f->w = axes[x->rank - 1];
    return true;
}

static bool fits_row(const gpu_builder *b, const gr_node *n, const char **why)
{
    resize_form f;
    return form_of(b->g, n, false, &f, why);
}

static bool fits_c4(const gpu_builder *b, const gr_node *n, const char **why)
{
    resize_form f;
    *why = "the inputs lie in rows";
    return gpu_prefers_c4(b, n) && form_of(b->g, n, true, &f, why);
}

/* An axis and the attributes it needs, as the words of a pack argument. */
typedef struct table_key {
    uint8_t mode, coordinate, nearest, flags; /* flags: 1 exclude_outside, 2 same */
    float cubic;
    int32_t in, out;
    double step_num, step_den, roi_start, roi_end;
} table_key;
_Static_assert(sizeof(table_key) == 48 && sizeof(table_key) <= sizeof((gpu_pack_arg){0}.v),
               "the key has no padding and fits into a pack argument");

static int64_t tap_count(const op_resize_attrs *a, const op_resize_axis *axis)
{
    if (axis->same || a->mode == OP_RESIZE_NEAREST) return 1;
    return a->mode == OP_RESIZE_CUBIC ? 4 : 2;
}

/* The source is not looked at: the argument holds all that the table depends on. */
static void pack_table(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    (void)source;
    table_key k;
    memcpy(&k, arg->v, sizeof k);
    op_resize_attrs attrs = {.mode = k.mode,
                             .coordinate_transformation_mode = k.coordinate,
                             .nearest_mode = k.nearest,
                             .exclude_outside = k.flags & 1,
                             .cubic_coeff_a = k.cubic};
    op_resize_axis axis = {k.in, k.out, k.step_num, k.step_den, k.roi_start, k.roi_end, (k.flags & 2) != 0};
    int64_t taps = tap_count(&attrs, &axis), index[OP_RESIZE_TAPS];
    double weight[OP_RESIZE_TAPS];
    table_entry *entry = dst;
    for (int64_t x = 0; x < axis.out; x++) {
        int found = op_resize_taps(&attrs, &axis, x, index, weight);
        for (int64_t i = 0; i < taps; i++) {
            *entry++ = found ? (table_entry){(int32_t)index[i], (float)weight[i]} : (table_entry){-1, 0};
        }
    }
}

static gpu_bind table(gpu_builder *b, const gr_node *n, const op_resize_axis *axis)
{
    const op_resize_attrs *a = n->attrs;
    table_key k = {.mode = (uint8_t)a->mode,
                   .coordinate = (uint8_t)a->coordinate_transformation_mode,
                   .nearest = (uint8_t)a->nearest_mode,
                   .flags = (uint8_t)((a->exclude_outside ? 1 : 0) | (axis->same ? 2 : 0)),
                   .cubic = a->cubic_coeff_a,
                   .in = (int32_t)axis->in,
                   .out = (int32_t)axis->out,
                   .step_num = axis->step_num,
                   .step_den = axis->step_den,
                   .roi_start = axis->roi_start,
                   .roi_end = axis->roi_end};
    gpu_pack_arg arg = {0};
    memcpy(arg.v, &k, sizeof k);
    bool sizes = op_has_own(n, 3) && gr_elements(&b->g->tensors[n->in[3]]) != 0;
    uint64_t bytes = (uint64_t)(axis->out * tap_count(a, axis)) * sizeof(table_entry);
    return gpu_pack(b, n->in[sizes ? 3 : 2], pack_table, arg, bytes);
}

static void emit(gpu_builder *b, const gr_node *n, gpu_layout layout)
{
    resize_form f;
    const char *why;
    const op_resize_attrs *a = n->attrs;
    bool c4 = layout == GPU_C4;
    if (!form_of(b->g, n, c4, &f, &why)) return;
    uint8_t access = c4 ? gpu_read_access(b, n, layout, NULL) : GPU_READ;
    gpu_dispatch *d =
        gpu_dispatch_begin(b, c4 ? GPU_SHADER_FOR(b, access, resize_taps_x4) : GPU_SHADER(b, resize_taps));
    gpu_bind in = gpu_in(b, n, 0, layout);
    gpu_bind_add(d, in, access);
    gpu_bind_add(d, table(b, n, &f.h), GPU_READ);
    gpu_bind_add(d, table(b, n, &f.w), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, layout), GPU_WRITE);
    int64_t units = f.planes * f.h.out * f.w.out;
    gpu_grid_flat(b, d, units);
    gpu_spec(d, (uint32_t)tap_count(a, &f.h));
    gpu_spec(d, (uint32_t)tap_count(a, &f.w));
    gpu_spec(d, a->coordinate_transformation_mode == OP_COORD_TF_CROP_AND_RESIZE);
    gpu_push(d, units);
    gpu_push(d, f.h.in);
    gpu_push(d, f.w.in);
    gpu_push(d, f.h.out);
    gpu_push(d, f.w.out);
    gpu_push_f32(d, a->extrapolation_value);
    gpu_epilogue_as(b, d, n, layout, in, access);
}

static void emit_c4(gpu_builder *b, const gr_node *n)
{
    emit(b, n, GPU_C4);
}

static void emit_row(gpu_builder *b, const gr_node *n)
{
    emit(b, n, GPU_ROW);
}

static const gpu_kernel kernels[] = {
    {"resize_c4", fits_c4, emit_c4, GPU_FLOATS},
    {"resize_row", fits_row, emit_row, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_resize = {kernels};
