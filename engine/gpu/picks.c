/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/picks.h"

/* Innermost dimension first; neighbours that are walked as one become one, if neither is the axis. */
static void elements_of(gpu_picks *p, const gr_tensor *x, const gr_tensor *indices, int64_t axis)
{
    int64_t stride = 1;
    if (axis < 0) axis += x->rank;
    p->size = x->dims[axis];
    p->picks = gr_elements(indices);
    p->axis = -1;
    for (int d = x->rank - 1; d >= 0; d--) {
        int last = p->rank - 1;
        bool free = d != axis && last >= 0 && last != p->axis;
        if (free && stride == p->strides[last] * p->dims[last]) {
            p->dims[last] *= indices->dims[d];
        } else if (d == axis || indices->dims[d] != 1) {
            if (d == axis) p->axis = p->rank;
            p->dims[p->rank] = indices->dims[d];
            p->strides[p->rank++] = stride;
        }
        stride *= x->dims[d];
    }
}

static void tuples_of(gpu_picks *p, const gr_tensor *x, const gr_tensor *indices, int batch)
{
    int last = indices->rank - 1;
    p->rank = (int)indices->dims[last];
    p->tuple_count = p->run = p->per_batch = 1;
    for (int d = 0; d < last; d++) p->tuple_count *= indices->dims[d];
    for (int d = batch; d < last; d++) p->per_batch *= indices->dims[d];
    for (int k = 0; k < p->rank; k++) p->dims[k] = x->dims[batch + k];
    for (int d = batch + p->rank; d < x->rank; d++) p->run *= x->dims[d];
    p->picks = p->tuple_count * p->run;
}

gpu_picks gpu_picks_of(const gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *indices = &b->g->tensors[n->in[1]];
    gpu_picks p = {.tuples = n->op == OP_GatherND || n->op == OP_ScatterND, .run = 1, .per_batch = 1};
    if (p.tuples)
        tuples_of(&p, x, indices,
                  n->op == OP_GatherND ? (int)((const op_gather_nd_attrs *)n->attrs)->batch_dims : 0);
    else
        elements_of(&p, x, indices,
                    n->op == OP_GatherElements ? ((const op_axis_attrs *)n->attrs)->axis
                                               : ((const op_scatter_attrs *)n->attrs)->axis);
    return p;
}

void gpu_picks_add(gpu_dispatch *d, const gpu_picks *p)
{
    gpu_spec(d, p->tuples);
    gpu_spec(d, (uint32_t)p->rank);
    const int64_t words[] = {p->picks, p->axis, p->size, p->run, p->per_batch};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    for (int i = 0; i < GR_MAX_RANK; i++) gpu_push(d, p->dims[i]);
    for (int i = 0; i < GR_MAX_RANK; i++) gpu_push(d, p->strides[i]);
}
