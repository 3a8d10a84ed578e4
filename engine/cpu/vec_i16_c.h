/* SPDX-License-Identifier: Apache-2.0
 * Eight int32, or eight pairs of int16, in plain C: the specification of the operations, and what instruction
 * sets without a header of their own use. vec_i16_avx2.h has the same names. */
#ifndef CPU_VEC_I16_H
#define CPU_VEC_I16_H

#include <stdint.h>
#include <string.h>

typedef struct w8 {
    int32_t i[8];
} w8;

V8_INLINE w8 w8_load(const void *p)
{
    w8 r;
    memcpy(r.i, p, sizeof r.i);
    return r;
}
V8_INLINE w8 w8_load_n(const void *p, int n) /* 0 < n <= 8; the rest is 0 */
{
    w8 r = {{0}};
    memcpy(r.i, p, (size_t)n * sizeof *r.i);
    return r;
}
V8_INLINE void w8_store(void *p, w8 a)
{
    memcpy(p, a.i, sizeof a.i);
}
V8_INLINE void w8_store_n(void *p, w8 a, int n)
{
    memcpy(p, a.i, (size_t)n * sizeof *a.i);
}
V8_INLINE w8 w8_set1(int32_t x)
{
    w8 r;
    for (int i = 0; i < 8; i++) r.i[i] = x;
    return r;
}
V8_INLINE w8 w8_add(w8 a, w8 b) /* wraps around, as all of these */
{
    w8 r;
    for (int i = 0; i < 8; i++) r.i[i] = (int32_t)((uint32_t)a.i[i] + (uint32_t)b.i[i]);
    return r;
}
V8_INLINE w8 w8_madd(w8 a, w8 b, w8 c) /* c + the products of both int16 of each pair */
{
    w8 r;
    for (int i = 0; i < 8; i++) {
        const int32_t low = (int16_t)a.i[i] * (int16_t)b.i[i];
        const int32_t high = (int16_t)(a.i[i] >> 16) * (int16_t)(b.i[i] >> 16);
        r.i[i] = (int32_t)((uint32_t)c.i[i] + (uint32_t)low + (uint32_t)high);
    }
    return r;
}

#endif
