/* SPDX-License-Identifier: Apache-2.0
 * All in units of u = 2^-24, the rounding error of one fp32 operation.
 *
 * A sum of K terms: each addition rounds a partial sum, which is at most S = sum |terms|; the roundings are
 * independent, so the error is about u sqrt(K) S (worst case u K S; N. Higham, Accuracy and Stability of
 * Numerical Algorithms, chapter 3). S comes from the reference itself, run on absolute values; its largest
 * element counts for all, since Winograd kernels spread errors over a tile. 16 more cover the epilogue and
 * the transforms.
 *
 * Functions: Vulkan's limits (appendix "Precision and Operation of SPIR-V Instructions"): exp (3 + 2|x|) ulp,
 * log 3 ulp and 2^-21, division 2.5 ulp, pow as exp2(y log2(x)); one ulp is up to 2u. */
#include "common/tolerance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/ref.h"
#include "graph/ops/window.h"

#define UNIT      0x1p-24
#define HALF_UNIT 0x1p-11

typedef struct range {
    double low, high, abs; /* abs: the largest magnitude */
} range;

static range range_of(const case_graph *c, int i)
{
    range r = {INFINITY, -INFINITY, 0};
    if (i >= c->n_in || !c->in[i]) return (range){0, 0, 0};
    const gr_tensor *t = &c->g.tensors[c->g.nodes[0].in[i]];
    for (int64_t k = 0; k < gr_elements(t); k++) {
        double v = cpu_load(c->in[i], t->dtype, k);
        r.low = fmin(r.low, v);
        r.high = fmax(r.high, v);
        r.abs = fmax(r.abs, fabs(v));
    }
    return r.low > r.high ? (range){0, 0, 0} : r;
}

/* What changes an operator's attributes for largest_sum(). */
typedef union plain_attrs {
    op_gemm_attrs gemm;
    op_conv_pool_attrs conv_pool;
} plain_attrs;

static void magnitudes(gr_node *n, plain_attrs *plain)
{
    n->epilogue = (gr_epilogue){.act = GR_ACT_NONE};
    if (n->op == OP_Gemm) {
        op_gemm_attrs *gemm = &plain->gemm;
        *gemm = *(const op_gemm_attrs *)n->attrs;
        gemm->alpha = fabsf(gemm->alpha);
        gemm->beta = fabsf(gemm->beta);
        n->attrs = gemm;
    }
    if (n->op == OP_ConvPool) {
        plain->conv_pool = *(const op_conv_pool_attrs *)n->attrs;
        plain->conv_pool.activation = GR_ACT_NONE;
        n->attrs = plain;
    }
}

/* The largest element of the operator's output for absolute inputs: S above. */
static double largest_sum(const case_graph *c)
{
    const gr_tensor *y = &c->g.tensors[c->g.nodes[0].out[0]];
    gr_node n = c->g.nodes[0];
    plain_attrs plain;
    if (n.epilogue.residual != GR_RESIDUAL_NONE) n.n_in--;
    magnitudes(&n, &plain);
    void *in[CASE_MAX_IN] = {NULL}, *out[CASE_MAX_OUT] = {calloc((size_t)gr_bytes(y) + 1, 1)};
    for (int i = 0; i < n.n_in; i++) {
        if (!c->in[i]) continue;
        const gr_tensor *t = &c->g.tensors[n.in[i]];
        in[i] = malloc((size_t)gr_bytes(t) + 1);
        if (!in[i]) abort();
        memcpy(in[i], c->in[i], (size_t)gr_bytes(t));
        for (int64_t k = 0; cpu_is_float(t->dtype) && k < gr_elements(t); k++)
            cpu_store(in[i], t->dtype, k, fabs(cpu_load(in[i], t->dtype, k)));
    }
    double largest = 0;
    cpu_call call = {.g = &c->g, .n = &n, .in = (const void *const *)in, .out = out};
    cpu_op_of(n.op)->reference(&call);
    for (int64_t i = 0; i < gr_elements(y); i++) largest = fmax(largest, cpu_load(out[0], y->dtype, i));
    for (int i = 0; i < n.n_in; i++) free(in[i]);
    free(out[0]);
    return largest;
}

