//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Y = act(alpha A B + beta C + residual), batched, any strides, in register tiles of TM rows x TN groups of four columns.
 * Grid: x groups of columns (TN an invocation, a workgroup's width apart), y tiles of rows, z batch.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int TM = 4;
layout(constant_id = 6) const int TN = 2;
layout(constant_id = 7) const int A_VEC = 0;  /* rows of A are contiguous, at multiples of four elements */
layout(constant_id = 8) const int B_MODE = 2; /* 0: so are the rows of B, 1: so are its columns, 2: any strides */
layout(constant_id = 9) const int Y_VEC = 0;  /* so are the rows of Y */
layout(constant_id = 10) const int HAS_C = 0;

BUFFER_IN(0, a);
BUFFER_IN4(1, a4);
BUFFER_IN(2, b);
BUFFER_IN4(3, b4);
BUFFER_IN(4, c);
BUFFER_IN(5, residual);
BUFFER_OUT(6, y);
BUFFER_OUT4(7, y4);

layout(push_constant) uniform Push
{
    int m, n, k; /* n: columns of this dispatch */
    int a_row, a_col, b_row, b_col;
    int c_row, c_col;
    int first_col, y_row;                   /* column of Y where the dispatch starts; stride of its rows */
    int first_batch, batch_1, batch_2;      /* sizes of the middle and the inner batch dimension */
    int a_batch_0, a_batch_1, a_batch_2;    /* strides */
    int b_batch_0, b_batch_1, b_batch_2;
    int y_batch_0, y_batch_1, y_batch_2;
    float scale, scale_c;
    float alpha, beta;
};

#include "lib/matmul.glsl"

#define FOR_TM [[unroll]] for (int i = 0; i < TM; i++)
#define FOR_TN [[unroll]] for (int s = 0; s < TN; s++)

/* B[row][4 col4 .. + 3]; columns beyond the last repeat it */
vec4 load_b_row(int base, int row, int col4)
{
    if (B_MODE == 0) return LD4(b4, (base + row * b_row) / 4 + col4);
    int col = col4 * 4;
    return vec4(LD(b, base + row * b_row + col * b_col), LD(b, base + row * b_row + min(col + 1, n - 1) * b_col),
                LD(b, base + row * b_row + min(col + 2, n - 1) * b_col),
                LD(b, base + row * b_row + min(col + 3, n - 1) * b_col));
}

/* Rows row .. row + 3 */
mat4 load_b_block(int base, int row, int col4)
{
    if (B_MODE == 1) {
        int col = col4 * 4, at = base + row;
        return transpose(mat4(LD4(b4, (at + col * b_col) / 4), LD4(b4, (at + min(col + 1, n - 1) * b_col) / 4),
                              LD4(b4, (at + min(col + 2, n - 1) * b_col) / 4),
                              LD4(b4, (at + min(col + 3, n - 1) * b_col) / 4)));
    }
    return mat4(load_b_row(base, row, col4), load_b_row(base, row + 1, col4), load_b_row(base, row + 2, col4),
                load_b_row(base, row + 3, col4));
}

void main()
{
    int lanes = int(gl_WorkGroupSize.x), n4 = (n + 3) / 4;
    int col4 = int(gl_WorkGroupID.x) * lanes * TN + int(gl_LocalInvocationID.x);
    int row = int(gl_GlobalInvocationID.y) * TM;
    int batch = first_batch + int(gl_WorkGroupID.z);
    if (col4 >= n4 || row >= m) return;

    int outer = batch / batch_2, b2 = batch - outer * batch_2;
    int b0 = outer / batch_1, b1 = outer - b0 * batch_1;
    int a_at[TM], b_at = b0 * b_batch_0 + b1 * b_batch_1 + b2 * b_batch_2;
    FOR_TM a_at[i] = b0 * a_batch_0 + b1 * a_batch_1 + b2 * a_batch_2 + min(row + i, m - 1) * a_row;

    int y_at = b0 * y_batch_0 + b1 * y_batch_1 + b2 * y_batch_2 + first_col;

    vec4 acc[TM * TN];
    FOR_TN FOR_TM acc[s * TM + i] = vec4(0.0);
    int whole = k & ~3;
    for (int j = 0; j < whole; j += 4) {
        vec4 v[TM];
        FOR_TM v[i] = matmul_load_a(a_at[i], j);
        FOR_TN
        {
            mat4 w = load_b_block(b_at, j, min(col4 + s * lanes, n4 - 1));
            FOR_TM
            {
                acc[s * TM + i] += v[i].x * w[0];
                acc[s * TM + i] += v[i].y * w[1];
                acc[s * TM + i] += v[i].z * w[2];
                acc[s * TM + i] += v[i].w * w[3];
            }
        }
    }
    for (int j = whole; j < k; j++) {
        FOR_TN
        {
            vec4 w = load_b_row(b_at, j, min(col4 + s * lanes, n4 - 1));
            FOR_TM acc[s * TM + i] += LD(a, a_at[i] + j * a_col) * w;
        }
    }

    FOR_TN
    {
        int col = (col4 + s * lanes) * 4;
        FOR_TM
        {
            int at = row + i, left = n - col;
            if (at < m && left > 0) {
                int o = y_at + at * y_row + col;
                vec4 v = matmul_finish(acc[s * TM + i], at, first_col + col, o, left);
                if (Y_VEC != 0) {
                    ST4(y4, o / 4, v);
                } else {
                    ST(y, o, v.x);
                    if (left > 1) ST(y, o + 1, v.y);
                    if (left > 2) ST(y, o + 2, v.z);
                    if (left > 3) ST(y, o + 3, v.w);
                }
            }
        }
    }
}
