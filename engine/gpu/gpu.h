/* SPDX-License-Identifier: Apache-2.0
 * The GPU back end, device free: every operator family is a pure function (node, device limits) -> list of
 * dispatches as plain data. Nothing here includes vulkan.h; engine/vulkan/ turns the data into Vulkan
 * objects. engine/gpu/<family>.c defines `const gpu_op gpu_op_<family>`.
 *
 * Elements of a device tensor. Floats of every type are fp32, or fp16 where the plan stores half
 * (gpu_builder.half). Integers of every type and bool are 32-bit words in either case, sign- or zero-extended
 * (uint32 as it is), always in rows. An int64 or uint64 tensor is on the device only with values that int32
 * holds: uploads check them (transfer.c), kernels are chosen so that their results do (ranges.c).
 *
 * Layouts of a device tensor. GPU_ROW  dense row-major, as on the host. GPU_C4   rank >= 2, dims [N, C,
 * spatial...]: stored [N][ceil(C/4)][spatial][4], the last slice's unused lanes are finite (kernels may
 * multiply them by zero weights, never store NaN or Inf there). A tensor may exist in both layouts at once;
 * the builder inserts the conversion on demand, once. */
#ifndef GPU_GPU_H
#define GPU_GPU_H

#include "graph/cost.h"
#include "graph/ops/schema.h"
#include "shader_ids.h" /* generated: enum gpu_shader { SH_conv2d_1x1_f32, ... SH_COUNT } */

typedef enum gpu_layout { GPU_ROW = 0, GPU_C4 } gpu_layout;

typedef struct gpu_limits {   /* of a device, as plain data; gpu_limits_minimum is Vulkan 1.1's guaranteed
                                 minimum */
    uint64_t max_range;       /* bytes one storage buffer binding may span */
    uint32_t offset_align;    /* of a binding's offset */
    uint32_t max_invocations; /* of a workgroup */
    uint32_t max_group_size[3];
    uint32_t max_groups[3]; /* of a dispatch */
    uint32_t max_shared;    /* bytes */
    uint32_t max_texels;    /* of a texel buffer */
    uint32_t subgroup;      /* size; 0: unknown. A hint: never assume it */
    uint32_t vendor;        /* PCI id, for tables of start values */
    bool half_storage;      /* 16-bit storage buffers */
} gpu_limits;
extern const gpu_limits gpu_limits_minimum;
/* Limits of a kind of device, for plans without one: "minimum", "adreno", "mali", "nvidia"; NULL if there is
 * no such kind. */
const gpu_limits *gpu_limits_of(const char *kind);

enum { GPU_MAX_BINDINGS = 8, GPU_MAX_SPEC = 18, GPU_MAX_PUSH = 32 /* words: the guaranteed 128 bytes */ };

typedef enum gpu_space { GPU_SPACE_ARENA = 0, GPU_SPACE_WEIGHTS } gpu_space;
enum {
    GPU_READ = 1,
    GPU_WRITE = 2,
    GPU_TEXELS_F32 = 4, /* with GPU_READ: the shader declares a samplerBuffer, four elements a texel, */
    GPU_TEXELS_F16 = 8, /* (of fp16). Some devices read so several times faster */
    GPU_SAME = 16 /* with GPU_READ: were this the memory of an output of the same size, nothing would change:
                     an invocation reads only elements that it writes itself, later, or that its workgroup
                     writes behind a barrier; or the shader does not read the binding at all */
};

typedef struct gpu_bind {
    uint8_t space;          /* gpu_space */
    uint8_t access;         /* GPU_READ | GPU_WRITE | GPU_TEXELS_* */
    int32_t index;          /* of gpu_program.bufs or .weights */
    uint64_t offset, bytes; /* the part used, from the start of the buffer; bytes 0: to its end. Offsets are
                               multiples of gpu_limits.offset_align */
} gpu_bind;

