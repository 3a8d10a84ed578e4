//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Reduction over any dimensions, row-major, one invocation an output: for many outputs of few elements.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define REDUCE_SPEC 3
#include "lib/reduce.glsl"

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

void main()
{
    uint o = flat_index();
    if (o >= uint(outputs)) return;
    int first = first_of(int(o));
    float acc = reduce_start(LD(x, first));
    for (int i = 0; i < size; i++) acc = reduce_add(acc, LD(x, first + step_to(i)));
    ST(y, o, reduce_end(acc));
}
