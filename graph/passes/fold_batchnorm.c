/* SPDX-License-Identifier: Apache-2.0
 * BatchNormalization, and Mul, Div, Add and Sub with one constant a channel, go into the weights and the bias
 * of the Conv, ConvTranspose or Gemm before them. Computed in double, rounded once. */
#include <math.h>
#include <string.h>

#include "base/store.h"
#include "graph/passes/rewrite.h"

typedef struct affine { /* y[c] = scale[c] x[c] + shift[c] */
    double *scale, *shift;
    int64_t channels;
    bool scales; /* some scale is not 1 */
} affine;

static bool is_f32_const(const gr_graph *g, gr_id t)
{
    return gr_is_const(g, t) && g->tensors[t].dtype == VKI_F32;
}

/* Channels that the node makes; 0 if its weights cannot be changed. */
static int64_t channels_of(const gr_graph *g, const gr_node *n)
{
    if (n->op != OP_Conv && n->op != OP_ConvTranspose && n->op != OP_Gemm) return 0;
    if (!is_f32_const(g, n->in[1]) || (op_has_in(n, 2) && !is_f32_const(g, n->in[2]))) return 0;
    const gr_tensor *w = &g->tensors[n->in[1]];
    if (n->op == OP_Gemm) {
        const op_gemm_attrs *a = n->attrs;
        const gr_tensor *c = op_has_in(n, 2) ? &g->tensors[n->in[2]] : NULL;
        if (w->rank != 2) return 0;
        int64_t columns = w->dims[a->transB ? 0 : 1];
        /* the bias must be one a column, not one a row */
        bool good =
            !c || gr_elements(c) == 1 || (gr_elements(c) == columns && c->dims[c->rank - 1] == columns);
        return good ? columns : 0;
    }
    const op_conv_attrs *a = n->attrs;
    if (w->rank < 3) return 0;
    if (n->op == OP_Conv) return w->dims[0];
    return w->dims[0] % a->group == 0 ? w->dims[1] * a->group : 0;
}

/* ---- reading what is applied ---- */

/* Channel c of a constant that has one value, or one for each channel at the channel axis of a tensor of
 * `rank` dimensions. */
static bool per_channel(const gr_graph *g, gr_id id, int rank, int64_t channels, double *out)
{
    if (!is_f32_const(g, id)) return false;
    const gr_tensor *t = &g->tensors[id];
    const float *v = t->data;
    int64_t n = gr_elements(t);
    if (t->rank > rank || (n != 1 && n != channels)) return false;
    if (n != 1) {
        int axis = t->rank - (rank - 1); /* where dimension 1 of the data meets the constant */
        if (axis < 0 || t->dims[axis] != channels) return false;
    }
    for (int64_t c = 0; c < channels; c++) out[c] = (double)v[n == 1 ? 0 : c];
    return true;
}

static bool read_batchnorm(const gr_graph *g, const gr_node *n, affine *f)
{
    const op_norm_attrs *a = n->attrs;
    const float *p[4];
    if (a->training_mode) return false;
    for (int i = 0; i < 4; i++) {
        if (!is_f32_const(g, n->in[1 + i]) || gr_elements(&g->tensors[n->in[1 + i]]) != f->channels)
            return false;
        p[i] = g->tensors[n->in[1 + i]].data;
    }
    for (int64_t c = 0; c < f->channels; c++) {
        f->scale[c] = (double)p[0][c] / sqrt((double)p[3][c] + (double)a->epsilon);
        f->shift[c] = (double)p[1][c] - (double)p[2][c] * f->scale[c];
    }
    return true;
}

static bool read_binary(const gr_graph *g, const gr_node *n, gr_id x, int rank, affine *f)
{
    bool left = n->in[0] == x; /* the data is the left operand */
    double *values = n->op == OP_Mul || n->op == OP_Div ? f->scale : f->shift;
    if (n->op == OP_Div && !left) return false;
    if (!per_channel(g, n->in[left ? 1 : 0], rank, f->channels, values)) return false;
    for (int64_t c = 0; c < f->channels; c++) {
        if (n->op == OP_Div) f->scale[c] = 1 / f->scale[c];
        if (n->op == OP_Sub && left) f->shift[c] = -f->shift[c];
        if (n->op == OP_Sub && !left) f->scale[c] = -1;
    }
    return true;
}

