/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of the ONNX importer.
 *
 * An import goes: wire.c unpacks the file -> import.c defines every value by name, so that nodes may stand in
 * any order -> each node becomes an onnx_node, which its lift (lift.c) brings to the newest semantics ->
 * emit.c appends it to the graph, mapping the remaining attributes by op_info. What is valid but cannot be
 * taken is collected (issues.c) and reported at once; what is damaged ends the import. */
#ifndef GRAPH_IMPORT_ONNX_INTERNAL_H
#define GRAPH_IMPORT_ONNX_INTERNAL_H

#include "graph/import/onnx/onnx_import.h"
#include "graph/ops/attrs.h"

#include "onnx.pb-c.h"

enum { ONNX_OPSET_MIN = 1, ONNX_OPSET_MAX = 25 };

/* A name of the model. fp16 models are computed in fp32: `tensor` is what carries the name; `value` is what
 * nodes read and write, another tensor only for fp16 inputs and outputs of the model. */
typedef enum onnx_list_kind { ONNX_SEQUENCE, ONNX_OPTIONAL } onnx_list_kind;
/* A sequence, whose length must be known, or an optional: they exist during the import only. Immutable. */
typedef struct onnx_list {
    onnx_list_kind kind;
    int count; /* of an optional: 0 (empty) or 1 */
    const gr_id *items;
    const struct onnx_list *inner; /* of an optional that holds a sequence; `items` is NULL then */
} onnx_list;

typedef struct onnx_value {
    const char *name;
    gr_id tensor, value;
    bool defined, read;    /* read: by a node or as a model output */
    bool made;             /* by a node that is no constant */
    vki_dtype narrow;      /* of a model output declared as fp16 or bf16; else NONE */
    const onnx_list *list; /* if it is no tensor, from where its node was imported */
} onnx_value;

typedef struct onnx_values { /* hash table; entries in order of first mention */
    onnx_value *entries;
    int32_t *slots; /* index + 1 into entries; 0: free */
    size_t n_entries, cap_entries, n_slots;
    const struct onnx_values *outer; /* of the graph around a subgraph; else NULL */
    struct onnx_scope *scope;        /* of a subgraph that is a graph of its own (control.c); else NULL */
} onnx_values;

typedef struct onnx_issue {
    const char *what, *reason, *node; /* what: an operator, or "" for the model; node: the first concerned */
    int count;
    struct onnx_issue *next;
} onnx_issue;

/* Nodes of bodies over the whole import: functions that call each other twice grow fast. */
enum { BODY_NODES_MAX = 200000 };

typedef struct onnx_ctx {
    gr_graph *g;       /* that nodes are added to: `main` or a body */
    gr_graph *main;    /* the model's */
    vki_error *err;    /* never NULL */
    vkb_arena scratch; /* the unpacked model, names: until the import ends */
    int64_t opset;
    onnx_values values;
    const Onnx__ModelProto *model;      /* for its functions */
    const char *prefix;                 /* of all names of a body that is inlined; NULL: none */
    int depth;                          /* bodies within bodies */
    size_t inlined;                     /* nodes of bodies so far */
    const gr_tensor *given;             /* values of inputs that become constants */
    int n_given, first_given, n_inputs; /* n_inputs: those of the model so far */
    onnx_issue *issues, **issues_end;
    int n_issues;              /* distinct ones; `issues` keeps the first few hundred */
    const char *directory;     /* of external data; may be NULL */
    vkb_file external;         /* the last external file used stays mapped */
    const char *external_path; /* its path, NULL: none */
    const uint8_t *bytes;      /* of the whole model; NULL: a single tensor is read */
    size_t n_bytes;
    vkb_store *store; /* over the file that they are; NULL */
} onnx_ctx;

