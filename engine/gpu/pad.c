/* SPDX-License-Identifier: Apache-2.0
 * Pad in all modes: in channel slices where the channels stay as they are, else in rows. */
#include <math.h>

#include "gpu/strided.h"

enum { PAD_RANK = 6 }; /* of the shader, after joining the dimensions that are not padded */

typedef struct pad_form {
    int rank; /* innermost first */
    int64_t dims[GR_MAX_RANK], begin[GR_MAX_RANK], left[GR_MAX_RANK], stride[GR_MAX_RANK];
    int64_t offset, units;
    float value;  /* of floats */
    int32_t word; /* of integers */
} pad_form;

static bool computed_fill(const gr_graph *g, const gr_node *n)
{
    return op_has_in(n, 2) && !gr_is_const(g, n->in[2]);
}

/* Brings the node to the shader's form; `channels` 4: in slices. false if the amounts are not constant. */
static bool form_of(const gr_graph *g, const gr_node *n, int channels, pad_form *f)
{
    const gr_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    int64_t begin[GR_MAX_RANK], end[GR_MAX_RANK], stride = 1;
    *f = (pad_form){.units = 1};
    bool words = gpu_is_integer(x->dtype), computed = computed_fill(g, n);
    if (!op_pad_amounts(g, n, begin, end, computed ? NULL : &f->value)) return false;
    if (words && op_has_in(n, 2) && !computed) f->word = (int32_t)gpu_const_i64(&g->tensors[n->in[2]], 0);
    bool joinable = false; /* the dimension before is not padded */
    for (int d = x->rank - 1; d >= 0; d--) {
        int64_t in = d == 1 ? vkb_ceil_div(x->dims[d], channels) : x->dims[d];
        int64_t out = d == 1 ? vkb_ceil_div(y->dims[d], channels) : y->dims[d];
        bool plain = begin[d] == 0 && end[d] == 0;
        if (channels > 1 && d == 1 && !plain) return false;
        if (plain && joinable) {
            f->dims[f->rank - 1] *= out;
            f->left[f->rank - 1] *= in;
        } else {
            int64_t skip = vkb_max(-begin[d], 0);
            f->dims[f->rank] = out;
            f->begin[f->rank] = vkb_max(begin[d], 0);
            f->left[f->rank] = in - skip - vkb_max(-end[d], 0);
            f->stride[f->rank++] = stride;
            f->offset += skip * stride;
        }
        joinable = plain;
        stride *= in;
        f->units *= out;
    }
    return true;
}

/* Four neighbours that are never padded within become one group. */
static bool group_runs(pad_form *f)
{
    bool ok = f->rank > 0 && f->begin[0] == 0 && f->left[0] == f->dims[0] && f->dims[0] % 4 == 0 &&
              f->offset % 4 == 0;
    for (int d = 1; ok && d < f->rank; d++) ok = f->stride[d] % 4 == 0;
    if (!ok) return false;
    f->dims[0] /= 4;
    f->left[0] /= 4;
    f->offset /= 4;
    f->units /= 4;
    for (int d = 1; d < f->rank; d++) f->stride[d] /= 4;
    return true;
}

static bool fits_row(const gpu_builder *b, const gr_node *n, const char **why)
{
    pad_form f;
    *why = "the amounts are not constant";
    if (!form_of(b->g, n, 1, &f)) return false;
    *why = "more than six dimensions are left after joining those that are not padded";
    return f.rank <= PAD_RANK && gpu_const_fits(b, n, 2, why);
}

static bool fits_c4(const gpu_builder *b, const gr_node *n, const char **why)
{
    pad_form f;
    *why = "the inputs lie in rows";
    if (!gpu_prefers_c4(b, n)) return false;
    *why = "the channels are padded";
    if (!form_of(b->g, n, 4, &f) || f.rank > PAD_RANK) return false;
    *why = "a fill that may be infinite would reach unused lanes";
    return (isfinite(f.value) && !computed_fill(b->g, n)) || b->g->tensors[n->in[0]].dims[1] % 4 == 0;
}

static void push_dims(gpu_dispatch *d, const int64_t *values, int rank)
{
    for (int i = 0; i < PAD_RANK; i++) gpu_push(d, i < rank ? values[i] : 0);
}

static void emit(gpu_builder *b, const gr_node *n, gpu_layout layout)
{
    pad_form f;
    if (!form_of(b->g, n, layout == GPU_C4 ? 4 : 1, &f)) return;
    bool groups = layout == GPU_C4 || group_runs(&f);
    vki_dtype dtype = b->g->tensors[n->in[0]].dtype;
    bool words = gpu_is_integer(dtype);
    gpu_dispatch *d = gpu_dispatch_begin(b, groups ? GPU_SHADER_OF(b, dtype, pad_any_x4)
                                                   : GPU_SHADER_OF(b, dtype, pad_any));
    gpu_bind in = gpu_in(b, n, 0, layout);
    bool computed = computed_fill(b->g, n);
    gpu_bind_add(d, in, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, layout), GPU_WRITE);
    gpu_bind_add(d, computed ? gpu_in(b, n, 2, GPU_ROW) : in, GPU_READ);
    gpu_grid_flat(b, d, f.units);
    gpu_spec(d, (uint32_t)f.rank);
    gpu_spec(d, (uint32_t)((const op_pad_attrs *)n->attrs)->mode);
    gpu_spec(d, computed);
    gpu_push(d, f.units);
    gpu_push(d, f.offset);
    if (words)
        gpu_push(d, f.word);
    else
        gpu_push_f32(d, f.value);
    push_dims(d, f.dims, f.rank);
    push_dims(d, f.begin, f.rank);
    push_dims(d, f.left, f.rank);
    push_dims(d, f.stride, f.rank);
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
    {"pad_c4", fits_c4, emit_c4, GPU_FLOATS},
    {"pad_row", fits_row, emit_row, GPU_ANY},
    {0},
};
const gpu_op gpu_op_pad = {kernels};
