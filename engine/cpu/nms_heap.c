/* SPDX-License-Identifier: Apache-2.0
 * NonMaxSuppression with the candidates of a list in a heap, from which only as many are sorted out as it
 * takes; lists go to the threads whole. */
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/nms.h"

typedef struct candidate {
    float score;
    int32_t box;
} candidate;

typedef struct nms_run {
    const cpu_call *c;
    cpu_nms s;
    int64_t room;     /* of a list in the output: rows */
    int64_t *count;   /* of each list */
    uint8_t *scratch; /* by thread: candidates and the boxes taken */
    uint64_t per_thread;
} nms_run;

static bool before(const candidate *a, const candidate *b)
{
    return a->score > b->score || (a->score == b->score && a->box < b->box);
}

static void sink(candidate *heap, int64_t i, int64_t count)
{
    for (;;) {
        int64_t first = i;
        for (int64_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
            if (before(&heap[child], &heap[first])) first = child;
        if (first == i) return;
        candidate swap = heap[i];
        heap[i] = heap[first];
        heap[first] = swap;
        i = first;
    }
}

static int64_t make_heap(const nms_run *r, int64_t list, candidate *heap)
{
    const float *scores = (const float *)r->c->in[1] + list * r->s.boxes;
    int64_t count = 0;
    for (int64_t i = 0; i < r->s.boxes; i++)
        if (cpu_nms_candidate(&r->s, (double)scores[i])) heap[count++] = (candidate){scores[i], (int32_t)i};
    for (int64_t i = count / 2 - 1; i >= 0; i--) sink(heap, i, count);
    return count;
}

static bool overlaps_any(const cpu_nms *s, const cpu_nms_box *box, const cpu_nms_box *taken, int64_t count)
{
    for (int64_t k = 0; k < count; k++)
        if (cpu_nms_overlap(s, box, &taken[k])) return true;
    return false;
}

static void run_lists(void *arg, int64_t begin, int64_t end, int thread)
{
    const nms_run *r = arg;
    candidate *heap = (candidate *)(r->scratch + (uint64_t)thread * r->per_thread);
    cpu_nms_box *taken = (cpu_nms_box *)(heap + r->s.boxes);
    for (int64_t list = begin; list < end; list++) {
        int64_t *y = (int64_t *)r->c->out[0] + list * r->room * 3, count = 0, batch = list / r->s.classes;
        int64_t left = make_heap(r, list, heap);
        while (left > 0 && count < r->s.most) {
            candidate best = heap[0];
            heap[0] = heap[--left];
            sink(heap, 0, left);
            cpu_nms_box box = cpu_nms_load(r->c, &r->s, batch, best.box);
            if (overlaps_any(&r->s, &box, taken, count)) continue;
            taken[count] = box;
            y[3 * count] = batch;
            y[3 * count + 1] = list % r->s.classes;
            y[3 * count + 2] = best.box;
            count++;
        }
        r->count[list] = count;
    }
}

static uint64_t thread_bytes(int64_t boxes)
{
    return vkb_round_up((uint64_t)boxes * (sizeof(candidate) + sizeof(cpu_nms_box)), 64);
}

static void run(const cpu_call *c)
{
    nms_run r = {.c = c, .s = cpu_nms_of(c), .count = c->scratch};
    int64_t *y = c->out[0], total = 0;
    if (r.s.lists > 0) r.room = c->dims[0][0] / r.s.lists;
    r.scratch = (uint8_t *)c->scratch + vkb_round_up((uint64_t)r.s.lists * sizeof(int64_t), 64);
    r.per_thread = thread_bytes(r.s.boxes);
    r.s.most = vkb_min(r.s.most, r.room);
    vkb_parallel_for(c->pool, r.s.lists, 1, run_lists, &r);
    for (int64_t list = 0; list < r.s.lists; list++) { /* close the gaps */
        memmove(y + 3 * total, y + 3 * list * r.room, (size_t)r.count[list] * 3 * sizeof *y);
        total += r.count[list];
    }
    c->dims[0][0] = total;
}

static bool fits(const gr_graph *g, const gr_node *n)
{
    const gr_tensor *scores = &g->tensors[n->in[1]];
    return g->tensors[n->in[0]].dtype == VKI_F32 && scores->dtype == VKI_F32 && gr_elements(scores) > 0;
}

static vki_status prepare(cpu_prep *p, vki_error *err)
{
    (void)err;
    const gr_tensor *scores = &p->g->tensors[p->n->in[1]];
    p->scratch_bytes = vkb_round_up((uint64_t)(scores->dims[0] * scores->dims[1]) * sizeof(int64_t), 64) +
                       (uint64_t)p->threads * thread_bytes(scores->dims[2]);
    return VKI_OK;
}

const cpu_kernel cpu_nms_kernels[] = {{.name = "nms_heap", .fits = fits, .prepare = prepare, .run = run},
                                      {0}};
