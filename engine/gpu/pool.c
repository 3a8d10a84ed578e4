/* SPDX-License-Identifier: Apache-2.0
 * Pools over windows and over all positions, in slices of four channels. */
#include "gpu/pool.h"
#include "gpu/texels.h"

enum {
    GLOBAL_LANES = 64,
    GLOBAL_MIN = 128,   /* positions; below, one invocation walks them all */
    MOST_ROUNDS = 32768 /* of the loops of an invocation: see docs/design.md */
};

static enum gpu_pool_kind kind_of(const gr_node *n)
{
    if (n->op == OP_MaxPool || n->op == OP_GlobalMaxPool) return GPU_POOL_MAX;
    if (n->op == OP_LpPool || n->op == OP_GlobalLpPool) return GPU_POOL_POWERS;
    if (n->op == OP_GlobalAveragePool) return GPU_POOL_MEAN_INSIDE;
    return ((const op_pool_attrs *)n->attrs)->count_include_pad ? GPU_POOL_MEAN_PADDED : GPU_POOL_MEAN_INSIDE;
}

static int64_t exponent(const gr_node *n)
{
    return kind_of(n) == GPU_POOL_POWERS ? ((const op_pool_attrs *)n->attrs)->p : 0;
}

static bool fits_slices(const gr_node *n, const char **why)
{
    *why = "the positions of the largest values are computed in rows";
    if (n->n_out > 1 && n->out[1] != GR_NONE) return false;
    *why = "an exponent over 16";
    return exponent(n) <= 16;
}

static bool fits_window(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!fits_slices(n, why)) return false;
    *why = "more than three spatial dimensions";
    if (!op_window_of(b->g, n, &w)) return false;
    *why = "a window of more positions than a shader's loops may have rounds";
    return op_window_taps(&w) <= MOST_ROUNDS;
}

static bool fits_global(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    if (!fits_slices(n, why)) return false;
    *why = "too many positions for a shader's loops";
    if (!op_window_of(b->g, n, &w) || op_window_taps(&w) > (int64_t)MOST_ROUNDS * GLOBAL_LANES) return false;
    *why = "the window is not the whole input, or so small that one invocation walks it";
    bool whole = w.kernel_d == w.in_d && w.kernel_h == w.in_h && w.kernel_w == w.in_w &&
                 w.out_d * w.out_h * w.out_w == 1 && w.dilation_d == 1 && w.dilation_h == 1 &&
                 w.dilation_w == 1 &&
                 !(w.pad_front | w.pad_top | w.pad_left | w.pad_back | w.pad_bottom | w.pad_right);
    return (op_pool_is_global(n->op) || whole) && op_window_taps(&w) >= GLOBAL_MIN;
}

static void emit_window(gpu_builder *b, const gr_node *n)
{
    op_window w;
    if (!op_window_of(b->g, n, &w)) return;
    int64_t slices = vkb_ceil_div(w.in_c, 4), positions = w.out_w * w.out_h * w.out_d;
    gpu_bind in = gpu_in(b, n, 0, GPU_C4);
    uint8_t access = gpu_read_access(b, n, GPU_C4, NULL);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, pool_window));
    gpu_bind_add(d, in, access);
    if (positions >= 16)
        gpu_grid(b, d, positions, slices, w.batch, 64, 1, 1);
    else
        gpu_grid(b, d, positions, slices, w.batch, 1, 64, 1);
    const int64_t words[] = {w.in_w,
                             w.in_h,
                             w.out_w,
                             w.out_h,
                             slices,
                             w.kernel_w,
                             w.kernel_h,
                             w.stride_w,
                             w.stride_h,
                             w.dilation_w,
                             w.dilation_h,
                             w.pad_left,
                             w.pad_top,
                             w.in_w + w.pad_right,
                             w.in_h + w.pad_bottom,
                             w.in_d,
                             w.out_d,
                             w.kernel_d,
                             w.stride_d,
                             w.dilation_d,
                             w.pad_front,
                             w.in_d + w.pad_back,
                             exponent(n)};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_epilogue_as(b, d, n, GPU_C4, in, access);
    gpu_spec(d, kind_of(n));
    gpu_spec(d, !op_window_is_flat(&w));
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
}

void gpu_emit_pool_global(gpu_builder *b, const gr_node *n, enum gpu_pool_kind kind, int64_t power)
{
    int64_t batch, channels, slices, spatial;
    gpu_c4_dims(&b->g->tensors[n->in[0]], &batch, &channels, &slices, &spatial);
    gpu_bind in = gpu_in(b, n, 0, GPU_C4);
    uint8_t access = gpu_read_access(b, n, GPU_C4, NULL);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, pool_global));
    gpu_bind_add(d, in, access);
    gpu_grid(b, d, GLOBAL_LANES, slices, batch, GLOBAL_LANES, 1, 1);
    gpu_push(d, spatial);
    gpu_push(d, slices);
    gpu_push(d, power);
    gpu_epilogue_as(b, d, n, GPU_C4, in, access);
    gpu_spec(d, kind);
    gpu_spec(d, GLOBAL_LANES);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
}

static void emit_global(gpu_builder *b, const gr_node *n)
{
    gpu_emit_pool_global(b, n, kind_of(n), exponent(n));
}

/* ---- MaxPool in rows: with positions, and of integers ---- */

static bool fits_positions(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_window w;
    *why = "not the largest of a window";
    if (n->op != OP_MaxPool) return false;
    *why = "more than three spatial dimensions";
    if (!op_window_of(b->g, n, &w)) return false;
    *why = "a window of more positions than a shader's loops may have rounds";
    return op_window_taps(&w) <= MOST_ROUNDS;
}

static void emit_positions(gpu_builder *b, const gr_node *n)
{
    op_window w;
    if (!op_window_of(b->g, n, &w)) return;
    const bool floats = gpu_is_float(b->g->tensors[n->in[0]].dtype),
               wanted = n->n_out > 1 && n->out[1] != GR_NONE;
    const int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    gpu_bind in = gpu_in(b, n, 0, GPU_ROW), out = gpu_out(b, n, 0, GPU_ROW);
    gpu_dispatch *d = gpu_dispatch_begin(b, floats ? GPU_SHADER(b, pool_positions) : SH_pool_positions_i32);
    gpu_bind_add(d, in, GPU_READ);
    gpu_grid_flat(b, d, count);
    const int64_t words[] = {
        count,        w.in_w,     w.in_h,     w.in_d,       w.out_w,
        w.out_h,      w.out_d,    w.kernel_w, w.kernel_h,   w.kernel_d,
        w.stride_w,   w.stride_h, w.stride_d, w.dilation_w, w.dilation_h,
        w.dilation_d, w.pad_left, w.pad_top,  w.pad_front,  ((const op_pool_attrs *)n->attrs)->storage_order};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_epilogue(b, d, n, GPU_ROW, in);
    gpu_spec(d, wanted);
    gpu_bind_add(d, out, GPU_WRITE);
    gpu_bind_add(d, wanted ? gpu_out(b, n, 1, GPU_ROW) : out, GPU_WRITE);
}

static const gpu_kernel kernels[] = {
    {"pool_global", fits_global, emit_global, GPU_FLOATS},
    {"pool_window", fits_window, emit_window, GPU_FLOATS},
    {"pool_positions", fits_positions, emit_positions,
     GPU_FLOATS | OP_BIT(VKI_I8) | OP_BIT(VKI_U8) | OP_BIT(VKI_I64)},
    {0},
};
const gpu_op gpu_op_pool = {kernels};
