/* SPDX-License-Identifier: Apache-2.0
 * ScatterElements and ScatterND without float atomics: the updates of an element are applied in their order,
 * so that results are the same in every run. scatter_plan  ScatterND by a list of which updates mean which
 * slice: constant indices scatter_last  the same with the last update of each slice, found on the device: no
 * reduction scatter_walk  every element looks at all updates that could mean it */
#include "gpu/lines.h"
#include "gpu/picks.h"
#include "gpu/words.h"

#include <string.h>

enum { X = 0, INDICES, UPDATES };
enum { PACK_RANK = 0, PACK_SLICES, PACK_ONE, PACK_DIMS }; /* words of the list's packing arguments */

static op_scatter_reduction reduction_of(const gr_node *n)
{
    return (op_scatter_reduction)((const op_scatter_attrs *)n->attrs)->reduction;
}

static vki_dtype dtype_of(const gpu_builder *b, const gr_node *n)
{
    return b->g->tensors[n->in[X]].dtype;
}

static bool fits_any(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "no updates";
    if (gr_elements(&b->g->tensors[n->in[UPDATES]]) == 0) return false;
    for (int i = 0; i < 3; i++)
        if (!gpu_const_fits(b, n, i, why)) return false;
    return true;
}

static void add_reduction(const gpu_builder *b, gpu_dispatch *d, const gr_node *n)
{
    gpu_spec(d, gpu_kind_of(dtype_of(b, n)));
    gpu_spec(d, gpu_bits_of(dtype_of(b, n)));
    gpu_spec(d, (uint32_t)reduction_of(n));
}

/* ---- by a list ---- */

static int64_t slices_of(const gpu_builder *b, const gr_node *n, const gpu_picks *p)
{
    return gr_elements(&b->g->tensors[n->in[X]]) / p->run;
}

static void emit_listed(gpu_builder *b, const gr_node *n, const gpu_picks *p, gpu_bind list, bool one)
{
    int64_t elements = gr_elements(&b->g->tensors[n->in[X]]);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_BY(b, dtype_of(b, n), scatter_plan));
    gpu_bind_add(d, gpu_in(b, n, X, GPU_ROW), GPU_READ);
    gpu_bind_add(d, list, GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, UPDATES, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, elements);
    add_reduction(b, d, n);
    gpu_spec(d, one);
    gpu_push(d, elements);
    gpu_push(d, p->run);
    gpu_push(d, slices_of(b, n, p));
}

/* The slice that tuple t means. Inference has checked the range of constant indices. */
static int64_t slice_of(const gr_tensor *indices, const gpu_pack_arg *arg, int64_t t)
{
    int64_t at = 0, rank = arg->v[PACK_RANK];
    for (int64_t k = 0; k < rank; k++) {
        int64_t dim = arg->v[PACK_DIMS + k], index = gpu_const_i64(indices, t * rank + k);
        at = at * dim + (index < 0 ? index + dim : index);
    }
    return at;
}

/* Where the part of each slice ends, then the updates of all slices: a counting sort. */
static void pack_list(void *dst, const gr_tensor *indices, const gpu_pack_arg *arg)
{
    int32_t *end = dst;
    int64_t slices = arg->v[PACK_SLICES], tuples = gr_elements(indices) / arg->v[PACK_RANK], before = 0;
    int32_t *list = end + slices;
    memset(dst, 0, (size_t)(slices + tuples) * sizeof *end);
    for (int64_t t = 0; t < tuples; t++) end[slice_of(indices, arg, t)]++;
    for (int64_t s = 0; s < slices; s++) { /* becomes where the part begins, and moves on as it fills */
        int32_t count = end[s];
        end[s] = (int32_t)before;
        before += count;
    }
    for (int64_t t = 0; t < tuples; t++) list[end[slice_of(indices, arg, t)]++] = (int32_t)t;
}

/* Which update each slice gets, the last one that means it, or -1. */
static void pack_last(void *dst, const gr_tensor *indices, const gpu_pack_arg *arg)
{
    int32_t *last = dst;
    int64_t tuples = gr_elements(indices) / arg->v[PACK_RANK];
    for (int64_t s = 0; s < arg->v[PACK_SLICES]; s++) last[s] = -1;
    for (int64_t t = 0; t < tuples; t++) last[slice_of(indices, arg, t)] = (int32_t)t;
}

static bool fits_plan(const gpu_builder *b, const gr_node *n, const char **why)
{
    if (n->op != OP_ScatterND || !fits_any(b, n, why)) return false;
    *why = "the indices are not constant, or too many of them reduce";
    return gr_is_const(b->g, n->in[INDICES]) &&
           (reduction_of(n) == OP_SCATTER_NONE || gpu_picks_of(b, n).tuple_count <= GPU_LINE_ROUNDS);
}

static void emit_plan(gpu_builder *b, const gr_node *n)
{
    gpu_picks p = gpu_picks_of(b, n);
    bool one = reduction_of(n) == OP_SCATTER_NONE;
    int64_t slices = slices_of(b, n, &p);
    gpu_pack_arg arg = {.v = {[PACK_RANK] = p.rank, [PACK_SLICES] = (int32_t)slices}};
    for (int k = 0; k < p.rank; k++) arg.v[PACK_DIMS + k] = (int32_t)p.dims[k];
    uint64_t words = (uint64_t)(slices + (one ? 0 : p.tuple_count));
    emit_listed(b, n, &p, gpu_pack(b, n->in[INDICES], one ? pack_last : pack_list, arg, words * 4), one);
}

