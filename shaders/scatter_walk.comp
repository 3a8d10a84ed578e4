//! variant f32
//! variant f16 STORE_F16=1
//! variant i32 WORDS=1
/* SPDX-License-Identifier: Apache-2.0
 * ScatterElements and ScatterND, one invocation an element, which looks at all updates that could mean it, in their order:
 * those of its line along the axis, or (TUPLES) all tuples. A dispatch takes `count` of them, from `first` on; further
 * ones go on with what it wrote. Indices may come from anywhere: they are held within the range.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

#define WORDS_SPEC 3
#include "lib/scatter.glsl"

BUFFER_IN(0, x);
BUFFER_IN_I32(1, indices);
BUFFER_IN(2, updates);
BUFFER_OUT(3, y);

#define PICKS_SPEC 6
#define PICKS_MORE int first, count, step, limits[8];
#include "lib/picks.glsl"

VALUE walk_tuples(int i, VALUE v)
{
    int slice = i / run, at = i - slice * run;
    for (int t = first; t < first + count; t++)
        if (picked_slice(t) == slice) v = scatter_step(v, SCATTER_LOAD(updates, t * run + at));
    return v;
}

/* Here `dims` are those of x; `limits` and `strides` those of the indices, which may end earlier. */
VALUE walk_line(int i, VALUE v)
{
    int rest = i, base = 0, own = 0;
    bool covered = true;
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
    int end = covered ? first + count : first;
    for (int t = first; t < end; t++)
        if (held_index(indices[base + t * step], size) == own)
            v = scatter_step(v, SCATTER_LOAD(updates, base + t * step));
    return v;
}

void main()
{
    uint i = flat_index();
    if (i >= uint(picks)) return;
    VALUE v = SCATTER_LOAD(x, i);
    if (TUPLES != 0)
        v = walk_tuples(int(i), v);
    else
        v = walk_line(int(i), v);
    SCATTER_STORE(y, i, v);
}
