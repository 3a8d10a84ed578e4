/* SPDX-License-Identifier: Apache-2.0
 * Where the tensors that the host keeps lie in its arena: views, parts in their wholes, outputs in the place
 * of inputs, and the rest by lifetime. The scratch of each kernel lies there too, for as long as it runs. */
#include "session/session.h"

#include <string.h>

#include "graph/memplan.h"
#include "graph/ops/strided.h"

enum { MEMORY_ALIGN = 64 };

typedef struct host_tensor {
    gr_id
        root; /* the tensor that this one lies in: itself, a view's source, the whole that it is a part of */
    uint64_t at; /* bytes from the start of that */
    bool needed;
    int32_t first, last; /* of roots: node indices */
} host_tensor;

typedef struct host_memory {
    ses_plan *p;
    host_tensor *t;    /* by tensor */
    bool *read_on_cpu; /* by tensor */
    bool *apart;       /* by node: its parts are copied, since that takes less memory */
    bool *shares;      /* by node: its parts are not copied */
    gr_uses uses;
    memplan_item *items;
    uint64_t *load;
    int n_items;
} host_memory;

/* Whose memory it is in the end, and at which offset (may be NULL). */
static gr_id root_at(const host_tensor *t, gr_id id, uint64_t *at)
{
    uint64_t sum = 0;
    for (; t[id].root != id; id = t[id].root) sum += t[id].at;
    if (at) *at = sum;
    return id;
}

static gr_id root_of(const host_tensor *t, gr_id id)
{
    return root_at(t, id, NULL);
}

/* Constants, and views of them, have an address already and need no memory of the plan's. */
static void touch(const host_memory *m, gr_id id, int32_t at)
{
    gr_id memory = root_of(m->t, id);
    if (m->p->host[memory]) return;
    host_tensor *root = &m->t[memory];
    root->needed = true;
    if (at < root->first) root->first = at;
    if (at > root->last) root->last = at;
}

static void touch_uploads(const host_memory *m, const ses_segment *s, int32_t at)
{
    for (int i = 0; i < s->n_uploads; i++)
        if (!(m->p->graph.tensors[s->uploads[i].tensor].flags & GR_INPUT)) touch(m, s->uploads[i].tensor, at);
}

/* A download matters to the host arena only if a CPU node reads it; graph outputs are read from device
 * memory. */
static void touch_downloads(const host_memory *m, const ses_segment *s, int32_t at)
{
    for (int i = 0; i < s->n_downloads; i++)
        if (m->read_on_cpu[s->downloads[i].tensor]) touch(m, s->downloads[i].tensor, at);
}

static bool is_on(const ses_plan *p, const gr_pass *pass)
{
    return !p->options->reference && gr_pass_is_on(pass, p->options->disable_passes);
}

/* What a view shows, and what Split and Slice cut out in one stretch, lies in the input. */
static void share_memory(const host_memory *m, gr_id i)
{
    ses_plan *p = m->p;
    const gr_node *n = &p->graph.nodes[i];
    bool cuts = is_on(p, &pass_views) && !m->apart[i] && (n->op == OP_Split || n->op == OP_Slice);
    uint64_t from = 0, to;
    if (n->op == OP_GlobalAveragePool) return; /* made with its input */
    for (int k = 0; k < (p->places[i].view ? 1 : n->n_out); k++) {
        if (n->out[k] == GR_NONE) continue;
        if (!p->places[i].view && !(cuts && op_strided_stretch(&p->graph, n, k, &from, &to))) continue;
        m->shares[i] = !p->places[i].view;
        m->t[n->out[k]].root = n->in[0];
        m->t[n->out[k]].at = from;
        char *source = p->host[n->in[0]];
        p->host[n->out[k]] = source ? source + from : NULL;
    }
}

static ses_step *step_of(const ses_plan *p, gr_id node)
{
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].node == node) return &p->steps[i];
    return NULL;
}

/* Input k of a Concat, a view of all of `part` or `part` itself, is planes that go some way apart, and
 * nothing else reads them: the step that makes them, if its kernel can put them there, and where: *to, in
 * bytes. */
