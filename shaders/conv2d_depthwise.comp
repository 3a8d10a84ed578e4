//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolution, one kernel a channel, any size, stride, dilation and padding. C4 in and out.
 * Grid: x pixels (PX an invocation, a workgroup's width apart), y slices, z batch. Weights: [slice][tap][4].
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int PX = 4;
layout(constant_id = 6) const int VOLUME = 0; /* three spatial dimensions */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_IN4(3, residual4);
BUFFER_OUT4(4, y4);

layout(push_constant) uniform Push
{
    int in_w, in_h, out_w, out_h, slices;
    int kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h, pad_left, pad_top;
    int in_d, out_d, kernel_d, stride_d, dilation_d, pad_front;
    float alpha, beta;
};

#define FOR_PX [[unroll]] for (int i = 0; i < PX; i++)

void main()
{
    int lanes = int(gl_WorkGroupSize.x), out_spatial = out_w * out_h * (VOLUME != 0 ? out_d : 1);
    int p = int(gl_WorkGroupID.x) * lanes * PX + int(gl_LocalInvocationID.x);
    int slice = int(gl_GlobalInvocationID.y), n = int(gl_WorkGroupID.z);
    if (p >= out_spatial || slice >= slices) return;

    int x0[PX], y0[PX], z0[PX];
    vec4 acc[PX];
    vec4 bias = LD4(bias4, slice);
    FOR_PX
    {
        int q = min(p + i * lanes, out_spatial - 1);
        int oz = VOLUME != 0 ? q / (out_h * out_w) : 0;
        q -= oz * out_h * out_w;
        z0[i] = oz * stride_d - pad_front;
        int oy = q / out_w;
        y0[i] = oy * stride_h - pad_top;
        x0[i] = (q - oy * out_w) * stride_w - pad_left;
        acc[i] = bias;
    }
    int taps_d = VOLUME != 0 ? kernel_d : 1;
    int base = (n * slices + slice) * in_w * in_h * (VOLUME != 0 ? in_d : 1);
    int w = slice * taps_d * kernel_h * kernel_w;
    for (int tap = 0; tap < taps_d * kernel_h; tap++) {
        int kz = VOLUME != 0 ? tap / kernel_h : 0, ky = tap - kz * kernel_h;
        for (int kx = 0; kx < kernel_w; kx++) {
            vec4 weight = LD4(weights4, w);
            w++;
            FOR_PX
            {
                int iy = y0[i] + ky * dilation_h, ix = x0[i] + kx * dilation_w;
                bool inside = uint(iy) < uint(in_h) && uint(ix) < uint(in_w);
                int line = iy;
                if (VOLUME != 0) {
                    int iz = z0[i] + kz * dilation_d;
                    inside = inside && uint(iz) < uint(in_d);
                    line += iz * in_h;
                }
                vec4 v = LD4(x4, base + (inside ? line * in_w + ix : 0));
                acc[i] += inside ? v * weight : vec4(0.0);
            }
        }
    }
    FOR_PX
    {
        int q = p + i * lanes;
        int o = (n * slices + slice) * out_spatial + q;
        if (q < out_spatial) ST4(y4, o, epilogue4(acc[i], residual4, o, alpha, beta));
    }
}
