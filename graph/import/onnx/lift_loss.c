/* SPDX-License-Identifier: Apache-2.0
 * NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss as other operators: the scores at the labels are
 * gathered, weighted by the labels' classes and reduced. No shape need be known. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

typedef enum reduction { REDUCE_NONE, REDUCE_SUM, REDUCE_MEAN } reduction;

typedef struct loss {
    gr_id scores, labels, weights; /* [N,C,...]: logarithms of probabilities; [N,...]; [C] or GR_NONE */
    bool ignores;
    int64_t ignored; /* label whose elements do not count */
    reduction reduce;
} loss;

static gr_id scalar_i64(onnx_node *n, int64_t value)
{
    return gr_add_const(n->c->g, NULL, VKI_I64, 0, NULL, &value, true);
}

/* A scalar of the type of the scores. */
static gr_id scalar_like(onnx_node *n, gr_id like, float value)
{
    double wide = (double)value;
    if (n->c->g->tensors[like].dtype == VKI_F64)
        return gr_add_const(n->c->g, NULL, VKI_F64, 0, NULL, &wide, true);
    return gr_add_const(n->c->g, NULL, VKI_F32, 0, NULL, &value, true);
}

/* OP_NONE is left in n->op if the node was refused. */
static vki_status read_loss(onnx_node *n, loss *l)
{
    char text[16] = "mean";
    VKB_TRY(onnx_require_inputs(n, 2));
    l->scores = n->in[0];
    l->labels = n->in[1];
    l->weights = n->n_in > 2 ? n->in[2] : GR_NONE;
    l->ignores = onnx_has_attr(n, "ignore_index");
    VKB_TRY(onnx_attr_int(n, "ignore_index", &l->ignored));
    VKB_TRY(onnx_attr_text(n, "reduction", text, sizeof text));
    if (strcmp(text, "none") == 0)
        l->reduce = REDUCE_NONE;
    else if (strcmp(text, "sum") == 0)
        l->reduce = REDUCE_SUM;
    else if (strcmp(text, "mean") == 0)
        l->reduce = REDUCE_MEAN;
    else
        return onnx_fail(n, "reduction = '%s' is not possible", text);
    return VKI_OK;
}

static gr_id where(onnx_node *n, const char *suffix, gr_id condition, gr_id yes, gr_id no)
{
    return onnx_helper(n, OP_Where, suffix, 3, (gr_id[]){condition, yes, no}, NULL);
}

/* -scores at the labels, [N,...]. */
static gr_id gather_scores(onnx_node *n, const loss *l, gr_id labels)
{
    gr_id axis = onnx_const_ints(n, "axis", (int64_t[]){1}, 1);
    gr_id at[2] = {l->scores, onnx_binary(n, OP_Unsqueeze, "columns", labels, axis)};
    gr_id picked = onnx_helper(n, OP_GatherElements, "picked", 2, at, (onnx_set[]){{"axis", 1}, {NULL, 0}});
    return onnx_unary(n, OP_Neg, "negative", onnx_binary(n, OP_Squeeze, "rows", picked, axis));
}

static gr_id sum_all(onnx_node *n, op_kind op, const char *suffix, gr_id x)
{
    return onnx_helper(n, op, suffix, 1, &x, (onnx_set[]){{"keepdims", 0}, {NULL, 0}});
}

static vki_status emit_loss(onnx_node *n, const loss *l)
{
    gr_id wide = onnx_helper(n, OP_Cast, "labels", 1, &l->labels, (onnx_set[]){{"to", VKI_I64}, {NULL, 0}});
    gr_id zero = scalar_like(n, l->scores, 0), one = scalar_like(n, l->scores, 1), ignored = GR_NONE;
    gr_id labels = wide, weight = GR_NONE;
    if (l->ignores) {
        ignored = onnx_binary(n, OP_Equal, "ignored", wide, scalar_i64(n, l->ignored));
        labels = where(n, "valid", ignored, scalar_i64(n, 0), wide); /* it may be no class */
    }
    gr_id each = gather_scores(n, l, labels);
    if (l->weights != GR_NONE) weight = onnx_binary(n, OP_Gather, "weight", l->weights, labels);
    if (l->ignores) {
        each = where(n, "counted", ignored, zero, each); /* not a product: a score may be infinite */
        weight = where(n, "counts", ignored, zero, l->weights != GR_NONE ? weight : one);
    }
    if (l->weights != GR_NONE) each = onnx_binary(n, OP_Mul, "weighted", each, weight);
    if (l->reduce == REDUCE_NONE) return onnx_finish(n, OP_Identity, 1, &each);
    if (l->reduce == REDUCE_MEAN && !l->ignores && l->weights == GR_NONE) {
        gr_id mean = sum_all(n, OP_ReduceMean, "mean", each);
        return onnx_finish(n, OP_Identity, 1, &mean);
    }
    gr_id sum = sum_all(n, OP_ReduceSum, "sum", each);
    if (l->reduce == REDUCE_SUM) return onnx_finish(n, OP_Identity, 1, &sum);
    return onnx_finish(n, OP_Div, 2, (gr_id[]){sum, sum_all(n, OP_ReduceSum, "count", weight)});
}

vki_status lift_nll_loss(onnx_node *n)
{
    loss l = {.reduce = REDUCE_MEAN};
    VKB_TRY(read_loss(n, &l));
    return emit_loss(n, &l);
}

/* Output 1, which may be absent: the logarithms of the probabilities. */
vki_status lift_softmax_loss(onnx_node *n)
{
    loss l = {.reduce = REDUCE_MEAN};
    VKB_TRY(read_loss(n, &l));
    l.scores = onnx_helper(n, OP_LogSoftmax, "log", 1, &n->in[0], (onnx_set[]){{"axis", 1}, {NULL, 0}});
    if (l.scores == GR_NONE) return onnx_nomem(n->c);
    VKB_TRY(onnx_output(n, 1, OP_Identity, 1, &l.scores, NULL));
    return emit_loss(n, &l);
}
