//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Weights of LSTM, GRU and RNN that are computed at run time, in the forms that engine/gpu/recurrent.c makes of constants;
 * one invocation an element.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int FORM = 0;
const int R = 0, BIAS = 1, APART = 2, ZEROS = 3;

BUFFER_IN(0, source);
BUFFER_OUT(1, packed);

layout(push_constant) uniform Push { int units, rows, hidden, apart; };

/* R [D][rows][hidden] to [D][h4][rows][4] */
float recurrent_weight(int i)
{
    int h4 = (hidden + 3) / 4, row = i / 4 % rows, block = i / 4 / rows;
    int k = block % h4 * 4 + i % 4, direction = block / h4;
    return k < hidden ? LD(source, (direction * rows + row) * hidden + k) : 0.0;
}

/* B [D][Wb, Rb][rows] to [D][rows]: Wb + Rb; of rows from `apart` on only Wb */
float bias(int i)
{
    int direction = i / rows, row = i % rows, at = 2 * direction * rows + row;
    float own = LD(source, at);
    return row < apart ? own + LD(source, at + rows) : own;
}

/* The rows of Rb from `apart` on */
float bias_apart(int i)
{
    int count = rows - apart, direction = i / count;
    return LD(source, (2 * direction + 1) * rows + apart + i % count);
}

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    float v = 0.0;
    if (FORM == R) v = recurrent_weight(int(i));
    if (FORM == BIAS) v = bias(int(i));
    if (FORM == APART) v = bias_apart(int(i));
    ST(packed, i, v);
}
