//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Softmax and LogSoftmax of lines of `size` elements, `inner` apart, one invocation a line: for many short lines.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int LOGARITHM = 0;

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

layout(push_constant) uniform Push
{
    int lines, size, inner;
};

void main()
{
    uint line = flat_index();
    if (line >= uint(lines)) return;
    int first = int(line) / inner * size * inner + int(line) % inner, end = first + size * inner;
    float largest = LD(x, first);
    for (int i = first + inner; i < end; i += inner) largest = max(largest, LD(x, i));
    float sum = 0.0;
    for (int i = first; i < end; i += inner) sum += exp(LD(x, i) - largest);
    float scale = 1.0 / sum, shift = log(sum);
    for (int i = first; i < end; i += inner) {
        float v = LD(x, i) - largest;
        ST(y, i, LOGARITHM != 0 ? v - shift : exp(v) * scale);
    }
}
