/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/winograd.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    LANES = 8, /* of filters */
    MOST = 6,  /* n, r and m at most */
    MOST_TAPS = 5,
    MOST_TILE = 4
};

/* ---- filters: U = G g G' ---- */

/* A row of a point p is a multiple of 1, p, p^2.. */
#define HALF_ROOT 0.70710678118654752440
#define POINT(scale, p)                                                                                      \
    {                                                                                                        \
        (float)(scale), (float)((scale) * (p)), (float)((scale) * (p) * (p)),                                \
            (float)((scale) * (p) * (p) * (p)), (float)((scale) * (p) * (p) * (p) * (p))                     \
    }
#define FOUR_POINTS                                                                                          \
    POINT(-1 / 1.5, HALF_ROOT), POINT(-1 / 1.5, -HALF_ROOT), POINT(1.0 / 6, 2 * HALF_ROOT),                  \
        POINT(1.0 / 6, -2 * HALF_ROOT)
const float cpu_winograd_g[CPU_WINOGRADS][6][5] = {
    [CPU_F2_3] = {{1}, POINT(0.5, 1), POINT(0.5, -1), {0, 0, 1}},
    [CPU_F4_3] = {{1}, FOUR_POINTS, {0, 0, 1}},
    [CPU_F2_5] = {{1}, FOUR_POINTS, {0, 0, 0, 0, 1}},
};
#undef FOUR_POINTS
#undef HALF_ROOT
#undef POINT

void cpu_winograd_gather(const cpu_winograd *t, float *to, int64_t first, const float *weights, int64_t k,
                         int64_t channels, int64_t rows)
{
    const int64_t taps = t->taps * t->taps;
    for (int64_t c = 0; c < channels; c++, weights += taps)
        for (int64_t r = 0; r < rows; r++, first++) {
            float *lane = to + first / LANES * LANES * taps + first % LANES;
            for (int64_t i = 0; i < taps; i++) lane[i * LANES] = weights[r * k * taps + i];
        }
}

/* Batches of channels that stay in the first-level cache between the taps and the products, which are made in
 * whole vectors. */
void cpu_winograd_pack(const cpu_winograd *t, float *to, int64_t to_step, const float *weights, int64_t k,
                       int64_t rows)
{
    enum { BATCH = 96 }; /* filters */
    float g[MOST_TAPS * MOST_TAPS * BATCH], u[2 * MOST * BATCH];
    const int64_t most = BATCH / rows;
    for (int64_t first = 0; first < k; first += most) {
        const int64_t channels = vkb_min(most, k - first), n = channels * rows;
        cpu_winograd_gather(t, g, 0, weights + first * t->taps * t->taps, k, channels, rows);
        for (int pair = 0; pair <= t->size / 2; pair++) {
            const int64_t from = cpu_winograd_first(pair) * t->size;
            const int64_t end = vkb_min(cpu_winograd_first(pair + 1), t->size) * t->size;
            t->filters(u, BATCH, g, n, pair);
            for (int64_t i = from; i < end; i++)
                memcpy(to + i * to_step + first * rows, u + (i - from) * BATCH, (size_t)n * sizeof *u);
        }
    }
}

/* ---- accuracy ---- */

typedef struct trial {
    float products[MOST * MOST * LANES];
    double sums[MOST_TILE * MOST_TILE * LANES]; /* as they should be */
} trial;

/* Adds a channel: its random tile x, and its filters g[tap][LANES]. */
static void try_channel(const cpu_winograd *m, trial *t, const float *x, const float *g)
{
    static const int32_t same[LANES] = {0};
    const int size = m->size, taps = m->taps;
    float rows[MOST * MOST], v[MOST * MOST * LANES], u[MOST * MOST * LANES];
    const float *in[MOST];
    for (int i = 0; i < size; i++) in[i] = x + i * size;
    m->rows(rows, size, in, size);
    m->in(v, v + (size - 1) * LANES, LANES, rows, size, same, size);
    for (int i = 0; i <= size / 2; i++)
        m->filters(u + cpu_winograd_first(i) * size * LANES, LANES, g, LANES, i);
    for (int i = 0; i < size * size * LANES; i++) t->products[i] += u[i] * v[i];
    for (int i = 0; i < m->tile * m->tile; i++) {
        double *sums = t->sums + i * LANES;
        for (int tap = 0; tap < taps * taps; tap++) {
            const float a = x[(i / m->tile + tap / taps) * size + i % m->tile + tap % taps];
            for (int f = 0; f < LANES; f++) sums[f] += (double)a * (double)g[tap * LANES + f];
        }
    }
}

/* The largest difference of what the kernels compute from the sums in double is at most the tolerated part of
 * the largest of these. */
static bool compare(const cpu_winograd *m, const trial *t)
{
    const double tolerance = 4e-6;
    double error = 0, largest = 0;
    int32_t apart[LANES];
    float y[MOST_TILE * MOST_TILE * LANES];
    for (int f = 0; f < LANES; f++) apart[f] = f * m->tile;
    m->out(y, LANES * m->tile, apart, t->products, t->products + (m->size - 1) * m->size * LANES, LANES, 0);
    for (int f = 0; f < LANES; f++)
        for (int i = 0; i < m->tile * m->tile; i++) {
            const double sum = t->sums[i * LANES + f];
            const float got = y[i / m->tile * LANES * m->tile + apart[f] + i % m->tile];
            const double off = fabs((double)got - sum), size = fabs(sum);
            if (!(off <= error)) error = off; /* NaN stays */
            if (size > largest) largest = size;
        }
    return error <= tolerance * largest;
}

static bool try_filters(const cpu_winograd *m, const float *weights, int64_t filters, int64_t channels)
{
    const int taps = m->taps * m->taps;
    trial t = {0};
    float x[MOST * MOST], g[MOST_TAPS * MOST_TAPS * LANES];
    uint32_t random = 1;
    for (int64_t c = 0; c < channels; c++) {
        for (int f = 0; f < LANES; f++) {
            const float *filter = weights + (f * (filters - 1) / (LANES - 1) * channels + c) * taps;
            for (int i = 0; i < taps; i++) g[i * LANES + f] = filter[i];
        }
        for (int i = 0; i < m->size * m->size; i++) {
            random = random * 1664525u + 1013904223u;
            x[i] = (float)(random >> 8) / (1 << 23) - 1;
        }
        try_channel(m, &t, x, g);
    }
    return compare(m, &t);
}

/* What was found, for the life of the process: a place holds the upper bits of a key and the verdict, or 0. A
 * key that has lost its place is tried again, with the same result. */
enum { VERDICTS = 512 };
static _Atomic uint64_t verdicts[VERDICTS];

bool cpu_winograd_accurate(cpu_winograd_kind kind, const gr_tensor *weights, int64_t filters,
                           int64_t channels)
{
    const cpu_micro *micro = cpu_micro_get();
    const int64_t sizes[] = {(int64_t)weights->const_key, kind, filters, channels};
    const uint64_t key = vkb_hash(sizes, sizeof sizes, vkb_hash(micro->isa, strlen(micro->isa), 0)) | 2;
    const uint64_t found = atomic_load_explicit(&verdicts[key / 4 % VERDICTS], memory_order_relaxed);
    if ((found | 1) == (key | 1)) return found & 1;
    const bool good = try_filters(&micro->winograd[kind], weights->data, filters, channels);
    atomic_store_explicit(&verdicts[key / 4 % VERDICTS], (key & ~UINT64_C(1)) | good, memory_order_relaxed);
    return good;
}
