//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Element-wise operators, one alone or a chain of them, four output elements an invocation, in either layout. The program is a list of steps
 * in specialization constants, so that the driver unrolls the loop and folds the switch: what runs is straight code.
 * engine/gpu/chain.c writes it. A row-major output has up to four dimensions; one in slices counts position, slice, sample.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#include "lib/c4.glsl"

layout(constant_id = 3) const int P0 = 0;
layout(constant_id = 4) const int P1 = 0;
layout(constant_id = 5) const int P2 = 0;
layout(constant_id = 6) const int P3 = 0;
layout(constant_id = 7) const int P4 = 0;
layout(constant_id = 8) const int P5 = 0;
layout(constant_id = 9) const int P6 = 0;
layout(constant_id = 10) const int P7 = 0;
layout(constant_id = 11) const int P8 = 0;
layout(constant_id = 12) const int P9 = 0;
layout(constant_id = 13) const int P10 = 0;
layout(constant_id = 14) const int P11 = 0;
/* Bits: 0..4 steps, 5 slices, 6..8 rank in rows, 9..16 modes of inputs 2 to 5, 17..22 inputs in use, 23..25 registers in use
 * besides the first, 26 whether parameters are operands. */
layout(constant_id = 15) const int FORM = 0;

const int STEPS = FORM & 31, RANK = FORM >> 6 & 7;
const bool SLICES = (FORM >> 5 & 1) != 0;
const int WIDE_2 = FORM >> 9 & 3, WIDE_3 = FORM >> 11 & 3, NARROW_4 = FORM >> 13 & 3, NARROW_5 = FORM >> 15 & 3;

BUFFER_IN4(0, w0); /* read where the output is written */
BUFFER_IN4(1, w1);
BUFFER_IN4(2, w2); /* so, or in fours by strides */
BUFFER_IN4(3, w3);
BUFFER_IN(4, n4); /* element by element */
BUFFER_IN(5, n5);
BUFFER_OUT4(6, y4);

layout(push_constant) uniform Push
{
    ivec4 stride_2, stride_3, stride_4, stride_5; /* by dimension, innermost first; 0 where the input repeats */
    ivec4 size; /* in slices: positions, slices, samples */
    float params[8];
    int count; /* groups of four */
    int channels; /* in slices, if the last one has unused lanes; else 0 */
};

#define CHAIN_SPEC 16
#include "lib/chain.glsl"
const int OPERANDS = CHAIN_HAS(44) ? 3 : 2; /* Where */

int index; /* group of four of the output */
ivec4 group; /* its coordinates, in fours along the dimension that is stored in fours */
ivec4 at0, at1, at2, at3; /* coordinates of the four elements, a dimension each */

void locate()
{
    if (SLICES) {
        group = ivec4(index % size.x, index / size.x % size.y, index / (size.x * size.y), 0);
        at0 = ivec4(group.x);
        at1 = 4 * group.y + ivec4(0, 1, 2, 3); /* channels beyond the last one read the last one */
        if (channels > 0) at1 = min(at1, ivec4(channels - 1));
        at2 = ivec4(group.z);
        at3 = ivec4(0);
        return;
    }
    ivec4 rest = 4 * index + ivec4(0, 1, 2, 3); /* elements beyond the last one read some other */
    at0 = rest % size.x;
    at1 = at2 = at3 = ivec4(0);
    if (RANK > 1) {
        rest /= size.x;
        at1 = rest % size.y;
    }
    if (RANK > 2) {
        rest /= size.y;
        at2 = rest % size.z;
    }
    if (RANK > 3) {
        rest /= size.z;
        at3 = rest % size.w;
    }
    group = ivec4(at0.x / 4, at1.x, at2.x, at3.x);
}

int group_at(ivec4 s)
{
    return group.x * s.x + group.y * s.y + group.z * s.z + group.w * s.w;
}

ivec4 element_at(ivec4 s)
{
    return at0 * s.x + at1 * s.y + at2 * s.z + at3 * s.w;
}

#define WIDE(mode, buf, s) (mode == 0 ? LD4(buf, index) : mode == 1 ? LD4(buf, group_at(s)) : vec4(LD4(buf, group_at(s)).x))

#define NARROW(mode, buf, k) \
    (mode == 1 ? vec4(LD(buf, k.x)) : vec4(LD(buf, k.x), LD(buf, k.y), LD(buf, k.z), LD(buf, k.w)))
#define LOAD(input, value) ((FORM >> (17 + input) & 1) != 0 ? value : vec4(0.0))

vec4 r0, r1, r2, r3, i0, i1, i2, i3, i4, i5;

#define TAKE(s, bit, at, x) v = (FORM >> (bit) & 1) != 0 && s == at ? x : v

vec4 source(int s)
{
    vec4 v = r0;
    TAKE(s, 23, 1, r1);
    TAKE(s, 24, 2, r2);
    TAKE(s, 25, 3, r3);
    TAKE(s, 17, 4, i0);
    TAKE(s, 18, 5, i1);
    TAKE(s, 19, 6, i2);
    TAKE(s, 20, 7, i3);
    TAKE(s, 21, 8, i4);
    TAKE(s, 22, 9, i5);
    return (FORM >> 26 & 1) != 0 && s > 15 ? vec4(params[s & 7]) : v;
}

int step_at(int k)
{
    return k < 4 ? (k < 2 ? (k == 0 ? P0 : P1) : (k == 2 ? P2 : P3))
                 : k < 8 ? (k < 6 ? (k == 4 ? P4 : P5) : (k == 6 ? P6 : P7))
                         : (k < 10 ? (k == 8 ? P8 : P9) : (k == 10 ? P10 : P11));
}

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    index = int(i);
    locate();
    i0 = LOAD(0, LD4(w0, index));
    i1 = LOAD(1, LD4(w1, index));
    i2 = LOAD(2, WIDE(WIDE_2, w2, stride_2));
    i3 = LOAD(3, WIDE(WIDE_3, w3, stride_3));
    i4 = LOAD(4, NARROW(NARROW_4, n4, element_at(stride_4)));
    i5 = LOAD(5, NARROW(NARROW_5, n5, element_at(stride_5)));
    r0 = r1 = r2 = r3 = vec4(0.0);
    vec4 v = vec4(0.0);
    [[unroll]] for (int k = 0; k < STEPS; k++) {
        int word = step_at(k), to = word >> 21 & 3, param = word >> 23 & 7;
        vec4 a = vec4(0.0), b = a, c = a;
        [[unroll]] for (int o = 0; o < OPERANDS; o++) {
            vec4 x = source(word >> (6 + 5 * o) & 31);
            a = o == 0 ? x : a;
            b = o == 1 ? x : b;
            c = o == 2 ? x : c;
        }
        v = chain_apply(word & 63, a, b, c, params[param], params[param + 1 & 7]);
        r0 = to == 0 ? v : r0;
        r1 = to == 1 ? v : r1;
        r2 = to == 2 ? v : r2;
        r3 = to == 3 ? v : r3;
    }
    if (SLICES && channels > 0) v = c4_mask(v, group.y, channels);
    ST4(y4, index, v);
}