/* Terms in the sum of one output element. */
static double terms(const case_graph *c)
{
    const gr_node *n = &c->g.nodes[0];
    op_cost cost = {0, 0};
    double out = (double)gr_elements(&c->g.tensors[n->out[0]]);
    if (out <= 0) return 1;
    if (op_get(n->op)->cost) {
        op_get(n->op)->cost(&c->g, n, &cost);
        return fmax(1, (double)cost.macs / out);
    }
    op_window_nd w;
    if (!strcmp(op_family(n->op), "pool") && op_window_resolve(&c->g, n, &w, NULL) == VKI_OK) {
        double k = 1;
        for (int i = 0; i < w.rank; i++) k *= (double)w.kernel[i];
        return k;
    }
    return fmax(1, (double)gr_elements(&c->g.tensors[n->in[0]]) / out); /* reductions */
}

/* `spread` is what rounding stored weights to fp16 would add: half units, as for a Winograd kernel's. */
static tolerance sum_tolerance(const case_graph *c, bool half)
{
    double k = terms(c), s = largest_sum(c), spread = half ? 4 * HALF_UNIT / UNIT / sqrt(k) : 0;
    return (tolerance){(sqrt(k) + 16 + spread) * s, 4};
}

static tolerance unary_tolerance(const case_graph *c)
{
    double x = range_of(c, 0).abs;
    const op_unary_attrs *a = c->g.nodes[0].attrs;
    switch (c->g.nodes[0].op) {
    case OP_LeakyRelu:
        return (tolerance){0, 2};
    case OP_HardSigmoid:
    case OP_HardSwish:
        return (tolerance){8, 8};
    case OP_Sigmoid:
    case OP_Silu:
    case OP_Exp:
        return (tolerance){0, 16 + 4 * x};
    case OP_Tanh:
    case OP_Softplus:
    case OP_Log:
    case OP_Erf:
        return (tolerance){16, 16};
    case OP_Elu:
        return (tolerance){8 * fmax(1, fabs((double)a->alpha)), 16};
    case OP_Sqrt:
    case OP_Reciprocal:
        return (tolerance){0, 8};
    case OP_Gelu:
    case OP_Mish:
    case OP_Softsign:
        return (tolerance){16 * fmax(1, x), 16};
    case OP_Selu:
    case OP_Celu:
        return (tolerance){16 * fmax(1, fabs((double)a->alpha)), 16};
    case OP_Shrink:
        return (tolerance){2 * (x + fabs((double)a->beta)), 2};
    case OP_Asin:
    case OP_Acos:
    case OP_Atan:
    case OP_Asinh:
    case OP_Acosh:
    case OP_Atanh:
        return (tolerance){16, 16};
    case OP_Tan: /* the derivative is 1 + tan^2 */
        return (tolerance){32 + 2 * x, 64 * (1 + x) * (1 + fabs(tan(x)))};
    case OP_Sinh:
    case OP_Cosh:
        return (tolerance){0, 32 + 4 * x};
    case OP_Sin:
    case OP_Cos:
        return (tolerance){16 + x, 0};
    default:
        return (tolerance){0, 0};
    }
}

static tolerance binary_tolerance(const case_graph *c)
{
    range a = range_of(c, 0), b = range_of(c, 1);
    switch (c->g.nodes[0].op) {
    case OP_Add:
    case OP_Sub:
        return (tolerance){2 * (a.abs + b.abs), 2};
    case OP_Mul:
    case OP_PRelu:
        return (tolerance){0, 2};
    case OP_Div:
        return (tolerance){0, 8};
    case OP_Pow: { /* of a negative base the logarithm of its magnitude counts; zero gives zero */
        double smallest = a.low > 0 ? a.low : 1e-3;
        return (tolerance){1e-3,
                           32 + 16 * b.abs * (1 + fmax(fabs(log2(smallest)), fabs(log2(fmax(a.abs, 1)))))};
    }
    default:
        return (tolerance){0, 0};
    }
}

