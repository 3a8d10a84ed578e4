//! variant i32
/* SPDX-License-Identifier: Apache-2.0
 * MatMulInteger and QLinearMatMul on words, one element of the output an invocation: sums in int32, which wrap around.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#include "lib/quantize.glsl"

layout(constant_id = 3) const int REQUANTIZE = 0;

BUFFER_IN_I32(0, a);
BUFFER_IN_I32(1, b);
BUFFER_IN_I32(2, a_zero);
BUFFER_IN_I32(3, b_zero);
BUFFER_IN_I32(4, multiplier); /* fp32 */
BUFFER_OUT_I32(5, y);

layout(push_constant) uniform Push
{
    int count, columns, terms;
    int rows;                               /* of a matrix: a zero point each */
    int a_zero_step, b_zero_step, scale_step; /* 0: one for all */
    int y_zero, low, high;
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int row = int(i) / columns, column = int(i) % columns;
    int az = a_zero[row % rows * a_zero_step], bz = b_zero[column * b_zero_step];
    int sum = 0, at = row * terms;
    for (int k = 0; k < terms; k++) sum += (a[at + k] - az) * (b[k * columns + column] - bz);
    if (REQUANTIZE != 0) {
        precise float v = float(sum) * intBitsToFloat(multiplier[column * scale_step]);
        sum = quantize_saturate(v, y_zero, low, high);
    }
    y[i] = sum;
}
