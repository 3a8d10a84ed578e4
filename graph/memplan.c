/* SPDX-License-Identifier: Apache-2.0
 * Greedy offset assignment: items are placed one by one into gaps between the items placed before that live
 * at the same time. The orders follow Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
 * Inference" (2020); afterwards the items that reach the top of the arena are moved to the front of the
 * order and placed again, for a bounded number of rounds.
 *
 * That looks at pairs of items that live at once. Where thousands do, items are placed in the order of time
 * instead, each into the lowest gap that fits. */
#include "graph/memplan.h"

#include <string.h>

typedef struct ranked {
    uint64_t key, tie; /* larger first; then the smaller index */
    int32_t index;
} ranked;

typedef enum order { BY_SIZE = 0, BY_AREA, BY_FIRST, BY_LIFETIME, BY_BREADTH, ORDERS } order;

typedef struct solver {
    const memplan_item *items;
    int count;
    uint64_t *size;    /* by item: aligned bytes */
    uint64_t *breadth; /* by item: largest sum of live sizes during its life */
    uint64_t *offset;  /* by item: of the attempt; UNPLACED */
    uint64_t *best;    /* by item: of the best attempt */
    int32_t *by_first; /* items sorted by first step */
    int32_t *last_max; /* binary tree over by_first: the largest last step of each half */
    int leaves;        /* of the tree: power of two */
    ranked *rank, *near, *scratch;
    int n_near;
    int64_t work; /* steps that may still be spent on better results */
    uint64_t bound, best_total;
} solver;

static const uint64_t LIMIT = UINT64_MAX / 2, UNPLACED = UINT64_MAX;

static uint64_t add_sat(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* ---- sorting: bottom-up merge sort, stable, in memory that is there ---- */

static bool before(const ranked *a, const ranked *b)
{
    if (a->key != b->key) return a->key > b->key;
    if (a->tie != b->tie) return a->tie > b->tie;
    return a->index < b->index;
}

static void merge(const ranked *from, ranked *to, int low, int mid, int high)
{
    for (int i = low, j = mid, k = low; k < high; k++)
        to[k] = j >= high || (i < mid && !before(&from[j], &from[i])) ? from[i++] : from[j++];
}

/* Sorts *list; the two arrays may change places. */
static void sort_ranks(ranked **list, ranked **scratch, int count)
{
    for (int width = 1; width < count; width *= 2) {
        for (int low = 0; low < count; low += 2 * width) {
            int mid = (int)vkb_min(low + width, count), high = (int)vkb_min(low + 2 * width, count);
            merge(*list, *scratch, low, mid, high);
        }
        ranked *t = *list;
        *list = *scratch;
        *scratch = t;
    }
}

static uint64_t life(const memplan_item *m)
{
    return (uint64_t)((int64_t)m->last - m->first + 1);
}

/* Steps as unsigned numbers that keep their order. */
static uint64_t step_key(int32_t step)
{
    return (uint64_t)((int64_t)step - INT32_MIN);
}

static void rank_items(solver *s, order by)
{
    for (int i = 0; i < s->count; i++) {
        const memplan_item *m = &s->items[i];
        uint64_t area, size = s->size[i];
        if (!vkb_mul_u64(size, life(m), &area)) area = UINT64_MAX;
        const uint64_t keys[ORDERS][2] = {[BY_SIZE] = {size, life(m)},
                                          [BY_AREA] = {area, size},
                                          [BY_FIRST] = {UINT64_MAX - step_key(m->first), size},
                                          [BY_LIFETIME] = {life(m), size},
                                          [BY_BREADTH] = {s->breadth[i], size}};
        s->rank[i] = (ranked){keys[by][0], keys[by][1], i};
    }
    sort_ranks(&s->rank, &s->scratch, s->count);
}

/* ---- in the order of time ---- */

typedef struct timeline { /* items begin in the order of by_first and end in that of the solver's rank */
    int ended;
    ranked *gaps; /* begin and end of what is free below `top`, the highest first; they do not touch */
    int n_gaps;
    uint64_t top, load;
} timeline;

/* The items by last step, in s->rank. */
static void rank_ends(solver *s)
{
    for (int i = 0; i < s->count; i++) s->rank[i] = (ranked){UINT64_MAX - step_key(s->items[i].last), 0, i};
    sort_ranks(&s->rank, &s->scratch, s->count);
}

/* Pairs of items that live at once. */
static int64_t count_pairs(const solver *s)
{
    int64_t pairs = 0;
    for (int r = 0, ended = 0; r < s->count; r++) {
        while (s->items[s->rank[ended].index].last < s->items[s->by_first[r]].first) ended++;
        pairs += r - ended;
    }
    return pairs;
}

static void free_range(timeline *t, uint64_t begin, uint64_t end)
{
    int low = 0, high = t->n_gaps; /* the first gap below */
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (t->gaps[middle].key > begin)
            low = middle + 1;
        else
            high = middle;
    }
    const bool joins_above = low > 0 && t->gaps[low - 1].key == end;
    const bool joins_below = low < t->n_gaps && t->gaps[low].tie == begin;
    if (joins_above && joins_below) {
        t->gaps[low - 1].key = t->gaps[low].key;
        t->n_gaps--;
        memmove(&t->gaps[low], &t->gaps[low + 1], (size_t)(t->n_gaps - low) * sizeof *t->gaps);
    } else if (joins_above) {
        t->gaps[low - 1].key = begin;
    } else if (joins_below) {
        t->gaps[low].tie = end;
    } else {
        memmove(&t->gaps[low + 1], &t->gaps[low], (size_t)(t->n_gaps - low) * sizeof *t->gaps);
        t->gaps[low] = (ranked){begin, end, 0};
        t->n_gaps++;
    }
}

