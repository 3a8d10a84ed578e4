/* SPDX-License-Identifier: Apache-2.0
 * RoiAlign: He et al., "Mask R-CNN", 2017; as in ONNX's reference implementation `max` is the largest of the
 * four weighted neighbours of all samples. Regions come from a network: they may be anywhere and of any size,
 * so only samples that can lie in the image are visited. MaxRoiPool: Girshick, "Fast R-CNN", 2015. */
#include <math.h>

#include "cpu/indices.h"
#include "cpu/kernels.h"
#include "cpu/roi.h"

#define FAR 0x1p20 /* MaxRoiPool: no image is larger, and sums stay in range */

cpu_roi_axis cpu_roi_axis_of(const cpu_call *c, int64_t roi, int column, int64_t size, int64_t bins)
{
    const op_roi_attrs *a = c->n->attrs;
    vki_dtype dtype = cpu_in(c, 1)->dtype;
    bool half = a->coordinate_transformation_mode == 0;
    /* in float, as everyone does it: the number of samples must not differ */
    float offset = half ? 0.5f : 0, from = (float)cpu_load(c->in[1], dtype, roi * 4 + column);
    float to = (float)cpu_load(c->in[1], dtype, roi * 4 + column + 2);
    float start = from * a->spatial_scale - offset, end = to * a->spatial_scale - offset,
          length = end - start;
    if (!half) length = fmaxf(length, 1); /* malformed regions become single elements */
    cpu_roi_axis axis = {size, (double)start, (double)length / (double)bins, a->sampling_ratio};
    if (axis.samples > 0) return axis;
    float count = ceilf(length / (float)bins); /* the least that makes samples at most an element apart */
    if ((count - 1) * (float)bins >= length) count -= 1;
    if (count * (float)bins < length) count += 1;
    axis.samples = cpu_to_i64((double)count);
    return axis;
}

double cpu_roi_place(const cpu_roi_axis *a, int64_t bin, int64_t i)
{
    return a->start + (double)bin * a->bin + ((double)i + 0.5) * a->bin / (double)a->samples;
}

void cpu_roi_visible(const cpu_roi_axis *a, int64_t bin, int64_t *first, int64_t *end)
{
    double step = a->bin / (double)vkb_max(a->samples, 1), base = a->start + (double)bin * a->bin;
    *first = 0;
    *end = a->samples;
    if (!(step > 0)) return; /* all at one place, or not a number: sampling_ratio bounds the loop */
    *first = vkb_max(cpu_to_i64((-1 - base) / step - 2), 0);
    *end = vkb_min(cpu_to_i64(((double)a->size - base) / step + 2), a->samples);
}

bool cpu_roi_tap_at(const cpu_roi_axis *a, double v, cpu_roi_tap *t)
{
    if (!(v >= -1 && v <= (double)a->size)) return false;
    double inside = fmin(fmax(v, 0), (double)(a->size - 1));
    t->low = (int64_t)inside;
    t->high = vkb_min(t->low + 1, a->size - 1);
    t->weight = inside - (double)t->low;
    return true;
}

typedef struct roi_sum {
    double sum, largest;
    int64_t samples;
} roi_sum;

static void add_sample(const cpu_call *c, int64_t plane, const cpu_roi_axis *h, const cpu_roi_axis *w,
                       const cpu_roi_tap *y, const cpu_roi_tap *x, roi_sum *s)
{
    const int64_t rows[2] = {y->low, y->high}, columns[2] = {x->low, x->high};
    const double row_weight[2] = {1 - y->weight, y->weight}, column_weight[2] = {1 - x->weight, x->weight};
    for (int i = 0; i < 4; i++) {
        int64_t at = (plane * h->size + rows[i / 2]) * w->size + columns[i % 2];
        double v = row_weight[i / 2] * column_weight[i % 2] * cpu_load(c->in[0], cpu_in(c, 0)->dtype, at);
        s->sum += v;
        s->largest = s->samples == 0 && i == 0 ? v : fmax(s->largest, v);
    }
    s->samples++;
}

