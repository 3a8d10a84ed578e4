/* SPDX-License-Identifier: Apache-2.0
 * The network as a graph: tensors, nodes, and the calls that build and change it. Every operator speaks
 * ONNX's newest semantics; importers lift older forms to it. Nodes are kept in execution order. */
#ifndef GRAPH_H
#define GRAPH_H

#include "base/base.h"

#define GR_MAX_RANK VKI_MAX_RANK
#define GR_NONE     (-1) /* an absent optional input or output; no node */
#define GR_UNKNOWN  (-1) /* a dimension not known yet; smaller values are symbols, see gr_symbol() */

typedef int32_t gr_id; /* index of a tensor or a node */

typedef enum op_kind {
    OP_NONE = 0,
#define OP(name, family) OP_##name,
#include "graph/ops/ops.def"
#undef OP
    OP_COUNT
} op_kind;

enum { GR_INPUT = 1, GR_OUTPUT = 2 }; /* gr_tensor.flags */

typedef struct gr_tensor {
    const char *name; /* unique in the graph, never NULL */
    vki_dtype dtype;  /* VKI_DT_NONE: not known yet */
    int rank;         /* -1: not known yet */
    uint32_t flags;
    int64_t dims[GR_MAX_RANK]; /* >= 0, GR_UNKNOWN, or a symbol */
    const void *data; /* of a constant: row-major, 64-byte aligned; NULL otherwise. Lives as long as the graph
                         (in its arena) or longer (the model's file); never owned by the tensor */
    uint64_t const_key; /* of a constant: equal keys mean equal content (weight caches key on it) */
} gr_tensor;

/* What a producer does to each output element before storing it. The order is fixed:
 *   y = act(x + residual)   if residual == GR_RESIDUAL_BEFORE
 *   y = act(x) + residual   if residual == GR_RESIDUAL_AFTER
 * The residual tensor is the node's last input and has exactly the output's shape. */
typedef enum gr_act {
    GR_ACT_NONE = 0,
    GR_ACT_RELU,
    GR_ACT_LEAKY, /* x < 0 ? alpha x : x */
    GR_ACT_CLIP,  /* min(max(x, alpha), beta) */
    GR_ACT_SIGMOID,
    GR_ACT_TANH,
    GR_ACT_HARDSIGMOID,      /* max(0, min(1, alpha x + beta)) */
    GR_ACT_HARDSWISH,        /* x max(0, min(1, x/6 + 1/2)) */
    GR_ACT_SILU,             /* x sigmoid(x) */
    GR_ACT_HARDSWISH_AFFINE, /* alpha hardswish(x) + beta */
    GR_ACT_FAKE_QUANTIZE,    /* x / alpha rounded to an integer within the levels of beta (op_levels), times
                                alpha */
    GR_ACT_COUNT
} gr_act;
typedef enum gr_residual { GR_RESIDUAL_NONE = 0, GR_RESIDUAL_BEFORE, GR_RESIDUAL_AFTER } gr_residual;
typedef struct gr_epilogue {
    gr_act act;
    gr_residual residual;
    float alpha, beta;
} gr_epilogue;

typedef struct gr_node {
    op_kind op;
    const char *name; /* for reports; never NULL, may repeat */
    int n_in, n_out;
    gr_id *in, *out; /* tensors; GR_NONE: absent */
    void *attrs;     /* the operator's struct (graph/ops/<family>.h), of op_info(op)->attrs_size bytes */
    gr_epilogue epilogue;
    const char *fused; /* names of the nodes folded in, for reports; "" if none */
    bool dead;         /* removed; gr_compact drops it */
} gr_node;

typedef struct gr_meta {
    const char *key, *value;
} gr_meta;

/* A graph that a node runs (If, Loop, Scan): complete in itself, with inputs for all it reads of the graph
 * around it. Immutable. */
typedef struct gr_body {
    struct gr_graph *graph;
    bool own; /* freed with this graph; else it belongs to another, which lives longer */
} gr_body;
enum { GR_MAX_DEPTH = 16 }; /* bodies within bodies */

typedef struct gr_graph {
    const vki_allocator *allocator;
    struct vkb_store *store; /* to which passes may add constants that need not stay; mostly NULL */
    vkb_arena arena;         /* names, attributes, id lists, folded constants */
    gr_tensor *tensors;
    gr_node *nodes;
    gr_id *inputs, *outputs; /* order as in the source; an output may be an input or a constant */
    const char **symbols;    /* names of symbolic dimensions */
    gr_meta *meta;
    gr_body *bodies;   /* nodes name them by index, see op_bodies_of */
    gr_id *name_slots; /* hash index of tensor names (graph.c); name_slots[i] is a tensor or GR_NONE */
    int n_name_slots;  /* power of two or 0 */
    int n_tensors, cap_tensors, n_nodes, cap_nodes, n_inputs, cap_inputs, n_outputs, cap_outputs, n_symbols,
        cap_symbols, n_meta, cap_meta, n_bodies, cap_bodies;
} gr_graph;

/* ---- graph.c: building. Pointers returned into tensors[]/nodes[] are valid until the next add. Ids are
 * stable until gr_compact. On exhaustion ids are GR_NONE and pointers NULL. ---- */
void gr_init(gr_graph *g, const vki_allocator *a);
void gr_free(gr_graph *g);
/* A copy that shares names, constants and bodies with `src`, which must outlive it. VKI_E_NOMEM. */
vki_status gr_clone(gr_graph *dst, const gr_graph *src, vki_error *err);

gr_id gr_add_tensor(gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims); /* copies
                                          name; a NULL or taken name gets a fresh one; rank -1: unknown */
