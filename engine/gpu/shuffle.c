/* SPDX-License-Identifier: Apache-2.0
 * Channel shuffle (Zhang et al., ShuffleNet, 2018), spelled as Reshape, Transpose, Reshape: one dispatch,
 * with the Concat before it and the Split or the two Slices after it. */
#include "gpu/merges.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"

typedef struct shuffle {
    gr_id reshape, transpose; /* nodes before the last Reshape */
    gr_id concat;             /* GR_NONE: one source */
    gr_id parts[2]; /* nodes that cut the result, the same twice for Split; GR_NONE: it stays whole */
    gr_id source[2], result[2];
    int64_t groups, channels, a_channels, cut; /* cut == channels: whole */
} shuffle;

/* The Reshape divides the channels of x into groups. */
static bool makes_groups(const gr_tensor *x, const gr_tensor *grouped)
{
    return x->rank >= 2 && grouped->rank >= 3 && grouped->dims[0] == x->dims[0] &&
           grouped->dims[1] * grouped->dims[2] == x->dims[1] && grouped->dims[1] > 1 && grouped->dims[1] < 64;
}

static bool is_channel_axis(const gr_graph *g, const gr_node *n)
{
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
    return axis == 1 || axis == 1 - g->tensors[n->in[0]].rank;
}

static void find_sources(const gpu_merger *m, gr_id x, shuffle *s)
{
    const gr_graph *g = m->b->g;
    gr_id concat = gpu_merge_maker(m, x, OP_Concat);
    s->concat = GR_NONE;
    s->source[0] = s->source[1] = x;
    s->a_channels = s->channels;
    if (concat == GR_NONE || gpu_merge_reader(m, x, OP_Reshape) == GR_NONE) return;
    const gr_node *n = &g->nodes[concat];
    if (n->n_in != 2 || !is_channel_axis(g, n) || gr_is_const(g, n->in[0]) || gr_is_const(g, n->in[1]))
        return;
    s->concat = concat;
    s->source[0] = n->in[0];
    s->source[1] = n->in[1];
    s->a_channels = g->tensors[n->in[0]].dims[1];
}

/* The Slice takes the channels from *start on and nothing less of the other dimensions. */
static bool cuts_channels(const gr_graph *g, const gr_node *n, int64_t *start)
{
    int64_t starts[GR_MAX_RANK], steps[GR_MAX_RANK];
    const gr_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    if (!op_slice_of(g, n, starts, steps) || steps[1] != 1) return false;
    for (int d = 0; d < x->rank; d++)
        if (d != 1 && (starts[d] != 0 || steps[d] != 1 || x->dims[d] != y->dims[d])) return false;
    *start = starts[1];
    return true;
}

/* Nodes that read t, if they are `count` Slices or Splits on the device. */
static bool cutters_of(const gpu_merger *m, gr_id t, int count, gr_id *out)
{
    const gr_graph *g = m->b->g;
    int found = 0;
    if (m->uses.count[t] != count || g->tensors[t].flags & GR_OUTPUT) return false;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        if (n->n_in < 1 || n->in[0] != t || (n->op != OP_Slice && n->op != OP_Split)) continue;
        if (found < count && m->kernel_of(m->user, i)) out[found++] = i;
    }
    return found == count;
}

static bool find_split(const gpu_merger *m, gr_id y, shuffle *s)
{
    const gr_graph *g = m->b->g;
    gr_id node;
    if (!cutters_of(m, y, 1, &node)) return false;
    const gr_node *n = &g->nodes[node];
    if (n->op != OP_Split || n->n_out != 2 || !is_channel_axis(g, n)) return false;
    if (n->out[0] == GR_NONE || n->out[1] == GR_NONE) return false;
    s->parts[0] = s->parts[1] = node;
    s->result[0] = n->out[0];
    s->result[1] = n->out[1];
    s->cut = g->tensors[n->out[0]].dims[1];
    return true;
}

static bool find_slices(const gpu_merger *m, gr_id y, shuffle *s)
{
    const gr_graph *g = m->b->g;
    gr_id node[2];
    int64_t start[2];
    if (!cutters_of(m, y, 2, node)) return false;
    for (int i = 0; i < 2; i++)
        if (g->nodes[node[i]].op != OP_Slice || !cuts_channels(g, &g->nodes[node[i]], &start[i]))
            return false;
    int low = start[0] == 0 ? 0 : 1;
    const gr_id a = g->nodes[node[low]].out[0], b = g->nodes[node[1 - low]].out[0];
    s->cut = g->tensors[a].dims[1];
    if (start[low] != 0 || start[1 - low] != s->cut || s->cut + g->tensors[b].dims[1] != s->channels)
        return false;
    s->parts[0] = node[low];
    s->parts[1] = node[1 - low];
    s->result[0] = a;
    s->result[1] = b;
    return true;
}