static double align_bin(const cpu_call *c, int64_t plane, const cpu_roi_axis *h, const cpu_roi_axis *w,
                        int64_t row, int64_t column)
{
    roi_sum s = {0, 0, 0};
    int64_t first_y, end_y, first_x, end_x;
    cpu_roi_visible(h, row, &first_y, &end_y);
    cpu_roi_visible(w, column, &first_x, &end_x);
    for (int64_t iy = first_y; iy < end_y; iy++) {
        cpu_roi_tap y, x;
        if (!cpu_roi_tap_at(h, cpu_roi_place(h, row, iy), &y)) continue;
        for (int64_t ix = first_x; ix < end_x; ix++)
            if (cpu_roi_tap_at(w, cpu_roi_place(w, column, ix), &x)) add_sample(c, plane, h, w, &y, &x, &s);
    }
    double all = (double)vkb_max(h->samples, 0) * (double)vkb_max(w->samples, 0);
    if (((const op_roi_attrs *)c->n->attrs)->mode == OP_ROI_AVERAGE) return s.sum / fmax(all, 1);
    return (double)s.samples < all ? fmax(s.largest, 0) : s.largest; /* samples outside are zero */
}

static void align(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0), *batch = cpu_in(c, 2);
    int64_t channels = y->dims[1], bins = y->dims[2] * y->dims[3];
    for (int64_t roi = 0; roi < y->dims[0]; roi++) {
        cpu_roi_axis h = cpu_roi_axis_of(c, roi, 1, x->dims[2], y->dims[2]);
        cpu_roi_axis w = cpu_roi_axis_of(c, roi, 0, x->dims[3], y->dims[3]);
        int64_t image = cpu_index(c->in[2], batch->dtype, roi, x->dims[0]);
        for (int64_t i = 0; i < channels * bins; i++)
            cpu_store(
                c->out[0], y->dtype, roi * channels * bins + i,
                align_bin(c, image * channels + i / bins, &h, &w, i % bins / y->dims[3], i % y->dims[3]));
    }
}

/* ---- MaxRoiPool ---- */

static int64_t corner(const cpu_call *c, int64_t roi, int column)
{
    const op_roi_attrs *a = c->n->attrs;
    float v = (float)cpu_load(c->in[1], cpu_in(c, 1)->dtype, roi * 5 + column) * a->spatial_scale;
    return cpu_to_i64(fmin(fmax((double)roundf(v), -FAR), FAR));
}

/* Elements [*from, *to) of bin `bin` of `bins`, of the region between two corners. */
static void pool_bin(int64_t low, int64_t high, int64_t bin, int64_t bins, int64_t size, int64_t *from,
                     int64_t *to)
{
    int64_t length = vkb_max(high - low + 1, 1);
    *from = vkb_min(vkb_max(low + bin * length / bins, 0), size);
    *to = vkb_min(vkb_max(low + ((bin + 1) * length + bins - 1) / bins, 0), size);
}

static void pool(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t channels = y->dims[1], height = y->dims[2], width = y->dims[3];
    for (int64_t i = 0; i < gr_elements(y); i++) {
        int64_t roi = i / (channels * height * width), top, bottom, left, right;
        double number = cpu_load(c->in[1], cpu_in(c, 1)->dtype, roi * 5), largest = 0;
        int64_t image = vkb_min(vkb_max(cpu_to_i64(number), 0), x->dims[0] - 1);
        int64_t plane = image * channels + i / (height * width) % channels;
        pool_bin(corner(c, roi, 2), corner(c, roi, 4), i / width % height, height, x->dims[2], &top, &bottom);
        pool_bin(corner(c, roi, 1), corner(c, roi, 3), i % width, width, x->dims[3], &left, &right);
        for (int64_t row = top; row < bottom; row++)
            for (int64_t column = left; column < right; column++) {
                double v = cpu_load(c->in[0], x->dtype, (plane * x->dims[2] + row) * x->dims[3] + column);
                if ((row == top && column == left) || v > largest) largest = v;
            }
        cpu_store(c->out[0], y->dtype, i, largest); /* 0 for an empty bin */
    }
}

static void reference(const cpu_call *c)
{
    (c->n->op == OP_RoiAlign ? align : pool)(c);
}

const cpu_op cpu_op_roi = {.reference = reference, .kernels = cpu_roi_kernels};
