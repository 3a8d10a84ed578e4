/* SPDX-License-Identifier: Apache-2.0
 * 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 36 products of matrices instead of 9 taps for 16
 * outputs, a quarter of the multiplications. The image is cut into strips of whole rows of tiles, so that
 * what lies between the three steps - transform, multiply, transform back - stays in the cache. A NaN or an
 * infinity of the input spreads over its tile. */
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

#include <math.h>
#include <string.h>

enum { PRODUCTS = 36, TILE = 4, LEAST_CHANNELS = 16 };

typedef struct winograd {
    op_window w;
    int64_t channels, rows_out;          /* of a group: of the input; of the output */
    int64_t tiles_x, tiles_y, strip;     /* tiles; rows of tiles in a strip */
    int64_t x_step, y_step;              /* row lengths of the transformed rows; of the outputs */
    int32_t *in_offset, *out_offset;     /* of each tile of a strip, in those rows */
    cpu_gemm whole, rest;                /* of a strip, and of the last one if it is shorter */
    uint64_t v_floats, m_floats, floats; /* scratch: products of the input; of the output; a thread's rows */
    int64_t grain;                       /* channels a task */
} winograd;

/* ---- weights ---- */

enum { BATCH = 96 }; /* filters that are transformed together */

/* One row or column of n filters: U = G g, in double since it is done once. The outputs lie u_step apart. */
static void transform_three(double *u, int64_t u_step, const double *a, const double *b, const double *c,
                            int64_t n)
{
    const double root = sqrt(2.0), half_root = sqrt(0.5);
    for (int64_t i = 0; i < n; i++) {
        u[i] = a[i];
        u[i + u_step] = (a[i] + half_root * b[i] + 0.5 * c[i]) * (-1 / 1.5);
        u[i + 2 * u_step] = (a[i] - half_root * b[i] + 0.5 * c[i]) * (-1 / 1.5);
        u[i + 3 * u_step] = (a[i] + root * b[i] + 2 * c[i]) * (1.0 / 6);
        u[i + 4 * u_step] = (a[i] - root * b[i] + 2 * c[i]) * (1.0 / 6);
        u[i + 5 * u_step] = c[i];
    }
}

/* u[product][n] of g[tap][n], n <= BATCH */
static void transform_filters(double *u, const double *g, int64_t n)
{
    double t[3 * 6 * BATCH]; /* [column][row][n] */
    for (int c = 0; c < 3; c++)
        transform_three(t + 6 * c * n, n, g + c * n, g + (3 + c) * n, g + (6 + c) * n, n);
    for (int i = 0; i < 6; i++)
        transform_three(u + 6 * i * n, n, t + i * n, t + (6 + i) * n, t + (12 + i) * n, n);
}

/* A panel of A for every product: `rows` filters of k channels, to[product * to_step + channel * rows + row].
 * Batches of channels, since the products lie a power of two apart and would push each other out of the
 * cache. */
static void pack_panel(float *to, int64_t to_step, const float *weights, int64_t k, int64_t rows)
{
    double g[9 * BATCH], u[PRODUCTS * BATCH];
    const int64_t most = BATCH / rows;
    for (int64_t first = 0; first < k; first += most) {
        const int64_t channels = vkb_min(most, k - first), n = channels * rows;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < channels; c++)
                for (int tap = 0; tap < 9; tap++)
                    g[tap * n + c * rows + r] = (double)weights[(r * k + first + c) * 9 + tap];
        transform_filters(u, g, n);
        for (int p = 0; p < PRODUCTS; p++)
            for (int64_t i = 0; i < n; i++) to[p * to_step + first * rows + i] = (float)u[p * n + i];
    }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const winograd *s = state;
    const int64_t m = s->rows_out, k = s->channels;
    const int mr = s->whole.micro->mr;
    const float *weights = g->tensors[n->in[1]].data;
    for (int64_t group = 0; group < s->w.group; group++)
        for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
            const int64_t first = cpu_panel_row(m, mr, p), rows = cpu_panel_row(m, mr, p + 1) - first;
            pack_panel((float *)dst + group * PRODUCTS * m * k + first * k, m * k,
                       weights + (group * m + first) * k * 9, k, rows);
        }
}

/* ---- where it is used ---- */

static int64_t tiles_of(int64_t outputs)
{
    return vkb_ceil_div(outputs, TILE);
}

