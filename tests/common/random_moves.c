/* SPDX-License-Identifier: Apache-2.0
 * Generators: what moves elements, views, indices. */
#include "common/random_graph.h"
#include "graph/ops/schema.h"

enum {
    F32 = OP_BIT(VKI_F32),
    MOVED = F32 | OP_BIT(VKI_I32) | OP_BIT(VKI_I64) | OP_BIT(VKI_BOOL) | OP_BIT(VKI_U8) | OP_BIT(VKI_I8)
};

static int64_t some_axis(random_graph *r, const gr_tensor *t)
{
    return rg_pick(r, -t->rank, t->rank - 1);
}

static int64_t size_at(const gr_tensor *t, int64_t axis)
{
    return t->dims[axis < 0 ? axis + t->rank : axis];
}

static gr_node *transpose(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 2, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const int rank = rg_tensor(r, x)->rank;
    gr_node *n = rg_node(r, OP_Transpose, 1, &x, 1);
    op_ints *perm = &((op_transpose_attrs *)n->attrs)->perm;
    perm->count = rank;
    for (int d = 0; d < rank; d++) perm->v[d] = d;
    for (int d = rank - 1; d > 0; d--) {
        const int64_t other = rg_pick(r, 0, d), v = perm->v[d];
        perm->v[d] = perm->v[other];
        perm->v[other] = v;
    }
    return n;
}

/* Another shape of as many elements: factors handed out at random. */
static gr_node *reshape(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 0, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    int64_t dims[5], rest = gr_elements(rg_tensor(r, x));
    const int rank = (int)rg_pick(r, 1, 5);
    for (int d = 0; d < rank; d++) dims[d] = 1;
    for (int64_t f = 2; rest > 1; f++)
        for (; rest % f == 0; rest /= f) dims[rg_pick(r, 0, rank - 1)] *= f;
    if (rg_chance(r, 40)) dims[rg_pick(r, 0, rank - 1)] = -1;
    return rg_node(r, OP_Reshape, 2, (gr_id[]){x, rg_ints(r, rank, dims)}, 1);
}

static gr_node *view(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 1, 5);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    int64_t axes[GR_MAX_RANK];
    int count = 0;
    switch (rg_pick(r, 0, 3)) {
    case 0: {
        gr_node *n = rg_node(r, OP_Flatten, 1, &x, 1);
        ((op_view_attrs *)n->attrs)->axis = rg_pick(r, 0, t.rank);
        return n;
    }
    case 1:
        for (int d = 0; d < t.rank; d++)
            if (t.dims[d] == 1 && rg_chance(r, 70)) axes[count++] = d;
        return count ? rg_node(r, OP_Squeeze, 2, (gr_id[]){x, rg_ints(r, count, axes)}, 1) : NULL;
    case 2:
        axes[0] = rg_pick(r, -t.rank - 1, t.rank);
        return rg_node(r, OP_Unsqueeze, 2, (gr_id[]){x, rg_ints(r, 1, axes)}, 1);
    default:
        return rg_node(r, OP_Identity, 1, &x, 1);
    }
}

static gr_node *concat(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t axis = some_axis(r, &t);
    gr_id in[4] = {x};
    const int count = (int)rg_pick(r, 2, 4);
    for (int i = 1; i < count; i++) {
        in[i] = rg_any(r, OP_BIT(t.dtype), t.rank, t.rank);
        if (gr_same_shape(rg_tensor(r, in[i]), &t)) continue;
        int64_t dims[GR_MAX_RANK];
        for (int d = 0; d < t.rank; d++) dims[d] = t.dims[d];
        dims[axis < 0 ? axis + t.rank : axis] = rg_pick(r, 1, 5);
        in[i] = rg_operand(r, t.dtype, t.rank, dims, 0, 1);
    }
    gr_node *n = rg_node(r, OP_Concat, count, in, 1);
    ((op_axis_attrs *)n->attrs)->axis = axis;
    return n;
}

