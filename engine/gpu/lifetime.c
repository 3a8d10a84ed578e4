/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/gpu.h"

uint64_t gpu_buf_offset(const gpu_program *p, int32_t buf)
{
    const gpu_buf *b = &p->bufs[buf];
    return b->alias >= 0 ? p->bufs[b->alias].offset + b->at : b->offset;
}

void gpu_program_lifetimes(gpu_program *p)
{
    for (int i = 0; i < p->n_bufs; i++) p->bufs[i].first = 0, p->bufs[i].last = -1;
    for (int step = 0; step < p->n_dispatches; step++) {
        const gpu_dispatch *d = &p->dispatches[step];
        for (int i = 0; i < d->n_bind; i++) {
            if (d->bind[i].space != GPU_SPACE_ARENA) continue;
            gpu_buf *buf = &p->bufs[d->bind[i].index];
            if (buf->alias >= 0) buf = &p->bufs[buf->alias];
            if (buf->last < 0) buf->first = step;
            buf->last = step;
        }
    }
}
