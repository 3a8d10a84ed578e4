/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/gemm.h"

/* Blocks: a panel of B (16 KiB) stays in the first-level cache while panels of A stream past it; a block of
 * either fills a quarter of the second. Rows are no matter of the caches' sizes, since sums are cut by them.
 */
enum {
    KC = 256,     /* rows of B in a block */
    PACK_COST = 4 /* packing a panel of B costs about as much as computing 4 rows with it */
};

/* cpu_panel_row without its divisions. */
static int64_t panel_row(const cpu_gemm *p, int64_t panel)
{
    return panel * p->panel_rows + vkb_min(panel, p->panels_larger);
}

static int64_t panels_of_b(int64_t n)
{
    return vkb_ceil_div(n, CPU_NR);
}

/* Cuts a job into a grid so that the busiest thread has the least to do. */
static void choose_grid(cpu_gemm *p, int threads)
{
    int64_t panels_m = cpu_panels(p->m, p->micro->mr), panels_n = panels_of_b(p->n), best = INT64_MAX;
    p->grid_m = p->grid_n = 1;
    for (int64_t gm = 1; gm <= vkb_min(threads, panels_m); gm++)
        for (int64_t gn = 1; gm * gn <= 2 * threads && gn <= panels_n; gn++) {
            const int64_t rounds = vkb_ceil_div(p->jobs * gm * gn, threads);
            const int64_t cols = vkb_min(p->n, vkb_ceil_div(panels_n, gn) * CPU_NR); /* at most, of a task */
            const int64_t cost = rounds * cols * (vkb_ceil_div(panels_m, gm) * p->micro->mr + PACK_COST);
            if (cost >= best) continue;
            best = cost;
            p->grid_m = gm;
            p->grid_n = gn;
        }
}

/* More and smaller tasks, so that a thread that comes late leaves some to others; of columns, since A is
 * packed before, and of no fewer than a block of B has. */
static void refine_grid(cpu_gemm *p, int threads, double macs, bool packs_b)
{
    enum { TASKS = 4, LEAST_PANELS = 8 }; /* of a thread; of a task */
    const int64_t panels = panels_of_b(p->n), least = packs_b ? p->nc : LEAST_PANELS;
    int64_t tasks = p->jobs * p->grid_m * p->grid_n;
    for (; tasks < TASKS * threads && panels >= 2 * p->grid_n * least; tasks *= 2) {
        if (macs < 4.0 * CPU_GRAIN_MACS * (double)tasks) break;
        p->grid_n *= 2;
    }
}

static void plan_blocks(cpu_gemm *p, int threads, bool packs_a, bool packs_b)
{
    const int64_t panels_n = panels_of_b(p->n), panels_m = cpu_panels(p->m, p->micro->mr);
    p->panel_rows = p->m / panels_m;
    p->panels_larger = p->m % panels_m;
    const int64_t block = cpu_caches_get()->second / 4 / (int64_t)sizeof(float); /* floats */
    p->kc = vkb_ceil_div(p->k, vkb_ceil_div(p->k, KC));                          /* equal blocks */
    p->mc = vkb_max(1, vkb_min(panels_m, block / (p->kc * p->micro->mr)));
    p->nc = packs_b ? vkb_max(1, vkb_min(panels_n, block / (p->kc * CPU_NR))) : panels_n;
    const double macs = (double)p->m * (double)p->n * (double)p->k * (double)p->jobs;
    p->threaded = threads > 1 && macs >= 2.0 * CPU_GRAIN_MACS;
    p->grid_m = p->grid_n = 1;
    if (p->threaded) {
        choose_grid(p, threads);
        if (!packs_a) refine_grid(p, threads, macs, packs_b);
    }
    p->b_floats = packs_b ? (uint64_t)(p->nc * p->kc * CPU_NR) : 0;
    p->a_floats = packs_a ? vkb_round_up((uint64_t)(p->mc * p->kc * p->micro->mr), 16) : 0;
}

