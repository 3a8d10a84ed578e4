//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
//! variant x4_f32 WORDS=1 GROUPS=1
//! variant x4_f16 GROUPS=1 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Pad in all its modes, one invocation an output element, in x4 a group of four that is never padded within. Dimensions
 * are innermost first.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int RANK = 1;
layout(constant_id = 4) const int MODE = 0; /* op_pad_mode */
const int CONSTANT = 0, REFLECT = 1, EDGE = 2;

layout(constant_id = 5) const int COMPUTED = 0; /* 1: the fill is in the buffer; 0: that is a dummy */

#if GROUPS
#define ELEMENT(v) ELEM4(v)
BUFFER_IN4(0, x);
BUFFER_OUT4(1, y);
#else
#define ELEMENT(v) ELEM(v)
BUFFER_IN(0, x);
BUFFER_OUT(1, y);
#endif
BUFFER_IN(2, fill);

#ifdef WORDS
#define FILL uint
#else
#define FILL float
#endif

layout(push_constant) uniform Push
{
    int units, offset; /* of the first element that stays */
    FILL value;
    int dims[6];   /* of the output */
    int begin[6];  /* elements added in front */
    int left[6];   /* elements of the input that stay */
    int stride[6]; /* of the input */
};

int modulo(int v, int n)
{
    int r = v - v / n * n; /* GLSL leaves % of negative numbers undefined */
    return r < 0 ? r + n : r;
}

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    uint rest = i;
    int from = offset;
    bool inside = true;
    for (int d = 0; d < RANK; d++) {
        uint outer = d < RANK - 1 ? rest / uint(dims[d]) : 0u;
        int at = int(rest - outer * uint(dims[d])) - begin[d], last = left[d] - 1;
        rest = outer;
        if (MODE == CONSTANT) {
            inside = inside && at >= 0 && at <= last;
        } else if (MODE == EDGE) {
            at = clamp(at, 0, last);
        } else if (MODE == REFLECT) {
            at = last == 0 ? 0 : modulo(at, 2 * last);
            at = at <= last ? at : 2 * last - at;
        } else {
            at = modulo(at, last + 1);
        }
        from += at * stride[d];
    }
    if (inside)
        y[i] = x[from];
    else if (COMPUTED != 0)
        y[i] = ELEMENT(FILL(fill[0]));
    else
        y[i] = ELEMENT(value);
}
