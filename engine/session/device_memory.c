/* SPDX-License-Identifier: Apache-2.0
 * Where the buffers of a plan's dispatches lie in the device's arena: lifetimes, outputs in the place of
 * inputs, offsets. */
#include "session/session.h"

#include "graph/memplan.h"

static gpu_buf *root_of(gpu_program *program, int32_t buf)
{
    gpu_buf *b = &program->bufs[buf];
    return b->alias >= 0 ? &program->bufs[b->alias] : b;
}

static void touch(gpu_program *program, int32_t buf, int32_t at)
{
    gpu_buf *root = root_of(program, buf);
    if (root->last < 0) root->first = root->last = at;
    if (at < root->first) root->first = at;
    if (at > root->last) root->last = at;
}

/* On a unified device the host writes and reads the arena itself: inputs must survive all runs, outputs the
 * end of one. */
void ses_device_touch(ses_plan *p)
{
    bool unified = p->unified;
    gpu_program *program = &p->program;
    int32_t end = program->n_dispatches;
    gpu_program_lifetimes(program);
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        for (int i = 0; i < seg->n_uploads; i++) {
            int32_t buf = seg->uploads[i].transfer.buf;
            bool input = p->graph.tensors[seg->uploads[i].tensor].flags & GR_INPUT;
            touch(program, buf, seg->first_dispatch);
            if ((unified || ses_bond_of(p, seg->uploads[i].tensor)) && input)
                touch(program, buf, 0), touch(program, buf, end);
        }
        for (int i = 0; i < seg->n_downloads; i++) {
            bool stays = p->options->keep || p->graph.tensors[seg->downloads[i].tensor].flags & GR_OUTPUT;
            int32_t last = (int32_t)vkb_max(seg->first_dispatch, seg->first_dispatch + seg->n_dispatches - 1);
            touch(program, seg->downloads[i].transfer.buf, unified && stays ? end : last);
        }
    }
    for (int i = 0; i < p->n_bonds; i++)
        if (p->bonds[i].on_device) touch(program, p->bonds[i].from.buf, end);
}

/* Outputs in the place of inputs; what is copied to the host after a segment stays as it is until then. */
static vki_status share_places(ses_plan *p, vki_error *err)
{
    gpu_program *program = &p->program;
    if (!gr_pass_is_on(&pass_in_place, p->options->disable_passes)) return VKI_OK;
    bool *held = vkb_calloc(p->allocator, (size_t)program->n_bufs, sizeof *held);
    if (!held) return vkb_nomem(err, (uint64_t)program->n_bufs * sizeof *held);
    for (int s = 0; s < p->n_segments; s++)
        for (int i = 0; i < p->segments[s].n_downloads; i++)
            held[root_of(program, p->segments[s].downloads[i].transfer.buf) - program->bufs] = true;
    gpu_program_in_place(program, held);
    vkb_free(p->allocator, held);
    return VKI_OK;
}

vki_status ses_device_lifetimes(ses_plan *p, vki_error *err)
{
    ses_device_touch(p);
    return share_places(p, err);
}

static uint64_t align_of(const ses_plan *p)
{
    uint64_t align = p->model->context->limits->offset_align;
    return align > 64 ? align : 64;
}

/* What the arena is made of, in the order of the buffers. */
static vki_status list_items(const ses_plan *p, memplan_item **items, int *count, vki_error *err)
{
    const gpu_program *program = &p->program;
    *count = 0;
    *items = vkb_calloc(p->allocator, (size_t)program->n_bufs, sizeof **items);
    if (!*items) return vkb_nomem(err, (uint64_t)program->n_bufs * sizeof **items);
    for (int i = 0; i < program->n_bufs; i++) {
        const gpu_buf *b = &program->bufs[i];
        if (b->alias < 0 && b->last >= 0)
            (*items)[(*count)++] = (memplan_item){b->bytes, b->first, b->last, 0};
    }
    return VKI_OK;
}

vki_status ses_device_peak(const ses_plan *p, uint64_t *bytes, int32_t *step, vki_error *err)
{
    int count, steps = p->program.n_dispatches + 1;
    memplan_item *items;
    VKB_TRY(list_items(p, &items, &count, err));
    uint64_t *load = vkb_calloc(p->allocator, (size_t)steps, sizeof *load);
    if (load) *bytes = memplan_bound(items, count, align_of(p), steps, load, step);
    vkb_free(p->allocator, items);
    vkb_free(p->allocator, load);
    return load ? VKI_OK : vkb_nomem(err, (uint64_t)steps * sizeof *load);
}

vki_status ses_device_lay_out(ses_plan *p, vki_error *err)
{
    gpu_program *program = &p->program;
    int count;
    memplan_item *items;
    VKB_TRY(list_items(p, &items, &count, err));
    vki_status status =
        memplan_solve(items, count, align_of(p), p->allocator, &p->arena_bytes, &p->arena_lower_bound, err);
    count = 0;
    for (int i = 0; i < program->n_bufs && status == VKI_OK; i++) {
        gpu_buf *b = &program->bufs[i];
        if (b->alias < 0 && b->last >= 0) b->offset = items[count++].offset;
    }
    vkb_free(p->allocator, items);
    return status;
}
