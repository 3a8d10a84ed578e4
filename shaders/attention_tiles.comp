//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Attention: a workgroup takes ROWS queries of a head and goes through the keys, KEYS at a time, with the running maximum
 * and sum of the softmax (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al.,
 * "FlashAttention", 2022), so that scores never leave shared memory. Keys and values are staged in one place in turn.
 * Grid: x tiles of queries, y heads of all samples.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64;
layout(constant_id = 4) const int ROWS = 16;
layout(constant_id = 5) const int KEYS = 32;      /* a divisor of LANES */
layout(constant_id = 6) const int SIZE4 = 16;     /* fours of elements of a key, */
layout(constant_id = 7) const int VALUE4 = 16;    /* of a value; the last may reach beyond it: zeros */
layout(constant_id = 8) const int MASK = 0;       /* see lib/attention.glsl */
layout(constant_id = 9) const int CAUSAL = 0;
layout(constant_id = 10) const int SOFTCAP = 0;

BUFFER_IN(0, q);
BUFFER_IN(1, k);
BUFFER_IN(2, v);
BUFFER_IN(3, mask);       /* one memory, two views; a dummy if there is none */
BUFFER_IN_I32(4, mask_words);
BUFFER_OUT(5, y);

layout(push_constant) uniform Push
{
    int heads, group; /* group: heads that share keys */
    int queries, keys, size, value_size;
    int q_batch, q_head, q_row;
    int k_batch, k_head, k_row;
    int v_batch, v_head, v_row;
    int y_batch, y_head, y_row;
    int mask_batch, mask_head, mask_row, mask_col;
    float scale, softcap;
};

const int WIDE4 = SIZE4 > VALUE4 ? SIZE4 : VALUE4;
const int SCORES = ROWS * KEYS / LANES;                   /* of a lane: rows first + STEP i of one key */
const int STEP = LANES / KEYS;
const int SUMS = (ROWS * VALUE4 + LANES - 1) / LANES;     /* fours of outputs of a lane */

shared vec4 query[ROWS * SIZE4];
shared vec4 staged[KEYS * WIDE4];
shared float weight[ROWS * KEYS];
shared float row_max[ROWS];
shared float row_factor[ROWS]; /* by which older sums shrink */

#define LOAD4(name, at, left)                                                                                            \
    vec4(left > 0 ? LD(name, at) : 0.0, left > 1 ? LD(name, at + 1) : 0.0, left > 2 ? LD(name, at + 2) : 0.0,            \
         left > 3 ? LD(name, at + 3) : 0.0)

#include "lib/attention.glsl"

void main()
{
    int lane = int(gl_LocalInvocationID.x), first = int(gl_WorkGroupID.x) * ROWS;
    int batch = int(gl_WorkGroupID.y) / heads, head = int(gl_WorkGroupID.y) % heads;
    int q_at = batch * q_batch + head * q_head, k_at = batch * k_batch + head / group * k_head;
    int v_at = batch * v_batch + head / group * v_head, y_at = batch * y_batch + head * y_head;
    int mask_at = batch * mask_batch + head * mask_head;

    for (int i = lane; i < ROWS * SIZE4; i += LANES) {
        int row = first + i / SIZE4, col = i % SIZE4 * 4, left = row < queries ? size - col : 0;
        int at = q_at + row * q_row + col;
        query[i] = scale * LOAD4(q, at, left);
    }
    if (lane < ROWS) row_max[lane] = ATTENTION_LOWEST;
    vec4 sum[SUMS];
    float total[SUMS];
    for (int i = 0; i < SUMS; i++) {
        sum[i] = vec4(0.0);
        total[i] = 0.0;
    }

    int end = CAUSAL != 0 ? min(keys, first + ROWS) : keys, own_key = lane % KEYS, own_row = lane / KEYS;
    for (int start = 0; start < end; start += KEYS) {
        barrier(); /* the values before have been read; the queries are there */
        for (int i = lane; i < KEYS * SIZE4; i += LANES) {
            int key = start + i / SIZE4, col = i % SIZE4 * 4, left = key < keys ? size - col : 0;
            int at = k_at + key * k_row + col;
            staged[i] = LOAD4(k, at, left);
        }
        barrier();
        float score[SCORES];
        int visible = 0; /* bit i: the key of score i counts */
        for (int i = 0; i < SCORES; i++) score[i] = 0.0;
        for (int c = 0; c < SIZE4; c++) {
            vec4 key = staged[own_key * SIZE4 + c];
            for (int i = 0; i < SCORES; i++) score[i] += dot(query[(own_row + i * STEP) * SIZE4 + c], key);
        }
        for (int i = 0; i < SCORES; i++) {
            int row = own_row + i * STEP;
            bool seen;
            score[i] = attention_score(score[i], mask_at, first + row, start + own_key, seen);
            if (seen) visible |= 1 << i;
            weight[row * KEYS + own_key] = seen ? score[i] : ATTENTION_LOWEST;
        }
        barrier(); /* also: the keys have been read */
        if (lane < ROWS) {
            float largest = row_max[lane];
            for (int j = 0; j < KEYS; j++) largest = max(largest, weight[lane * KEYS + j]);
            row_factor[lane] = exp(row_max[lane] - largest);
            row_max[lane] = largest;
        }
        for (int i = lane; i < KEYS * VALUE4; i += LANES) {
            int key = start + i / VALUE4, col = i % VALUE4 * 4, left = key < keys ? value_size - col : 0;
            int at = v_at + key * v_row + col;
            staged[i] = LOAD4(v, at, left);
        }
        barrier();
        for (int i = 0; i < SCORES; i++) {
            int row = own_row + i * STEP;
            weight[row * KEYS + own_key] = (visible >> i & 1) != 0 ? exp(score[i] - row_max[row]) : 0.0;
        }
        barrier();
        for (int i = 0; i < SUMS; i++) {
            int row = min((lane + i * LANES) / VALUE4, ROWS - 1);
            sum[i] *= row_factor[row];
            total[i] *= row_factor[row];
        }
        for (int j = 0; j < KEYS; j++) {
            for (int i = 0; i < SUMS; i++) {
                int o = lane + i * LANES, row = min(o / VALUE4, ROWS - 1);
                float w = weight[row * KEYS + j];
                sum[i] += w * staged[j * VALUE4 + o % VALUE4];
                total[i] += w;
            }
        }
    }

    for (int i = 0; i < SUMS; i++) {
        int o = lane + i * LANES, row = o / VALUE4, col = o % VALUE4 * 4;
        if (row < ROWS && first + row < queries) {
            vec4 r = total[i] > 0.0 ? sum[i] / total[i] : vec4(0.0);
            int at = y_at + (first + row) * y_row + col, left = value_size - col;
            ST(y, at, r.x);
            if (left > 1) ST(y, at + 1, r.y);
            if (left > 2) ST(y, at + 2, r.z);
            if (left > 3) ST(y, at + 3, r.w);
        }
    }
}
