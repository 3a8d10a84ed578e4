//! variant f32
//! variant f16 STORE_F16=1
//! variant words INTEGERS=1
//! variant x4_f32 GROUPS=1
//! variant x4_f16 GROUPS=1 STORE_F16=1
//! variant x4_texel_f32 GROUPS=1 TEXELS=1
//! variant x4_texel_f16 GROUPS=1 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Resize of two dimensions: each output is a weighted sum of TAPS_H x TAPS_W inputs, whose positions and weights
 * come from two tables (graph/ops/resize.h makes them, so all modes are here). One invocation an output element, in x4
 * the four channels of a slice. Variant words: integers, which are copied from the nearest place.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define EPILOGUE_SPEC 6
#include "lib/epilogue.glsl"

layout(constant_id = 3) const int TAPS_H = 1; /* elements that count; at least 1 */
layout(constant_id = 4) const int TAPS_W = 1; /* 0: columns stay as they are, without a table */
layout(constant_id = 5) const int CROP = 0; /* 1: rows and columns without a source show `outside` */

struct Tap {
    int at; /* -1: none */
    float weight;
};

#if INTEGERS
BUFFER_IN_I32(0, x);
#elif GROUPS
#define VALUE   vec4
#define LOAD(i) LD4(x, i)
BUFFER_IN4(0, x);
#else
#define VALUE   float
#define LOAD(i) LD(x, i)
BUFFER_IN(0, x);
#endif
layout(set = 0, binding = 1, std430) readonly buffer TableH { Tap table_h[]; };
layout(set = 0, binding = 2, std430) readonly buffer TableW { Tap table_w[]; };
#if INTEGERS
BUFFER_OUT_I32(3, y);
#elif GROUPS
BUFFER_OUT4(3, y);
BUFFER_IN4(4, residual);
#else
BUFFER_OUT(3, y);
BUFFER_IN(4, residual);
#endif

layout(push_constant) uniform Push
{
    int units, in_h, in_w, out_h, out_w;
    float outside, alpha, beta;
};

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    uint row = i / uint(out_w), plane = row / uint(out_h);
    int column = int(i - row * uint(out_w)), ow = column * TAPS_W, oh = int(row - plane * uint(out_h)) * TAPS_H;
#if INTEGERS
    y[i] = x[(int(plane) * in_h + table_h[oh].at) * in_w + (TAPS_W == 0 ? column : table_w[ow].at)];
#else
    VALUE sum = VALUE(0.0);
    if (CROP == 1 && (table_h[oh].at < 0 || (TAPS_W > 0 && table_w[ow].at < 0))) {
        sum = VALUE(outside);
    } else if (TAPS_H == 1 && TAPS_W == 1) {
        sum = LOAD((int(plane) * in_h + table_h[oh].at) * in_w + table_w[ow].at);
    } else if (TAPS_W == 0) {
        for (int h = 0; h < TAPS_H; h++)
            sum += table_h[oh + h].weight * LOAD((int(plane) * in_h + table_h[oh + h].at) * in_w + column);
    } else {
        for (int h = 0; h < TAPS_H; h++) {
            int base = (int(plane) * in_h + table_h[oh + h].at) * in_w;
            VALUE across = VALUE(0.0);
            for (int w = 0; w < TAPS_W; w++) across += table_w[ow + w].weight * LOAD(base + table_w[ow + w].at);
            sum += table_h[oh + h].weight * across;
        }
    }
#if GROUPS
    ST4(y, i, epilogue4(sum, residual, i, alpha, beta));
#else
    ST(y, i, epilogue(sum, residual, i, alpha, beta));
#endif
#endif
}
