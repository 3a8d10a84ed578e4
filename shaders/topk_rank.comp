//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 WORDS=1
/* SPDX-License-Identifier: Apache-2.0
 * TopK by counting: an element's rank among the `chunk` elements of its part of a line is how many go before it, and those
 * of a rank below k are kept in its place. One invocation an element. Long lines are cut into parts, whose best are ranked
 * again in a further dispatch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int FIRST = 1; /* 1: of all elements; 0: of those that `from` lists */
layout(constant_id = 4) const int FINAL = 1; /* 1: to the outputs; 0: to a list of positions */

BUFFER_IN(0, x);
BUFFER_IN_I32(1, from); /* positions, by line */
BUFFER_OUT(2, y);
BUFFER_OUT_I32(3, to);
#define KEYS_SPEC 5
#include "lib/keys.glsl"

layout(push_constant) uniform Push
{
    int units;       /* lines * count */
    int size, inner; /* of x's lines; elements of a line are `inner` apart, in x and in the outputs */
    int count;       /* elements of a line that are ranked */
    int chunk;       /* of which so many at once */
    int k;           /* kept of a chunk, at most */
    int kept;        /* of a line; only the last chunk may have less than k */
};

int position(int line, int i)
{
    return FIRST != 0 ? i : from[line * count + i];
}

void main()
{
    uint unit = flat_index();
    if (unit >= uint(units)) return;
    int line = int(unit) / count, i = int(unit) - line * count, part = i / chunk;
    int base = line / inner * size * inner + line % inner;
    int own = position(line, i), key = key_of(base + own * inner), rank = 0;
    int end = min((part + 1) * chunk, count);
    for (int j = part * chunk; j < end; j++) {
        int other = position(line, j), other_key = key_of(base + other * inner);
        if (other_key > key || (other_key == key && other < own)) rank++;
    }
    if (rank < k) {
        if (FINAL != 0) {
            int at = (line / inner * kept + rank) * inner + line % inner;
            y[at] = x[base + own * inner];
            to[at] = own;
        } else {
            to[line * kept + part * k + rank] = own;
        }
    }
}
