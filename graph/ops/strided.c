/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/ops/strided.h"

typedef struct strided_side { /* a tensor in the unit of the copy */
    int rank;
    int64_t dims[GR_MAX_RANK], stride[GR_MAX_RANK];
} strided_side;

static strided_side side_of(const gr_tensor *t, int channels)
{
    strided_side s = {.rank = t->rank};
    int64_t stride = 1;
    for (int d = t->rank - 1; d >= 0; d--) {
        s.dims[d] = d == 1 ? vkb_ceil_div(t->dims[d], channels) : t->dims[d];
        s.stride[d] = stride;
        stride *= s.dims[d];
    }
    return s;
}

/* Drops dimensions of 1 and joins neighbours whose outer stride is the inner's extent on both sides. */
static void normalize(op_strided *s)
{
    int rank = 0;
    s->elements = 1;
    for (int d = 0; d < s->rank; d++) {
        s->elements *= s->dims[d];
        if (s->dims[d] == 1) continue;
        int64_t dim = s->dims[d], src = s->src[d], dst = s->dst[d];
        bool join = rank > 0 && s->src[rank - 1] == src * dim && s->dst[rank - 1] == dst * dim;
        if (join) dim *= s->dims[--rank];
        s->dims[rank] = dim;
        s->src[rank] = src;
        s->dst[rank] = dst;
        rank++;
    }
    if (rank == 0) {
        s->dims[0] = s->src[0] = s->dst[0] = 1;
        rank = 1;
    }
    s->rank = rank;
}

int op_strided_count(const gr_node *n)
{
    switch (n->op) {
    case OP_Transpose:
    case OP_Expand:
    case OP_Slice:
    case OP_Tile:
    case OP_DepthToSpace:
    case OP_SpaceToDepth:
        return 1;
    case OP_Concat:
        return n->n_in;
    case OP_Split:
        return n->n_out;
    default:
        return 0;
    }
}

static bool transpose_of(const gr_node *n, const strided_side *x, int channels, op_strided *s)
{
    const op_ints *perm = &((const op_transpose_attrs *)n->attrs)->perm;
    for (int d = 0; d < s->rank; d++) s->src[d] = x->stride[perm->v[d]];
    return channels == 1 || perm->v[1] == 1;
}

static bool expand_of(const strided_side *x, const gr_tensor *from, const gr_tensor *to, int channels,
                      op_strided *s)
{
    for (int d = 0; d < s->rank; d++) {
        int k = d - (s->rank - x->rank);
        s->src[d] = k < 0 || x->dims[k] == 1 ? 0 : x->stride[k];
    }
    return channels == 1 || (from->rank == to->rank && from->dims[1] == to->dims[1]);
}

static bool slice_of(const gr_graph *g, const gr_node *n, const strided_side *x, int channels, op_strided *s)
{
    int64_t start[GR_MAX_RANK], step[GR_MAX_RANK];
    if (!op_slice_of(g, n, start, step)) return false;
    if (channels > 1 && (start[1] % channels || step[1] != 1)) return false;
    for (int d = 0; d < s->rank; d++) {
        s->src[d] = x->stride[d] * step[d];
        s->src_offset += x->stride[d] * (d == 1 ? start[d] / channels : start[d]);
    }
    return true;
}

static void add_dim(op_strided *s, int64_t dim, int64_t src, int64_t dst)
{
    if (dim == 1) return; /* inference has seen to it that the others fit */
    s->dims[s->rank] = dim;
    s->src[s->rank] = src;
    s->dst[s->rank++] = dst;
}

/* Each dimension becomes two: the repetitions, which read the same again, and the input's own. */
static bool tile_of(const gr_tensor *from, const gr_tensor *to, const strided_side *x, const strided_side *y,
                    int channels, op_strided *s)
{
    s->rank = 0;
    for (int d = 0; d < x->rank; d++) {
        int64_t repeats = from->dims[d] ? to->dims[d] / from->dims[d] : 1;
        if (channels > 1 && d == 1 && repeats != 1) return false;
        add_dim(s, repeats, 0, y->stride[d] * x->dims[d]);
        add_dim(s, x->dims[d], x->stride[d], y->stride[d]);
    }
    return true;
}

/* Both are seen as [batch][channels][rows][block rows][columns][block columns] of the flat side and are
 * walked in the order of the destination. */
