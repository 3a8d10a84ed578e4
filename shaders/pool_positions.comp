//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 INTEGERS=1
/* SPDX-License-Identifier: Apache-2.0
 * MaxPool in rows, one invocation an output: with the position of the largest value in the whole input, and of integers.
 * The first of equals counts.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 5) const int POSITIONS = 0; /* write them */

#ifdef INTEGERS
#define VALUE int
BUFFER_IN_I32(0, x);
BUFFER_OUT_I32(2, y);
#else
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"
#define VALUE float
BUFFER_IN(0, x);
BUFFER_IN(1, residual);
BUFFER_OUT(2, y);
#endif
BUFFER_OUT_I32(3, positions);

layout(push_constant) uniform Push
{
    int count; /* of invocations */
    int in_w, in_h, in_d, out_w, out_h, out_d;
    int kernel_w, kernel_h, kernel_d, stride_w, stride_h, stride_d, dilation_w, dilation_h, dilation_d;
    int pad_left, pad_top, pad_front;
    int column_major; /* positions count the spatial dimensions from the first */
    float alpha, beta;
};

void main()
{
    uint index = flat_index();
    if (index >= uint(count)) return;
    int o = int(index), line = o / out_w, plane_z = line / out_h, plane = plane_z / out_d;
    int x0 = (o - line * out_w) * stride_w - pad_left, y0 = (line - plane_z * out_h) * stride_h - pad_top;
    int z0 = (plane_z - plane * out_d) * stride_d - pad_front;
    int base = plane * in_d * in_h * in_w;

    bool found = false;
    ivec3 at = ivec3(0);
#ifdef INTEGERS
    VALUE largest = 0;
#else
    VALUE largest = uintBitsToFloat(0xff800000u); /* -Inf */
#endif
    for (int tap = 0; tap < kernel_d * kernel_h; tap++) {
        int kz = tap / kernel_h, iz = z0 + kz * dilation_d, iy = y0 + (tap - kz * kernel_h) * dilation_h;
        if (uint(iz) >= uint(in_d) || uint(iy) >= uint(in_h)) continue;
        for (int kx = 0; kx < kernel_w; kx++) {
            int ix = x0 + kx * dilation_w;
            if (uint(ix) >= uint(in_w)) continue;
            VALUE v = VALUE(x[base + (iz * in_h + iy) * in_w + ix]);
            if (!found || v > largest) {
                largest = v;
                at = ivec3(ix, iy, iz);
            }
            found = true;
        }
    }
#ifdef INTEGERS
    y[o] = largest;
#else
    ST(y, o, epilogue(largest, residual, o, alpha, beta));
#endif
    if (POSITIONS != 0)
        positions[o] = base + (column_major != 0 ? (at.x * in_h + at.y) * in_d + at.z : (at.z * in_h + at.y) * in_w + at.x);
}
