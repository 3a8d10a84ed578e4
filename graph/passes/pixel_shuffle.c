/* SPDX-License-Identifier: Apache-2.0
 * DepthToSpace and SpaceToDepth in other words: Reshape to six dimensions, Transpose, Reshape; and the focus
 * of the YOLOv5 networks, four Slices of every second row and column behind one another, which becomes one
 * movement of elements. */
#include <string.h>

#include "graph/passes/rewrite.h"

/* ---- Reshape, Transpose, Reshape ---- */

typedef struct shuffle {
    op_kind op;
    int64_t block, mode;
} shuffle;

static bool is_perm(const gr_node *n, const int64_t perm[6])
{
    const op_ints *p = &((const op_transpose_attrs *)n->attrs)->perm;
    return p->count == 6 && !memcmp(p->v, perm, 6 * sizeof *perm);
}

/* x as m, of six dimensions, transposed, as y. */
static bool shuffle_of(const gr_tensor *x, const gr_tensor *m, const gr_node *transpose, const gr_tensor *y,
                       shuffle *s)
{
    static const int64_t dcr[6] = {0, 3, 4, 1, 5, 2}, crd[6] = {0, 1, 4, 2, 5, 3},
                         back[6] = {0, 3, 5, 1, 2, 4};
    const int64_t *d = m->dims;
    if (x->rank != 4 || m->rank != 6 || y->rank != 4 || x->dims[0] != d[0] || y->dims[0] != d[0])
        return false;
    if (is_perm(transpose, back)) { /* [N, c, H, b, W, b] */
        *s = (shuffle){OP_SpaceToDepth, d[3], OP_DEPTH_DCR};
        return d[3] == d[5] && x->dims[1] == d[1] && x->dims[2] == d[2] * d[3] && x->dims[3] == d[4] * d[5] &&
               y->dims[2] == d[2] && y->dims[3] == d[4];
    }
    const bool block_first = is_perm(transpose, dcr); /* [N, b, b, c, H, W], or [N, c, b, b, H, W] */
    const int64_t b = block_first ? d[1] : d[2], channels = block_first ? d[3] : d[1];
    *s = (shuffle){OP_DepthToSpace, b, block_first ? OP_DEPTH_DCR : OP_DEPTH_CRD};
    if (!block_first && !is_perm(transpose, crd)) return false;
    return b == (block_first ? d[2] : d[3]) && x->dims[2] == d[4] && x->dims[3] == d[5] &&
           y->dims[1] == channels && y->dims[2] == d[4] * b && y->dims[3] == d[5] * b;
}

static vki_status match_reshapes(rewrite *rw, gr_node *n, vki_error *err)
{
    const gr_graph *g = rw->g;
    shuffle s;
    gr_node *turn = rw_single(rw, n->in[0]) ? rw_maker(rw, n->in[0], OP_Transpose) : NULL;
    gr_node *first = turn && rw_single(rw, turn->in[0]) ? rw_maker(rw, turn->in[0], OP_Reshape) : NULL;
    if (!first) return VKI_OK;
    const gr_id x = first->in[0];
    const gr_tensor *in = &g->tensors[x], *middle = &g->tensors[turn->in[0]], *out = &g->tensors[n->out[0]];
    if (!gr_is_concrete(in) || !gr_is_concrete(middle) || !gr_is_concrete(out) || gr_elements(in) < 1)
        return VKI_OK;
    if (!shuffle_of(in, middle, turn, out, &s) || s.block < 2 || s.block > 65536) return VKI_OK;
    VKB_TRY(rw_become(rw, n, s.op, 1, &x, err));
    op_depth_attrs *a = n->attrs;
    a->blocksize = s.block;
    a->mode = s.mode;
    VKB_TRY(rw_drop(rw, n, turn, err));
    return rw_drop(rw, n, first, err);
}

/* ---- focus ---- */

enum { PARTS = 4, MOST_SLICES = 2 /* of a part: rows and columns apart */ };

typedef struct focus {
    gr_id x;
    int64_t row[PARTS], column[PARTS]; /* where each part begins */
    gr_node *slices[PARTS * MOST_SLICES];
    int count;
} focus;

/* t is every second row and column of the tensor that all parts are of. */
static bool find_part(const rewrite *rw, gr_id t, int part, focus *f)
{
    const gr_graph *g = rw->g;
    int64_t start[4] = {0}, step[4] = {1, 1, 1, 1}, own_start[GR_MAX_RANK], own_step[GR_MAX_RANK];
    const gr_tensor *y = &g->tensors[t];
    if (!gr_is_concrete(y) || y->rank != 4) return false;
    for (int i = 0; i < MOST_SLICES && rw_single(rw, t); i++) {
        gr_node *n = rw_maker(rw, t, OP_Slice);
        if (!n || !op_slice_of(g, n, own_start, own_step)) break;
        for (int d = 0; d < 4; d++) { /* first this Slice's input, then this Slice */
            start[d] = own_start[d] + own_step[d] * start[d];
            step[d] *= own_step[d];
        }
        f->slices[f->count++] = n;
        t = n->in[0];
        if (step[2] == 2 && step[3] == 2) break;
    }
    const gr_tensor *x = &g->tensors[t];
    f->row[part] = start[2];
    f->column[part] = start[3];
    if (part && t != f->x) return false;
    f->x = t;
    return gr_is_concrete(x) && x->rank == 4 && start[0] == 0 && start[1] == 0 && step[0] == 1 &&
           step[1] == 1 && step[2] == 2 && step[3] == 2 && start[2] >= 0 && start[2] < 2 && start[3] >= 0 &&
           start[3] < 2 && y->dims[1] == x->dims[1] && y->dims[0] == x->dims[0] &&
           x->dims[2] == 2 * y->dims[2] && x->dims[3] == 2 * y->dims[3];
}

