/* SPDX-License-Identifier: Apache-2.0
 * TfIdfVectorizer of numbers. The pool, its levels, the places of its n-grams in the output and their weights
 * are constant inputs 1 to 4: ONNX has them as attributes of any length. */
#include "graph/ops/schema.h"

static vki_status list_of(op_infer *c, int i, vki_dtype dtype, const gr_tensor **t)
{
    *t = op_in(c, i);
    if (!gr_is_const(c->g, c->n->in[i]) || (*t)->rank != 1 || (*t)->dtype != dtype)
        return op_fail(c, VKI_E_SHAPE, "input %d must be a constant list of %s", i, vki_dtype_name(dtype));
    return VKI_OK;
}

/* n-grams in the pool; -1 if a level does not hold whole ones, or levels overlap. */
static int64_t count_grams(const gr_tensor *pool, const gr_tensor *levels)
{
    const int64_t *start = levels->data;
    int64_t grams = 0;
    for (int64_t n = 1; n <= levels->dims[0]; n++) {
        int64_t end = n < levels->dims[0] ? start[n] : pool->dims[0];
        if (start[n - 1] < 0 || end < start[n - 1] || end > pool->dims[0] || (end - start[n - 1]) % n != 0)
            return -1;
        grams += (end - start[n - 1]) / n;
    }
    return grams;
}

static vki_status infer(op_infer *c)
{
    const gr_tensor *x = op_in(c, 0), *pool, *levels, *places, *weights = op_in(c, 4);
    const op_tfidf_attrs *a = c->n->attrs;
    VKB_TRY(op_want_type(c, 0, OP_BIT(VKI_I32) | OP_BIT(VKI_I64)));
    VKB_TRY(list_of(c, 1, VKI_I64, &pool));
    VKB_TRY(list_of(c, 2, VKI_I64, &levels));
    VKB_TRY(list_of(c, 3, VKI_I64, &places));
    if (weights) VKB_TRY(list_of(c, 4, VKI_F32, &weights));
    if (x->rank != 1 && x->rank != 2) return op_fail(c, VKI_E_SHAPE, "the input must have 1 or 2 dimensions");
    if (a->min_gram_length > a->max_gram_length || a->max_gram_length > levels->dims[0])
        return op_fail(c, VKI_E_SHAPE, "n-grams of %lld to %lld, but the pool has %lld levels",
                       (long long)a->min_gram_length, (long long)a->max_gram_length,
                       (long long)levels->dims[0]);
    int64_t grams = count_grams(pool, levels), largest = -1;
    if (grams < 0 || places->dims[0] != grams || (weights && weights->dims[0] != grams))
        return op_fail(c, VKI_E_SHAPE, "the pool's levels, places and weights do not fit each other");
    for (int64_t i = 0; i < grams; i++) {
        int64_t place = ((const int64_t *)places->data)[i];
        if (place < 0 || place > INT32_MAX) return op_fail(c, VKI_E_SHAPE, "place %lld", (long long)place);
        largest = place > largest ? place : largest;
    }
    int64_t dims[2] = {x->dims[0], largest + 1};
    return op_out(c, 0, VKI_F32, x->rank, dims + (x->rank == 1));
}

static const op_attr attrs[] = {OP_ROW_INT(op_tfidf_attrs, max_gram_length, 1, 1, 1024),
                                OP_ROW_INT(op_tfidf_attrs, min_gram_length, 1, 1, 1024),
                                OP_ROW_INT(op_tfidf_attrs, max_skip_count, 0, 0, OP_INT_MAX),
                                OP_ROW_ENUM(op_tfidf_attrs, mode, OP_TFIDF_TF, "TF,IDF,TFIDF")};

const op_info op_info_TfIdfVectorizer = {
    .name = "TfIdfVectorizer",
    .doc = "How often each n-gram of a constant pool of numbers occurs in a row, with up to max_skip_count "
           "elements between its parts",
    OP_ATTR_TABLE(attrs),
    .attrs_size = sizeof(op_tfidf_attrs),
    .min_in = 4,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
};
