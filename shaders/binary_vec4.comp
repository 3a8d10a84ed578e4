//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Two operands, four output elements an invocation, in either layout. An operand is read where the output is written
 * (MODE 0: same shape, same layout), element by element from a dense tensor with a stride by sample, channel and
 * position, 0 where it repeats (MODE 1), or once, its only element (MODE 2). A row-major output counts as one channel slice of one sample.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#include "lib/c4.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define BINARY_SPEC 5
#include "lib/binary.glsl"

layout(constant_id = 6) const int MODE_A = 0;
layout(constant_id = 7) const int MODE_B = 0;

BUFFER_IN4(0, a4);
BUFFER_IN(1, a1); /* the same memory */
BUFFER_IN4(2, b4);
BUFFER_IN(3, b1);
BUFFER_IN4(4, residual4);
BUFFER_OUT4(5, y4);

layout(push_constant) uniform Push
{
    int count; /* groups of four */
    int channels, slices, spatial;
    int mask; /* 1: the last slice has unused lanes */
    int a_sample, a_channel, a_position, b_sample, b_channel, b_position;
    float alpha, beta;
};

/* Channels beyond the last one read the last one. */
ivec4 addresses(int i, int sample_stride, int channel_stride, int position_stride)
{
    int s = i / spatial % slices;
    int base = i / (spatial * slices) * sample_stride + i % spatial * position_stride;
    return base + min(ivec4(0, 1, 2, 3) + 4 * s, ivec4(channels - 1)) * channel_stride;
}

void main()
{
    uint at = flat_index();
    if (at >= uint(count)) return;
    int i = int(at);
    vec4 a, b;
    if (MODE_A == 0) {
        a = LD4(a4, i);
    } else if (MODE_A == 2) {
        a = vec4(LD4(a4, 0).x);
    } else {
        ivec4 k = addresses(i, a_sample, a_channel, a_position);
        a = vec4(LD(a1, k.x), LD(a1, k.y), LD(a1, k.z), LD(a1, k.w));
    }
    if (MODE_B == 0) {
        b = LD4(b4, i);
    } else if (MODE_B == 2) {
        b = vec4(LD4(b4, 0).x);
    } else {
        ivec4 k = addresses(i, b_sample, b_channel, b_position);
        b = vec4(LD(b1, k.x), LD(b1, k.y), LD(b1, k.z), LD(b1, k.w));
    }
    vec4 y;
    for (int k = 0; k < 4; k++) y[k] = binary_apply(a[k], b[k]); /* smaller than written out */
    y = epilogue4(y, residual4, i, alpha, beta);
    if (mask != 0) y = c4_mask(y, i / spatial % slices, channels);
    ST4(y4, i, y);
}
