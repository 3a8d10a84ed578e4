//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 WORDS=1
/* SPDX-License-Identifier: Apache-2.0
 * CumSum of lines of `size` elements, `inner` apart. Each line is cut into as many stretches as the workgroup is high; an
 * invocation sums its stretch, adds what the others have before it, and walks it again. Integers wrap around.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64; /* invocations of a workgroup */
layout(constant_id = 4) const int EXCLUSIVE = 0;
layout(constant_id = 5) const int REVERSE = 0;

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

layout(push_constant) uniform Push
{
    int lines, size, inner;
};

#ifdef WORDS
#define VALUE uint
#define LOAD(i) x[i]
#define STORE(i, v) y[i] = v
#else
#define VALUE float
#define LOAD(i) LD(x, i)
#define STORE(i, v) ST(y, i, v)
#endif

shared VALUE sums[LANES];

void main()
{
    int lane = int(gl_LocalInvocationID.y), lanes = int(gl_WorkGroupSize.y), width = int(gl_WorkGroupSize.x);
    int line = int(gl_GlobalInvocationID.x), own = int(gl_LocalInvocationIndex);
    int held = min(line, lines - 1), first = held / inner * size * inner + held % inner, step = inner;
    if (REVERSE != 0) {
        first += (size - 1) * inner;
        step = -inner;
    }
    int stretch = (size + lanes - 1) / lanes, begin = min(lane * stretch, size), end = min(begin + stretch, size);
    VALUE sum = VALUE(0);
    for (int i = begin; i < end; i++) sum += LOAD(first + i * step);
    sums[own] = sum;
    barrier();
    sum = VALUE(0);
    for (int l = 0; l < lane; l++) sum += sums[own + (l - lane) * width];
    if (line < lines) {
        for (int i = begin; i < end; i++) {
            int at = first + i * step;
            VALUE before = sum;
            sum += LOAD(at);
            STORE(at, EXCLUSIVE != 0 ? before : sum);
        }
    }
}
