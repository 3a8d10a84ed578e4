//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Layer normalization: one workgroup a row of `size` elements, rows beyond the grid in further rounds. Two passes for
 * mean and variance, in fp32, which are outputs too where asked for.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/group_sum.glsl"

layout(constant_id = 4) const int BIAS = 1; /* 0: there is none, and `bias` is a dummy; likewise: */
layout(constant_id = 5) const int WITH_MEAN = 0;
layout(constant_id = 6) const int WITH_FACTOR = 0;
layout(constant_id = 7) const int CENTRED = 1; /* 0: the mean counts as 0 */

BUFFER_IN(0, x);
BUFFER_IN(1, scale);
BUFFER_IN(2, bias);
BUFFER_OUT(3, y);
BUFFER_OUT(4, mean_out); /* a row's mean */
BUFFER_OUT(5, factor_out); /* a row's 1 / deviation */

layout(push_constant) uniform Push
{
    int rows, size;
    int scale_step, bias_step; /* 0: one value for all */
    int scale_row, bias_row;   /* 0: the same in all rows */
    float epsilon;
};

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    for (int row = int(gl_WorkGroupID.x); row < rows; row += int(gl_NumWorkGroups.x)) {
        int base = row * size;
        float sum = 0.0, mean = 0.0;
        if (CENTRED != 0) {
            for (int i = lane; i < size; i += LANES) sum += LD(x, base + i);
            mean = group_sum(sum) / float(size);
            sum = 0.0;
        }
        for (int i = lane; i < size; i += LANES) {
            float d = LD(x, base + i) - mean;
            sum += d * d;
        }
        float factor = inversesqrt(group_sum(sum) / float(size) + epsilon);
        if (WITH_MEAN != 0 && lane == 0) ST(mean_out, row, mean);
        if (WITH_FACTOR != 0 && lane == 0) ST(factor_out, row, factor);
        for (int i = lane; i < size; i += LANES) {
            float v = (LD(x, base + i) - mean) * factor * LD(scale, row * scale_row + i * scale_step);
            if (BIAS != 0) v += LD(bias, row * bias_row + i * bias_step);
            ST(y, base + i, v);
        }
    }
}
