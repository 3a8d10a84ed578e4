//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Convolution of any kernel, stride, dilation, padding and group count. C4 in, C4 or rows out.
 * Grid: x pixels (PX an invocation, a workgroup's width apart), y tiles of SL slices, z batch.
 * Weights: [tile][kernel_d][kernel_h][kernel_w][depth][SL][4][4]. A tile reads `depth` input slices from slice0 on: all of them
 * without groups; with groups those that its output channels' groups cover, zero weights where a block belongs to
 * another group. engine/gpu/pack_conv.c computes slice0 in the same way.
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

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 7) const int VOLUME = 0; /* three spatial dimensions */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_IN4(3, residual4);
BUFFER_OUT4(4, y4);
BUFFER_OUT(5, y);

layout(push_constant) uniform Push
{
    int in_w, in_h, in_slices;
    int out_w, out_spatial, out_slices;
    int kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h, pad_left, pad_top;
    int in_d, out_h, kernel_d, stride_d, dilation_d, pad_front;
    int group_in, group_out; /* channels of a group */
    int depth;
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

    int x0[PX], y0[PX], z0[PX];
    FOR_PX
    {
        int q = min(p + i * lanes, out_spatial - 1);
        int oz = VOLUME != 0 ? q / (out_h * out_w) : 0;
        q -= oz * out_h * out_w;
        z0[i] = oz * stride_d - pad_front;
        int oy = q / out_w;
        y0[i] = oy * stride_h - pad_top;
        x0[i] = (q - oy * out_w) * stride_w - pad_left;
    }
    int slice0 = min((first_tile + tile) * SL * 4 / group_out * group_in / 4, in_slices - depth);
    int volume = in_w * in_h * (VOLUME != 0 ? in_d : 1);
    int base = (n * in_slices + slice0) * volume;
    int taps_d = VOLUME != 0 ? kernel_d : 1;
    int w = tile * taps_d * kernel_h * kernel_w * depth * SL * 4;

    vec4 acc[PX * SL];
    TILE_CLEAR(acc);
    for (int tap = 0; tap < taps_d * kernel_h; tap++) {
        int kz = VOLUME != 0 ? tap / kernel_h : 0, ky = tap - kz * kernel_h;
        for (int kx = 0; kx < kernel_w; kx++) {
            int at[PX];
            bool inside[PX];
            FOR_PX
            {
                int iy = y0[i] + ky * dilation_h, ix = x0[i] + kx * dilation_w;
                inside[i] = uint(iy) < uint(in_h) && uint(ix) < uint(in_w);
                int line = iy;
                if (VOLUME != 0) {
                    int iz = z0[i] + kz * dilation_d;
                    inside[i] = inside[i] && uint(iz) < uint(in_d);
                    line += iz * in_h;
                }
                at[i] = base + (inside[i] ? line * in_w + ix : 0);
            }
            for (int k = 0; k < depth; k++) {
                vec4 v[PX];
                FOR_PX
                {
                    vec4 u = LD4(x4, at[i]);
                    v[i] = inside[i] ? u : vec4(0.0);
                    at[i] += volume;
                }
                TILE_ADD(acc, v, weights4, w);
                w += SL * 4;
            }
        }
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
