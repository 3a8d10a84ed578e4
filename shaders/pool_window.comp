//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Largest value, mean or root of the powers of a window. C4 in and out. Grid: x pixels, y slices, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
#define POOL_SPEC 5
#include "lib/pool.glsl"
layout(constant_id = 6) const int VOLUME = 0; /* three spatial dimensions */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, residual4);
BUFFER_OUT4(2, y4);

layout(push_constant) uniform Push
{
    int in_w, in_h, out_w, out_h, slices;
    int kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h, pad_left, pad_top;
    int padded_w, padded_h; /* where the padding at the end ends */
    int in_d, out_d, kernel_d, stride_d, dilation_d, pad_front, padded_d;
    int exponent;
    float alpha, beta;
};

/* Window positions from `first` on, `step` apart, before `end`. */
int count_before(int first, int step, int kernel, int end)
{
    return min(kernel, (end - first + step - 1) / step);
}

void main()
{
    int p = int(gl_GlobalInvocationID.x), slice = int(gl_GlobalInvocationID.y), n = int(gl_WorkGroupID.z);
    int out_plane = out_w * out_h, out_spatial = out_plane * (VOLUME != 0 ? out_d : 1);
    if (p >= out_spatial || slice >= slices) return;
    int oz = VOLUME != 0 ? p / out_plane : 0, q = p - oz * out_plane, oy = q / out_w;
    int z0 = oz * stride_d - pad_front, y0 = oy * stride_h - pad_top, x0 = (q - oy * out_w) * stride_w - pad_left;
    int base = (n * slices + slice) * in_h * in_w * (VOLUME != 0 ? in_d : 1);

    vec4 acc = pool_start();
    int count = 0, lines = kernel_h * (VOLUME != 0 ? kernel_d : 1);
    for (int tap = 0; tap < lines; tap++) {
        int kz = VOLUME != 0 ? tap / kernel_h : 0;
        int iz = VOLUME != 0 ? z0 + kz * dilation_d : 0, iy = y0 + (tap - kz * kernel_h) * dilation_h;
        if (uint(iy) >= uint(in_h) || VOLUME != 0 && uint(iz) >= uint(in_d)) continue;
        for (int kx = 0; kx < kernel_w; kx++) {
            int ix = x0 + kx * dilation_w;
            if (uint(ix) >= uint(in_w)) continue;
            acc = pool_add(acc, LD4(x4, base + (iz * in_h + iy) * in_w + ix), exponent);
            count++;
        }
    }
    if (KIND == MEAN_PADDED) {
        count = count_before(y0, dilation_h, kernel_h, padded_h) * count_before(x0, dilation_w, kernel_w, padded_w);
        if (VOLUME != 0) count *= count_before(z0, dilation_d, kernel_d, padded_d);
    }

    int o = (n * slices + slice) * out_spatial + p;
    ST4(y4, o, epilogue4(pool_end(acc, count, exponent), residual4, o, alpha, beta));
}