/* The smallest deviation over runs of `size` elements of input 0. */
static double smallest_deviation(const case_graph *c, int64_t size, bool centred, double epsilon)
{
    const gr_tensor *t = &c->g.tensors[c->g.nodes[0].in[0]];
    double least = INFINITY;
    for (int64_t first = 0; size > 0 && first < gr_elements(t); first += size) {
        double mean = 0, variance = 0;
        for (int64_t i = 0; centred && i < size; i++)
            mean += cpu_load(c->in[0], t->dtype, first + i) / (double)size;
        for (int64_t i = 0; i < size; i++) {
            double d = cpu_load(c->in[0], t->dtype, first + i) - mean;
            variance += d * d / (double)size;
        }
        least = fmin(least, variance);
    }
    return sqrt((isinf(least) ? 1 : least) + epsilon);
}

static tolerance norm_tolerance(const case_graph *c, bool half)
{
    const gr_node *n = &c->g.nodes[0];
    const gr_tensor *t = &c->g.tensors[n->in[0]];
    const op_norm_attrs *a = n->attrs;
    double x = range_of(c, 0).abs, scale = range_of(c, 1).abs, bias = range_of(c, 2).abs, k = 1, deviation;
    int64_t axis = n->op == OP_LayerNormalization ? (a->axis < 0 ? a->axis + t->rank : a->axis) : 2;
    for (int64_t d = axis; d < t->rank; d++) k *= (double)t->dims[d];
    if (n->op == OP_BatchNormalization) {
        deviation = sqrt(range_of(c, 4).low + (double)a->epsilon);
        x += range_of(c, 3).abs;
        k = 1;
    } else {
        deviation = smallest_deviation(c, (int64_t)k, n->op != OP_LayerNormalization || a->centred,
                                       (double)a->epsilon);
    }
    double stored = half ? 2 * HALF_UNIT / UNIT : 0; /* the factor and the offset may be kept as fp16 */
    return (tolerance){(sqrt(k) + 16 + stored) * (2 * x * scale / deviation + bias), 8};
}

static tolerance softmax_tolerance(const case_graph *c)
{
    const gr_node *n = &c->g.nodes[0];
    const gr_tensor *t = &c->g.tensors[n->in[0]];
    const op_axis_attrs *a = n->attrs;
    range r = range_of(c, 0);
    double k = sqrt((double)t->dims[a->axis < 0 ? a->axis + t->rank : a->axis]);
    if (n->op == OP_LogSoftmax) return (tolerance){32 + k + 2 * r.abs, 4};
    return (tolerance){0, 32 + k + 4 * (r.high - r.low)};
}

/* A score is off as a sum of products is; the weights by so much and by the exponential's error, which grows
 * with the span of the scores; the output by twice that (numerator and denominator), times the values. With
 * fp16 storage scores and weights may be rounded in between. */
static tolerance attention_tolerance(const case_graph *c, bool half)
{
    op_attention a;
    if (!op_attention_of(&c->g, &c->g.nodes[0], &a)) return (tolerance){0, 0};
    double product = range_of(c, 0).abs * range_of(c, 1).abs * fabs((double)a.scale);
    range mask = range_of(c, 3);
    double span = 2 * product * (double)a.size + (a.masked ? mask.high - mask.low : 0);
    if (a.softcap > 0) span = 2 * (double)a.softcap + (a.masked ? mask.high - mask.low : 0);
    double score = (sqrt((double)a.size) + 16) * product * sqrt((double)a.size) +
                   (a.masked ? 2 * mask.abs : 0) + 16 * (double)a.softcap;
    double stored = half ? (2 * product * sqrt((double)a.size) + mask.abs + 1) * HALF_UNIT / UNIT : 0;
    return (tolerance){(2 * (score + 8 + 4 * span + stored) + sqrt((double)a.keys) + 16) * range_of(c, 2).abs,
                       4};
}

static tolerance reduce_tolerance(const case_graph *c, bool half)
{
    switch (c->g.nodes[0].op) {
    case OP_ReduceMax:
    case OP_ReduceMin:
        return (tolerance){0, 0};
    case OP_ReduceProd:
        return (tolerance){0, 2 * terms(c) + 2};
    case OP_ReduceLogSum: /* of terms that are all positive */
        return (tolerance){16 + sqrt(terms(c)), 16};
    case OP_ReduceL2:
        return (tolerance){0, sqrt(terms(c)) + 8};
    default:
        return sum_tolerance(c, half);
    }
}

