/* SPDX-License-Identifier: Apache-2.0
 *
 * vkinfer: neural network inference on Vulkan and on the CPU.
 *
 * Life of a program: vki_context_create -> vki_model_load_file -> vki_session_create -> (vki_session_write ->
 * vki_session_run -> vki_session_read)* -> vki_session_destroy, vki_model_destroy, vki_context_destroy.
 *
 * Conventions, for every call:
 *  - A call returns VKI_OK or another vki_status. `err` may be NULL; if not, it is written on failure only.
 *  - Option structs start with `size` = sizeof(struct); all other members zero are valid defaults. A NULL
 * pointer to options means all defaults.
 *  - Handles are reference counted by their children: destroying a context or model before its models or
 * sessions is allowed; the memory goes with the last child. Destroyers take the handle's address, set it to
 * NULL, and accept NULL.
 *  - The library never prints, exits or aborts, and keeps no global state.
 *  - Tensors are dense, row-major, in host byte order, dimensions outermost first (N, C, H, W for images).
 */
#ifndef VKINFER_H
#define VKINFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VKI_API_VERSION 3 /* grows by one with each change of this header */
#define VKI_MAX_RANK    8

#if defined(VKI_BUILDING) && defined(__GNUC__)
#define VKI_API __attribute__((visibility("default")))
#else
#define VKI_API
#endif

typedef enum vki_status {
    VKI_OK = 0,
    VKI_E_ARG,         /* an argument is NULL, out of range or contradicts another */
    VKI_E_NOMEM,       /* host or device memory is exhausted */
    VKI_E_IO,          /* a file cannot be opened, read or written */
    VKI_E_FORMAT,      /* a file's content is damaged or not what it claims to be */
    VKI_E_UNSUPPORTED, /* valid, but this build or device cannot do it */
    VKI_E_SHAPE,       /* shapes or types do not fit together */
    VKI_E_NO_DEVICE,   /* no usable Vulkan device */
    VKI_E_DEVICE,      /* the Vulkan driver reported an error */
    VKI_E_DEVICE_LOST, /* the Vulkan device was lost; the context is unusable */
    VKI_E_TIMEOUT,     /* the time given ran out; the run may still be going on */
    VKI_E_STATE,       /* the call comes at the wrong time (shapes not set, outputs not computed) */
    VKI_E_INTERNAL,    /* a defect of vkinfer; please report it with the text */
    VKI_E_CANCELLED    /* the run was given up: vki_session_cancel, or the session was destroyed */
} vki_status;

/* Caller-owned. `text` is one English sentence or more: what is wrong, with the value, and what to do. */
typedef struct vki_error {
    vki_status code;
    char node[96]; /* name of the node concerned, or "" */
    char op[32];   /* its operator, or "" */
    char text[768];
} vki_error;

/* Element types. Values are stored in files and never change. */
typedef enum vki_dtype {
    VKI_DT_NONE = 0,
    VKI_F32 = 1,
    VKI_U8 = 2,
    VKI_I8 = 3,
    VKI_U16 = 4,
    VKI_I16 = 5,
    VKI_I32 = 6,
    VKI_I64 = 7,
    VKI_BOOL = 9, /* one byte, 0 or 1 */
    VKI_F16 = 10,
    VKI_F64 = 11,
    VKI_U32 = 12,
    VKI_U64 = 13,
    VKI_BF16 = 16 /* inputs and outputs of networks; what is computed of them is float32 */
} vki_dtype;

/* Memory functions of the caller's. `alloc` returns memory aligned to `align` (a power of two) or NULL;
 * `free` gets what alloc returned, never NULL. Both may be called from any thread that calls the library. */
typedef struct vki_allocator {
    void *user;
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*free)(void *user, void *ptr);
} vki_allocator;

typedef enum vki_log_level { VKI_LOG_ERROR = 0, VKI_LOG_WARNING, VKI_LOG_INFO, VKI_LOG_DEBUG } vki_log_level;
typedef void (*vki_log_fn)(void *user, vki_log_level level, const char *text);

