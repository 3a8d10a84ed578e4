//! variant f32
//! variant f16 STORE_F16=1
//! variant fours_f32 FOURS=1
//! variant fours_f16 FOURS=1 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Layer normalization: one workgroup a row of `size` elements, rows beyond the grid in further rounds. Two passes for
 * mean and variance, in fp32, which are outputs too where asked for. FOURS: four elements at a time; size and rows of
 * scale and bias are counted in groups of four, and both have one value for each element of a row.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/group_sum.glsl"

layout(constant_id = 4) const int BIAS = 1; /* 0: there is none, and `bias` is a dummy; likewise: */
layout(constant_id = 5) const int WITH_MEAN = 0;
layout(constant_id = 6) const int WITH_FACTOR = 0;
layout(constant_id = 7) const int CENTRED = 1; /* 0: the mean counts as 0 */

#if FOURS
#define VALUE           vec4
#define LOAD            LD4
#define STORE           ST4
#define IN(slot, name)  BUFFER_IN4(slot, name)
#define OUT(slot, name) BUFFER_OUT4(slot, name)
const float WIDTH = 4.0;
float row_sum(vec4 v)
{
    return group_sum(dot(v, vec4(1.0)));
}
#else
#define VALUE           float
#define LOAD            LD
#define STORE           ST
#define IN(slot, name)  BUFFER_IN(slot, name)
#define OUT(slot, name) BUFFER_OUT(slot, name)
const float WIDTH = 1.0;
float row_sum(float v)
{
    return group_sum(v);
}
#endif

IN(0, x);
IN(1, scale);
IN(2, bias);
OUT(3, y);
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
        float elements = float(size) * WIDTH, mean = 0.0;
        VALUE sum = VALUE(0.0);
        if (CENTRED != 0) {
            for (int i = lane; i < size; i += LANES) sum += LOAD(x, base + i);
            mean = row_sum(sum) / elements;
            sum = VALUE(0.0);
        }
        for (int i = lane; i < size; i += LANES) {
            VALUE d = LOAD(x, base + i) - mean;
            sum += d * d;
        }
        float factor = inversesqrt(row_sum(sum) / elements + epsilon);
        if (WITH_MEAN != 0 && lane == 0) ST(mean_out, row, mean);
        if (WITH_FACTOR != 0 && lane == 0) ST(factor_out, row, factor);
        for (int i = lane; i < size; i += LANES) {
            VALUE v = (LOAD(x, base + i) - mean) * factor * LOAD(scale, row * scale_row + i * scale_step);
            if (BIAS != 0) v += LOAD(bias, row * bias_row + i * bias_step);
            STORE(y, base + i, v);
        }
    }
}
