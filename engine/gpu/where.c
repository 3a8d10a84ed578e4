/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/broadcast.h"

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    gpu_rows rows;
    return gpu_const_fits(b, n, 1, why) && gpu_const_fits(b, n, 2, why) && gpu_rows_fit(b, n, 3, &rows, why);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    gpu_rows rows;
    const char *why;
    if (!gpu_rows_fit(b, n, 3, &rows, &why)) return;
    const gr_tensor *y = &b->g->tensors[n->out[0]];
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_OF(b, y->dtype, where_row));
    gpu_grid_flat(b, d, gr_elements(y));
    gpu_spec(d, (uint32_t)rows.rank);
    for (int i = 0; i < 3; i++) gpu_bind_add(d, gpu_in(b, n, i, GPU_ROW), gpu_row_access(&rows, i));
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_push(d, gr_elements(y));
    gpu_push_rows(d, &rows, 3);
}

static const gpu_kernel kernels[] = {{"where_row", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_where = {kernels};
