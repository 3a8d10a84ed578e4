/* SPDX-License-Identifier: Apache-2.0
 * Running a plan. Nothing here allocates, records or creates. */
#include "session/session.h"

#include <string.h>

/* Device tensors hold fp32, or fp16 in half plans; host tensors their own float type. */
static void to_device(void *device, const void *host, const gr_tensor *t, bool half)
{
    size_t n = (size_t)gr_elements(t);
    if (t->dtype == VKI_F64) {
        const double *from = host;
        for (size_t i = 0; i < n && half; i++) ((uint16_t *)device)[i] = vkb_f32_to_f16((float)from[i]);
        for (size_t i = 0; i < n && !half; i++) ((float *)device)[i] = (float)from[i];
    } else if (half == (t->dtype == VKI_F16)) {
        memcpy(device, host, n * (half ? 2 : 4));
    } else if (half) {
        vkb_f32_to_f16_n(device, host, n);
    } else {
        vkb_f16_to_f32_n(device, host, n);
    }
}

static void from_device(void *host, const void *device, const gr_tensor *t, bool half)
{
    size_t n = (size_t)gr_elements(t);
    if (t->dtype == VKI_F64) {
        double *to = host;
        for (size_t i = 0; i < n && half; i++) to[i] = vkb_f16_to_f32(((const uint16_t *)device)[i]);
        for (size_t i = 0; i < n && !half; i++) to[i] = ((const float *)device)[i];
    } else if (half == (t->dtype == VKI_F16)) {
        memcpy(host, device, n * (half ? 2 : 4));
    } else if (half) {
        vkb_f16_to_f32_n(host, device, n);
    } else {
        vkb_f32_to_f16_n(host, device, n);
    }
}

static void upload(const ses_plan *p, const ses_crossing *c, const void *host)
{
    to_device(vkr_plan_host(p->device, &c->transfer), host, &p->graph.tensors[c->tensor], p->options->half);
}

static vki_status run_on_device(ses_plan *p, const ses_segment *seg, int index, uint64_t timeout_ns,
                                vki_error *err)
{
    for (int i = 0; i < seg->n_uploads; i++)
        if (!(p->graph.tensors[seg->uploads[i].tensor].flags & GR_INPUT))
            upload(p, &seg->uploads[i], p->host[seg->uploads[i].tensor]);
    VKB_TRY(vkr_plan_run(p->device, index, timeout_ns, err));
    for (int i = 0; i < seg->n_downloads; i++) {
        const ses_crossing *c = &seg->downloads[i];
        if (p->host[c->tensor])
            from_device(p->host[c->tensor], vkr_plan_host(p->device, &c->transfer),
                        &p->graph.tensors[c->tensor], p->options->half);
    }
    return VKI_OK;
}

static void run_step(ses_plan *p, ses_step *step, vkb_pool *pool)
{
    if (p->places[step->node].view) return;
    double start = p->options->profile ? vkb_now_ms() : 0;
    cpu_call call = step->call;
    call.pool = pool;
    call.scratch = p->scratch;
    if (step->kernel)
        step->kernel->run(&call);
    else
        cpu_op_of(call.n->op)->reference(&call);
    if (p->options->profile) step->us = (vkb_now_ms() - start) * 1e3;
}

vki_status ses_run(ses_plan *p, vkb_pool *pool, uint64_t timeout_ns, vki_error *err)
{
    ses_step *step = p->steps;
    int device_index = 0;
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        if (seg->gpu) {
            VKB_TRY(run_on_device(p, seg, device_index++, timeout_ns, err));
        } else {
            for (int i = 0; i < seg->count; i++) run_step(p, step++, pool);
        }
    }
    return VKI_OK;
}

void ses_write_input(ses_plan *p, gr_id tensor, const void *data)
{
    if (p->host[tensor]) memcpy(p->host[tensor], data, (size_t)gr_bytes(&p->graph.tensors[tensor]));
    for (int s = 0; s < p->n_segments; s++)
        for (int i = 0; i < p->segments[s].n_uploads; i++)
            if (p->segments[s].uploads[i].tensor == tensor) upload(p, &p->segments[s].uploads[i], data);
}

bool ses_readable(const ses_plan *p, gr_id tensor)
{
    return p->down[tensor] || p->host[tensor];
}

void ses_read(const ses_plan *p, gr_id tensor, void *data)
{
    const gr_tensor *t = &p->graph.tensors[tensor];
    const ses_crossing *c = p->down[tensor];
    if (c)
        from_device(data, vkr_plan_host(p->device, &c->transfer), t, p->options->half);
    else
        memcpy(data, p->host[tensor], (size_t)gr_bytes(t));
}
