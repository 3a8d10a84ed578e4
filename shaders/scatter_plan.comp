//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 WORDS=1
/* SPDX-License-Identifier: Apache-2.0
 * Scatter, one invocation an element, by a list of which updates mean its slice: in their order if the indices are
 * constant (first the end of each slice's part, then the updates of all), else one or none (scatter_last.comp).
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

#define WORDS_SPEC 3
#include "lib/scatter.glsl"
layout(constant_id = 6) const int ONE = 0; /* 1: one or none */

BUFFER_IN(0, x);
BUFFER_IN_I32(1, list);
BUFFER_IN(2, updates);
BUFFER_OUT(3, y);

layout(push_constant) uniform Push { int units, run, slices; };

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int slice = int(i) / run, at = int(i) - slice * run;
    VALUE v = SCATTER_LOAD(x, i);
    if (ONE != 0) {
        int update = list[slice];
        if (update >= 0) v = SCATTER_LOAD(updates, update * run + at);
    } else {
        int begin = slice > 0 ? list[slice - 1] : 0, end = list[slice];
        for (int k = begin; k < end; k++) v = scatter_step(v, SCATTER_LOAD(updates, list[slices + k] * run + at));
    }
    SCATTER_STORE(y, i, v);
}
