//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Transposed convolution of any kernel, stride, dilation, padding and group count. C4 in and out.
 * Outputs whose coordinates leave the same remainders by the stride, a phase, read the same kernel positions: an ordinary
 * small convolution a phase, so nothing is added to memory twice. Output y meets kernel position ky where
 * y + pad - ky dilation is a multiple of the stride; from the first such ky on it is every (stride / gcd)th one, and the
 * input row goes back by dilation / gcd each time, gcd being that of stride and dilation.
 * Grid: x pixels of a phase (PX an invocation, a workgroup's width apart), y tiles of SL slices, z batch x phases.
 * Weights: [tile][kernel_d][kernel_h][kernel_w][depth][SL][4][4], as for conv2d_direct.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define TILE_SPEC 5
#include "lib/conv_tile.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 7) const int VOLUME = 0; /* three spatial dimensions */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_IN4(3, residual4);
BUFFER_OUT4(4, y4);

layout(push_constant) uniform Push
{
    int in_w, in_h, in_d, in_slices;
    int out_w, out_h, out_d, out_slices;
    int kernel_w, kernel_h, kernel_d, stride_w, stride_h, stride_d, dilation_w, dilation_h, dilation_d;
    int pad_left, pad_top, pad_front;
    int gcd_w, gcd_h, gcd_d; /* of stride and dilation */
    int group_in, group_out; /* channels of a group */
    int depth;
    int first_tile, tiles; /* of this dispatch */
    float alpha, beta;
};

/* The first kernel position that meets the outputs of a phase, or `kernel` if none does. */
int first_tap(int shifted, int dilation, int stride, int kernel)
{
    for (int k = 0; k < kernel; k++) {
        int left = shifted - k * dilation;
        if (left / stride * stride == left) return k;
    }
    return kernel;
}

void main()
{
    int lanes = int(gl_WorkGroupSize.x);
    int p = int(gl_WorkGroupID.x) * lanes * PX + int(gl_LocalInvocationID.x);
    int tile = int(gl_WorkGroupID.y * gl_WorkGroupSize.y + gl_LocalInvocationID.y);
    int planes = VOLUME != 0 ? stride_d : 1, phases = stride_w * stride_h * planes;
    int phase_w = (out_w + stride_w - 1) / stride_w, phase_h = (out_h + stride_h - 1) / stride_h;
    int phase_d = VOLUME != 0 ? (out_d + stride_d - 1) / stride_d : 1; /* outputs of the largest phase */
    int phase_spatial = phase_w * phase_h * phase_d;
    int n = int(gl_WorkGroupID.z) / phases, phase = int(gl_WorkGroupID.z) - n * phases;
    int phase_x = phase % stride_w, phase_line = phase / stride_w;
    int phase_y = VOLUME != 0 ? phase_line % stride_h : phase_line, phase_z = VOLUME != 0 ? phase_line / stride_h : 0;
    if (p >= phase_spatial || tile >= tiles) return;

    int kx0 = first_tap(phase_x + pad_left, dilation_w, stride_w, kernel_w);
    int ky0 = first_tap(phase_y + pad_top, dilation_h, stride_h, kernel_h);
    int kz0 = VOLUME != 0 ? first_tap(phase_z + pad_front, dilation_d, stride_d, kernel_d) : 0;
    int in_x = (phase_x + pad_left - kx0 * dilation_w) / stride_w; /* exact where the tap is met */
    int in_y = (phase_y + pad_top - ky0 * dilation_h) / stride_h;
    int in_z = VOLUME != 0 ? (phase_z + pad_front - kz0 * dilation_d) / stride_d : 0;
    int step_x = stride_w / gcd_w, step_y = stride_h / gcd_h, step_z = VOLUME != 0 ? stride_d / gcd_d : 1;
    int back_x = dilation_w / gcd_w, back_y = dilation_h / gcd_h, back_z = VOLUME != 0 ? dilation_d / gcd_d : 1;
    int qx[PX], qy[PX], qz[PX];
    FOR_PX
    {
        int q = min(p + i * lanes, phase_spatial - 1);
        qz[i] = VOLUME != 0 ? q / (phase_w * phase_h) : 0;
        q -= qz[i] * phase_w * phase_h;
        qy[i] = q / phase_w;
        qx[i] = q - qy[i] * phase_w;
    }
    int slice0 = min((first_tile + tile) * SL * 4 / group_out * group_in / 4, in_slices - depth);
    int volume = in_w * in_h * (VOLUME != 0 ? in_d : 1);
    int base = (n * in_slices + slice0) * volume;
    int taps_d = VOLUME != 0 ? kernel_d : 1;

    vec4 acc[PX * SL];
    TILE_CLEAR(acc);
    for (int kz = kz0, z = in_z; kz < taps_d; kz += step_z, z -= back_z) {
        for (int ky = ky0, y = in_y; ky < kernel_h; ky += step_y, y -= back_y) {
            for (int kx = kx0, x = in_x; kx < kernel_w; kx += step_x, x -= back_x) {
                int at[PX];
                bool inside[PX];
                FOR_PX
                {
                    int iz = qz[i] + z, iy = qy[i] + y, ix = qx[i] + x;
                    inside[i] = uint(iy) < uint(in_h) && uint(ix) < uint(in_w);
                    if (VOLUME != 0) inside[i] = inside[i] && uint(iz) < uint(in_d);
                    at[i] = base + (inside[i] ? (iz * in_h + iy) * in_w + ix : 0);
                }
                int w = (((tile * taps_d + kz) * kernel_h + ky) * kernel_w + kx) * depth * SL * 4;
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
    }

    FOR_SL
    {
        int slice = (first_tile + tile) * SL + s;
        if (slice < out_slices) {
            vec4 bias = LD4(bias4, slice);
            FOR_PX
            {
                int oz = phase_z + qz[i] * planes, oy = phase_y + qy[i] * stride_h, ox = phase_x + qx[i] * stride_w;
                int out_planes = VOLUME != 0 ? out_d : 1;
                int o = (((n * out_slices + slice) * out_planes + oz) * out_h + oy) * out_w + ox;
                if (p + i * lanes < phase_spatial && oz < out_planes && oy < out_h && ox < out_w)
                    ST4(y4, o, epilogue4(acc[s * PX + i] + bias, residual4, o, alpha, beta));
            }
        }
    }
}