typedef enum vki_device_kind {
    VKI_DEVICE_CPU = 0,
    VKI_DEVICE_GPU_INTEGRATED,
    VKI_DEVICE_GPU_DISCRETE,
    VKI_DEVICE_GPU_VIRTUAL,
    VKI_DEVICE_GPU_SOFTWARE
} vki_device_kind;

/* ---- names
 * ------------------------------------------------------------------------------------------------- */

VKI_API uint32_t vki_version(void); /* VKI_API_VERSION of the library; thread safe */
VKI_API const char *
vki_status_name(vki_status status);                  /* "VKI_E_ARG"; "unknown" if out of range; thread safe */
VKI_API const char *vki_dtype_name(vki_dtype dtype); /* "float32"; "unknown" if out of range; thread safe */
VKI_API size_t vki_dtype_size(vki_dtype dtype);      /* bytes an element; 0 if unknown; thread safe */

/* ---- context
 * ----------------------------------------------------------------------------------------------- */

/* A device with its caches. Thread safe: any number of threads may create models and sessions on one context.
 */
typedef struct vki_context vki_context;

typedef enum vki_backend {
    VKI_BACKEND_AUTO = 0, /* the best Vulkan device that is not a software one; else the CPU */
    VKI_BACKEND_CPU,
    VKI_BACKEND_VULKAN, /* device_index, software devices included; VKI_E_NO_DEVICE if there is none */
    VKI_BACKEND_PLAN    /* no device at all: sessions are planned and reported as for a Vulkan device of the
                           kind `plan_device`, so that memory and placement are known beforehand. Writing,
                           running and reading answer VKI_E_STATE */
} vki_backend;

typedef struct vki_context_options {
    size_t size;
    vki_backend backend;
    int device_index;               /* for VKI_BACKEND_VULKAN: 0 is the best device (see vki_devices) */
    const vki_allocator *allocator; /* copied; NULL: the C library's */
    vki_log_fn log;                 /* NULL: silent */
    void *log_user;
    const char *cache_path; /* file for the Vulkan pipeline cache, read now and written by vki_context_destroy
                               (the last reference); a damaged or foreign file is ignored. NULL: no file.
                               Beside it lies <cache_path>.placement, with what sessions measured (tune_ms) */
    const char *plan_device; /* for VKI_BACKEND_PLAN: "adreno", "mali" or "nvidia"; NULL: "minimum", what
                                every Vulkan 1.1 device can do. VKI_E_ARG: another name */
    const char *loader_path; /* Vulkan loader to open; NULL: libvulkan.so.1, then libvulkan.so */
    bool
        force_staging; /* copy through staging buffers even where device memory is host visible (for tests) */
    bool validation; /* enable VK_LAYER_KHRONOS_validation with synchronization validation; its messages go to
                        `log` as VKI_LOG_ERROR. VKI_E_UNSUPPORTED if the layer is not installed */
} vki_context_options;

typedef struct vki_device_info {
    char name[128];
    char driver[128];
    vki_device_kind kind;
    uint32_t vendor_id, device_id, api_version; /* as Vulkan reports them; 0 for the CPU */
    uint64_t memory_bytes;                      /* largest device-local heap; total memory for the CPU */
    uint64_t max_storage_range;                 /* bytes one binding may span; 0 for the CPU */
    uint32_t max_workgroup_invocations, max_shared_bytes, subgroup_size;
    bool unified_memory, fp16_storage, fp16_arithmetic, int8_storage, int8_dot, timestamps;
    char features[128]; /* for the CPU: the instruction sets found, such as "avx2 fma" */
} vki_device_info;

/* Lists the Vulkan devices (best first, the order of device_index) and then the CPU. Writes up to `capacity`
 * entries and their full number to *count. Without a Vulkan driver only the CPU is listed. Thread safe.
 * Errors: VKI_E_ARG, VKI_E_NOMEM. */
