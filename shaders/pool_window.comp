//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Largest value or mean of a window. C4 in and out. Grid: x pixels, y slices, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int AVERAGE = 0; /* 0: largest, 1: mean of what is inside, 2: mean with the padding */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, residual4);
BUFFER_OUT4(2, y4);

layout(push_constant) uniform Push
{
    int in_w, in_h, out_w, out_h, slices;
    int kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h, pad_left, pad_top;
    int padded_w, padded_h; /* where the padding at the end ends */
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
    if (p >= out_w * out_h || slice >= slices) return;
    int oy = p / out_w;
    int y0 = oy * stride_h - pad_top, x0 = (p - oy * out_w) * stride_w - pad_left;
    int base = (n * slices + slice) * in_h * in_w;

    float lowest = uintBitsToFloat(0xff800000u); /* -Inf */
    vec4 acc = vec4(AVERAGE == 0 ? lowest : 0.0);
    int count = 0;
    for (int ky = 0; ky < kernel_h; ky++) {
        int iy = y0 + ky * dilation_h;
        if (uint(iy) >= uint(in_h)) continue;
        for (int kx = 0; kx < kernel_w; kx++) {
            int ix = x0 + kx * dilation_w;
            if (uint(ix) >= uint(in_w)) continue;
            vec4 v = LD4(x4, base + iy * in_w + ix);
            acc = AVERAGE == 0 ? max(acc, v) : acc + v;
            count++;
        }
    }
    if (AVERAGE == 2)
        count = count_before(y0, dilation_h, kernel_h, padded_h) * count_before(x0, dilation_w, kernel_w, padded_w);
    if (AVERAGE != 0) acc /= float(max(count, 1));

    int o = (n * slices + slice) * out_w * out_h + p;
    ST4(y4, o, epilogue4(acc, residual4, o, alpha, beta));
}
