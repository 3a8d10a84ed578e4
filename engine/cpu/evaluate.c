/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu.h"

vki_status cpu_evaluate(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                        vki_error *err)
{
    const char *why;
    if (!cpu_supports(g, n, &why))
        return vkb_fail_node(err, VKI_E_UNSUPPORTED, n->name, op_name(n->op), "%s", why);
    cpu_call call = {.g = g, .n = n, .in = in, .out = out};
    cpu_op_of(n->op)->reference(&call);
    return VKI_OK;
}
