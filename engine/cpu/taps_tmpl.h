/* SPDX-License-Identifier: Apache-2.0
 * Depthwise rows: for each output, a weighted sum (or the maximum) over taps that each read contiguous
 * elements. Four vectors of outputs share the broadcast of a weight. */

V8_INLINE void taps_block(const cpu_taps *t, float *y, const float *x, int vecs, int last, bool max)
{
    v8 s[4];
    for (int v = 0; v < vecs; v++) s[v] = v8_set1(max ? -INFINITY : t->bias);
    for (int k = 0; k < t->count; k++) {
        const float *p = x + t->offset[k];
        const v8 w = max ? s[0] : v8_set1(t->weight[k]);
        for (int v = 0; v < vecs; v++)
            s[v] = max ? v8_max(v8_load(p + 8 * v), s[v]) : v8_fma(w, v8_load(p + 8 * v), s[v]);
    }
    const v8 low = v8_set1(t->low), high = v8_set1(t->high);
    for (int v = 0; v < vecs; v++) {
        v8 r = max ? s[v] : v8_min(high, v8_max(low, s[v]));
        if (v + 1 < vecs || last == 8)
            v8_store(y + 8 * v, r);
        else
            v8_store_n(y + 8 * v, r, last);
    }
}

V8_INLINE void taps_rows(const cpu_taps *t, bool max)
{
    for (int64_t r = 0; r < t->rows; r++) {
        float *y = t->y + r * t->y_row;
        const float *x = t->x + r * t->x_row;
        int64_t i = 0;
        for (; i + 32 <= t->cols; i += 32) taps_block(t, y + i, x + i, 4, 8, max);
        const int64_t rest = t->cols - i;
        const int last = rest % 8 ? (int)(rest % 8) : 8;
        if (rest > 24)
            taps_block(t, y + i, x + i, 4, last, max);
        else if (rest > 16)
            taps_block(t, y + i, x + i, 3, last, max);
        else if (rest > 8)
            taps_block(t, y + i, x + i, 2, last, max);
        else if (rest)
            taps_block(t, y + i, x + i, 1, last, max);
    }
}

static void taps_sum(const cpu_taps *t)
{
    taps_rows(t, false);
}

static void taps_max(const cpu_taps *t)
{
    taps_rows(t, true);
}
