/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

#include <math.h>

/* Comparisons are written so that NaN passes through. */

double cpu_act_f64(double x, gr_act act, double alpha, double beta)
{
    switch (act) {
    case GR_ACT_RELU:
        return x < 0 ? 0 : x;
    case GR_ACT_LEAKY:
        return x < 0 ? alpha * x : x;
    case GR_ACT_CLIP:
        x = x < alpha ? alpha : x;
        return x > beta ? beta : x;
    case GR_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case GR_ACT_TANH:
        return tanh(x);
    case GR_ACT_HARDSIGMOID:
        x = alpha * x + beta;
        return x < 0 ? 0 : x > 1 ? 1 : x;
    case GR_ACT_HARDSWISH:
        return x * cpu_act_f64(x, GR_ACT_HARDSIGMOID, 1.0 / 6, 0.5);
    case GR_ACT_SILU:
        return x / (1 + exp(-x));
    case GR_ACT_NONE:
    case GR_ACT_COUNT:
        break;
    }
    return x;
}

float cpu_act(float x, gr_act act, float alpha, float beta)
{
    return (float)cpu_act_f64((double)x, act, (double)alpha, (double)beta);
}

static void clip(float *y, int64_t n, float low, float high)
{
    for (int64_t i = 0; i < n; i++) {
        float x = y[i] < low ? low : y[i];
        y[i] = x > high ? high : x;
    }
}

static void sigmoid(float *y, int64_t n, bool times_x)
{
    for (int64_t i = 0; i < n; i++) y[i] = (times_x ? y[i] : 1) / (1 + expf(-y[i]));
}

static void activate(float *y, int64_t n, const gr_epilogue *e)
{
    switch (e->act) {
    case GR_ACT_RELU:
        for (int64_t i = 0; i < n; i++) y[i] = y[i] < 0 ? 0 : y[i];
        break;
    case GR_ACT_LEAKY:
        for (int64_t i = 0; i < n; i++) y[i] = y[i] < 0 ? e->alpha * y[i] : y[i];
        break;
    case GR_ACT_CLIP:
        clip(y, n, e->alpha, e->beta);
        break;
    case GR_ACT_SIGMOID:
        sigmoid(y, n, false);
        break;
    case GR_ACT_TANH:
        for (int64_t i = 0; i < n; i++) y[i] = tanhf(y[i]);
        break;
    case GR_ACT_HARDSIGMOID:
        for (int64_t i = 0; i < n; i++) y[i] = e->alpha * y[i] + e->beta;
        clip(y, n, 0, 1);
        break;
    case GR_ACT_HARDSWISH:
        for (int64_t i = 0; i < n; i++) {
            float gate = y[i] * (1.0f / 6) + 0.5f;
            gate = gate < 0 ? 0 : gate;
            y[i] *= gate > 1 ? 1 : gate;
        }
        break;
    case GR_ACT_SILU:
        sigmoid(y, n, true);
        break;
    case GR_ACT_NONE:
    case GR_ACT_COUNT:
        break;
    }
}

static void add(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

void cpu_epilogue(float *y, const float *residual, int64_t n, const gr_epilogue *e)
{
    enum { BLOCK = 2048 }; /* stays in the first-level cache between the steps */
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t count = vkb_min(BLOCK, n - i);
        if (e->residual == GR_RESIDUAL_BEFORE) add(y + i, residual + i, count);
        activate(y + i, count, e);
        if (e->residual == GR_RESIDUAL_AFTER) add(y + i, residual + i, count);
    }
}

int64_t cpu_to_i64(double v)
{
    if (!(v > -0x1p63)) return isnan(v) ? 0 : INT64_MIN;
    return v >= 0x1p63 ? INT64_MAX : (int64_t)v;
}
