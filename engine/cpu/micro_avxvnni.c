/* SPDX-License-Identifier: Apache-2.0
 * What AVX-VNNI adds to AVX2: dot products of bytes, in 256 bits. */
#include <stdbool.h>

#include "cpu/micro.h"

#include "cpu/vec_avx2.h"
#include "cpu/vec_i16_avx2.h"

/* sum + the products of four bytes each, of a unsigned and of b signed. As an intrinsic it costs a copy of
 * each sum before and after, in GCC 12. */
V8_INLINE w8 dot(w8 sum, w8 a, w8 b)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
}

#define w8_xor(a, b) _mm256_xor_si256(a, b)

#define INT_NAME           unsigned_b
#define INT_ROWS           6
#define INT_SUM(a, b, sum) dot(sum, b, a)
#define INT_FLIP           t->form.b_flip
#include "cpu/gemm_int_tmpl.h"

#define INT_NAME           unsigned_a
#define INT_ROWS           6
#define INT_SUM(a, b, sum) dot(sum, a, b)
#define INT_FLIP           t->form.b_flip
#include "cpu/gemm_int_tmpl.h"

static void gemm_i8(const cpu_tile *t)
{
    if (t->form.b_unsigned)
        unsigned_b(t);
    else
        unsigned_a(t);
}

void cpu_micro_avxvnni(cpu_micro *m)
{
    m->isa = "avx-vnni";
    m->dot = CPU_DOT_MIXED;
    m->gemm_i8 = gemm_i8;
}
