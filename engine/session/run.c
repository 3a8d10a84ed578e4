/* SPDX-License-Identifier: Apache-2.0
 * Running a plan. Nothing here allocates, records or creates. */
#include "session/session.h"

#include <stdio.h>
#include <string.h>

vki_status ses_watch_check(const ses_watch *w, vki_error *err)
{
    if (w->cancelled && atomic_load_explicit(w->cancelled, memory_order_relaxed))
        return vkb_fail(err, VKI_E_CANCELLED, "the run was cancelled");
    if (!(w->deadline_ms > 0) || vkb_now_ms() < w->deadline_ms) return VKI_OK;
    return vkb_fail(err, VKI_E_TIMEOUT, "the time given for the run is over");
}

uint64_t ses_watch_ns(const ses_watch *w)
{
    double left = w->deadline_ms - vkb_now_ms();
    if (!(w->deadline_ms > 0)) return 0;
    return left > 0 ? (uint64_t)(left * 1e6) + 1 : 1;
}

static void *host_side(const ses_plan *p, const ses_crossing *c, int slot)
{
    const vkr_transfer t = ses_transfer_of(p, c, slot);
    return vkr_plan_host(p->device, &t);
}

static vki_status upload(const ses_plan *p, const ses_crossing *c, int slot, const void *host, vki_error *err)
{
    const gr_tensor *t = &p->graph.tensors[c->tensor];
    void *device = host_side(p, c, slot);
    if (c->layout == GPU_C4) {
        gpu_to_slices(device, host, t, p->options->half);
        return VKI_OK;
    }
    int64_t bad = gpu_to_device(device, host, t, p->options->half);
    if (bad < 0) return VKI_OK;
    char value[32];
    if (t->dtype == VKI_U64)
        snprintf(value, sizeof value, "%llu", (unsigned long long)((const uint64_t *)host)[bad]);
    else
        snprintf(value, sizeof value, "%lld", (long long)((const int64_t *)host)[bad]);
    return vkb_fail(
        err, VKI_E_UNSUPPORTED,
        "element %lld of tensor %s (%s) is %s; the GPU stores integers in 32 bits and takes %s to "
        "2147483647: place the network on the CPU (placement CPU_ONLY)",
        (long long)bad, t->name, vki_dtype_name(t->dtype), value, t->dtype == VKI_U64 ? "0" : "-2147483647");
}

/* t: the tensor in the shape that it has. */
static void download(const ses_plan *p, const ses_crossing *c, int slot, const gr_tensor *t, void *host)
{
    const void *device = host_side(p, c, slot);
    (c->layout == GPU_C4 ? gpu_from_slices : gpu_from_device)(host, device, t, p->options->half);
}

static vki_status start_on_device(ses_plan *p, const ses_segment *seg, int index, const ses_watch *watch,
                                  vki_error *err)
{
    for (int i = 0; i < seg->n_uploads; i++)
        if (!(p->graph.tensors[seg->uploads[i].tensor].flags & GR_INPUT))
            VKB_TRY(upload(p, &seg->uploads[i], 0, p->host[seg->uploads[i].tensor], err));
    return vkr_plan_submit(p->device, index, ses_watch_ns(watch), err);
}

static vki_status finish_on_device(ses_plan *p, const ses_segment *seg, int index, const ses_watch *watch,
                                   vki_error *err)
{
    VKB_TRY(vkr_plan_wait(p->device, index, ses_watch_ns(watch), err));
    for (int i = 0; i < seg->n_downloads; i++) {
        const ses_crossing *c = &seg->downloads[i];
        if (p->host[c->tensor]) download(p, c, 0, &p->graph.tensors[c->tensor], p->host[c->tensor]);
    }
    return VKI_OK;
}

