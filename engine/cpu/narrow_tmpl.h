/* SPDX-License-Identifier: Apache-2.0
 * Products of one row with panels whose elements are narrower than fp32: memory sees half or a quarter of the
 * bytes, the arithmetic stays fp32. */

/* y[cols] += scale (x A): as row_panel, and the sums in the same order. */
#define NARROW_PANEL(name, type, load)                                                                       \
    V8_INLINE void name##_of(float *y, const float *x, const type *panel, const float *scale, int64_t k,     \
                             int vecs, int last)                                                             \
    {                                                                                                        \
        enum { AHEAD = 2048, LINE = 64 }; /* bytes */                                                        \
        v8 s[4][2];                                                                                          \
        CPU_UNROLL                                                                                           \
        for (int j = 0; j < 4; j++) CPU_UNROLL                                                               \
        for (int v = 0; v < vecs; v++) s[j][v] = v8_set1(0);                                                 \
        int64_t i = 0;                                                                                       \
        for (; i + 4 <= k; i += 4) {                                                                         \
            for (int at = 0; at < vecs * 32 * (int)sizeof(type); at += LINE)                                 \
                __builtin_prefetch((const char *)(panel + i * vecs * 8) + AHEAD + at);                       \
            const v8_factors w = v8_factors_load(x + i, 4);                                                  \
            CPU_UNROLL                                                                                       \
            for (int j = 0; j < 4; j++) CPU_UNROLL                                                           \
            for (int v = 0; v < vecs; v++)                                                                   \
                s[j][v] = v8_fma_by(w, j, load(panel + ((i + j) * vecs + v) * 8), s[j][v]);                  \
        }                                                                                                    \
        for (; i < k; i++) CPU_UNROLL                                                                        \
        for (int v = 0; v < vecs; v++)                                                                       \
            s[0][v] = v8_fma(v8_set1(x[i]), load(panel + (i * vecs + v) * 8), s[0][v]);                      \
        for (int v = 0; v < vecs; v++) {                                                                     \
            const v8 sum = v8_add(v8_add(s[0][v], s[1][v]), v8_add(s[2][v], s[3][v]));                       \
            const int n = v + 1 < vecs ? 8 : last;                                                           \
            v8_store_n(y + 8 * v, v8_fma(sum, v8_load_n(scale + 8 * v, n), v8_load_n(y + 8 * v, n)), n);     \
        }                                                                                                    \
    }                                                                                                        \
    static void name(float *y, const float *x, const type *panel, const float *scale, int64_t k, int cols)   \
    {                                                                                                        \
        const int last = (cols - 1) % 8 + 1;                                                                 \
        if (cols > 8)                                                                                        \
            name##_of(y, x, panel, scale, k, 2, last);                                                       \
        else                                                                                                 \
            name##_of(y, x, panel, scale, k, 1, last);                                                       \
    }

NARROW_PANEL(row_panel_f16, uint16_t, v8_load_f16)
NARROW_PANEL(row_panel_i8, int8_t, v8_load_i8)
#undef NARROW_PANEL

static void to_f16(uint16_t *y, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) v8_store_f16(y + i, v8_load(x + i));
    if (i == n) return;
    uint16_t rest[8];
    v8_store_f16(rest, v8_load_n(x + i, (int)(n - i)));
    memcpy(y + i, rest, (size_t)(n - i) * sizeof *y);
}
