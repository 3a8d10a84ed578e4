/* SPDX-License-Identifier: Apache-2.0
 * The GPU's side of a plan: every GPU node emits its dispatches, tensors that cross between host and device
 * get transfers, the arena is laid out (device_memory.c), and the Vulkan runtime makes the rest. */
#include "session/session.h"

#include <string.h>

typedef struct device_state {
    ses_plan *p;
    gpu_builder builder;
    bool *on_device;   /* by tensor: has a device buffer with its value */
    bool *read_on_cpu; /* by tensor */
    bool *apart;       /* by node: its parts are copied, since that takes less memory */
    bool *shares;      /* by node: some of its parts are not copied */
    vki_error *err;
} device_state;

static vki_status add_crossing(device_state *s, ses_crossing **list, int *count, int *capacity, gr_id tensor,
                               gpu_layout layout, int32_t buf)
{
    ses_plan *p = s->p;
    if (buf < 0) return s->builder.failed;
    if (!VKB_GROW(p->allocator, *list, *capacity, *count + 1)) return vkb_nomem(s->err, sizeof **list);
    uint64_t bytes = gpu_layout_bytes(&p->graph.tensors[tensor], layout, p->options->half);
    (*list)[(*count)++] = (ses_crossing){tensor, {buf, p->staging_bytes, bytes}, layout};
    p->staging_bytes += vkb_round_up(bytes, 256);
    return VKI_OK;
}

/* Only kernels that want slices of channels read the tensor, or it under another type's name. */
static bool read_in_slices(const ses_plan *p, gr_id tensor, int depth)
{
    const gr_graph *g = &p->graph;
    int readers = 0;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] != tensor) continue;
            const char *family = op_family(n->op);
            bool windows =
                !strcmp(family, "conv2d") || !strcmp(family, "pool") || !strcmp(family, "conv_pool");
            bool named = n->op == OP_Cast && depth < 4 && read_in_slices(p, n->out[0], depth + 1);
            if (!p->places[i].gpu || k > 0 || !(windows || named)) return false;
            readers++;
        }
    }
    return readers > 0 && !(depth > 0 && g->tensors[tensor].flags & GR_OUTPUT);
}

/* An input is brought into slices by the copy from the host, where nobody wants it otherwise. */
static gpu_layout upload_layout(const ses_plan *p, gr_id tensor)
{
    const gr_tensor *t = &p->graph.tensors[tensor];
    bool slices = t->flags & GR_INPUT && !(t->flags & GR_OUTPUT) && t->rank == 4 && gpu_is_float(t->dtype) &&
                  !p->options->keep && gr_pass_is_on(&pass_input_slices, p->options->disable_passes);
    return slices && read_in_slices(p, tensor, 0) ? GPU_C4 : GPU_ROW;
}

static vki_status upload_inputs(device_state *s, ses_segment *seg, const gr_node *n)
{
    for (int i = 0; i < n->n_in; i++) {
        gr_id t = n->in[i];
        if (t == GR_NONE || s->on_device[t] || gr_is_const(&s->p->graph, t)) continue;
        gpu_layout layout = upload_layout(s->p, t);
        int32_t buf = layout == GPU_ROW ? gpu_tensor_buf(&s->builder, t, GPU_ROW)
                                        : gpu_make_buf(&s->builder, t, GPU_C4);
        VKB_TRY(add_crossing(s, &seg->uploads, &seg->n_uploads, &seg->cap_uploads, t, layout, buf));
        s->on_device[t] = true;
    }
    return VKI_OK;
}

/* What lies in slices of channels alone is brought into rows by the copy to the host, unless it stays on the
 * device as a state. */
static gpu_layout download_layout(const device_state *s, gr_id tensor)
{
    const ses_plan *p = s->p;
    bool slices = !gpu_has_layout(&s->builder, tensor, GPU_ROW) && s->builder.c4_buf[tensor] >= 0 &&
                  gr_pass_is_on(&pass_output_slices, p->options->disable_passes);
    for (int i = 0; i < p->n_bonds; i++) slices = slices && p->bonds[i].output != tensor;
    return slices ? GPU_C4 : GPU_ROW;
}