static bool read_affine(const gr_graph *g, const gr_node *n, gr_id x, int rank, affine *f)
{
    for (int64_t c = 0; c < f->channels; c++) {
        f->scale[c] = 1;
        f->shift[c] = 0;
    }
    bool good = n->op == OP_BatchNormalization ? n->in[0] == x && read_batchnorm(g, n, f)
                                               : read_binary(g, n, x, rank, f);
    f->scales = false;
    for (int64_t c = 0; good && c < f->channels; c++) {
        good = isfinite(f->scale[c]) && isfinite(f->shift[c]);
        f->scales = f->scales || f->scale[c] != 1;
    }
    return good;
}

/* ---- applying it ---- */

static float *new_const(gr_graph *g, gr_id like, int rank, const int64_t *dims, uint64_t elements, gr_id *id)
{
    float *data = gr_const_alloc(g, elements * sizeof *data);
    if (!data) return NULL;
    *id = gr_add_tensor(g, g->tensors[like].name, VKI_F32, rank, dims);
    return *id == GR_NONE ? NULL : data;
}

/* `inner` weights in a row belong to a channel, then come those of the next of `count`; a transposed
 * convolution has as many for each group. */
typedef struct scaling {
    int64_t total, inner, count, per_group;
    double scale[]; /* by channel */
} scaling;

/* Two at a time: small code has one register for all, and each waits for the one before. */
static void scale_run(float *restrict out, const float *restrict in, int64_t n, double scale)
{
    for (int64_t i = 0; i + 1 < n; i += 2) {
        const double even = (double)in[i] * scale, odd = (double)in[i + 1] * scale;
        out[i] = (float)even;
        out[i + 1] = (float)odd;
    }
    if (n % 2) out[n - 1] = (float)((double)in[n - 1] * scale);
}

static void scale_weights(void *to, const void *from, const void *recipe)
{
    const scaling *s = recipe;
    const int64_t inner = s->inner;
    for (int64_t i = 0, channel = 0, first = 0, end = s->per_group; i < s->total; i += inner) {
        if (i == end) {
            first += s->count;
            end += s->per_group;
        }
        scale_run((float *)to + i, (const float *)from + i, inner, s->scale[first + channel]);
        if (++channel == s->count) channel = 0;
    }
}

static void describe(const gr_node *n, const gr_tensor *w, const affine *f, scaling *s)
{
    *s = (scaling){gr_elements(w), 1, f->channels, gr_elements(w)};
    if (n->op == OP_Gemm) {
        s->inner = ((const op_gemm_attrs *)n->attrs)->transB ? w->dims[1] : 1;
    } else {
        for (int d = n->op == OP_Conv ? 1 : 2; d < w->rank; d++) s->inner *= w->dims[d];
        if (n->op == OP_ConvTranspose) {
            s->count = w->dims[1];
            s->per_group = s->total / ((const op_conv_attrs *)n->attrs)->group;
        }
    }
    memcpy(s->scale, f->scale, (size_t)f->channels * sizeof *f->scale);
}

/* Nothing but the one node reads the content. */
static bool is_read_once(const rewrite *rw, gr_id id)
{
    const gr_graph *g = rw->g;
    bool once = rw_single(rw, id) && !g->n_bodies;
    for (gr_id i = 0; i < g->n_tensors && once; i++)
        once = i == id || g->tensors[i].data != g->tensors[id].data;
    return once;
}

/* Where the store has the weights it has the scaled ones as well, and those that they are made of leave
 * memory. */
static const void *scaled(const rewrite *rw, gr_id id, const scaling *s, size_t recipe_bytes)
{
    gr_graph *g = rw->g;
    const gr_tensor *w = &g->tensors[id];
    const uint64_t bytes = gr_bytes(w);
    if (bytes >= VKB_STORE_LEAST && vkb_store_hold(g->store, w->data)) {
        const void *made = vkb_store_make(g->store, w->data, bytes, scale_weights, s, recipe_bytes);
        if (made && is_read_once(rw, id)) vkb_store_release(g->store, w->data, bytes);
        vkb_store_drop(g->store, w->data);
        return made;
    }
    float *data = gr_const_alloc(g, bytes);
    if (data) scale_weights(data, w->data, s);
    return data;
}

