/* SPDX-License-Identifier: Apache-2.0 */
#include "common/guard.h"

#include <stdlib.h>
#include <string.h>

enum { GUARD = 256, GUARD_BYTE = 0xa5 };

guarded guard_make(size_t bytes)
{
    guarded g = {.bytes = bytes, .base = aligned_alloc(64, (size_t)vkb_round_up(bytes, 64) + 2 * GUARD)};
    if (!g.base) abort();
    memset(g.base, GUARD_BYTE, (size_t)vkb_round_up(bytes, 64) + 2 * GUARD);
    g.data = g.base + GUARD;
    return g;
}

void guard_fill(const guarded *g, int value)
{
    memset(g->data, value, g->bytes);
}

bool guard_intact(const guarded *g)
{
    const uint8_t *after = (const uint8_t *)g->data + g->bytes;
    for (int i = 0; i < GUARD; i++)
        if (g->base[i] != GUARD_BYTE || after[i] != GUARD_BYTE) return false;
    return true;
}

void guard_free(guarded *g)
{
    free(g->base);
    *g = (guarded){0};
}
