/* SPDX-License-Identifier: Apache-2.0
 * Offsets in one arena for buffers with known lifetimes. Several greedy orders are tried and the smallest
 * result kept. */
#ifndef GRAPH_MEMPLAN_H
#define GRAPH_MEMPLAN_H

#include "base/base.h"

typedef struct memplan_item {
    uint64_t bytes;
    int32_t first, last; /* steps at which it must exist, both included; first <= last */
    uint64_t offset;     /* result */
} memplan_item;

/* align: power of two, of every offset. *total: arena bytes; *lower_bound: largest sum of live (aligned)
 * sizes over the steps. Deterministic. VKI_E_NOMEM (host memory, or total over UINT64_MAX / 2). */
vki_status memplan_solve(memplan_item *items, int count, uint64_t align, const vki_allocator *a,
                         uint64_t *total, uint64_t *lower_bound, vki_error *err);

/* That lower bound alone, and the first step that has it (*at). Steps go from 0 to steps - 1; `load` has an
 * entry each. */
uint64_t memplan_bound(const memplan_item *items, int count, uint64_t align, int steps, uint64_t *load,
                       int32_t *at);

#endif
