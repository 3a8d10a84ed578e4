//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Softmax and LogSoftmax of lines of `size` elements, `inner` apart, one workgroup a line: for few or long lines. Lines
 * beyond the grid in further rounds.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/group_sum.glsl"

layout(constant_id = 4) const int LOGARITHM = 0;

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

layout(push_constant) uniform Push
{
    int lines, size, inner;
};

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    for (int line = int(gl_WorkGroupID.x); line < lines; line += int(gl_NumWorkGroups.x)) {
        int first = line / inner * size * inner + line % inner;
        float largest = LD(x, first);
        for (int i = lane; i < size; i += LANES) largest = max(largest, LD(x, first + i * inner));
        largest = group_max(largest);
        float sum = 0.0;
        for (int i = lane; i < size; i += LANES) sum += exp(LD(x, first + i * inner) - largest);
        sum = group_sum(sum);
        float scale = 1.0 / sum, shift = log(sum);
        for (int i = lane; i < size; i += LANES) {
            float v = LD(x, first + i * inner) - largest;
            ST(y, first + i * inner, LOGARITHM != 0 ? v - shift : exp(v) * scale);
        }
    }
}