typedef struct gpu_dispatch {
    gr_id node;      /* that it works for */
    uint16_t shader; /* enum gpu_shader */
    uint8_t n_bind, n_spec, n_push;
    bool converts; /* between layouts, for the node that wants the other one */
    uint64_t macs; /* of these the node's; a kernel sets them where its dispatches compute unlike amounts */
    gpu_bind bind[GPU_MAX_BINDINGS];    /* binding i of set 0 */
    uint64_t touched[GPU_MAX_BINDINGS]; /* bytes of it that are really read or written; 0: all */
    uint32_t spec[GPU_MAX_SPEC]; /* specialization constant i; they select code, so few values a network */
    uint32_t push[GPU_MAX_PUSH]; /* shapes and the like; floats as bits, see gpu_push_f32 */
    uint32_t groups[3];
    uint32_t base[3]; /* the first workgroup, of one of several parts of a dispatch */
    uint32_t parts;   /* their number; 0: it is whole */
    bool cut;         /* a submit of its own begins here */
} gpu_dispatch;

/* A buffer in the activation arena: a tensor in one layout, or scratch. */
typedef struct gpu_buf {
    gr_id tensor; /* GR_NONE: scratch */
    gpu_layout layout;
    uint64_t bytes;      /* gpu_layout_bytes rounded up to 16, so that kernels may read whole vectors */
    int32_t alias;       /* lies in that buffer, which has its own memory; -1: own memory (views) */
    uint64_t at;         /* of an alias: bytes from the start of that buffer, a multiple of 16 */
    int32_t first, last; /* dispatches that touch it; set by the planner */
    uint64_t offset;     /* of memory of its own: in the arena; set by the planner. See gpu_buf_offset */
} gpu_buf;

/* How weights are packed: dst gets `bytes` of the final form. Pure; `arg` is the key's second half. Half
 * storage: the pack function writes fp16 if arg->half. */
typedef struct gpu_pack_arg {
    uint32_t half;
    int32_t v[15];
} gpu_pack_arg;
typedef void (*gpu_pack_fn)(void *dst, const gr_tensor *source, const gpu_pack_arg *arg);

typedef struct gpu_weight {
    gr_id tensor; /* constant; GR_NONE: a table that `arg` says all about, packed from a NULL source */
    gpu_pack_fn pack;
    gpu_pack_arg arg;
    uint64_t bytes;
} gpu_weight;
static inline uint64_t gpu_weight_key(const gr_graph *g, gr_id tensor) /* equal keys, equal source */
{
    return tensor == GR_NONE ? 0 : g->tensors[tensor].const_key;
}

typedef struct gpu_program { /* what the builder makes */
    gpu_dispatch *dispatches;
    gpu_buf *bufs;
    gpu_weight *weights;
    int n_dispatches, cap_dispatches, n_bufs, cap_bufs, n_weights, cap_weights;
    int32_t *weight_slots; /* index of the weights, by hash; at most half full; -1: free */
    int n_weight_slots;    /* a power of two, or 0 */
} gpu_program;

typedef struct gpu_slot { /* a tensor's place in what a Concat makes, so that it need not be copied there */
    gr_id concat;         /* node; GR_NONE: the tensor gets memory of its own */
    int32_t part;         /* input of the Concat */
    gpu_layout layout;
} gpu_slot;

typedef struct gpu_range { /* of an integer tensor's values, both ends included */
    int64_t low, high;
} gpu_range;

typedef struct gpu_ranges { /* of one tensor */
    gpu_range real;         /* what the network makes of it, wherever it runs */
    gpu_range device;       /* if it is on the device */
} gpu_ranges;

enum { GPU_READ_ROWS = 1, GPU_READ_ANY = 2 }; /* readers that only take rows; others */

struct gpu_kernel;
typedef struct gpu_merge {           /* of a node that is emitted together with others (merges.c) */
    gr_id into;                      /* the node whose dispatches do this one's work; GR_NONE: its own */
    const struct gpu_kernel *kernel; /* emits it and the others, instead of its own; NULL: its own */
    gr_id first;                     /* what the kernel asks for: the first of the merged nodes */
} gpu_merge;

