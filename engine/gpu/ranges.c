/* SPDX-License-Identifier: Apache-2.0
 * Interval arithmetic over the integer tensors of a graph: which int64 and uint64 results are known to fit
 * into the device's 32-bit words, whatever the inputs are. Types of up to 32 bits wrap on the device as
 * everywhere, so only their range is kept.
 *
 * Every tensor has two ranges. `real` is what the network can make of it. `device` is what it can be if it is
 * on the device: uploads refuse what does not fit, and a kernel that runs there got its inputs so. */
#include "gpu/gpu.h"

#include <string.h>

static const gpu_range unknown = {INT64_MIN, INT64_MAX};

static gpu_range range_of_type(vki_dtype dtype)
{
    switch (dtype) {
    case VKI_BOOL:
        return (gpu_range){0, 1};
    case VKI_U8:
        return (gpu_range){0, UINT8_MAX};
    case VKI_I8:
        return (gpu_range){INT8_MIN, INT8_MAX};
    case VKI_U16:
        return (gpu_range){0, UINT16_MAX};
    case VKI_I16:
        return (gpu_range){INT16_MIN, INT16_MAX};
    case VKI_I32:
        return (gpu_range){INT32_MIN, INT32_MAX};
    case VKI_U32:
        return (gpu_range){0, UINT32_MAX};
    default:
        return unknown;
    }
}

static bool is_wide(vki_dtype dtype)
{
    return dtype == VKI_I64 || dtype == VKI_U64;
}

/* What uploads let through; the lowest int32 is left out, so that negation and absolute value stay within. */
static gpu_range range_of_uploads(vki_dtype dtype)
{
    if (!is_wide(dtype)) return range_of_type(dtype);
    return (gpu_range){dtype == VKI_U64 ? 0 : -INT32_MAX, INT32_MAX};
}

static bool within(gpu_range inner, gpu_range outer)
{
    return inner.low >= outer.low && inner.high <= outer.high;
}

static bool fits_words(gpu_range r, vki_dtype dtype)
{
    return !is_wide(dtype) || within(r, (gpu_range){dtype == VKI_U64 ? 0 : INT32_MIN, INT32_MAX});
}

static gpu_range hull(gpu_range a, gpu_range b)
{
    return (gpu_range){vkb_min(a.low, b.low), vkb_max(a.high, b.high)};
}

static gpu_range overlap(gpu_range a, gpu_range b)
{
    gpu_range r = {vkb_max(a.low, b.low), vkb_min(a.high, b.high)};
    return r.low <= r.high ? r : b;
}

/* ---- arithmetic; what leaves 62 bits is unknown ---- */

static bool small(gpu_range r)
{
    const int64_t most = INT64_C(1) << 31;
    return r.low >= -most && r.high <= 2 * most;
}

static gpu_range hull_of(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return hull(hull((gpu_range){a, a}, (gpu_range){b, b}), hull((gpu_range){c, c}, (gpu_range){d, d}));
}

static gpu_range multiply(gpu_range a, gpu_range b)
{
    if (!small(a) || !small(b) || (a.high > INT32_MAX && b.high > INT32_MAX)) return unknown;
    return hull_of(a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high);
}

/* Of up to n terms, the empty sum and every part of it among them. */
static gpu_range sum_of(gpu_range a, int64_t n)
{
    if (n < 0 || n > INT32_MAX || !small(a)) return unknown;
    return (gpu_range){vkb_min(a.low, 0) * n, vkb_max(a.high, 0) * n};
}

static gpu_range magnitude(gpu_range a)
{
    if (a.low == INT64_MIN) return unknown;
    int64_t most = vkb_max(-a.low, a.high);
    return (gpu_range){a.low > 0 ? a.low : a.high < 0 ? -a.high : 0, most};
}

static gpu_range symmetric(gpu_range a)
{
    int64_t most = magnitude(a).high;
    return a.low == INT64_MIN ? unknown : (gpu_range){-most, most};
}

