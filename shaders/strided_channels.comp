//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Copies channels between tensors in slices of four where they do not keep their lanes (Concat, Slice and Split along
 * the channels). One invocation a destination slice and position; lanes of channels outside of low..high stay as they
 * are, those from `total` on become zero.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/c4.glsl"
#include "lib/flat.glsl"

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

layout(push_constant) uniform Push
{
    int units, spatial, src_slices, dst_slices;
    int first, slices;    /* of the destination: those that are touched */
    int low, high, total; /* destination channels: written here, and all there are */
    int start, step;      /* destination channel `low` is source channel `start`, and so on in steps */
};

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    uint row = i / uint(spatial);
    int p = int(i - row * uint(spatial)), n = int(row / uint(slices)), s = first + int(row) - n * slices;
    for (int lane = 0; lane < 4; lane++) {
        int channel = 4 * s + lane, to = c4_element(n, channel, p, dst_slices, spatial);
        if (channel >= low && channel < high)
            y[to] = x[c4_element(n, start + (channel - low) * step, p, src_slices, spatial)];
        else if (channel >= total)
            y[to] = ELEM(0.0);
    }
}
