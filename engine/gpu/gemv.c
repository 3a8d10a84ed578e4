/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gemv.h"

#include "gpu/texels.h"

enum { LX = 16, LY = 4 }; /* workgroup: groups of four columns, splits of k */

static void pack_matrix(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t k = arg->v[0], n = arg->v[1], row = arg->v[2], col = arg->v[3];
    int64_t k_padded = arg->v[4], first = arg->v[5], count = arg->v[6];
    int64_t width = vkb_ceil_div(count, 4) * 4;
    for (int64_t i = 0; i < k_padded; i++)
        for (int64_t j = 0; j < width; j++) {
            bool present = i < k && j < count && first + j < n;
            float value = present ? gpu_const_f32(source, i * row + (first + j) * col) : 0.0f;
            if (arg->half)
                ((uint16_t *)dst)[i * width + j] = vkb_f32_to_f16(value);
            else
                ((float *)dst)[i * width + j] = value;
        }
}

static uint64_t column_bytes(const gpu_builder *b, const gpu_matrix *matrix) /* of four columns */
{
    return (uint64_t)matrix->k_padded * (b->half ? 8 : 16);
}

gpu_bind gpu_pack_matrix(gpu_builder *b, const gpu_matrix *matrix, int64_t first, int64_t count)
{
    const int64_t figures[] = {matrix->k,        matrix->n, matrix->row, matrix->col,
                               matrix->k_padded, first,     count};
    gpu_pack_arg arg = {.half = b->half};
    for (size_t i = 0; i < VKB_COUNT(figures); i++) {
        if (figures[i] > INT32_MAX) gpu_fail(b, VKI_E_UNSUPPORTED, "a matrix with a side over 2^31");
        arg.v[i] = (int32_t)figures[i];
    }
    return gpu_pack(b, matrix->tensor, pack_matrix, arg,
                    (uint64_t)vkb_ceil_div(count, 4) * column_bytes(b, matrix));
}

int64_t gpu_matrix_columns_in_range(gpu_builder *b, const gpu_matrix *matrix)
{
    uint64_t four = column_bytes(b, matrix);
    if (four <= b->limits->max_range) return (int64_t)(b->limits->max_range / four) * 4;
    gpu_fail(b, VKI_E_UNSUPPORTED,
             "four columns of the matrix take %llu bytes; the device binds at most %llu",
             (unsigned long long)four, (unsigned long long)b->limits->max_range);
    return matrix->n;
}

static void emit_columns(gpu_builder *b, const gr_node *n, const gpu_gemv *g, int64_t first, int64_t count)
{
    gpu_bind a = g->a ? *g->a : gpu_in(b, n, 0, g->layout), c = g->has_c ? g->c : a;
    bool aligned = g->a_col == 1 && (g->rows == 1 || g->a_row % 4 == 0);
    gpu_bind packed = gpu_pack_matrix(b, &g->matrix, first, count);
    uint8_t access = gpu_read_access(b, n, g->layout, &packed);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, matmul_gemv));
    gpu_bind_add(d, a, GPU_READ);
    gpu_bind_add(d, a, access);
    gpu_bind_add(d, packed, access);
    gpu_bind_add(d, c, GPU_READ);
    gpu_grid(b, d, vkb_ceil_div(count, 4), LY, 1, LX, LY, 1);
    const int64_t words[] = {g->rows,  count, g->matrix.k_padded, g->a_row, g->a_col, g->c_row,
                             g->c_col, first, g->columns};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_push_f32(d, g->scale);
    gpu_push_f32(d, g->scale_c);
    gpu_epilogue(b, d, n, g->layout, a);
    gpu_spec(d, g->rows == 1 ? 1 : GPU_GEMV_ROWS);
    gpu_spec(d, aligned);
    gpu_spec(d, g->has_c);
    gpu_spec(d, LX * LY);
    gpu_bind_add(d, g->y ? *g->y : gpu_out(b, n, 0, g->layout), GPU_WRITE);
}

void gpu_emit_gemv(gpu_builder *b, const gr_node *n, const gpu_gemv *g)
{
    int64_t step = gpu_matrix_columns_in_range(b, &g->matrix);
    for (int64_t first = 0; first < g->columns && !b->failed; first += step)
        emit_columns(b, n, g, first, vkb_min(step, g->columns - first));
}