static gr_id reshaped(gr_graph *g, gr_id x, int rank, const int64_t *dims, gr_id y)
{
    const int64_t count = rank;
    gr_id shape = gr_add_const(g, NULL, VKI_I64, 1, &count, dims, true);
    if (y == GR_NONE) y = gr_add_tensor(g, NULL, g->tensors[x].dtype, rank, dims);
    if (shape == GR_NONE || y == GR_NONE) return GR_NONE;
    return gr_add_node(g, OP_Reshape, g->tensors[y].name, 2, (gr_id[]){x, shape}, 1, &y) ? y : GR_NONE;
}

/* Columns of a block behind its rows: SpaceToDepth has them the other way round, so this is spelled out. */
static vki_status rewrite_columns_first(rewrite *rw, gr_id concat, const focus *f, vki_error *err)
{
    static const int64_t perm[6] = {0, 5, 3, 1, 2, 4};
    gr_graph *g = rw->g;
    int64_t x[4], out[4], turned[6];
    const gr_id y = g->nodes[concat].out[0];
    memcpy(x, g->tensors[f->x].dims, sizeof x);
    memcpy(out, g->tensors[y].dims, sizeof out);
    const int64_t six[6] = {x[0], x[1], x[2] / 2, 2, x[3] / 2, 2};
    for (int d = 0; d < 6; d++) turned[d] = six[perm[d]];
    gr_id blocks = reshaped(g, f->x, 6, six, GR_NONE);
    gr_id t = blocks == GR_NONE ? GR_NONE : gr_add_tensor(g, NULL, g->tensors[f->x].dtype, 6, turned);
    if (t == GR_NONE || reshaped(g, t, 4, out, y) == GR_NONE) return vkb_nomem(err, 0);
    gr_node *n = &g->nodes[concat];
    VKB_TRY(rw_become(rw, n, OP_Transpose, 1, &blocks, err));
    op_ints *p = &((op_transpose_attrs *)n->attrs)->perm;
    p->count = 6;
    memcpy(p->v, perm, sizeof perm);
    n->out[0] = t;
    return VKI_OK;
}

static vki_status match_focus(rewrite *rw, gr_node *n, vki_error *err)
{
    gr_graph *g = rw->g;
    focus f = {.count = 0};
    const int64_t axis = ((const op_axis_attrs *)n->attrs)->axis;
    if (n->n_in != PARTS || (axis != 1 && axis != -3) || g->tensors[n->out[0]].rank != 4) return VKI_OK;
    if (gr_elements(&g->tensors[n->out[0]]) < 1) return VKI_OK;
    for (int i = 0; i < PARTS; i++)
        if (!find_part(rw, n->in[i], i, &f)) return VKI_OK;
    bool rows_first = true, columns_first = true; /* which of the two counts faster */
    for (int i = 0; i < PARTS; i++) {
        rows_first = rows_first && f.row[i] == i / 2 && f.column[i] == i % 2;
        columns_first = columns_first && f.row[i] == i % 2 && f.column[i] == i / 2;
    }
    if (!rows_first && !columns_first) return VKI_OK;
    const gr_id concat = (gr_id)(n - g->nodes);
    gr_id slices[PARTS * MOST_SLICES];
    for (int i = 0; i < f.count; i++) slices[i] = (gr_id)(f.slices[i] - g->nodes);
    if (rows_first) {
        VKB_TRY(rw_become(rw, n, OP_SpaceToDepth, 1, &f.x, err));
        ((op_depth_attrs *)n->attrs)->blocksize = 2;
    } else {
        VKB_TRY(rewrite_columns_first(rw, concat, &f, err));
    }
    for (int i = 0; i < f.count; i++) VKB_TRY(rw_drop(rw, &g->nodes[concat], &g->nodes[slices[i]], err));
    return VKI_OK;
}

static vki_status visit(rewrite *rw, gr_node *n, vki_error *err)
{
    if (n->op == OP_Reshape) return match_reshapes(rw, n, err);
    return n->op == OP_Concat ? match_focus(rw, n, err) : VKI_OK;
}

static vki_status run(gr_graph *g, const gr_evaluator *ev, bool *changed, vki_error *err)
{
    (void)ev;
    const int nodes = g->n_nodes;
    VKB_TRY(rw_each_node(g, visit, changed, err));
    return g->n_nodes == nodes ? VKI_OK : gr_sort(g, err); /* what was added stands at the end */
}

const gr_pass pass_pixel_shuffle = {"pixel_shuffle",
                                    "blocks against channels, spelled out, are moved by one node", run, true};
