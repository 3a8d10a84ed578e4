//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * 1x1 convolution without padding, any stride, as a GEMM over pixels. C4 in, C4 or rows out.
 * Grid: x pixels (PX an invocation, a workgroup's width apart so that loads coalesce), y tiles of SL slices, z batch.
 * Weights: [tile][input slice][SL][4][4].
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define ROWS_SPEC 8
#include "lib/store.glsl"
#define TILE_SPEC 5
#include "lib/conv_tile.glsl"

layout(constant_id = 7) const int SCALED = 0; /* the input is multiplied by a number a channel before */
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_IN4(3, residual4);
BUFFER_IN4(4, scale4); /* [sample][input slice] */
BUFFER_OUT4(5, y4);
BUFFER_OUT(6, y);

layout(push_constant) uniform Push
{
    int in_w, in_spatial, in_slices;
    int out_w, out_spatial, out_slices;
    int stride_w, stride_h;
    int first_tile, tiles; /* of this dispatch */
    float alpha, beta;
    int channels; /* of the output */
};

void main()
{
    int lanes = int(gl_WorkGroupSize.x);
    int p = int(gl_WorkGroupID.x) * lanes * PX + int(gl_LocalInvocationID.x);
    int tile = int(gl_WorkGroupID.y * gl_WorkGroupSize.y + gl_LocalInvocationID.y), n = int(gl_WorkGroupID.z);
    if (p >= out_spatial || tile >= tiles) return;

    int at[PX];
    FOR_PX
    {
        int q = min(p + i * lanes, out_spatial - 1);
        if (stride_w != 1 || stride_h != 1) {
            int oy = q / out_w;
            q = oy * stride_h * in_w + (q - oy * out_w) * stride_w;
        }
        at[i] = n * in_slices * in_spatial + q;
    }

    vec4 acc[PX * SL];
    TILE_CLEAR(acc);
    int w = tile * in_slices * SL * 4;
    for (int k = 0; k < in_slices; k++) {
        vec4 v[PX];
        FOR_PX
        {
            v[i] = LD4(x4, at[i]);
            at[i] += in_spatial;
        }
        if (SCALED != 0) {
            vec4 scale = LD4(scale4, n * in_slices + k);
            FOR_PX v[i] *= scale;
        }
        TILE_ADD(acc, v, weights4, w);
        w += SL * 4;
    }

    FOR_SL
    {
        int slice = (first_tile + tile) * SL + s;
        if (slice < out_slices) {
            vec4 bias = LD4(bias4, slice);
            FOR_PX
            {
                int q = p + i * lanes;
                int o = (n * out_slices + slice) * out_spatial + q;
                if (q < out_spatial)
                    STORE_CHANNELS(o, epilogue4(acc[s * PX + i] + bias, residual4, o, alpha, beta), n, slice, q, out_spatial,
                                   channels)
            }
        }
    }
}
