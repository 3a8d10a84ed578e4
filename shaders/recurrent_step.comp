//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * One step of LSTM, GRU or RNN, for hidden states that no workgroup can hold: an invocation a unit (x), sequence (y) and
 * direction (z). GRU whose reset gate comes before the product takes two dispatches a step: the first stores the reset
 * gate times the state, which the second multiplies by R. Of layers of one step the products by R may have been made before:
 * then this is only what comes after them.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/elementary.glsl"
#include "lib/recurrent.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int CELL = 0;
layout(constant_id = 4) const int ACT_F = 2;
layout(constant_id = 5) const int ACT_G = 6;
layout(constant_id = 6) const int ACT_H = 6;
layout(constant_id = 7) const int PART = 0; /* 1: GRU's first dispatch; 2: the gates, from products that are there */

BUFFER_IN(0, x);     /* [T x B or B x T][D][rows] */
BUFFER_IN4(1, r4);   /* [D][h4][rows], four columns each, zero beyond `hidden` */
BUFFER_IN(2, extra); /* LSTM: peepholes [D][i o f][hidden]; GRU_LINEAR: R's bias of the last gate; GRU: reset state */
BUFFER_IN(3, h);
BUFFER_IN(4, c); /* GRU, where they are there: the products by R, [B][rows]; others have them in x then */
BUFFER_OUT(5, y);
BUFFER_OUT(6, next_h);
BUFFER_OUT(7, next_c);

layout(push_constant) uniform Push
{
    int step, steps, batch, directions, first_direction, reverse, hidden;
    int x_step, x_batch;
    int y_step, y_direction, y_batch;
    int h_direction, h_batch;
    int flags;
    float clip;
    float f_alpha, f_beta, g_alpha, g_beta, h_alpha, h_beta;
};
const int GATES = CELL == LSTM ? 4 : CELL == RNN ? 1 : 3;

float gate_f(float v)
{
    return activate(ACT_F, vec4(clamp(v, -clip, clip)), f_alpha, f_beta).x;
}

float state_of(int at, int k)
{
    return k < hidden && (flags & START_H) != 0 ? LD(h, at + k) : 0.0;
}

float reset_of(int at, int k)
{
    return k < hidden ? LD(extra, at + k) : 0.0;
}

int made_at; /* of the sequence's products, where they are there */

/* Row `row` of R by the state, or by the reset one */
float product(int direction, int row, int at, bool reset)
{
    if (PART == 2) return CELL == GRU_LINEAR && (flags & START_H) != 0 ? LD(c, made_at + row) : 0.0;
    int rows = GATES * hidden, h4 = (hidden + 3) / 4, r = direction * h4 * rows;
    vec4 sum = vec4(0.0);
    for (int k = 0; k < h4; k++) {
        int j = 4 * k;
        vec4 v = reset ? vec4(reset_of(at, j), reset_of(at, j + 1), reset_of(at, j + 2), reset_of(at, j + 3))
                       : vec4(state_of(at, j), state_of(at, j + 1), state_of(at, j + 2), state_of(at, j + 3));
        sum += LD4(r4, r + k * rows + row) * v;
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

void main()
{
    int j = int(gl_GlobalInvocationID.x), b = int(gl_GlobalInvocationID.y), z = int(gl_GlobalInvocationID.z);
    if (j >= hidden || b >= batch || z >= directions) return;
    int direction = first_direction + z, rows = GATES * hidden;
    int t = direction == 1 || reverse != 0 ? steps - 1 - step : step;
    int x_at = t * x_step + b * x_batch + direction * rows, state = direction * h_direction + b * h_batch;
    float before = state_of(state, j);
    made_at = b * rows;

    if (PART == 1) {
        ST(next_h, state + j, gate_f(LD(x, x_at + hidden + j) + product(direction, hidden + j, state, false)) * before);
        return;
    }
    float first = LD(x, x_at + j) + product(direction, j, state, false), cell = 0.0, v;
    if (CELL == RNN) {
        v = gate_f(first);
    } else if (CELL == LSTM) {
        cell = (flags & START_C) != 0 ? LD(c, state + j) : 0.0;
        vec3 p = vec3(0.0); /* i o f */
        int at = direction * 3 * hidden + j;
        if ((flags & EXTRA) != 0) p = vec3(LD(extra, at), LD(extra, at + hidden), LD(extra, at + 2 * hidden));
        float o = LD(x, x_at + hidden + j) + product(direction, hidden + j, state, false);
        float f = LD(x, x_at + 2 * hidden + j) + product(direction, 2 * hidden + j, state, false);
        float n = LD(x, x_at + 3 * hidden + j) + product(direction, 3 * hidden + j, state, false);
        float i = gate_f(first + p.x * cell);
        f = (flags & FORGET_BY_INPUT) != 0 ? 1.0 - i : gate_f(f + p.z * cell);
        cell = f * cell + i * activate(ACT_G, vec4(clamp(n, -clip, clip)), g_alpha, g_beta).x;
        v = gate_f(o + p.y * cell) * activate(ACT_H, vec4(cell), h_alpha, h_beta).x;
        ST(next_c, state + j, cell);
    } else {
        float update = gate_f(first), n = LD(x, x_at + 2 * hidden + j);
        if (CELL == GRU) {
            n += product(direction, 2 * hidden + j, state, true);
        } else {
            float own = product(direction, 2 * hidden + j, state, false);
            if ((flags & EXTRA) != 0) own += LD(extra, direction * hidden + j);
            n += gate_f(LD(x, x_at + hidden + j) + product(direction, hidden + j, state, false)) * own;
        }
        n = activate(ACT_G, vec4(clamp(n, -clip, clip)), g_alpha, g_beta).x;
        v = (1.0 - update) * n + update * before;
    }
    ST(next_h, state + j, v);
    if ((flags & WRITE_Y) != 0) ST(y, t * y_step + direction * y_direction + b * y_batch + j, v);
}
