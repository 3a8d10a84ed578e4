/* SPDX-License-Identifier: Apache-2.0
 * RoiAlign in fp32: the place of a sample is found once and serves all channels. */
#include <string.h>

#include "cpu/indices.h"
#include "cpu/kernels.h"
#include "cpu/roi.h"

typedef struct roi_sample {
    int64_t at[4];
    float weight[4];
} roi_sample;

static roi_sample sample_of(const cpu_roi_tap *y, const cpu_roi_tap *x, int64_t width)
{
    float down = (float)y->weight, right = (float)x->weight;
    return (roi_sample){{y->low * width + x->low, y->low * width + x->high, y->high * width + x->low,
                         y->high * width + x->high},
                        {(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right}};
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

/* Adds the sample to every channel's sum, or takes the largest of its weighted parts. */
static void add_sample(const roi_sample *s, const float *x, int64_t plane, int64_t channels, bool first,
                       bool average, float *sum)
{
    for (int64_t c = 0; c < channels; c++, x += plane) {
        float v[4];
        for (int i = 0; i < 4; i++) v[i] = s->weight[i] * x[s->at[i]];
        if (average) {
            sum[c] += (v[0] + v[1]) + (v[2] + v[3]);
        } else {
            float most = larger(larger(v[0], v[1]), larger(v[2], v[3]));
            sum[c] = first ? most : larger(sum[c], most);
        }
    }
}

static void run_bin(const cpu_call *c, const cpu_roi_axis *h, const cpu_roi_axis *w, int64_t roi, int64_t bin,
                    float *sum)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t channels = x->dims[1], plane = h->size * w->size, bins = y->dims[2] * y->dims[3], visited = 0;
    int64_t image = cpu_index(c->in[2], cpu_in(c, 2)->dtype, roi, x->dims[0]);
    int64_t row = bin / y->dims[3], column = bin % y->dims[3], first_y, end_y, first_x, end_x;
    bool average = ((const op_roi_attrs *)c->n->attrs)->mode == OP_ROI_AVERAGE;
    memset(sum, 0, (size_t)channels * sizeof *sum);
    cpu_roi_visible(h, row, &first_y, &end_y);
    cpu_roi_visible(w, column, &first_x, &end_x);
    for (int64_t iy = first_y; iy < end_y; iy++) {
        cpu_roi_tap ty, tx;
        if (!cpu_roi_tap_at(h, cpu_roi_place(h, row, iy), &ty)) continue;
        for (int64_t ix = first_x; ix < end_x; ix++) {
            if (!cpu_roi_tap_at(w, cpu_roi_place(w, column, ix), &tx)) continue;
            roi_sample s = sample_of(&ty, &tx, w->size);
            add_sample(&s, (const float *)c->in[0] + image * channels * plane, plane, channels, visited == 0,
                       average, sum);
            visited++;
        }
    }
    double all = (double)vkb_max(h->samples, 0) * (double)vkb_max(w->samples, 0);
    float scale = average ? (float)(1 / (all > 1 ? all : 1)) : 1;
    float *to = (float *)c->out[0] + roi * channels * bins + bin;
    for (int64_t k = 0; k < channels; k++)
        to[k * bins] = average ? scale * sum[k] : (double)visited < all ? larger(sum[k], 0) : sum[k];
}

static void run_rois(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t stride = (int64_t)vkb_round_up((uint64_t)x->dims[1] * sizeof(float), 64) / 4;
    float *sum = (float *)c->scratch + thread * stride;
    for (int64_t roi = begin; roi < end; roi++) {
        cpu_roi_axis h = cpu_roi_axis_of(c, roi, 1, x->dims[2], y->dims[2]);
        cpu_roi_axis w = cpu_roi_axis_of(c, roi, 0, x->dims[3], y->dims[3]);
        for (int64_t bin = 0; bin < y->dims[2] * y->dims[3]; bin++) run_bin(c, &h, &w, roi, bin, sum);
    }
}

static void run(const cpu_call *c)
{
    cpu_call call = *c;
    vkb_parallel_for(c->pool, cpu_out(c, 0)->dims[0], 1, run_rois, &call);
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    return n->op == OP_RoiAlign && g->tensors[n->in[0]].dtype == VKI_F32 &&
           gr_elements(&g->tensors[n->out[0]]) > 0;
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    (void)err;
    int64_t channels = p->g->tensors[p->n->in[0]].dims[1];
    p->scratch_bytes = (uint64_t)p->threads * vkb_round_up((uint64_t)channels * sizeof(float), 64);
    return VKI_OK;
}

const cpu_kernel cpu_roi_kernels[] = {{.name = "roi_bins", .fits = fits, .prepare = prepare, .run = run},
                                      {0}};
