//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * AffineGrid, one invocation a coordinate.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int RANK = 2; /* spatial dimensions */
layout(constant_id = 4) const int ALIGN = 0;

BUFFER_IN(0, theta);
BUFFER_OUT(1, y);

layout(push_constant) uniform Push
{
    int units;
    int size[3]; /* innermost first */
};

/* Place i of n, -1 to 1. */
float place(int i, int n)
{
    if (ALIGN == 1) return n > 1 ? float(2 * i) / float(n - 1) - 1.0 : 0.0;
    return float(2 * i + 1) / float(n) - 1.0;
}

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int rest = i / RANK, row = i - rest * RANK;
    vec3 v = vec3(0.0);
    for (int d = 0; d < RANK; d++) {
        int outer = rest / size[d];
        v[d] = place(rest - outer * size[d], size[d]);
        rest = outer;
    }
    int first = (rest * RANK + row) * (RANK + 1);
    float sum = LD(theta, first + RANK);
    for (int d = 0; d < RANK; d++) sum += v[d] * LD(theta, first + d);
    ST(y, i, sum);
}
