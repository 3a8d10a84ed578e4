/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/gemm.h"

/* Blocks, for first-level caches of 32 KiB and second-level ones of 256 KiB and more: a panel of B (16 KiB)
 * stays in the first level while panels of A stream past it; a block of either fills at most half of the
 * second. */
enum {
    KC = 256,                 /* rows of B in a block */
    BLOCK_FLOATS = 32 * 1024, /* of A or B in a block: 128 KiB */
    PACK_COST = 4             /* packing a panel of B costs about as much as computing 4 rows with it */
};

/* Cuts a job into a grid so that the busiest thread has the least to do. */
static void choose_grid(cpu_gemm *p, int threads)
{
    int64_t panels_m = cpu_panels(p->m), panels_n = vkb_ceil_div(p->n, CPU_NR), best = INT64_MAX;
    p->grid_m = p->grid_n = 1;
    for (int64_t gm = 1; gm <= vkb_min(threads, panels_m); gm++)
        for (int64_t gn = 1; gm * gn <= 2 * threads && gn <= panels_n; gn++) {
            int64_t rounds = vkb_ceil_div(p->jobs * gm * gn, threads);
            int64_t cost =
                rounds * vkb_ceil_div(panels_n, gn) * (vkb_ceil_div(panels_m, gm) * CPU_MR + PACK_COST);
            if (cost >= best) continue;
            best = cost;
            p->grid_m = gm;
            p->grid_n = gn;
        }
}

void cpu_gemm_plan(cpu_gemm *p, int64_t m, int64_t n, int64_t k, int64_t jobs, int threads, bool packs_a,
                   bool packs_b)
{
    int64_t panels_n = vkb_ceil_div(n, CPU_NR), panels_m = cpu_panels(m);
    int64_t kc = vkb_ceil_div(k, vkb_ceil_div(k, KC)); /* equal blocks */
    *p = (cpu_gemm){.micro = cpu_micro_get(), .m = m, .n = n, .k = k, .jobs = jobs, .c_stride = n, .kc = kc};
    p->mc = vkb_max(1, vkb_min(panels_m, BLOCK_FLOATS / (kc * CPU_MR)));
    p->nc = packs_b ? vkb_max(1, vkb_min(panels_n, BLOCK_FLOATS / (kc * CPU_NR))) : panels_n;
    double macs = (double)m * (double)n * (double)k * (double)jobs;
    p->threaded = threads > 1 && macs >= 2.0 * CPU_GRAIN_MACS;
    if (p->threaded)
        choose_grid(p, threads);
    else
        p->grid_m = p->grid_n = 1;
    p->b_floats = packs_b ? (uint64_t)(p->nc * kc * CPU_NR) : 0;
    p->a_floats = packs_a ? (uint64_t)vkb_round_up((uint64_t)(p->mc * kc * CPU_MR), 16) : 0;
}

uint64_t cpu_gemm_scratch(const cpu_gemm *p, int threads)
{
    return (p->a_floats + p->b_floats) * sizeof(float) * (uint64_t)(p->threaded ? threads : 1);
}

typedef struct run {
    const cpu_gemm *p;
    const cpu_gemm_source *s;
    float *scratch;
} run;

typedef struct block { /* one block of one task */
    cpu_gemm_job job;
    int64_t index; /* of the job */
    int64_t k0, kc;
    int64_t n0, n1; /* panels of B, at most nc of them if packed */
    int64_t m0, m1; /* panels of A, at most mc */
    float *a, *b;   /* scratch */
} block;

static int columns(const cpu_gemm *p, int64_t panel)
{
    return (int)vkb_min(CPU_NR, p->n - panel * CPU_NR);
}

static bool in_place(const cpu_gemm *p, const block *b, int64_t panel)
{
    return b->job.b_rows && columns(p, panel) == CPU_NR;
}

static void pack_columns(const run *r, const block *b)
{
    const cpu_gemm *p = r->p;
    for (int64_t j = b->n0; j < b->n1; j++) {
        if (in_place(p, b, j)) continue;
        int cols = columns(p, j);
        r->s->pack_b(r->s->user, b->index, b->b + (j - b->n0) * b->kc * CPU_NR, b->k0, b->kc, j * CPU_NR,
                     cols, cpu_panel_width(cols));
    }
}

static void pack_rows(const run *r, const block *b)
{
    int64_t m = r->p->m, first = cpu_panel_row(m, b->m0);
    for (int64_t i = b->m0; i < b->m1; i++) {
        int64_t row = cpu_panel_row(m, i);
        r->s->pack_a(r->s->user, b->index, b->a + (row - first) * b->kc, b->k0, b->kc, row,
                     (int)(cpu_panel_row(m, i + 1) - row));
    }
}

/* Where panel j of B's block starts, and the step from row to row. */
static const float *panel_of_b(const cpu_gemm *p, const block *b, int64_t j, int64_t *step)
{
    int width = cpu_panel_width(columns(p, j));
    *step = width;
    if (b->job.b) return b->job.b + j * CPU_NR * p->k + b->k0 * width;
    if (!in_place(p, b, j)) return b->b + (j - b->n0) * b->kc * CPU_NR;
    *step = p->n;
    return b->job.b_rows + b->k0 * p->n + j * CPU_NR;
}

