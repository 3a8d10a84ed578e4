//! variant f32
//! variant f16 STORE_F16=1
//! variant words INTEGERS=1
/* SPDX-License-Identifier: Apache-2.0
 * Reduction over any dimensions, row-major, one workgroup an output: for many elements. Outputs beyond the grid in further
 * rounds.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define REDUCE_SPEC 4
#include "lib/reduce.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64; /* the workgroup's width, a power of two */

BUFFER_X;
BUFFER_Y;

shared VALUE part[LANES];

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    for (int o = int(gl_WorkGroupID.x); o < outputs; o += int(gl_NumWorkGroups.x)) {
        int first = first_of(o);
        VALUE acc = reduce_start(LOAD(first));
        for (int i = lane; i < size; i += LANES) acc = reduce_add(acc, LOAD(first + step_to(i)));
        barrier(); /* the last round's result has been read */
        part[lane] = acc;
        for (int width = LANES / 2; width > 0; width /= 2) {
            barrier();
            if (lane < width) part[lane] = reduce_merge(part[lane], part[lane + width]);
        }
        if (lane == 0) STORE(o, reduce_end(part[0]));
    }
}
