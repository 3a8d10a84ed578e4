//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * ReverseSequence, one invocation an element. Lengths may come from anywhere: they are held within the range.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

BUFFER_IN(0, x);
BUFFER_IN_I32(1, lengths);
BUFFER_OUT(2, y);

layout(push_constant) uniform Push
{
    int units, run;   /* elements of one time of one sequence */
    int times, batch;
    int time_step, batch_step; /* in runs */
};

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int row = int(i) / run, time = row / time_step % times, sequence = row / batch_step % batch;
    int length = clamp(lengths[sequence], 0, times);
    int from = time < length ? length - 1 - time : time;
    y[i] = x[int(i) + (from - time) * time_step * run];
}