/* Multiply-accumulates of both ways. A transform of a tile counts as much as these many, and the weights,
 * read once a strip, as eight more tiles. */
static bool pays(const op_window *w)
{
    enum { IN_COST = 250, OUT_COST = 200 };
    const double in = (double)(w->in_c / w->group), out = (double)(w->out_c / w->group);
    const double tiles = (double)(tiles_of(w->out_w) * tiles_of(w->out_h));
    const double direct = 9 * in * out * (double)(w->out_w * w->out_h);
    return 1.15 * (PRODUCTS * in * out * (tiles + 8) + tiles * (IN_COST * in + OUT_COST * out)) < direct;
}

/* One tile of one output, in the arithmetic of the kernels: the largest difference from the sum in double,
 * and the largest of these. */
static void try_tile(const cpu_micro *m, const float *weights, int64_t channels, double *error,
                     double *largest)
{
    static const int32_t same[8] = {0};
    float products[PRODUCTS * 8] = {0}, y[4 * TILE];
    double sum[TILE][TILE] = {{0}};
    uint32_t random = 1;
    for (int64_t c = 0; c < channels; c++) {
        float x[6][6], t[6][6], v[PRODUCTS * 8];
        double g[9], u[PRODUCTS];
        for (int i = 0; i < 36; i++) {
            random = random * 1664525u + 1013904223u;
            x[i / 6][i % 6] = (float)(random >> 8) / (1 << 23) - 1;
        }
        m->winograd_rows(t[0], 6, (const float *const[]){x[0], x[1], x[2], x[3], x[4], x[5]}, 6);
        m->winograd_in(v, 8, t[0], 6, same);
        for (int i = 0; i < 9; i++) g[i] = (double)weights[9 * c + i];
        transform_filters(u, g, 1);
        for (int i = 0; i < PRODUCTS; i++) products[8 * i] += (float)u[i] * v[8 * i];
        for (int i = 0; i < 16 * 9; i++) {
            const int row = i / 36, col = i / 9 % 4, ky = i % 9 / 3, kx = i % 3;
            sum[row][col] += (double)x[row + ky][col + kx] * (double)weights[9 * c + i % 9];
        }
    }
    for (int i = 0; i < PRODUCTS * 8; i++)
        products[i] = products[i / 8 * 8]; /* all lanes write the same place */
    m->winograd_out(y, TILE, same, products, 8, 0);
    for (int i = 0; i < 16; i++) {
        *error = fmax(*error, fabs((double)y[i] - sum[i / 4][i % 4]));
        *largest = fmax(*largest, fabs(sum[i / 4][i % 4]));
    }
}

/* Weights whose parts cancel lose digits. A layer that would be off by more than this part of its largest
 * output goes another way. */
static bool accurate(const gr_graph *g, const gr_node *n, const op_window *w)
{
    const double tolerance = 4e-6;
    const int64_t channels = w->in_c / w->group, probes = vkb_min(w->out_c, 4);
    const float *weights = g->tensors[n->in[1]].data;
    double error = 0, largest = 0;
    for (int64_t i = 0; i < probes; i++)
        try_tile(cpu_micro_get(), weights + i * (w->out_c - 1) / vkb_max(1, probes - 1) * channels * 9,
                 channels, &error, &largest);
    return error <= tolerance * largest;
}

bool cpu_conv2d_winograd_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, &w) || !cpu_conv_fits(&w))
        return false;
    const bool form = w.kernel_h == 3 && w.kernel_w == 3 && w.stride_h == 1 && w.stride_w == 1 &&
                      w.dilation_h == 1 && w.dilation_w == 1 && w.pad_top >= 0 && w.pad_left >= 0;
    const bool many = w.in_c / w.group >= LEAST_CHANNELS && w.out_c / w.group >= LEAST_CHANNELS;
    return form && many && pays(&w) && accurate(g, n, &w);
}

/* ---- the plan ---- */

/* Rows of tiles whose products fit into the cache; more where the weights, read once a strip, are large. */
static int64_t strip_of(const winograd *s)
{
    const int64_t least = 1 << 19, most = 1 << 22; /* floats */
    const int64_t weights = PRODUCTS * s->channels * s->rows_out;
    const int64_t room = vkb_max(least, vkb_min(most, weights));
    const int64_t rows = room / (PRODUCTS * (s->channels + s->rows_out) * s->tiles_x);
    return vkb_max(1, vkb_min(s->tiles_y, rows));
}

