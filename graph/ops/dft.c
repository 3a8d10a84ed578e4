/* SPDX-License-Identifier: Apache-2.0
 * DFT and STFT. Complex numbers are a last dimension of two. */
#include "graph/ops/dft.h"

#include "graph/ops/schema.h"

#define LENGTH_LIMIT (INT64_C(1) << 30) /* a longer transform cannot be meant */

enum { STFT_STEP = 1, STFT_WINDOW = 2, STFT_LENGTH = 3, DFT_LENGTH = 1, DFT_AXIS = 2 };

/* Input i as one integer; `absent` if it is not there. */
static bool integer(const gr_graph *g, const gr_node *n, int i, int64_t absent, int64_t *value)
{
    int count;
    *value = absent;
    return !op_has_in(n, i) || (gr_const_i64(g, n->in[i], value, 1, &count) && count == 1);
}

static bool dft_of(const gr_graph *g, const gr_node *n, op_dft *d, const char **why)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    const op_dft_attrs *a = n->attrs;
    int64_t axis, inner = 1, outer = 1;
    *why = "the last dimension must hold one or two parts of a number, and one more dimension is needed";
    if (x->rank < 2 || x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > 2) return false;
    *why = "the axis must be one constant";
    if (!integer(g, n, DFT_AXIS, -2, &axis)) return false;
    if (axis < 0) axis += x->rank;
    *why = "the axis must be a dimension of the signal";
    if (axis < 0 || axis >= x->rank - 1) return false;
    for (int i = 0; i < x->rank - 1; i++) *(i < axis ? &outer : &inner) *= i == axis ? 1 : x->dims[i];
    int64_t size = x->dims[axis], parts = x->dims[x->rank - 1], half;
    d->inverse = a->inverse != 0;
    d->symmetric = a->inverse && a->onesided;
    *why = "a one-sided inverse transform needs complex input, a one-sided transform real input";
    if (a->onesided && parts != (a->inverse ? 2 : 1)) return false;
    *why = "the transform's length must be one positive constant";
    if (!integer(g, n, DFT_LENGTH, d->symmetric ? 2 * (size - 1) : size, &d->length)) return false;
    if (d->length < 1 || d->length > LENGTH_LIMIT) return false;
    half = d->length / 2 + 1;
    int64_t bins = a->onesided && !a->inverse ? half : d->length;
    d->lines = outer * inner;
    d->per = inner;
    d->x = (op_dft_side){size * inner, 1, inner, vkb_min(size, d->symmetric ? half : d->length), parts};
    d->y = (op_dft_side){bins * inner, 1, inner, bins, d->symmetric ? 1 : 2};
    return true;
}

static bool stft_of(const gr_graph *g, const gr_node *n, op_dft *d, const char **why)
{
    const gr_tensor *x = &g->tensors[n->in[0]];
    const gr_tensor *window = op_has_in(n, STFT_WINDOW) ? &g->tensors[n->in[STFT_WINDOW]] : NULL;
    bool onesided = ((const op_dft_attrs *)n->attrs)->onesided != 0;
    int64_t step, parts = x->rank == 3 ? x->dims[2] : 1;
    *why = "the signal must be [batch, samples, 1 or 2], or [batch, samples]";
    if (x->rank < 2 || x->rank > 3 || parts < 1 || parts > 2) return false;
    *why = "the window must have one dimension and as many elements as a frame";
    if (window && window->rank != 1) return false;
    if (!integer(g, n, STFT_LENGTH, window ? window->dims[0] : x->dims[1], &d->length)) return false;
    if (window && window->dims[0] != d->length) return false;
    *why = "a frame must have at least one sample and not more than the signal";
    if (d->length < 1 || d->length > LENGTH_LIMIT || d->length > x->dims[1]) return false;
    *why = "the step from frame to frame must be one positive constant";
    if (!integer(g, n, STFT_STEP, 0, &step) || step < 1 || step > LENGTH_LIMIT) return false;
    *why = "a one-sided spectrum needs a real signal";
    if (onesided && parts != 1) return false;
    int64_t frames = (x->dims[1] - d->length) / step + 1, bins = onesided ? d->length / 2 + 1 : d->length;
    d->inverse = d->symmetric = false;
    d->window = window != NULL;
    d->lines = x->dims[0] * frames;
    d->per = frames;
    d->x = (op_dft_side){x->dims[1], step, 1, d->length, parts};
    d->y = (op_dft_side){frames * bins, bins, 1, bins, 2};
    return true;
}

bool op_dft_of(const gr_graph *g, const gr_node *n, op_dft *d, const char **why)
{
    *d = (op_dft){0};
    return n->op == OP_DFT ? dft_of(g, n, d, why) : stft_of(g, n, d, why);
}

/* OP_LATER unless the parameters (all inputs of one integer) are known. */
static vki_status want_parameters(op_infer *c)
{
    for (int i = 1; i < c->n->n_in; i++) {
        int64_t value;
        int count;
        if (!op_has_in(c->n, i) || (c->n->op == OP_STFT && i == STFT_WINDOW)) continue;
        VKB_TRY(op_const_ints(c, i, &value, 1, &count));
        if (count != 1) return op_fail(c, VKI_E_SHAPE, "input %d must be one integer", i);
    }
    return VKI_OK;
}

static vki_status infer(op_infer *c)
{
    gr_tensor y = *op_in(c, 0);
    const char *why;
    int64_t axis;
    op_dft d;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    if (c->n->op == OP_STFT) VKB_TRY(op_want_same_type(c, STFT_WINDOW));
    VKB_TRY(want_parameters(c));
    if (!op_dft_of(c->g, c->n, &d, &why)) return op_fail(c, VKI_E_SHAPE, "%s", why);
    if (c->n->op == OP_STFT) {
        int64_t dims[4] = {y.dims[0], d.per, d.y.count, 2};
        return op_out(c, 0, y.dtype, 4, dims);
    }
    integer(c->g, c->n, DFT_AXIS, -2, &axis);
    y.dims[axis < 0 ? axis + y.rank : axis] = d.y.count;
    y.dims[y.rank - 1] = d.y.parts;
    return op_out_like(c, 0, &y);
}

/* As if computed by its definition: what tolerances are made of. */
static void cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_dft d;
    const char *why;
    if (!op_dft_of(g, n, &d, &why)) return;
    cost->macs += (uint64_t)d.lines * (uint64_t)(d.x.count * d.x.parts) * (uint64_t)(d.y.count * d.y.parts);
}

static const op_attr dft_attrs[] = {OP_ROW_INT(op_dft_attrs, inverse, 0, 0, 1),
                                    OP_ROW_INT(op_dft_attrs, onesided, 0, 0, 1)};
static const op_attr stft_attrs[] = {OP_ROW_INT(op_dft_attrs, onesided, 1, 0, 1)};

const op_info op_info_DFT = {
    .name = "DFT",
    .doc = "Discrete Fourier transform along one axis; inverse; of one side of the spectrum",
    OP_ATTR_TABLE(dft_attrs),
    .attrs_size = sizeof(op_dft_attrs),
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
const op_info op_info_STFT = {
    .name = "STFT",
    .doc = "Discrete Fourier transforms of frames that overlap, each multiplied with a window",
    OP_ATTR_TABLE(stft_attrs),
    .attrs_size = sizeof(op_dft_attrs),
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
