/* SPDX-License-Identifier: Apache-2.0
 * The engine's middle: contexts, models, sessions and their plans. Internal; the public calls stand in the
 * files of what they act on.
 *
 * A plan is a clone of the model's graph with concrete shapes, cut into segments that run on one place each.
 * Host memory of a plan is one arena; device memory is the Vulkan plan's arena. */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdatomic.h>

#include "base/store.h"
#include "cpu/cpu.h"
#include "graph/passes/pass.h"
#include "vulkan/vkr.h"

struct vki_context {
    atomic_int references; /* the creator's, and one a model */
    vki_allocator allocator;
    vki_log_fn log;
    void *log_user;
    vkr_device *device;            /* NULL: CPU, or plans only */
    const gpu_limits *limits;      /* of the device or of the kind planned for; NULL: CPU */
    bool unified;                  /* the host reads and writes device memory itself */
    bool chosen;                   /* the device was by us, not by the caller */
    struct ses_verdicts *verdicts; /* NULL without a device; choice.h */
    vki_device_info info;
};

/* ---- cpu_weights.c: packed weights of the CPU kernels, shared by all sessions of a model; thread safe ----
 */
typedef struct ses_cpu_weights ses_cpu_weights;
vki_status ses_cpu_weights_create(const vki_allocator *a, ses_cpu_weights **out, vki_error *err);
void ses_cpu_weights_destroy(ses_cpu_weights **w);
/* The packed form that `prep` asks for, made on first use. Lives as long as `w`. What is packed in parts
 * leaves `spent` (NULL: nothing) on the way. VKI_E_NOMEM. */
vki_status ses_cpu_weights_get(ses_cpu_weights *w, const cpu_prep *prep, vkb_store *spent, const void **out,
                               vki_error *err);
uint64_t ses_cpu_weights_bytes(ses_cpu_weights *w);
bool ses_cpu_weights_have(ses_cpu_weights *w, const cpu_prep *prep); /* so that it takes no more bytes */
uint64_t ses_cpu_weights_key(const cpu_prep *prep);                  /* equal: one packed form serves both */

struct vki_model {
    atomic_int references; /* the creator's, and one a session */
    vki_context *context;
    vkb_store *constants; /* what they point into, if the model was loaded from a file; NULL */
    gr_graph source;      /* as loaded: what reference sessions run */
    gr_graph optimized;   /* after the passes that need no shapes; shares constants with `source` */
    double load_ms;
    vkr_weights *device_weights; /* NULL on the CPU */
    ses_cpu_weights *cpu_weights;
};

/* ---- constants.c: what plans read of the model's constants ---- */
typedef struct ses_held {
    const void **data;
    int count, capacity;
} ses_held;
/* While a plan is made of the graph; the bodies' constants too. *held is zero before. VKI_E_NOMEM. */
vki_status ses_hold(vkb_store *constants, const gr_graph *g, ses_held *held, vki_error *err);
void ses_unhold(vkb_store *constants, const vki_allocator *a, ses_held *held);
void ses_keep_all(vkb_store *constants, const gr_graph *g); /* who runs the graph reads them */

/* ---- plan.c ---- */
typedef struct ses_options { /* of a session, resolved */
    vki_placement placement; /* GPU_FIRST is AUTO here */
    bool islands;            /* small parts go where their neighbours are, see islands.c */
    const char *choice;      /* why the placement is so, if the session chose it; NULL */
    bool half, profile, reference, keep;
    int threads, in_flight;
    uint32_t max_submit_us; /* 0: none */
    uint64_t memory_limit;
    const char *disable_passes;
    const char *cpu_affinity; /* NULL: none */
    vki_weights weights;
    bool half_math, bf16; /* of products on the CPU: fp16 or, so said, bf16 */
    int packed_percent;
} ses_options;

#define SES_NOWHERE UINT64_MAX