static int64_t padded_tiles(int64_t tiles)
{
    return (int64_t)vkb_round_up((uint64_t)tiles, 8);
}

static void plan_gemm(const winograd *s, cpu_gemm *p, int64_t rows, int threads)
{
    cpu_gemm_plan(p, s->rows_out, rows * s->tiles_x, s->channels, PRODUCTS, threads, false, false);
    p->c_stride = padded_tiles(p->n);
}

/* The lanes that fill a last vector of a strip read its last tile again, and write behind the outputs. */
static vki_status plan_offsets(winograd *s, vkb_arena *arena, vki_error *err)
{
    const int64_t tiles = s->strip * s->tiles_x, padded = padded_tiles(tiles);
    s->in_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *s->in_offset);
    s->out_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *s->out_offset);
    if (!s->in_offset || !s->out_offset) return vkb_nomem(err, (uint64_t)padded * sizeof *s->in_offset);
    for (int64_t i = 0; i < padded; i++) {
        const int64_t tile = vkb_min(i, tiles - 1), y = tile / s->tiles_x, x = tile % s->tiles_x;
        s->in_offset[i] = (int32_t)(y * 6 * s->x_step + x * TILE);
        s->out_offset[i] =
            (int32_t)(i < tiles ? y * TILE * s->y_step + x * TILE : s->strip * TILE * s->y_step);
    }
    return VKI_OK;
}