/* ---- operators ---- */

typedef struct reading { /* how result_of() sees the graph */
    const gpu_builder *b;
    const gr_node *n;
    bool device;
} reading;

static gpu_range in(const reading *r, int i)
{
    if (i >= r->n->n_in || r->n->in[i] == GR_NONE) return (gpu_range){0, 0};
    const gpu_ranges *t = &r->b->ranges[r->n->in[i]];
    return gpu_is_integer(r->b->g->tensors[r->n->in[i]].dtype) ? (r->device ? t->device : t->real) : unknown;
}

static gpu_range hull_of_inputs(const reading *r, int first, int end)
{
    gpu_range all = in(r, first);
    for (int i = first + 1; i < end; i++) all = hull(all, in(r, i));
    return all;
}

static int64_t dim_of(const reading *r, int64_t axis)
{
    const gr_tensor *x = &r->b->g->tensors[r->n->in[0]];
    if (axis < 0) axis += x->rank;
    return axis >= 0 && axis < x->rank ? x->dims[axis] : 1;
}

static gpu_range index_below(int64_t dim)
{
    return (gpu_range){0, vkb_max(dim - 1, 0)};
}

static gpu_range unary(const reading *r)
{
    gpu_range x = in(r, 0);
    switch (r->n->op) {
    case OP_Relu:
        return (gpu_range){vkb_max(x.low, 0), vkb_max(x.high, 0)};
    case OP_Abs:
        return magnitude(x);
    case OP_Neg:
        return x.low == INT64_MIN ? unknown : (gpu_range){-x.high, -x.low};
    case OP_BitwiseNot:
        return (gpu_range){-1 - x.high, -1 - x.low};
    case OP_Sign:
        return (gpu_range){-1, 1};
    case OP_Clip:
        return hull_of_inputs(r, 0, r->n->n_in);
    default:
        return unknown;
    }
}

/* Two's complement: the bits in front of both operands are copies of their signs. */
static gpu_range bits(gpu_range a, gpu_range b)
{
    gpu_range all = hull(a, b);
    for (int width = 0; width < 62; width++) {
        int64_t most = (INT64_C(1) << width) - 1;
        if (all.low >= -most - 1 && all.high <= most) return (gpu_range){all.low < 0 ? -most - 1 : 0, most};
    }
    return unknown;
}

static gpu_range shift(const reading *r, gpu_range a, gpu_range by)
{
    bool right = ((const op_binary_attrs *)r->n->attrs)->direction == OP_SHIFT_RIGHT;
    if (a.low < 0) return unknown;
    if (right) return (gpu_range){0, a.high};
    if (by.low < 0 || by.high > 31 || !small(a)) return unknown;
    return (gpu_range){0, a.high * (INT64_C(1) << by.high)};
}

static gpu_range binary(const reading *r)
{
    gpu_range a = in(r, 0), b = in(r, 1);
    switch (r->n->op) {
    case OP_Add:
        return small(a) && small(b) ? (gpu_range){a.low + b.low, a.high + b.high} : unknown;
    case OP_Sub:
        if (r->n->in[0] == r->n->in[1]) return (gpu_range){0, 0};
        return small(a) && small(b) ? (gpu_range){a.low - b.high, a.high - b.low} : unknown;
    case OP_Mul:
        return multiply(a, b);
    case OP_Div:
        return a.low >= 0 && b.low >= 0 ? (gpu_range){0, a.high} : symmetric(a);
    case OP_Mod: /* no larger than either, with the sign of one of them */
        if (a.low >= 0 && b.low >= 0) return (gpu_range){0, vkb_min(a.high, b.high)};
        return magnitude(b).low >= 0 && b.low > INT64_MIN ? symmetric(b) : unknown;
    case OP_PRelu:
        return hull(a, multiply(a, b));
    case OP_BitShift:
        return shift(r, a, b);
    case OP_BitwiseAnd:
    case OP_BitwiseOr:
    case OP_BitwiseXor:
        return bits(a, b);
    default:
        return unknown;
    }
}