typedef struct ses_step { /* one node on the CPU */
    gr_id node;
    const cpu_kernel *kernel; /* NULL: the reference, or nothing to do for a view */
    cpu_prep *prep;           /* in the graph's arena; NULL for a view */
    cpu_call call;
    uint64_t scratch_at;   /* in the host arena; SES_NOWHERE: none */
    int64_t plane_step;    /* of cpu_call */
    uint64_t weight_bytes; /* packed, read instead of the node's constants; 0: none */
    double us;
} ses_step;

typedef struct ses_crossing { /* a tensor that goes between host and device at a segment's edge */
    gr_id tensor;
    vkr_transfer transfer;
    gpu_layout layout; /* of the device's side */
} ses_crossing;

typedef struct ses_segment {
    bool gpu;
    int first, count; /* nodes, as indices into graph.nodes */
    int first_dispatch, n_dispatches;
    ses_crossing *uploads, *downloads; /* gpu: before and after; inputs and outputs of the graph among them */
    int n_uploads, cap_uploads, n_downloads, cap_downloads;
    bool waits; /* cpu: reads what the GPU segment before it makes; else both run at once */
} ses_segment;

typedef struct ses_place { /* of one node */
    bool gpu, view;
    const char *merged;    /* by what it is reported, of a view since another node's CPU kernel does its work;
                              NULL: it is not */
    const gr_node *before; /* the node whose work this one's CPU kernel does too; NULL: none */
    const gr_node *after;  /* a mean over its output that this one's CPU kernel gives too; NULL: none */
    const gpu_kernel *kernel; /* gpu */
    const char *reason;       /* never NULL */
    int n_dispatches;         /* that work for it, wherever they stand among the others */
} ses_place;

typedef struct ses_bond { /* a tie whose two ends are tensors of one plan */
    gr_id output, input;
    int tie;        /* of the session */
    bool on_device; /* carried by the plan's commands; else the session does it */
    vkr_transfer from, to;
    int segment; /* where the device has memory of its own: the device's segment that uploads the input */
} ses_bond;

typedef struct ses_reserve { /* memory for all plans of ranges of shapes (range.c) */
    uint64_t host_bytes, arena_bytes, staging_bytes;
    void *host;
    vkr_memory *device;
    bool measuring; /* plans are not made, they only tell what they need */
} ses_reserve;

typedef struct ses_plan {
    const vki_allocator *allocator;
    vki_model *model;
    const ses_options *options;
    gr_graph graph;
    ses_place *places; /* by node */
    ses_segment *segments;
    int n_segments, cap_segments;

    /* host side: by tensor, its address or NULL; views share */
    void **host;
    int64_t **dims; /* by tensor: of outputs whose shapes depend on values, those of the last run (the graph
                       has the largest); else NULL. NULL: there are none */
    uint64_t *host_at;    /* by tensor: offset in the host arena, SES_NOWHERE */
    bool host_needed;     /* there is one, maybe of no bytes */
    bool thrifty;         /* CPU kernels that take the least memory instead of the fastest */
    ses_reserve *reserve; /* the session's, whose memory it uses as far as that suffices; NULL */
    void *host_arena;     /* tensors, and the scratch of the CPU's kernels */
    ses_step *steps;      /* CPU nodes, in order */
    int n_steps;
    uint64_t host_bytes, host_lower_bound, cpu_constant_bytes;

    ses_bond *bonds; /* in the graph's arena */
    int n_bonds;

    /* device side */
    gpu_program program;
    ses_crossing **down; /* by tensor: where it can be read after its segment, or NULL */
    vkr_plan *device;
    uint64_t arena_bytes, arena_lower_bound, staging_bytes;
    int barriers, pipelines; /* distinct ones of this plan */
    double plan_ms;
    double *dispatch_us;

    int slots; /* sets of inputs and outputs in staging memory, for as many runs in flight; 1: only these */
    uint64_t slot_bytes; /* of one in staging memory */
    bool unified;        /* the host writes and reads the arena itself */
} ses_plan;