typedef struct gpu_builder {
    const gr_graph *g;
    const gpu_limits *limits;
    const vki_allocator *allocator;
    bool half; /* fp16 storage */
    gpu_program *program;
    int32_t *row_buf, *c4_buf; /* by tensor: its buffer in that layout, -1: none */
    gpu_merge *merges;         /* by node; NULL: nothing planned */
    gpu_slot *slots;           /* by tensor: where it is to be made; NULL: nothing planned (slots.c) */
    gpu_ranges *ranges;        /* by tensor; of integers and bool */
    uint8_t *readers;          /* by tensor: GPU_READ_*, of all nodes that read it */
    const bool
        *apart;   /* by node: parts of this Concat, Split or Slice are copied; NULL: none. The planner's */
    bool *shares; /* by node: parts of it are not copied; NULL: nobody asks. The planner's */
    gr_id node;   /* being emitted */
    vki_status failed; /* first failure; later calls do nothing */
    gpu_dispatch open; /* being written; joins the program when the next begins or the node ends */
    bool is_open;
    vki_error *err;
} gpu_builder;

enum { /* gpu_kernel.types */
       GPU_FLOATS = OP_FLOATS,
       GPU_INTEGERS = OP_INTEGERS | OP_BIT(VKI_BOOL),
       GPU_ANY = GPU_FLOATS | GPU_INTEGERS
};

typedef struct gpu_kernel {
    const char *name; /* "conv2d_1x1" */
    /* Shapes are concrete. *why (a static text) says what it cannot take. */
    bool (*fits)(const gpu_builder *b, const gr_node *n, const char **why);
    void (*emit)(gpu_builder *b, const gr_node *n); /* errors go to b->failed through gpu_fail */
    unsigned types; /* element types that its tensors may have, constants apart: bits by vki_dtype */
} gpu_kernel;

typedef struct gpu_op {
    const gpu_kernel *kernels; /* candidates, best first, ended by an entry without a name */
} gpu_op;

/* ---- registry.c ---- */
const gpu_op *gpu_op_of(op_kind op);
/* Whether the kernel takes the node; shapes are concrete. Beyond its own fits(): the element types, and that
 * int64 and uint64 results stay within what the device holds. */
bool gpu_takes(const gpu_builder *b, const gr_node *n, const gpu_kernel *kernel, const char **why);
/* The first kernel that takes the node, or NULL with the reason of the last one. Refuses by itself what no
 * kernel can have: tensors that are empty or exceed a binding. */
const gpu_kernel *gpu_choose(const gpu_builder *b, const gr_node *n, const char **why);

/* ---- builder.c: for the planner ---- */
vki_status gpu_builder_init(gpu_builder *b, const gr_graph *g, const gpu_limits *limits, bool half,
                            gpu_program *p, vki_error *err);
void gpu_builder_free(gpu_builder *b); /* not the program */
void gpu_program_free(gpu_program *p, const vki_allocator *a);
/* Emits one node with `kernel` (chosen by gpu_choose). VKI_E_*. */
vki_status gpu_emit(gpu_builder *b, gr_id node, const gpu_kernel *kernel);
/* Emits for a trial, with a builder and a program that are thrown away: kernels of later nodes are then
 * chosen by the layouts that there will be. What cannot be emitted fails in earnest, too. VKI_E_NOMEM. */
vki_status gpu_foresee(gpu_builder *b, gr_id node, const gpu_kernel *kernel);
int32_t gpu_tensor_buf(gpu_builder *b, gr_id tensor,
                       gpu_layout layout); /* its buffer, converted if need be; -1 on failure */
/* A buffer for the tensor's content in `layout`, which has none yet: in its slot or of its own. */
int32_t gpu_make_buf(gpu_builder *b, gr_id tensor, gpu_layout layout);
/* The tensor in `layout` is that part of buffer `of` which begins `at` bytes into it. */
int32_t gpu_make_alias(gpu_builder *b, gr_id tensor, gpu_layout layout, int32_t of, uint64_t at);

/* ---- merges.c: several nodes in one dispatch, where only the last one's output is wanted ---- */
typedef const gpu_kernel *(*gpu_kernel_of)(const void *user, gr_id node); /* the kernel that was chosen for
                                        the node, NULL if it is not on the device */
