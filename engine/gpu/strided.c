/* SPDX-License-Identifier: Apache-2.0
 * Transpose, Expand, Slice, Split and Concat on the GPU: one dispatch a copy. */
#include "gpu/strided.h"

bool gpu_prefers_c4(const gpu_builder *b, const gr_node *n)
{
    int only_c4 = 0, only_row = 0, rank = 0;
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE || gr_is_const(b->g, n->in[i])) continue;
        if (!gpu_is_float(b->g->tensors[n->in[i]].dtype)) continue;
        rank = b->g->tensors[n->in[i]].rank;
        if (b->row_buf[n->in[i]] < 0 && b->c4_buf[n->in[i]] < 0) continue; /* still on the host */
        bool c4 = gpu_has_layout(b, n->in[i], GPU_C4), row = gpu_has_layout(b, n->in[i], GPU_ROW);
        only_c4 += c4 && !row;
        only_row += row && !c4;
    }
    return rank >= 2 && (only_c4 > only_row || (only_c4 == only_row && rank == 4));
}

static bool is_aligned(int64_t v)
{
    return v % 4 == 0;
}

/* Whether all strides and offsets but those of dimensions a and b are whole groups of four. */
static bool others_aligned(const op_strided *s, int a, int b)
{
    bool ok = is_aligned(s->src_offset) && is_aligned(s->dst_offset);
    for (int d = 0; d < s->rank; d++) {
        if (d != a) ok = ok && is_aligned(s->src[d]);
        if (d != b) ok = ok && is_aligned(s->dst[d]);
    }
    return ok;
}

static void count_in_groups(op_strided *s)
{
    s->src_offset /= 4;
    s->dst_offset /= 4;
    for (int d = 0; d < s->rank; d++) {
        s->src[d] /= 4;
        s->dst[d] /= 4;
    }
}

/* Four neighbours stay neighbours: brings the copy to groups of four. */
static bool group_runs(op_strided *s)
{
    int last = s->rank - 1;
    if (s->src[last] != 1 || s->dst[last] != 1 || !is_aligned(s->dims[last]) ||
        !others_aligned(s, last, last))
        return false;
    count_in_groups(s);
    s->dims[last] /= 4;
    s->src[last] = s->dst[last] = 1;
    s->elements /= 4;
    return true;
}

/* A transposition of 4 x 4 blocks: *src_row and *dst_row are the groups from row to row of a block. */
static bool group_blocks(op_strided *s, int64_t *src_row, int64_t *dst_row)
{
    int last = s->rank - 1, run = 0; /* contiguous in the destination; in the source */
    while (run < last && s->src[run] != 1) run++;
    if (run == last || s->dst[last] != 1 || !is_aligned(s->dims[last]) || !is_aligned(s->dims[run]) ||
        !others_aligned(s, run, last))
        return false;
    count_in_groups(s);
    *src_row = s->src[last];
    *dst_row = s->dst[run];
    s->dims[last] /= 4;
    s->dims[run] /= 4;
    s->src[last] *= 4; /* a block holds four rows */
    s->dst[run] *= 4;
    s->src[run] = s->dst[last] = 1;
    s->elements /= 16;
    return true;
}

/* If the copy fills one stretch of the destination, binds just that, so that the copies of a Concat need no
 * barriers between them. */
static void narrow(const gpu_builder *b, op_strided *s, gpu_bind *out, uint64_t unit)
{
    uint64_t offset = (uint64_t)s->dst_offset * unit;
    if (s->rank > 1 || s->dst[0] != 1 || out->space != GPU_SPACE_ARENA || offset % b->limits->offset_align)
        return;
    out->offset = offset;
    out->bytes = vkb_round_up((uint64_t)s->elements * unit, 4);
    s->dst_offset = 0;
}

static void push_dims(gpu_dispatch *d, const int64_t *values, int rank)
{
    for (int i = 0; i < GR_MAX_RANK; i++) gpu_push(d, i < rank ? values[rank - 1 - i] : 0);
}

