/* SPDX-License-Identifier: Apache-2.0
 * Operators of two operands: as chains of one node, and in rows what these do not take. Max and Min of more
 * than two inputs collect in the output there. */
#include "gpu/broadcast.h"
#include "gpu/cast.h"
#include "gpu/chain.h"
#include "gpu/words.h"
#include "graph/ops/schema.h"

/* The order is that of the cases in shaders/lib/binary.glsl. */
static const op_kind functions[] = {OP_Add, OP_Sub, OP_Mul, OP_Div, OP_Pow, OP_Max, OP_Min, OP_PRelu, OP_Mod};

static int function_of(op_kind op)
{
    for (int i = 0; i < (int)VKB_COUNT(functions); i++)
        if (functions[i] == op) return i;
    return -1;
}

static const gr_tensor *tensor_in(const gpu_builder *b, const gr_node *n, int i)
{
    return &b->g->tensors[n->in[i]];
}

static const gr_tensor *tensor_out(const gpu_builder *b, const gr_node *n)
{
    return &b->g->tensors[n->out[0]];
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gr_tensor *y = tensor_out(b, n);
    int inputs = op_own_inputs(n);
    *why = "no such function on the GPU";
    if (function_of(n->op) < 0) return false;
    for (int i = 0; i < inputs; i++) {
        const gr_tensor *x = tensor_in(b, n, i);
        *why = "integers and floats together";
        if (!gpu_is_float(x->dtype) && (n->op != OP_Pow || i == 0)) return false;
        *why = "more than six dimensions that are broadcast differently";
        const gr_tensor *other = i == 0   ? tensor_in(b, n, inputs > 1 ? 1 : 0)
                                 : i == 1 ? tensor_in(b, n, 0)
                                          : y;
        if (gpu_rows_of((const gr_tensor *[]){other, x}, 2, y).rank > GPU_ROW_DIMS) return false;
    }
    return true;
}

static void emit_row(gpu_builder *b, const gr_node *n, gpu_bind x, gpu_bind y, const gpu_rows *p)
{
    int64_t count = gr_elements(tensor_out(b, n));
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, binary_row));
    gpu_grid_flat(b, d, count);
    gpu_bind_add(d, x, gpu_row_access(p, 0));
    gpu_bind_add(d, y, gpu_row_access(p, 1));
    gpu_push(d, count);
    gpu_push_rows(d, p, 2);
    gpu_epilogue(b, d, n, GPU_ROW, x);
    gpu_spec(d, (uint32_t)function_of(n->op));
    gpu_spec(d, (uint32_t)p->rank);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *y = tensor_out(b, n), *shape = tensor_in(b, n, 0);
    int inputs = op_own_inputs(n);
    gpu_bind so_far = gpu_in(b, n, 0, GPU_ROW);
    for (int i = inputs > 1 ? 1 : 0; i < inputs; i++) { /* a single input is taken twice */
        const gr_tensor *x = tensor_in(b, n, i);
        gpu_bind next = gpu_is_float(x->dtype) ? gpu_in(b, n, i, GPU_ROW) : gpu_in_as_float(b, n, i);
        gpu_rows p = gpu_rows_of((const gr_tensor *[]){shape, x}, 2, y);
        emit_row(b, n, so_far, next, &p);
        so_far = gpu_out(b, n, 0, GPU_ROW);
        shape = y;
    }
}

static const gpu_kernel kernels[] = {
    {"chain_map", gpu_chain_fits, gpu_chain_emit, GPU_FLOATS},
    {"binary_row", fits, emit, GPU_ANY},
    {"binary_words", gpu_words_fit, gpu_words_emit, GPU_INTEGERS},
    {0},
};
const gpu_op gpu_op_binary = {kernels};