enum { GPU_MERGE_SEPARABLE = 1, GPU_MERGE_SHUFFLE = 2, GPU_MERGE_CHAIN = 4, GPU_MERGE_SQUEEZE = 8 };
/* Plans the merges of these kinds; before gpu_plan_slots. VKI_E_NOMEM. */
vki_status gpu_plan_merges(gpu_builder *b, unsigned kinds, gpu_kernel_of kernel_of, const void *user,
                           vki_error *err);

/* ---- slots.c: parts of tensors without copies ---- */
/* Finds the tensors that are made straight into the output of the Concat that reads them. VKI_E_NOMEM. */
vki_status gpu_plan_slots(gpu_builder *b, gpu_kernel_of kernel_of, const void *user, vki_error *err);
/* If the tensor has a slot in `layout` that can be had: its buffer there; else -1. */
int32_t gpu_slot_buf(gpu_builder *b, gr_id tensor, gpu_layout layout);
/* Part i of a Concat lies in its place already, in `layout`. */
bool gpu_in_place(gpu_builder *b, const gr_node *concat, int i, gpu_layout layout);
/* Makes output i of a Split, or the output of a Slice, a part of its input's memory; false: needs a copy. */
bool gpu_part_view(gpu_builder *b, const gr_node *n, int i, gpu_layout layout);

/* ---- builder.c: for kernels. All of them do nothing once b->failed is set. ---- */
void gpu_fail(gpu_builder *b, vki_status code, const char *format, ...) VKB_PRINTF(3, 4);
gpu_bind gpu_in(gpu_builder *b, const gr_node *n, int i, gpu_layout layout); /* input i in `layout`. A
                                              constant input is put among the weights in that layout */
gpu_bind gpu_out(gpu_builder *b, const gr_node *n, int i,
                 gpu_layout layout); /* makes output i's buffer in `layout` */
gpu_bind gpu_scratch(gpu_builder *b, uint64_t bytes);
gpu_bind gpu_pack(gpu_builder *b, gr_id tensor, gpu_pack_fn pack, gpu_pack_arg arg, uint64_t bytes);
void gpu_alias(gpu_builder *b, const gr_node *n); /* output 0 is input 0's memory (views): in rows, or as the
                                                   input lies if it has the same shape */
bool gpu_has_layout(const gpu_builder *b, gr_id tensor,
                    gpu_layout layout); /* exists already, so reading it so is free */

/* Starts a dispatch; the pointer is valid until the next gpu_dispatch_begin. Never NULL. Conversions that
 * gpu_in asks for meanwhile come before it. */
gpu_dispatch *gpu_dispatch_begin(gpu_builder *b, enum gpu_shader shader);
#define GPU_SHADER(b, name) ((b)->half ? SH_##name##_f16 : SH_##name##_f32)
/* The variant that touches elements of `dtype`: of shaders that move words without looking at them. */
#define GPU_SHADER_OF(b, dtype, name) ((b)->half && gpu_is_float(dtype) ? SH_##name##_f16 : SH_##name##_f32)
/* The variant that computes with elements of `dtype`: of shaders that have one for integers. */
#define GPU_SHADER_BY(b, dtype, name) (gpu_is_float(dtype) ? GPU_SHADER(b, name) : SH_##name##_i32)
void gpu_dispatch_append(gpu_builder *b, const gpu_dispatch *d);   /* for builder.c: before the open one */
void gpu_bind_add(gpu_dispatch *d, gpu_bind bind, uint8_t access); /* next binding */
void gpu_touches(gpu_dispatch *d, int64_t bytes); /* of the last binding: no more than that is touched */
void gpu_spec(gpu_dispatch *d, uint32_t value);   /* next specialization constant */
void gpu_push(gpu_dispatch *d, int64_t value);    /* next word, as int32 (checked) */
void gpu_push_f32(gpu_dispatch *d, float value);
/* Workgroups to cover (x, y, z) invocations by groups of (lx, ly, lz), which also become specialization
 * constants 0, 1, 2 (call it before gpu_spec). Fails if over the limits: kernels loop or fold dimensions. */
