//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * DFT by its definition, one invocation a number of the output (graph/ops/dft.h). Neighbours take neighbouring bins of
 * one line, so that they read the same samples.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int IN_PARTS = 1;
layout(constant_id = 4) const int OUT_PARTS = 2;
layout(constant_id = 5) const int WINDOW = 0;
layout(constant_id = 6) const int SYMMETRIC = 0;

BUFFER_IN(0, x);
layout(set = 0, binding = 1, std430) readonly buffer Turns { vec2 turns[]; };
BUFFER_IN(2, window);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push
{
    int units, per, length_;
    float scale;
    int x_outer, x_inner, x_stride, samples;
    int y_outer, y_inner, y_stride, bins;
};

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int line = i / bins, bin = i - line * bins, outer = line / per, inner = line - outer * per, turn = 0;
    int from = (outer * x_outer + inner * x_inner) * IN_PARTS, to = outer * y_outer + inner * y_inner + bin * y_stride;
    vec2 sum = vec2(0.0);
    for (int n = 0; n < samples; n++) {
        vec2 w = turns[turn], v = vec2(LD(x, from), 0.0);
        if (IN_PARTS == 2) v.y = LD(x, from + 1);
        if (WINDOW == 1) v *= LD(window, n);
        if (SYMMETRIC == 1 && n > 0 && 2 * n != length_) v *= 2.0;
        sum += vec2(v.x * w.x - v.y * w.y, v.x * w.y + v.y * w.x);
        from += x_stride * IN_PARTS;
        turn += bin;
        if (turn >= length_) turn -= length_;
    }
    ST(y, to * OUT_PARTS, sum.x * scale);
    if (OUT_PARTS == 2) ST(y, to * OUT_PARTS + 1, sum.y * scale);
}
