/* SPDX-License-Identifier: Apache-2.0
 * Products of a row by a matrix in each of its forms: the tables against the C table. */
#include "common/kernel_checks.h"

void rows_of_dots(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t k = pick(1, 200), step = k + pick(0, 9);
        const int count = (int)pick(1, 8);
        float *x = input(k, -1, 1), *rows = input((count - 1) * step + k, -1, 1);
        outputs o = outputs_make(count);
        c_table->dots(o.c, x, rows, step, k, count);
        m->dots(o.v, x, rows, step, k, count);
        outputs_check(&o, 2e-5, "dots");
        vkb_free(heap, x);
        vkb_free(heap, rows);
    }
}

void sums_of_rows(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t n = 8 * pick(1, 20), step = n + pick(0, 9), rows = pick(1, 40);
        float *x = input(rows, -1, 1), *matrix = input((rows - 1) * step + n, -1, 1);
        int32_t at[40];
        int64_t count = 0;
        for (int32_t i = 0; i < rows; i++)
            if (pick(0, 2)) at[count++] = i;
        outputs o = outputs_make(n);
        c_table->sum_rows(o.c, x, at, count, matrix, step, n);
        m->sum_rows(o.v, x, at, count, matrix, step, n);
        outputs_check(&o, 2e-5, "sum_rows");
        vkb_free(heap, x);
        vkb_free(heap, matrix);
    }
}

void row_panels(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t k = pick(1, 200);
        const int cols = (int)pick(1, CPU_NR), width = cpu_panel_width(cols);
        float *x = input(k, -1, 1), *panel = input(k * width, -1, 1);
        outputs o = outputs_make(cols);
        c_table->row_panel(o.c, x, panel, k, cols);
        m->row_panel(o.v, x, panel, k, cols);
        outputs_check(&o, 2e-5, "row_panel");
        vkb_free(heap, x);
        vkb_free(heap, panel);
    }
}

void narrow_panels(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t k = pick(1, 200);
        const int cols = (int)pick(1, CPU_NR);
        const int64_t n = k * cpu_panel_width(cols);
        float *x = input(k, -1, 1), *values = input(n, -1, 1), *scale = input(cols, 0.5f, 2);
        uint16_t *halves = vkb_alloc(heap, (size_t)n * sizeof *halves), *again;
        int8_t *bytes = vkb_alloc(heap, (size_t)n);
        again = vkb_alloc(heap, (size_t)n * sizeof *again);
        assert_true(halves && bytes && again);
        c_table->to_f16(halves, values, n);
        m->to_f16(again, values, n);
        assert_memory_equal(halves, again, (size_t)n * sizeof *halves);
        for (int64_t i = 0; i < n; i++) bytes[i] = (int8_t)pick(-128, 127);
        outputs o = outputs_make(cols);
        c_table->row_panel_f16(o.c, x, halves, scale, k, cols);
        m->row_panel_f16(o.v, x, halves, scale, k, cols);
        outputs_check(&o, 4e-5, "row_panel_f16");
        o = outputs_make(cols);
        c_table->row_panel_i8(o.c, x, bytes, scale, k, cols);
        m->row_panel_i8(o.v, x, bytes, scale, k, cols);
        outputs_check(&o, 4e-5 * 128, "row_panel_i8");
        vkb_free(heap, x);
        vkb_free(heap, values);
        vkb_free(heap, scale);
        vkb_free(heap, halves);
        vkb_free(heap, again);
        vkb_free(heap, bytes);
    }
}
