//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
//! variant x4_f32 WORDS=1 COPY=4
//! variant x4_f16 COPY=4 STORE_F16=1
//! variant turn_f32 WORDS=1 COPY=16
//! variant turn_f16 COPY=16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Strided copies (graph/ops/strided.h), one invocation a unit. A unit is an element; in x4 a group of four neighbours
 * (or of four channels); in turn a 4 x 4 block whose rows are contiguous in the source and whose columns are contiguous
 * in the destination, so that a transposition reads and writes groups of four. Dimensions are innermost first; offsets
 * and strides count elements or groups.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int RANK = 1;

#ifdef WORDS
#define WIDE uvec4
#else
#define WIDE vec4 /* of halves single components cannot be taken */
#endif

#if COPY
BUFFER_IN4(0, x);
BUFFER_OUT4(1, y);
#else
BUFFER_IN(0, x);
BUFFER_OUT(1, y);
#endif

layout(push_constant) uniform Push
{
    int units, src_offset, dst_offset;
    int src_row, dst_row; /* turn: from row to row of the block */
    int dims[8], src[8], dst[8];
};

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int from = src_offset, to = dst_offset;
    for (int d = 0; d < RANK; d++) {
        uint outer = d < RANK - 1 ? i / uint(dims[d]) : 0u;
        int at = int(i - outer * uint(dims[d]));
        from += at * src[d];
        to += at * dst[d];
        i = outer;
    }
#if COPY == 16
    WIDE a = WIDE(x[from]), b = WIDE(x[from + src_row]), c = WIDE(x[from + 2 * src_row]), d = WIDE(x[from + 3 * src_row]);
    y[to] = ELEM4(WIDE(a.x, b.x, c.x, d.x));
    y[to + dst_row] = ELEM4(WIDE(a.y, b.y, c.y, d.y));
    y[to + 2 * dst_row] = ELEM4(WIDE(a.z, b.z, c.z, d.z));
    y[to + 3 * dst_row] = ELEM4(WIDE(a.w, b.w, c.w, d.w));
#else
    y[to] = x[from];
#endif
}