VKI_API vki_status vki_devices(const vki_context_options *options, vki_device_info *out, int capacity,
                               int *count, vki_error *err);

/* Errors: VKI_E_ARG, VKI_E_NOMEM, VKI_E_NO_DEVICE, VKI_E_DEVICE, VKI_E_UNSUPPORTED. *out is NULL on failure.
 */
VKI_API vki_status vki_context_create(const vki_context_options *options, vki_context **out, vki_error *err);
VKI_API void vki_context_destroy(vki_context **context);
/* The device that sessions run on. Thread safe. Errors: VKI_E_ARG. */
VKI_API vki_status vki_context_device(const vki_context *context, vki_device_info *out);

/* ---- model
 * ------------------------------------------------------------------------------------------------- */

/* An immutable network. Thread safe; shared by any number of sessions. */
typedef struct vki_model vki_model;

typedef struct vki_tensor_info {
    const char *name; /* owned by the model or session */
    vki_dtype dtype;
    int rank;                         /* -1: unknown until shapes are set */
    int64_t dims[VKI_MAX_RANK];       /* -1: dynamic */
    const char *symbol[VKI_MAX_RANK]; /* name of a dynamic dimension, or NULL */
} vki_tensor_info;

/* Loads a .vkm file (mapped, used in place) or, where the importer was built in, an .onnx file (imported;
 * large constants that leave memory once they are packed are read again if another plan needs them). Its
 * bytes must not change while the model lives; the file may be removed or replaced by another. The content
 * decides, not the name. Errors: VKI_E_ARG, VKI_E_NOMEM, VKI_E_IO, VKI_E_FORMAT, VKI_E_UNSUPPORTED,
 * VKI_E_SHAPE. Thread safe. */
VKI_API vki_status vki_model_load_file(vki_context *context, const char *path, vki_model **out,
                                       vki_error *err);
/* The same from memory. `bytes` must be 64-byte aligned for a .vkm and stay valid while the model lives. */
VKI_API vki_status vki_model_load_memory(vki_context *context, const void *bytes, size_t n, vki_model **out,
                                         vki_error *err);
VKI_API void vki_model_destroy(vki_model **model);
VKI_API int vki_model_input_count(const vki_model *model);
VKI_API int vki_model_output_count(const vki_model *model);
/* Errors: VKI_E_ARG (no such index). */
VKI_API vki_status vki_model_input(const vki_model *model, int index, vki_tensor_info *out);
VKI_API vki_status vki_model_output(const vki_model *model, int index, vki_tensor_info *out);
/* Metadata by key, such as "license" or "origin"; NULL if absent. Owned by the model. */
VKI_API const char *vki_model_metadata(const vki_model *model, const char *key);

/* ---- session
 * ----------------------------------------------------------------------------------------------- */

/* One plan of a model: memory, kernels, recorded commands. One thread at a time; any number a model. */
typedef struct vki_session vki_session;

typedef enum vki_placement {
    VKI_PLACE_AUTO = 0, /* what is faster, see tune_ms; with a device that the caller named
                           (VKI_BACKEND_VULKAN) and tune_ms 0 as GPU_FIRST */
    VKI_PLACE_GPU_ONLY, /* such a node is an error: VKI_E_UNSUPPORTED, all of them listed. But arithmetic that
                           starts or ends with at most 64 numbers that are no floats (shapes, counts, the
                           conditions of loops) is the host's in any case */
    VKI_PLACE_CPU_ONLY,
    VKI_PLACE_GPU_FIRST /* what the device can take runs there, the rest on the CPU; the report says why */
} vki_placement;

