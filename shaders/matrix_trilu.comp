//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Trilu: zeros on one side of a diagonal, one invocation an element.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int UPPER = 1;
layout(constant_id = 4) const int COMPUTED = 0; /* 1: the diagonal is in the buffer; 0: that is a dummy */

BUFFER_IN(0, x);
BUFFER_IN_I32(1, diagonal);
BUFFER_OUT(2, y);

layout(push_constant) uniform Push { int units, rows, columns, constant; };

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int line = int(i) / columns, right = int(i) - line * columns - line % rows; /* of the main diagonal */
    int k = COMPUTED != 0 ? diagonal[0] : constant;
    bool stays = UPPER != 0 ? right >= k : right <= k;
#ifdef WORDS
    y[i] = stays ? x[i] : 0u;
#else
    ST(y, i, stays ? LD(x, i) : 0.0);
#endif
}