/* Takes the graph over, whose shapes are all concrete, leaving it empty; start_ms: when planning began.
 * `bonds` lie in its arena. `slots`: wanted; a plan that is not one stretch on the device has one. `model`
 * and `options` must outlive the plan. On failure *out is NULL. */
vki_status ses_plan_create(vki_model *model, const ses_options *options, gr_graph *graph, ses_bond *bonds,
                           int n_bonds, int slots, ses_reserve *reserve, double start_ms, ses_plan **out,
                           vki_error *err);
void ses_plan_destroy(ses_plan **plan);
uint64_t ses_plan_own_bytes(const ses_plan *p); /* activations and staging that are not in the reserve */
uint64_t
ses_plan_weight_bytes(const ses_plan *p); /* the model's packed weights, and constants used as they are */
bool ses_plan_is_view(const ses_plan *p, gr_id node); /* costs nothing on the CPU */
/* read[tensor] = a node on the CPU reads it; cleared before. */
void ses_find_cpu_reads(const ses_plan *p, bool *read);

/* ---- place.c: where each node runs, and the segments that makes ---- */
vki_status ses_place_nodes(ses_plan *p, vki_error *err);

/* ---- order.c ---- */
vki_status ses_order_nodes(ses_plan *p, vki_error *err); /* once all are placed. VKI_E_NOMEM */

/* ---- islands.c ---- */
/* Moves small parts to where their neighbours are, if the cost model says so; views follow later. kernels: by
 * node, for the device, NULL if it cannot run there. VKI_E_NOMEM. */
vki_status ses_move_islands(ses_plan *p, const gpu_kernel *const *kernels, vki_error *err);

/* Both sides are planned first: afterwards it is known to the byte what they take. Then they are made. */
/* ---- device_plan.c: dispatches and commands of the GPU segments ---- */
vki_status ses_device_plan(ses_plan *p, vki_error *err);
vki_status ses_device_make(ses_plan *p, vki_error *err);
static inline vkr_transfer ses_transfer_of(const ses_plan *p, const ses_crossing *c, int slot)
{
    vkr_transfer t = c->transfer;
    t.staging_offset += (uint64_t)slot * p->slot_bytes;
    return t;
}

/* ---- traffic.c ---- */
typedef struct ses_traffic {
    uint64_t read, written, transfers; /* bytes of all nodes; and between host and device */
    uint64_t lower_bound;              /* of read + written: weights, and the network's inputs and outputs */
    int submits;
    double us; /* estimated for a run */
} ses_traffic;
/* By node, with its estimated microseconds. */
void ses_nodes_work(const ses_plan *p, cost_work *work, double *us);
ses_traffic ses_plan_traffic(const ses_plan *p, const cost_work *work, const double *us); /* of all */
/* The same from operator and shapes alone: for decisions before anything is emitted. */
double ses_guess_us(const ses_plan *p, gr_id node, const cost_rates *rates);

/* ---- device_memory.c ---- */
/* Lifetimes of all buffers, and outputs in the place of inputs. */
vki_status ses_device_lifetimes(ses_plan *p, vki_error *err);
/* What lives together at most, and the dispatch at which it does. */
vki_status ses_device_peak(const ses_plan *p, uint64_t *bytes, int32_t *step, vki_error *err);
/* Lifetimes alone, for the present order of the dispatches. */
void ses_device_touch(ses_plan *p);
vki_status ses_device_lay_out(ses_plan *p, vki_error *err);

/* ---- device_order.c: the order of the dispatches, and their memory ---- */
vki_status ses_device_order(ses_plan *p, vki_error *err);

/* ---- host_plan.c: kernels of the CPU segments ---- */
void ses_host_merge(ses_plan *p); /* host_merge.c; before ses_host_plan */
vki_status ses_host_plan(ses_plan *p, vki_error *err);
/* Prepares the first kernel that fits, of those that can pack less in that form, if `lean`; the thrifty plan
 * takes the one with the least scratch and packed weights. plan_step: for the plan, which notes why. */