/* Interpolation: a coordinate of size n is off by n u, and the output by that times the slope. */
static tolerance slope_tolerance(const case_graph *c)
{
    const gr_tensor *t = &c->g.tensors[c->g.nodes[0].in[0]];
    double size = 1;
    for (int d = 0; d < t->rank; d++) size = fmax(size, (double)t->dims[d]);
    return (tolerance){(16 + 8 * size) * range_of(c, 0).abs, 4};
}

/* A sum of products, each of a sample. */
static tolerance deform_tolerance(const case_graph *c, bool half)
{
    double k = terms(c), mask = c->n_in > 4 && c->in[4] ? range_of(c, 4).abs : 1;
    tolerance t = slope_tolerance(c);
    double spread = half ? 4 * HALF_UNIT / UNIT / sqrt(k) * range_of(c, 0).abs : 0; /* of stored weights */
    t.absolute = sqrt(k) * (t.absolute * 2 + spread) * range_of(c, 1).abs * mask + 4 * range_of(c, 3).abs;
    return t;
}

/* With fp16 storage what lies between the axes may be rounded. */
static tolerance resize_tolerance(const case_graph *c, bool half)
{
    const op_resize_attrs *a = c->g.nodes[0].attrs;
    if (a->mode == OP_RESIZE_NEAREST) return (tolerance){0, 0};
    tolerance t = slope_tolerance(c);
    if (half) t.absolute += 3 * HALF_UNIT / UNIT * range_of(c, 0).abs;
    return t;
}

/* Places are computed alike everywhere, so that only weights and sums are rounded. */
static tolerance grid_tolerance(const case_graph *c)
{
    const op_grid_attrs *a = c->g.nodes[0].attrs;
    if (a->mode == OP_GRID_NEAREST) return (tolerance){0, 0};
    return (tolerance){(a->mode == OP_GRID_CUBIC ? 64 : 32) * range_of(c, 0).abs, 4};
}

/* A gate's sum is off by the rounding of its terms, and with fp16 storage by that of the input's part, which
 * is stored in between. The activations' slopes are at most 1 and the cases' weights small, so that steps
 * damp what came before; a factor covers what adds up. Sums of random terms grow with the root. */
static tolerance recurrent_tolerance(const case_graph *c, bool half)
{
    enum { ADDS_UP = 8 };
    op_recurrent r;
    if (!op_recurrent_of(&c->g, &c->g.nodes[0], &r)) return (tolerance){0, 0};
    double input = sqrt((double)r.input) * range_of(c, 0).abs * range_of(c, 1).abs + 2 * range_of(c, 3).abs;
    double sum = input + sqrt((double)r.hidden) * range_of(c, 2).abs, stored = half ? HALF_UNIT / UNIT : 0;
    return (tolerance){
        ADDS_UP * sum * (sqrt((double)(r.input + r.hidden)) + 16) + ADDS_UP / 2 * input * stored, 8};
}

/* An element is a sum of up to a line of terms, and no sum of magnitudes is larger than its last. */
static tolerance cumsum_tolerance(const case_graph *c)
{
    double k = (double)gr_elements(&c->g.tensors[c->g.nodes[0].in[0]]);
    return (tolerance){(sqrt(k) + 16) * largest_sum(c), 4};
}

/* A sum of positive terms, whose root halves its relative error at least. */
static tolerance powers_tolerance(const case_graph *c)
{
    const op_pool_attrs *a = c->g.nodes[0].attrs;
    return (tolerance){0, sqrt(terms(c)) + 2 * (double)a->p + 32};
}

static tolerance lrn_tolerance(const case_graph *c)
{
    const op_lrn_attrs *a = c->g.nodes[0].attrs;
    return (tolerance){0, (16 + 4 * sqrt((double)a->size)) * (1 + fabs((double)a->beta))};
}

/* Elimination gives the determinant of a matrix whose elements are off by about sqrt(n) u each (N. Higham,
 * chapter 9); n of n^2 independent ones count, each times a minor, which for random elements of a root mean
 * square r is about r^(n-1) sqrt((n-1)!). */
