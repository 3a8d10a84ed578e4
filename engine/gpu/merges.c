/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/merges.h"

bool gpu_merge_is_free(const gpu_merger *m, gr_id node)
{
    const gpu_merge *merge = &m->b->merges[node];
    return m->kernel_of(m->user, node) && merge->into == GR_NONE && !merge->kernel;
}

static bool is_free(const gpu_merger *m, gr_id node, op_kind op)
{
    return node != GR_NONE && m->b->g->nodes[node].op == op && gpu_merge_is_free(m, node);
}

gr_id gpu_merge_maker(const gpu_merger *m, gr_id t, op_kind op)
{
    gr_id node = t == GR_NONE ? GR_NONE : m->uses.producer[t];
    return is_free(m, node, op) ? node : GR_NONE;
}

gr_id gpu_merge_reader(const gpu_merger *m, gr_id t, op_kind op)
{
    gr_id node = t != GR_NONE && m->uses.count[t] == 1 ? m->uses.reader[t] : GR_NONE;
    return is_free(m, node, op) ? node : GR_NONE;
}

vki_status gpu_plan_merges(gpu_builder *b, unsigned kinds, gpu_kernel_of kernel_of, const void *user,
                           vki_error *err)
{
    gpu_merger m = {.b = b, .kernel_of = kernel_of, .user = user};
    size_t count = (size_t)vkb_max(b->g->n_nodes, 1);
    b->merges = vkb_alloc(b->allocator, count * sizeof *b->merges);
    if (!b->merges) return vkb_nomem(err, count * sizeof *b->merges);
    for (size_t i = 0; i < count; i++) b->merges[i] = (gpu_merge){GR_NONE, NULL, GR_NONE};
    VKB_TRY(gr_uses_make(&m.uses, b->g, err));
    for (gr_id i = 0; i < b->g->n_nodes; i++) {
        if (kinds & GPU_MERGE_SEPARABLE) gpu_merge_separable(&m, i);
        if (kinds & GPU_MERGE_SHUFFLE) gpu_merge_shuffle(&m, i);
        if (kinds & GPU_MERGE_SQUEEZE) gpu_merge_squeeze(&m, i);
        if (kinds & GPU_MERGE_SQUEEZE) gpu_merge_gate(&m, i);
    }
    for (gr_id i = b->g->n_nodes - 1; i >= 0 && kinds & GPU_MERGE_CHAIN; i--) gpu_merge_chain(&m, i);
    gr_uses_free(&m.uses, b->g);
    for (gr_id i = 0; i < b->g->n_nodes; i++) { /* what is merged reads in ways of its own */
        const gr_node *n = &b->g->nodes[i];
        const bool merged = b->merges[i].into != GR_NONE || b->merges[i].kernel;
        for (int k = 0; k < n->n_in && merged; k++)
            if (n->in[k] != GR_NONE) b->readers[n->in[k]] |= GPU_READ_ANY;
    }
    return VKI_OK;
}