static ses_step *spreader_of(const host_memory *m, const gr_node *concat, int k, gr_id part, uint64_t *to,
                             int64_t *plane_step)
{
    const ses_plan *p = m->p;
    const gr_graph *g = &p->graph;
    const gr_uses *u = &m->uses;
    const gr_id view = concat->in[k], maker = u->producer[part];
    const gr_tensor *t = &g->tensors[part];
    op_strided s;
    if (p->options->keep || maker == GR_NONE || t->rank < 3 || u->reader[view] == GR_NONE ||
        u->reader[part] == GR_NONE)
        return NULL;
    const gr_id between = u->reader[part]; /* the Concat, or the view that it reads */
    if (view != part && (p->places[between].gpu || g->nodes[between].out[0] != view)) return NULL;
    if (!op_strided_of(g, concat, k, 1, &s) || s.rank != 2 || s.src[0] != s.dims[1]) return NULL;
    const int64_t channels = t->dims[0] * t->dims[1];
    const bool planes = s.dims[0] == channels && s.dims[0] * s.dims[1] == gr_elements(t) && s.src[1] == 1 &&
                        s.dst[1] == 1 && s.dst[0] <= CPU_MOST_SPREAD;
    ses_step *step = planes ? step_of(p, maker) : NULL;
    if (!step || !cpu_is_pointwise(step->kernel) || g->nodes[maker].epilogue.residual != GR_RESIDUAL_NONE)
        return NULL;
    *to = (uint64_t)s.dst_offset * vki_dtype_size(t->dtype);
    *plane_step = s.dst[0];
    return step;
}

/* What a Concat joins is made in its place, if it has memory of its own and no other place yet. */
static void place_parts(const host_memory *m, gr_id i)
{
    const ses_plan *p = m->p;
    const gr_graph *g = &p->graph;
    const gr_node *n = &g->nodes[i];
    for (int k = 0; k < n->n_in && is_on(p, &pass_views) && !m->apart[i]; k++) {
        uint64_t from, to, at;
        gr_id part = root_at(m->t, n->in[k], &at);
        const gr_tensor *whole = &g->tensors[part];
        bool own = !p->host[part] && !(whole->flags & GR_INPUT) && root_of(m->t, n->out[0]) != part;
        if (!own || at || gr_bytes(whole) != gr_bytes(&g->tensors[n->in[k]])) continue;
        if (!op_strided_stretch(g, n, k, &from, &to)) {
            int64_t plane_step;
            ses_step *step = spreader_of(m, n, k, part, &to, &plane_step);
            if (!step) continue;
            step->plane_step = plane_step;
        }
        m->shares[i] = true;
        m->t[part].root = n->out[0];
        m->t[part].at = to;
    }
}

static void touch_cpu_node(const host_memory *m, gr_id i)
{
    const gr_node *n = &m->p->graph.nodes[i], *before = m->p->places[i].before,
                  *after = m->p->places[i].after;
    if (after) touch(m, after->out[0], i);
    for (int k = 0; before && k < before->n_in; k++)
        if (before->in[k] != GR_NONE) touch(m, before->in[k], i);
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] != GR_NONE) touch(m, n->in[k], i);
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] != GR_NONE) touch(m, n->out[k], i);
}

static void touch_segments(const host_memory *m)
{
    const ses_plan *p = m->p;
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        if (seg->gpu) {
            touch_uploads(m, seg, seg->first);
            touch_downloads(m, seg, seg->first + seg->count - 1);
        } else {
            for (gr_id i = seg->first; i < seg->first + seg->count; i++) touch_cpu_node(m, i);
        }
    }
}

/* An input keeps its value between runs; an output stays until the next run. */
static void touch_ends(const host_memory *m)
{
    const ses_plan *p = m->p;
    const gr_graph *g = &p->graph;
    int32_t end = g->n_nodes;
    for (int i = 0; i < g->n_inputs; i++) {
        const gr_tensor *in = &g->tensors[g->inputs[i]];
        if (m->read_on_cpu[g->inputs[i]] || in->flags & GR_OUTPUT || p->options->keep) {
            touch(m, g->inputs[i], -1);
            touch(m, g->inputs[i], end);
        }
    }
    for (gr_id i = 0; i < g->n_tensors; i++) {
        bool stays = g->tensors[i].flags & GR_OUTPUT || p->options->keep;
        if (stays && m->t[root_of(m->t, i)].needed) touch(m, i, end);
    }
}

