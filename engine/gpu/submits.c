/* SPDX-License-Identifier: Apache-2.0
 * Submits of bounded length. A device runs a submit to its end before it turns to another program's (a
 * phone's to the screen), and drivers give up on submits that take seconds. Lengths are estimates of the cost
 * model. */
#include "gpu/gpu.h"

#include <string.h>

uint32_t gpu_max_submit_us(const gpu_limits *limits)
{
    enum {
        HALF_A_FRAME = 8000, /* of a screen of 60 Hz that the same device draws: phones, boards */
        NO_SCREEN = 100000,
        SOFTWARE = 0x10005 /* Mesa's, which is on the host's cores */
    };
    if (limits->vendor == SOFTWARE) return 0;
    return limits->vendor == 0x10de ? NO_SCREEN : HALF_A_FRAME;
}

/* The dimension to split: the outermost one with several workgroups. Flat grids (gpu_grid_flat) are indexed
 * by the width of their rows, which stays whole then. -1: none, or the shader strides by the size of its
 * grid. */
static int split_dimension(const gpu_dispatch *d)
{
    if (SH_STRIDES(d->shader)) return -1;
    for (int i = 2; i >= 0; i--)
        if (d->groups[i] > 1) return i;
    return -1;
}

/* As many as bring each below the bound, but none too small to fill the device: it would take as long. */
static uint32_t parts_of(const gpu_program *p, const gpu_dispatch *d, const gpu_limits *limits,
                         uint32_t max_us)
{
    double wanted = gpu_dispatch_cost(p, d, limits) / max_us;
    const uint64_t most = gpu_dispatch_work(p, d).lanes / gpu_rates(limits)->lanes;
    if (wanted <= 1 || most < 2) return 1;
    if (most < UINT32_MAX && wanted > (double)most) return (uint32_t)most;
    return wanted < UINT32_MAX ? (uint32_t)wanted + 1 : UINT32_MAX;
}

static void make_parts(gpu_dispatch *out, gpu_dispatch whole, int along, uint32_t parts)
{
    const uint32_t groups = whole.groups[along];
    uint32_t begin = 0;
    for (uint32_t i = 0; i < parts; i++) {
        uint32_t end = (uint32_t)((uint64_t)groups * (i + 1) / parts);
        out[i] = whole;
        out[i].parts = parts;
        out[i].base[along] = begin;
        out[i].groups[along] = end - begin;
        out[i].macs = whole.macs / parts;
        begin = end;
    }
}

vki_status gpu_split(gpu_program *p, int dispatch, uint32_t parts, const vki_allocator *a, vki_error *err)
{
    int along = split_dimension(&p->dispatches[dispatch]);
    if (along >= 0 && parts > p->dispatches[dispatch].groups[along])
        parts = p->dispatches[dispatch].groups[along];
    if (along < 0 || parts < 2) return VKI_OK;
    uint64_t count = (uint64_t)p->n_dispatches + parts - 1;
    if (count > INT32_MAX / 2 || !VKB_GROW(a, p->dispatches, p->cap_dispatches, (int)count))
        return vkb_nomem(err, count * sizeof *p->dispatches);
    gpu_dispatch *d = &p->dispatches[dispatch];
    memmove(d + parts, d + 1, (size_t)(p->n_dispatches - dispatch - 1) * sizeof *d);
    make_parts(d, *d, along, parts);
    p->n_dispatches = (int)count;
    return VKI_OK;
}

vki_status gpu_split_long(gpu_program *p, int first, const gpu_limits *limits, uint32_t max_us,
                          const vki_allocator *a, vki_error *err)
{
    for (int i = first; i < p->n_dispatches && max_us; i++)
        if (!p->dispatches[i].parts) /* those made here come next */
            VKB_TRY(gpu_split(p, i, parts_of(p, &p->dispatches[i], limits, max_us), a, err));
    return VKI_OK;
}

void gpu_cut_submits(gpu_program *p, int first, int count, const gpu_limits *limits, uint32_t max_us)
{
    double sum = 0;
    for (int i = first; i < first + count; i++) {
        double us = gpu_dispatch_cost(p, &p->dispatches[i], limits);
        p->dispatches[i].cut = max_us && sum > 0 && sum + us > max_us;
        sum = p->dispatches[i].cut ? us : sum + us;
    }
}