/* ---- control.c: subgraphs as graphs of their own ---- */
typedef struct onnx_capture { /* what a subgraph reads of the graph around it */
    onnx_value value;         /* in the subgraph: an input, or a constant */
    gr_id around;             /* in the graph around; GR_NONE for constants */
    struct onnx_capture *next;
} onnx_capture;
typedef struct onnx_scope {
    gr_graph *g;
    onnx_capture *captures, **captures_end; /* inputs in the order of the graph's inputs */
    int count, depth;
} onnx_scope;
/* The value for a name of the graph around; NULL if exhausted. */
onnx_value *onnx_capture_value(onnx_ctx *c, const onnx_values *v, const onnx_value *around);
/* Marks what subgraphs of the nodes read. */
void onnx_mark_captures(onnx_ctx *c, Onnx__NodeProto *const *nodes, size_t n);

/* ---- import.c ---- */
/* The version of the default domain's operators. */
int64_t onnx_opset_of(Onnx__OperatorSetIdProto *const *imports, size_t n, int64_t otherwise);

/* ---- wire.c ---- */
enum { ONNX_LARGE = 16384 }; /* bytes */
/* The message lives in `arena`, its fields of ONNX_LARGE bytes and more in `large`: in the graph's arena they
 * become constants without another copy. refer: raw data of that size is not copied at all, and
 * onnx_reference tells where in `bytes` it lies. Nesting and memory are limited before anything is allocated.
 */
ProtobufCMessage *onnx_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n,
                              vkb_arena *arena, vkb_arena *large, bool refer, vki_status *status,
                              vki_error *err);
/* false: the tensor's values are in the message or in a file of their own. Else not checked yet. */
bool onnx_reference(const Onnx__TensorProto *t, uint64_t *offset, uint64_t *bytes);

/* ---- values.c ---- */
bool onnx_values_init(onnx_ctx *c, size_t capacity);                /* false if exhausted */
onnx_value *onnx_value_of(onnx_ctx *c, const char *name, bool add); /* NULL: no such name (or table full) */
onnx_value *onnx_value_find(onnx_ctx *c, const char *name); /* defined here or around; NULL if nowhere */
const char *onnx_text(const char *s);                       /* "" for NULL */

/* ---- define.c: every value gets its tensor ---- */
vki_status onnx_define(onnx_ctx *c, const Onnx__ModelProto *model);
/* Adds the model outputs, once all nodes are there. */
vki_status onnx_define_outputs(onnx_ctx *c, const Onnx__GraphProto *graph);
vki_status onnx_define_initializer(onnx_ctx *c, const Onnx__TensorProto *t);
vki_status onnx_define_node(onnx_ctx *c, const Onnx__NodeProto *node, size_t index); /* its outputs */
/* Defines a name as a value that is there already. */
vki_status onnx_define_as(onnx_ctx *c, const char *name, gr_id id, const onnx_list *list);
bool onnx_is_constant(const Onnx__NodeProto *node); /* of the default domain */
bool onnx_is_default_domain(const char *domain);    /* "" and "ai.onnx" */

/* ---- node.c ---- */
vki_status onnx_nodes(onnx_ctx *c, Onnx__NodeProto *const *nodes, size_t n);
/* The name, or "<Op>_<index>"; in the arena. NULL if exhausted. */
const char *onnx_node_name(onnx_ctx *c, const Onnx__NodeProto *node, size_t index);

/* ---- tensor.c, external.c ---- */
const char *onnx_type_name(int32_t data_type);
bool onnx_dtype(int32_t data_type, vki_dtype *dtype); /* false: the IR has no such type */
/* Adds a constant. widen: fp16 and bf16 become fp32 (bf16 always does). VKI_E_UNSUPPORTED for types that the
 * IR lacks: the text is the reason. */
vki_status onnx_tensor(onnx_ctx *c, const Onnx__TensorProto *t, const char *name, bool widen, gr_id *id);
vki_status onnx_external(onnx_ctx *c, const Onnx__TensorProto *t, const char *name, uint64_t bytes,
                         const void **data);

/* ---- nodes ---- */
typedef struct onnx_set { /* an attribute that a lift decided */
    const char *name;
    double value;
} onnx_set;