/* Everything of the node that lies in the memory `root` is all of that, and the kernel takes it in place. */
static bool may_overwrite(const host_memory *m, const ses_step *step, gr_id root)
{
    const gr_graph *g = &m->p->graph;
    const gr_node *n = &g->nodes[step->node];
    for (int k = 0; k < n->n_in; k++) {
        uint64_t at;
        if (n->in[k] == GR_NONE || root_at(m->t, n->in[k], &at) != root) continue;
        if (at || !cpu_in_place(g, n, step->kernel, k)) return false;
    }
    return true;
}

/* Output 0 takes the place of an input that is read for the last time. */
static void take_place(const host_memory *m, const ses_step *step)
{
    const ses_plan *p = m->p;
    const gr_node *n = &p->graph.nodes[step->node];
    gr_id out = n->n_out ? n->out[0] : GR_NONE;
    if (p->places[step->node].view || out == GR_NONE || m->t[out].root != out) return;
    host_tensor *y = &m->t[out];
    for (int k = 0; k < n->n_in && y->first == step->node; k++) {
        if (n->in[k] == GR_NONE || !cpu_in_place(&p->graph, n, step->kernel, k)) continue;
        gr_id root = root_of(m->t, n->in[k]);
        host_tensor *x = &m->t[root];
        if (!x->needed || root == out || x->last != step->node) continue;
        if (gr_bytes(&p->graph.tensors[root]) != gr_bytes(&p->graph.tensors[out])) continue;
        if (!may_overwrite(m, step, root)) continue;
        y->root = root;
        y->at = 0;
        y->needed = false;
        x->last = y->last;
        return;
    }
}

static void find_lifetimes(const host_memory *m)
{
    ses_plan *p = m->p;
    const gr_graph *g = &p->graph;
    for (gr_id i = 0; i < g->n_tensors; i++) {
        m->t[i] = (host_tensor){.root = i, .first = INT32_MAX, .last = -1};
        p->host[i] = (void *)(uintptr_t)g->tensors[i].data;
    }
    memset(m->shares, 0, (size_t)g->n_nodes * sizeof *m->shares);
    for (int i = 0; i < p->n_steps; i++) p->steps[i].plane_step = 0;
    for (gr_id i = 0; i < g->n_nodes; i++)
        if (!p->places[i].gpu) share_memory(m, i);
    for (gr_id i = 0; i < g->n_nodes; i++)
        if (!p->places[i].gpu && g->nodes[i].op == OP_Concat) place_parts(m, i);
    touch_segments(m);
    touch_ends(m);
    for (int i = 0; i < p->n_steps && is_on(p, &pass_in_place); i++) take_place(m, &p->steps[i]);
}

/* The items for the planner, the scratch of single nodes behind the tensors; what lives together at most, and
 * when. */
static vki_status measure(void *memory, uint64_t *bytes, int32_t *peak)
{
    host_memory *m = memory;
    const gr_graph *g = &m->p->graph;
    find_lifetimes(m);
    m->n_items = 0;
    for (gr_id i = 0; i < g->n_tensors; i++)
        if (m->t[i].root == i && m->t[i].needed)
            m->items[m->n_items++] =
                (memplan_item){gr_bytes(&g->tensors[i]), m->t[i].first + 1, m->t[i].last + 1, 0};
    for (int i = 0; i < m->p->n_steps; i++) {
        const ses_step *step = &m->p->steps[i];
        if (step->prep && step->prep->scratch_bytes)
            m->items[m->n_items++] =
                (memplan_item){step->prep->scratch_bytes, step->node + 1, step->node + 1, 0};
    }
    *bytes = memplan_bound(m->items, m->n_items, MEMORY_ALIGN, g->n_nodes + 2, m->load, peak);
    return VKI_OK;
}

/* The node's parts lie in a whole that is there at that step. */
static bool matters(const void *memory, gr_id node, int32_t step)
{
    const host_memory *m = memory;
    const gr_node *n = &m->p->graph.nodes[node];
    const host_tensor *whole = &m->t[root_of(m->t, n->op == OP_Concat ? n->out[0] : n->in[0])];
    return whole->needed && whole->first + 1 <= step && step <= whole->last + 1;
}

