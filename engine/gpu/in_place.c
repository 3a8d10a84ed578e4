/* SPDX-License-Identifier: Apache-2.0
 * Outputs in the place of inputs that nobody needs afterwards. Kernels mark what they read so (GPU_SAME);
 * here lifetimes decide. */
#include "gpu/gpu.h"

static int32_t root_of(const gpu_program *p, int32_t buf)
{
    while (p->bufs[buf].alias >= 0) buf = p->bufs[buf].alias; /* several steps until all is settled */
    return buf;
}

static bool in_arena(const gpu_bind *bind)
{
    return bind->space == GPU_SPACE_ARENA;
}

/* The binding spans all of the memory that its buffer lies in. */
static bool is_whole(const gpu_program *p, const gpu_bind *bind)
{
    const gpu_buf *buf = &p->bufs[bind->index], *root = &p->bufs[root_of(p, bind->index)];
    uint64_t bytes = bind->bytes ? bind->bytes : buf->bytes;
    return bind->offset == 0 && buf->bytes == root->bytes && bytes == root->bytes;
}

/* Every time the dispatch reads that memory, it does so where it may be written. */
static bool reads_same(const gpu_program *p, const gpu_dispatch *d, int32_t root)
{
    for (int i = 0; i < d->n_bind; i++) {
        const gpu_bind *bind = &d->bind[i];
        if (in_arena(bind) && root_of(p, bind->index) == root &&
            (!(bind->access & GPU_SAME) || bind->access & GPU_WRITE || !is_whole(p, bind)))
            return false;
    }
    return true;
}

static void move_into(gpu_program *p, int32_t from, int32_t to, bool *held)
{
    p->bufs[from].alias = to;
    p->bufs[from].at = 0;
    p->bufs[to].last = p->bufs[from].last;
    held[to] = held[to] || held[from];
}

/* The memory of an input of the dispatch that its output `written` may have; -1. */
static int32_t find_place(const gpu_program *p, int32_t step, int32_t written, const bool *held)
{
    const gpu_dispatch *d = &p->dispatches[step];
    for (int i = 0; i < d->n_bind; i++) {
        const gpu_bind *bind = &d->bind[i];
        if (!in_arena(bind) || !(bind->access & GPU_SAME)) continue;
        int32_t read = root_of(p, bind->index);
        bool free_now = read != written && !held[read] && p->bufs[read].last == step;
        if (free_now && p->bufs[read].bytes == p->bufs[written].bytes && reads_same(p, d, read)) return read;
    }
    return -1;
}

int gpu_program_in_place(gpu_program *p, bool *held)
{
    int moved = 0;
    for (int32_t step = 0; step < p->n_dispatches; step++) {
        const gpu_dispatch *d = &p->dispatches[step];
        for (int i = 0; i < d->n_bind; i++) {
            const gpu_bind *bind = &d->bind[i];
            if (!in_arena(bind) || !(bind->access & GPU_WRITE) || bind->access & GPU_READ) continue;
            int32_t written = root_of(p, bind->index);
            if (p->bufs[written].first != step || !is_whole(p, bind)) continue;
            int32_t place = find_place(p, step, written, held);
            if (place < 0) continue;
            move_into(p, written, place, held);
            moved++;
        }
    }
    for (int i = 0; i < p->n_bufs && moved; i++)
        if (p->bufs[i].alias >= 0) p->bufs[i].alias = root_of(p, p->bufs[i].alias);
    return moved;
}
