//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 WORDS=1
/* SPDX-License-Identifier: Apache-2.0
 * Updates that are to be reduced, second step: one invocation an element, which finds those that mean it among the sorted
 * ones of its line (scatter_rank.comp) and applies them in their order. Further dispatches go on with what it wrote.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

#define WORDS_SPEC 3
#include "lib/scatter.glsl"

BUFFER_IN(0, x);
BUFFER_IN_I32(1, order);
BUFFER_IN_I32(2, keys);
BUFFER_IN(3, updates);
BUFFER_OUT(4, y);

layout(constant_id = 6) const int TUPLES = 0;
layout(constant_id = 7) const int RANK = 1;

layout(push_constant) uniform Push
{
    int units, run; /* TUPLES: elements of a slice */
    int first, count; /* updates of each line in this dispatch */
    int step, line_size; /* a line's indices are `step` apart; of all dispatches */
    int axis;
    int dims[8], limits[8], strides[8]; /* of x, of the indices, of these in memory; innermost first */
};

/* The first of the line's sorted updates that means `own` or more. */
int search(int begin, int end, int own)
{
    while (begin < end) {
        int middle = (begin + end) / 2;
        if (keys[middle] < own) begin = middle + 1;
        else end = middle;
    }
    return begin;
}

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int own, line = 0, base, distance; /* from update to update */
    bool covered = true;               /* the indices may end earlier than x */
    if (TUPLES != 0) {
        own = int(i) / run;
        base = int(i) - own * run;
        distance = run;
    } else {
        int rest = int(i);
        own = base = 0;
        for (int d = 0; d < RANK; d++) {
            int outer = d < RANK - 1 ? rest / dims[d] : 0, k = rest - outer * dims[d];
            rest = outer;
            if (d == axis) {
                own = k;
            } else {
                base += k * strides[d];
                covered = covered && k < limits[d];
            }
        }
        line = base / (line_size * step) * step + base % step;
        distance = step;
    }
    VALUE v = SCATTER_LOAD(x, i);
    if (covered) {
        int end = (line + 1) * count;
        for (int k = search(line * count, end, own); k < end; k++) {
            if (keys[k] != own) break;
            v = scatter_step(v, SCATTER_LOAD(updates, base + (first + order[k]) * distance));
        }
    }
    SCATTER_STORE(y, i, v);
}