static uint64_t take_range(timeline *t, uint64_t size)
{
    for (int i = t->n_gaps - 1; i >= 0; i--) {
        const uint64_t begin = t->gaps[i].key;
        if (t->gaps[i].tie - begin < size) continue;
        t->gaps[i].key += size;
        if (t->gaps[i].key == t->gaps[i].tie) {
            t->n_gaps--;
            memmove(&t->gaps[i], &t->gaps[i + 1], (size_t)(t->n_gaps - i) * sizeof *t->gaps);
        }
        return begin;
    }
    t->top += size; /* a gap right below the top would serve, too, but is rare */
    return t->top - size;
}

/* Sets best, bound and best_total, which stays UINT64_MAX if it is more than can be. */
static void place_in_time(solver *s)
{
    timeline t = {.gaps = s->near};
    s->bound = 0;
    for (int r = 0; r < s->count; r++) {
        const int32_t i = s->by_first[r];
        for (; s->items[s->rank[t.ended].index].last < s->items[i].first; t.ended++) {
            const int32_t gone = s->rank[t.ended].index;
            if (s->size[gone]) free_range(&t, s->best[gone], s->best[gone] + s->size[gone]);
            t.load -= s->size[gone];
        }
        if (s->size[i] > LIMIT - t.top) return;
        s->best[i] = s->size[i] ? take_range(&t, s->size[i]) : 0;
        t.load += s->size[i];
        if (t.load > s->bound) s->bound = t.load;
    }
    s->best_total = t.top;
}

/* ---- who lives at the same time ---- */

static void build_tree(solver *s)
{
    rank_items(s, BY_FIRST);
    for (int i = 0; i < s->count; i++) {
        s->by_first[i] = s->rank[i].index;
        s->last_max[s->leaves + i] = s->items[s->rank[i].index].last;
    }
    for (int i = s->leaves - 1; i > 0; i--) {
        int32_t a = s->last_max[2 * i], b = s->last_max[2 * i + 1];
        s->last_max[i] = a > b ? a : b;
    }
}

/* Adds to s->near the placed items below `node` that live in [first, last]. by_first[at] is its first leaf.
 */
static void collect(solver *s, int node, int at, int width, int32_t first, int32_t last)
{
    if (at >= s->count || s->last_max[node] < first || s->items[s->by_first[at]].first > last) return;
    if (width > 1) {
        collect(s, 2 * node, at, width / 2, first, last);
        collect(s, 2 * node + 1, at + width / 2, width / 2, first, last);
        return;
    }
    int32_t i = s->by_first[at];
    if (s->offset[i] == UNPLACED || !s->size[i]) return;
    s->near[s->n_near++] = (ranked){UINT64_MAX - s->offset[i], s->size[i], i};
}

