/* SPDX-License-Identifier: Apache-2.0
 * Unary operators: the activations through the epilogue's micro-kernel, the rest through its own or libm. */
#include "cpu/fast.h"

#include <math.h>

typedef enum unary_way {
    WAY_NONE = 0,
    WAY_EPILOGUE,
    WAY_MICRO,
    WAY_LIBM,
    WAY_GELU,
    WAY_MISH,
    WAY_ELU
} unary_way;

typedef struct unary_state {
    const cpu_micro *micro;
    unary_way way;
    gr_epilogue epilogue;
    cpu_unary_op op;
    float (*fn)(float);
    float alpha;
    float before, after; /* WAY_ELU: after * elu(before * x) */
} unary_state;

static float softplus(float x)
{
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

static float softsign(float x)
{
    return x / (1 + fabsf(x));
}

static unary_state by_epilogue(gr_act act, float alpha, float beta)
{
    return (unary_state){.way = WAY_EPILOGUE, .epilogue = {.act = act, .alpha = alpha, .beta = beta}};
}

static unary_state by_micro(cpu_unary_op op, float alpha)
{
    return (unary_state){.way = WAY_MICRO, .op = op, .alpha = alpha};
}

static unary_state by_elu(float before, float alpha, float after)
{
    return (unary_state){.way = WAY_ELU, .op = CPU_ELU, .before = before, .alpha = alpha, .after = after};
}

static unary_state by_function(op_kind op)
{
    static const struct {
        op_kind op;
        float (*fn)(float);
    } all[] = {{OP_Log, logf},          {OP_Sin, sinf},         {OP_Cos, cosf},     {OP_Tan, tanf},
               {OP_Asin, asinf},        {OP_Acos, acosf},       {OP_Atan, atanf},   {OP_Sinh, sinhf},
               {OP_Cosh, coshf},        {OP_Asinh, asinhf},     {OP_Acosh, acoshf}, {OP_Atanh, atanhf},
               {OP_Softplus, softplus}, {OP_Softsign, softsign}};
    for (size_t i = 0; i < VKB_COUNT(all); i++)
        if (all[i].op == op) return (unary_state){.way = WAY_LIBM, .fn = all[i].fn};
    return (unary_state){.way = WAY_NONE};
}

static unary_state state_of(const gr_graph *g, const gr_node *n)
{
    const op_unary_attrs none = {0}, *a = n->attrs ? n->attrs : &none;
    float low, high;
    switch (n->op) {
    case OP_Relu:
        return by_epilogue(GR_ACT_RELU, 0, 0);
    case OP_LeakyRelu:
        return by_epilogue(GR_ACT_LEAKY, a->alpha, 0);
    case OP_Clip:
        if (!op_clip_range(g, n, &low, &high)) return (unary_state){0};
        return by_epilogue(GR_ACT_CLIP, low, high);
    case OP_Sigmoid:
        return by_epilogue(GR_ACT_SIGMOID, 0, 0);
    case OP_Tanh:
        return by_epilogue(GR_ACT_TANH, 0, 0);
    case OP_HardSigmoid:
        return by_epilogue(GR_ACT_HARDSIGMOID, a->alpha, a->beta);
    case OP_HardSwish:
        return by_epilogue(GR_ACT_HARDSWISH, 0, 0);
    case OP_Silu:
        return by_epilogue(GR_ACT_SILU, 0, 0);
    case OP_FakeQuantize:
        return by_epilogue(GR_ACT_FAKE_QUANTIZE, a->alpha, op_levels(a->low, a->high));
    case OP_Elu:
        return by_micro(CPU_ELU, a->alpha);
    case OP_Exp:
        return by_micro(CPU_EXP, 0);
    case OP_Erf:
        return by_micro(CPU_ERF, 0);
    case OP_Sqrt:
        return by_micro(CPU_SQRT, 0);
    case OP_Reciprocal:
        return by_micro(CPU_RECIPROCAL, 0);
    case OP_Abs:
        return by_micro(CPU_ABS, 0);
    case OP_Neg:
        return by_micro(CPU_NEG, 0);
    case OP_Floor:
        return by_micro(CPU_FLOOR, 0);
    case OP_Ceil:
        return by_micro(CPU_CEIL, 0);
    case OP_Round:
        return by_micro(CPU_ROUND, 0);
    case OP_Gelu:
        return (unary_state){.way = WAY_GELU,
                             .epilogue = {.act = a->approximate ? GR_ACT_SIGMOID : GR_ACT_NONE}};
    case OP_Mish:
        return (unary_state){.way = WAY_MISH,
                             .epilogue = {.act = GR_ACT_CLIP, .alpha = -INFINITY, .beta = 20}};
    case OP_Selu:
        return by_elu(1, a->alpha, a->beta);
    case OP_Celu:
        return by_elu(1 / a->alpha, 1, a->alpha);
    default:
        return by_function(n->op);
    }
}

bool cpu_unary_map_fits(const gr_graph *g, const gr_node *n)
{
    return cpu_all_f32(g, n) && !cpu_has_epilogue(n) && state_of(g, n).way != WAY_NONE;
}

vki_status cpu_unary_map_prepare(cpu_prep *p, vki_error *err)
{
    unary_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = state_of(p->g, p->n);
    s->micro = cpu_micro_get();
    p->state = s;
    return VKI_OK;
}

enum { BLOCK = 512 }; /* elements that stay in the first-level cache from one step to the next */

static void gelu(const unary_state *s, float *y, const float *x, int64_t n)
{
    const cpu_micro *m = s->micro;
    float t[BLOCK];
    if (s->epilogue.act ==
        GR_ACT_SIGMOID) { /* of 2 sqrt(2 / pi) (x + 0.044715 x^3): (1 + tanh of half) / 2 */
        m->binary(t, x, 1, x, 1, n, CPU_MUL);
        m->scale_shift(t, t, n, 0.0713548163f, 1.59576912f);
        m->binary(t, t, 1, x, 1, n, CPU_MUL);
        m->epilogue(t, t, NULL, n, &s->epilogue);
    } else {
        m->scale_shift(t, x, n, 0.707106781f, 0);
        m->unary(t, t, n, CPU_ERF, 0);
        m->scale_shift(t, t, n, 0.5f, 0.5f);
    }
    m->binary(y, t, 1, x, 1, n, CPU_MUL);
}

/* x tanh(softplus x) = x n / (n + 2) with n = e (e + 2); from x = 20 on the fraction is 1. */
static void mish(const unary_state *s, float *y, const float *x, int64_t n)
{
    const cpu_micro *m = s->micro;
    float e[BLOCK], t[BLOCK];
    m->epilogue(e, x, NULL, n, &s->epilogue);
    m->unary(e, e, n, CPU_EXP, 0);
    m->scale_shift(t, e, n, 1, 2);
    m->binary(t, e, 1, t, 1, n, CPU_MUL);
    m->scale_shift(e, t, n, 1, 2);
    m->binary(t, t, 1, e, 1, n, CPU_DIV);
    m->binary(y, t, 1, x, 1, n, CPU_MUL);
}

static void scaled_elu(const unary_state *s, float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = s->before * x[i];
    s->micro->unary(y, y, n, CPU_ELU, s->alpha);
    for (int64_t i = 0; i < n; i++) y[i] *= s->after;
}

static void in_blocks(const unary_state *s, float *y, const float *x, int64_t n)
{
    void (*const way)(const unary_state *, float *, const float *, int64_t) = s->way == WAY_GELU ? gelu
                                                                              : s->way == WAY_MISH
                                                                                  ? mish
                                                                                  : scaled_elu;
    for (int64_t i = 0; i < n; i += BLOCK) way(s, y + i, x + i, vkb_min(BLOCK, n - i));
}

static void on_range(const cpu_call *c, int64_t begin, int64_t end)
{
    const unary_state *s = c->state;
    const float *x = (const float *)c->in[0] + begin;
    float *y = (float *)c->out[0] + begin;
    const int64_t n = end - begin;
    if (s->way == WAY_EPILOGUE)
        s->micro->epilogue(y, x, NULL, n, &s->epilogue);
    else if (s->way == WAY_MICRO)
        s->micro->unary(y, x, n, s->op, s->alpha);
    else if (s->way == WAY_LIBM)
        for (int64_t i = 0; i < n; i++) y[i] = s->fn(x[i]);
    else
        in_blocks(s, y, x, n);
}

void cpu_unary_map_run(const cpu_call *c)
{
    cpu_parallel_elements(c, gr_elements(&c->g->tensors[c->n->out[0]]), on_range);
}
