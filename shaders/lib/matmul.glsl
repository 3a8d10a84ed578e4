/* SPDX-License-Identifier: Apache-2.0
 * What the matrix products share. Included after the shader's declarations, which it uses: the buffers a, a4 (one memory,
 * two views), c, residual; the push constants a_col, c_row, c_col, scale, scale_c, alpha, beta; the specialization
 * constants A_VEC (rows of A are contiguous and start at multiples of four elements) and HAS_C. */
#ifndef MATMUL_GLSL
#define MATMUL_GLSL

/* A[col .. col + 3] of the row that begins at `at` */
vec4 matmul_load_a(int at, int col)
{
    if (A_VEC != 0) return LD4(a4, (at + col) / 4);
    at += col * a_col;
    return vec4(LD(a, at), LD(a, at + a_col), LD(a, at + 2 * a_col), LD(a, at + 3 * a_col));
}

/* alpha v + beta C + residual and activation for four columns from `col` on, of which `left` > 0 exist; `o` is Y's index */
vec4 matmul_finish(vec4 v, int row, int col, int o, int left)
{
    ivec4 lane = min(ivec4(0, 1, 2, 3), left - 1);
    v *= scale;
    if (HAS_C != 0) {
        ivec4 at = row * c_row + (col + lane) * c_col;
        v += scale_c * vec4(LD(c, at.x), LD(c, at.y), LD(c, at.z), LD(c, at.w));
    }
    vec4 r = vec4(0.0);
    if (epilogue_residual != 0)
        r = vec4(LD(residual, o), LD(residual, o + lane.y), LD(residual, o + lane.z), LD(residual, o + lane.w));
    if (epilogue_residual == RESIDUAL_BEFORE) v += r;
    v = epilogue_activate4(v, alpha, beta);
    return epilogue_residual == RESIDUAL_AFTER ? v + r : v;
}

#endif
