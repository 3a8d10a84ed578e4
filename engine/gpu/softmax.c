/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/lines.h"

/* From LONG_LINE on a workgroup's lanes have something to do. lavapipe ends loops after 65535 rounds in all
 * (Mesa 22.3, 2026), so one invocation takes no line beyond VERY_LONG. */
enum { LANES = 64, LONG_LINE = 2 * LANES, VERY_LONG = 16384 };

static gpu_lines lines_of(const gpu_builder *b, const gr_node *n)
{
    return gpu_lines_of(&b->g->tensors[n->in[0]], ((const op_axis_attrs *)n->attrs)->axis);
}

static bool fits_group(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "short lines";
    return lines_of(b, n).size >= LONG_LINE;
}

static bool fits_line(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "lines so long that they would take one invocation too much time";
    return lines_of(b, n).size <= VERY_LONG;
}

static void finish(gpu_builder *b, gpu_dispatch *d, const gr_node *n, const gpu_lines *l)
{
    gpu_spec(d, n->op == OP_LogSoftmax);
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ | GPU_SAME);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_push(d, l->count);
    gpu_push(d, l->size);
    gpu_push(d, l->inner);
}

static void emit_group(gpu_builder *b, const gr_node *n)
{
    gpu_lines l = lines_of(b, n);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, softmax_group));
    gpu_grid(b, d, vkb_min(l.count, b->limits->max_groups[0]) * LANES, 1, 1, LANES, 1, 1);
    gpu_spec(d, LANES);
    finish(b, d, n, &l);
}

static void emit_line(gpu_builder *b, const gr_node *n)
{
    gpu_lines l = lines_of(b, n);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, softmax_line));
    gpu_grid_flat(b, d, l.count);
    finish(b, d, n, &l);
}

static const gpu_kernel kernels[] = {
    {"softmax_group", fits_group, emit_group, GPU_FLOATS},
    {"softmax_line", fits_line, emit_line, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_softmax = {kernels};