vki_status ses_host_choose(ses_plan *p, ses_step *step, bool lean, vki_error *err);
vki_status ses_host_plan_step(ses_plan *p, ses_step *step, bool lean, vki_error *err);
/* lean.c: kernels that pack less, as many as it takes to stay within options->packed_percent. */
vki_status ses_host_lean(ses_plan *p, vki_error *err);
/* constants.c: before weights are packed. What the kernels read where it lies stays there. */
void ses_keep_read(const ses_plan *p);
uint64_t ses_spent_bytes(const ses_step *step); /* what nothing but packing its weights reads */
/* Of a step that is being made: where its constants leave memory, if no step that is still to be made packs
 * the same (ses_spent_from: else NULL), while or once they are packed. */
vkb_store *ses_spent_from(const ses_plan *p, const ses_step *step);
void ses_release_spent(const ses_plan *p, const ses_step *step);
vki_status ses_host_make(ses_plan *p, vki_error *err);
void ses_host_forget(ses_plan *p); /* what ses_host_plan did */
/* How the node's weights are kept, if the session asks for another way than fp32: narrow: that way; else why
 * not. NULL: nothing to say. step: the node's, NULL on the device. */
const char *ses_storage_text(const ses_plan *p, gr_id node, const ses_step *step, bool *narrow);
/* Why a product on the CPU is not in fp16 arithmetic, if the session asks for it; NULL: nothing to say. */
const char *ses_half_text(const ses_plan *p, gr_id node, const ses_step *step);

/* ---- host_memory.c ---- */
vki_status ses_host_lay_out(ses_plan *p, vki_error *err); /* needs the steps' kernels */
vki_status ses_host_bind(ses_plan *p, vki_error *err);    /* allocates, and gives all tensors addresses */

/* ---- run.c ---- */
typedef struct ses_watch { /* what ends a run early */
    double deadline_ms;    /* of vkb_now_ms(); 0: none */
    atomic_bool *cancelled;
} ses_watch;
/* VKI_E_TIMEOUT, VKI_E_CANCELLED. */
vki_status ses_watch_check(const ses_watch *w, vki_error *err);
uint64_t ses_watch_ns(const ses_watch *w); /* what is left, for a call that waits; 0: no limit */

vki_status ses_run(ses_plan *p, vkb_pool *pool, const ses_watch *watch, vki_error *err);
/* Host values of a tensor into and out of wherever it lives, in a slot of the plan. `bytes` is checked by the
 * caller. VKI_E_UNSUPPORTED: a 64-bit integer that the device cannot hold. */
vki_status ses_write_input(ses_plan *p, gr_id tensor, int slot, const void *data, vki_error *err);
/* The value that slot `from` has becomes that of slot `to`: of plans with several slots. */
void ses_copy_input(ses_plan *p, gr_id tensor, int from, int to);
bool ses_readable(const ses_plan *p, gr_id tensor);
gr_tensor ses_actual(const ses_plan *p,
                     gr_id tensor); /* the tensor, in the shape that the last run gave it */
const void *ses_host_data(const ses_plan *p, gr_id tensor); /* NULL: it has to be read from the device */
void ses_read(const ses_plan *p, gr_id tensor, int slot, void *data);

typedef struct ses_stage ses_stage;     /* stage.h */
typedef struct ses_flights ses_flights; /* flight.h */
typedef struct ses_result {             /* where an output of the network is */
    ses_stage *stage;
    int output; /* of the stage's graph */
} ses_result;

typedef struct ses_tie {
    int output, input; /* of the model */
    bool given;        /* the caller wrote the input: it holds for the next run */
    void *value;       /* between reading all outputs and writing all inputs */
    uint64_t capacity;
} ses_tie;