void gpu_grid(gpu_builder *b, gpu_dispatch *d, int64_t x, int64_t y, int64_t z, uint32_t lx, uint32_t ly,
              uint32_t lz);
/* The same for a flat range of `count` invocations in workgroups of 64, folded into x and y
 * (shaders/lib/flat.glsl). */
void gpu_grid_flat(gpu_builder *b, gpu_dispatch *d, int64_t count);
/* The node's epilogue in the form of shaders/lib/epilogue.glsl: two specialization constants (act, residual),
 * two push words (alpha, beta), and the residual's binding (or `dummy` where there is none). */
void gpu_epilogue(gpu_builder *b, gpu_dispatch *d, const gr_node *n, gpu_layout layout, gpu_bind dummy);
/* Output 0 of a kernel that works in slices in the form of shaders/lib/store.glsl, in rows if all readers
 * want these: one specialization constant, two bindings and a push word, each the last of its kind. */
void gpu_out_channels(gpu_builder *b, gpu_dispatch *d, const gr_node *n, int64_t channels);

/* ---- layout.c: sizes of a tensor in a layout; float constants packed into a layout ---- */
bool gpu_is_float(vki_dtype dtype); /* float32 and float16, on the device fp32, or fp16 where the plan stores
                                       half; and constants of float64 */
bool gpu_is_integer(vki_dtype dtype); /* integers and bool: words on the device */
uint64_t gpu_element_bytes(vki_dtype dtype, bool half);
uint64_t gpu_layout_bytes(const gr_tensor *t, gpu_layout layout, bool half); /* exact; shape is concrete */
void gpu_c4_dims(const gr_tensor *t, int64_t *n, int64_t *c, int64_t *slices, int64_t *spatial);
bool gpu_layouts_agree(const gr_tensor *t); /* the same bytes in both layouts */
void gpu_pack_row(void *dst, const gr_tensor *source, const gpu_pack_arg *arg); /* bytes rounded up to 16 */
void gpu_pack_c4(void *dst, const gr_tensor *source, const gpu_pack_arg *arg);
float gpu_const_f32(const gr_tensor *t, int64_t i); /* element i of a float constant: for pack functions */

int64_t gpu_const_i64(const gr_tensor *t, int64_t i); /* element i of an integer constant */

/* ---- transfer.c: between the host's form of a tensor and the device's rows ---- */
/* The index of the first element that the device cannot hold (nothing behind it is written), or -1. */
int64_t gpu_to_device(void *device, const void *host, const gr_tensor *t, bool half);
void gpu_to_slices(void *device, const void *host, const gr_tensor *t, bool half);   /* floats, to GPU_C4 */
void gpu_from_slices(void *host, const void *device, const gr_tensor *t, bool half); /* floats, from GPU_C4 */
void gpu_from_device(void *host, const void *device, const gr_tensor *t, bool half);

/* ---- ranges.c: which 64-bit integers are known to fit into the device's words ---- */
void gpu_ranges_find(gpu_builder *b);
/* Whether the node's int64 and uint64 results fit if its inputs are on the device. */
bool gpu_results_fit(const gpu_builder *b, const gr_node *n, const char **why);
/* Whether sums over the reduced dimensions of a reduction of integers stay within int32. */
bool gpu_sum_fits(const gpu_builder *b, const gr_node *n);
/* Whether input i, if it is a constant of integers, can be read by a kernel. */
bool gpu_const_fits(const gpu_builder *b, const gr_node *n, int i, const char **why);

/* ---- lifetime.c ---- */
/* Sets first and last of every buffer with memory of its own from the bindings, aliases included. Buffers
 * that no dispatch touches get first = 0, last = -1. */
void gpu_program_lifetimes(gpu_program *p);
uint64_t gpu_buf_offset(const gpu_program *p, int32_t buf); /* in the arena, once that is laid out */

/* ---- in_place.c ---- */
/* Gives outputs of dispatches the place of inputs that are read for the last time then (GPU_SAME), where
 * sizes agree; after the lifetimes are known. held, by buffer with memory of its own: its content is wanted
 * after the last dispatch that touches it; updated. Returns how many moved. */
