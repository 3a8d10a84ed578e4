/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cpu/cpu.h"

static vki_status evaluate(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                           int64_t (*dims)[GR_MAX_RANK], vki_error *err)
{
    const char *why;
    if (!cpu_supports(g, n, &why))
        return vkb_fail_node(err, VKI_E_UNSUPPORTED, n->name, op_name(n->op), "%s", why);
    cpu_call call = {.g = g, .n = n, .in = in, .out = out, .dims = dims};
    cpu_op_of(n->op)->reference(&call);
    return VKI_OK;
}

vki_status cpu_evaluate(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                        vki_error *err)
{
    if (op_get(n->op)->flags & OP_DATA_SHAPED)
        return vkb_fail_node(err, VKI_E_UNSUPPORTED, n->name, op_name(n->op),
                             "the shapes of its outputs depend on values");
    return evaluate(g, n, in, out, NULL, err);
}

vki_status cpu_evaluate_dims(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                             int64_t (*dims)[GR_MAX_RANK], vki_error *err)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) memcpy(dims[i], g->tensors[n->out[i]].dims, sizeof dims[i]);
    return evaluate(g, n, in, out, dims, err);
}