typedef enum vki_precision {
    VKI_PRECISION_AUTO = 0,   /* FP32 */
    VKI_PRECISION_FP32,       /* fp32 data and arithmetic */
    VKI_PRECISION_FP16_STORE, /* fp16 data on the device, fp32 sums; Vulkan devices with 16-bit storage */
    /* fp16 arithmetic in convolutions and products by constant matrices on the CPU, for cores that have it
     * (64-bit ARM with FEAT_FP16, x86 with AVX512-FP16); elsewhere VKI_E_UNSUPPORTED. Other layers, and what
     * lies between, stay fp32 (the report has it for each node); weights FP32 means FP16 then. Magnitudes
     * beyond 65504 become infinite */
    VKI_PRECISION_FP16,
    VKI_PRECISION_INT8,
    /* The same in bf16 with sums in fp32, for x86 with AVX512-BF16: values off by up to 2^-9 of themselves,
     * and the range of fp32 */
    VKI_PRECISION_BF16
} vki_precision;

/* How the CPU keeps weights of layers that are bound by reading them: MatMul and Gemm of at most 4 rows by a
 * constant matrix (fully connected layers), and LSTM, GRU and RNN of one sequence. All other weights, and
 * those on a Vulkan device, stay as `precision` says; the report has it for each node. This changes no
 * arithmetic. The reference's weights are fp32. */
typedef enum vki_weights {
    VKI_WEIGHTS_FP32 = 0,
    VKI_WEIGHTS_FP16, /* half the bytes; values off by at most 2^-11 of themselves, or 2^-24 of the largest of
                         their output */
    VKI_WEIGHTS_INT8  /* a quarter; a scale an output, so that values are off by at most 1/254 of its largest
                       */
} vki_weights;

typedef struct vki_shape {
    const char *input; /* name of a model input */
    int rank;
    int64_t dims[VKI_MAX_RANK]; /* all > 0 */
} vki_shape;

/* A state: after each run the output becomes the input of the next run, so that LSTM's h and c, say, stay
 * where they are. On a Vulkan device they do not leave its memory. */
typedef struct vki_tie {
    const char *output, *input; /* names, of one type and shape; an input has at most one tie */
} vki_tie;

/* Shapes that an input may get while the session lives, each dimension between two ends, both included. */
typedef struct vki_range {
    const char *input; /* name of a model input */
    int rank;
    int64_t min[VKI_MAX_RANK], max[VKI_MAX_RANK]; /* 1 <= min <= max; a fixed dimension: twice its size */
} vki_range;

typedef struct vki_session_options {
    size_t size;
    vki_placement placement;
    vki_precision precision;
    int threads;           /* CPU threads; 0: as many as there are fast cores */
    bool profile;          /* time every node; runs are slower */
    bool reference;        /* CPU only: the plain C kernels that specify each operator, and no fusion */
    uint64_t memory_limit; /* bytes for weights, activations and staging; 0: none. VKI_E_NOMEM with the figure
                              needed */
    const vki_shape *shapes; /* for dynamic inputs; copied */
    int shape_count;
    const vki_tie *ties; /* copied */
    int tie_count;
    const char *disable_passes; /* names of graph passes not to run, separated by commas, or "all"; NULL:
                                   none. VKI_E_ARG with the list of names if one is unknown */
    bool keep_intermediates; /* every tensor stays readable after a run (vki_session_read_tensor); more memory
                              */
    int runs_in_flight; /* 1 to 4 (0: 1): how many runs may be submitted and not have ended. Each has inputs
                           and outputs of its own; the memory between them is shared */
    /* For placement AUTO: milliseconds of running that the first plan may spend to measure the network on the
     * device and on the CPU (planning both comes on top), with random input. The faster one gets it. The
     * verdict is remembered for this model, device, driver, library, and sizes of inputs within a third of
     * these: in the context, and in a file beside vki_context_options.cache_path. Other shapes of a session
     * go by a verdict there is, or where the last ones went.
     * 0: 200 if vkinfer chose the device (VKI_BACKEND_AUTO); else nothing is measured and the device is used.
     * Below 0: nothing is measured, the cost model decides where there is no verdict. */
    int tune_ms;
    const vki_range *ranges; /* copied. Memory for the largest plan of these shapes is allocated once, and
                                pipelines and weights are made for their ends and their middle: reshapes
                                within take none of the device's memory for activations, others are
                                VKI_E_SHAPE. An input without a shape begins with the largest */
    int range_count;
    uint32_t max_submit_us; /* GPU: no submit is estimated to take longer, so that other programs (the screen)
                               get their turn; long dispatches are split. 0: 8000 on phones and boards, 100000
                               on NVIDIA, no bound on software devices; UINT32_MAX: no bound */
    const char *cpu_affinity; /* cores that the CPU threads of the session stay on (the caller's own thread is
                                 never moved): "fast", "slow" (where cores differ in capacity; else all), or
                                 a list as "0-3,6"; threads 0: as many as these. NULL or "none": wherever the
                                 system puts them. Copied. VKI_E_ARG; VKI_E_UNSUPPORTED where the system has
                                 no such call */
    vki_weights weights;
    /* CPU: what the weights may take as kernels keep them, in percent of the model's, where kernels have the
     * choice: Winograd's convolutions are a little slower with filters that are not stored transformed.
     * Layers are taken by what they lose a byte. 0: 150; INT_MAX: no bound. VKI_E_ARG if negative */
    int packed_percent;
} vki_session_options;

