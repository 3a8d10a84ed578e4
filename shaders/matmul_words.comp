//! variant i32
/* SPDX-License-Identifier: Apache-2.0
 * Product of matrices of 32-bit words, which wraps around; one output element an invocation.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define ROWS_SPEC 3
#include "lib/rows.glsl" /* of the output: columns, rows, batches */

BUFFER_IN_I32(0, a);
BUFFER_IN_I32(1, b);
BUFFER_OUT_I32(2, y);

layout(push_constant) uniform Push
{
    int count;
    ROWS_SIZES;
    ROWS_STRIDES(a);
    ROWS_STRIDES(b);
    int terms, a_step, b_step;
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int rest = int(i);
    ivec2 at = ivec2(0);
    ROWS_STEP_2(0, a, b)
    ROWS_STEP_2(1, a, b)
    ROWS_STEP_2(2, a, b)
    ROWS_STEP_2(3, a, b)
    ROWS_STEP_2(4, a, b)
    ROWS_STEP_2(5, a, b)
    int sum = 0;
    for (int k = 0; k < terms; k++) {
        sum += a[at.x] * b[at.y];
        at += ivec2(a_step, b_step);
    }
    y[i] = sum;
}
