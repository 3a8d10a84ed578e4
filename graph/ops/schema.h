/* SPDX-License-Identifier: Apache-2.0
 * What the descriptions in graph/ops/<family>.c are written with: rows of attribute tables, sets of element
 * types, inputs without the residual. */
#ifndef GRAPH_OPS_SCHEMA_H
#define GRAPH_OPS_SCHEMA_H

#include "graph/ops/attrs.h"

/* Rows of an op_attr table; `type` is the attribute struct. */
#define OP_ROW_INT(type, field, def, low, high)                                                              \
    {                                                                                                        \
#field, OP_ATTR_INT, (uint32_t)offsetof(type, field), def, low, high, NULL                           \
    }
#define OP_ROW_FLOAT(type, field, def, low, high)                                                            \
    {                                                                                                        \
#field, OP_ATTR_FLOAT, (uint32_t)offsetof(type, field), def, low, high, NULL                         \
    }
#define OP_ROW_INTS(type, field, low, high)                                                                  \
    {                                                                                                        \
#field, OP_ATTR_INTS, (uint32_t)offsetof(type, field), 0, low, high, NULL                            \
    }
#define OP_ROW_ENUM(type, field, def, names)                                                                 \
    {                                                                                                        \
#field, OP_ATTR_ENUM, (uint32_t)offsetof(type, field), def, 0, 0, names                              \
    }
#define OP_ROW_FLOATS(type, field, low, high)                                                                \
    {                                                                                                        \
#field, OP_ATTR_FLOATS, (uint32_t)offsetof(type, field), 0, low, high, NULL                          \
    }
#define OP_ROW_ENUMS(type, field, names)                                                                     \
    {                                                                                                        \
#field, OP_ATTR_ENUMS, (uint32_t)offsetof(type, field), 0, 0, 0, names                               \
    }

#define OP_ATTR_TABLE(table) .attrs = (table), .n_attrs = (int)VKB_COUNT(table)

#define OP_INT_MAX 2147483647.0 /* largest size, stride or padding an attribute may give */
#define OP_FLT_MAX 3.402823466e38
#define OP_MANY    1024 /* inputs or outputs of variadic operators */

/* Sets of element types, as bits by vki_dtype. */
#define OP_BIT(dtype) (1u << (dtype))
enum {
    OP_FLOATS = OP_BIT(VKI_F32) | OP_BIT(VKI_F16) | OP_BIT(VKI_F64),
    OP_SIGNED = OP_BIT(VKI_I8) | OP_BIT(VKI_I16) | OP_BIT(VKI_I32) | OP_BIT(VKI_I64),
    OP_UNSIGNED = OP_BIT(VKI_U8) | OP_BIT(VKI_U16) | OP_BIT(VKI_U32) | OP_BIT(VKI_U64),
    OP_INTEGERS = OP_SIGNED | OP_UNSIGNED,
    OP_NUMBERS = OP_FLOATS | OP_INTEGERS
};
static inline bool op_dtype_in(vki_dtype dtype, unsigned set)
{
    return dtype != VKI_DT_NONE && (set >> dtype & 1u);
}

/* Inputs without the residual of an epilogue, which comes last. */
static inline int op_own_inputs(const gr_node *n)
{
    return n->n_in - (n->epilogue.residual != GR_RESIDUAL_NONE);
}
static inline bool op_has_own(const gr_node *n, int i)
{
    return i < op_own_inputs(n) && n->in[i] != GR_NONE;
}

/* VKI_E_SHAPE unless input i (absent is fine) has a type of `set`. */
static inline vki_status op_want_type(op_infer *c, int i, unsigned set)
{
    if (!op_has_own(c->n, i)) return VKI_OK;
    vki_dtype dtype = c->g->tensors[c->n->in[i]].dtype;
    if (op_dtype_in(dtype, set)) return VKI_OK;
    return op_fail(c, VKI_E_SHAPE, "input %d is %s, which this operator does not take", i,
                   vki_dtype_name(dtype));
}
/* VKI_E_SHAPE unless input i (absent is fine) has input 0's type. */
static inline vki_status op_want_same_type(op_infer *c, int i)
{
    if (!op_has_own(c->n, i)) return VKI_OK;
    vki_dtype first = c->g->tensors[c->n->in[0]].dtype, other = c->g->tensors[c->n->in[i]].dtype;
    if (first == other) return VKI_OK;
    return op_fail(c, VKI_E_SHAPE, "input %d is %s but input 0 is %s", i, vki_dtype_name(other),
                   vki_dtype_name(first));
}

/* ---- matmul.c: for every matrix product but Gemm ---- */
vki_status op_matmul_out(op_infer *c, vki_dtype dtype); /* sets output 0, or says what does not fit */
void op_matmul_cost(const gr_graph *g, const gr_node *n, op_cost *cost);

/* ---- infer.c ---- */
/* VKI_E_SHAPE unless all elements k of input i are indices for dims[k % count], from its start or its end. Of
 * an input that is not constant only that there is something to point to. */
vki_status op_check_indices(op_infer *c, int i, int count, const int64_t *dims);

#endif