static bool depth_space_of(const gr_node *n, const strided_side *x, const strided_side *y, op_strided *s)
{
    enum { BATCH, CHANNEL, ROW, BLOCK_ROW, COLUMN, BLOCK_COLUMN, DIMS };
    static const int orders[2][DIMS] = {{BATCH, CHANNEL, ROW, BLOCK_ROW, COLUMN, BLOCK_COLUMN},
                                        {BATCH, BLOCK_ROW, BLOCK_COLUMN, CHANNEL, ROW, COLUMN}};
    const op_depth_attrs *a = n->attrs;
    bool to_space = n->op == OP_DepthToSpace;
    const strided_side *deep = to_space ? x : y, *flat = to_space ? y : x;
    int64_t b = a->blocksize, one = deep->stride[1], channels = flat->dims[1];
    bool dcr = !to_space || a->mode == OP_DEPTH_DCR;
    int64_t position = dcr ? channels * one : one, channel = dcr ? one : b * b * one;
    const int64_t dims[DIMS] = {x->dims[0], channels, deep->dims[2], b, deep->dims[3], b};
    const int64_t in_deep[DIMS] = {deep->stride[0], channel,         deep->stride[2],
                                   b * position,    deep->stride[3], position};
    const int64_t in_flat[DIMS] = {flat->stride[0], flat->stride[1],     b * flat->stride[2],
                                   flat->stride[2], b * flat->stride[3], flat->stride[3]};
    s->rank = 0;
    for (int i = 0; i < DIMS; i++) {
        int d = orders[!to_space][i];
        add_dim(s, dims[d], to_space ? in_deep[d] : in_flat[d], to_space ? in_flat[d] : in_deep[d]);
    }
    return true;
}

/* Part i of what Concat joins or Split cuts: `whole` is the undivided side, *offset the part's place in it.
 */
static bool part_of(const gr_graph *g, const gr_node *n, const gr_id *parts, int count, int i,
                    const strided_side *whole, int channels, int64_t *offset)
{
    int64_t axis = ((const op_axis_attrs *)n->attrs)->axis, before = 0;
    if (axis < 0) axis += whole->rank;
    for (int k = 0; k < i; k++) before += g->tensors[parts[k]].dims[axis];
    int64_t unit = axis == 1 ? channels : 1;
    *offset = before / unit * whole->stride[axis];
    /* A part may end within a slice only where nothing follows it. */
    return before % unit == 0 && (i == count - 1 || g->tensors[parts[i]].dims[axis] % unit == 0);
}

bool op_strided_of(const gr_graph *g, const gr_node *n, int i, int channels, op_strided *s)
{
    bool concat = n->op == OP_Concat, split = n->op == OP_Split;
    const gr_tensor *from = &g->tensors[n->in[concat ? i : 0]], *to = &g->tensors[n->out[split ? i : 0]];
    if (channels > 1 && (from->rank < 2 || to->rank < 2)) return false;
    strided_side x = side_of(from, channels), y = side_of(to, channels);
    const strided_side *walked = concat ? &x : &y;
    *s = (op_strided){.rank = walked->rank};
    for (int d = 0; d < walked->rank; d++) {
        s->dims[d] = walked->dims[d];
        s->src[d] = x.stride[d];
        s->dst[d] = y.stride[d];
    }
    bool ok = true;
    if (n->op == OP_Transpose) ok = transpose_of(n, &x, channels, s);
    if (n->op == OP_Expand) ok = expand_of(&x, from, to, channels, s);
    if (n->op == OP_Tile) ok = tile_of(from, to, &x, &y, channels, s);
    if (n->op == OP_DepthToSpace || n->op == OP_SpaceToDepth)
        ok = channels == 1 && depth_space_of(n, &x, &y, s);
    if (n->op == OP_Slice) ok = slice_of(g, n, &x, channels, s);
    if (concat) ok = part_of(g, n, n->in, n->n_in, i, &y, channels, &s->dst_offset);
    if (split) ok = part_of(g, n, n->out, n->n_out, i, &x, channels, &s->src_offset);
    normalize(s);
    return ok;
}

op_strided op_strided_expand(const gr_tensor *from, const gr_tensor *to)
{
    strided_side x = side_of(from, 1), y = side_of(to, 1);
    op_strided s = {.rank = y.rank};
    for (int d = 0; d < y.rank; d++) {
        s.dims[d] = y.dims[d];
        s.dst[d] = y.stride[d];
    }
    expand_of(&x, from, to, 1, &s);
    normalize(&s);
    return s;
}

bool op_strided_stretch(const gr_graph *g, const gr_node *n, int i, uint64_t *from, uint64_t *to)
{
    op_strided s;
    uint64_t element = vki_dtype_size(g->tensors[n->out[0]].dtype);
    if (!op_strided_of(g, n, i, 1, &s) || s.elements == 0) return false;
    if (s.rank != 1 || s.src[0] != 1 || s.dst[0] != 1) return false;
    *from = (uint64_t)s.src_offset * element;
    *to = (uint64_t)s.dst_offset * element;
    return true;
}
