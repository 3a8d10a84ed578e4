/* SPDX-License-Identifier: Apache-2.0
 * Convolution as GEMM, for conv2d_gemm.c and for the phases of deconv2d_phases.c. */
#ifndef CPU_CONV2D_GEMM_H
#define CPU_CONV2D_GEMM_H

#include "cpu/bands.h"
#include "cpu/gemm.h"

/* C[out channels of a group][pixels] = W[..][taps x channels] im2col(X). k runs over taps, then channels, so
 * that one tap of a panel is one cpu_lanes for all channels. */
typedef struct cpu_conv {
    op_window w; /* of a convolution; a pointwise one is brought to one row of pixels */
    bool direct; /* pointwise: X is B as it stands */
    cpu_gemm gemm;
} cpu_conv;

bool cpu_conv_fits(const op_window *w);   /* sizes that the kernel's 32-bit offsets hold, none of them 0 */
bool cpu_conv_direct(const op_window *w); /* pointwise: X is the right matrix as it stands */

/* Of how many channels the first level keeps a cache line each: planes of some sizes map to few of its sets,
 * 64 of 8 lines as most CPUs have them, so that all choose the same kernels. */
int64_t cpu_conv_rows_kept(int64_t plane);
/* W[out][in][taps] to panels of A with k over taps, then channels. */
void cpu_conv_pack(float *dst, const float *src, const op_window *w);
void cpu_conv_plan(cpu_conv *c, const op_window *w, int threads);
/* Rows k0..k0+kc of im2col(x), `step` apart, of columns col..col+cols: `width` of them, 8 or 16, are written,
 * those beyond cols as zero. */
void cpu_conv_columns(float *dst, int64_t step, const float *x, const op_window *w, int64_t k0, int64_t kc,
                      int64_t col, int cols, int width);
static inline uint64_t cpu_conv_weight_floats(const op_window *w)
{
    return (uint64_t)w->out_c * (uint64_t)(w->in_c / w->group * op_window_taps(w));
}

/* Asks for packed weights of `bytes` if they are constant. If not, the kernel packs them at each run: the
 * result is the scratch they need for it, a multiple of 64. */
uint64_t cpu_prepare_weights(cpu_prep *p, uint64_t bytes,
                             void (*pack)(void *dst, const gr_graph *g, const gr_node *n, const void *state),
                             uint64_t key);

/* What the models of costs agree on, in multiply-accumulates at the speed of a large product: a row of A
 * times n columns; reading so many weights, of each; a factor for what lies between the steps, in floats; a
 * convolution of one image by im2col. None depends on threads or caches, since what they choose decides the
 * results' last bits. */
double cpu_columns_cost(int64_t n);
double cpu_reading_cost(double floats);
double cpu_away_cost(double between);
bool cpu_strip_fits(double between,
                    int64_t strip); /* rows of tiles, between whose steps lie so many floats */
double cpu_conv_cost(const op_window *w);

typedef struct cpu_conv_args {
    const cpu_conv *conv;
    const float *x, *weights, *bias, *residual; /* weights packed; bias and residual may be NULL */
    float *y;
    const gr_epilogue *epilogue;
    cpu_dot_form form; /* if the plan's tile is gemm_i8 */
} cpu_conv_args;
void cpu_conv_run(const cpu_conv_args *a, void *scratch, vkb_pool *pool);

/* The same for few channels, where panels would cost more than they gain: input rows are copied with their
 * padding, split by the stride, and products along lines of outputs read each tap's elements where they lie.
 */
typedef struct cpu_padded {
    cpu_bands bands;     /* of an input channel */
    int64_t channels, m; /* of a group: of the input, of the output */
    int64_t k, jobs;     /* jobs: groups of all batches */
    int64_t plane;       /* floats of an input channel in scratch */
    int32_t *offset;     /* of each k: taps, then channels */
    uint64_t own;        /* floats of a thread's input in scratch */
    uint64_t floats;     /* of scratch, in all */
    op_window pool;      /* of rows handed on: what is done with them */
    int64_t pooled;      /* its output rows at once */
    int64_t parts;       /* of an image: so many times */
    uint64_t between;    /* floats of a thread's rows, behind all input in scratch */
} cpu_padded;

bool cpu_padded_fits(const op_window *w);
vki_status cpu_padded_plan(cpu_padded *s, const op_window *w, int threads, vkb_arena *arena, vki_error *err);
/* a->conv is not used. */
void cpu_padded_run(const cpu_padded *s, const cpu_conv_args *a, float *scratch, vkb_pool *pool);

/* Rows of a convolution's output: what a pool needs for its rows row .. row + rows. */
typedef struct cpu_pool_rows {
    const float *x;        /* x_rows of them, x_row apart; planes follow one another */
    int64_t plane, planes; /* channels, counted through the batch */
    int64_t x_rows, x_row;
    int64_t above; /* in front of them the windows reach over so many rows of padding */
    int64_t row, rows;
} cpu_pool_rows;

/* conv2d_padded whose output never exists as a whole: `fn` gets rows of it while they lie in the thread's
 * cache. Rows that two parts of the pool need are computed twice. Prepared by the first, run by the second.
 */
typedef void (*cpu_pool_rows_fn)(const void *user, const cpu_pool_rows *rows);
vki_status cpu_conv2d_padded_prepare_rows(cpu_prep *p, const op_window *pool, vki_error *err);
void cpu_conv2d_padded_run_rows(const cpu_call *c, cpu_pool_rows_fn fn, const void *user);

/* conv2d_winograd likewise, of a channel at a time, if each window of the pool lies within what is computed
 * at once; `state` is that of the convolution. */
bool cpu_conv2d_winograd_holds(const void *state, const op_window *pool);
void cpu_conv2d_winograd_run_rows(const cpu_call *c, const op_window *pool, cpu_pool_rows_fn fn,
                                  const void *user);

/* Whether the kernel pool_window reads planes where they lie, and with it the pool of some rows. */
bool cpu_pool_window_in_place(const gr_graph *g, const gr_node *n);
void cpu_pool_window_rows(const cpu_call *c, const cpu_pool_rows *rows);

#endif