static bool fits_last(const gpu_builder *b, const gr_node *n, const char **why)
{
    if (!fits_any(b, n, why)) return false;
    *why = "a reduction";
    return reduction_of(n) == OP_SCATTER_NONE;
}

static void emit_last(gpu_builder *b, const gr_node *n)
{
    gpu_picks p = gpu_picks_of(b, n);
    int64_t slices = slices_of(b, n, &p);
    gpu_bind indices = gpu_in(b, n, INDICES, GPU_ROW), last = gpu_scratch(b, (uint64_t)slices * 4);
    for (int clear = 1; clear >= 0; clear--) {
        int64_t units = clear ? slices : p.tuples ? p.tuple_count : p.picks;
        gpu_dispatch *d = gpu_dispatch_begin(b, SH_scatter_last_f32);
        gpu_bind_add(d, indices, GPU_READ);
        gpu_bind_add(d, last, GPU_READ | GPU_WRITE);
        gpu_grid_flat(b, d, units);
        gpu_spec(d, (uint32_t)clear);
        gpu_picks_add(d, &p);
        gpu_push(d, units);
    }
    emit_listed(b, n, &p, last, true);
}

/* ---- by updates sorted on the device ---- */

/* At once: each is compared with all of its line. */
enum { PART = 2048 };

typedef struct sorted {
    gpu_picks picks;
    int64_t axis, lines, line_size, step;
    int64_t dims[GR_MAX_RANK], limits[GR_MAX_RANK], strides[GR_MAX_RANK]; /* innermost first */
} sorted;

static sorted sorted_of(const gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[X]], *indices = &b->g->tensors[n->in[INDICES]];
    sorted s = {.picks = gpu_picks_of(b, n), .lines = 1, .step = 1};
    s.line_size = s.picks.tuple_count;
    if (s.picks.tuples) return s;
    int64_t axis = ((const op_scatter_attrs *)n->attrs)->axis, stride = 1;
    if (axis < 0) axis += x->rank;
    s.axis = x->rank - 1 - axis;
    for (int i = 0; i < x->rank; i++) {
        int d = x->rank - 1 - i;
        s.dims[i] = x->dims[d];
        s.limits[i] = indices->dims[d];
        s.strides[i] = stride;
        stride *= indices->dims[d];
    }
    s.step = s.strides[s.axis];
    s.line_size = s.limits[s.axis];
    s.lines = stride / s.line_size;
    return s;
}

static void emit_rank(gpu_builder *b, const sorted *s, gpu_bind indices, gpu_bind order, gpu_bind keys,
                      int64_t first, int64_t count)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, SH_scatter_rank_f32);
    gpu_bind_add(d, indices, GPU_READ);
    gpu_bind_add(d, order, GPU_WRITE);
    gpu_bind_add(d, keys, GPU_WRITE);
    gpu_grid_flat(b, d, s->lines * count);
    gpu_picks_add(d, &s->picks);
    const int64_t words[] = {s->lines * count, first, count, s->step, s->line_size};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static void emit_sorted(gpu_builder *b, const gr_node *n)
{
    sorted s = sorted_of(b, n);
    int64_t elements = gr_elements(&b->g->tensors[n->in[X]]), part = vkb_min(PART, s.line_size);
    gpu_bind from = gpu_in(b, n, X, GPU_ROW), y = gpu_out(b, n, 0, GPU_ROW);
    gpu_bind indices = gpu_in(b, n, INDICES, GPU_ROW), values = gpu_in(b, n, UPDATES, GPU_ROW);
    gpu_bind order = gpu_scratch(b, (uint64_t)(s.lines * part) * 4);
    gpu_bind keys = gpu_scratch(b, (uint64_t)(s.lines * part) * 4);
    for (int64_t first = 0; first < s.line_size && !b->failed; first += part) {
        int64_t count = vkb_min(part, s.line_size - first);
        emit_rank(b, &s, indices, order, keys, first, count);
        gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_BY(b, dtype_of(b, n), scatter_sorted));
        const gpu_bind in[] = {from, order, keys, values};
        for (size_t i = 0; i < VKB_COUNT(in); i++) gpu_bind_add(d, in[i], GPU_READ);
        gpu_bind_add(d, y, GPU_WRITE);
        gpu_grid_flat(b, d, elements);
        add_reduction(b, d, n);
        gpu_spec(d, s.picks.tuples);
        gpu_spec(d, (uint32_t)b->g->tensors[n->in[X]].rank);
        const int64_t words[] = {elements, s.picks.run, first, count, s.step, s.line_size, s.axis};
        for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
        const int64_t *const lists[] = {s.dims, s.limits, s.strides};
        for (int k = 0; k < 3 * GR_MAX_RANK; k++) gpu_push(d, lists[k / GR_MAX_RANK][k % GR_MAX_RANK]);
        from = y;
    }
}

static const gpu_kernel kernels[] = {
    {"scatter_plan", fits_plan, emit_plan, GPU_ANY},
    {"scatter_last", fits_last, emit_last, GPU_ANY},
    {"scatter_sorted", fits_any, emit_sorted, GPU_ANY},
    {0},
};
const gpu_op gpu_op_scatter = {kernels};
