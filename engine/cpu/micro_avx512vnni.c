/* SPDX-License-Identifier: Apache-2.0
 * What AVX-512 VNNI adds to AVX-512: dot products of bytes. No machine with AVX-512 has timed this. */
#include "cpu/micro.h"

#include "cpu/vec_avx512.h"

/* sum + the products of four bytes each, of a unsigned and of b signed */
#ifdef CPU_SIMDE
#define dot(sum, a, b) _mm512_dpbusd_epi32(sum, a, b)
#else
V16_INLINE __m512i dot(__m512i sum, __m512i a, __m512i b)
{
    /* As an intrinsic it costs a copy of each sum before and after, in GCC 12. */
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
#endif

V16_INLINE __m512i unsigned_a(__m512i a, __m512i b, __m512i sum)
{
    return dot(sum, a, b);
}

V16_INLINE __m512i unsigned_b(__m512i a, __m512i b, __m512i sum)
{
    return dot(sum, b, a);
}

V16_INLINE void tile_unsigned_a(const cpu_tile *t, int row, int rows)
{
    tile_integers(t, row, rows, unsigned_a);
}

static void left_unsigned(const cpu_tile *t){TILE_PARTS(tile_unsigned_a)}

V16_INLINE void tile_unsigned_b(const cpu_tile *t, int row, int rows)
{
    tile_integers(t, row, rows, unsigned_b);
}

static void right_unsigned(const cpu_tile *t)
{
    TILE_PARTS(tile_unsigned_b)
}

static void gemm_i8(const cpu_tile *t)
{
    if (t->form.b_unsigned)
        right_unsigned(t);
    else
        left_unsigned(t);
}

void cpu_micro_avx512vnni(cpu_micro *m)
{
    m->isa = "avx512-vnni";
    m->dot = CPU_DOT_MIXED;
    m->gemm_i8 = gemm_i8;
}