typedef struct ses_verdicts ses_verdicts;
typedef struct ses_choice { /* between device and CPU, choice.h */
    bool open, settled;     /* left to the session; it has decided before */
    bool islands;           /* so is where small parts run */
    int budget_ms;          /* below 0: by estimates alone */
    uint64_t key;           /* of the last verdict */
    char text[128];
} ses_choice;

struct vki_session {
    vki_model *model;
    ses_options options;
    ses_choice choice;
    char *disable_passes, *cpu_affinity; /* owned copies */
    vkb_pool *pool;
    ses_plan *plan;     /* the root's; NULL until all input shapes are known */
    ses_stage *root;    /* for the present shapes */
    ses_stage *last;    /* the end of the last run, kept as it was left; NULL if there is nothing to read */
    ses_stage **stages; /* all that are kept */
    int n_stages, cap_stages;
    uint64_t clock, run; /* count uses of stages, and runs */
    ses_result *results; /* by output of the model, of the last run */
    bool *written;       /* by input */
    ses_tie *ties;
    int n_ties;
    double first_run_ms;
    ses_flights *flights;
    vki_shape *shapes; /* by input: rank -1 until known; .input points into the model */
    vki_range *ranges; /* by input: rank -1: none; NULL: no input has one */
    ses_reserve *reserve;
};

/* ---- range.c ---- */
vki_status ses_ranges_init(vki_session *s, const vki_session_options *o,
                           vki_error *err); /* after the shapes */
/* VKI_E_SHAPE names what is outside. `shapes`: by input. */
vki_status ses_ranges_check(const vki_session *s, const vki_shape *shapes, vki_error *err);
vki_status ses_ranges_reserve(vki_session *s, const vki_shape *shapes,
                              vki_error *err); /* before the first plan */
void ses_reserve_measure(ses_reserve *r, const ses_plan *p);
uint64_t ses_reserve_bytes(const ses_reserve *r); /* r may be NULL */
void ses_reserve_free(vki_session *s);            /* and the ranges; once there is no plan */

/* ---- parts.c ---- */
typedef struct ses_parts {
    void *user;
    gr_id nodes;
    bool *apart;  /* by node: its parts are copied; all false to begin with. What is settled */
    bool *shares; /* by node, as measured last: its parts are not copied */
    int most_tries;
    /* Lays out what `apart` says: the most that lives at once, and when. */
    vki_status (*measure)(void *user, uint64_t *bytes, int32_t *peak);
    bool (*matters)(const void *user, gr_id node, int32_t step); /* the node's whole is alive at that step */
} ses_parts;
/* Ends with what was settled measured last. Errors: those of `measure`. */
vki_status ses_settle_parts(const ses_parts *search);

/* ---- tie.c ---- */
vki_status ses_ties_init(vki_session *s, const vki_session_options *o, vki_error *err);
void ses_ties_free(vki_session *s);
/* Before a plan is made: the bonds of the graph of the root stage, whose outputs are these of the network. */
vki_status ses_bonds_find(const vki_session *s, gr_graph *g, const int *yields, int n_yields, ses_bond **out,
                          int *count, vki_error *err);
/* Which bonds the device carries, once every segment is emitted. */
void ses_bonds_settle(ses_plan *p, const bool *read_on_cpu);
ses_bond *ses_bond_of(const ses_plan *p, gr_id input); /* one that the device carries; NULL */
/* Whether the stage that is to become the root can have the ties; makes room for their values. */
vki_status ses_ties_check(vki_session *s, const ses_stage *root, vki_error *err);
vki_status ses_ties_reset(vki_session *s, vki_error *err);
vki_status ses_ties_carry(vki_session *s, vki_error *err); /* before a run, while the last is readable */
void ses_ties_given(vki_session *s, int input);

/* ---- context.c, model.c: reference counts ---- */
void ses_context_release(vki_context *context);
void ses_model_release(vki_model *model);
void ses_describe(const gr_graph *g, gr_id tensor, vki_tensor_info *out);
extern const gr_evaluator ses_evaluator; /* the CPU reference */

#endif
