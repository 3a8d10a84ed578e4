//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolution with a kernel of fixed width: PX neighbouring outputs of a row share the loads of their input
 * row. No dilation in x; any height, padding, stride and dilation in y. C4 in, C4 or rows out.
 * Grid: x runs of PX outputs (row by row), y slices, z batch. Weights: [slice][ky][kx][4].
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define ROWS_SPEC 8
#include "lib/store.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int PX = 4;
layout(constant_id = 6) const int KW = 3; /* kernel width */
layout(constant_id = 7) const int SW = 1; /* stride in x */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_IN4(3, residual4);
BUFFER_OUT4(4, y4);
BUFFER_OUT(5, y);

layout(push_constant) uniform Push
{
    int in_w, in_h, out_w, out_h, slices;
    int kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h, pad_left, pad_top;
    float alpha, beta;
    int channels; /* of the output */
};

const int SPAN = (PX - 1) * SW + KW;

void main()
{
    int runs = (out_w + PX - 1) / PX; /* of a row */
    int run = int(gl_GlobalInvocationID.x), slice = int(gl_GlobalInvocationID.y), n = int(gl_WorkGroupID.z);
    if (run >= runs * out_h || slice >= slices) return;
    int oy = run / runs;
    int ox = (run - oy * runs) * PX;
    int x0 = ox * SW - pad_left;

    vec4 acc[PX];
    vec4 bias = LD4(bias4, slice);
    [[unroll]] for (int i = 0; i < PX; i++) acc[i] = bias;
    for (int ky = 0; ky < kernel_h; ky++) {
        int iy = oy * stride_h - pad_top + ky * dilation_h;
        if (uint(iy) >= uint(in_h)) continue;
        int base = ((n * slices + slice) * in_h + iy) * in_w;
        vec4 row[SPAN];
        [[unroll]] for (int j = 0; j < SPAN; j++)
        {
            int ix = x0 + j;
            vec4 v = LD4(x4, base + clamp(ix, 0, in_w - 1));
            row[j] = uint(ix) < uint(in_w) ? v : vec4(0.0);
        }
        [[unroll]] for (int kx = 0; kx < KW; kx++)
        {
            vec4 weight = LD4(weights4, (slice * kernel_h + ky) * KW + kx);
            [[unroll]] for (int i = 0; i < PX; i++) acc[i] += row[i * SW + kx] * weight;
        }
    }
    [[unroll]] for (int i = 0; i < PX; i++)
    {
        int o = ((n * slices + slice) * out_h + oy) * out_w + ox + i;
        if (ox + i < out_w)
            STORE_CHANNELS(o, epilogue4(acc[i], residual4, o, alpha, beta), n, slice, oy * out_w + ox + i, out_w * out_h,
                           channels)
    }
}
