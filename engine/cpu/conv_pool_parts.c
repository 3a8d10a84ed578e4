/* SPDX-License-Identifier: Apache-2.0
 * ConvPool by the kernels of its two parts: what lies between is scratch. The parts are a graph of two nodes
 * over the node's own tensors. Of a large first layer some rows at a time are pooled while they lie in the
 * cache, and so are the outputs of Winograd's transforms; otherwise the parts run one after the other. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"
#include "graph/ops/window.h"

#include <string.h>

enum { X, W, B, BETWEEN, Y, TENSORS };

typedef struct parts {
    gr_graph g; /* tensors and nodes only */
    gr_tensor tensors[TENSORS];
    gr_node conv, pool;
    gr_id conv_in[3], conv_out, pool_in, pool_out;
    op_conv_attrs conv_attrs;
    op_pool_attrs pool_attrs;
    const cpu_kernel *kernels[2];
    const void *state[2];
    bool by_rows, by_strips; /* conv2d_padded's; conv2d_winograd's */
    op_window window;        /* of the pool, by_strips */
    uint64_t between_bytes;  /* first in scratch: what lies between; of rows a thread at a time: 0 */
    uint64_t conv_bytes;     /* by rows: scratch of the convolution, before that of the pool; else 0 */
    void (*pack)(void *dst, const gr_graph *g, const gr_node *n, const void *state);
} parts;

static const cpu_kernel *choose(const gr_graph *g, const gr_node *n)
{
    for (const cpu_kernel *k = cpu_op_of(n->op)->kernels; k->name; k++)
        if (k->fits(g, n)) return k;
    return NULL;
}

static op_kind pool_kind(const op_conv_pool_attrs *a)
{
    bool max = a->pool == OP_CONV_POOL_MAX;
    if (!a->pool_kernel.count) return max ? OP_GlobalMaxPool : OP_GlobalAveragePool;
    return max ? OP_MaxPool : OP_AveragePool;
}

/* Of a maximum the activation can wait, if it never falls and every window has elements: there are fewer
 * then. */
static bool act_can_wait(const op_conv_pool_attrs *a, const op_window_nd *pool)
{
    bool whole = a->pool == OP_CONV_POOL_MAX && a->alpha >= 0;
    for (int i = 0; i < pool->rank && a->pool_kernel.count; i++)
        whole = whole && pool->pad_begin[i] < pool->kernel[i] && pool->dilation[i] == 1 &&
                (pool->out[i] - 1) * pool->stride[i] - pool->pad_begin[i] < pool->in[i];
    switch ((gr_act)a->activation) {
    case GR_ACT_RELU:
    case GR_ACT_SIGMOID:
    case GR_ACT_TANH:
    case GR_ACT_LEAKY:
    case GR_ACT_HARDSIGMOID:
        return whole;
    default:
        return false;
    }
}

static gr_tensor between_of(const gr_tensor *y, const op_window_nd *conv)
{
    gr_tensor t = {.name = "", .dtype = y->dtype, .rank = y->rank, .dims = {conv->batch, conv->out_c}};
    memcpy(t.dims + 2, conv->out, (size_t)conv->rank * sizeof *t.dims);
    return t;
}

/* Fills p, which must not move afterwards; false if a part has no fast kernel. */
static bool make(parts *p, const gr_graph *g, const gr_node *n)
{
    const op_conv_pool_attrs *a = n->attrs;
    op_window_nd conv, pool;
    memset(p, 0, sizeof *p);
    if (!cpu_all_f32(g, n) || op_conv_pool_resolve(g, n, &conv, &pool, NULL) != VKI_OK) return false;
    p->tensors[X] = g->tensors[n->in[0]];
    p->tensors[W] = g->tensors[n->in[1]];
    p->tensors[Y] = g->tensors[n->out[0]];
    p->tensors[BETWEEN] = between_of(&p->tensors[Y], &conv);
    const bool bias = op_has_own(n, 2);
    if (bias) p->tensors[B] = g->tensors[n->in[2]];
    p->g = (gr_graph){.tensors = p->tensors, .n_tensors = TENSORS};
    p->conv_attrs = a->conv;
    p->pool_attrs = (op_pool_attrs){.kernel_shape = a->pool_kernel,
                                    .strides = a->pool_strides,
                                    .pads = a->pool_pads,
                                    .ceil_mode = a->pool_ceil};
    memcpy(p->conv_in, (gr_id[]){X, W, bias ? B : GR_NONE}, sizeof p->conv_in);
    p->conv_out = p->pool_in = BETWEEN;
    p->pool_out = Y;
    const gr_epilogue act = {(gr_act)a->activation, GR_RESIDUAL_NONE, a->alpha, a->beta}, none = {0};
    const bool later = act_can_wait(a, &pool);
    p->conv = (gr_node){OP_Conv, n->name, 3, 1, p->conv_in, &p->conv_out, &p->conv_attrs, later ? none : act,
                        "",      false};
    p->pool = (gr_node){.op = pool_kind(a),
                        .name = n->name,
                        .n_in = 1,
                        .n_out = 1,
                        .in = &p->pool_in,
                        .out = &p->pool_out,
                        .attrs = &p->pool_attrs,
                        .epilogue = later ? act : none,
                        .fused = ""};
    p->between_bytes = vkb_round_up(gr_bytes(&p->tensors[BETWEEN]), 64);
    p->kernels[0] = choose(&p->g, &p->conv);
    p->kernels[1] = choose(&p->g, &p->pool);
    return p->between_bytes && p->kernels[0] && p->kernels[1];
}

