//! variant batch_f32
//! variant batch_f16 STORE_F16=1
//! variant instance_f32 INSTANCE=1
//! variant instance_f16 INSTANCE=1 STORE_F16=1
//! variant batch_texel_f32 TEXELS=1
//! variant batch_texel_f16 STORE_F16=1 TEXELS=1
//! variant instance_texel_f32 INSTANCE=1 TEXELS=1
//! variant instance_texel_f16 INSTANCE=1 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * (x - mean) / sqrt(variance + epsilon) * scale + bias by channel, in slices of four channels, one vector an invocation.
 * Batch normalization reads mean and variance by channel from tensors; instance normalization from norm_merge's list.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#include "lib/c4.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

BUFFER_IN4(0, x4);
BUFFER_IN4(1, scale4); /* one value a channel; beyond the last channel anything */
BUFFER_IN4(2, bias4);
#ifdef INSTANCE
layout(set = 0, binding = 3, std430) readonly buffer Stats { vec4 stats[]; };
#define RESIDUAL_SLOT 4
#else
BUFFER_IN4(3, mean4);
BUFFER_IN4(4, variance4);
#define RESIDUAL_SLOT 5
#endif
BUFFER_IN4(RESIDUAL_SLOT, residual4);
BUFFER_OUT4(RESIDUAL_SLOT + 1, y4);

layout(push_constant) uniform Push
{
    int count; /* vectors */
    int channels, slices, spatial;
    float epsilon;
    float alpha, beta;
};

void main()
{
    uint at = flat_index();
    if (at >= uint(count)) return;
    int i = int(at), slice = i / spatial, s = slice % slices;
#ifdef INSTANCE
    vec4 mean = stats[2 * slice], variance = stats[2 * slice + 1];
#else
    vec4 mean = LD4(mean4, s), variance = LD4(variance4, s);
#endif
    vec4 factor = LD4(scale4, s) * inversesqrt(variance + epsilon);
    vec4 v = (LD4(x4, i) - mean) * factor + LD4(bias4, s);
    ST4(y4, i, c4_mask(epilogue4(v, residual4, i, alpha, beta), s, channels));
}
