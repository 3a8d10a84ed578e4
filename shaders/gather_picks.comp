//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * GatherElements and GatherND, one invocation an element.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

BUFFER_IN(0, x);
BUFFER_IN_I32(1, indices);
BUFFER_OUT(2, y);

#define PICKS_SPEC 3
#define PICKS_MORE
#include "lib/picks.glsl"

void main()
{
    uint i = flat_index();
    if (i < uint(picks)) y[i] = x[picked_element(int(i))];
}