bool cpu_conv_pool_parts_fits(const gr_graph *g, const gr_node *n)
{
    parts p;
    return make(&p, g, n);
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const parts *p = state;
    (void)g;
    (void)n;
    p->pack(dst, &p->g, &p->conv, p->state[0]);
}

/* Prepares one part and adds up the scratch. */
static vki_status prepare_part(cpu_prep *prep, parts *p, int i, uint64_t *scratch, vki_error *err)
{
    const cpu_kernel *k = p->kernels[i];
    cpu_prep inner = {
        .g = &p->g, .n = i ? &p->pool : &p->conv, .threads = prep->threads, .arena = prep->arena};
    op_window pool;
    if (!i && p->by_rows && !op_window_of(&p->g, &p->pool, &pool))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    if (!i && p->by_rows)
        VKB_TRY(cpu_conv2d_padded_prepare_rows(&inner, &pool, err));
    else if (k->prepare)
        VKB_TRY(k->prepare(&inner, err));
    p->state[i] = inner.state;
    *scratch = inner.scratch_bytes;
    if (i || !inner.weight_bytes) return VKI_OK;
    p->pack = inner.pack;
    prep->pack = pack;
    memcpy(prep->spent, inner.spent, sizeof prep->spent);
    prep->weight_bytes = inner.weight_bytes;
    prep->pack_key = inner.pack_key;
    return VKI_OK;
}

vki_status cpu_conv_pool_parts_prepare(cpu_prep *prep, vki_error *err)
{
    parts *p = vkb_arena_alloc(prep->arena, sizeof *p);
    if (!p) return vkb_nomem(err, sizeof *p);
    if (!make(p, prep->g, prep->n)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const uint64_t cache = (uint64_t)cpu_caches_get()->second;
    const bool in_place =
        p->kernels[1]->run == cpu_pool_window_run && cpu_pool_window_in_place(&p->g, &p->pool);
    uint64_t conv, pool;
    p->by_rows = in_place && p->between_bytes > cache && p->kernels[0]->run == cpu_conv2d_padded_run;
    VKB_TRY(prepare_part(prep, p, 0, &conv, err));
    VKB_TRY(prepare_part(prep, p, 1, &pool, err));
    p->by_strips = in_place && p->kernels[0]->run == cpu_conv2d_winograd_run &&
                   op_window_of(&p->g, &p->pool, &p->window) &&
                   cpu_conv2d_winograd_holds(p->state[0], &p->window);
    if (p->by_rows || p->by_strips) {
        p->between_bytes = 0;
        p->conv_bytes = vkb_round_up(conv, 64);
    }
    prep->state = p;
    prep->scratch_bytes =
        p->conv_bytes ? p->conv_bytes + pool : p->between_bytes + (conv > pool ? conv : pool);
    return VKI_OK;
}

static void pool_rows(const void *user, const cpu_pool_rows *rows)
{
    cpu_pool_window_rows(user, rows);
}

void cpu_conv_pool_parts_run(const cpu_call *c)
{
    const parts *p = c->state;
    void *between = c->scratch, *rest = (char *)c->scratch + p->between_bytes;
    const void *conv_in[3] = {c->in[0], c->in[1], cpu_own_input(c, 2)}, *pool_in[1] = {between};
    const cpu_call conv = {.g = &p->g,
                           .n = &p->conv,
                           .in = conv_in,
                           .out = &between,
                           .state = p->state[0],
                           .weights = c->weights,
                           .scratch = rest,
                           .pool = c->pool};
    const cpu_call pool = {.g = &p->g,
                           .n = &p->pool,
                           .in = pool_in,
                           .out = c->out,
                           .state = p->state[1],
                           .scratch = (char *)rest + p->conv_bytes,
                           .pool = c->pool};
    if (p->by_rows) {
        cpu_conv2d_padded_run_rows(&conv, pool_rows, &pool);
        return;
    }
    if (p->by_strips) {
        cpu_conv2d_winograd_run_rows(&conv, &p->window, pool_rows, &pool);
        return;
    }
    p->kernels[0]->run(&conv);
    p->kernels[1]->run(&pool);
}
