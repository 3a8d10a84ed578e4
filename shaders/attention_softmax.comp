//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Scores of queries and keys become weights, in place: cap, mask, softmax. A workgroup takes a row of `keys` elements,
 * `stride` apart from the next; rows beyond the grid in further rounds.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/group_sum.glsl"

layout(constant_id = 4) const int MASK = 0;
layout(constant_id = 5) const int CAUSAL = 0;
layout(constant_id = 6) const int SOFTCAP = 0;

layout(set = 0, binding = 0, std430) buffer Buffer_s { ELEM s[]; };
BUFFER_IN(1, mask); /* one memory, two views; a dummy if there is none */
BUFFER_IN_I32(2, mask_words);

layout(push_constant) uniform Push
{
    int rows, stride;
    int heads, queries, keys;
    int mask_batch, mask_head, mask_row, mask_col;
    float softcap;
};

#include "lib/attention.glsl"

void main()
{
    int lane = int(gl_LocalInvocationID.x);
    for (int row = int(gl_WorkGroupID.x); row < rows; row += int(gl_NumWorkGroups.x)) {
        int query = row % queries, head = row / queries, first = row * stride;
        int mask_at = head / heads * mask_batch + head % heads * mask_head;
        float largest = ATTENTION_LOWEST;
        for (int i = lane; i < keys; i += LANES) {
            bool seen;
            float v = attention_score(LD(s, first + i), mask_at, query, i, seen);
            if (seen) largest = max(largest, v);
        }
        largest = group_max(largest);
        float sum = 0.0;
        for (int i = lane; i < keys; i += LANES) {
            bool seen;
            float v = attention_score(LD(s, first + i), mask_at, query, i, seen);
            v = seen ? exp(v - largest) : 0.0;
            sum += v;
            ST(s, first + i, v);
        }
        sum = group_sum(sum);
        float factor = sum > 0.0 ? 1.0 / sum : 0.0;
        for (int i = lane; i < keys; i += LANES) ST(s, first + i, LD(s, first + i) * factor);
    }
}
