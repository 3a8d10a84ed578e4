/* SPDX-License-Identifier: Apache-2.0
 * One description an operator: its attributes, arity, shape inference and cost. graph/ops/<family>.c defines
 * `const op_info op_info_<Name>` for every row of ops.def; the registry finds them by that name. */
#ifndef GRAPH_OPS_OP_H
#define GRAPH_OPS_OP_H

#include "graph/graph.h"

#define OP_INTS_MAX 16 /* twice the rank: pads */

typedef struct op_ints {
    int32_t count; /* 0: absent */
    int64_t v[OP_INTS_MAX];
} op_ints;

typedef struct op_floats {
    int32_t count; /* 0: absent */
    float v[OP_INTS_MAX];
} op_floats;

typedef enum op_attr_type {
    OP_ATTR_INT,    /* int64_t */
    OP_ATTR_FLOAT,  /* float */
    OP_ATTR_INTS,   /* op_ints; default empty */
    OP_ATTR_ENUM,   /* int64_t; the text is one of `names` (ONNX string attribute) */
    OP_ATTR_FLOATS, /* op_floats; default empty */
    OP_ATTR_ENUMS   /* op_ints; each text is one of `names` (ONNX attribute of strings); default empty */
} op_attr_type;

typedef struct op_attr {
    const char *name; /* as in ONNX */
    op_attr_type type;
    uint32_t offset;   /* in the attribute struct */
    double def;        /* INT, FLOAT, ENUM (index) */
    double low, high;  /* INT, FLOAT, each of INTS and FLOATS: allowed range, both ends included */
    const char *names; /* ENUM, ENUMS: "NOTSET,SAME_UPPER,SAME_LOWER,VALID" */
} op_attr;

enum {                      /* op_info.flags */
       OP_CAN_ACT = 1,      /* carries an activation epilogue */
       OP_CAN_RESIDUAL = 2, /* carries a residual epilogue */
       OP_VIEW = 4,         /* output 0 is input 0 with another shape: costs nothing */
       OP_SHAPE_ONLY = 8,   /* reads only the shape of its inputs: foldable once shapes are known */
       OP_ANY_OUTPUT = 16,  /* each output may be absent, the first too */
       OP_DATA_SHAPED = 32, /* shapes of outputs depend on values: infer() sets the largest they can be */
       OP_BODIES = 64       /* runs other graphs (gr_graph.bodies): a session's work, no kernel's */
};

typedef struct op_cost {
    uint64_t macs; /* multiply-accumulates */
    uint64_t bytes;
} op_cost;

typedef struct op_infer { /* what infer() gets; every present input is concrete */
    gr_graph *g;
    gr_node *n;
    vki_error *err;
    uint64_t wants; /* bit i: the shapes follow once the value of input i is known; see op_later */
} op_infer;

typedef struct op_info {
    const char *name, *doc; /* doc: one line for docs/operators.md */
    const op_attr *attrs;
    int n_attrs;
    size_t attrs_size;                    /* 0: no attributes */
    int min_in, max_in, min_out, max_out; /* counts; a residual epilogue adds one input */
    uint32_t flags;
    /* Sets every present output through op_out. VKI_E_SHAPE / VKI_E_UNSUPPORTED through op_fail. If it needs
     * the value of an input that is not constant, it returns op_later: the shape will be known once that is
     * folded, or computed while the network runs. With OP_DATA_SHAPED it sets upper bounds; gr_infer_node
     * keeps type and rank of them, and the kernels tell the dimensions there are (cpu_call.dims). */
    vki_status (*infer)(op_infer *c);
    void (*cost)(const gr_graph *g, const gr_node *n,
                 op_cost *cost); /* adds MACs; bytes are counted for it. May be NULL */
} op_info;

#define OP(name, family) extern const op_info op_info_##name;
#include "graph/ops/ops.def"
#undef OP

/* ---- registry.c ---- */
const op_info *op_get(op_kind op); /* never NULL for a valid kind */
const char *op_name(op_kind op);   /* "Conv"; "None" if no such kind */
op_kind op_find(const char *name); /* OP_NONE if unknown */
/* ENUM, ENUMS: the code of a text, -1 if it is none of the names; the text of a code and its length. */
int op_enum_code(const op_attr *a, const char *text);
const char *op_enum_text(const op_attr *a, int64_t code, size_t *length);
const char *op_family(op_kind op); /* "conv2d" */
void op_set_defaults(op_kind op, void *attrs);
void op_cost_of(const gr_graph *g, const gr_node *n, op_cost *out); /* zero if shapes are not known */
/* Checks ranges of all attributes. VKI_E_ARG names attribute, value and range. */
vki_status op_check_attrs(const gr_node *n, vki_error *err);

/* ---- infer.c ---- */
/* Arity and attributes of one node. VKI_E_ARG; VKI_E_UNSUPPORTED if the operator was not built in. */
vki_status op_check_node(const gr_node *n, vki_error *err);
/* Helpers for infer(): */
#define OP_LATER ((vki_status)-1) /* internal: not an error; gr_infer_node turns it into known = false */
const gr_tensor *op_in(const op_infer *c, int i); /* NULL if absent */
bool op_has_in(const gr_node *n, int i);
vki_status op_later(op_infer *c, int i); /* OP_LATER: input i (below 64) must be constant first */
vki_status op_out(op_infer *c, int i, vki_dtype dtype, int rank,
                  const int64_t *dims); /* does nothing if output absent */
vki_status op_out_like(op_infer *c, int i, const gr_tensor *like);
vki_status op_fail(op_infer *c, vki_status code, const char *format, ...) VKB_PRINTF(3, 4);
/* Reads a constant integer input: OP_LATER if it is not constant; VKI_E_SHAPE if longer than capacity. */
vki_status op_const_ints(op_infer *c, int i, int64_t *out, int capacity, int *count);
vki_status op_axis(op_infer *c, int64_t axis, int rank, int *out); /* negative counts from the end */
vki_status op_broadcast(op_infer *c, const gr_tensor *a, const gr_tensor *b, int *rank, int64_t *dims);

#endif
