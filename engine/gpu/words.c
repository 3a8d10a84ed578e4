/* SPDX-License-Identifier: Apache-2.0
 * One shader for the element-wise operators of integers and bool, and for comparisons. Operators of one
 * operand read it twice; more than two operands of Max and Min collect in the output, and so does Clip, which
 * is a Max and a Min. */
#include "gpu/words.h"

#include "gpu/broadcast.h"

/* The order is that of the cases in shaders/binary_words.comp. Mod and BitShift have two entries each: with
 * the sign of the divisor and of the dividend; left and right. */
static const op_kind functions[] = {
    OP_Equal,      OP_Greater,     OP_GreaterOrEqual,
    OP_Less,       OP_LessOrEqual, OP_Add,
    OP_Sub,        OP_Mul,         OP_Div,
    OP_Pow,        OP_Max,         OP_Min,
    OP_PRelu,      OP_Mod,         OP_Mod,
    OP_BitShift,   OP_BitShift,    OP_BitwiseAnd,
    OP_BitwiseOr,  OP_BitwiseXor,  OP_Relu,
    OP_Abs,        OP_Neg,         OP_Not,
    OP_BitwiseNot, OP_Sign,
};

static int first_of(op_kind op)
{
    for (int i = 0; i < (int)VKB_COUNT(functions); i++)
        if (functions[i] == op) return i;
    return -1;
}

static int function_of(const gr_node *n)
{
    const op_binary_attrs *a = n->attrs;
    switch (n->op) {
    case OP_And:
        return first_of(OP_BitwiseAnd);
    case OP_Or:
        return first_of(OP_BitwiseOr);
    case OP_Xor:
        return first_of(OP_BitwiseXor);
    case OP_Mod:
        return first_of(OP_Mod) + (a->fmod != 0);
    case OP_BitShift:
        return first_of(OP_BitShift) + (a->direction == OP_SHIFT_RIGHT);
    default:
        return first_of(n->op);
    }
}

uint32_t gpu_kind_of(vki_dtype dtype)
{
    if (gpu_is_float(dtype)) return GPU_FLOAT;
    bool is_unsigned = dtype == VKI_U8 || dtype == VKI_U16 || dtype == VKI_U32 || dtype == VKI_BOOL;
    return is_unsigned ? GPU_UNSIGNED : GPU_SIGNED;
}

uint32_t gpu_bits_of(vki_dtype dtype)
{
    return 8 * (uint32_t)vki_dtype_size(dtype);
}

static const gr_tensor *tensor_in(const gpu_builder *b, const gr_node *n, int i)
{
    return &b->g->tensors[n->in[i]];
}

static gpu_rows rows_of(const gpu_builder *b, const gr_node *n, const gr_tensor *first, int second)
{
    const gr_tensor *x[] = {first, tensor_in(b, n, second)};
    return gpu_rows_of(x, 2, &b->g->tensors[n->out[0]]);
}

/* The first input after 0 that is there; 0 if there is none. */
static int second_of(const gr_node *n)
{
    for (int i = 1; i < n->n_in; i++)
        if (n->in[i] != GR_NONE) return i;
    return 0;
}

/* Operands as the dispatches take them: 0 and 1, then what has collected and 2, and so on. */
static bool rows_fit(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "more than six dimensions that are broadcast differently";
    for (int i = second_of(n); i < n->n_in; i++) {
        const gr_tensor *first = i > 1 ? &b->g->tensors[n->out[0]] : tensor_in(b, n, 0);
        if (n->in[i] != GR_NONE && rows_of(b, n, first, i).rank > GPU_ROW_DIMS) return false;
    }
    return true;
}

bool gpu_words_fit(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "no such function of integers on the GPU";
    if (n->op != OP_Clip && function_of(n) < 0) return false;
    *why = "integers have no activation";
    if (n->epilogue.act != GR_ACT_NONE || n->epilogue.residual != GR_RESIDUAL_NONE) return false;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE) continue;
        vki_dtype dtype = tensor_in(b, n, i)->dtype;
        *why = "integers to the power of what is no signed integer";
        if (n->op == OP_Pow && (gpu_is_float(dtype) || dtype == VKI_U32)) return false;
        if (!gpu_const_fits(b, n, i, why)) return false;
    }
    return rows_fit(b, n, why);
}

static void emit_one(gpu_builder *b, const gr_node *n, int function, gpu_bind x, gpu_bind y,
                     const gpu_rows *rows)
{
    vki_dtype dtype = tensor_in(b, n, 0)->dtype; /* a comparison's result is bool and needs no care */
    int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_OF(b, dtype, binary_words));
    gpu_grid_flat(b, d, count);
    gpu_spec(d, (uint32_t)rows->rank);
    gpu_spec(d, gpu_kind_of(dtype));
    gpu_spec(d, gpu_bits_of(dtype));
    gpu_spec(d, (uint32_t)function);
    gpu_bind_add(d, x, gpu_row_access(rows, 0));
    gpu_bind_add(d, y, gpu_row_access(rows, 1));
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_push(d, count);
    gpu_push_rows(d, rows, 2);
}

void gpu_words_emit(gpu_builder *b, const gr_node *n)
{
    gpu_bind so_far = gpu_in(b, n, 0, GPU_ROW);
    const gr_tensor *shape = tensor_in(b, n, 0);
    for (int i = second_of(n); i < n->n_in; i++) {
        if (n->in[i] == GR_NONE) continue;
        int function = n->op == OP_Clip ? first_of(i == 2 ? OP_Min : OP_Max) : function_of(n);
        gpu_rows rows = rows_of(b, n, shape, i);
        emit_one(b, n, function, so_far, gpu_in(b, n, i, GPU_ROW), &rows);
        so_far = gpu_out(b, n, 0, GPU_ROW);
        shape = &b->g->tensors[n->out[0]];
    }
}