void cpu_gemm_plan(cpu_gemm *p, int64_t m, int64_t n, int64_t k, int64_t jobs, int threads, bool packs_a,
                   bool packs_b)
{
    *p = (cpu_gemm){.micro = cpu_micro_get(),
                    .tile = cpu_micro_get()->gemm,
                    .m = m,
                    .n = n,
                    .k = k,
                    .jobs = jobs,
                    .c_stride = n};
    plan_blocks(p, threads, packs_a, packs_b);
}

void cpu_gemm_skip(cpu_gemm *p, int64_t part, const uint64_t *parts)
{
    p->part = part;
    p->parts = parts;
    p->kc =
        vkb_min(p->kc, vkb_ceil_div(part, vkb_ceil_div(part, KC))); /* what was planned for more suffices */
}

static uint64_t own_floats(const cpu_gemm *p)
{
    return p->a_floats + p->b_floats;
}

uint64_t cpu_gemm_scratch(const cpu_gemm *p, int threads)
{
    return own_floats(p) * sizeof(float) * (uint64_t)(p->threaded ? threads : 1);
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

typedef struct place { /* of a panel of B: its columns */
    int64_t col;
    int cols;
} place;

static place place_of(const block *b, int64_t panel)
{
    const int64_t col = panel * CPU_NR;
    return (place){col, (int)vkb_min(CPU_NR, b->job.n - col)};
}

/* Which parts of panel j come before the block, and whether its own and later ones are there. */
typedef struct presence {
    bool before, here, after;
} presence;

static presence presence_of(const cpu_gemm *p, const block *b, int64_t j)
{
    const int64_t end = b->k0 + b->kc;
    if (!p->parts) return (presence){b->k0 > 0, true, end < b->job.k};
    const int64_t part = b->k0 / p->part;
    const uint64_t own = UINT64_C(1) << part, all = p->parts[j];
    return (presence){(all & (own - 1)) || b->k0 % p->part, all & own, (all >> part > 1) || end % p->part};
}

static bool in_place(const block *b, const place *at)
{
    return b->job.b_rows && at->cols == CPU_NR;
}

static void pack_columns(const run *r, const block *b)
{
    for (int64_t j = b->n0; j < b->n1; j++) {
        const place at = place_of(b, j);
        if (in_place(b, &at) || !presence_of(r->p, b, j).here) continue;
        r->s->pack_b(r->s->user, b->index, b->b + (j - b->n0) * b->kc * CPU_NR, b->k0, b->kc, at.col, at.cols,
                     cpu_panel_width(at.cols));
    }
}

static void pack_rows(const run *r, const block *b)
{
    const int64_t first = panel_row(r->p, b->m0);
    for (int64_t i = b->m0; i < b->m1; i++) {
        int64_t row = panel_row(r->p, i);
        r->s->pack_a(r->s->user, b->index, b->a + (row - first) * b->kc, b->k0, b->kc, row,
                     (int)(panel_row(r->p, i + 1) - row));
    }
}

/* Panel j of B's block, and how far apart its rows are. */
static const float *panel_of_b(const cpu_gemm *p, const block *b, int64_t j, const place *at, int64_t *stride)
{
    const cpu_gemm_job *job = &b->job;
    *stride = cpu_panel_width(at->cols);
    if (job->b) return job->b + at->col * job->k + b->k0 * *stride;
    if (!in_place(b, at)) return b->b + (j - b->n0) * b->kc * CPU_NR;
    *stride = p->n;
    return job->b_rows + b->k0 * p->n + at->col;
}

/* Whether tiles of panel j, whose place and parts these are, can be of the next one too. */
static bool with_next(const cpu_gemm *p, const block *b, int64_t j, presence parts)
{
    if (!p->micro->wide || j + 1 == b->n1) return false;
    const presence next = presence_of(p, b, j + 1);
    return next.here && next.before == parts.before && next.after == parts.after;
}

/* What a tile fetches for later. Of packed A the next panel. Where A is packed from run to run it is near,
 * and so the first tiles of a panel of B fetch the next one, a share each; `at` is its place. */
static const float *fetched(const block *b, const cpu_tile *t, int64_t i, const place *at)
{
    const cpu_gemm_job *job = &b->job;
    if (job->a) return i + 1 < b->m1 ? t->a + t->rows * job->k : NULL;
    const int64_t share = t->a - b->a;
    if (!job->b || at->cols <= 0 || share >= CPU_NR * b->kc) return NULL;
    return job->b + at->col * job->k + b->k0 * cpu_panel_width(at->cols) + share;
}

static void multiply_block(const run *r, const block *b)
{
    const cpu_gemm *p = r->p;
    const cpu_gemm_job *job = &b->job;
    int64_t first = panel_row(p, b->m0);
    cpu_tile t = {.k = b->kc, .c_stride = p->c_stride, .form = r->s->form};
    for (int64_t j = b->n0, panels; j < b->n1; j += panels) {
        const presence parts = presence_of(p, b, j);
        panels = 1;
        if (!parts.here) continue;
        const place at = place_of(b, j);
        place next = place_of(b, j + 1);
        t.accumulate = parts.before;
        t.epilogue = parts.after ? NULL : r->s->epilogue;
        t.b = panel_of_b(p, b, j, &at, &t.b_stride);
        t.cols = at.cols;
        if (with_next(p, b, j, parts)) {
            t.right = panel_of_b(p, b, j + 1, &next, &t.right_stride);
            t.cols += next.cols;
            next = place_of(b, j + ++panels);
        }
        t.bias_col = job->bias_col ? job->bias_col + at.col : NULL;
        for (int64_t i = b->m0; i < b->m1; i++) {
            int64_t row = panel_row(p, i), c = row * p->c_stride + at.col;
            t.rows = (int)(panel_row(p, i + 1) - row);
            t.a = job->a ? job->a + row * job->k + b->k0 * t.rows : b->a + (row - first) * b->kc;
            t.a_next = fetched(b, &t, i, &next);
            t.c = job->c + c;
            t.residual = job->residual ? job->residual + c : NULL;
            t.bias_row = job->bias_row ? job->bias_row + row : NULL;
            p->tile(&t);
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
        for (int64_t k = 0; k < b->job.k; k += b->kc) {
            b->k0 = k;
            b->kc = vkb_min(p->kc, (p->part ? (k / p->part + 1) * p->part : b->job.k) - k);
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

static void run_task(const run *r, block *b, int64_t task)
{
    const cpu_gemm *p = r->p;
    const int64_t panels_m = cpu_panels(p->m, p->micro->mr);
    const int64_t gm = task / p->grid_n % p->grid_m, gn = task % p->grid_n;
    const int64_t m0 = panels_m * gm / p->grid_m, m1 = panels_m * (gm + 1) / p->grid_m;
    b->index = task / (p->grid_m * p->grid_n);
    b->job = (cpu_gemm_job){.n = p->n, .k = p->k};
    r->s->job(r->s->user, b->index, &b->job);
    const int64_t panels_n = panels_of_b(b->job.n);
    multiply(r, b, m0, m1, panels_n * gn / p->grid_n, panels_n * (gn + 1) / p->grid_n);
}

static void run_tasks(void *arg, int64_t begin, int64_t end, int thread)
{
    const run *r = arg;
    const uint64_t own = own_floats(r->p); /* none: there may be no scratch to point into */
    block b;
    b.b = own ? r->scratch + (uint64_t)thread * own : NULL;
    b.a = own ? b.b + r->p->b_floats : NULL;
    for (int64_t task = begin; task < end; task++) run_task(r, &b, task);
}

void cpu_gemm_run(const cpu_gemm *p, const cpu_gemm_source *s, void *scratch, vkb_pool *pool)
{
    run r = {p, s, scratch};
    vkb_parallel_for(p->threaded ? pool : NULL, p->jobs * p->grid_m * p->grid_n, 1, run_tasks, &r);
}

void cpu_pack_a_panel(float *dst, const float *src, int64_t row, int64_t col, int64_t k, int rows)
{
    if (rows == 6) /* of most panels: a length that the compiler knows */
        for (int64_t j = 0; j < k; j++, dst += 6, src += col)
            for (int i = 0; i < 6; i++) dst[i] = src[i * row];
    else
        for (int64_t j = 0; j < k; j++)
            for (int i = 0; i < rows; i++) *dst++ = src[i * row + j * col];
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