vki_status cpu_conv2d_winograd_prepare(cpu_prep *p, vki_error *err)
{
    winograd *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_2d_of(p->g, p->n, &s->w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    const op_window *w = &s->w;
    s->channels = w->in_c / w->group;
    s->rows_out = w->out_c / w->group;
    s->tiles_x = tiles_of(w->out_w);
    s->tiles_y = tiles_of(w->out_h);
    s->strip = strip_of(s);
    s->y_step = TILE * s->tiles_x;
    s->x_step = s->y_step + 2;
    VKB_TRY(plan_offsets(s, p->arena, err));
    plan_gemm(s, &s->whole, s->strip, p->threads);
    s->rest = s->whole;
    if (s->tiles_y % s->strip) plan_gemm(s, &s->rest, s->tiles_y % s->strip, p->threads);
    const uint64_t tiles = (uint64_t)padded_tiles(s->strip * s->tiles_x);
    s->v_floats = PRODUCTS * (uint64_t)s->channels * tiles;
    s->m_floats = PRODUCTS * (uint64_t)s->rows_out * tiles;
    const int64_t in_rows = s->strip * 6 * s->x_step + w->in_w, out_rows = (s->strip + 1) * TILE * s->y_step;
    s->floats = vkb_round_up((uint64_t)vkb_max(in_rows, out_rows), 16);
    s->grain = vkb_max(1, CPU_GRAIN_ELEMENTS / (s->strip * s->tiles_x * PRODUCTS));
    p->state = s;
    p->scratch_bytes = (s->v_floats + s->m_floats + s->floats * (uint64_t)p->threads) * sizeof(float);
    p->weight_bytes = PRODUCTS * (uint64_t)(w->out_c * s->channels) * sizeof(float);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("winograd", (int64_t[]){w->out_c, w->in_c, w->group}, 3);
    return VKI_OK;
}

/* ---- the run ---- */

typedef struct strip { /* of one group of one image */
    const winograd *s;
    const cpu_gemm *gemm;
    const cpu_call *call;
    const float *x, *weights, *bias, *residual; /* of the group; bias and residual may be NULL */
    float *y, *v, *m, *rows;                    /* rows: of all threads */
    int64_t first, count;                       /* rows of tiles */
} strip;

/* The rows of one channel that a strip reads, transformed down the columns; the padding is zero. */
static void transform_rows(const strip *t, const float *x, float *rows)
{
    const winograd *s = t->s;
    const op_window *w = &s->w;
    const float *zeros = rows + s->strip * 6 * s->x_step;
    const int64_t columns = vkb_max(0, vkb_min(w->in_w, s->x_step - w->pad_left));
    for (int64_t ty = 0; ty < t->count; ty++) {
        const float *in[6];
        for (int i = 0; i < 6; i++) {
            const int64_t y = (t->first + ty) * TILE + i - w->pad_top;
            in[i] = y >= 0 && y < w->in_h ? x + y * w->in_w : zeros;
        }
        s->whole.micro->winograd_rows(rows + ty * 6 * s->x_step + w->pad_left, s->x_step, in, columns);
    }
}

/* Panels of B: the products' matrices are channels by tiles. */
static void transform_input(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const int64_t tiles = t->gemm->n, k = s->channels, plane = s->w.in_h * s->w.in_w;
    const int64_t v_step = (int64_t)cpu_packed_b_floats(tiles, k);
    float *rows = t->rows + (uint64_t)thread * s->floats;
    memset(rows, 0, (size_t)s->floats * sizeof *rows);
    for (int64_t c = begin; c < end; c++) {
        transform_rows(t, t->x + c * plane, rows);
        for (int64_t i = 0; i < tiles; i += 8) {
            const int64_t panel = i / CPU_NR * CPU_NR,
                          width = cpu_panel_width(vkb_min(CPU_NR, tiles - panel));
            s->whole.micro->winograd_in(t->v + panel * k + c * width + i - panel, v_step, rows, s->x_step,
                                        s->in_offset + i);
        }
    }
}

static void job(const void *user, int64_t index, cpu_gemm_job *j)
{
    const strip *t = user;
    const cpu_gemm *p = t->gemm;
    j->a = t->weights + index * p->m * p->k;
    j->b = t->v + index * (int64_t)cpu_packed_b_floats(p->n, p->k);
    j->c = t->m + index * p->m * p->c_stride;
}

static void store_rows(const strip *t, const float *rows, int64_t channel)
{
    const winograd *s = t->s;
    const int64_t first = t->first * TILE, last = vkb_min(s->w.out_h, first + t->count * TILE);
    for (int64_t y = first; y < last; y++) {
        const int64_t at = (channel * s->w.out_h + y) * s->w.out_w;
        s->whole.micro->epilogue(t->y + at, rows + (y - first) * s->y_step,
                                 t->residual ? t->residual + at : NULL, s->w.out_w, &t->call->n->epilogue);
    }
}

static void transform_output(void *arg, int64_t begin, int64_t end, int thread)
{
    const strip *t = arg;
    const winograd *s = t->s;
    const cpu_gemm *p = t->gemm;
    float *rows = t->rows + (uint64_t)thread * s->floats;
    for (int64_t c = begin; c < end; c++) {
        for (int64_t i = 0; i < p->n; i += 8)
            s->whole.micro->winograd_out(rows, s->y_step, s->out_offset + i, t->m + c * p->c_stride + i,
                                         p->m * p->c_stride, t->bias ? t->bias[c] : 0);
        store_rows(t, rows, c);
    }
}

static void run_strip(strip *t)
{
    const cpu_gemm_source source = {.user = t, .job = job};
    vkb_pool *pool = t->gemm->threaded ? t->call->pool : NULL;
    vkb_parallel_for(pool, t->s->channels, t->s->grain, transform_input, t);
    cpu_gemm_run(t->gemm, &source, NULL, t->call->pool);
    vkb_parallel_for(pool, t->s->rows_out, t->s->grain, transform_output, t);
}

void cpu_conv2d_winograd_run(const cpu_call *c)
{
    const winograd *s = c->state;
    const op_window *w = &s->w;
    const int64_t in = s->channels * w->in_h * w->in_w, out = s->rows_out * w->out_h * w->out_w;
    const float *bias = cpu_own_input(c, 2), *residual = cpu_residual(c);
    float *v = c->scratch;
    for (int64_t i = 0; i < w->batch * w->group; i++) {
        const int64_t group = i % w->group;
        strip t = {.s = s,
                   .call = c,
                   .x = (const float *)c->in[0] + i * in,
                   .y = (float *)c->out[0] + i * out,
                   .weights = (const float *)c->weights + group * PRODUCTS * s->rows_out * s->channels,
                   .bias = bias ? bias + group * s->rows_out : NULL,
                   .residual = residual ? residual + i * out : NULL,
                   .v = v,
                   .m = v + s->v_floats,
                   .rows = v + s->v_floats + s->m_floats};
        for (t.first = 0; t.first < s->tiles_y; t.first += s->strip) {
            t.count = vkb_min(s->strip, s->tiles_y - t.first);
            t.gemm = t.count == s->strip ? &s->whole : &s->rest;
            run_strip(&t);
        }
    }
}