/* If all input shapes are known (in the model or the options), the plan is made now; otherwise
 * vki_session_reshape must come before the first write. Errors: VKI_E_ARG, VKI_E_NOMEM, VKI_E_SHAPE,
 * VKI_E_UNSUPPORTED, VKI_E_DEVICE, VKI_E_DEVICE_LOST, VKI_E_INTERNAL. */
VKI_API vki_status vki_session_create(vki_model *model, const vki_session_options *options, vki_session **out,
                                      vki_error *err);
/* Runs in flight are cancelled, and waited for as far as they have begun. */
VKI_API void vki_session_destroy(vki_session **session);

/* Plans for other input shapes; inputs not named keep theirs. Weights and pipelines are kept, and so are the
 * plans of earlier shapes, up to a bound, for when these come back. All inputs must be written again. On
 * failure the old plan stays in force. Errors: as vki_session_create. */
VKI_API vki_status vki_session_reshape(vki_session *session, const vki_shape *shapes, int count,
                                       vki_error *err);

/* Concrete types and shapes. Where an output's shape depends on values, it is known after a run, for that
 * run: before, unknown dimensions are -1, and so is an unknown rank. Errors: VKI_E_ARG (no such index),
 * VKI_E_STATE (no plan yet). */
VKI_API vki_status vki_session_input(const vki_session *session, int index, vki_tensor_info *out);
VKI_API vki_status vki_session_output(const vki_session *session, int index, vki_tensor_info *out);

/* Copies a whole input in; `bytes` must be its exact size. An input keeps its value until written again.
 * Errors: VKI_E_ARG, VKI_E_STATE, VKI_E_UNSUPPORTED (the device reads this input and stores integers in 32
 * bits, which a 64-bit one of these exceeds: such a network belongs on the CPU). Allocates nothing. */
VKI_API vki_status vki_session_write(vki_session *session, int index, const void *data, size_t bytes,
                                     vki_error *err);

/* Every tied input becomes zero, as it is when a plan is new. To begin with other values, write them to the
 * input: they hold for the next run. Allocates nothing. Errors: VKI_E_ARG, VKI_E_STATE, VKI_E_DEVICE,
 * VKI_E_DEVICE_LOST. */
VKI_API vki_status vki_session_reset(vki_session *session, vki_error *err);

/* Runs the plan and waits. Allocates nothing, creates no Vulkan object, records no command. timeout_ns, for
 * the whole run: 0 means no limit; what a CPU kernel or a device has begun is not interrupted. Errors:
 * VKI_E_STATE (an input was never written; submitted runs have not ended), VKI_E_TIMEOUT, VKI_E_DEVICE,
 * VKI_E_DEVICE_LOST, VKI_E_UNSUPPORTED (a 64-bit integer made on the CPU exceeds what the device stores).
 * Networks with loops, or with shapes that depend on values, are planned further while they run, wherever
 * shapes and values come up that are new: then the errors of vki_session_create are possible too, and leave
 * the session as it was, without results. */
