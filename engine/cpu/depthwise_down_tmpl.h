/* SPDX-License-Identifier: Apache-2.0
 * Depthwise 3x3 by stride 2 with a usual padding, where registers are few: those of a single strip and of all
 * weights fill them, while two strips load weights again for each line. Planes are the outer loop, since the
 * strips of a plane share lines of the cache. Sums are taken in the order of depthwise_tmpl.h, so that
 * bits do not depend on which of the two a band of rows takes. */

typedef struct dw_down {
    int64_t x_step, y_step;
    v8 weight[9], bias, low, high;
    v8_window first, last; /* of the first loads of eight elements of a line, and of the last */
    bool swish;
    bool above;   /* the first line is outside of the plane */
    bool below;   /* and so is the last one */
    int64_t rows; /* of outputs with all lines but the first one's */
} dw_down;

/* Which loads may reach beyond a line. */
typedef enum dw_reach { DW_REACH_NONE, DW_REACH_LEFT, DW_REACH_BOTH } dw_reach;

/* With a padding of 1, few of these loads lie across lines of the cache. */
V8_INLINE void dw_down_load(v8 x[3], const dw_down *d, const float *p, dw_reach reach)
{
    const v8 first = reach ? v8_load_window(p, d->first) : v8_load_once(p);
    const v8 last = reach == DW_REACH_BOTH ? v8_load_window(p + 9, d->last) : v8_load_once(p + 9);
    v8_split(x, first, v8_load_once(p + 8));
    v8_split(x + 1, v8_load_once(p + 1), last);
}

V8_INLINE v8 dw_down_add(v8 sum, const v8 x[3], const v8 weight[3])
{
    return v8_fma(weight[2], x[2], v8_fma(weight[1], x[1], v8_fma(weight[0], x[0], sum)));
}

V8_INLINE void dw_down_store(const dw_down *d, float *y, v8 sum)
{
    v8_store(y, dw_output(sum, d->low, d->high, d->swish, 2));
}

/* x: the first tap of the first row. */
V8_INLINE void dw_down_strip(const dw_down *d, const float *x, float *y, dw_reach reach)
{
    const int64_t x_step = d->x_step, y_step = d->y_step;
    v8 v[3], sum = d->bias;
    if (!d->above) {
        dw_down_load(v, d, x, reach);
        sum = dw_down_add(sum, v, d->weight);
    }
    for (int64_t i = 0; i < d->rows; i++, x += 2 * x_step, y += y_step) {
        dw_down_load(v, d, x + x_step, reach);
        sum = dw_down_add(sum, v, d->weight + 3);
        dw_down_load(v, d, x + 2 * x_step, reach);
        dw_down_store(d, y, dw_down_add(sum, v, d->weight + 6));
        sum = dw_down_add(d->bias, v, d->weight);
    }
    if (d->below) {
        dw_down_load(v, d, x + x_step, reach);
        dw_down_store(d, y, dw_down_add(sum, v, d->weight + 3));
    }
}

/* Whether at most one line and one column are outside on each side, and no strip is narrower than eight. */
static bool dw_down_fits(const cpu_depthwise *t)
{
    const int64_t top = t->row * 2 - t->pad_top;
    return t->size == 3 && t->stride == 2 && t->rows > 0 && t->out_w >= 8 && top >= -1 &&
           top + 2 * t->rows <= t->in_h && t->pad_left <= 1 && 2 * t->out_w - t->pad_left <= t->in_w;
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
        d.bias = v8_set1(t->bias ? t->bias[c] : 0);
        for (int i = 0; i < 9; i++) d.weight[i] = v8_set1(t->weight[9 * c + i]);
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
