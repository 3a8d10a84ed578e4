//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * A pool over windows of a convolution, ungrouped, two-dimensional. C4 in and out.
 * Grid: x strips of COLS x `rows` pooled pixels, an invocation each, y tiles of SL slices, z batch. An invocation computes
 * the convolution where the windows of its strip lie, row by row, PX = (COLS - 1) STEP + WINDOW positions at a time, and
 * pools in registers: only what the windows of neighbouring strips have in common is computed twice. A row counts for the
 * pooled row that it began in and, where windows overlap, for the next one; higher overlaps have strips of one row.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3 /* of the convolution; there is no residual */
#include "lib/epilogue.glsl"
#define TILE_SPEC 5
#include "lib/conv_tile.glsl"
#include "lib/conv_sum.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 7) const int AVERAGE = 0; /* the pool: 0 the largest, 1 the mean */
layout(constant_id = 8) const int COLS = 4;
layout(constant_id = 9) const int WINDOW = 2; /* of the pool, along the width */
layout(constant_id = 10) const int STEP = 2;

BUFFER_IN4(0, x4);
BUFFER_IN4(1, weights4);
BUFFER_IN4(2, bias4);
BUFFER_OUT4(3, y4);

layout(push_constant) uniform Push
{
    CONV_PUSH
    int out_w, out_h; /* pooled */
    int window_h, step_h, before_w, before_h; /* of the pool; before: its padding */
    int strips_w, strips, rows; /* strips side by side, in all; pooled rows of one */
    int first_tile, tiles; /* of this dispatch */
    float alpha, beta;
};

#define FOR_COLS [[unroll]] for (int c = 0; c < COLS; c++)

vec4 start()
{
    return vec4(AVERAGE != 0 ? 0.0 : uintBitsToFloat(0xff800000u)); /* -Inf */
}

vec4 merge(vec4 a, vec4 b)
{
    return AVERAGE != 0 ? a + b : max(a, b);
}

/* Window positions from `first` on that lie within `size`. */
int inside_of(int first, int window, int size)
{
    return max(min(first + window, size) - max(first, 0), 0);
}

void main()
{
    int strip = int(gl_GlobalInvocationID.x), n = int(gl_WorkGroupID.z);
    int tile = int(gl_WorkGroupID.y * gl_WorkGroupSize.y + gl_LocalInvocationID.y);
    if (strip >= strips || tile >= tiles) return;
    int strip_y = strip / strips_w, oy = strip_y * rows, ox = (strip - strip_y * strips_w) * COLS;
    int top = oy * step_h - before_h, left = ox * STEP - before_w; /* of the convolution's output */
    int end = min(rows, out_h - oy);                              /* pooled rows */

    int x0[PX], y0[PX];
    FOR_PX x0[i] = (left + i) * stride_w - pad_left;
    vec4 best[COLS * SL], next[COLS * SL], bias[SL];
    FOR_SL
    {
        bias[s] = LD4(bias4, min((first_tile + tile) * SL + s, out_slices - 1));
        FOR_COLS best[s * COLS + c] = next[s * COLS + c] = start();
    }
    int done = 0; /* pooled rows */
    for (int r = 0; r < (end - 1) * step_h + window_h; r++) {
        int cy = top + r;
        bool counts = r >= done * step_h && uint(cy) < uint(mid_h);
        if (counts) {
            FOR_PX y0[i] = cy * stride_h - pad_top;
            vec4 acc[PX * SL];
            CONV_SUM(acc, x0, y0, tile, n)
            FOR_SL
            {
                FOR_PX
                {
                    vec4 v = epilogue_activate4(acc[s * PX + i] + bias[s], alpha, beta);
                    acc[s * PX + i] = uint(left + i) < uint(mid_w) ? v : start();
                }
                FOR_COLS
                {
                    vec4 row = acc[s * PX + c * STEP];
                    [[unroll]] for (int k = 1; k < WINDOW; k++) row = merge(row, acc[s * PX + c * STEP + k]);
                    best[s * COLS + c] = merge(best[s * COLS + c], row);
                    if (r >= (done + 1) * step_h) next[s * COLS + c] = merge(next[s * COLS + c], row);
                }
            }
        }
        if (r == done * step_h + window_h - 1) {
            int high = inside_of(top + done * step_h, window_h, mid_h);
            FOR_SL
            {
                int slice = (first_tile + tile) * SL + s;
                FOR_COLS
                {
                    vec4 v = best[s * COLS + c];
                    if (AVERAGE != 0) v /= float(max(high * inside_of(left + c * STEP, WINDOW, mid_w), 1));
                    if (slice < out_slices && ox + c < out_w)
                        ST4(y4, ((n * out_slices + slice) * out_h + oy + done) * out_w + ox + c, v);
                    best[s * COLS + c] = next[s * COLS + c];
                    next[s * COLS + c] = start();
                }
            }
            done++;
        }
    }
}
