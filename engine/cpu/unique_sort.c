/* SPDX-License-Identifier: Apache-2.0
 * Unique by sorting: a stable merge sort of the slices' numbers brings equal ones together, the first of them
 * in front. */
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/unique.h"

/* Merges the sorted runs from[a..b) and from[b..e) into to[a..e). */
static void merge(const cpu_unique *u, const int64_t *from, int64_t *to, int64_t a, int64_t b, int64_t e)
{
    for (int64_t i = a, j = b, k = a; k < e; k++) {
        bool left = i < b && (j >= e || cpu_unique_order(u, from[i], from[j]) <= 0);
        to[k] = left ? from[i++] : from[j++];
    }
}

/* Sorts 0 ... slices - 1; the result is in *order, *other is overwritten and may be swapped in. */
static void sort(const cpu_unique *u, int64_t **order, int64_t **other)
{
    for (int64_t i = 0; i < u->slices; i++) (*order)[i] = i;
    for (int64_t run = 1; run < u->slices; run *= 2) {
        for (int64_t a = 0; a < u->slices; a += 2 * run)
            merge(u, *order, *other, a, vkb_min(a + run, u->slices), vkb_min(a + 2 * run, u->slices));
        int64_t *swap = *order;
        *order = *other;
        *other = swap;
    }
}

static void run(const cpu_call *c)
{
    cpu_unique u = cpu_unique_of(c);
    int64_t n = u.slices, count = 0, *order = c->scratch, *place = order + n, *first = place + n;
    int64_t *indices = cpu_unique_out(&u, 1), *inverse = cpu_unique_out(&u, 2),
            *counts = cpu_unique_out(&u, 3);
    sort(&u, &order, &place);
    for (int64_t i = 0, head = 0; i < n; i++) {
        bool same = i > 0 && cpu_unique_order(&u, order[i - 1], order[i]) == 0;
        if (!same) head = order[i];
        first[order[i]] = head;
    }
    for (int64_t i = 0; i < n; i++) { /* place: of a slice that came first, in the output */
        int64_t slice = u.sorted ? order[i] : i;
        if (first[slice] == slice) place[slice] = count++;
    }
    cpu_unique_count(&u, count);
    if (counts) memset(counts, 0, (size_t)count * sizeof *counts);
    for (int64_t i = 0; i < n; i++) {
        int64_t k = place[first[i]];
        if (inverse) inverse[i] = k;
        if (counts) counts[k]++;
        if (first[i] != i) continue;
        if (indices) indices[k] = i;
        cpu_unique_put(&u, i, k, count);
    }
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    return gr_elements(&g->tensors[n->in[0]]) > 0;
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    (void)err;
    p->scratch_bytes = (uint64_t)gr_elements(&p->g->tensors[p->n->in[0]]) * 3 * sizeof(int64_t);
    return VKI_OK;
}

const cpu_kernel cpu_unique_kernels[] = {
    {.name = "unique_sort", .fits = fits, .prepare = prepare, .run = run}, {0}};
