/* SPDX-License-Identifier: Apache-2.0
 * What 64-bit ARM cores since 2017 (dotprod) add to NEON: dot products of bytes. */
#include <stdbool.h>

#include "cpu/micro.h"

#include "cpu/vec_neon.h"
#include "cpu/vec_i16_neon.h"

V8_INLINE w8 w8_load_flipped(const float *p, int32_t flip)
{
    const w8 x = w8_load(p);
    return (w8){veorq_s32(x.lo, vdupq_n_s32(flip)), veorq_s32(x.hi, vdupq_n_s32(flip))};
}
/* By the four bytes of one lane, a constant. */
V8_INLINE int32x4_t w4_dot_lane(float32x4_t f, int lane, int32x4_t x, int32x4_t sum)
{
    const int8x16_t a = vreinterpretq_s8_f32(f), b = vreinterpretq_s8_s32(x);
    switch (lane) {
    case 0:
        return vdotq_laneq_s32(sum, b, a, 0);
    case 1:
        return vdotq_laneq_s32(sum, b, a, 1);
    case 2:
        return vdotq_laneq_s32(sum, b, a, 2);
    default:
        return vdotq_laneq_s32(sum, b, a, 3);
    }
}
V8_INLINE w8 w8_dot_by(v8_factors f, int i, w8 x, w8 sum)
{
    return (w8){w4_dot_lane(f.q[i / 4], i % 4, x.lo, sum.lo), w4_dot_lane(f.q[i / 4], i % 4, x.hi, sum.hi)};
}

#define INT_NAME               gemm_i8
#define INT_ROWS               6
#define INT_COLUMNS            w8
#define INT_LOAD(b)            w8_load_flipped(b, t->form.b_flip)
#define INT_FACTORS            v8_factors
#define INT_FACTORS_LOAD(a, n) v8_factors_load(a, n)
#define INT_SUM(f, i, x, sum)  w8_dot_by(f, i, x, sum)
#include "cpu/gemm_int_tmpl.h"

void cpu_micro_dotprod(cpu_micro *m)
{
    m->isa = "neon-dotprod";
    m->dot = CPU_DOT_SIGNED;
    m->gemm_i8 = gemm_i8;
}
