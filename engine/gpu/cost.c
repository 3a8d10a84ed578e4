/* SPDX-License-Identifier: Apache-2.0
 * What dispatches read, write and compute, and how long that might take. */
#include "gpu/gpu.h"

const cost_rates *gpu_rates(const gpu_limits *limits)
{
    static const struct {
        uint32_t vendor; /* PCI id */
        const char *name;
    } vendors[] = {{0x5143, "adreno"}, {0x13b5, "mali"}, {0x10de, "nvidia"}, {0x10005, "lavapipe"}};
    for (size_t i = 0; i < VKB_COUNT(vendors); i++)
        if (vendors[i].vendor == limits->vendor) return cost_rates_of(vendors[i].name);
    return cost_rates_of("minimum");
}

static uint64_t invocations(const gpu_dispatch *d)
{
    uint64_t n = (uint64_t)d->groups[0] * d->groups[1] * d->groups[2];
    for (int i = 0; i < 3 && i < d->n_spec; i++) n *= d->spec[i];
    return n;
}

static uint64_t bytes_of(const gpu_program *p, const gpu_dispatch *d, int i)
{
    const gpu_bind *bind = &d->bind[i];
    uint64_t size =
        bind->space == GPU_SPACE_WEIGHTS ? p->weights[bind->index].bytes : p->bufs[bind->index].bytes;
    uint64_t part = bind->bytes ? bind->bytes : size - bind->offset;
    return d->touched[i] && d->touched[i] < part ? d->touched[i] : part;
}

/* Bound before with the same access: shaders that need fewer operands bind one twice. */
static bool bound_before(const gpu_dispatch *d, int i, uint8_t access)
{
    for (int k = 0; k < i; k++)
        if (d->bind[k].access & access && d->bind[k].space == d->bind[i].space &&
            d->bind[k].index == d->bind[i].index && d->bind[k].offset == d->bind[i].offset)
            return true;
    return false;
}

cost_work gpu_dispatch_work(const gpu_program *p, const gpu_dispatch *d)
{
    cost_work w = {.macs = d->macs, .lanes = invocations(d)};
    for (int i = 0; i < d->n_bind; i++) {
        const gpu_bind *bind = &d->bind[i];
        uint64_t bytes = bytes_of(p, d, i) / (d->parts ? d->parts : 1);
        bool read = bind->access & GPU_READ && !bound_before(d, i, GPU_READ);
        if (read) w.read += bytes;
        if (read && bind->space == GPU_SPACE_WEIGHTS) w.weights += bytes;
        if (bind->access & GPU_WRITE && !bound_before(d, i, GPU_WRITE)) w.written += bytes;
    }
    return w;
}

double gpu_dispatch_cost(const gpu_program *p, const gpu_dispatch *d, const gpu_limits *limits)
{
    cost_work w = gpu_dispatch_work(p, d);
    return cost_us(gpu_rates(limits), &w);
}

/* The multiply-accumulates of the node and of those that it does the work of. */
static uint64_t macs_of(const gpu_builder *b, gr_id node)
{
    op_cost cost;
    op_cost_of(b->g, &b->g->nodes[node], &cost);
    uint64_t sum = cost.macs;
    bool merged = b->merges && b->merges[node].kernel;
    for (gr_id i = 0; merged && i < node; i++) {
        if (b->merges[i].into != node) continue;
        op_cost_of(b->g, &b->g->nodes[i], &cost);
        sum += cost.macs;
    }
    return sum;
}

void gpu_share_macs(gpu_builder *b, gr_id node, int first)
{
    gpu_dispatch *d = b->program->dispatches;
    uint64_t left = macs_of(b, node), all = 0;
    for (int i = first; i < b->program->n_dispatches; i++) {
        left -= d[i].macs < left ? d[i].macs : left;
        if (!d[i].macs && !d[i].converts) all += invocations(&d[i]);
    }
    for (int i = first; i < b->program->n_dispatches && all; i++)
        if (!d[i].macs && !d[i].converts)
            d[i].macs = (uint64_t)((double)left * (double)invocations(&d[i]) / (double)all);
}
