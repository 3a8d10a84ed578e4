/* SPDX-License-Identifier: Apache-2.0
 * Concat, Split and Slice without copies, where a part is one stretch of the whole's memory that begins at an
 * offset a binding may have. What a Concat joins is made in its place by whoever makes it; what Split and
 * Slice cut out is read where it lies. Lifetimes are those of the whole (gpu_program_lifetimes). */
#include "gpu/strided.h"

#include "graph/ops/strided.h"

/* Whether copy i of the node moves one stretch onto one stretch; if so, their offsets in bytes. */
static bool stretch_of(const gpu_builder *b, const gr_node *n, int i, gpu_layout layout, uint64_t *from,
                       uint64_t *to)
{
    op_strided s;
    uint64_t element = gpu_element_bytes(b->g->tensors[n->out[0]].dtype, b->half);
    if (!op_strided_of(b->g, n, i, layout == GPU_C4 ? 4 : 1, &s) || s.elements == 0) return false;
    if (s.rank != 1 || s.src[0] != 1 || s.dst[0] != 1) return false;
    if (layout == GPU_C4) element *= 4;
    *from = (uint64_t)s.src_offset * element;
    *to = (uint64_t)s.dst_offset * element;
    return true;
}

static int32_t buf_of(const gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    return layout == GPU_C4 ? b->c4_buf[tensor] : b->row_buf[tensor];
}

typedef struct planner {
    const gpu_builder *b;
    gr_uses uses;
    gpu_kernel_of kernel_of;
    const void *user;
} planner;

/* What emits the node; NULL: not on the device, or merged into another. */
static const gpu_kernel *emitter_of(const planner *p, gr_id node)
{
    const gpu_kernel *k = p->kernel_of(p->user, node);
    const gpu_merge *m = p->b->merges ? &p->b->merges[node] : NULL;
    if (!k || !m) return k;
    return m->into != GR_NONE ? NULL : m->kernel ? m->kernel : k;
}

/* The tensor whose memory t will be in rows: t, or what it is a view of; GR_NONE if it comes from elsewhere.
 */
static gr_id source_of(const planner *p, gr_id t)
{
    for (;;) {
        gr_id maker = p->uses.producer[t];
        const gpu_kernel *k = maker == GR_NONE ? NULL : emitter_of(p, maker);
        if (!k || k->emit != gpu_alias) return k ? t : GR_NONE;
        t = p->b->g->nodes[maker].in[0];
    }
}

static bool is_apart(const gpu_builder *b, gr_id node)
{
    return b->apart && b->apart[node];
}

static bool note_share(const gpu_builder *b, gr_id node, bool shared)
{
    if (shared && b->shares) b->shares[node] = true;
    return shared;
}

static void plan_parts(const planner *p, gpu_slot *slots, gr_id concat, gpu_layout layout)
{
    const gr_graph *g = p->b->g;
    const gr_node *n = &g->nodes[concat];
    if (is_apart(p->b, concat)) return;
    for (int i = 0; i < n->n_in; i++) {
        uint64_t from, to;
        gr_id t = layout == GPU_C4 ? n->in[i] : source_of(p, n->in[i]);
        if (t == GR_NONE || gr_is_const(g, t) || g->tensors[t].flags & GR_INPUT) continue;
        if (p->uses.producer[t] == GR_NONE || slots[t].concat != GR_NONE) continue;
        if (stretch_of(p->b, n, i, layout, &from, &to) && to % p->b->limits->offset_align == 0)
            slots[t] = (gpu_slot){concat, i, layout};
    }
}

vki_status gpu_plan_slots(gpu_builder *b, gpu_kernel_of kernel_of, const void *user, vki_error *err)
{
    planner p = {.b = b, .kernel_of = kernel_of, .user = user};
    size_t count = (size_t)vkb_max(b->g->n_tensors, 1);
    b->slots = vkb_alloc(b->allocator, count * sizeof *b->slots);
    if (!b->slots) return vkb_nomem(err, count * sizeof *b->slots);
    for (size_t t = 0; t < count; t++) b->slots[t].concat = GR_NONE;
    VKB_TRY(gr_uses_make(&p.uses, b->g, err));
    for (gr_id i = 0; i < b->g->n_nodes; i++) {
        const gpu_kernel *k = b->g->nodes[i].op == OP_Concat ? emitter_of(&p, i) : NULL;
        if (k) plan_parts(&p, b->slots, i, k == &gpu_strided_kernels[0] ? GPU_C4 : GPU_ROW);
    }
    gr_uses_free(&p.uses, b->g);
    return VKI_OK;
}

int32_t gpu_slot_buf(gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    const gpu_slot *slot = b->slots ? &b->slots[tensor] : NULL;
    uint64_t from, to;
    if (!slot || slot->concat == GR_NONE) return -1;
    if (slot->layout != layout && !gpu_layouts_agree(&b->g->tensors[tensor])) return -1;
    const gr_node *n = &b->g->nodes[slot->concat];
    if (!stretch_of(b, n, slot->part, slot->layout, &from, &to)) return -1;
    int32_t whole = buf_of(b, n->out[0], slot->layout);
    if (whole < 0) whole = gpu_make_buf(b, n->out[0], slot->layout);
    return whole < 0 ? -1 : gpu_make_alias(b, tensor, layout, whole, to);
}

static bool same_place(const gpu_program *p, int32_t part, int32_t whole, uint64_t at)
{
    const gpu_buf *a = &p->bufs[part], *w = &p->bufs[whole];
    return a->alias >= 0 && a->alias == (w->alias >= 0 ? w->alias : whole) && a->at == w->at + at;
}

bool gpu_in_place(gpu_builder *b, const gr_node *concat, int i, gpu_layout layout)
{
    uint64_t from, to;
    if (b->failed || gr_is_const(b->g, concat->in[i])) return false;
    int32_t part = gpu_tensor_buf(b, concat->in[i], layout); /* a conversion goes to the slot, too */
    int32_t whole = buf_of(b, concat->out[0], layout);
    bool shared = whole >= 0 && part >= 0 && stretch_of(b, concat, i, layout, &from, &to) &&
                  same_place(b->program, part, whole, to);
    return note_share(b, b->node, shared);
}

/* In slices the unused lanes behind the last channel must be unused ones of the source too. */
static bool ends_well(const gr_tensor *whole, const gr_tensor *part, gpu_layout layout, uint64_t end,
                      bool half)
{
    return layout == GPU_ROW || part->dims[1] % 4 == 0 || end == gpu_layout_bytes(whole, layout, half);
}

bool gpu_part_view(gpu_builder *b, const gr_node *n, int i, gpu_layout layout)
{
    uint64_t from, to;
    if (b->failed || gr_is_const(b->g, n->in[0]) || is_apart(b, b->node)) return false;
    if (!stretch_of(b, n, i, layout, &from, &to)) return false;
    const gr_tensor *whole = &b->g->tensors[n->in[0]], *part = &b->g->tensors[n->out[i]];
    uint64_t end = from + gpu_layout_bytes(part, layout, b->half);
    if (from % b->limits->offset_align || !ends_well(whole, part, layout, end, b->half)) return false;
    int32_t source = gpu_tensor_buf(b, n->in[0], layout);
    return note_share(b, b->node, source >= 0 && gpu_make_alias(b, n->out[i], layout, source, from) >= 0);
}
