/* SPDX-License-Identifier: Apache-2.0
 * C = epilogue(A B + bias), blocked for the caches as in Goto and van de Geijn, "Anatomy of High-Performance
 * Matrix Multiplication" (2008), with both matrices in panels. Rows of A are spread evenly over panels of at
 * most mr (of the table); a panel is [k][rows], and panels follow one another without gaps. B's panels are
 * [k][16]; a last one of at most 8 columns is [k][8]; missing columns are zero.
 *
 * The work is cut into a grid over C, so that each element is summed by one thread, in the order of k with
 * fixed blocks: results do not depend on the number of threads. */
#ifndef CPU_GEMM_H
#define CPU_GEMM_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

/* One product of the plan's `jobs`. */
typedef struct cpu_gemm_job {
    const float *a;      /* packed panels; NULL: pack_a makes them */
    const float *b;      /* packed panels; NULL: pack_b makes them */
    const float *b_rows; /* if b is NULL: B row-major and dense, k x n, to be read in place; NULL: pack_b */
    float *c;
    int64_t n, k; /* columns, and what is summed: those of the plan, which may be lowered */
    const float *residual, *bias_row, *bias_col; /* see cpu_tile */
} cpu_gemm_job;

typedef struct cpu_gemm {
    const cpu_micro *micro;
    void (*tile)(const cpu_tile *t); /* micro->gemm; for integers micro->gemm_i16 or gemm_i8, k then counts
                                        pairs or fours */
    int64_t m, n, k, jobs;
    int64_t c_stride;                  /* elements from row to row of C */
    int64_t panel_rows, panels_larger; /* rows of a panel of A; the first ones have one more */
    int64_t kc, mc, nc;                /* block: rows of B; panels of A; panels of B */
    int64_t grid_m, grid_n;            /* tasks a job */
    uint64_t b_floats, a_floats;       /* scratch a thread */
    int64_t part;          /* after cpu_gemm_skip: rows of B that stand or fall together; else 0 */
    const uint64_t *parts; /* by panel of B: which of its parts (bit i) are not all zero */
    bool threaded;
} cpu_gemm;

/* What the operator adds. The callbacks are called from several threads at once. */
typedef struct cpu_gemm_source {
    const void *user;
    const gr_epilogue *epilogue;
    cpu_dot_form form; /* of gemm_i8 */
    void (*job)(const void *user, int64_t index, cpu_gemm_job *job);
    /* Panel of B: rows k0..k0+kc, columns col..col+cols, to dst[kc][width]; what it leaves beyond cols
     * does not matter. */
    void (*pack_b)(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col, int cols,
                   int width);
    /* Panel of A: rows row..row+rows, to dst[kc][rows]. */
    void (*pack_a)(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t row, int rows);
} cpu_gemm_source;

/* All sizes > 0. packs_a, packs_b: the callback will be used, and scratch is needed for it. */
void cpu_gemm_plan(cpu_gemm *p, int64_t m, int64_t n, int64_t k, int64_t jobs, int threads, bool packs_a,
                   bool packs_b);
/* For a B of which whole panels of `part` rows are zero: they are neither packed nor multiplied. k is a
 * multiple of part, at most 64 times; `parts` has a bit at least for each panel of B and outlives the plan.
 */
void cpu_gemm_skip(cpu_gemm *p, int64_t part, const uint64_t *parts);
uint64_t cpu_gemm_scratch(const cpu_gemm *p, int threads); /* bytes */
void cpu_gemm_run(const cpu_gemm *p, const cpu_gemm_source *s, void *scratch, vkb_pool *pool);

/* Panels of A: their number, and the first row of one. mr is that of the table. */
static inline int64_t cpu_panels(int64_t m, int mr)
{
    return vkb_ceil_div(m, mr);
}
static inline int64_t cpu_panel_row(int64_t m, int mr, int64_t panel)
{
    const int64_t panels = cpu_panels(m, mr);
    return panel * (m / panels) + vkb_min(panel, m % panels);
}
/* Width of B's panel that holds `cols` columns. */
static inline int cpu_panel_width(int64_t cols)
{
    return cols > 8 ? CPU_NR : 8;
}
static inline uint64_t cpu_packed_b_floats(int64_t n, int64_t k)
{
    return (uint64_t)k * (uint64_t)(n / CPU_NR * CPU_NR + (n % CPU_NR ? cpu_panel_width(n % CPU_NR) : 0));
}

/* Packs a strided matrix: element (i, j) at src[i * row + j * col], times `scale`. */
void cpu_pack_b(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int64_t n, float scale);
void cpu_pack_b_panel(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int cols, int width,
                      float scale);
void cpu_pack_a_panel(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int rows);

/* Loops of fewer multiply-accumulates than this a thread run on the caller: waking a thread costs more. */
#define CPU_GRAIN_MACS 60000
/* The same for loops over memory, in elements. */
#define CPU_GRAIN_ELEMENTS 16384

#endif