static vki_status download_outputs(device_state *s, ses_segment *seg, gr_id node)
{
    gr_graph *g = &s->p->graph;
    const gr_node *n = &g->nodes[node];
    s->builder.node = node; /* conversions for the host count as this node's */
    for (int i = 0; i < n->n_out; i++) {
        gr_id t = n->out[i];
        if (t == GR_NONE || !(s->read_on_cpu[t] || s->p->options->keep || g->tensors[t].flags & GR_OUTPUT))
            continue;
        gpu_layout layout = download_layout(s, t);
        int32_t buf = gpu_tensor_buf(&s->builder, t, layout);
        VKB_TRY(add_crossing(s, &seg->downloads, &seg->n_downloads, &seg->cap_downloads, t, layout, buf));
    }
    return VKI_OK;
}

static vki_status emit_segment(device_state *s, ses_segment *seg)
{
    ses_plan *p = s->p;
    seg->first_dispatch = p->program.n_dispatches;
    for (gr_id i = seg->first; i < seg->first + seg->count; i++) {
        const gr_node *n = &p->graph.nodes[i];
        s->builder.node = i;
        VKB_TRY(upload_inputs(s, seg, n));
        int first = p->program.n_dispatches;
        VKB_TRY(gpu_emit(&s->builder, i, p->places[i].kernel));
        VKB_TRY(gpu_split_long(&p->program, first, s->builder.limits, p->options->max_submit_us, p->allocator,
                               s->err));
        p->places[i].n_dispatches = p->program.n_dispatches - first;
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) s->on_device[n->out[k]] = true;
    }
    for (gr_id i = seg->first; i < seg->first + seg->count; i++) VKB_TRY(download_outputs(s, seg, i));
    seg->n_dispatches = p->program.n_dispatches - seg->first_dispatch;
    return VKI_OK;
}

/* What recording would count: for plans without a device. */
static vki_status count_beforehand(ses_plan *p, vki_error *err)
{
    p->pipelines = gpu_count_pipelines(&p->program);
    for (int i = 0; i < p->n_segments; i++)
        if (p->segments[i].gpu)
            VKB_TRY(gpu_count_barriers(&p->program, p->segments[i].first_dispatch,
                                       p->segments[i].n_dispatches, p->allocator, &p->barriers, err));
    return VKI_OK;
}

/* The lists that describe the plan to the Vulkan runtime. */
typedef struct description {
    vkr_segment *segments;
    vkr_transfer *transfers, *next;
    vkr_link *links;
    int n_segments, n_links;
} description;

/* A bond's input stays in the arena: where that is apart from the host, runs do not upload it. */
static void add_uploads(const ses_plan *p, description *d, vkr_segment *v, const ses_segment *seg, int slot)
{
    v->uploads = d->next;
    for (int i = 0; i < seg->n_uploads; i++) {
        const ses_bond *bond = ses_bond_of(p, seg->uploads[i].tensor);
        if (!bond || bond->segment < 0) d->next[v->n_uploads++] = ses_transfer_of(p, &seg->uploads[i], slot);
    }
    d->next += v->n_uploads;
}

/* A plan with several slots has one segment, told once a slot. */
static void describe_segments(const ses_plan *p, description *d, int slot)
{
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        if (!seg->gpu) continue;
        vkr_segment *v = &d->segments[d->n_segments++];
        *v = (vkr_segment){
            .first_dispatch = seg->first_dispatch, .n_dispatches = seg->n_dispatches, .again = slot > 0};
        add_uploads(p, d, v, seg, slot);
        v->downloads = d->next;
        v->n_downloads = seg->n_downloads;
        for (int i = 0; i < seg->n_downloads; i++) *d->next++ = ses_transfer_of(p, &seg->downloads[i], slot);
    }
}

/* The last segment carries the states; a segment of no dispatches uploads a new one. */
static void describe_bonds(const ses_plan *p, description *d)
{
    vkr_segment *last = &d->segments[d->n_segments - 1];
    last->links = d->links;
    for (int i = 0; i < p->n_bonds; i++) {
        const ses_bond *b = &p->bonds[i];
        if (!b->on_device) continue;
        d->links[last->n_links++] = (vkr_link){b->from.buf, b->to.buf, b->to.bytes};
        if (b->segment < 0) continue;
        d->segments[d->n_segments++] =
            (vkr_segment){.first_dispatch = p->program.n_dispatches, .uploads = d->next, .n_uploads = 1};
        *d->next++ = b->to;
    }
}

