/* SPDX-License-Identifier: Apache-2.0
 * Taps of a window that read nothing but padding wherever the window stands: those of a large dilation on a
 * small input, or of a 3x3 on a single pixel. The first and last rows and columns of such taps go, with the
 * padding that they read; DeepLab's 3x3 of dilation 24 on 20x20 becomes 1x1. Needs to know the input's size,
 * so a plan for one size has weights of its own: at most as many bytes as the taps that stay.
 * Also pools whose only window is the whole input: they are global ones, which back ends know better. */
#include <string.h>

#include "graph/ops/window.h"
#include "graph/passes/rewrite.h"

typedef struct kept { /* by dimension: the first tap that stays, and how many do */
    int64_t first[OP_SPATIAL_MAX], count[OP_SPATIAL_MAX];
} kept;

/* Whether tap k of dimension d meets the input at any output. */
static bool meets_input(const op_window_nd *w, int d, int64_t k)
{
    int64_t at = k * w->dilation[d] - w->pad_begin[d]; /* at the first output; then steps of the stride */
    int64_t steps = at < 0 ? vkb_ceil_div(-at, w->stride[d]) : 0;
    return steps < w->out[d] && at + steps * w->stride[d] < w->in[d];
}

/* What may go without padding becoming negative. The size of the output follows from the span of the taps and
 * the padding together, and both shrink alike. */
static bool find_kept(const op_window_nd *w, kept *k)
{
    enum { LONGEST = 1 << 16 }; /* of a kernel; nobody's is longer, and each tap is looked at */
    bool fewer = false;
    for (int d = 0; d < w->rank; d++) {
        const int64_t step = w->dilation[d];
        int64_t first = 0, end = w->kernel[d];
        if (end > LONGEST) return false;
        while (end - first > 1 && (first + 1) * step <= w->pad_begin[d] && !meets_input(w, d, first)) first++;
        while (end - first > 1 && (w->kernel[d] - end + 1) * step <= w->pad_end[d] &&
               !meets_input(w, d, end - 1))
            end--;
        k->first[d] = first;
        k->count[d] = end - first;
        fewer = fewer || k->count[d] < w->kernel[d];
    }
    return fewer;
}

/* A constant of the taps of `weights` [out][in][taps...] that stay. GR_NONE: no memory. */
static gr_id slice_weights(gr_graph *g, gr_id weights, const kept *k)
{
    const gr_tensor *w = &g->tensors[weights];
    const int rank = w->rank, last = rank - 1;
    const size_t size = vki_dtype_size(w->dtype);
    int64_t dims[GR_MAX_RANK], first[GR_MAX_RANK] = {0}, lines = 1;
    for (int d = 0; d < rank; d++) {
        dims[d] = d < 2 ? w->dims[d] : k->count[d - 2];
        first[d] = d < 2 ? 0 : k->first[d - 2];
        if (d < last) lines *= dims[d];
    }
    char *to = gr_const_alloc(g, (uint64_t)(lines * dims[last]) * size);
    if (!to) return GR_NONE;
    for (int64_t i = 0; i < lines; i++) {
        int64_t at = 0, rest = i, stride = w->dims[last];
        for (int d = last - 1; d >= 0; stride *= w->dims[d], rest /= dims[d], d--)
            at += (rest % dims[d] + first[d]) * stride;
        memcpy(to + (size_t)(i * dims[last]) * size,
               (const char *)w->data + (size_t)(at + first[last]) * size, (size_t)dims[last] * size);
    }
    return gr_add_const(g, NULL, w->dtype, rank, dims, to, false);
}

static void set_window(op_ints *kernel, op_ints *pads, int64_t *auto_pad, const op_window_nd *w,
                       const kept *k)
{
    *auto_pad = OP_PAD_NOTSET;
    *kernel = (op_ints){.count = w->rank};
    *pads = (op_ints){.count = 2 * w->rank};
    for (int d = 0; d < w->rank; d++) {
        const int64_t behind = w->kernel[d] - k->first[d] - k->count[d];
        kernel->v[d] = k->count[d];
        pads->v[d] = w->pad_begin[d] - k->first[d] * w->dilation[d];
        pads->v[w->rank + d] = w->pad_end[d] - behind * w->dilation[d];
    }
}

/* Padding is no element of these pools. A window that may reach beyond it (ceil_mode) is left alone. */
static bool is_plain_pool(const gr_node *n)
{
    const op_pool_attrs *a = n->attrs;
    return !a->ceil_mode && !(n->op == OP_AveragePool && a->count_include_pad);
}

/* One window that is the whole input. */
static bool is_everything(const op_window_nd *w)
{
    bool all = true;
    for (int d = 0; d < w->rank; d++)
        all =
            all && w->out[d] == 1 && w->kernel[d] == w->in[d] && w->dilation[d] == 1 && w->pad_begin[d] == 0;
    return all;
}

static vki_status visit_pool(rewrite *rw, gr_node *n, const op_window_nd *w, vki_error *err)
{
    const bool average = n->op == OP_AveragePool;
    kept k;
    if (is_everything(w) && rw_plain(n) && (average || (n->op == OP_MaxPool && n->n_out == 1))) {
        *rw->changed = true;
        return rw_become(rw, n, average ? OP_GlobalAveragePool : OP_GlobalMaxPool, 1, n->in, err);
    }
    if (!is_plain_pool(n) || !find_kept(w, &k)) return VKI_OK;
    op_pool_attrs *a = n->attrs;
    set_window(&a->kernel_shape, &a->pads, &a->auto_pad, w, &k);
    *rw->changed = true;
    return VKI_OK;
}

static vki_status visit_conv(rewrite *rw, gr_node *n, const op_window_nd *w, vki_error *err)
{
    kept k;
    if (!gr_is_const(rw->g, n->in[1]) || !find_kept(w, &k)) return VKI_OK;
    op_conv_attrs *a = n->attrs;
    const gr_id weights = slice_weights(rw->g, n->in[1], &k);
    if (weights == GR_NONE) return vkb_nomem(err, gr_bytes(&rw->g->tensors[n->in[1]]));
    n->in[1] = weights;
    set_window(&a->kernel_shape, &a->pads, &a->auto_pad, w, &k);
    *rw->changed = true;
    return VKI_OK;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    const bool pool = n->op == OP_MaxPool || n->op == OP_AveragePool || n->op == OP_LpPool;
    op_window_nd w;
    if ((!pool && n->op != OP_Conv) || !gr_is_concrete(&rw->g->tensors[n->in[0]])) return VKI_OK;
    VKB_TRY(op_window_resolve(rw->g, n, &w, err));
    return pool ? visit_pool(rw, n, &w, err) : visit_conv(rw, n, &w, err);
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_trim_taps = {
    "trim_taps",
    "taps that read nothing but padding leave a window; a pool's that is all of the input is global", run,
    true};
