/* SPDX-License-Identifier: Apache-2.0
 * Generators: element by element, products, reductions, searches, types. */
#include <math.h>
#include <string.h>

#include "common/random_graph.h"
#include "cpu/ref.h"
#include "graph/ops/schema.h"

enum { F32 = OP_BIT(VKI_F32), I32 = OP_BIT(VKI_I32), I64 = OP_BIT(VKI_I64), BOOL = OP_BIT(VKI_BOOL) };

static double lowest(const random_graph *r, gr_id id)
{
    const gr_tensor *t = rg_tensor(r, id);
    double low = INFINITY;
    for (int64_t i = 0; i < gr_elements(t); i++) low = fmin(low, cpu_load(r->data[id], t->dtype, i));
    return low;
}

static double largest(const random_graph *r, gr_id id)
{
    const gr_tensor *t = rg_tensor(r, id);
    double most = 0;
    for (int64_t i = 0; i < gr_elements(t); i++) most = fmax(most, fabs(cpu_load(r->data[id], t->dtype, i)));
    return most;
}

/* ---- unary ---- */

gr_node *rg_unary(random_graph *r)
{
    static const op_kind ops[] = {
        OP_Relu,  OP_LeakyRelu, OP_Sigmoid, OP_Tanh, OP_HardSigmoid, OP_HardSwish, OP_Silu, OP_Elu,
        OP_Exp,   OP_Softplus,  OP_Abs,     OP_Neg,  OP_Erf,         OP_Sin,       OP_Cos,  OP_Atan,
        OP_Asinh, OP_Gelu,      OP_Selu,    OP_Celu, OP_Mish,        OP_Softsign,  OP_Sinh, OP_Cosh};
    const op_kind op = ops[rg_pick(r, 0, (int)VKB_COUNT(ops) - 1)];
    const gr_id x = rg_any(r, F32, 0, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    gr_node *n = rg_node(r, op, 1, &x, 1);
    op_unary_attrs *a = n->attrs;
    if ((op == OP_LeakyRelu || op == OP_Elu) && rg_chance(r, 50)) a->alpha = 0.3f;
    if (op == OP_Gelu) a->approximate = rg_pick(r, 0, 1);
    return n;
}

static gr_node *positive_unary(random_graph *r)
{
    static const op_kind ops[] = {OP_Log, OP_Sqrt, OP_Reciprocal};
    const gr_id x = rg_any(r, F32, 0, GR_MAX_RANK);
    if (x == GR_NONE || lowest(r, x) < 0.05) return NULL;
    return rg_node(r, ops[rg_pick(r, 0, 2)], 1, &x, 1);
}

static gr_node *jumping_unary(random_graph *r)
{
    static const op_kind ops[] = {OP_Floor, OP_Ceil,  OP_Round,           OP_Sign,
                                  OP_IsNaN, OP_IsInf, OP_ThresholdedRelu, OP_Shrink};
    const gr_id x = rg_exact(r, F32, 0, GR_MAX_RANK);
    return x == GR_NONE ? NULL : rg_node(r, ops[rg_pick(r, 0, (int)VKB_COUNT(ops) - 1)], 1, &x, 1);
}

static gr_node *integer_unary(random_graph *r)
{
    const gr_id x = rg_any(r, I32 | BOOL, 0, GR_MAX_RANK);
    static const op_kind ops[] = {OP_Abs, OP_Neg, OP_Sign, OP_BitwiseNot};
    if (x == GR_NONE) return NULL;
    return rg_node(r, rg_tensor(r, x)->dtype == VKI_BOOL ? OP_Not : ops[rg_pick(r, 0, 3)], 1, &x, 1);
}

static gr_node *clip(random_graph *r)
{
    const gr_id x = rg_any(r, F32 | I32, 0, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const vki_dtype type = rg_tensor(r, x)->dtype;
    const gr_id low = rg_chance(r, 70) ? rg_operand(r, type, 0, NULL, -3, 0) : GR_NONE;
    const gr_id high = rg_chance(r, 70) ? rg_operand(r, type, 0, NULL, 1, 6) : GR_NONE;
    return rg_node(r, OP_Clip, 3, (gr_id[]){x, low, high}, 1);
}

/* ---- binary ---- */

/* A shape that broadcasts with x's. */
static int partner_shape(random_graph *r, const gr_tensor *x, int64_t *dims)
{
    int skip = rg_chance(r, 30) ? (int)rg_pick(r, 0, x->rank) : 0, rank = 0;
    for (int d = skip; d < x->rank; d++) dims[rank++] = rg_chance(r, 35) ? 1 : x->dims[d];
    return rank;
}

/* A tensor there is of x's shape, or a new one that broadcasts. */
static gr_id partner(random_graph *r, gr_id x, double low, double high)
{
    const gr_id other = rg_any(r, OP_BIT(rg_tensor(r, x)->dtype), 0, GR_MAX_RANK);
    int64_t dims[GR_MAX_RANK];
    if (rg_chance(r, 60) && gr_same_shape(rg_tensor(r, x), rg_tensor(r, other))) return other;
    const int rank = partner_shape(r, rg_tensor(r, x), dims);
    return rg_operand(r, rg_tensor(r, x)->dtype, rank, dims, low, high);
}

gr_node *rg_binary(random_graph *r)
{
    static const op_kind ops[] = {OP_Add, OP_Add, OP_Sub, OP_Mul, OP_Mul, OP_Max, OP_Min, OP_Div, OP_Pow};
    const op_kind op = ops[rg_pick(r, 0, (int)VKB_COUNT(ops) - 1)];
    const gr_id a = rg_any(r, F32, 0, GR_MAX_RANK);
    if (a == GR_NONE || (op == OP_Pow && lowest(r, a) < 0.1)) return NULL;
    const gr_id b = op == OP_Div ? partner(r, a, 0.5, 2) : partner(r, a, -1, 1);
    if (op == OP_Div && lowest(r, b) < 0.2) return NULL;
    const bool swap = op != OP_Div && op != OP_Pow && rg_chance(r, 50);
    return rg_node(r, op, 2, (gr_id[]){swap ? b : a, swap ? a : b}, 1);
}

static gr_node *prelu(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 2, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    int64_t dims[GR_MAX_RANK];
    const int rank = rg_tensor(r, x)->rank - 1;
    for (int d = 0; d < rank; d++) dims[d] = d == 0 ? rg_tensor(r, x)->dims[1] : 1;
    return rg_node(r, OP_PRelu, 2, (gr_id[]){x, rg_const(r, VKI_F32, rank, dims, 0, 0.5)}, 1);
}

static gr_node *integer_binary(random_graph *r)
{
    static const op_kind ops[] = {OP_Add, OP_Sub,        OP_Mul,       OP_Max,       OP_Min,
                                  OP_Mod, OP_BitwiseAnd, OP_BitwiseOr, OP_BitwiseXor};
    static const op_kind logic[] = {OP_And, OP_Or, OP_Xor};
    const gr_id a = rg_any(r, I32 | I64 | BOOL, 0, GR_MAX_RANK);
    if (a == GR_NONE) return NULL;
    const vki_dtype type = rg_tensor(r, a)->dtype;
    if (type == VKI_BOOL) return rg_node(r, logic[rg_pick(r, 0, 2)], 2, (gr_id[]){a, partner(r, a, 0, 1)}, 1);
    const op_kind op = ops[rg_pick(r, 0, (int)VKB_COUNT(ops) - 1)];
    if (op == OP_Mul && largest(r, a) > 1e4) return NULL;
    int64_t dims[GR_MAX_RANK];
    const int rank = partner_shape(r, rg_tensor(r, a), dims);
    const gr_id b = op == OP_Mod ? rg_operand(r, type, rank, dims, 1, 7) : partner(r, a, -20, 20);
    return rg_node(r, op, 2, (gr_id[]){a, b}, 1);
}

static gr_node *compare(random_graph *r)
{
    static const op_kind ops[] = {OP_Equal, OP_Greater, OP_GreaterOrEqual, OP_Less, OP_LessOrEqual};
    const gr_id a = rg_exact(r, F32 | I32 | I64, 0, GR_MAX_RANK);
    if (a == GR_NONE) return NULL;
    const gr_id b = partner(r, a, -1, 1);
    if (r->error[b] != 0) return NULL;
    return rg_node(r, ops[rg_pick(r, 0, 4)], 2, (gr_id[]){a, b}, 1);
}

static gr_node *where(random_graph *r)
{
    const gr_id a = rg_any(r, F32 | I32, 0, GR_MAX_RANK);
    if (a == GR_NONE) return NULL;
    int64_t dims[GR_MAX_RANK];
    const gr_id made = rg_any(r, BOOL, 0, GR_MAX_RANK);
    gr_id condition = made;
    if (made == GR_NONE || !gr_same_shape(rg_tensor(r, made), rg_tensor(r, a))) {
        const int rank = partner_shape(r, rg_tensor(r, a), dims);
        condition = rg_operand(r, VKI_BOOL, rank, dims, 0, 1);
    }
    return rg_node(r, OP_Where, 3, (gr_id[]){condition, a, partner(r, a, -2, 2)}, 1);
}

/* ---- products ---- */

static gr_node *matmul(random_graph *r)
{
    const gr_id a = rg_any(r, F32, 2, GR_MAX_RANK - 1);
    if (a == GR_NONE) return NULL;
    const gr_tensor *t = rg_tensor(r, a);
    int64_t dims[GR_MAX_RANK];
    int rank = 0;
    const int from = rg_chance(r, 50) ? t->rank - 2 : 0;
    for (int d = from; d < t->rank - 2; d++) dims[rank++] = rg_chance(r, 40) ? 1 : t->dims[d];
    dims[rank++] = t->dims[t->rank - 1];
    if (rank > 1 || rg_chance(r, 90)) dims[rank++] = rg_pick(r, 1, 20); /* or a vector */
    const gr_id b = rg_operand(r, VKI_F32, rank, dims, -0.5, 0.5);
    if (rank < 2 || rg_chance(r, 60)) return rg_node(r, OP_MatMul, 2, (gr_id[]){a, b}, 1);
    return rg_node(r, OP_MatMul, 3, (gr_id[]){a, b, rg_operand(r, VKI_F32, 1, &dims[rank - 1], -1, 1)}, 1);
}

static gr_node *gemm(random_graph *r)
{
    const gr_id a = rg_any(r, F32, 2, 2);
    if (a == GR_NONE) return NULL;
    const bool ta = rg_chance(r, 40), tb = rg_chance(r, 40);
    const int64_t k = rg_tensor(r, a)->dims[ta ? 0 : 1], m = rg_tensor(r, a)->dims[ta ? 1 : 0];
    const int64_t n = rg_pick(r, 1, 20);
    const gr_id b = rg_operand(r, VKI_F32, 2, (int64_t[]){tb ? n : k, tb ? k : n}, -0.5, 0.5);
    gr_id c = GR_NONE;
    if (rg_chance(r, 60))
        c = rg_operand(r, VKI_F32, rg_chance(r, 50) ? 1 : 2, (int64_t[]){rg_chance(r, 50) ? m : 1, n}, -1, 1);
    if (c != GR_NONE && rg_tensor(r, c)->rank == 1) c = rg_operand(r, VKI_F32, 1, &n, -1, 1);
    gr_node *node = rg_node(r, OP_Gemm, 3, (gr_id[]){a, b, c}, 1);
    op_gemm_attrs *attrs = node->attrs;
    attrs->transA = ta;
    attrs->transB = tb;
    attrs->alpha = rg_chance(r, 60) ? 1.0f : 0.75f;
    attrs->beta = rg_chance(r, 60) ? 1.0f : -0.5f;
    return node;
}

/* ---- along axes ---- */

static int64_t some_axis(random_graph *r, const gr_tensor *t)
{
    return rg_pick(r, -t->rank, t->rank - 1);
}

static gr_node *reduce(random_graph *r)
{
    static const op_kind ops[] = {OP_ReduceSum, OP_ReduceMean, OP_ReduceMax,       OP_ReduceMin,
                                  OP_ReduceL1,  OP_ReduceL2,   OP_ReduceSumSquare, OP_ReduceProd};
    const gr_id x = rg_any(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    int64_t axes[GR_MAX_RANK];
    int count = 0;
    for (int d = 0; d < rg_tensor(r, x)->rank; d++)
        if (rg_chance(r, 45)) axes[count++] = rg_chance(r, 50) ? d : d - rg_tensor(r, x)->rank;
    const gr_id in[] = {x, count ? rg_ints(r, count, axes) : GR_NONE};
    gr_node *n = rg_node(r, ops[rg_pick(r, 0, (int)VKB_COUNT(ops) - 1)], 2, in, 1);
    ((op_reduce_attrs *)n->attrs)->keepdims = rg_pick(r, 0, 1);
    return n;
}

static gr_node *arg_reduce(random_graph *r)
{
    const gr_id x = rg_exact(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const int64_t axis = some_axis(r, rg_tensor(r, x));
    gr_node *n = rg_node(r, rg_chance(r, 50) ? OP_ArgMax : OP_ArgMin, 1, &x, 1);
    *(op_arg_attrs *)n->attrs = (op_arg_attrs){axis, rg_pick(r, 0, 1), rg_pick(r, 0, 1)};
    return n;
}

static gr_node *top_k(random_graph *r)
{
    const gr_id x = rg_exact(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const gr_tensor *t = rg_tensor(r, x);
    const int64_t axis = some_axis(r, t), size = t->dims[axis < 0 ? axis + t->rank : axis];
    const int64_t k = rg_pick(r, 1, size);
    gr_node *n = rg_node(r, OP_TopK, 2, (gr_id[]){x, rg_ints(r, 1, &k)}, 2);
    *(op_topk_attrs *)n->attrs = (op_topk_attrs){axis, rg_pick(r, 0, 1), 1};
    return n;
}

static gr_node *cum_sum(random_graph *r)
{
    const gr_id x = rg_any(r, F32 | I32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const int64_t axis = some_axis(r, rg_tensor(r, x));
    gr_node *n = rg_node(r, OP_CumSum, 2, (gr_id[]){x, rg_scalar(r, VKI_I64, (double)axis)}, 1);
    *(op_cumsum_attrs *)n->attrs = (op_cumsum_attrs){rg_pick(r, 0, 1), rg_pick(r, 0, 1)};
    return n;
}

static gr_node *softmax(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const int64_t axis = some_axis(r, rg_tensor(r, x));
    gr_node *n = rg_node(r, rg_chance(r, 70) ? OP_Softmax : OP_LogSoftmax, 1, &x, 1);
    ((op_axis_attrs *)n->attrs)->axis = axis;
    return n;
}

/* Of what matters to it, only the shapes of the other inputs are its own. */
static gr_node *attention(random_graph *r)
{
    const gr_id q = rg_any(r, F32, 4, 4);
    if (q == GR_NONE || largest(r, q) > 8) return NULL;
    int64_t k[4], v[4];
    memcpy(k, rg_tensor(r, q)->dims, sizeof k);
    k[2] = rg_pick(r, 1, 40);
    memcpy(v, k, sizeof v);
    v[3] = rg_pick(r, 1, 9);
    const gr_id keys = rg_operand(r, VKI_F32, 4, k, -1, 1), values = rg_operand(r, VKI_F32, 4, v, -1, 1);
    gr_node *n = rg_node(r, OP_Attention, 3, (gr_id[]){q, keys, values}, 1);
    op_attention_attrs *a = n->attrs;
    a->is_causal = rg_pick(r, 0, 1);
    if (rg_chance(r, 30)) a->softcap = 2;
    return n;
}

/* ---- types ---- */

static gr_node *cast(random_graph *r)
{
    static const vki_dtype to[] = {VKI_F32, VKI_I32, VKI_I64, VKI_BOOL, VKI_U8, VKI_I8};
    const gr_id x = rg_exact(r, F32 | I32 | I64 | BOOL | OP_BIT(VKI_U8) | OP_BIT(VKI_I8), 0, GR_MAX_RANK);
    if (x == GR_NONE || largest(r, x) > RG_LARGEST) return NULL;
    const vki_dtype type = to[rg_pick(r, 0, (int)VKB_COUNT(to) - 1)];
    if (type == VKI_U8 && lowest(r, x) < 0) return NULL;
    gr_node *n = rg_node(r, OP_Cast, 1, &x, 1);
    ((op_cast_attrs *)n->attrs)->to = type;
    return n;
}

static gr_node *quantize(random_graph *r)
{
    const gr_id x = rg_exact(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    if (rg_chance(r, 20)) return rg_node(r, OP_DynamicQuantizeLinear, 1, &x, 3);
    const gr_tensor *t = rg_tensor(r, x);
    const int64_t axis = some_axis(r, t), size = t->dims[axis < 0 ? axis + t->rank : axis];
    const int rank = rg_chance(r, 50);
    const bool is_signed = rg_chance(r, 50);
    const gr_id scale = rg_const(r, VKI_F32, rank, &size, 0.01, 0.1);
    const gr_id zero =
        rg_const(r, is_signed ? VKI_I8 : VKI_U8, rank, &size, is_signed ? -9 : 100, is_signed ? 9 : 140);
    gr_node *n = rg_node(r, OP_QuantizeLinear, 3, (gr_id[]){x, scale, zero}, 1);
    ((op_quantize_attrs *)n->attrs)->axis = axis;
    return n;
}

static gr_node *dequantize(random_graph *r)
{
    const gr_id x = rg_any(r, OP_BIT(VKI_U8) | OP_BIT(VKI_I8), 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const gr_id scale = rg_operand(r, VKI_F32, 0, NULL, 0.01, 0.1);
    const gr_id zero = rg_const(r, rg_tensor(r, x)->dtype, 0, NULL, 0, 100);
    return rg_node(r, OP_DequantizeLinear, 3, (gr_id[]){x, scale, zero}, 1);
}

static gr_node *quantized_product(random_graph *r)
{
    const gr_id a = rg_any(r, OP_BIT(VKI_U8) | OP_BIT(VKI_I8), 2, 4);
    if (a == GR_NONE) return NULL;
    const vki_dtype type = rg_tensor(r, a)->dtype;
    const int64_t dims[] = {rg_tensor(r, a)->dims[rg_tensor(r, a)->rank - 1], rg_pick(r, 1, 20)};
    const gr_id a_zero = rg_const(r, type, 0, NULL, 0, 100), b = rg_operand(r, VKI_I8, 2, dims, -127, 127);
    const bool columns = rg_chance(r, 50);
    const gr_id b_zero = rg_const(r, VKI_I8, columns, &dims[1], -5, 5);
    if (rg_chance(r, 50)) return rg_node(r, OP_MatMulInteger, 4, (gr_id[]){a, b, a_zero, b_zero}, 1);
    const gr_id in[] = {a,
                        rg_operand(r, VKI_F32, 0, NULL, 0.01, 0.05),
                        a_zero,
                        b,
                        rg_const(r, VKI_F32, columns, &dims[1], 0.01, 0.05),
                        b_zero,
                        rg_const(r, VKI_F32, 0, NULL, 0.1, 0.9),
                        rg_const(r, VKI_U8, 0, NULL, 100, 140)};
    return rg_node(r, OP_QLinearMatMul, 8, in, 1);
}

const rg_generator rg_math[] = {
    rg_unary,  rg_unary,  rg_unary,  positive_unary, jumping_unary,     integer_unary, clip,
    rg_binary, rg_binary, rg_binary, prelu,          integer_binary,    compare,       where,
    matmul,    gemm,      reduce,    reduce,         arg_reduce,        top_k,         cum_sum,
    softmax,   attention, cast,      quantize,       quantized_product, dequantize,    NULL};
