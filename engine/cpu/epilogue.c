/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

#include <math.h>

/* Comparisons are written so that NaN passes through. */

/* As QuantizeLinear and DequantizeLinear do it: the quotient is a float, and NaN is the lowest level. */
static double fake_quantize(float x, float scale, float levels)
{
    const double low = (double)op_levels_low(levels), high = (double)op_levels_high(levels);
    double q = nearbyint((double)(x / scale)); /* halves to even in the default rounding mode */
    q = q > low ? q : low;
    q = (q < high ? q : high) + 0.0; /* no negative zero: integers have none */
    return (double)((float)q * scale);
}

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
    case GR_ACT_HARDSWISH_AFFINE:
        return alpha * cpu_act_f64(x, GR_ACT_HARDSWISH, 0, 0) + beta;
    case GR_ACT_FAKE_QUANTIZE:
        return fake_quantize((float)x, (float)alpha, (float)beta);
    case GR_ACT_NONE:
    case GR_ACT_COUNT:
        break;
    }
    return x;
}

int64_t cpu_to_i64(double v)
{
    if (!(v > -0x1p63)) return isnan(v) ? 0 : INT64_MIN;
    return v >= 0x1p63 ? INT64_MAX : (int64_t)v;
}
