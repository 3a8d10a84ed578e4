/* SPDX-License-Identifier: Apache-2.0
 * Resize, all modes: positions and weights are tables among the weights, one an axis, made by op_resize_tap
 * as for the reference. They are shape dependent but small (8 to 32 bytes a row or column). A dispatch
 * resizes the last two dimensions, or one dimension of which all that follow are copied; where more
 * dimensions change, there are several dispatches. */
#include "graph/ops/resize.h"
#include "graph/ops/schema.h"

#include <string.h>

#include "gpu/strided.h"
#include "gpu/texels.h"

typedef struct resize_form { /* of a dispatch */
    int64_t planes;          /* of elements, or of slices of four channels */
    op_resize_axis h, w;
} resize_form;

enum { ROUNDS = 60000 }; /* of a loop: software drivers end it at 65535 */

typedef struct table_entry { /* Tap of shaders/resize_taps.comp */
    int32_t at;
    float weight;
} table_entry;

static const op_resize_axis unscaled = {1, 1, 1, 1, 0, 1, true};

/* The form that resizes the last two dimensions. false if others are to be resized. */
static bool form_of(const gr_graph *g, const gr_node *n, bool c4, resize_form *f, const char **why)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    op_resize_axis axes[GR_MAX_RANK];
    *why = op_resize_axes_of(g, n, axes);
    if (*why) return false;
    int first = (int)vkb_max(x->rank - 2, c4 ? 2 : 0); /* of the dimensions that may be scaled */
    *f = (resize_form){.planes = 1, .h = unscaled, .w = unscaled};
    for (int d = 0; d < first; d++) {
        *why = "other than the last two dimensions are resized, or channels";
        if (!axes[d].same) return false;
        f->planes *= c4 && d == 1 ? vkb_ceil_div(x->dims[d], 4) : x->dims[d];
    }
    if (x->rank - first == 2) f->h = axes[first];
    if (x->rank - first >= 1) f->w = axes[x->rank - 1];
    *why = "an output element has more inputs than a loop has rounds";
    const op_resize_attrs *a = n->attrs;
    return (int64_t)op_resize_count(a, &f->h) * op_resize_count(a, &f->w) <= ROUNDS;
}

/* Dimension by dimension; how many forms there are. Unscaled dimensions that follow are one. */
static int forms_of(const gr_graph *g, const gr_node *n, resize_form forms[GR_MAX_RANK])
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    op_resize_axis axes[GR_MAX_RANK];
    int count = 0;
    if (op_resize_axes_of(g, n, axes)) return 0;
    for (int d = 0; d < x->rank; d++) {
        if (axes[d].same) continue;
        resize_form f = {.planes = 1, .h = axes[d], .w = unscaled};
        for (int i = 0; i < d; i++) f.planes *= axes[i].out;
        for (int i = d + 1; i < x->rank; i++) f.w.in *= x->dims[i];
        f.w.out = f.w.in;
        forms[count++] = f;
    }
    return count;
}

static bool is_words(const gpu_builder *b, const gr_node *n)
{
    return gpu_is_integer(b->g->tensors[n->in[0]].dtype);
}

/* Of integers only copies. */
static bool type_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    const op_resize_attrs *a = n->attrs;
    *why = "integers are resized by mode nearest only, without extrapolation and epilogue";
    bool plain = n->epilogue.act == GR_ACT_NONE && n->epilogue.residual == GR_RESIDUAL_NONE &&
                 a->mode == OP_RESIZE_NEAREST && !a->antialias &&
                 a->coordinate_transformation_mode != OP_COORD_TF_CROP_AND_RESIZE;
    return plain || !is_words(b, n);
}

static bool fits_row(const gpu_builder *b, const gr_node *n, const char **why)
{
    resize_form f;
    return type_fits(b, n, why) && form_of(b->g, n, false, &f, why);
}

/* Every buffer in between must be bound, too. */
static bool fits_axes(const gpu_builder *b, const gr_node *n, const char **why)
{
    resize_form forms[GR_MAX_RANK];
    if (!type_fits(b, n, why)) return false;
    int count = forms_of(b->g, n, forms);
    for (int i = 0; i < count; i++) {
        const resize_form *f = &forms[i];
        *why = "an output element has more inputs than a loop has rounds";
        if (op_resize_count(n->attrs, &f->h) > ROUNDS) return false;
        *why = "what is resized in between is larger than one storage buffer binding of this device";
        uint64_t rows = (uint64_t)(f->planes * f->h.out), most = b->limits->max_range / 4;
        if (rows > most || (rows > 0 && (uint64_t)f->w.out > most / rows)) return false;
    }
    return count > 0;
}

static bool fits_c4(const gpu_builder *b, const gr_node *n, const char **why)
{
    resize_form f;
    *why = "the inputs lie in rows";
    return gpu_prefers_c4(b, n) && form_of(b->g, n, true, &f, why);
}