typedef struct onnx_node {
    onnx_ctx *c;
    const Onnx__NodeProto *proto;
    const char *name, *type;
    op_kind op; /* to emit at the end; a lift sets it to OP_NONE when nothing is left to emit */
    int n_in, n_out;
    bool has_list;   /* an input is a sequence or an optional, in[] of no use */
    gr_id *in, *out; /* in has room for ONNX_IN_SPARE more inputs than the source has */
    bool *out_used;  /* per output: somebody reads it */
    bool *taken;     /* per attribute: a lift has dealt with it */
    onnx_set set[4]; /* applied after the node's own attributes */
    int n_set;
} onnx_node;
enum { ONNX_IN_SPARE = 4 };

vki_status onnx_fail(const onnx_node *n, const char *format, ...) VKB_PRINTF(2, 3); /* VKI_E_FORMAT */
/* Notes that the node cannot be taken and ends its import; VKI_OK or VKI_E_NOMEM. */
vki_status onnx_refuse(onnx_node *n, const char *format, ...) VKB_PRINTF(2, 3);
vki_status onnx_nomem(const onnx_ctx *c);

/* ---- inline.c: bodies as part of the graph ---- */
typedef struct onnx_body {
    const char *prefix; /* of its names */
    Onnx__NodeProto *const *nodes;
    Onnx__TensorProto *const *initializers;
    size_t n_nodes, n_initializers;
    int n_in, n_out;
    const char *const *in, *const *out; /* names */
    const gr_id *in_ids;                /* GR_NONE: not given, and not to be read */
    const onnx_list *const *in_lists;   /* NULL: a tensor */
    bool captures;                      /* a subgraph: it sees the names around it */
} onnx_body;
/* Imports the nodes of a body. out_ids and out_lists say what its outputs are. */
vki_status onnx_inline(onnx_ctx *c, const onnx_body *body, gr_id *out_ids, const onnx_list **out_lists);
/* Output i of the node is that tensor or list. */
vki_status onnx_forward(onnx_node *n, int i, gr_id id, const onnx_list *list);

/* ---- function.c ---- */
/* The function of the model that the node calls, or NULL. */
const Onnx__FunctionProto *onnx_function_of(const onnx_ctx *c, const Onnx__NodeProto *node);
vki_status onnx_call(onnx_node *n, const Onnx__FunctionProto *f); /* inlines it */

/* ---- issues.c ---- */
vki_status onnx_issue_add(onnx_ctx *c, const char *what, const char *node, const char *reason);
vki_status onnx_issues_report(const onnx_ctx *c); /* VKI_OK if there are none */

/* ---- attrs.c: reading marks the attribute as dealt with. Wrong type: VKI_E_FORMAT. Absent: *value stays
 * ---- */
const Onnx__AttributeProto *onnx_attr(onnx_node *n, const char *name); /* NULL if absent */
bool onnx_has_attr(const onnx_node *n, const char *name);              /* does not mark it */
vki_status onnx_attr_int(onnx_node *n, const char *name, int64_t *value);
vki_status onnx_attr_float(onnx_node *n, const char *name, float *value);
vki_status onnx_attr_text(onnx_node *n, const char *name, char *buffer, size_t size);
vki_status onnx_attr_ints(onnx_node *n, const char *name, const int64_t **values, int *count);
vki_status onnx_attr_floats(onnx_node *n, const char *name, const float **values, int *count);
vki_status onnx_attr_tensor(onnx_node *n, const char *name, const Onnx__TensorProto **value);
/* All attributes not dealt with yet, by the operator's op_info. Refuses the node if one is unknown. */
vki_status onnx_attrs_map(onnx_node *n, void *attrs);
bool onnx_attr_put(op_kind op, void *attrs, const char *name, double value); /* false: no such attribute */

/* ---- emit.c ---- */
vki_status onnx_emit(onnx_node *n);                               /* n->op with all that the lift left */
void onnx_set_attr(onnx_node *n, const char *name, double value); /* for onnx_emit; at most 4 */
void onnx_set_input(onnx_node *n, int i, gr_id id);               /* i < source inputs + ONNX_IN_SPARE */
/* Appends a helper node <name>/<suffix> with one new output. set: attributes, ended by a NULL name; may be
 * NULL. Inputs that are GR_NONE because memory ran out fail here, so that calls can be chained. */
gr_id onnx_helper(onnx_node *n, op_kind op, const char *suffix, int n_in, const gr_id *in,
                  const onnx_set *set);
