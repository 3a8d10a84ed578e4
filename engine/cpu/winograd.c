/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/winograd.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BATCH = 96, /* filters that are transformed together */
    LANES = 8,
    MOST = 6, /* the largest form's tile and its border: the points of a dimension */
    PROBES = 4
};

/* ---- filters: U = G g G', in double since it is done once ---- */

/* Two points, +p and -p, of a dimension: a row g becomes a g[0] + c g[2] +- b g[1]. 0 and infinity, the first
 * and the last product, are g[0] and g[2]. */
typedef struct point_pair {
    double a, b, c;
} point_pair;

#define HALF_ROOT 0.70710678118654752440
static const point_pair pairs_2[] = {{0.5, 0.5, 0.5}};
static const point_pair pairs_4[] = {{-1 / 1.5, -HALF_ROOT / 1.5, -0.5 / 1.5},
                                     {1.0 / 6, 2 * HALF_ROOT / 6, 2.0 / 6}};
#undef HALF_ROOT

static const point_pair *pairs_of(int tile)
{
    return tile == 2 ? pairs_2 : pairs_4;
}

/* One row or column of n filters. The outputs lie u_step apart. */
static void transform_three(int tile, double *u, int64_t u_step, const double *a, const double *b,
                            const double *c, int64_t n)
{
    const point_pair *pairs = pairs_of(tile);
    memcpy(u, a, (size_t)n * sizeof *u);
    for (int p = 0; p < tile / 2; p++) {
        const point_pair at = pairs[p];
        double *plus = u + (2 * p + 1) * u_step, *minus = plus + u_step;
        for (int64_t i = 0; i < n; i++) {
            const double even = at.a * a[i] + at.c * c[i], odd = at.b * b[i];
            plus[i] = even + odd;
            minus[i] = even - odd;
        }
    }
    memcpy(u + (tile + 1) * u_step, c, (size_t)n * sizeof *u);
}

/* u[product][n] of g[tap][n], n <= BATCH */
static void transform_filters(int tile, double *u, const double *g, int64_t n)
{
    const int size = tile + 2;
    double t[3 * MOST * BATCH]; /* [column][row][n] */
    for (int c = 0; c < 3; c++)
        transform_three(tile, t + size * c * n, n, g + c * n, g + (3 + c) * n, g + (6 + c) * n, n);
    for (int i = 0; i < size; i++)
        transform_three(tile, u + size * i * n, n, t + i * n, t + (size + i) * n, t + (2 * size + i) * n, n);
}

/* Batches of channels, since the products lie a power of two apart and would push each other out of the
 * cache. */
void cpu_winograd_pack(int tile, float *to, int64_t to_step, const float *weights, int64_t k, int64_t rows)
{
    double g[9 * BATCH], u[MOST * MOST * BATCH];
    const int64_t most = BATCH / rows;
    for (int64_t first = 0; first < k; first += most) {
        const int64_t channels = vkb_min(most, k - first), n = channels * rows;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < channels; c++)
                for (int tap = 0; tap < 9; tap++)
                    g[tap * n + c * rows + r] = (double)weights[(r * k + first + c) * 9 + tap];
        transform_filters(tile, u, g, n);
        for (int p = 0; p < (tile + 2) * (tile + 2); p++)
            for (int64_t i = 0; i < n; i++) to[p * to_step + first * rows + i] = (float)u[p * n + i];
    }
}

/* ---- accuracy ---- */

typedef struct trial { /* of one tile of PROBES filters */
    float products[PROBES][MOST * MOST * LANES];
    double sums[PROBES][(MOST - 2) * (MOST - 2)];
} trial;

/* Adds a channel: its random tile x, and its filter of each probe. */
static void try_channel(const cpu_winograd *m, int tile, trial *t, const float *x,
                        const float *const filters[PROBES])
{
    static const int32_t same[LANES] = {0};
    const int size = tile + 2;
    float rows[MOST * MOST], v[MOST * MOST * LANES];
    double g[9 * PROBES], u[MOST * MOST * PROBES];
    const float *in[MOST];
    for (int i = 0; i < size; i++) in[i] = x + i * size;
    m->rows(rows, size, in, size);
    m->in(v, LANES, rows, size, same);
    for (int i = 0; i < 9; i++)
        for (int f = 0; f < PROBES; f++) g[i * PROBES + f] = (double)filters[f][i];
    transform_filters(tile, u, g, PROBES);
    for (int f = 0; f < PROBES; f++) {
        for (int i = 0; i < size * size; i++)
            t->products[f][LANES * i] += (float)u[i * PROBES + f] * v[LANES * i];
        for (int row = 0; row < tile; row++)
            for (int col = 0; col < tile; col++) {
                double sum = 0;
                for (int i = 0; i < 9; i++)
                    sum += (double)x[(row + i / 3) * size + col + i % 3] * (double)filters[f][i];
                t->sums[f][row * tile + col] += sum;
            }
    }
}

/* The largest difference of what the kernels compute from the sums in double is at most the tolerated part of
 * the largest of these. */
static bool try_filters(int tile, const float *weights, int64_t filters, int64_t channels)
{
    static const int32_t same[LANES] = {0};
    const double tolerance = 4e-6;
    const cpu_winograd *m = cpu_winograd_of(cpu_micro_get(), tile);
    trial t = {0};
    float x[MOST * MOST];
    uint32_t random = 1;
    double error = 0, largest = 0;
    for (int64_t c = 0; c < channels; c++) {
        const float *probes[PROBES];
        for (int i = 0; i < PROBES; i++)
            probes[i] = weights + (i * (filters - 1) / (PROBES - 1) * channels + c) * 9;
        for (int i = 0; i < (tile + 2) * (tile + 2); i++) {
            random = random * 1664525u + 1013904223u;
            x[i] = (float)(random >> 8) / (1 << 23) - 1;
        }
        try_channel(m, tile, &t, x, probes);
    }
    for (int f = 0; f < PROBES; f++) {
        float y[(MOST - 2) * (MOST - 2)];
        for (int i = 0; i < MOST * MOST * LANES; i++) /* all lanes write the same place */
            t.products[f][i] = t.products[f][i / LANES * LANES];
        m->out(y, tile, same, t.products[f], LANES, 0);
        for (int i = 0; i < tile * tile; i++) {
            const double off = fabs((double)y[i] - t.sums[f][i]), size = fabs(t.sums[f][i]);
            error = off > error ? off : error; /* fmax: GCC 12 for ARM fails on a reduction by it */
            largest = size > largest ? size : largest;
        }
    }
    return error <= tolerance * largest;
}

/* What was found, for the life of the process: a place holds the upper bits of a key and the verdict, or 0. A
 * key that has lost its place is tried again, with the same result. */
enum { VERDICTS = 512 };
static _Atomic uint64_t verdicts[VERDICTS];

bool cpu_winograd_accurate(int tile, const gr_tensor *weights, int64_t filters, int64_t channels)
{
    const char *isa = cpu_micro_get()->isa;
    const int64_t sizes[] = {(int64_t)weights->const_key, tile, filters, channels};
    const uint64_t key = vkb_hash(sizes, sizeof sizes, vkb_hash(isa, strlen(isa), 0)) | 2;
    const uint64_t found = atomic_load_explicit(&verdicts[key / 4 % VERDICTS], memory_order_relaxed);
    if ((found | 1) == (key | 1)) return found & 1;
    const bool good = try_filters(tile, weights->data, filters, channels);
    atomic_store_explicit(&verdicts[key / 4 % VERDICTS], (key & ~UINT64_C(1)) | good, memory_order_relaxed);
    return good;
}
