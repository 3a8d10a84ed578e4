/* SPDX-License-Identifier: Apache-2.0
 * What 64-bit ARM cores since 2017 (dotprod) add to NEON: dot products of bytes. */
#include <stdbool.h>

#include "cpu/micro.h"

#include "cpu/vec_neon.h"
#include "cpu/vec_i16_neon.h"

V8_INLINE w8 w8_xor(w8 a, w8 b)
{
    return (w8){veorq_s32(a.lo, b.lo), veorq_s32(a.hi, b.hi)};
}
V8_INLINE int32x4_t w4_dot(int32x4_t a, int32x4_t b, int32x4_t sum)
{
    return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
V8_INLINE w8 w8_dot(w8 a, w8 b, w8 sum)
{
    return (w8){w4_dot(a.lo, b.lo, sum.lo), w4_dot(a.hi, b.hi, sum.hi)};
}

#define INT_NAME           gemm_i8
#define INT_ROWS           6
#define INT_SUM(a, b, sum) w8_dot(a, b, sum)
#define INT_FLIP           t->form.b_flip
#include "cpu/gemm_int_tmpl.h"

void cpu_micro_dotprod(cpu_micro *m)
{
    m->isa = "neon-dotprod";
    m->dot = CPU_DOT_SIGNED;
    m->gemm_i8 = gemm_i8;
}