gr_id gr_add_const(
    gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims, const void *data,
    bool copy); /* copy: into the arena (from any alignment); else `data` must be 64-byte aligned and stay */
/* Turns a tensor of known shape into a constant (`data` as above): what folding does. false if exhausted. */
bool gr_make_const(gr_graph *g, gr_id t, const void *data, bool copy);
void *gr_const_alloc(gr_graph *g, uint64_t bytes); /* cleared memory of the arena for constant data */
/* Appends a node with default attributes; in/out lists are copied. */
gr_node *gr_add_node(gr_graph *g, op_kind op, const char *name, int n_in, const gr_id *in, int n_out,
                     const gr_id *out);
bool gr_set_inputs(gr_graph *g, gr_node *n, int n_in,
                   const gr_id *in);           /* replaces the list; false if exhausted */
bool gr_add_input(gr_graph *g, gr_id tensor);  /* graph input: sets GR_INPUT */
bool gr_add_output(gr_graph *g, gr_id tensor); /* graph output: sets GR_OUTPUT */
bool gr_add_meta(gr_graph *g, const char *key,
                 const char *value);                         /* replaces the value of a key that is there */
const char *gr_get_meta(const gr_graph *g, const char *key); /* NULL if absent */
int gr_new_body(gr_graph *g);                                /* an empty one of its own; its index; -1 */
int gr_add_body(gr_graph *g, gr_graph *body);                /* one of another graph's; its index; -1 */
int64_t gr_symbol(gr_graph *g, const char *name);           /* the dimension value that stands for a symbol */
const char *gr_symbol_name(const gr_graph *g, int64_t dim); /* NULL if `dim` is no symbol */
gr_id gr_find_tensor(const gr_graph *g, const char *name);  /* GR_NONE */

void gr_reindex(gr_graph *g); /* after tensor names or ids were changed by hand */

/* ---- edit.c: what passes need ---- */
typedef struct gr_uses { /* who makes and who reads each tensor; made for one state of the graph */
    gr_id *producer;     /* node by tensor; GR_NONE for inputs and constants */
    int *count;          /* reads by nodes, plus one for a graph output */
    gr_id *reader;       /* the node that reads it, if count is 1 and that is a node; else GR_NONE */
} gr_uses;
vki_status gr_uses_make(gr_uses *u, const gr_graph *g, vki_error *err); /* VKI_E_NOMEM */
void gr_uses_free(gr_uses *u, const gr_graph *g);
void gr_replace_tensor(gr_graph *g, gr_id old_id, gr_id new_id); /* every node's input; graph outputs too */
bool gr_note_fused(gr_graph *g, gr_node *into, const gr_node *gone); /* extends into->fused */
vki_status gr_sort(gr_graph *g, vki_error *err); /* topological order, stable; VKI_E_FORMAT on a cycle */
/* Another topological order of a compact graph with concrete shapes, if clearly less is alive at once so
 * (order.c). VKI_E_NOMEM. */
vki_status gr_order_for_memory(gr_graph *g, vki_error *err);
void gr_compact(gr_graph *g); /* drops dead nodes and unreferenced tensors; ids change */
vki_status gr_check(const gr_graph *g,
                    vki_error *err); /* check.c: all invariants; VKI_E_FORMAT names the node */

/* ---- tensor.c: queries ---- */
bool gr_is_const(const gr_graph *g, gr_id t); /* false for GR_NONE */
bool gr_is_concrete(const gr_tensor *t);      /* dtype, rank and every dimension known */
int64_t gr_elements(const gr_tensor *t);      /* product of dims; -1 if not concrete or over INT64_MAX */
uint64_t gr_bytes(const gr_tensor *t);        /* 0 if not concrete */
bool gr_same_shape(const gr_tensor *a, const gr_tensor *b);
bool gr_const_i64(const gr_graph *g, gr_id t, int64_t *out, int capacity,
                  int *count); /* any integer type; false if not
                                  constant or too long */
bool gr_const_f32(const gr_graph *g, gr_id t,
                  float *out); /* one element, any real type; false if not such a constant */
const char *gr_shape_text(const gr_graph *g, const gr_tensor *t, char *buffer,
                          size_t size); /* "float32[1,3,H,W]" */

/* ---- fingerprint.c ---- */
uint64_t gr_fingerprint(const gr_graph *g); /* equal for graphs that compute the same in the same way; names
                                               do not count */

/* ---- shape.c ---- */
/* Sets concrete input shapes (for symbols of the same name the same value: VKI_E_SHAPE if they disagree) and
 * infers every node whose inputs are concrete. `shapes` may leave out inputs that are concrete already.
 * VKI_E_ARG: no such input. */
vki_status gr_bind_shapes(gr_graph *g, const vki_shape *shapes, int count, vki_error *err);
vki_status gr_infer(gr_graph *g,
                    vki_error *err); /* fills what can be known now; VKI_E_SHAPE names the node */
vki_status gr_infer_node(gr_graph *g, gr_node *n, bool *known, vki_error *err);
/* The same for a node of an OP_DATA_SHAPED operator, but the outputs get the largest dimensions they can
 * have: what their memory is sized by. Nothing may read them as shapes. */
vki_status gr_infer_bounds(gr_graph *g, gr_node *n, bool *known, vki_error *err);
/* The inputs (bit i) of a node without known shapes whose values would make them known; 0 if an input's shape
 * is missing, or nothing is. */
vki_status gr_infer_wants(gr_graph *g, gr_node *n, uint64_t *wants, vki_error *err);
bool gr_all_concrete(const gr_graph *g, gr_id *first_unknown); /* every tensor that a live node touches */

#endif
