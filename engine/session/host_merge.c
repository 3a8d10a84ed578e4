/* SPDX-License-Identifier: Apache-2.0
 * CPU kernels that do the work of two nodes. Mostly the first then is like a view: its output, which is never
 * made, counts as lying where its input lies, so that this lives until the second has read it. Of a mean it
 * is the second that has nothing left to do: its output is made with that of the first. */
#include "session/session.h"

static int32_t readers_of(const gr_graph *g, gr_id tensor)
{
    int32_t count = 0;
    for (gr_id i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i].n_in; k++) count += g->nodes[i].in[k] == tensor;
    return count;
}

/* The node of the segment that makes the tensor; GR_NONE if there is none before `end`. */
static gr_id maker_of(const ses_plan *p, const ses_segment *seg, gr_id end, gr_id tensor)
{
    for (gr_id i = end - 1; i >= seg->first; i--)
        for (int k = 0; k < p->graph.nodes[i].n_out; k++)
            if (p->graph.nodes[i].out[k] == tensor) return i;
    return GR_NONE;
}

/* A convolution that scales its weights instead of its input: the product's input 0 is what it reads. */
static bool merge_gate(ses_plan *p, gr_node *first, const gr_node *second)
{
    const int gate = p->options->half_math || !gr_pass_is_on(&pass_squeeze, p->options->disable_passes)
                         ? -1
                         : cpu_gate_of(&p->graph, first, second);
    if (gate == 0) {
        const gr_id x = first->in[1];
        first->in[1] = first->in[0];
        first->in[0] = x;
    }
    return gate >= 0;
}

static bool merge_expansion(const ses_plan *p, const gr_node *first, const gr_node *second)
{
    return gr_pass_is_on(&pass_expansion, p->options->disable_passes) &&
           cpu_expansion_fits(&p->graph, first, second);
}

static void merge(ses_plan *p, const ses_segment *seg, gr_id second)
{
    gr_graph *g = &p->graph;
    const gr_node *n = &g->nodes[second];
    if (n->op != OP_Conv || p->places[second].view || g->tensors[n->in[0]].flags & GR_OUTPUT) return;
    const gr_id first = maker_of(p, seg, second, n->in[0]);
    if (first == GR_NONE || p->places[first].view || p->places[first].before) return;
    if (readers_of(g, n->in[0]) != 1) return;
    ses_place *place = &p->places[first];
    if (merge_expansion(p, &g->nodes[first], n)) {
        place->merged = cpu_expansion.name;
        place->reason = "computed by the depthwise convolution that alone reads it, part by part";
    } else if (merge_gate(p, &g->nodes[first], n)) {
        place->merged = "conv_gate";
        place->reason = "the convolution that alone reads it scales its weights instead";
    }
    if (!place->merged) return;
    place->view = true;
    p->places[second].before = &g->nodes[first];
}

/* The mean of each channel of what a depthwise convolution makes, while that lies in a cache. */
static void merge_means(ses_plan *p, const ses_segment *seg, gr_id second)
{
    const gr_graph *g = &p->graph;
    const gr_node *n = &g->nodes[second];
    if (n->op != OP_GlobalAveragePool || p->places[second].view || p->options->half_math ||
        !gr_pass_is_on(&pass_squeeze, p->options->disable_passes))
        return;
    const gr_id first = maker_of(p, seg, second, n->in[0]);
    if (first == GR_NONE || p->places[first].view || p->places[first].after ||
        !cpu_means_fit(g, &g->nodes[first], n))
        return;
    p->places[first].after = n;
    p->places[second].view = true;
    p->places[second].merged = "conv_means";
    p->places[second].reason = "the convolution that makes its input adds that up, too";
}

void ses_host_merge(ses_plan *p)
{
    if (p->options->reference || p->options->keep) return;
    if (p->reserve)
        return; /* a smaller shape, whose tensors are not worth it, would take more than the largest */
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        for (gr_id i = seg->first; !seg->gpu && i < seg->first + seg->count; i++) {
            merge(p, seg, i);
            merge_means(p, seg, i);
        }
    }
}