static vki_status fold_weights(rewrite *rw, gr_node *n, const affine *f, vki_error *err)
{
    gr_graph *g = rw->g;
    const gr_tensor w = g->tensors[n->in[1]];
    const size_t recipe_bytes = sizeof(scaling) + (size_t)f->channels * sizeof *f->scale;
    scaling *s = vkb_alloc(g->allocator, recipe_bytes);
    if (!s) return vkb_nomem(err, recipe_bytes);
    describe(n, &w, f, s);
    const void *data = scaled(rw, n->in[1], s, recipe_bytes);
    vkb_free(g->allocator, s);
    const gr_id id = data ? gr_add_tensor(g, w.name, VKI_F32, w.rank, w.dims) : GR_NONE;
    if (id == GR_NONE || !gr_make_const(g, id, data, false)) return vkb_nomem(err, gr_bytes(&w));
    n->in[1] = id;
    return VKI_OK;
}

static vki_status fold_bias(gr_graph *g, gr_node *n, const affine *f, vki_error *err)
{
    bool had = op_has_in(n, 2);
    float beta = n->op == OP_Gemm ? ((const op_gemm_attrs *)n->attrs)->beta : 1;
    const gr_tensor old = had ? g->tensors[n->in[2]] : (gr_tensor){.rank = 0};
    int64_t stride = had && gr_elements(&old) > 1;
    gr_id id = GR_NONE;
    float *data = new_const(g, n->in[had ? 2 : 1], 1, &f->channels, (uint64_t)f->channels, &id);
    if (!data) return vkb_nomem(err, (uint64_t)f->channels * sizeof *data);
    for (int64_t c = 0; c < f->channels; c++) {
        double b = had ? (double)beta * (double)((const float *)old.data)[c * stride] : 0;
        data[c] = (float)(b * f->scale[c] + f->shift[c]);
    }
    if (!gr_make_const(g, id, data, false)) return vkb_nomem(err, 0);
    if (n->op == OP_Gemm) ((op_gemm_attrs *)n->attrs)->beta = 1;
    const gr_id in[3] = {n->in[0], n->in[1], id};
    return gr_set_inputs(g, n, 3, in) ? VKI_OK : vkb_nomem(err, sizeof in);
}

/* ---- the pass ---- */

static vki_status fold(rewrite *rw, gr_node *maker, gr_node *n, gr_id x, affine *f, vki_error *err)
{
    gr_graph *g = rw->g;
    int rank = g->tensors[maker->in[1]].rank; /* of the weights, which is that of the data */
    if (!read_affine(g, n, x, rank, f)) return VKI_OK;
    if (f->scales) VKB_TRY(fold_weights(rw, maker, f, err));
    VKB_TRY(fold_bias(g, maker, f, err));
    return rw_absorb(rw, maker, n, err);
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    if (n->op != OP_BatchNormalization && n->op != OP_Mul && n->op != OP_Div && n->op != OP_Add &&
        n->op != OP_Sub)
        return VKI_OK;
    gr_id x = gr_is_const(g, n->in[0]) ? n->in[1] : n->in[0];
    gr_node *maker = rw_maker(rw, x, OP_NONE);
    if (n->n_out != 1 || n->epilogue.residual != GR_RESIDUAL_NONE) return VKI_OK;
    if (!maker || !rw_plain(maker) || !rw_single(rw, x)) return VKI_OK;
    affine f = {.channels = channels_of(g, maker)};
    if (f.channels <= 0) return VKI_OK;
    f.scale = vkb_calloc(g->allocator, (size_t)f.channels, 2 * sizeof *f.scale);
    if (!f.scale) return vkb_nomem(err, (uint64_t)f.channels * 2 * sizeof *f.scale);
    f.shift = f.scale + f.channels;
    gr_epilogue epilogue = n->epilogue; /* an activation that was fused into n goes along */
    vki_status status = fold(rw, maker, n, x, &f, err);
    if (n->dead) maker->epilogue = epilogue;
    vkb_free(g->allocator, f.scale);
    return status;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    return rw_each_node(g, visit, changed, err);
}

const gr_pass pass_fold_batchnorm = {
    "fold_batchnorm", "normalization, scale and shift by channel go into the weights before them", run, true};