static void multiply_block(const run *r, const block *b)
{
    const cpu_gemm *p = r->p;
    const cpu_gemm_job *job = &b->job;
    int64_t first = cpu_panel_row(p->m, b->m0);
    cpu_tile t = {.k = b->kc,
                  .c_stride = p->c_stride,
                  .accumulate = b->k0 > 0,
                  .epilogue = b->k0 + b->kc == p->k ? r->s->epilogue : NULL};
    for (int64_t j = b->n0; j < b->n1; j++) {
        t.b = panel_of_b(p, b, j, &t.b_stride);
        t.cols = columns(p, j);
        t.bias_col = job->bias_col ? job->bias_col + j * CPU_NR : NULL;
        for (int64_t i = b->m0; i < b->m1; i++) {
            int64_t row = cpu_panel_row(p->m, i), at = row * p->c_stride + j * CPU_NR;
            t.rows = (int)(cpu_panel_row(p->m, i + 1) - row);
            t.a = job->a ? job->a + row * p->k + b->k0 * t.rows : b->a + (row - first) * b->kc;
            t.c = job->c + at;
            t.residual = job->residual ? job->residual + at : NULL;
            t.bias_row = job->bias_row ? job->bias_row + row : NULL;
            p->micro->gemm(&t);
        }
    }
}

/* A rectangle of C: panels m0..m1 by n0..n1. */
static void multiply(const run *r, block *b, int64_t m0, int64_t m1, int64_t n0, int64_t n1)
{
    const cpu_gemm *p = r->p;
    for (int64_t n = n0; n < n1; n += p->nc) {
        b->n0 = n;
        b->n1 = vkb_min(n1, n + p->nc);
        for (int64_t k = 0; k < p->k; k += p->kc) {
            b->k0 = k;
            b->kc = vkb_min(p->kc, p->k - k);
            if (!b->job.b) pack_columns(r, b);
            for (int64_t m = m0; m < m1; m += p->mc) {
                b->m0 = m;
                b->m1 = vkb_min(m1, m + p->mc);
                if (!b->job.a) pack_rows(r, b);
                multiply_block(r, b);
            }
        }
    }
}

static void run_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const run *r = arg;
    const cpu_gemm *p = r->p;
    int64_t panels_m = cpu_panels(p->m), panels_n = vkb_ceil_div(p->n, CPU_NR), grid = p->grid_m * p->grid_n;
    block b;
    b.b = r->scratch + (uint64_t)thread * (p->a_floats + p->b_floats);
    b.a = b.b + p->b_floats;
    for (int64_t task = begin; task < end; task++) {
        int64_t gm = task % grid / p->grid_n, gn = task % grid % p->grid_n;
        b.index = task / grid;
        b.job = (cpu_gemm_job){0};
        r->s->job(r->s->user, b.index, &b.job);
        multiply(r, &b, panels_m * gm / p->grid_m, panels_m * (gm + 1) / p->grid_m, panels_n * gn / p->grid_n,
                 panels_n * (gn + 1) / p->grid_n);
    }
}

void cpu_gemm_run(const cpu_gemm *p, const cpu_gemm_source *s, void *scratch, vkb_pool *pool)
{
    run r = {p, s, scratch};
    vkb_parallel_for(p->threaded ? pool : NULL, p->jobs * p->grid_m * p->grid_n, 1, run_tasks, &r);
}

void cpu_pack_a_panel(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int rows)
{
    for (int64_t j = 0; j < k; j++)
        for (int i = 0; i < rows; i++) *dst++ = src[i * row + j * col];
}

void cpu_pack_a(float *dst, const float *src, int64_t row, int64_t col, int64_t m, int64_t k)
{
    for (int64_t i = 0; i < cpu_panels(m); i++) {
        int64_t first = cpu_panel_row(m, i);
        cpu_pack_a_panel(dst + first * k, src + first * row, row, col, k,
                         (int)(cpu_panel_row(m, i + 1) - first));
    }
}

void cpu_pack_b_panel(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int cols, int width,
                      float scale)
{
    for (int64_t i = 0; i < k; i++, src += row, dst += width) {
        if (col == 1) {
            for (int j = 0; j < cols; j++) dst[j] = src[j] * scale;
        } else {
            for (int j = 0; j < cols; j++) dst[j] = src[j * col] * scale;
        }
        for (int j = cols; j < width; j++) dst[j] = 0;
    }
}

void cpu_pack_b(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int64_t n, float scale)
{
    for (int64_t j = 0; j < n; j += CPU_NR) {
        int cols = (int)vkb_min(CPU_NR, n - j);
        cpu_pack_b_panel(dst + j * k, src + j * col, row, col, k, cols, cpu_panel_width(cols), scale);
    }
}
