/* SPDX-License-Identifier: Apache-2.0
 * ConvPool by the kernels of its two parts, one after the other: what lies between is scratch. The parts are
 * a graph of two nodes over the node's own tensors. */
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
    uint64_t between_bytes; /* first in scratch */
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
    const gr_epilogue act = {(gr_act)a->activation, GR_RESIDUAL_NONE, a->alpha, a->beta};
    p->conv = (gr_node){OP_Conv, n->name, 3, 1, p->conv_in, &p->conv_out, &p->conv_attrs, act, "", false};
    p->pool = (gr_node){.op = pool_kind(a),
                        .name = n->name,
                        .n_in = 1,
                        .n_out = 1,
                        .in = &p->pool_in,
                        .out = &p->pool_out,
                        .attrs = &p->pool_attrs,
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

vki_status cpu_conv_pool_parts_prepare(cpu_prep *prep, vki_error *err)
{
    parts *p = vkb_arena_alloc(prep->arena, sizeof *p);
    if (!p) return vkb_nomem(err, sizeof *p);
    if (!make(p, prep->g, prep->n)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    uint64_t scratch = 0;
    for (int i = 0; i < 2; i++) {
        cpu_prep inner = {
            .g = &p->g, .n = i ? &p->pool : &p->conv, .threads = prep->threads, .arena = prep->arena};
        VKB_TRY(p->kernels[i]->prepare ? p->kernels[i]->prepare(&inner, err) : VKI_OK);
        p->state[i] = inner.state;
        if (inner.scratch_bytes > scratch) scratch = inner.scratch_bytes;
        if (i || !inner.weight_bytes) continue;
        p->pack = inner.pack;
        prep->pack = pack;
        prep->weight_bytes = inner.weight_bytes;
        prep->pack_key = inner.pack_key;
    }
    prep->state = p;
    prep->scratch_bytes = p->between_bytes + scratch;
    return VKI_OK;
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
                           .scratch = rest,
                           .pool = c->pool};
    p->kernels[0]->run(&conv);
    p->kernels[1]->run(&pool);
}