VKI_API vki_status vki_session_run(vki_session *session, uint64_t timeout_ns, vki_error *err);

/* Copies a whole output out, of the last vki_session_run, or of the run that vki_session_wait was called for
 * last. Errors: VKI_E_ARG, VKI_E_STATE (not run yet, or the last run failed). Allocates nothing. */
VKI_API vki_status vki_session_read(vki_session *session, int index, void *data, size_t bytes,
                                    vki_error *err);

/* With keep_intermediates: any tensor of the plan by name, as fp32 or in its own type. *info may be NULL;
 * with data NULL only *info is written. Errors: VKI_E_ARG (no such tensor, wrong size), VKI_E_STATE. */
VKI_API vki_status vki_session_read_tensor(vki_session *session, const char *name, vki_tensor_info *info,
                                           void *data, size_t bytes, vki_error *err);

/* ---- runs in flight
 *
 * vki_session_write for the next run -> vki_session_submit -> (the same for the run after that ...) ->
 * vki_session_wait -> vki_session_read_run. A run is known by its ticket: 1, 2, 3 ... Runs of a session
 * happen in the order of their submits. With runs_in_flight = N the inputs of run t may be written, and run t
 * submitted, as soon as run t - N has ended; the outputs of run t are there until run t + N is submitted.
 * While runs are in flight the session's plan belongs to them: reshape, reset, run, read_tensor, report and
 * stats answer VKI_E_STATE, and with N = 1 so do write and read. States (ties) go from each run to the next;
 * to write one gives it to the next run alone.
 * ----------------------------------------------------------------------------------------------- */

/* Called once for each run that was submitted, however it ended, on a thread of the session's own; runs end
 * one after the other. It may write, submit, poll, read, and wait for runs that have ended - if no other
 * thread uses the session meanwhile. It must not wait for others (VKI_E_STATE). vki_session_destroy in it is
 * allowed: no other run begins. */
typedef void (*vki_done_fn)(void *user, uint64_t ticket, vki_status status);

typedef struct vki_submit_options {
    size_t size;
    uint64_t timeout_ns; /* from now to the end of the run; 0: no limit. A run that takes longer ends with
                            VKI_E_TIMEOUT */
    vki_done_fn done;    /* NULL: none */
    void *user;
} vki_submit_options;

/* Starts a run and returns; `options` may be NULL. On success *ticket is the run's. Allocates nothing but on
 * the first call, which starts the session's thread. Errors: VKI_E_ARG, VKI_E_STATE (an input was never
 * written, or runs_in_flight runs have not ended), VKI_E_NOMEM, VKI_E_DEVICE, VKI_E_DEVICE_LOST,
 * VKI_E_TIMEOUT; what fails later is an error of the ticket's. */
VKI_API vki_status vki_session_submit(vki_session *session, const vki_submit_options *options,
                                      uint64_t *ticket, vki_error *err);
/* Whether the run has ended, well or not. Does not wait. Errors: VKI_E_ARG (not one of the last
 * runs_in_flight tickets). */
VKI_API vki_status vki_session_poll(vki_session *session, uint64_t ticket, bool *ended, vki_error *err);
/* Waits until the run has ended, sleeping, and answers with its status: VKI_OK or the errors of
 * vki_session_run, VKI_E_CANCELLED. timeout_ns (0: no limit) bounds the waiting, not the run: VKI_E_TIMEOUT
 * then too, and vki_session_poll tells that the run goes on. VKI_E_ARG as above. */
VKI_API vki_status vki_session_wait(vki_session *session, uint64_t ticket, uint64_t timeout_ns,
                                    vki_error *err);
/* The run ends with VKI_E_CANCELLED unless it has ended: at once if it has not begun, else at its next step
 * on the CPU, or when the device is done with what it was given. Does not wait. VKI_E_ARG as above. */
