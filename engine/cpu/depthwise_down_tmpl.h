/* SPDX-License-Identifier: Apache-2.0
 * Depthwise 3x3 by stride 2 with a usual padding, where registers are few. Elements are multiplied in pairs
 * as they lie: (x0, x1) by (w0, w1 / 2) and (x1, x2) by (w1 / 2, w2) leave an output in two neighbouring
 * lanes, which are added at its end. That is twelve products where nine would do, but no line is shuffled,
 * and all weights stay in registers. Planes are the outer loop, since the strips of a plane share lines of
 * the cache. Which layers are computed so does not depend on the band of rows, so bits do not either. */

typedef struct dw_down {
    int64_t x_step, y_step;
    v8 weight[3][2], bias; /* of a line's two products; half of the bias */
    v8 low, high;
    v8_window first, last; /* of the first loads of eight elements of a line, and of the last */
    bool swish;
    bool above;   /* the first line is outside of the plane */
    bool below;   /* and so is the last one */
    int64_t rows; /* of outputs with all lines but the first one's */
} dw_down;

/* Which loads may reach beyond a line. */
typedef enum dw_reach { DW_REACH_NONE, DW_REACH_LEFT, DW_REACH_BOTH } dw_reach;

/* With a padding of 1, few of these loads lie across lines of the cache. */
V8_INLINE void dw_down_load(v8 x[2][2], const dw_down *d, const float *p, dw_reach reach)
{
    x[0][0] = reach ? v8_load_window(p, d->first) : v8_load(p);
    x[0][1] = v8_load(p + 8);
    x[1][0] = v8_load(p + 1);
    x[1][1] = reach == DW_REACH_BOTH ? v8_load_window(p + 9, d->last) : v8_load(p + 9);
}

V8_INLINE void dw_down_add(v8 sums[2], v8 x[2][2], const v8 weight[2])
{
    CPU_UNROLL
    for (int i = 0; i < 4; i++) sums[i % 2] = v8_fma(weight[i / 2], x[i / 2][i % 2], sums[i % 2]);
}

V8_INLINE void dw_down_store(const dw_down *d, float *y, const v8 sums[2])
{
    v8 lanes[2];
    v8_split(lanes, sums[0], sums[1]);
    v8_store(y, dw_output(v8_add(lanes[0], lanes[1]), d->low, d->high, d->swish, 2));
}

/* x: the first tap of the first row. */
V8_INLINE void dw_down_strip(const dw_down *d, const float *x, float *y, dw_reach reach)
{
    const int64_t x_step = d->x_step, y_step = d->y_step;
    v8 v[2][2], sums[2] = {d->bias, d->bias};
    if (!d->above) {
        dw_down_load(v, d, x, reach);
        dw_down_add(sums, v, d->weight[0]);
    }
    for (int64_t i = 0; i < d->rows; i++, x += 2 * x_step, y += y_step) {
        dw_down_load(v, d, x + x_step, reach);
        dw_down_add(sums, v, d->weight[1]);
        dw_down_load(v, d, x + 2 * x_step, reach);
        dw_down_add(sums, v, d->weight[2]);
        dw_down_store(d, y, sums);
        sums[0] = sums[1] = d->bias;
        dw_down_add(sums, v, d->weight[0]);
    }
    if (d->below) {
        dw_down_load(v, d, x + x_step, reach);
        dw_down_add(sums, v, d->weight[1]);
        dw_down_store(d, y, sums);
    }
}

/* Whether at most one line and one column are outside on each side, and no strip is narrower than eight. */
static bool dw_down_fits(const cpu_depthwise *t)
{
    return t->size == 3 && t->stride == 2 && t->rows > 0 && t->out_w >= 8 && t->pad_top <= 1 &&
           2 * t->out_h - t->pad_top <= t->in_h && t->pad_left <= 1 && 2 * t->out_w - t->pad_left <= t->in_w;
}

static void dw_down_planes(const cpu_depthwise *t)
{
    const int64_t top = t->row * 2 - t->pad_top;
    dw_down d = {.x_step = t->in_w,
                 .y_step = t->out_w,
                 .low = v8_set1(t->low),
                 .high = v8_set1(t->high),
                 .swish = t->hardswish,
                 .above = top < 0,
                 .below = top + 2 * t->rows == t->in_h};
    d.rows = t->rows - d.below;
    for (int64_t c = 0; c < t->planes; c++) {
        const float *x = t->x + c * t->x_plane + (top - t->top) * t->in_w;
        float *y = t->y + c * t->y_plane;
        d.bias = v8_set1(t->bias ? t->bias[c] * 0.5f : 0);
        for (int i = 0; i < 3; i++) {
            const float *w = t->weight + 9 * c + 3 * i;
            v8 lanes[2];
            v8_zip(lanes, v8_set1(w[0]), v8_set1(w[1] * 0.5f));
            d.weight[i][0] = lanes[0];
            v8_zip(lanes, v8_set1(w[1] * 0.5f), v8_set1(w[2]));
            d.weight[i][1] = lanes[0];
        }
        for (int64_t i = 0; i < t->out_w; i += 8) {
            const int64_t col = vkb_min(i, t->out_w - 8), at = 2 * col - t->pad_left;
            const bool right = at + 17 > t->in_w;
            if (at >= 0 && !right) {
                dw_down_strip(&d, x + at, y + col, DW_REACH_NONE);
                continue;
            }
            d.first = v8_window_of(at, t->in_w);
            d.last = v8_window_of(at + 9, t->in_w);
            if (right)
                dw_down_strip(&d, x + at, y + col, DW_REACH_BOTH);
            else
                dw_down_strip(&d, x + at, y + col, DW_REACH_LEFT);
        }
    }
}
