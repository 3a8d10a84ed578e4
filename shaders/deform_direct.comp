//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * DeformConv: one invocation a position and eight output channels of one group, which share the samples.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int BIAS = 0;
layout(constant_id = 4) const int MASK = 0;
const int CHANNELS = 8;

BUFFER_IN(0, x);
BUFFER_IN(1, weight);
BUFFER_IN(2, offset);
BUFFER_IN(3, bias);
BUFFER_IN(4, mask);
BUFFER_OUT(5, y);

layout(push_constant) uniform Push
{
    int units, in_c, in_h, in_w, out_c, out_h, out_w, kernel_h, kernel_w;
    int stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, group, offset_group;
};

/* One element of a plane, zero outside. */
float element(int plane, int row, int column)
{
    return row >= 0 && row < in_h && column >= 0 && column < in_w ? LD(x, (plane * in_h + row) * in_w + column) : 0.0;
}

float between(int plane, float v, float u)
{
    if (!(v > -1.0 && v < float(in_h) && u > -1.0 && u < float(in_w))) return 0.0;
    float down = v - floor(v), right = u - floor(u);
    int row = int(floor(v)), column = int(floor(u));
    float above = mix(element(plane, row, column), element(plane, row, column + 1), right);
    float below = mix(element(plane, row + 1, column), element(plane, row + 1, column + 1), right);
    return mix(above, below, down);
}

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int area = out_h * out_w, taps = kernel_h * kernel_w, depth = in_c / group, group_out = out_c / group;
    int chunks = (group_out + CHANNELS - 1) / CHANNELS, rest = i / area, at = i - rest * area;
    int part = rest / chunks, first = (rest - part * chunks) * CHANNELS, image = part / group;
    int own = part - image * group, row = at / out_w, column = at - row * out_w, offset_depth = in_c / offset_group;
    int count = min(CHANNELS, group_out - first), base = own * group_out + first;
    float sum[CHANNELS];
    for (int o = 0; o < CHANNELS; o++) sum[o] = BIAS == 1 && o < count ? LD(bias, base + o) : 0.0;
    for (int k = 0; k < depth * taps; k++) {
        int channel = own * depth + k / taps, tap = k % taps, tap_h = tap / kernel_w;
        int place = (image * offset_group + channel / offset_depth) * taps + tap;
        float v = float(row * stride_h - pad_top + tap_h * dilation_h) + LD(offset, 2 * place * area + at);
        float u = float(column * stride_w - pad_left + (tap - tap_h * kernel_w) * dilation_w) +
                  LD(offset, (2 * place + 1) * area + at);
        float value = between(image * in_c + channel, v, u);
        if (MASK == 1) value *= LD(mask, place * area + at);
        for (int o = 0; o < CHANNELS; o++)
            if (o < count) sum[o] += LD(weight, (base + o) * depth * taps + k) * value;
    }
    for (int o = 0; o < CHANNELS; o++)
        if (o < count) ST(y, (image * out_c + base + o) * area + at, sum[o]);
}