static gpu_range extremes(const reading *r)
{
    gpu_range all = in(r, 0);
    for (int i = 1; i < r->n->n_in; i++) {
        gpu_range x = in(r, i);
        all = r->n->op == OP_Max ? (gpu_range){vkb_max(all.low, x.low), vkb_max(all.high, x.high)}
                                 : (gpu_range){vkb_min(all.low, x.low), vkb_min(all.high, x.high)};
    }
    return all;
}

static gpu_range reduction(const reading *r)
{
    const gr_tensor *from = &r->b->g->tensors[r->n->in[0]], *to = &r->b->g->tensors[r->n->out[0]];
    int64_t inputs = gr_elements(from), outputs = gr_elements(to);
    if (inputs <= 0 || outputs <= 0) return unknown;
    gpu_range x = in(r, 0);
    int64_t n = inputs / outputs;
    switch (r->n->op) {
    case OP_ReduceMax:
    case OP_ReduceMin:
    case OP_ReduceMean:
        return x;
    case OP_ReduceSum:
        return sum_of(x, n);
    case OP_ReduceL1:
    case OP_ReduceL2:
        return sum_of(magnitude(x), n);
    case OP_ReduceSumSquare:
        return sum_of(multiply(x, x), n);
    default:
        return unknown;
    }
}

static gpu_range product(const reading *r)
{
    op_matmul_dims d;
    if (!op_matmul_of(r->b->g, r->n, &d)) return unknown;
    return sum_of(multiply(in(r, 0), in(r, 1)), d.k);
}

static gpu_range scatter(const reading *r)
{
    int64_t how = ((const op_scatter_attrs *)r->n->attrs)->reduction;
    if (how == OP_SCATTER_ADD || how == OP_SCATTER_MUL) return unknown;
    return hull(in(r, 0), in(r, 2));
}

static gpu_range picked(const reading *r, int output)
{
    switch (r->n->op) {
    case OP_ArgMax:
    case OP_ArgMin:
        return index_below(dim_of(r, ((const op_arg_attrs *)r->n->attrs)->axis));
    case OP_TopK:
        return output == 0 ? in(r, 0) : index_below(dim_of(r, ((const op_topk_attrs *)r->n->attrs)->axis));
    case OP_OneHot:
        return in(r, 2);
    default: /* MaxPool's positions */
        return output == 1 ? index_below(gr_elements(&r->b->g->tensors[r->n->in[0]])) : in(r, 0);
    }
}

/* Integers that the node's output can be, before they wrap. */
static gpu_range result_of(const reading *r, int output)
{
    switch (r->n->op) {
    case OP_Transpose:
    case OP_Slice:
    case OP_Split:
    case OP_Expand:
    case OP_Tile:
    case OP_Gather:
    case OP_GatherElements:
    case OP_GatherND:
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
    case OP_ReverseSequence:
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Identity:
    case OP_Cast: /* of floats nothing is known */
        return in(r, 0);
    case OP_Concat:
        return hull_of_inputs(r, 0, r->n->n_in);
    case OP_Where:
        return hull(in(r, 1), in(r, 2));
    case OP_Pad:
        return hull(in(r, 0), in(r, 2));
    case OP_Resize: /* of integers: copies, or the value for what lies outside */
        return ((const op_resize_attrs *)r->n->attrs)->coordinate_transformation_mode ==
                       OP_COORD_TF_CROP_AND_RESIZE
                   ? unknown
                   : in(r, 0);
    case OP_Trilu:
        return hull(in(r, 0), (gpu_range){0, 0});
    case OP_EyeLike:
        return (gpu_range){0, 1};
    case OP_Max:
    case OP_Min:
        return extremes(r);
    case OP_MatMul:
        return product(r);
    case OP_CumSum:
        return sum_of(in(r, 0), gr_elements(&r->b->g->tensors[r->n->in[0]]));
    case OP_ScatterElements:
    case OP_ScatterND:
        return scatter(r);
    case OP_ArgMax:
    case OP_ArgMin:
    case OP_TopK:
    case OP_OneHot:
    case OP_MaxPool:
        return picked(r, output);
    default:
        break;
    }
    const char *family = op_family(r->n->op);
    if (!strcmp(family, "reduce")) return reduction(r);
    return !strcmp(family, "unary") ? unary(r) : !strcmp(family, "binary") ? binary(r) : unknown;
}