static tolerance det_tolerance(const case_graph *c)
{
    const gr_tensor *x = &c->g.tensors[c->g.nodes[0].in[0]];
    double n = (double)x->dims[x->rank - 1], count = (double)gr_elements(x), squares = 0;
    for (int64_t i = 0; i < gr_elements(x); i++) squares += pow(cpu_load(c->in[0], x->dtype, i), 2);
    if (count == 0) return (tolerance){0, 0};
    return (tolerance){4 * n * sqrt(n) * pow(sqrt(squares / count), n) * sqrt(tgamma(n)), 8};
}

static tolerance operator_tolerance(const case_graph *c, bool half)
{
    op_kind op = c->g.nodes[0].op;
    const char *family = op_family(op);
    if (op == OP_MaxPool || op == OP_GlobalMaxPool) return (tolerance){0, 0};
    if (op == OP_LpPool || op == OP_GlobalLpPool) return powers_tolerance(c);
    if (op == OP_LRN) return lrn_tolerance(c);
    if (op == OP_ConvPool) { /* activations' slopes are at most 1.5 */
        tolerance t = sum_tolerance(c, half);
        return (tolerance){1.5 * t.absolute + 16, t.relative + 32};
    }
    if (!strcmp(family, "unary")) return unary_tolerance(c);
    if (!strcmp(family, "binary")) return binary_tolerance(c);
    if (!strcmp(family, "norm")) return norm_tolerance(c, half);
    if (!strcmp(family, "softmax")) return softmax_tolerance(c);
    if (!strcmp(family, "attention")) return attention_tolerance(c, half);
    if (!strcmp(family, "reduce")) return reduce_tolerance(c, half);
    if (!strcmp(family, "recurrent")) return recurrent_tolerance(c, half);
    if (!strcmp(family, "cumsum")) return cumsum_tolerance(c);
    if (!strcmp(family, "resize")) return resize_tolerance(c, half);
    if (!strcmp(family, "det")) return det_tolerance(c);
    if (!strcmp(family, "grid_sample")) return grid_tolerance(c);
    if (op == OP_RoiAlign) return slope_tolerance(c);
    if (op == OP_DeformConv) return deform_tolerance(c, half);
    if (!strcmp(family, "pool") || op_get(op)->cost) return sum_tolerance(c, half);
    return (tolerance){0, 0}; /* moves elements */
}

tolerance tolerance_of(const case_graph *c, bool half)
{
    const gr_node *n = &c->g.nodes[0];
    tolerance t = operator_tolerance(c, half);
    if (n->epilogue.act != GR_ACT_NONE) { /* slopes: HardSwish's is at most 1.5 */
        double slope = n->epilogue.act == GR_ACT_CLIP ? 1 : fmax(1.5, fabs((double)n->epilogue.alpha));
        bool plain = n->epilogue.act == GR_ACT_RELU || n->epilogue.act == GR_ACT_CLIP;
        t.absolute = t.absolute * slope + (plain ? 0 : 16);
        t.relative = t.relative * slope + (plain ? 0 : 32);
    }
    if (n->epilogue.residual != GR_RESIDUAL_NONE) t.absolute += 4 * range_of(c, n->n_in - 1).abs;
    t.absolute = t.absolute * UNIT + 0x1p-118; /* denormals may be flushed on the way */
    t.relative *= UNIT;
    if (half) {
        t.absolute += 0x1p-24;
        t.relative += HALF_UNIT;
    }
    return t;
}

int64_t tolerance_check(const case_graph *c, int k, const void *expected, const void *got, tolerance t)
{
    const gr_tensor *y = &c->g.tensors[c->g.nodes[0].out[k]];
    for (int64_t i = 0; i < gr_elements(y); i++) {
        if (!cpu_is_float(y->dtype)) {
            if (cpu_load_i64(expected, y->dtype, i) != cpu_load_i64(got, y->dtype, i)) return i;
            continue;
        }
        double e = cpu_load(expected, y->dtype, i), v = cpu_load(got, y->dtype, i);
        if (isnan(e) ? isnan(v) : e == v) continue;
        if (!(fabs(v - e) <= t.absolute + t.relative * fabs(e))) return i;
    }
    return -1;
}
