/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "cpu/ref.h"

#define PI 3.14159265358979323846

static void window(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    int64_t size = y->dims[0], period = ((const op_signal_attrs *)c->n->attrs)->periodic ? size : size - 1;
    for (int64_t i = 0; i < size; i++) {
        double t = 2 * PI * (double)i / (double)period, v;
        if (c->n->op == OP_HannWindow)
            v = 0.5 - 0.5 * cos(t);
        else if (c->n->op == OP_HammingWindow)
            v = 25.0 / 46 - 21.0 / 46 * cos(t);
        else
            v = 0.42 - 0.5 * cos(t) + 0.08 * cos(2 * t);
        cpu_store(c->out[0], y->dtype, i, period > 0 ? v : 1); /* a symmetric window of one element */
    }
}

static double mel_of_hertz(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* The spectrum's bin where band edge `edge` of bands + 2 lies; within the spectrum, whatever the numbers. */
static int64_t mel_edge(const cpu_call *c, int64_t edge)
{
    const gr_tensor *y = cpu_out(c, 0);
    double length = cpu_load(c->in[1], cpu_in(c, 1)->dtype, 0),
           rate = cpu_load(c->in[2], cpu_in(c, 2)->dtype, 0);
    double low = mel_of_hertz(cpu_load(c->in[3], cpu_in(c, 3)->dtype, 0));
    double high = mel_of_hertz(cpu_load(c->in[4], cpu_in(c, 4)->dtype, 0));
    double mel = low + (double)edge * (high - low) / (double)(y->dims[1] + 2);
    double bin = floor((length + 1) * (700 * (pow(10, mel / 2595) - 1)) / rate);
    return cpu_to_i64(fmin(fmax(bin, 0), (double)(y->dims[0] - 1)));
}

/* A band rises from its left edge to 1 at its centre and falls to its right edge. */
static void mel(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    int64_t bands = y->dims[1];
    memset(c->out[0], 0, (size_t)gr_bytes(y));
    for (int64_t band = 0; band < bands; band++) {
        int64_t left = mel_edge(c, band), centre = mel_edge(c, band + 1), right = mel_edge(c, band + 2);
        if (left == centre) cpu_store(c->out[0], y->dtype, centre * bands + band, 1);
        for (int64_t bin = left; left < centre && bin <= centre; bin++)
            cpu_store(c->out[0], y->dtype, bin * bands + band,
                      (double)(bin - left) / (double)(centre - left));
        for (int64_t bin = centre; bin < right; bin++)
            cpu_store(c->out[0], y->dtype, bin * bands + band,
                      (double)(right - bin) / (double)(right - centre));
    }
}

static void reference(const cpu_call *c)
{
    (c->n->op == OP_MelWeightMatrix ? mel : window)(c);
}

const cpu_op cpu_op_signal = {.reference = reference};
