/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/broadcast.h"

/* Of `x` along dimension d of `y`, to which it is broadcast. */
static int64_t size_at(const gr_tensor *x, const gr_tensor *y, int d)
{
    int own = d - (y->rank - x->rank);
    return own < 0 ? 1 : x->dims[own];
}

static void strides_of(const gr_tensor *x, const gr_tensor *y, int64_t strides[GR_MAX_RANK])
{
    int64_t stride = 1;
    for (int d = y->rank - 1; d >= 0; d--) {
        int64_t size = size_at(x, y, d);
        strides[d] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

gpu_rows gpu_rows_of(const gr_tensor *const *x, int count, const gr_tensor *y)
{
    gpu_rows p = {.rank = 0};
    int64_t strides[GPU_ROW_OPERANDS][GR_MAX_RANK];
    for (int i = 0; i < count; i++) strides_of(x[i], y, strides[i]);
    for (int d = y->rank - 1; d >= 0; d--) {
        if (y->dims[d] == 1) continue;
        int k = p.rank - 1;
        bool joins = k >= 0;
        for (int i = 0; joins && i < count; i++) joins = strides[i][d] == p.strides[i][k] * p.dims[k];
        if (joins) {
            p.dims[k] *= y->dims[d];
            continue;
        }
        p.dims[p.rank] = y->dims[d];
        for (int i = 0; i < count; i++) p.strides[i][p.rank] = strides[i][d];
        p.rank++;
    }
    if (p.rank == 0) p = (gpu_rows){.rank = 1, .dims = {1}};
    return p;
}

bool gpu_rows_fit(const gpu_builder *b, const gr_node *n, int count, gpu_rows *rows, const char **why)
{
    const gr_tensor *x[GPU_ROW_OPERANDS];
    for (int i = 0; i < count; i++) x[i] = &b->g->tensors[n->in[i]];
    *rows = gpu_rows_of(x, count, &b->g->tensors[n->out[0]]);
    *why = "more than six dimensions that are broadcast differently";
    return rows->rank <= GPU_ROW_DIMS;
}

void gpu_push_rows(gpu_dispatch *d, const gpu_rows *rows, int count)
{
    for (int i = 0; i < GPU_ROW_DIMS; i++) gpu_push(d, i < rows->rank ? rows->dims[i] : 1);
    for (int k = 0; k < count; k++)
        for (int i = 0; i < GPU_ROW_DIMS; i++) gpu_push(d, i < rows->rank ? rows->strides[k][i] : 0);
}

uint8_t gpu_row_access(const gpu_rows *rows, int operand)
{
    int64_t dense = 1;
    for (int d = 0; d < rows->rank; d++) {
        if (rows->dims[d] != 1 && rows->strides[operand][d] != dense) return GPU_READ;
        dense *= rows->dims[d];
    }
    return GPU_READ | GPU_SAME;
}