static void run_step(ses_plan *p, ses_step *step, vkb_pool *pool)
{
    if (p->places[step->node].view) return;
    double start = p->options->profile ? vkb_now_ms() : 0;
    cpu_call call = step->call;
    for (int i = 0; call.dims && i < call.n->n_out; i++)
        if (call.n->out[i] != GR_NONE)
            memcpy(call.dims[i], p->graph.tensors[call.n->out[i]].dims, sizeof call.dims[i]);
    call.pool = pool;
    if (step->kernel)
        step->kernel->run(&call);
    else
        cpu_op_of(call.n->op)->reference(&call);
    if (p->options->profile) step->us = (vkb_now_ms() - start) * 1e3;
}

static vki_status run_on_cpu(ses_plan *p, const ses_segment *seg, ses_step *steps, vkb_pool *pool,
                             const ses_watch *watch, vki_error *err)
{
    for (int i = 0; i < seg->count; i++) {
        VKB_TRY(ses_watch_check(watch, err));
        run_step(p, &steps[i], pool);
    }
    return VKI_OK;
}

vki_status ses_run(ses_plan *p, vkb_pool *pool, const ses_watch *watch, vki_error *err)
{
    ses_step *step = p->steps;
    const ses_segment *flying = NULL; /* on the device and not waited for */
    int device_index = 0;
    if (p->device) VKB_TRY(vkr_plan_settle(p->device, ses_watch_ns(watch), err)); /* an earlier run's rest */
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        if (flying && (seg->gpu || seg->waits)) {
            VKB_TRY(finish_on_device(p, flying, device_index - 1, watch, err));
            flying = NULL;
        }
        if (seg->gpu) {
            VKB_TRY(ses_watch_check(watch, err));
            VKB_TRY(start_on_device(p, seg, device_index++, watch, err));
            flying = seg;
        } else {
            VKB_TRY(run_on_cpu(p, seg, step, pool, watch, err));
            step += seg->count;
        }
    }
    if (flying) VKB_TRY(finish_on_device(p, flying, device_index - 1, watch, err));
    return ses_watch_check(watch, err);
}

vki_status ses_write_input(ses_plan *p, gr_id tensor, int slot, const void *data, vki_error *err)
{
    size_t bytes = (size_t)gr_bytes(&p->graph.tensors[tensor]);
    if (p->host[tensor] && bytes) memcpy(p->host[tensor], data, bytes);
    for (int s = 0; s < p->n_segments; s++)
        for (int i = 0; i < p->segments[s].n_uploads; i++)
            if (p->segments[s].uploads[i].tensor == tensor)
                VKB_TRY(upload(p, &p->segments[s].uploads[i], slot, data, err));
    /* runs do not copy this one out of staging, so that the device's value is kept */
    const ses_bond *bond = ses_bond_of(p, tensor);
    return bond && bond->segment >= 0 ? vkr_plan_run(p->device, bond->segment, 0, err) : VKI_OK;
}

void ses_copy_input(ses_plan *p, gr_id tensor, int from, int to)
{
    for (int s = 0; s < p->n_segments; s++)
        for (int i = 0; i < p->segments[s].n_uploads; i++) {
            const ses_crossing *c = &p->segments[s].uploads[i];
            if (c->tensor == tensor)
                memcpy(host_side(p, c, to), host_side(p, c, from), (size_t)c->transfer.bytes);
        }
}

bool ses_readable(const ses_plan *p, gr_id tensor)
{
    return p->down[tensor] || p->host[tensor] || gr_elements(&p->graph.tensors[tensor]) == 0;
}

gr_tensor ses_actual(const ses_plan *p, gr_id tensor)
{
    gr_tensor t = p->graph.tensors[tensor];
    if (p->dims && p->dims[tensor]) memcpy(t.dims, p->dims[tensor], sizeof t.dims);
    return t;
}

const void *ses_host_data(const ses_plan *p, gr_id tensor)
{
    return p->down[tensor] ? NULL : p->host[tensor];
}

void ses_read(const ses_plan *p, gr_id tensor, int slot, void *data)
{
    const gr_tensor t = ses_actual(p, tensor);
    const ses_crossing *c = p->down[tensor];
    size_t bytes = (size_t)gr_bytes(&t);
    if (c)
        download(p, c, slot, &t, data);
    else if (bytes)
        memcpy(data, p->host[tensor], bytes);
}
