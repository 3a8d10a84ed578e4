//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 WORDS=1
/* SPDX-License-Identifier: Apache-2.0
 * ArgMax and ArgMin: the index of the largest key of a line. Each line goes to as many invocations of a workgroup as the
 * workgroup is high; they take every so many elements, and the first row of the workgroup decides.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64; /* invocations of a workgroup */
layout(constant_id = 4) const int LAST = 0;   /* 1: of equal elements the last one wins */

BUFFER_IN(0, x);
BUFFER_OUT_I32(1, y);
#define KEYS_SPEC 5
#include "lib/keys.glsl"

layout(push_constant) uniform Push
{
    int lines, size, inner; /* elements of a line are `inner` apart */
};

shared int keys[LANES], positions[LANES];

/* Whether (key, position) goes before the other pair. */
bool wins(int key, int at, int other_key, int other_at)
{
    return key > other_key || (key == other_key && (LAST != 0 ? at > other_at : at < other_at));
}

void main()
{
    int lane = int(gl_LocalInvocationID.y), lanes = int(gl_WorkGroupSize.y), width = int(gl_WorkGroupSize.x);
    int line = int(gl_GlobalInvocationID.x), own = int(gl_LocalInvocationIndex);
    int held = min(line, lines - 1), first = held / inner * size * inner + held % inner;
    int best = min(lane, size - 1), key = key_of(first + best * inner);
    for (int i = lane + lanes; i < size; i += lanes) {
        int k = key_of(first + i * inner);
        if (wins(k, i, key, best)) {
            key = k;
            best = i;
        }
    }
    keys[own] = key;
    positions[own] = best;
    barrier();
    if (lane == 0 && line < lines) {
        for (int l = 1; l < lanes; l++) {
            int other = own + l * width;
            if (wins(keys[other], positions[other], key, best)) {
                key = keys[other];
                best = positions[other];
            }
        }
        y[line] = best;
    }
}
