/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

#define OP(name, family) extern const gpu_op gpu_op_##family;
#include "graph/ops/ops.def"
#undef OP

static const gpu_op *const table[OP_COUNT] = {
#define OP(name, family) [OP_##name] = &gpu_op_##family,
#include "graph/ops/ops.def"
#undef OP
};

const gpu_op *gpu_op_of(op_kind op)
{
    return (unsigned)op < OP_COUNT ? table[op] : NULL;
}

static bool tensor_fits(const gpu_builder *b, const gr_tensor *t, const char **why)
{
    if (!gr_is_concrete(t) || gr_elements(t) <= 0) {
        *why = "an empty tensor";
    } else if (t->dtype == VKI_F64) {
        *why = "float64: the device computes in fp32, which holds neither its digits nor its range";
    } else {
        bool slices = t->rank >= 2 && gpu_is_float(t->dtype);
        uint64_t bytes = gpu_layout_bytes(t, slices ? GPU_C4 : GPU_ROW, b->half);
        /* shaders index elements by 32-bit integers */
        if (bytes <= b->limits->max_range && bytes <= INT32_MAX) return true;
        *why = "a tensor is larger than one storage buffer binding of this device";
    }
    return false;
}

static bool tensors_fit(const gpu_builder *b, const gr_node *n, const char **why)
{
    bool varies = false;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE || gr_is_const(b->g, n->in[i])) continue;
        varies = true;
        if (!tensor_fits(b, &b->g->tensors[n->in[i]], why)) return false;
    }
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && !tensor_fits(b, &b->g->tensors[n->out[i]], why)) return false;
    if (!varies) *why = "all inputs are constant";
    return varies;
}

bool gpu_takes(const gpu_builder *b, const gr_node *n, const gpu_kernel *kernel, const char **why)
{
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        gr_id id = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (id == GR_NONE || gr_is_const(b->g, id)) continue;
        if (op_dtype_in(b->g->tensors[id].dtype, kernel->types)) continue;
        *why = "no kernel for its element types";
        return false;
    }
    return kernel->fits(b, n, why) && gpu_results_fit(b, n, why);
}

const gpu_kernel *gpu_choose(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gpu_op *op = gpu_op_of(n->op);
    *why = "the operator has no GPU kernel";
    if (!op || !op->kernels || !tensors_fit(b, n, why)) return NULL;
    for (const gpu_kernel *k = op->kernels; k->name; k++)
        if (gpu_takes(b, n, k, why)) return k;
    return NULL;
}
