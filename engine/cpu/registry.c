/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu.h"

#define OP(name, family) extern const cpu_op cpu_op_##family;
#include "graph/ops/ops.def"
#undef OP

static const cpu_op *const ops[OP_COUNT] = {
#define OP(name, family) [OP_##name] = &cpu_op_##family,
#include "graph/ops/ops.def"
#undef OP
};

const cpu_op *cpu_op_of(op_kind op)
{
    return op > OP_NONE && op < OP_COUNT ? ops[op] : NULL;
}

bool cpu_supports(const gr_graph *g, const gr_node *n, const char **why)
{
    const cpu_op *op = cpu_op_of(n->op);
    *why = "";
    if (!op || !op->reference) {
        *why = "this build has no CPU kernel for the operator";
        return false;
    }
    return !op->supports || op->supports(g, n, why);
}

bool cpu_in_place(const gr_graph *g, const gr_node *n, const cpu_kernel *kernel, int i)
{
    if (!kernel || i >= 32 || !(cpu_op_of(n->op)->in_place >> i & 1) || n->in[i] == GR_NONE ||
        n->out[0] == GR_NONE)
        return false;
    const gr_tensor *x = &g->tensors[n->in[i]], *y = &g->tensors[n->out[0]];
    return x->dtype == y->dtype && gr_same_shape(x, y);
}