gr_id onnx_unary(onnx_node *n, op_kind op, const char *suffix, gr_id a);
gr_id onnx_binary(onnx_node *n, op_kind op, const char *suffix, gr_id a, gr_id b);
/* A node of a composition that writes output i of the source node, if it is there. */
vki_status onnx_output(onnx_node *n, int i, op_kind op, int n_in, const gr_id *in, const onnx_set *set);
/* The last node of a composition: writes the source node's output. */
vki_status onnx_finish(onnx_node *n, op_kind op, int n_in, const gr_id *in);
gr_id onnx_const_ints(onnx_node *n, const char *suffix, const int64_t *values, int count);
gr_id onnx_const_floats(onnx_node *n, const char *suffix, int rank, const float *values, int count);

/* ---- lift.c, lift_*.c ---- */
vki_status onnx_lift(onnx_node *n);
typedef vki_status (*onnx_lift_fn)(onnx_node *n);
vki_status onnx_require_inputs(const onnx_node *n, int low); /* the first `low` are there */
vki_status lift_broadcast_axis(onnx_node *n);
vki_status lift_prelu(onnx_node *n);
vki_status lift_gemm(onnx_node *n);
vki_status lift_concat(onnx_node *n);
vki_status lift_selu(onnx_node *n);
vki_status lift_recurrent(onnx_node *n);
vki_status lift_reshape(onnx_node *n);
vki_status lift_tile(onnx_node *n);
vki_status lift_cast_name(onnx_node *n);
vki_status lift_upsample_1(onnx_node *n);
vki_status lift_lp_pool(onnx_node *n);
vki_status lift_slice(onnx_node *n);
vki_status lift_axes_input(onnx_node *n);
vki_status lift_split(onnx_node *n);
vki_status lift_split_input(onnx_node *n);
vki_status lift_pad(onnx_node *n);
vki_status lift_clip(onnx_node *n);
vki_status lift_tfidf(onnx_node *n);
vki_status lift_constant_of_shape(onnx_node *n);
vki_status lift_cast(onnx_node *n);
vki_status lift_cast_to(onnx_node *n, const char *name, int64_t to); /* to: ONNX's number of a type */
vki_status lift_dropout(onnx_node *n);
vki_status lift_batch_norm(onnx_node *n);
vki_status lift_softmax(onnx_node *n);
vki_status lift_upsample(onnx_node *n);
vki_status lift_upsample_input(onnx_node *n);
vki_status lift_resize_10(onnx_node *n);
vki_status lift_resize(onnx_node *n);
vki_status lift_variadic(onnx_node *n);
vki_status lift_log_sum_exp(onnx_node *n);
vki_status lift_topk(onnx_node *n);
vki_status lift_cast_like(onnx_node *n);
vki_status lift_eye_like(onnx_node *n);
vki_status lift_scatter(onnx_node *n);
vki_status lift_hardmax(onnx_node *n);
vki_status lift_nll_loss(onnx_node *n);
vki_status lift_softmax_loss(onnx_node *n);
vki_status lift_einsum(onnx_node *n);
vki_status lift_lp_normalization(onnx_node *n);
vki_status lift_mean_variance(onnx_node *n);
vki_status lift_group_norm(onnx_node *n);
vki_status lift_attention(onnx_node *n);
vki_status lift_rms_norm(onnx_node *n);
vki_status lift_swish(onnx_node *n);
vki_status lift_window(onnx_node *n);
vki_status lift_dft(onnx_node *n);
vki_status lift_grid_sample(onnx_node *n);
vki_status lift_roi_align(onnx_node *n);
vki_status lift_center_crop_pad(onnx_node *n);
bool lift_takes_lists(const char *type); /* sequences and optionals among its inputs */
vki_status lift_sequence(onnx_node *n);
vki_status lift_identity(onnx_node *n);
vki_status lift_if(onnx_node *n);
vki_status lift_loop(onnx_node *n);
vki_status lift_scan_8(onnx_node *n);
vki_status lift_scan(onnx_node *n);
vki_status lift_outputs(onnx_node *n); /* every output gets a tensor, even if nobody reads it */

#endif
