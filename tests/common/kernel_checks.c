/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kernel_checks.h"

#include <stdlib.h>

const cpu_micro *const c_table = &cpu_micro_c;
static uint64_t random_state = 1;

/* Memory that begins at any multiple of four bytes, and ends where it was asked to: what lies before it says
 * where the allocation begins. */
static void *misaligned(void *user, size_t bytes, size_t align)
{
    (void)user, (void)align;
    const size_t before = 16 + 4 * (size_t)pick(0, 15);
    char *p = malloc(before + bytes);
    if (!p) return NULL;
    memcpy(p + before - sizeof before, &before, sizeof before);
    return p + before;
}

static void free_misaligned(void *user, void *p)
{
    size_t before;
    (void)user;
    memcpy(&before, (char *)p - sizeof before, sizeof before);
    free((char *)p - before);
}

static const vki_allocator odd_allocator = {NULL, misaligned, free_misaligned};
const vki_allocator *const heap = &odd_allocator;

int64_t pick(int64_t low, int64_t high)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((random_state >> 33) % (uint64_t)(high - low + 1));
}

float *input(int64_t n, float low, float high)
{
    float *p = vkb_alloc(heap, (size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++) p[i] = low + (high - low) * (float)pick(0, 1 << 24) / (float)(1 << 24);
    return p;
}

outputs outputs_make(int64_t n)
{
    outputs o = {input(n + 2 * GUARD, -1, 1), input(n + 2 * GUARD, -1, 1), n};
    memcpy(o.v, o.c, (size_t)(n + 2 * GUARD) * sizeof(float));
    o.c += GUARD;
    o.v += GUARD;
    return o;
}

void outputs_check(outputs *o, double tolerance, const char *what)
{
    for (int64_t i = -GUARD; i < o->n + GUARD; i++) {
        const double c = (double)o->c[i], v = (double)o->v[i];
        const bool inside = i >= 0 && i < o->n;
        if (c == v || (isnan(c) && isnan(v))) continue;
        if (!inside || !(fabs(c - v) <= tolerance * fmax(1, fabs(c))))
            fail_msg("%s: element %lld of %lld is %.9g, in C %.9g", what, (long long)i, (long long)o->n, v,
                     c);
    }
    vkb_free(heap, o->c - GUARD);
    vkb_free(heap, o->v - GUARD);
}

void outputs_check_bits(outputs *o)
{
    const size_t bytes = (size_t)(o->n + 2 * GUARD) * sizeof(float);
    assert_memory_equal(o->c - GUARD, o->v - GUARD, bytes);
    vkb_free(heap, o->c - GUARD);
    vkb_free(heap, o->v - GUARD);
}

int32_t *input_pairs(int64_t n)
{
    int32_t *p = vkb_alloc(heap, (size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++)
        p[i] = (int32_t)((uint32_t)pick(-255, 255) << 16 | (pick(-255, 255) & 0xffff));
    return p;
}

int32_t *input_bytes(int64_t n)
{
    int32_t *p = vkb_alloc(heap, (size_t)n * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n; i++)
        p[i] = (int32_t)((uint32_t)pick(0, 0xffff) << 16 | (uint32_t)pick(0, 0xffff));
    return p;
}

gr_epilogue random_epilogue(void)
{
    /* not FakeQuantize, the last one: the least difference of sums can be a whole step of it */
    gr_epilogue e = {.act = (gr_act)pick(0, GR_ACT_FAKE_QUANTIZE - 1), .residual = (gr_residual)pick(0, 2)};
    e.alpha = e.act == GR_ACT_CLIP ? -0.5f : 0.2f;
    e.beta = e.act == GR_ACT_CLIP ? 0.75f : 0.5f;
    return e;
}