int gpu_program_in_place(gpu_program *p, bool *held);

/* ---- hazard.c: which dispatches need a barrier before them ---- */
typedef struct gpu_access {
    uint64_t offset, bytes; /* in the arena */
    bool write;
} gpu_access;
/* The part of the arena that a binding spans, once the arena is laid out. */
void gpu_arena_range(const gpu_program *p, const gpu_bind *bind, uint64_t *offset, uint64_t *bytes);
/* What a dispatch touches in the arena: up to GPU_MAX_BINDINGS entries; returns their number. */
int gpu_accesses(const gpu_program *p, const gpu_dispatch *d, gpu_access *out);
/* A barrier is needed if a range touched since the last barrier overlaps one touched now and either is
 * written (a full memory dependency: write-after-read needs one too on some drivers). */
typedef struct gpu_hazards gpu_hazards;
vki_status gpu_hazards_create(const vki_allocator *a, gpu_hazards **out, vki_error *err);
void gpu_hazards_destroy(gpu_hazards **h);
void gpu_hazards_clear(gpu_hazards *h); /* after a barrier of another origin */
vki_status gpu_hazards_step(gpu_hazards *h, const gpu_access *accesses, int count, bool *barrier,
                            vki_error *err);
/* Barriers within a command buffer of dispatches first .. first + count - 1; adds to *barriers. VKI_E_NOMEM.
 */
vki_status gpu_count_barriers(const gpu_program *p, int first, int count, const vki_allocator *a,
                              int *barriers, vki_error *err);

/* ---- cost.c ---- */
const cost_rates *gpu_rates(const gpu_limits *limits);                    /* of such a device; never NULL */
cost_work gpu_dispatch_work(const gpu_program *p, const gpu_dispatch *d); /* arithmetic and bytes */
/* Estimated microseconds of dispatch d of p, its launch included. */
double gpu_dispatch_cost(const gpu_program *p, const gpu_dispatch *d, const gpu_limits *limits);
/* For gpu_emit: shares the node's multiply-accumulates out to its dispatches, which begin at `first`: those
 * that say none get what is left, by invocations. */
void gpu_share_macs(gpu_builder *b, gr_id node, int first);

/* ---- schedule.c: independent dispatches without barriers between them ---- */
typedef struct gpu_order {
    int32_t dispatch;   /* the one that comes here */
    int32_t begin, end; /* first and last position of its interval, in which nothing depends on each other */
} gpu_order;
/* An order of dispatches first .. first + count - 1, at these positions of `out`. window: how many ahead of
 * the first that waits may be drawn into an interval. *intervals: their number. VKI_E_NOMEM. */
vki_status gpu_schedule(const gpu_program *p, int first, int count, int window, const vki_allocator *a,
                        gpu_order *out, int *intervals, vki_error *err);

/* ---- submits.c: work in pieces of bounded length, so that others get their turn on the device ---- */
/* The bound of a kind of device, in estimated microseconds; 0: none. */
uint32_t gpu_max_submit_us(const gpu_limits *limits);
/* Makes `parts` dispatches of one, which is whole; fewer, if it has fewer workgroups along the dimension that
 * can be split, or cannot be split at all. VKI_E_NOMEM. */
vki_status gpu_split(gpu_program *p, int dispatch, uint32_t parts, const vki_allocator *a, vki_error *err);
/* Splits dispatches from `first` on that are estimated to take longer into parts. VKI_E_NOMEM. */
vki_status gpu_split_long(gpu_program *p, int first, const gpu_limits *limits, uint32_t max_us,
                          const vki_allocator *a, vki_error *err);
/* Marks where a submit has to begin among dispatches first .. first + count - 1, in their final order. */
void gpu_cut_submits(gpu_program *p, int first, int count, const gpu_limits *limits, uint32_t max_us);

/* ---- dispatch.c ---- */
bool gpu_same_pipeline(const gpu_dispatch *a, const gpu_dispatch *b); /* one pipeline serves both */
int gpu_count_pipelines(const gpu_program *p);                        /* distinct ones */

#endif