/* An axis and the attributes it needs, as the words of a pack argument. */
typedef struct table_key {
    uint8_t mode, coordinate, nearest, flags; /* flags: 1 exclude_outside, 2 same, 4 antialias */
    float cubic;
    int32_t in, out;
    double step_num, step_den, roi_start, roi_end;
} table_key;
_Static_assert(sizeof(table_key) == 48 && sizeof(table_key) <= sizeof((gpu_pack_arg){0}.v),
               "the key has no padding and fits into a pack argument");

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
                             .antialias = (k.flags & 4) != 0,
                             .cubic_coeff_a = k.cubic};
    op_resize_axis axis = {k.in, k.out, k.step_num, k.step_den, k.roi_start, k.roi_end, (k.flags & 2) != 0};
    table_entry *entry = dst;
    for (int64_t x = 0; x < axis.out; x++) {
        op_resize_place place;
        bool found = op_resize_at(&attrs, &axis, x, &place);
        for (int i = 0; i < op_resize_count(&attrs, &axis); i++) {
            int64_t index;
            double weight = found ? op_resize_tap(&place, i, &index) : 0;
            *entry++ = found ? (table_entry){(int32_t)index, (float)weight} : (table_entry){-1, 0};
        }
    }
}

static gpu_bind table(gpu_builder *b, const gr_node *n, const op_resize_axis *axis)
{
    const op_resize_attrs *a = n->attrs;
    table_key k = {
        .mode = (uint8_t)a->mode,
        .coordinate = (uint8_t)a->coordinate_transformation_mode,
        .nearest = (uint8_t)a->nearest_mode,
        .flags = (uint8_t)((a->exclude_outside ? 1 : 0) | (axis->same ? 2 : 0) | (a->antialias ? 4 : 0)),
        .cubic = a->cubic_coeff_a,
        .in = (int32_t)axis->in,
        .out = (int32_t)axis->out,
        .step_num = axis->step_num,
        .step_den = axis->step_den,
        .roi_start = axis->roi_start,
        .roi_end = axis->roi_end};
    gpu_pack_arg arg = {0};
    memcpy(arg.v, &k, sizeof k);
    uint64_t bytes = (uint64_t)(axis->out * op_resize_count(a, axis)) * sizeof(table_entry);
    return gpu_pack(b, GR_NONE, pack_table, arg, bytes);
}

/* One dispatch. Its epilogue is that of `n`, which has none where the dispatch is not the last. */
static void emit(gpu_builder *b, const gr_node *n, const resize_form *f, gpu_layout layout, gpu_bind in,
                 gpu_bind out)
{
    const op_resize_attrs *a = n->attrs;
    bool c4 = layout == GPU_C4;
    uint8_t access = c4 ? gpu_read_access(b, n, layout, NULL) : GPU_READ;
    gpu_dispatch *d = gpu_dispatch_begin(b, c4               ? GPU_SHADER_FOR(b, access, resize_taps_x4)
                                            : is_words(b, n) ? SH_resize_taps_words
                                                             : GPU_SHADER(b, resize_taps));
    gpu_bind_add(d, in, access);
    gpu_bind rows = table(b, n, &f->h);
    gpu_bind_add(d, rows, GPU_READ);
    gpu_bind_add(d, f->w.same ? rows : table(b, n, &f->w), GPU_READ);
    gpu_bind_add(d, out, GPU_WRITE);
    int64_t units = f->planes * f->h.out * f->w.out;
    gpu_grid_flat(b, d, units);
    gpu_spec(d, (uint32_t)op_resize_count(a, &f->h));
    gpu_spec(d, f->w.same ? 0 : (uint32_t)op_resize_count(a, &f->w));
    gpu_spec(d, a->coordinate_transformation_mode == OP_COORD_TF_CROP_AND_RESIZE);
    gpu_push(d, units);
    gpu_push(d, f->h.in);
    gpu_push(d, f->w.in);
    gpu_push(d, f->h.out);
    gpu_push(d, f->w.out);
    gpu_push_f32(d, a->extrapolation_value);
    gpu_epilogue_as(b, d, n, layout, in, access);
}

static void emit_plane(gpu_builder *b, const gr_node *n, gpu_layout layout)
{
    resize_form f;
    const char *why;
    if (!form_of(b->g, n, layout == GPU_C4, &f, &why)) return;
    gpu_bind in = gpu_in(b, n, 0, layout), out = gpu_out(b, n, 0, layout);
    emit(b, n, &f, layout, in, out);
}

static void emit_axes(gpu_builder *b, const gr_node *n)
{
    resize_form forms[GR_MAX_RANK];
    gr_node plain = *n;
    plain.epilogue = (gr_epilogue){.act = GR_ACT_NONE};
    vki_dtype dtype = b->g->tensors[n->in[0]].dtype;
    int count = forms_of(b->g, n, forms);
    gpu_bind in = gpu_in(b, n, 0, GPU_ROW);
    for (int i = 0; i < count; i++) {
        const resize_form *f = &forms[i];
        uint64_t elements = (uint64_t)(f->planes * f->h.out * f->w.out);
        bool last = i == count - 1;
        gpu_bind out =
            last ? gpu_out(b, n, 0, GPU_ROW) : gpu_scratch(b, elements * gpu_element_bytes(dtype, b->half));
        emit(b, last ? n : &plain, f, GPU_ROW, in, out);
        in = out;
    }
}

static void emit_c4(gpu_builder *b, const gr_node *n)
{
    emit_plane(b, n, GPU_C4);
}

static void emit_row(gpu_builder *b, const gr_node *n)
{
    emit_plane(b, n, GPU_ROW);
}

static const gpu_kernel kernels[] = {
    {"resize_c4", fits_c4, emit_c4, GPU_FLOATS},
    {"resize_row", fits_row, emit_row, GPU_ANY},
    {"resize_axes", fits_axes, emit_axes, GPU_ANY},
    {0},
};
const gpu_op gpu_op_resize = {kernels};
