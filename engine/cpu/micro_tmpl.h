/* SPDX-License-Identifier: Apache-2.0
 * The bodies of all micro-kernels, and their table CPU_MICRO_TABLE named CPU_MICRO_ISA. Included once by each
 * micro_<isa>.c after its vectors. */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cpu/micro.h"

#include "cpu/vec_tmpl.h"

#include "cpu/math_tmpl.h"

#include "cpu/map_tmpl.h"

#include "cpu/reduce_tmpl.h"

#include "cpu/narrow_tmpl.h"

#include "cpu/recurrent_tmpl.h"

#include "cpu/taps_tmpl.h"

#include "cpu/depthwise_tmpl.h"

#include "cpu/pool_tmpl.h"

#include "cpu/fold_tmpl.h"

#include "cpu/karatsuba_conv_tmpl.h"
#include "cpu/karatsuba_tmpl.h"

#include "cpu/gemm_tmpl.h"

#include "cpu/gemm_line_tmpl.h"

#include "cpu/gemm_pixels_tmpl.h"

/* Mostly a multiply-add of pairs is two instructions and needs a register in between: half a panel's rows at
 * a time keep all sums in 16 registers, and the multiplier stays the bound. */
#ifdef W8_BY_LANE
#define INT_ROWS 6
#else
#define INT_ROWS 3
#endif
#define INT_NAME               gemm_i16
#define INT_COLUMNS            w8_columns
#define INT_LOAD(b)            w8_columns_load(b)
#define INT_FACTORS            w8_factors
#define INT_FACTORS_LOAD(a, n) w8_factors_load(a, n)
#define INT_SUM(f, i, x, sum)  w8_madd_by(f, i, x, sum)
#include "cpu/gemm_int_tmpl.h"

#include "cpu/winograd_tmpl.h"

#include "cpu/bytes_tmpl.h"

static void gather(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                   const cpu_lanes *lanes)
{
    v8_gather_rows(y, y_step, x, x_step, count, lanes->offset, lanes->mask);
}

static void split_pairs(float *even, float *odd, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        v8 halves[2];
        v8_split(halves, v8_load(x + 2 * i), v8_load(x + 2 * i + 8));
        v8_store(even + i, v8_join(halves[0]));
        v8_store(odd + i, v8_join(halves[1]));
    }
    for (; i < n; i++) {
        even[i] = x[2 * i];
        odd[i] = x[2 * i + 1];
    }
}

const cpu_micro CPU_MICRO_TABLE = {
    .isa = CPU_MICRO_ISA,
    .mr = 6,
    .gemm = gemm,
    .gemm_line = gemm_line,
    .pixels = pixels,
    .gemm_i16 = gemm_i16,
    .gemm_i8 = cpu_gemm_i8_c,
    .quad_bytes = quad_bytes,
    .pair_bytes = pair_bytes,
    .requantize = requantize,
    .quantize = quantize,
    .dequantize = dequantize,
    .gather = gather,
    .copy_rows = copy_rows,
    .transpose = transpose,
    .split_pairs = split_pairs,
    .join_pairs = join_pairs,
    .fold = fold,
    .karatsuba_in = karatsuba_in,
    .karatsuba_out = karatsuba_out,
    .karatsuba_conv_in = karatsuba_conv_in,
    .karatsuba_conv_out = karatsuba_conv_out,
    .depthwise = depthwise,
    .pool = pool,
    .taps_sum = taps_sum,
    .taps_max = taps_max,
    .dots = dots,
    .sum_rows = sum_rows,
    .row_panel = row_panel,
    .row_panel_f16 = row_panel_f16,
    .row_panel_i8 = row_panel_i8,
    .to_f16 = to_f16,
    .lstm_gates = lstm_gates,
    .gru_gates = gru_gates,
    .winograd = {WINOGRAD_ENTRY(2, 3, 4), WINOGRAD_ENTRY(4, 3, 6), WINOGRAD_ENTRY(2, 5, 6)},
    .epilogue = epilogue,
    .unary = unary,
    .binary = binary,
    .scale_shift = scale_shift,
    .scale_rows = scale_rows,
    .normalize = normalize,
    .sum = row_sum,
    .sum_sq = row_sum_sq,
    .max = row_max,
    .exp_sum = exp_sum,
};
