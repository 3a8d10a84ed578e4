//! variant f32
//! variant f16 STORE_F16=1
//! variant words INTEGERS=1
/* SPDX-License-Identifier: Apache-2.0
 * Reduction over any dimensions, row-major, one invocation an output: for many outputs of few elements.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define REDUCE_SPEC 3
#include "lib/reduce.glsl"

BUFFER_X;
BUFFER_Y;

void main()
{
    uint o = flat_index();
    if (o >= uint(outputs)) return;
    int first = first_of(int(o));
    VALUE acc = reduce_start(LOAD(first));
    for (int i = 0; i < size; i++) acc = reduce_add(acc, LOAD(first + step_to(i)));
    STORE(o, reduce_end(acc));
}
