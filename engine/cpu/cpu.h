/* SPDX-License-Identifier: Apache-2.0
 * The CPU back end: one `cpu_op` an operator family, with a readable reference kernel and, where speed
 * matters, fast kernels. engine/cpu/<family>.c defines `const cpu_op cpu_op_<family>`. Tensors are dense and
 * row-major (NCHW). */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "base/caches.h"
#include "base/threads.h"
#include "graph/cost.h"
#include "graph/ops/attrs.h"

/* What kernels get: the node and where its tensors lie. Shapes and types are in the graph. */
typedef struct cpu_call {
    const gr_graph *g;
    const gr_node *n;
    const void *const *in; /* by input index; NULL if absent */
    void *const *out;      /* by output index; NULL if absent */
    /* Of an OP_DATA_SHAPED operator: by output index the dimensions there are. They come in as the largest
     * possible ones (out[] has room for these); the kernel sets those that its values decide and writes the
     * output dense in the dimensions that result, each at most what it was. NULL for other operators. */
    int64_t (*dims)[GR_MAX_RANK];
    const void *state;   /* fast kernels: what prepare() made */
    const void *weights; /* fast kernels: the packed weights prepare() asked for */
    void *scratch;  /* fast kernels: 64-byte aligned, of the size prepare() asked for, content undefined */
    vkb_pool *pool; /* NULL: one thread */
    int64_t plane_step; /* of pointwise kernels without a residual: from one channel of out[0] to the next, in
                           elements; 0: they lie together */
    float *means;       /* if cpu_prep.means: of each channel of out[0], through the batch */
    const float *gate;  /* of pointwise kernels: a factor for each input channel; NULL: none */
} cpu_call;

/* The reference: plain loops that say what the operator means, epilogue included. Takes every type the
 * operator has on the CPU. Never fails for a node that cpu_supports() accepts. */
typedef void (*cpu_ref_fn)(const cpu_call *c);

/* What a fast kernel needs before it can run; filled by prepare(). */
typedef struct cpu_prep {
    const gr_graph *g;
    const gr_node *n;
    const gr_node *before; /* of kernels that do the work of two nodes: the first one. Else NULL */
    int threads;
    bool lean;           /* wanted: packed weights of few bytes, of kernels that have the choice */
    bool bf16;           /* wanted of the kernels in half.h: bf16, else fp16 */
    vki_weights storage; /* wanted of products that are bound by reading their weights (narrow.h) */
    const char *stored;  /* where the kernel keeps them so: how, for reports; NULL: as fp32 */
    bool means;          /* wanted of kernels that give them (cpu_gives_means): cpu_call.means */
    vkb_arena *arena;    /* for `state`; lives as long as the plan */
    const void *state;
    uint64_t scratch_bytes;
    uint64_t weight_bytes; /* of packed weights; 0: none. They are made once a session by pack() and kept over
                              re-plans */
    uint64_t lean_bytes;   /* what they would take if `lean` were set, if less; 0: the same */
    bool yields;           /* if `lean` is set the node is the next kernel's that fits */
    double lean_cost;      /* of either, in multiply-accumulates a run */
    void (*pack)(void *dst, const gr_graph *g, const gr_node *n, const void *state);
    /* In the place of pack: the same in parts, of which part i is the last to read spent[0] as far as (i + 1)
     * part_bytes (0: all of it is read until the last), so that it can leave memory as it is packed. */
    void (*pack_part)(void *dst, const gr_graph *g, const gr_node *n, const void *state, int64_t part);
    int64_t parts, part_bytes;
    uint64_t pack_key;         /* with the weight tensor's const_key: equal keys mean equal packed bytes */
    const gr_tensor *spent[2]; /* constants that nothing but pack() reads; NULL: no more */
} cpu_prep;

enum { CPU_MOST_SPREAD = INT32_MAX / 32 }; /* of cpu_call.plane_step: offsets of 24 channels are of 32 bits */

/* One after the other, of kernels that pack in parts and of those that do not. */
static inline int64_t cpu_pack_parts(const cpu_prep *p)
{
    return p->pack_part ? p->parts : 1;
}
static inline void cpu_pack_part(const cpu_prep *p, void *dst, int64_t part)
{
    if (p->pack_part)
        p->pack_part(dst, p->g, p->n, p->state, part);
    else
        p->pack(dst, p->g, p->n, p->state);
}