/* The shuffle that ends in this Reshape. */
static bool find(const gpu_merger *m, const gr_node *n, shuffle *s)
{
    const gr_graph *g = m->b->g;
    s->transpose = gpu_merge_maker(m, n->in[0], OP_Transpose);
    if (s->transpose == GR_NONE || m->uses.count[n->in[0]] != 1 || !op_swaps_groups(&g->nodes[s->transpose]))
        return false;
    gr_id grouped = g->nodes[s->transpose].in[0];
    s->reshape = gpu_merge_maker(m, grouped, OP_Reshape);
    if (s->reshape == GR_NONE || m->uses.count[grouped] != 1) return false;
    gr_id x = g->nodes[s->reshape].in[0], y = n->out[0];
    if (!gr_same_shape(&g->tensors[x], &g->tensors[y]) || !gpu_is_float(g->tensors[x].dtype)) return false;
    if (gr_is_const(g, x) || !makes_groups(&g->tensors[x], &g->tensors[grouped])) return false;
    s->groups = g->tensors[grouped].dims[1];
    s->channels = s->cut = g->tensors[x].dims[1];
    s->parts[0] = s->parts[1] = GR_NONE;
    s->result[0] = s->result[1] = y;
    find_sources(m, x, s);
    if (!find_split(m, y, s)) find_slices(m, y, s);
    return true;
}

/* Found again from what the plan noted: the merged nodes are those before and after. */
static void read_plan(const gpu_builder *b, shuffle *s)
{
    const gr_graph *g = b->g;
    const gr_node *n = &g->nodes[b->node];
    *s = (shuffle){.reshape = b->merges[b->node].first, .concat = GR_NONE, .parts = {GR_NONE, GR_NONE}};
    const gr_node *reshape = &g->nodes[s->reshape];
    s->source[0] = s->source[1] = reshape->in[0];
    s->result[0] = s->result[1] = n->out[0];
    s->groups = g->tensors[reshape->out[0]].dims[1];
    s->channels = s->a_channels = s->cut = g->tensors[n->out[0]].dims[1];
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *other = &g->nodes[i];
        if (b->merges[i].into != b->node) continue;
        if (other->op == OP_Concat) {
            s->source[0] = other->in[0];
            s->source[1] = other->in[1];
            s->a_channels = g->tensors[other->in[0]].dims[1];
        } else if (other->op == OP_Split) {
            s->result[0] = other->out[0];
            s->result[1] = other->out[1];
        } else if (other->op == OP_Slice) {
            int64_t start = 0;
            s->result[cuts_channels(g, other, &start) && start > 0] = other->out[0];
        }
    }
    s->cut = g->tensors[s->result[0]].dims[1];
}

static gpu_bind read_bind(gpu_builder *b, gr_id t)
{
    return (gpu_bind){GPU_SPACE_ARENA, 0, gpu_tensor_buf(b, t, GPU_C4), 0, 0};
}

static gpu_bind write_bind(gpu_builder *b, gr_id t)
{
    int32_t buf = b->failed ? -1 : b->c4_buf[t];
    if (buf < 0 && !b->failed) buf = gpu_make_buf(b, t, GPU_C4);
    return (gpu_bind){GPU_SPACE_ARENA, 0, buf, 0, 0};
}

static void emit(gpu_builder *b, const gr_node *n)
{
    shuffle s;
    (void)n;
    read_plan(b, &s);
    const gr_tensor *y = &b->g->tensors[s.result[0]], *z = &b->g->tensors[s.result[1]];
    int64_t batch, channels, slices, spatial, units, first_units;
    gpu_c4_dims(y, &batch, &channels, &slices, &spatial);
    units = first_units = batch * slices * spatial;
    gpu_c4_dims(z, &batch, &channels, &slices, &spatial);
    if (s.cut < s.channels) units += batch * slices * spatial;
    gpu_bind a = read_bind(b, s.source[0]), second = read_bind(b, s.source[1]);
    if (b->failed) return;
    const gpu_buf *bufs = b->program->bufs;
    uint64_t a_bytes = bufs[a.index].bytes, bytes = bufs[second.index].bytes;
    uint8_t access = gpu_read_access_of(b, a_bytes > bytes ? a_bytes : bytes);
    bool twins = s.groups == 2 && 2 * s.a_channels == s.channels && s.cut % 2 == 0;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, channel_shuffle));
    gpu_bind_add(d, a, access);
    gpu_bind_add(d, second, access);
    gpu_bind_add(d, write_bind(b, s.result[0]), GPU_WRITE);
    gpu_bind_add(d, write_bind(b, s.result[1]), GPU_WRITE);
    gpu_grid_flat(b, d, units);
    gpu_spec(d, (uint32_t)s.groups);
    gpu_spec(d, twins);
    const int64_t words[] = {units, first_units, spatial, s.a_channels, s.channels, s.cut};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

static const gpu_kernel kernel = {.name = "channel_shuffle", .emit = emit};

void gpu_merge_shuffle(gpu_merger *m, gr_id node)
{
    const gr_node *n = &m->b->g->nodes[node];
    shuffle s;
    if (n->op != OP_Reshape || !m->kernel_of(m->user, node) || !find(m, n, &s)) return;
    gpu_merge *merges = m->b->merges;
    merges[node].kernel = &kernel;
    merges[node].first = s.reshape;
    merges[s.reshape].into = merges[s.transpose].into = node;
    if (s.concat != GR_NONE) merges[s.concat].into = node;
    for (int i = 0; i < 2; i++)
        if (s.parts[i] != GR_NONE) merges[s.parts[i]].into = node;
}
