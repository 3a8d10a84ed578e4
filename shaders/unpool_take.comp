//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * MaxUnpool: each output element from the value that unpool_owner.comp found for it, one invocation each.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

BUFFER_IN(0, x);
BUFFER_IN_I32(1, owner);
BUFFER_OUT(2, y);

layout(push_constant) uniform Push
{
    int count; /* of invocations */
};

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int from = owner[i];
    float v = 0.0;
    if (from >= 0) v = LD(x, from);
    ST(y, i, v);
}