static gr_node *slice(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const gr_tensor *t = rg_tensor(r, x);
    int64_t starts[GR_MAX_RANK], ends[GR_MAX_RANK], axes[GR_MAX_RANK], steps[GR_MAX_RANK];
    int count = 0;
    for (int d = 0; d < t->rank; d++) {
        if (rg_chance(r, 50)) continue;
        const int64_t a = rg_pick(r, 0, t->dims[d] - 1), b = rg_pick(r, a + 1, t->dims[d]);
        const bool back = rg_chance(r, 25);
        axes[count] = rg_chance(r, 50) ? d : d - t->rank;
        steps[count] = (back ? -1 : 1) * (rg_chance(r, 70) ? 1 : rg_pick(r, 1, 3));
        starts[count] = back ? b - 1 : rg_chance(r, 50) ? a : a - t->dims[d];
        ends[count++] = back ? (a ? a - 1 : INT64_MIN) : rg_chance(r, 80) ? b : INT64_MAX;
    }
    if (!count) return NULL;
    const gr_id in[] = {x, rg_ints(r, count, starts), rg_ints(r, count, ends), rg_ints(r, count, axes),
                        rg_ints(r, count, steps)};
    return rg_node(r, OP_Slice, 5, in, 1);
}

static gr_node *split(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t axis = some_axis(r, &t), size = size_at(&t, axis);
    if (size < 2) return NULL;
    const int64_t first = rg_pick(r, 1, size - 1), sizes[] = {first, size - first};
    gr_node *n = rg_node(r, OP_Split, 2, (gr_id[]){x, rg_ints(r, 2, sizes)}, 2);
    ((op_axis_attrs *)n->attrs)->axis = axis;
    return n;
}

static gr_node *repeat(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 1, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    int64_t v[GR_MAX_RANK];
    int rank = 0;
    const bool tile = rg_chance(r, 50);
    if (!tile && rg_chance(r, 40)) v[rank++] = rg_pick(r, 1, 3);
    for (int d = 0; d < t.rank; d++)
        v[rank++] = tile               ? (rg_chance(r, 60) ? 1 : rg_pick(r, 1, 3))
                    : t.dims[d] == 1   ? rg_pick(r, 1, 5)
                    : rg_chance(r, 50) ? t.dims[d]
                                       : 1;
    return rg_node(r, tile ? OP_Tile : OP_Expand, 2, (gr_id[]){x, rg_ints(r, rank, v)}, 1);
}

static gr_node *pad(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 1, GR_MAX_RANK);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t mode = rg_pick(r, 0, 3);
    int64_t pads[2 * GR_MAX_RANK];
    for (int i = 0; i < 2 * t.rank; i++) {
        const int64_t most = mode == OP_PADDING_REFLECT ? t.dims[i % t.rank] - 1 : t.dims[i % t.rank];
        pads[i] = rg_chance(r, 50) ? 0 : rg_pick(r, 0, vkb_min(3, most));
    }
    const gr_id value =
        mode == OP_PADDING_CONSTANT && rg_chance(r, 50) ? rg_scalar(r, VKI_F32, 0.75) : GR_NONE;
    gr_node *n = rg_node(r, OP_Pad, 3, (gr_id[]){x, rg_ints(r, 2 * t.rank, pads), value}, 1);
    ((op_pad_attrs *)n->attrs)->mode = mode;
    return n;
}

static gr_node *depth_space(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 4, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t block = rg_pick(r, 2, 3);
    const bool depth = t.dims[1] % (block * block) == 0;
    if (!depth && (t.dims[2] % block || t.dims[3] % block)) return NULL;
    gr_node *n = rg_node(r, depth ? OP_DepthToSpace : OP_SpaceToDepth, 1, &x, 1);
    ((op_depth_attrs *)n->attrs)->blocksize = block;
    if (depth) ((op_depth_attrs *)n->attrs)->mode = rg_pick(r, 0, 1);
    return n;
}

/* ---- indices ---- */

