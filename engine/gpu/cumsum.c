/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/lines.h"

enum { LANES = 64 };

static gpu_lines lines_of(const gpu_builder *b, const gr_node *n)
{
    int64_t axis = 0;
    int count;
    gr_const_i64(b->g, n->in[1], &axis, 1, &count); /* inference wants it constant */
    return gpu_lines_of(&b->g->tensors[n->in[0]], axis);
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    gpu_lines l = lines_of(b, n);
    *why = "lines so long that they would take one workgroup too much time";
    if (2 * l.size / gpu_line_lanes(&l) > GPU_LINE_ROUNDS) return false;
    *why = "more lines than a dispatch can have";
    return vkb_ceil_div(l.count * gpu_line_lanes(&l), LANES) <= b->limits->max_groups[0];
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const op_cumsum_attrs *a = n->attrs;
    gpu_lines l = lines_of(b, n);
    uint32_t lanes = gpu_line_lanes(&l);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_BY(b, b->g->tensors[n->in[0]].dtype, cumsum_lines));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid(b, d, l.count, lanes, 1, LANES / lanes, lanes, 1);
    gpu_spec(d, LANES);
    gpu_spec(d, a->exclusive != 0);
    gpu_spec(d, a->reverse != 0);
    gpu_push(d, l.count);
    gpu_push(d, l.size);
    gpu_push(d, l.inner);
}

static const gpu_kernel kernels[] = {{"cumsum_lines", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_cumsum = {kernels};
