/* SPDX-License-Identifier: Apache-2.0
 * Reductions of a row over v8: four running vectors hide the latency; the order of the sum depends on n
 * alone. */

static float row_sum(const float *x, int64_t n)
{
    v8 s[4] = {v8_set1(0), v8_set1(0), v8_set1(0), v8_set1(0)};
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) CPU_UNROLL
    for (int j = 0; j < 4; j++) s[j] = v8_add(s[j], v8_load(x + i + 8 * j));
    for (; i + 8 <= n; i += 8) s[0] = v8_add(s[0], v8_load(x + i));
    if (i < n) s[1] = v8_add(s[1], v8_load_n(x + i, (int)(n - i)));
    return v8_sum(v8_add(v8_add(s[0], s[1]), v8_add(s[2], s[3])));
}

static float row_sum_sq(const float *x, int64_t n, float mean)
{
    const v8 m = v8_set1(mean);
    v8 s[4] = {v8_set1(0), v8_set1(0), v8_set1(0), v8_set1(0)};
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) CPU_UNROLL
    for (int j = 0; j < 4; j++) {
        v8 d = v8_sub(v8_load(x + i + 8 * j), m);
        s[j] = v8_fma(d, d, s[j]);
    }
    for (; i + 8 <= n; i += 8) {
        v8 d = v8_sub(v8_load(x + i), m);
        s[0] = v8_fma(d, d, s[0]);
    }
    float total = v8_sum(v8_add(v8_add(s[0], s[1]), v8_add(s[2], s[3])));
    for (; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
    return total;
}

static float row_max(const float *x, int64_t n)
{
    v8 m[4];
    CPU_UNROLL
    for (int j = 0; j < 4; j++) m[j] = v8_set1(x[0]);
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) CPU_UNROLL
    for (int j = 0; j < 4; j++) m[j] = v8_max(v8_load(x + i + 8 * j), m[j]);
    for (; i + 8 <= n; i += 8) m[0] = v8_max(v8_load(x + i), m[0]);
    float best = v8_hmax(v8_max(v8_max(m[0], m[1]), v8_max(m[2], m[3])));
    for (; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

static float exp_sum(float *y, const float *x, int64_t n, float max)
{
    const v8 m = v8_set1(max);
    v8 s = v8_set1(0);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        v8 e = v8_exp(v8_sub(v8_load(x + i), m));
        v8_store(y + i, e);
        s = v8_add(s, e);
    }
    float total = v8_sum(s);
    if (i < n) {
        const int rest = (int)(n - i);
        v8_store_n(y + i, v8_exp(v8_sub(v8_load_n(x + i, rest), m)), rest);
        for (; i < n; i++) total += y[i];
    }
    return total;
}

V8_INLINE void dots_of(float *y, const float *x, const float *rows, int64_t step, int64_t k, int count)
{
    v8 s[4][2];
    int64_t i = 0;
    CPU_UNROLL
    for (int r = 0; r < count; r++) s[r][0] = s[r][1] = v8_set1(0);
    for (; i + 16 <= k; i += 16) CPU_UNROLL
    for (int r = 0; r < count; r++) CPU_UNROLL
    for (int v = 0; v < 2; v++)
        s[r][v] = v8_fma(v8_load(x + i + 8 * v), v8_load(rows + r * step + i + 8 * v), s[r][v]);
    for (int n = 0; i < k; i += n) {
        n = k - i < 8 ? (int)(k - i) : 8;
        CPU_UNROLL
        for (int r = 0; r < count; r++)
            s[r][0] = v8_fma(v8_load_n(x + i, n), v8_load_n(rows + r * step + i, n), s[r][0]);
    }
    CPU_UNROLL
    for (int r = 0; r < count; r++) y[r] = v8_sum(v8_add(s[r][0], s[r][1]));
}

static void dots(float *y, const float *x, const float *rows, int64_t step, int64_t k, int count)
{
    int r = 0;
    for (; r + 4 <= count; r += 4) dots_of(y + r, x, rows + r * step, step, k, 4);
    for (; r < count; r++) dots_of(y + r, x, rows + r * step, step, k, 1);
}

/* y[j] += the sum of `count` rows, made apart: fewer roundings meet a large y. */
V8_INLINE void sum_rows_of(float *y, const float *x, const int32_t *at, const float *rows, int64_t step,
                           int64_t n, int count)
{
    const float *row[8];
    v8 f[8];
    CPU_UNROLL
    for (int r = 0; r < count; r++) {
        row[r] = rows + at[r] * step;
        f[r] = v8_set1(x[r]);
    }
    for (int64_t j = 0; j < n; j += 8) {
        v8 sum = v8_set1(0);
        CPU_UNROLL
        for (int r = 0; r < count; r++) sum = v8_fma(f[r], v8_load(row[r] + j), sum);
        v8_store(y + j, v8_add(v8_load(y + j), sum));
    }
}

static void sum_rows(float *y, const float *x, const int32_t *at, int64_t count, const float *rows,
                     int64_t step, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) sum_rows_of(y, x + i, at + i, rows, step, n, 8);
    for (; i < count; i++) sum_rows_of(y, x + i, at + i, rows, step, n, 1);
}

/* y[cols] += x A: four rows of the panel at a time, each with sums of its own. */
V8_INLINE void row_panel_of(float *y, const float *x, const float *panel, int64_t k, int vecs, int last)
{
    enum { AHEAD = 512 }; /* floats: panels come from far, in one stream */
    v8 s[4][2];
    CPU_UNROLL
    for (int j = 0; j < 4; j++) CPU_UNROLL
    for (int v = 0; v < vecs; v++) s[j][v] = v8_set1(0);
    int64_t i = 0;
    for (; i + 4 <= k; i += 4) {
        const v8_factors w = v8_factors_load(x + i, 4);
        CPU_UNROLL
        for (int j = 0; j < 4; j++) {
            const float *row = panel + (i + j) * vecs * 8;
            __builtin_prefetch(row + AHEAD);
            CPU_UNROLL
            for (int v = 0; v < vecs; v++) s[j][v] = v8_fma_by(w, j, v8_load(row + v * 8), s[j][v]);
        }
    }
    for (; i < k; i++) CPU_UNROLL
    for (int v = 0; v < vecs; v++)
        s[0][v] = v8_fma(v8_set1(x[i]), v8_load(panel + (i * vecs + v) * 8), s[0][v]);
    CPU_UNROLL
    for (int v = 0; v < vecs; v++) {
        const v8 sum = v8_add(v8_add(s[0][v], s[1][v]), v8_add(s[2][v], s[3][v]));
        if (v + 1 < vecs || last == 8)
            v8_store(y + 8 * v, v8_add(v8_load(y + 8 * v), sum));
        else
            v8_store_n(y + 8 * v, v8_add(v8_load_n(y + 8 * v, last), sum), last);
    }
}

static void row_panel(float *y, const float *x, const float *panel, int64_t k, int cols)
{
    const int last = (cols - 1) % 8 + 1;
    if (cols > 8)
        row_panel_of(y, x, panel, k, 2, last);
    else
        row_panel_of(y, x, panel, k, 1, last);
}