/* Walks the items by first step and sums what lives then: the breadths and the lower bound. */
static void measure_breadth(solver *s)
{
    for (int i = 0; i < s->count; i++) s->offset[i] = 0;
    for (int r = 0; r < s->count; r++) {
        int32_t step = s->items[s->by_first[r]].first;
        uint64_t load = 0;
        s->n_near = 0;
        collect(s, 1, 0, s->leaves, step, step);
        for (int k = 0; k < s->n_near; k++) load = add_sat(load, s->near[k].tie);
        for (int k = 0; k < s->n_near; k++)
            if (s->breadth[s->near[k].index] < load) s->breadth[s->near[k].index] = load;
        if (s->bound < load) s->bound = load;
    }
}

/* ---- placing ---- */

/* The place for an item among the placed ones: the lowest gap that fits, or the tightest. */
static uint64_t find_offset(solver *s, int32_t item, bool tightest)
{
    uint64_t size = s->size[item], top = 0, best = UNPLACED, best_gap = UINT64_MAX;
    s->n_near = 0;
    collect(s, 1, 0, s->leaves, s->items[item].first, s->items[item].last);
    sort_ranks(&s->near, &s->scratch, s->n_near);
    s->work -= 16 + 4 * s->n_near;
    for (int k = 0; k < s->n_near; k++) {
        uint64_t offset = UINT64_MAX - s->near[k].key, end = offset + s->near[k].tie;
        if (offset >= top && offset - top >= size && offset - top < best_gap) {
            best = top;
            best_gap = offset - top;
            if (!tightest) return best;
        }
        if (end > top) top = end;
    }
    return best != UNPLACED ? best : top;
}

/* Places everything in the order of s->rank and keeps the result if it is the best. Returns the total. */
static uint64_t place(solver *s, bool tightest)
{
    uint64_t total = 0;
    for (int i = 0; i < s->count; i++) s->offset[i] = UNPLACED;
    for (int r = 0; r < s->count; r++) {
        int32_t i = s->rank[r].index;
        uint64_t at = s->size[i] ? find_offset(s, i, tightest) : 0;
        if (at > LIMIT || s->size[i] > LIMIT - at) return UINT64_MAX;
        s->offset[i] = at;
        if (at + s->size[i] > total) total = at + s->size[i];
    }
    if (total < s->best_total) {
        s->best_total = total;
        memcpy(s->best, s->offset, (size_t)s->count * sizeof *s->best);
    }
    return total;
}

/* Moves the items that reach `total` to the front of the order. */
static void promote(solver *s, uint64_t total)
{
    int n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int r = 0; r < s->count; r++) {
            int32_t i = s->rank[r].index;
            if ((s->offset[i] + s->size[i] == total) == (pass == 0)) s->scratch[n++] = s->rank[r];
        }
    memcpy(s->rank, s->scratch, (size_t)s->count * sizeof *s->rank);
}

static void solve(solver *s)
{
    const int64_t most_pairs = 2 * 1000 * 1000; /* 2000 items that all live at once */
    build_tree(s);
    s->best_total = UINT64_MAX;
    rank_ends(s);
    if (count_pairs(s) > most_pairs) {
        place_in_time(s);
        return;
    }
    measure_breadth(s);
    for (int by = 0; by < ORDERS && s->best_total > s->bound; by++) {
        rank_items(s, (order)by);
        for (int tightest = 0; tightest < 2 && s->best_total > s->bound; tightest++) place(s, tightest);
    }
    s->work = vkb_min(3000 * (int64_t)s->count, 2 * 1000 * 1000); /* a millisecond or two for 100 items */
    const uint64_t near_enough = s->bound + s->bound / 256;
    for (int by = 0; by < ORDERS && s->best_total > near_enough; by++) {
        rank_items(s, (order)by);
        uint64_t total = place(s, false), least = total;
        for (int since = 0; since < 12 && s->work > 0 && total != UINT64_MAX; since++) {
            if (s->best_total <= near_enough) break;
            promote(s, total);
            total = place(s, false);
            if (total >= least) continue;
            least = total;
            since = 0;
        }
    }
}