static void emit_strided(gpu_builder *b, op_strided s, vki_dtype dtype, gpu_bind in, gpu_bind out,
                         bool groups)
{
    int64_t src_row = 0, dst_row = 0;
    enum gpu_shader shader = GPU_SHADER_OF(b, dtype, strided_copy_x4);
    uint64_t element = gpu_element_bytes(dtype, b->half), unit = 4 * element;
    int64_t moved = s.elements * (int64_t)(groups ? unit : element);
    if (!groups && !group_runs(&s)) {
        if (group_blocks(&s, &src_row, &dst_row)) {
            shader = GPU_SHADER_OF(b, dtype, strided_copy_turn);
        } else {
            shader = GPU_SHADER_OF(b, dtype, strided_copy);
            unit = element;
        }
    }
    if (src_row == 0) narrow(b, &s, &out, unit);
    gpu_dispatch *d = gpu_dispatch_begin(b, shader);
    gpu_bind_add(d, in, GPU_READ);
    gpu_touches(d, moved);
    gpu_bind_add(d, out, GPU_WRITE);
    gpu_touches(d, moved);
    gpu_grid_flat(b, d, s.elements);
    gpu_spec(d, (uint32_t)s.rank);
    gpu_push(d, s.elements);
    gpu_push(d, s.src_offset);
    gpu_push(d, s.dst_offset);
    gpu_push(d, src_row);
    gpu_push(d, dst_row);
    push_dims(d, s.dims, s.rank);
    push_dims(d, s.src, s.rank);
    push_dims(d, s.dst, s.rank);
}

void gpu_copy_strided(gpu_builder *b, const op_strided *s, gpu_bind in, gpu_bind out)
{
    emit_strided(b, *s, VKI_F32, in, out, false);
}

/* ---- channels that change their lanes ---- */

typedef struct channel_copy { /* push constants of shaders/strided_channels.comp */
    int64_t batch, spatial, src_channels, low, high, total, start, step;
    bool fills; /* writes the unused lanes behind the last channel */
} channel_copy;

static bool only_channels_sliced(const gr_graph *g, const gr_node *n, int64_t *start, int64_t *step)
{
    int64_t starts[GR_MAX_RANK], steps[GR_MAX_RANK];
    const gr_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    if (!op_slice_of(g, n, starts, steps)) return false;
    for (int d = 0; d < x->rank; d++)
        if (d != 1 && (x->dims[d] != y->dims[d] || starts[d] != 0)) return false;
    *start = starts[1];
    *step = steps[1];
    return true;
}

/* Copy i of the node if it touches nothing but the channels. */
static bool channel_copy_of(const gr_graph *g, const gr_node *n, int i, channel_copy *c)
{
    bool concat = n->op == OP_Concat, split = n->op == OP_Split;
    const gr_tensor *x = &g->tensors[n->in[concat ? i : 0]], *y = &g->tensors[n->out[split ? i : 0]];
    if (x->rank < 2 || y->rank < 2) return false;
    int64_t slices, before = 0;
    *c = (channel_copy){.step = 1, .src_channels = x->dims[1], .high = y->dims[1], .total = y->dims[1]};
    gpu_c4_dims(x, &c->batch, &c->src_channels, &slices, &c->spatial);
    c->fills = true;
    if (n->op == OP_Slice) return only_channels_sliced(g, n, &c->start, &c->step);
    if (!concat && !split) return false;
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
    if (axis != 1 && axis != 1 - x->rank) return false;
    const gr_id *parts = concat ? n->in : n->out;
    for (int k = 0; k < i; k++) before += g->tensors[parts[k]].dims[1];
    if (split) {
        c->start = before;
    } else {
        c->low = before;
        c->high = before + x->dims[1];
        c->fills = i == n->n_in - 1;
    }
    return true;
}

