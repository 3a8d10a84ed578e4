//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Local response normalization: x / (bias + scale sum of x^2 over the channels around)^beta. C4 in and out; one
 * invocation a position of a slice.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

BUFFER_IN4(0, x4);
BUFFER_OUT4(1, y4);

layout(push_constant) uniform Push
{
    int count; /* of invocations */
    int channels, slices, spatial;
    int before, after; /* channels around */
    float scale, beta, bias;
};

void main()
{
    uint index = flat_index();
    if (index >= uint(count)) return;
    int at = int(index), slice = at / spatial % slices, first = at - slice * spatial;
    ivec4 own = slice * 4 + ivec4(0, 1, 2, 3), low = own - before, high = min(own + after, channels - 1);
    vec4 sum = vec4(0.0);
    for (int s = max(low.x, 0) / 4; s <= high.w / 4; s++) {
        vec4 v = LD4(x4, first + s * spatial);
        v *= v;
        [[unroll]] for (int lane = 0; lane < 4; lane++) {
            bvec4 above = greaterThanEqual(ivec4(s * 4 + lane), low), below = lessThanEqual(ivec4(s * 4 + lane), high);
            sum += v[lane] * vec4(above) * vec4(below);
        }
    }
    vec4 base = bias + scale * sum;
    ST4(y4, at, LD4(x4, at) * exp2(-beta * log2(base)));
}
