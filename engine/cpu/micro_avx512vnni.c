/* SPDX-License-Identifier: Apache-2.0
 * What AVX-512 VNNI adds to AVX-512: dot products of bytes. No machine with AVX-512 has timed this. */
#include "cpu/gemm_avx512.h"

/* sum + the products of four bytes each, unsigned ones by signed ones */
#ifdef CPU_SIMDE
TILE_STEP(sum_unsigned_a, _mm512_dpbusd_epi32(sum, a, b))
TILE_STEP(sum_unsigned_b, _mm512_dpbusd_epi32(sum, b, a))
#else
TILE_STEP(sum_unsigned_a, "vpdpbusd %2, %1, %0")
TILE_STEP(sum_unsigned_b, "vpdpbusd %1, %2, %0")
#endif

TILE_KIND(unsigned_a, TILE_BYTES, sum_unsigned_a)
TILE_KIND(unsigned_b, TILE_BYTES, sum_unsigned_b)

static void gemm_i8(const cpu_tile *t)
{
    tile_run(t, t->form.b_unsigned ? unsigned_b_tiles : unsigned_a_tiles, VKB_COUNT(unsigned_a_tiles),
             TILE_BYTES, tile_multiply);
}

void cpu_micro_avx512vnni(cpu_micro *m)
{
    m->isa = "avx512-vnni";
    m->dot = CPU_DOT_MIXED;
    m->gemm_i8 = gemm_i8;
}