static void emit_channels(gpu_builder *b, const channel_copy *c, gpu_bind in, gpu_bind out)
{
    int64_t first = c->low / 4, end = vkb_ceil_div(c->fills ? c->total : c->high, 4);
    int64_t units = c->batch * (end - first) * c->spatial;
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, strided_channels));
    int64_t moved = units * 4 * (b->half ? 2 : 4);
    gpu_bind_add(d, in, GPU_READ);
    gpu_touches(d, moved);
    gpu_bind_add(d, out, GPU_WRITE);
    gpu_touches(d, moved);
    gpu_grid_flat(b, d, units);
    gpu_push(d, units);
    gpu_push(d, c->spatial);
    gpu_push(d, vkb_ceil_div(c->src_channels, 4));
    gpu_push(d, vkb_ceil_div(c->total, 4));
    gpu_push(d, first);
    gpu_push(d, end - first);
    gpu_push(d, c->low);
    gpu_push(d, c->high);
    gpu_push(d, c->total);
    gpu_push(d, c->start);
    gpu_push(d, c->step);
}

/* ---- kernels ---- */

static bool fits_c4(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "the inputs lie in rows";
    if (!gpu_prefers_c4(b, n)) return false;
    *why = "channels would leave their slices";
    for (int i = 0; i < op_strided_count(n); i++) {
        op_strided s;
        channel_copy c;
        if (n->op == OP_Split && n->out[i] == GR_NONE) continue;
        if (!op_strided_of(b->g, n, i, 4, &s) && !channel_copy_of(b->g, n, i, &c)) return false;
    }
    return true;
}

/* Copy i of the node need not be made. */
static bool in_place(gpu_builder *b, const gr_node *n, int i, gpu_layout layout)
{
    if (n->op == OP_Concat) return gpu_in_place(b, n, i, layout);
    return (n->op == OP_Split || n->op == OP_Slice) && gpu_part_view(b, n, i, layout);
}

static void emit_c4(gpu_builder *b, const gr_node *n)
{
    bool concat = n->op == OP_Concat, split = n->op == OP_Split;
    for (int i = 0; i < op_strided_count(n); i++) {
        op_strided s;
        channel_copy c;
        if (split && n->out[i] == GR_NONE) continue;
        bool whole = op_strided_of(b->g, n, i, 4, &s);
        if (s.elements == 0 || in_place(b, n, i, GPU_C4)) continue;
        gpu_bind in = gpu_in(b, n, concat ? i : 0, GPU_C4), out = gpu_out(b, n, split ? i : 0, GPU_C4);
        if (whole)
            emit_strided(b, s, VKI_F32, in, out, true);
        else if (channel_copy_of(b->g, n, i, &c))
            emit_channels(b, &c, in, out);
    }
}

static bool fits_row(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "the node's parameters are not constant";
    for (int i = 0; i < op_strided_count(n); i++) {
        op_strided s;
        if (n->op == OP_Split && n->out[i] == GR_NONE) continue;
        if (!op_strided_of(b->g, n, i, 1, &s)) return false;
    }
    for (int i = 0; n->op == OP_Concat && i < n->n_in; i++)
        if (!gpu_const_fits(b, n, i, why)) return false;
    return true;
}

static void emit_row(gpu_builder *b, const gr_node *n)
{
    bool concat = n->op == OP_Concat, split = n->op == OP_Split;
    for (int i = 0; i < op_strided_count(n); i++) {
        op_strided s;
        if (split && n->out[i] == GR_NONE) continue;
        if (!op_strided_of(b->g, n, i, 1, &s) || s.elements == 0 || in_place(b, n, i, GPU_ROW)) continue;
        gpu_bind in = gpu_in(b, n, concat ? i : 0, GPU_ROW), out = gpu_out(b, n, split ? i : 0, GPU_ROW);
        emit_strided(b, s, b->g->tensors[n->in[0]].dtype, in, out, false);
    }
}

const gpu_kernel gpu_strided_kernels[] = {
    {"copy_c4", fits_c4, emit_c4, GPU_FLOATS},
    {"copy_row", fits_row, emit_row, GPU_ANY},
    {0},
};
