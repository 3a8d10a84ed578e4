/* SPDX-License-Identifier: Apache-2.0
 * TfIdfVectorizer: its lists, which may be long, become constant inputs. */
#include "graph/import/onnx/onnx_internal.h"

static vki_status list_to_input(onnx_node *n, const char *name, int i)
{
    const int64_t *values;
    int count;
    VKB_TRY(onnx_attr_ints(n, name, &values, &count));
    if (count < 0) return onnx_fail(n, "the attribute '%s' is missing", name);
    gr_id id = onnx_const_ints(n, name, values, count);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, i, id);
    return VKI_OK;
}

vki_status lift_tfidf(onnx_node *n)
{
    const float *weights;
    int count;
    VKB_TRY(onnx_require_inputs(n, 1));
    if (onnx_has_attr(n, "pool_strings")) return onnx_refuse(n, "of strings");
    VKB_TRY(list_to_input(n, "pool_int64s", 1));
    VKB_TRY(list_to_input(n, "ngram_counts", 2));
    VKB_TRY(list_to_input(n, "ngram_indexes", 3));
    VKB_TRY(onnx_attr_floats(n, "weights", &weights, &count));
    if (count < 0) return VKI_OK;
    gr_id id = onnx_const_floats(n, "weights", 1, weights, count);
    if (id == GR_NONE) return onnx_nomem(n->c);
    onnx_set_input(n, 4, id);
    return VKI_OK;
}