/* ---- the graph ---- */

static gpu_range range_of_const(const gr_tensor *t)
{
    int64_t n = gr_elements(t);
    if (t->dtype != VKI_I64 && t->dtype != VKI_U64 && t->dtype != VKI_I32) return range_of_type(t->dtype);
    if (n <= 0) return (gpu_range){0, 0};
    int64_t first = gpu_const_i64(t, 0);
    gpu_range r = {first, first};
    for (int64_t i = 1; i < n; i++) {
        int64_t v = gpu_const_i64(t, i);
        r = hull(r, (gpu_range){v, v});
    }
    return t->dtype == VKI_U64 && r.low < 0 ? unknown : r; /* beyond int64 */
}

static void find_results(gpu_builder *b, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] == GR_NONE) continue;
        vki_dtype dtype = b->g->tensors[n->out[i]].dtype;
        if (!gpu_is_integer(dtype)) continue;
        gpu_ranges *y = &b->ranges[n->out[i]];
        gpu_range real = result_of(&(reading){b, n, false}, i), here = result_of(&(reading){b, n, true}, i);
        if (dtype == VKI_U64 && real.low < 0) real = unknown;
        y->real = within(real, range_of_type(dtype)) ? real : range_of_type(dtype);
        if (!is_wide(dtype)) {
            y->device = within(here, range_of_type(dtype)) ? here : range_of_type(dtype);
            continue;
        }
        y->device = overlap(y->real, range_of_uploads(dtype)); /* if the CPU makes it */
        if (fits_words(here, dtype)) y->device = hull(y->device, here);
    }
}

void gpu_ranges_find(gpu_builder *b)
{
    for (gr_id i = 0; i < b->g->n_tensors; i++) {
        const gr_tensor *t = &b->g->tensors[i];
        if (!gpu_is_integer(t->dtype)) continue;
        gpu_range real = t->data ? range_of_const(t) : range_of_type(t->dtype);
        b->ranges[i] = (gpu_ranges){real, t->data ? real : range_of_uploads(t->dtype)};
    }
    for (gr_id i = 0; i < b->g->n_nodes; i++) find_results(b, &b->g->nodes[i]);
}

bool gpu_results_fit(const gpu_builder *b, const gr_node *n, const char **why)
{
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] == GR_NONE) continue;
        vki_dtype dtype = b->g->tensors[n->out[i]].dtype;
        if (!is_wide(dtype) || fits_words(result_of(&(reading){b, n, true}, i), dtype)) continue;
        *why = "its 64-bit integers may leave the 32 bits that the device stores";
        return false;
    }
    return true;
}

bool gpu_sum_fits(const gpu_builder *b, const gr_node *n)
{
    int64_t inputs = gr_elements(&b->g->tensors[n->in[0]]), outputs = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_range x = in(&(reading){b, n, true}, 0);
    return outputs > 0 && within(sum_of(x, inputs / outputs), (gpu_range){INT32_MIN, INT32_MAX});
}

bool gpu_const_fits(const gpu_builder *b, const gr_node *n, int i, const char **why)
{
    if (i >= n->n_in || !gr_is_const(b->g, n->in[i])) return true;
    const gr_tensor *t = &b->g->tensors[n->in[i]];
    if (!gpu_is_integer(t->dtype) || fits_words(b->ranges[n->in[i]].real, t->dtype)) return true;
    *why = "a constant has 64-bit integers that need more than the 32 bits that the device stores";
    return false;
}