/* ---- memory ---- */

enum { MAX_ITEMS = 1 << 28 };

static bool solver_alloc(solver *s, const vki_allocator *a)
{
    size_t n = (size_t)s->count;
    s->size = vkb_calloc(a, n, sizeof *s->size);
    s->breadth = vkb_calloc(a, n, sizeof *s->breadth);
    s->offset = vkb_calloc(a, n, sizeof *s->offset);
    s->best = vkb_calloc(a, n, sizeof *s->best);
    for (s->leaves = 1; s->leaves < s->count;) s->leaves *= 2;
    s->by_first = vkb_calloc(a, n, sizeof *s->by_first);
    s->last_max = vkb_alloc(a, 2 * (size_t)s->leaves * sizeof *s->last_max);
    for (int i = 0; s->last_max && i < 2 * s->leaves; i++) s->last_max[i] = INT32_MIN;
    s->near = vkb_calloc(a, n, sizeof *s->near);
    s->rank = vkb_calloc(a, n, sizeof *s->rank);
    s->scratch = vkb_calloc(a, n, sizeof *s->scratch);
    return s->size && s->breadth && s->offset && s->best && s->by_first && s->last_max && s->near &&
           s->rank && s->scratch;
}

static void solver_free(solver *s, const vki_allocator *a)
{
    vkb_free(a, s->size);
    vkb_free(a, s->breadth);
    vkb_free(a, s->offset);
    vkb_free(a, s->best);
    vkb_free(a, s->by_first);
    vkb_free(a, s->last_max);
    vkb_free(a, s->near);
    vkb_free(a, s->rank);
    vkb_free(a, s->scratch);
}

vki_status memplan_solve(memplan_item *items, int count, uint64_t align, const vki_allocator *a,
                         uint64_t *total, uint64_t *lower_bound, vki_error *err)
{
    *total = *lower_bound = 0;
    if (count <= 0) return VKI_OK;
    if (!align || align & (align - 1))
        return vkb_fail(err, VKI_E_ARG, "the alignment %llu is not a power of two",
                        (unsigned long long)align);
    solver s = {.items = items, .count = count};
    vki_status status = VKI_OK;
    if (count > MAX_ITEMS || !solver_alloc(&s, a)) status = vkb_nomem(err, (uint64_t)count * 128);
    for (int i = 0; i < count && status == VKI_OK; i++) {
        if (items[i].bytes > LIMIT - align) status = vkb_nomem(err, items[i].bytes);
        if (items[i].first > items[i].last)
            status = vkb_fail(err, VKI_E_ARG, "item %d lives from step %d to step %d", i, items[i].first,
                              items[i].last);
        if (status == VKI_OK) s.size[i] = vkb_round_up(items[i].bytes, align);
    }
    if (status == VKI_OK) {
        solve(&s);
        *total = s.best_total;
        *lower_bound = s.bound;
        if (s.best_total == UINT64_MAX) status = vkb_nomem(err, s.bound);
    }
    for (int i = 0; i < count && status == VKI_OK; i++) items[i].offset = s.best[i];
    solver_free(&s, a);
    return status;
}

uint64_t memplan_bound(const memplan_item *items, int count, uint64_t align, int steps, uint64_t *load,
                       int32_t *at)
{
    uint64_t now = 0, most = 0; /* sums come and go, so that wrapping does no harm */
    memset(load, 0, (size_t)steps * sizeof *load);
    *at = 0;
    for (int i = 0; i < count; i++) {
        uint64_t bytes = vkb_round_up(items[i].bytes, align);
        load[items[i].first] += bytes;
        if (items[i].last + 1 < steps) load[items[i].last + 1] -= bytes;
    }
    for (int32_t s = 0; s < steps; s++) {
        now += load[s];
        if (now <= most) continue;
        most = now;
        *at = s;
    }
    return most;
}