static vki_status make_device_plan(ses_plan *p, vki_error *err)
{
    size_t transfers = 0, bonds = (size_t)p->n_bonds, slots = (size_t)p->slots;
    for (int s = 0; s < p->n_segments; s++)
        transfers += (size_t)(p->segments[s].n_uploads + p->segments[s].n_downloads);
    transfers = transfers * slots + bonds;
    description d = {.segments =
                         vkb_calloc(p->allocator, (size_t)p->n_segments * slots + bonds, sizeof *d.segments),
                     .transfers = vkb_calloc(p->allocator, transfers, sizeof *d.transfers),
                     .links = vkb_calloc(p->allocator, bonds, sizeof *d.links)};
    vki_status status = d.segments && d.transfers && d.links
                            ? VKI_OK
                            : vkb_nomem(err, (uint64_t)transfers * sizeof *d.transfers);
    if (status == VKI_OK) {
        d.next = d.transfers;
        for (int slot = 0; slot < p->slots; slot++) describe_segments(p, &d, slot);
        describe_bonds(p, &d);
        vkr_plan_desc desc = {.g = &p->graph,
                              .program = &p->program,
                              .segments = d.segments,
                              .n_segments = d.n_segments,
                              .arena_bytes = p->arena_bytes,
                              .staging_bytes = p->staging_bytes,
                              .profile = p->options->profile,
                              .staged = !p->unified,
                              .memory = p->reserve ? p->reserve->device : NULL};
        status = vkr_plan_create(p->model->context->device, p->model->device_weights, &desc, &p->device, err);
    }
    if (status == VKI_OK) {
        vkr_plan_info info;
        vkr_plan_info_get(p->device, &info);
        p->barriers = info.barriers;
        p->pipelines = info.pipelines;
    }
    vkb_free(p->allocator, d.links);
    vkb_free(p->allocator, d.transfers);
    vkb_free(p->allocator, d.segments);
    return status;
}

static const gpu_kernel *kernel_of(const void *user, gr_id node)
{
    const ses_place *place = &((const ses_plan *)user)->places[node];
    return place->gpu ? place->kernel : NULL;
}

/* What concerns several nodes: tensors in parts of others, nodes in one dispatch. The latter make no tensors
 * between them, so not where all are to be kept. */
static vki_status plan_across_nodes(const ses_plan *p, gpu_builder *b, vki_error *err)
{
    const char *disable = p->options->disable_passes;
    unsigned kinds = (gr_pass_is_on(&pass_separable, disable) ? GPU_MERGE_SEPARABLE : 0u) |
                     (gr_pass_is_on(&pass_channel_shuffle, disable) ? GPU_MERGE_SHUFFLE : 0u) |
                     (gr_pass_is_on(&pass_chains, disable) ? GPU_MERGE_CHAIN : 0u) |
                     (gr_pass_is_on(&pass_squeeze, disable) ? GPU_MERGE_SQUEEZE : 0u);
    if (kinds && !p->options->keep) VKB_TRY(gpu_plan_merges(b, kinds, kernel_of, p, err));
    return gr_pass_is_on(&pass_views, disable) ? gpu_plan_slots(b, kernel_of, p, err) : VKI_OK;
}

static void forget_program(device_state *s)
{
    ses_plan *p = s->p;
    gpu_builder_free(&s->builder);
    gpu_program_free(&p->program, p->allocator);
    for (int i = 0; i < p->n_segments; i++) p->segments[i].n_uploads = p->segments[i].n_downloads = 0;
    memset(s->on_device, 0, (size_t)p->graph.n_tensors * sizeof *s->on_device);
    memset(s->shares, 0, (size_t)p->graph.n_nodes * sizeof *s->shares);
    p->staging_bytes = 0;
}

/* All dispatches and the lifetimes of their buffers, in place of those of an attempt before. */
static vki_status emit(void *state, uint64_t *bytes, int32_t *peak)
{
    device_state *s = state;
    ses_plan *p = s->p;
    forget_program(s);
    VKB_TRY(gpu_builder_init(&s->builder, &p->graph, p->model->context->limits, p->options->half, &p->program,
                             s->err));
    s->builder.apart = s->apart;
    s->builder.shares = s->shares;
    VKB_TRY(plan_across_nodes(p, &s->builder, s->err));
    for (int i = 0; i < p->n_segments; i++)
        if (p->segments[i].gpu) VKB_TRY(emit_segment(s, &p->segments[i]));
    p->slot_bytes = p->staging_bytes;
    p->staging_bytes = p->unified ? 0 : p->slot_bytes * (uint64_t)p->slots;
    ses_bonds_settle(p, s->read_on_cpu);
    VKB_TRY(ses_device_lifetimes(p, s->err));
    return ses_device_peak(p, bytes, peak, s->err);
}

