/* SPDX-License-Identifier: Apache-2.0
 * Rounding to the integers of a quantized tensor. Scales are fp32 whatever the storage: they come as words. */
#ifndef QUANTIZE_GLSL
#define QUANTIZE_GLSL

/* v rounded, halves to the even, plus the zero point, within low .. high. The bounds are integers, so clamping first gives
 * the same; NaN gives the lowest. */
int quantize_saturate(float v, int zero, int low, int high)
{
    float least = float(low - zero), most = float(high - zero);
    v = v > least ? v : least;
    v = v < most ? v : most;
    return int(roundEven(v)) + zero;
}

#ifdef QUANTIZE_SPEC
layout(constant_id = QUANTIZE_SPEC) const int FORM = 0; /* op_quantize_dims: one scale, one an index of the axis, blocks */

/* Which scale and zero point element i has. */
#define QUANTIZE_DIMS int inner, dim, block, scales
#define QUANTIZE_AT(i)                                                                                                         \
    (FORM == 0   ? 0                                                                                                           \
     : FORM == 1 ? (i) / inner % dim                                                                                           \
                 : ((i) / (inner * dim) * scales + (i) / inner % dim / block) * inner + (i) % inner)
#endif

#endif
