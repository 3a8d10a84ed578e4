//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * The channels of one tensor, or of two joined, dealt out in turn from GROUPS equal groups; the result is cut in two at
 * a channel. One invocation a slice and position of either part. C4 in and out; both parts' unused lanes become zero.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/c4.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int GROUPS = 2;
layout(constant_id = 4) const int TWINS = 0; /* 1: two groups, each a source, and the cut at an even channel */

BUFFER_IN4(0, a4);
BUFFER_IN4(1, b4);
BUFFER_OUT4(2, y4);
BUFFER_OUT4(3, z4);

layout(push_constant) uniform Push
{
    int units, first_units; /* in all; of the first part */
    int spatial;
    int a_channels, channels, cut;
};

int position, sample_index;

vec4 from_a(int c)
{
    return LD4(a4, c4_group(sample_index, c >> 2, position, (a_channels + 3) >> 2, spatial));
}

vec4 from_b(int c)
{
    return LD4(b4, c4_group(sample_index, c >> 2, position, (channels - a_channels + 3) >> 2, spatial));
}

float channel_at(int t)
{
    int per = channels / GROUPS, c = t % GROUPS * per + t / GROUPS;
    return c < a_channels ? from_a(c)[c & 3] : from_b(c - a_channels)[(c - a_channels) & 3];
}

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    bool second = int(i) >= first_units;
    int unit = int(i) - (second ? first_units : 0), low = second ? cut : 0, high = second ? channels : cut;
    int slices = (high - low + 3) >> 2, row = unit / spatial;
    position = unit - row * spatial;
    sample_index = row / slices;
    int t = low + 4 * (row - sample_index * slices), last = high - 1;
    vec4 v;
    if (TWINS == 1) {
        int c = t >> 1, d = min(t + 2, last) >> 1;
        v = vec4(from_a(c)[c & 3], from_b(c)[c & 3], from_a(d)[d & 3], from_b(d)[d & 3]);
    } else {
        v = vec4(channel_at(t), channel_at(min(t + 1, last)), channel_at(min(t + 2, last)),
                 channel_at(min(t + 3, last)));
    }
    v = c4_mask(v, 0, high - t);
    if (second)
        ST4(z4, unit, v);
    else
        ST4(y4, unit, v);
}
