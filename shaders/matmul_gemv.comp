//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Y = act(alpha A B + beta C + residual) for at most ROWS rows and packed B [k][n4][4]. The workgroup's y dimension splits
 * k; its partial sums are added in a fixed order.
 * Grid: x groups of four columns, y one workgroup.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int ROWS = 1;
layout(constant_id = 6) const int A_VEC = 0; /* rows of A are contiguous, at multiples of four elements */
layout(constant_id = 7) const int HAS_C = 0;
layout(constant_id = 8) const int LANES = 64; /* invocations of a workgroup */

BUFFER_IN(0, a);
BUFFER_IN4(1, a4);
BUFFER_IN4(2, b4);
BUFFER_IN(3, c);
BUFFER_IN(4, residual);
BUFFER_OUT(5, y);

layout(push_constant) uniform Push
{
    int m, n, k; /* n: columns of this dispatch */
    int a_row, a_col;
    int c_row, c_col;
    int first_col, y_row; /* column of Y where the dispatch starts; columns of Y */
    float scale, scale_c;
    float alpha, beta;
};

shared vec4 part[ROWS * LANES];

#include "lib/matmul.glsl"

#define FOR_ROWS [[unroll]] for (int i = 0; i < ROWS; i++)

void main()
{
    int lane = int(gl_LocalInvocationID.x), split = int(gl_LocalInvocationID.y);
    int width = int(gl_WorkGroupSize.x), splits = int(gl_WorkGroupSize.y);
    int n4 = (n + 3) / 4, col4 = int(gl_GlobalInvocationID.x);
    int at = min(col4, n4 - 1);

    vec4 acc[ROWS];
    int row[ROWS];
    FOR_ROWS
    {
        acc[i] = vec4(0.0);
        row[i] = min(i, m - 1) * a_row;
    }
    int whole = k & ~3;
    for (int j = split * 4; j < whole; j += splits * 4) {
        vec4 w0 = LD4(b4, j * n4 + at), w1 = LD4(b4, (j + 1) * n4 + at);
        vec4 w2 = LD4(b4, (j + 2) * n4 + at), w3 = LD4(b4, (j + 3) * n4 + at);
        FOR_ROWS
        {
            vec4 v = matmul_load_a(row[i], j);
            acc[i] += v.x * w0;
            acc[i] += v.y * w1;
            acc[i] += v.z * w2;
            acc[i] += v.w * w3;
        }
    }
    for (int j = whole + split; j < k; j += splits) {
        vec4 w = LD4(b4, j * n4 + at);
        FOR_ROWS acc[i] += LD(a, row[i] + j * a_col) * w;
    }
    FOR_ROWS part[(i * splits + split) * width + lane] = acc[i];
    barrier();
    if (split == 0 && col4 < n4) {
        int col = col4 * 4, left = n - col;
        FOR_ROWS
        {
            vec4 sum = acc[i];
            for (int s = 1; s < splits; s++) sum += part[(i * splits + s) * width + lane];
            if (i < m) {
                int o = i * y_row + first_col + col;
                vec4 v = matmul_finish(sum, i, first_col + col, o, left);
                ST(y, o, v.x);
                if (left > 1) ST(y, o + 1, v.y);
                if (left > 2) ST(y, o + 2, v.z);
                if (left > 3) ST(y, o + 3, v.w);
            }
        }
    }
}