VKI_API vki_status vki_session_cancel(vki_session *session, uint64_t ticket, vki_error *err);
/* An output of a run that has ended well, for `bytes` of data exactly, with its shape (info may be NULL; with
 * data NULL only *info is written). Errors: VKI_E_ARG, VKI_E_STATE (not ended, or failed, or the session was
 * reshaped since). Allocates nothing. */
VKI_API vki_status vki_session_read_run(vki_session *session, uint64_t ticket, int index,
                                        vki_tensor_info *info, void *data, size_t bytes, vki_error *err);

/* ---- report
 * ------------------------------------------------------------------------------------------------ */

typedef struct vki_node_report {
    const char *name, *op;
    const char *place;  /* "cpu", "vulkan", or "none" for nodes that cost nothing (views) */
    const char *kernel; /* such as "conv2d_1x1" */
    const char *reason; /* why this place and kernel; never NULL */
    const char *output; /* name of the first output tensor */
    double us;          /* of the last profiled run; < 0: not measured */
    uint64_t macs;      /* multiply-accumulates */
    uint64_t bytes;     /* read_bytes + written_bytes */
    int dispatches;
    int segment;                /* nodes of one segment run in one go on one place; -1: of no segment */
    int64_t arena_offset;       /* of the first output in its place's arena, in bytes; -1: not in an arena */
    const char *const *inputs;  /* names of the tensors read; NULL for an absent one */
    const char *const *outputs; /* and written */
    int input_count, output_count;
    const char *fused; /* names of the nodes that became part of this one, separated by commas; never NULL */
    /* Tensors and weights as they lie in memory, each once a dispatch; conversions between layouts count for
     * the node that wants them. Transfers between host and device are in the session's sums. */
    uint64_t read_bytes, written_bytes;
    double estimated_us; /* by the cost model; 0 for nodes that cost nothing */
} vki_node_report;

typedef struct vki_session_stats {
    size_t size; /* set by the caller to sizeof(vki_session_stats) */
    uint64_t weight_bytes, activation_bytes, staging_bytes;
    uint64_t activation_lower_bound; /* largest sum of live tensors over the plan */
    int nodes, dispatches, barriers, pipelines, segments;
    double load_ms, plan_ms, pipelines_ms,
        first_run_ms;                   /* of the model; of the newest plan; first_run < 0: not run yet */
    int submits;                        /* command buffers a run */
    uint64_t read_bytes, written_bytes; /* of all nodes a run */
    uint64_t traffic_lower_bound; /* of their sum: weights, and the network's inputs and outputs, once */
    uint64_t transfer_bytes;      /* between host and device a run */
    double estimated_ms;          /* of a run, by the cost model */
    char placement[128]; /* "measured: GPU 16.6 ms, CPU 4.10 ms: CPU"; "remembered: ...", "estimated: ...";
                            "as asked for" */
    uint64_t reserved_bytes;   /* for the ranges of shapes: activations and staging of the present plan lie in
                                  it; 0: no ranges */
    uint64_t unreserved_bytes; /* activations and staging of all plans kept that do not lie in it: of later
                                  stages always, which are planned in a run */
    bool stages_follow; /* shapes further on depend on values: of what is planned when these are there the
                           sums tell after a run only, and ranges reserve nothing for it */
} vki_session_stats;

typedef void (*vki_report_fn)(void *user, const vki_node_report *node);

/* Calls `fn` for each node in the order of execution; strings and lists are valid during the call. Where
 * shapes depend on values, and in loops, the nodes are those of the last run (of a loop's body once for each
 * of its plans); before the first, those that could be planned. So are the sums of vki_session_stats_get.
 * Errors: VKI_E_ARG, VKI_E_NOMEM, VKI_E_STATE. */
VKI_API vki_status vki_session_report(const vki_session *session, vki_report_fn fn, void *user);
/* Errors: VKI_E_ARG (size), VKI_E_STATE, VKI_E_NOMEM. */
VKI_API vki_status vki_session_stats_get(const vki_session *session, vki_session_stats *out);

#ifdef __cplusplus
}
#endif
#endif