static vki_status lay_out(host_memory *m, vki_error *err)
{
    ses_plan *p = m->p;
    const gr_graph *g = &p->graph;
    VKB_TRY(memplan_solve(m->items, m->n_items, MEMORY_ALIGN, p->allocator, &p->host_bytes,
                          &p->host_lower_bound, err));
    int count = 0;
    for (gr_id i = 0; i < g->n_tensors; i++) p->host_at[i] = SES_NOWHERE;
    for (gr_id i = 0; i < g->n_tensors; i++)
        if (m->t[i].root == i && m->t[i].needed) p->host_at[i] = m->items[count++].offset;
    for (int i = 0; i < p->n_steps; i++) {
        ses_step *step = &p->steps[i];
        bool has = step->prep && step->prep->scratch_bytes;
        step->scratch_at = has ? m->items[count++].offset : SES_NOWHERE;
    }
    for (gr_id i = 0; i < g->n_tensors; i++) {
        uint64_t at, root = p->host_at[root_at(m->t, i, &at)];
        if (!p->host[i] && m->t[i].root != i && root != SES_NOWHERE) p->host_at[i] = root + at;
    }
    p->host_needed = count > 0; /* of no bytes, too: all of them have an address */
    return VKI_OK;
}

vki_status ses_host_lay_out(ses_plan *p, vki_error *err)
{
    const vki_allocator *a = p->allocator;
    size_t tensors = (size_t)p->graph.n_tensors, nodes = (size_t)p->graph.n_nodes;
    host_memory m = {.p = p,
                     .t = vkb_calloc(a, tensors, sizeof *m.t),
                     .read_on_cpu = vkb_calloc(a, tensors, sizeof *m.read_on_cpu),
                     .apart = vkb_calloc(a, nodes, sizeof *m.apart),
                     .shares = vkb_calloc(a, nodes, sizeof *m.shares),
                     .items = vkb_calloc(a, tensors + nodes, sizeof *m.items),
                     .load = vkb_calloc(a, nodes + 2, sizeof *m.load)};
    bool have = m.t && m.read_on_cpu && m.apart && m.shares && m.items && m.load;
    vki_status status = have ? VKI_OK : vkb_nomem(err, tensors * sizeof *m.t);
    if (have) status = gr_uses_make(&m.uses, &p->graph, err);
    if (status == VKI_OK) {
        ses_find_cpu_reads(p, m.read_on_cpu);
        status = ses_settle_parts(&(ses_parts){.user = &m,
                                               .nodes = p->graph.n_nodes,
                                               .apart = m.apart,
                                               .shares = m.shares,
                                               .most_tries = 64,
                                               .measure = measure,
                                               .matters = matters});
    }
    if (status == VKI_OK) status = lay_out(&m, err);
    gr_uses_free(&m.uses, &p->graph);
    vkb_free(a, m.t);
    vkb_free(a, m.read_on_cpu);
    vkb_free(a, m.apart);
    vkb_free(a, m.shares);
    vkb_free(a, m.items);
    vkb_free(a, m.load);
    return status;
}

/* From the reserve, if it has as much. */
static vki_status get_memory(const ses_plan *p, uint64_t bytes, void *reserved, uint64_t reserved_bytes,
                             void **out, vki_error *err)
{
    if (reserved && bytes <= reserved_bytes)
        *out = reserved;
    else
        *out = bytes <= SIZE_MAX ? vkb_alloc(p->allocator, (size_t)bytes) : NULL;
    return *out ? VKI_OK : vkb_nomem(err, bytes);
}

vki_status ses_host_bind(ses_plan *p, vki_error *err)
{
    const ses_reserve none = {0}, *r = p->reserve ? p->reserve : &none;
    if (p->host_needed) VKB_TRY(get_memory(p, p->host_bytes, r->host, r->host_bytes, &p->host_arena, err));
    for (gr_id i = 0; i < p->graph.n_tensors; i++)
        if (p->host_at[i] != SES_NOWHERE) p->host[i] = (char *)p->host_arena + p->host_at[i];
    return VKI_OK;
}
