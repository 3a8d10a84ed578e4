//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * A depthwise convolution (shaders/conv2d_depthwise_row.comp) and the 1x1 convolution (conv2d_1x1.comp) that alone reads
 * it: what the first makes stays in registers. An invocation makes PX neighbouring pixels of SL output slices, so the
 * depthwise part is computed once a tile of slices: worth it where a tile holds many. C4 in, C4 or rows out.
 * Grid: x runs of PX outputs (row by row), y tiles, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define ROWS_SPEC 10
#include "lib/store.glsl"
#define TILE_SPEC 5
#include "lib/conv_tile.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 7) const int KW = 3; /* of the depthwise kernel: width, stride in x, activation */
layout(constant_id = 8) const int SW = 1;
layout(constant_id = 9) const int MIDDLE_ACT = 0;

BUFFER_IN4(0, x4);
BUFFER_IN4(1, taps4);
BUFFER_IN4(2, middle4); /* bias between the two */
BUFFER_IN4(3, weights4);
BUFFER_IN4(4, bias4);
BUFFER_IN4(5, residual4);
BUFFER_OUT4(6, y4);
BUFFER_OUT(7, y);

layout(push_constant) uniform Push
{
    int in_w, in_h, out_w, out_h, slices, out_slices;
    int kernel_h, stride_h, dilation_h, pad_left, pad_top, tiles;
    float middle_alpha, middle_beta, alpha, beta;
    int channels; /* of the output */
};

const int SPAN = (PX - 1) * SW + KW;

void main()
{
    int runs = (out_w + PX - 1) / PX; /* of a row */
    int run = int(gl_GlobalInvocationID.x), tile = int(gl_GlobalInvocationID.y), n = int(gl_WorkGroupID.z);
    if (run >= runs * out_h || tile >= tiles) return;
    int oy = run / runs;
    int ox = (run - oy * runs) * PX;
    int x0 = ox * SW - pad_left;

    vec4 acc[PX * SL];
    TILE_CLEAR(acc);
    int w = tile * slices * SL * 4;
    for (int k = 0; k < slices; k++) {
        vec4 v[PX];
        vec4 middle = LD4(middle4, k);
        FOR_PX v[i] = middle;
        for (int ky = 0; ky < kernel_h; ky++) {
            int iy = oy * stride_h - pad_top + ky * dilation_h;
            bool inside = uint(iy) < uint(in_h);
            int base = ((n * slices + k) * in_h + clamp(iy, 0, in_h - 1)) * in_w;
            vec4 row[SPAN];
            [[unroll]] for (int j = 0; j < SPAN; j++)
            {
                int ix = x0 + j;
                vec4 value = LD4(x4, base + clamp(ix, 0, in_w - 1));
                row[j] = inside && uint(ix) < uint(in_w) ? value : vec4(0.0);
            }
            [[unroll]] for (int kx = 0; kx < KW; kx++)
            {
                vec4 tap = LD4(taps4, (k * kernel_h + ky) * KW + kx);
                FOR_PX v[i] += row[i * SW + kx] * tap;
            }
        }
        FOR_PX v[i] = epilogue_activate4_as(MIDDLE_ACT, v[i], middle_alpha, middle_beta);
        TILE_ADD(acc, v, weights4, w);
        w += SL * 4;
    }

    FOR_SL
    {
        int slice = tile * SL + s;
        if (slice < out_slices) {
            vec4 bias = LD4(bias4, slice);
            FOR_PX
            {
                int o = ((n * out_slices + slice) * out_h + oy) * out_w + ox + i;
                if (ox + i < out_w)
                    STORE_CHANNELS(o, epilogue4(acc[s * PX + i] + bias, residual4, o, alpha, beta), n, slice,
                                   oy * out_w + ox + i, out_w * out_h, channels)
            }
        }
    }
}
