//! variant i32
/* SPDX-License-Identifier: Apache-2.0
 * ConvInteger and QLinearConv on words in rows, one element of the output an invocation: sums in int32, which wrap around.
 * Padding is the zero point.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#include "lib/quantize.glsl"

layout(constant_id = 3) const int REQUANTIZE = 0;

BUFFER_IN_I32(0, x);
BUFFER_IN_I32(1, weights);
BUFFER_IN_I32(2, x_zero);
BUFFER_IN_I32(3, weights_zero);
BUFFER_IN_I32(4, multiplier); /* fp32 */
BUFFER_IN_I32(5, bias);
BUFFER_OUT_I32(6, y);

layout(push_constant) uniform Push
{
    int count;
    int in_c, in_h, in_w, out_c, out_h, out_w; /* in_c: of a group */
    int groups, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int zero_step, scale_step, bias_step; /* 0: one for all channels, or none */
    int y_zero, low, high;
};

int window_sum(int plane, int at, int y0, int x0, int xz, int wz)
{
    int sum = 0;
    for (int ky = 0; ky < kernel_h; ky++) {
        int row = y0 + ky * dilation_h;
        if (row < 0 || row >= in_h) continue;
        for (int kx = 0; kx < kernel_w; kx++) {
            int column = x0 + kx * dilation_w;
            if (column < 0 || column >= in_w) continue;
            sum += (x[(plane * in_h + row) * in_w + column] - xz) * (weights[at + ky * kernel_w + kx] - wz);
        }
    }
    return sum;
}

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int ox = int(i) % out_w, oy = int(i) / out_w % out_h;
    int channel = int(i) / (out_w * out_h) % out_c, batch = int(i) / (out_w * out_h * out_c);
    int plane = (batch * groups + channel / (out_c / groups)) * in_c;
    int xz = x_zero[0], wz = weights_zero[channel * zero_step];
    int sum = bias[channel * bias_step];
    for (int c = 0; c < in_c; c++)
        sum += window_sum(plane + c, (channel * in_c + c) * kernel_h * kernel_w, oy * stride_h - pad_top,
                          ox * stride_w - pad_left, xz, wz);
    if (REQUANTIZE != 0) {
        precise float v = float(sum) * intBitsToFloat(multiplier[channel * scale_step]);
        sum = quantize_saturate(v, y_zero, low, high);
    }
    y[i] = sum;
}
