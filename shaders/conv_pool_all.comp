//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * A pool over all positions of a convolution, ungrouped, two-dimensional. C4 in, one position of C4 out.
 * Grid: x one workgroup, y tiles of SL slices, z batch. The lanes share the positions, PX at a time, and merge what they
 * found in a fixed order.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3 /* of the convolution; there is no residual */
#include "lib/epilogue.glsl"
#define TILE_SPEC 5
#include "lib/conv_tile.glsl"
#include "lib/conv_sum.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 7) const int AVERAGE = 0; /* the pool: 0 the largest, 1 the mean */
layout(constant_id = 8) const int LANES = 64; /* the workgroup's width, a power of two */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_OUT4(3, y4);

layout(push_constant) uniform Push
{
    CONV_PUSH
    int first_tile; /* of this dispatch */
    float alpha, beta;
};

shared vec4 part[LANES * SL];

vec4 merge(vec4 a, vec4 b)
{
    return AVERAGE != 0 ? a + b : max(a, b);
}

void main()
{
    int lane = int(gl_LocalInvocationID.x), tile = int(gl_WorkGroupID.y), n = int(gl_WorkGroupID.z);
    int spatial = mid_w * mid_h;
    vec4 best[SL], bias[SL];
    FOR_SL
    {
        bias[s] = LD4(bias4, min((first_tile + tile) * SL + s, out_slices - 1));
        best[s] = vec4(AVERAGE != 0 ? 0.0 : uintBitsToFloat(0xff800000u)); /* -Inf */
    }
    for (int p = lane; p < spatial; p += LANES * PX) {
        int x0[PX], y0[PX];
        FOR_PX
        {
            int q = min(p + i * LANES, spatial - 1), y = q / mid_w;
            y0[i] = y * stride_h - pad_top;
            x0[i] = (q - y * mid_w) * stride_w - pad_left;
        }
        vec4 acc[PX * SL];
        CONV_SUM(acc, x0, y0, tile, n)
        FOR_SL FOR_PX
        {
            vec4 v = epilogue_activate4(acc[s * PX + i] + bias[s], alpha, beta);
            best[s] = p + i * LANES < spatial ? merge(best[s], v) : best[s];
        }
    }
    FOR_SL part[s * LANES + lane] = best[s];
    for (int width = LANES / 2; width > 0; width /= 2) {
        barrier();
        if (lane < width) {
            FOR_SL part[s * LANES + lane] = merge(part[s * LANES + lane], part[s * LANES + lane + width]);
        }
    }
    if (lane == 0) {
        FOR_SL
        {
            int slice = (first_tile + tile) * SL + s;
            vec4 v = part[s * LANES];
            if (AVERAGE != 0) v /= float(spatial);
            if (slice < out_slices) ST4(y4, n * out_slices + slice, v);
        }
    }
}