/* The node's parts lie in a whole that is there at that dispatch. */
static bool matters(const void *state, gr_id node, int32_t step)
{
    const device_state *s = state;
    const gr_node *n = &s->p->graph.nodes[node];
    gr_id whole = n->op == OP_Concat ? n->out[0] : n->in[0];
    const int32_t bufs[] = {s->builder.row_buf[whole], s->builder.c4_buf[whole]};
    for (int i = 0; i < 2; i++) {
        if (bufs[i] < 0) continue;
        const gpu_buf *buf = &s->p->program.bufs[bufs[i]];
        if (buf->alias >= 0) buf = &s->p->program.bufs[buf->alias];
        if (buf->first <= step && step <= buf->last) return true;
    }
    return false;
}

static vki_status finish(device_state *s)
{
    ses_plan *p = s->p;
    const gpu_merge *merges = s->builder.merges;
    for (gr_id i = 0; merges && i < p->graph.n_nodes; i++) {
        if (merges[i].kernel) p->places[i].kernel = merges[i].kernel;
        if (merges[i].into != GR_NONE) p->places[i].reason = "computed by a later node's dispatch";
    }
    VKB_TRY(ses_device_order(p, s->err));
    for (int i = 0; i < p->n_segments; i++)
        if (p->segments[i].gpu)
            gpu_cut_submits(&p->program, p->segments[i].first_dispatch, p->segments[i].n_dispatches,
                            s->builder.limits, p->options->max_submit_us);
    p->dispatch_us = vkb_calloc(p->allocator, (size_t)p->program.n_dispatches, sizeof *p->dispatch_us);
    if (!p->dispatch_us) return vkb_nomem(s->err, (uint64_t)p->program.n_dispatches * sizeof *p->dispatch_us);
    for (int i = 0; i < p->n_segments; i++)
        for (int k = 0; k < p->segments[i].n_downloads; k++)
            p->down[p->segments[i].downloads[k].tensor] = &p->segments[i].downloads[k];
    return VKI_OK;
}

static bool has_device_work(const ses_plan *p)
{
    bool any = false;
    for (int i = 0; i < p->n_segments; i++) any |= p->segments[i].gpu;
    return any;
}

vki_status ses_device_plan(ses_plan *p, vki_error *err)
{
    const vki_allocator *a = p->allocator;
    size_t n = (size_t)p->graph.n_tensors, nodes = (size_t)p->graph.n_nodes;
    p->down = vkb_calloc(a, n, sizeof *p->down);
    if (!p->down) return vkb_nomem(err, n * sizeof *p->down);
    if (!has_device_work(p)) return VKI_OK;
    device_state s = {.p = p,
                      .err = err,
                      .on_device = vkb_calloc(a, n, sizeof *s.on_device),
                      .read_on_cpu = vkb_calloc(a, n, sizeof *s.read_on_cpu),
                      .apart = vkb_calloc(a, nodes, sizeof *s.apart),
                      .shares = vkb_calloc(a, nodes, sizeof *s.shares)};
    vki_status status = s.on_device && s.read_on_cpu && s.apart && s.shares ? VKI_OK : vkb_nomem(err, n);
    if (status == VKI_OK) {
        ses_find_cpu_reads(p, s.read_on_cpu);
        status = ses_settle_parts(&(ses_parts){.user = &s,
                                               .nodes = p->graph.n_nodes,
                                               .apart = s.apart,
                                               .shares = s.shares,
                                               .most_tries = 16,
                                               .measure = emit,
                                               .matters = matters});
    }
    if (status == VKI_OK) status = finish(&s);
    vkb_free(a, s.on_device);
    vkb_free(a, s.read_on_cpu);
    vkb_free(a, s.apart);
    vkb_free(a, s.shares);
    gpu_builder_free(&s.builder);
    return status;
}

vki_status ses_device_make(ses_plan *p, vki_error *err)
{
    if (!has_device_work(p)) return VKI_OK;
    return p->model->context->device ? make_device_plan(p, err) : count_beforehand(p, err);
}