typedef struct cpu_kernel {
    const char *name;                                   /* "conv2d_gemm_avx2" */
    bool (*fits)(const gr_graph *g, const gr_node *n);  /* shapes are concrete; false: try the next */
    vki_status (*prepare)(cpu_prep *p, vki_error *err); /* may be NULL */
    void (*run)(const cpu_call *c);
} cpu_kernel;

typedef struct cpu_op {
    bool (*supports)(const gr_graph *g, const gr_node *n,
                     const char **why); /* NULL: everything. Types, mostly; *why is a
                                           static text */
    cpu_ref_fn reference;
    const cpu_kernel *kernels; /* best first, ended by an entry without a name; NULL: only the reference */
    uint32_t in_place; /* of the fast kernels: inputs, by bit, that output 0 may overwrite where type and
                          shape are the same: their elements are read before those of the same places are
                          written, and not again */
} cpu_op;

/* ---- conv2d_expansion.c: a kernel for two nodes ---- */
/* Whether `second`, a depthwise convolution, gains from computing its input, which `first` makes and nothing
 * else may read, part by part where it needs it. The kernel is prepared for the second with the first in
 * cpu_prep.before, and called with the first's input in the place of the second's. */
bool cpu_expansion_fits(const gr_graph *g, const gr_node *first, const gr_node *second);
extern const cpu_kernel cpu_expansion;

/* Whether the kernels of `first`, a depthwise convolution, can give what `second`, a pool, makes of its
 * output. */
bool cpu_means_fit(const gr_graph *g, const gr_node *first, const gr_node *second);

/* ---- conv_gate.c ---- */
/* Which input of `first`, a product that nothing but the convolution `second` may read, its kernel takes as
 * cpu_call.gate, called with the other one in the product's place; -1: that gains nothing. */
int cpu_gate_of(const gr_graph *g, const gr_node *first, const gr_node *second);

/* ---- kernels.c ---- */
/* A kernel that takes cpu_call.plane_step, where channels count through the batch, and cpu_call.gate. */
bool cpu_is_pointwise(const cpu_kernel *k); /* k may be NULL */
/* A kernel that gives cpu_call.means, as cpu_expansion does. */
bool cpu_gives_means(const cpu_kernel *k);

/* ---- registry.c ---- */
const cpu_op *cpu_op_of(op_kind op);
bool cpu_supports(const gr_graph *g, const gr_node *n, const char **why);
/* Whether the kernel (NULL: the reference) may write output 0 where input i lies. */
bool cpu_in_place(const gr_graph *g, const gr_node *n, const cpu_kernel *kernel, int i);

/* ---- features.c: what this CPU can do, found once a context ---- */
typedef struct cpu_features {
    bool avx2, fma, f16c, avx512, avx512vnni, avx512bf16, avx512fp16; /* avx512: F, BW, DQ, VL */
    bool neon, dotprod, fp16, i8mm;
} cpu_features;
const cpu_features *cpu_features_get(void);        /* thread safe; immutable */
void cpu_features_text(char *buffer, size_t size); /* "avx2 fma f16c" */

/* ---- caches.c: sizes that work is cut by; read once, thread safe. They never decide which kernel is taken,
 * nor the order of a sum: results are the same bits on every CPU of one instruction set ---- */
const vkb_caches *cpu_caches_get(void);
/* For tests: what cpu_caches_get gives from now on; NULL: the CPU's own. Not while anything runs. */
void cpu_caches_force(const vkb_caches *c);

/* ---- cost.c ---- */
cost_rates cpu_rates(int threads); /* of this CPU */

/* ---- evaluate.c ---- */
/* Runs one node through its reference; in/out as in cpu_call. For constant folding and for the reference
 * session. VKI_E_UNSUPPORTED with the reason. */
vki_status cpu_evaluate(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                        vki_error *err);
/* The same, with the dimensions that outputs got, by output index: those of the graph, but for OP_DATA_SHAPED
 * operators (whose outputs must have been inferred by gr_infer_bounds). */
vki_status cpu_evaluate_dims(const gr_graph *g, const gr_node *n, const void *const *in, void *const *out,
                             int64_t (*dims)[GR_MAX_RANK], vki_error *err);

#endif
