//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * All steps of LSTM, GRU or RNN, one workgroup a sequence (x) and direction (y). The products of the input are there
 * already, with the biases; a workgroup multiplies the hidden state by R, a lane a row, and then applies the gates, a
 * lane a unit. State and sums are in shared memory; all lanes pass the same barriers.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/elementary.glsl"
#include "lib/recurrent.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 128;
layout(constant_id = 4) const int CELL = 0;
layout(constant_id = 5) const int HIDDEN = 4;
layout(constant_id = 6) const int ACT_F = 2;
layout(constant_id = 7) const int ACT_G = 6;
layout(constant_id = 8) const int ACT_H = 6;

const int GATES = CELL == LSTM ? 4 : CELL == RNN ? 1 : 3;
const int ROWS = GATES * HIDDEN;
const int H4 = (HIDDEN + 3) / 4, PADDED = 4 * H4;
const int CELLS = CELL == LSTM ? HIDDEN : 1;
const int STATES = CELL == GRU ? 2 * PADDED : PADDED; /* the second: reset gate times state */

BUFFER_IN(0, x);         /* [T x B or B x T][D][ROWS] */
BUFFER_IN4(1, r4);       /* [D][H4][ROWS], four columns each, zero beyond HIDDEN */
BUFFER_IN(2, extra);     /* LSTM: peepholes [D][i o f][HIDDEN]; GRU_LINEAR: R's bias of the last gate [D][HIDDEN] */
BUFFER_IN(3, start_h);
BUFFER_IN(4, start_c);
BUFFER_IN_I32(4, lengths); /* with LENGTHS, when start_c follows start_h in one buffer */
BUFFER_OUT(5, y);
BUFFER_OUT(6, end_h);
BUFFER_OUT(7, end_c);

layout(push_constant) uniform Push
{
    int first, count, steps; /* steps of this dispatch, in the order of the recurrence, of all steps */
    int first_direction, reverse; /* reverse: of direction 0 */
    int x_step, x_batch;
    int y_step, y_direction, y_batch; /* strides */
    int h_direction, h_batch;         /* of the states */
    int states;                       /* elements of start_h */
    int flags;
    float clip;
    float f_alpha, f_beta, g_alpha, g_beta, h_alpha, h_beta;
};
shared float h[STATES];
shared float c[CELLS];
shared float sums[ROWS];

vec4 gate_f(vec4 v)
{
    return activate(ACT_F, clamp(v, -clip, clip), f_alpha, f_beta);
}

/* Row `row` of R by the state that begins at h[at]; r: start of the direction's matrix */
float product(int r, int row, int at)
{
    vec4 sum = vec4(0.0);
    for (int k = 0; k < H4; k++)
        sum += LD4(r4, r + k * ROWS + row) * vec4(h[at + 4 * k], h[at + 4 * k + 1], h[at + 4 * k + 2], h[at + 4 * k + 3]);
    return (sum.x + sum.y) + (sum.z + sum.w);
}

/* The last gate of GRU_LINEAR keeps the input's part apart. */
void product_rows(int r, int x_at, int direction, int begin, int end, int state)
{
    for (int row = begin + int(gl_LocalInvocationID.x); row < end; row += LANES) {
        float start = 0.0;
        if (CELL != GRU_LINEAR || row < 2 * HIDDEN)
            start = LD(x, x_at + row);
        else if ((flags & EXTRA) != 0)
            start = LD(extra, direction * HIDDEN + row - 2 * HIDDEN);
        sums[row] = start + product(r, row, state);
    }
    barrier();
}

/* h[j] of the next step. Every activation stands here once (GRU's reset gate apart), for all cells: the code stays
 * small. */
float unit(int direction, int x_at, int j)
{
    vec3 p = vec3(0.0); /* i o f */
    int at = direction * 3 * HIDDEN + j;
    if (CELL == LSTM && (flags & EXTRA) != 0) p = vec3(LD(extra, at), LD(extra, at + HIDDEN), LD(extra, at + 2 * HIDDEN));
    vec2 gates = vec2(sums[j], sums[j + (CELL == LSTM ? 2 * HIDDEN : CELL == RNN ? 0 : HIDDEN)]);
    if (CELL == LSTM) gates += p.xz * c[j];
    gates = gate_f(vec4(gates, gates)).xy; /* LSTM: i f; GRU: z r */
    if (CELL == RNN) return gates.x;

    float n = sums[j + (GATES - 1) * HIDDEN];
    if (CELL == GRU_LINEAR) n = LD(x, x_at + 2 * HIDDEN + j) + gates.y * n;
    n = activate(ACT_G, vec4(clamp(n, -clip, clip)), g_alpha, g_beta).x;
    if (CELL != LSTM) return (1.0 - gates.x) * n + gates.x * h[j];

    float v = ((flags & FORGET_BY_INPUT) != 0 ? 1.0 - gates.x : gates.y) * c[j] + gates.x * n;
    c[j] = v;
    return gate_f(vec4(sums[j + HIDDEN] + p.y * v)).x * activate(ACT_H, vec4(v), h_alpha, h_beta).x;
}

float start_cell(int i)
{
    if ((flags & LENGTHS) != 0) return LD(start_h, states + i);
    return LD(start_c, i);
}

void main()
{
    int lane = int(gl_LocalInvocationID.x), batch = int(gl_WorkGroupID.x);
    int direction = first_direction + int(gl_WorkGroupID.y);
    bool backwards = direction == 1 || reverse != 0;
    int state = direction * h_direction + batch * h_batch, r = direction * H4 * ROWS;
    int own = (flags & LENGTHS) != 0 ? clamp(lengths[batch], 0, steps) : steps; /* none starts, and ends, with zeros */
    for (int j = lane; j < STATES; j += LANES) {
        h[j] = j < HIDDEN && own > 0 && (flags & START_H) != 0 ? LD(start_h, state + j) : 0.0;
        if (CELL == LSTM && j < HIDDEN) c[j] = own > 0 && (flags & START_C) != 0 ? start_cell(state + j) : 0.0;
    }
    barrier();
    int end = min(first + count, own);
    for (int i = first; i < end; i++) {
        int t = backwards ? own - 1 - i : i;
        int x_at = t * x_step + batch * x_batch + direction * ROWS;
        int y_at = t * y_step + direction * y_direction + batch * y_batch;
        product_rows(r, x_at, direction, 0, CELL == GRU ? 2 * HIDDEN : ROWS, 0);
        if (CELL == GRU) {
            for (int j = lane; j < HIDDEN; j += LANES) h[PADDED + j] = gate_f(vec4(sums[j + HIDDEN])).x * h[j];
            barrier();
            product_rows(r, x_at, direction, 2 * HIDDEN, ROWS, PADDED);
        }
        for (int j = lane; j < HIDDEN; j += LANES) {
            float v = unit(direction, x_at, j);
            h[j] = v;
            if ((flags & WRITE_Y) != 0) ST(y, y_at + j, v);
        }
        barrier();
    }
    if ((flags & WRITE_Y) != 0) {
        for (int t = max(first, own); t < first + count; t++)
            for (int j = lane; j < HIDDEN; j += LANES)
                ST(y, t * y_step + direction * y_direction + batch * y_batch + j, 0.0);
    }
    for (int j = lane; j < HIDDEN; j += LANES) {
        ST(end_h, state + j, h[j]);
        if (CELL == LSTM) ST(end_c, state + j, c[j]);
    }
}