static gr_node *gather(random_graph *r)
{
    const gr_id x = rg_any(r, MOVED, 1, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t axis = some_axis(r, &t), size = size_at(&t, axis);
    const int64_t dims[] = {rg_pick(r, 1, 4), rg_pick(r, 1, 4)};
    const int rank = (int)rg_pick(r, 0, 2);
    const gr_id at =
        rg_operand(r, rg_chance(r, 70) ? VKI_I64 : VKI_I32, rank, dims, (double)-size, (double)size - 1);
    gr_node *n = rg_node(r, OP_Gather, 2, (gr_id[]){x, at}, 1);
    ((op_axis_attrs *)n->attrs)->axis = axis;
    return n;
}

static gr_node *gather_elements(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 1, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t axis = some_axis(r, &t), size = size_at(&t, axis);
    int64_t dims[4];
    for (int d = 0; d < t.rank; d++) dims[d] = rg_pick(r, 1, t.dims[d]);
    const gr_id at = rg_operand(r, VKI_I64, t.rank, dims, (double)-size, (double)size - 1);
    gr_node *n = rg_node(r, OP_GatherElements, 2, (gr_id[]){x, at}, 1);
    ((op_axis_attrs *)n->attrs)->axis = axis;
    return n;
}

static gr_node *gather_nd(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 2, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t least = vkb_min(t.dims[0], t.dims[1]), dims[] = {rg_pick(r, 1, 5), rg_pick(r, 1, 2)};
    const gr_id at = rg_operand(r, VKI_I64, 2, dims, 0, (double)least - 1);
    return rg_node(r, OP_GatherND, 2, (gr_id[]){x, at}, 1);
}

/* Without a reduction each place is written once: the order of writes does not count. */
static gr_node *scatter(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 1, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t axis = some_axis(r, &t), size = size_at(&t, axis);
    int64_t dims[4];
    for (int d = 0; d < t.rank; d++) dims[d] = rg_pick(r, 1, t.dims[d]);
    dims[axis < 0 ? axis + t.rank : axis] = 1;
    const gr_id at = rg_operand(r, VKI_I64, t.rank, dims, (double)-size, (double)size - 1);
    const gr_id updates = rg_operand(r, VKI_F32, t.rank, dims, -1, 1);
    gr_node *n = rg_node(r, OP_ScatterElements, 3, (gr_id[]){x, at, updates}, 1);
    *(op_scatter_attrs *)n->attrs = (op_scatter_attrs){axis, rg_pick(r, 0, 1)};
    return n;
}

static gr_node *one_hot(random_graph *r)
{
    const gr_id x = rg_any(r, OP_BIT(VKI_I64) | OP_BIT(VKI_I32), 1, 3);
    if (x == GR_NONE) return NULL;
    const int64_t two = 2;
    gr_node *n = rg_node(
        r, OP_OneHot, 3,
        (gr_id[]){x, rg_scalar(r, VKI_I64, (double)rg_pick(r, 1, 9)), rg_const(r, VKI_F32, 1, &two, -1, 1)},
        1);
    ((op_axis_attrs *)n->attrs)->axis = -1;
    return n;
}

static gr_node *trilu(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 2, 4);
    if (x == GR_NONE) return NULL;
    gr_node *n = rg_node(r, OP_Trilu, 2, (gr_id[]){x, rg_scalar(r, VKI_I64, (double)rg_pick(r, -2, 2))}, 1);
    ((op_trilu_attrs *)n->attrs)->upper = rg_pick(r, 0, 1);
    return n;
}

static gr_node *reverse_sequence(random_graph *r)
{
    const gr_id x = rg_any(r, F32, 2, 4);
    if (x == GR_NONE) return NULL;
    const gr_tensor t = *rg_tensor(r, x);
    const int64_t time = rg_pick(r, 0, 1);
    const gr_id lengths = rg_operand(r, VKI_I64, 1, &t.dims[1 - time], 1, (double)t.dims[time]);
    gr_node *n = rg_node(r, OP_ReverseSequence, 2, (gr_id[]){x, lengths}, 1);
    *(op_reverse_attrs *)n->attrs = (op_reverse_attrs){.batch_axis = 1 - time, .time_axis = time};
    return n;
}

const rg_generator rg_moves[] = {
    transpose,       transpose, reshape, reshape, view,  concat,           concat,
    slice,           slice,     split,   repeat,  pad,   depth_space,      gather,
    gather_elements, gather_nd, scatter, one_hot, trilu, reverse_sequence, NULL};
