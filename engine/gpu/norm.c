/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/strided.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"
#include "graph/ops/strided.h"

enum {
    LANES = 64,
    CHUNK = 2048 /* positions a workgroup measures */,
    MOST_SAMPLES = 8192,
    MOST_PARTS = 32768 /* of a group: lavapipe ends loops after 65535 rounds (Mesa 22.3, 2026) */
};

static const op_norm_attrs *attrs_of(const gr_node *n)
{
    return n->attrs;
}

static bool has_out(const gr_node *n, int i)
{
    return i < n->n_out && n->out[i] != GR_NONE;
}

/* ---- batch and instance normalization: slices of channels ---- */

typedef struct slices_of {
    int64_t batch, channels, slices, spatial;
} slices_of;

static slices_of measure(const gpu_builder *b, const gr_node *n)
{
    slices_of s;
    gpu_c4_dims(&b->g->tensors[n->in[0]], &s.batch, &s.channels, &s.slices, &s.spatial);
    return s;
}

/* With statistics of its own: instance and group normalization, and batch normalization in training. */
static bool measures(const gr_node *n)
{
    return n->op != OP_BatchNormalization || attrs_of(n)->training_mode;
}

static bool fits_channels(const gpu_builder *b, const gr_node *n, const char **why)
{
    if (n->op == OP_LayerNormalization) return false;
    *why = "one-dimensional input";
    if (b->g->tensors[n->in[0]].rank < 2) return false;
    slices_of s = measure(b, n);
    *why = "more samples or slices than a dispatch can have";
    if (measures(n) && (s.batch > MOST_SAMPLES || s.slices > b->limits->max_groups[1])) return false;
    *why = "too large groups of channels";
    return s.channels / op_norm_groups(b->g, n) * vkb_ceil_div(s.spatial, CHUNK) <= MOST_PARTS;
}

/* Mean and sum of squared deviations of every chunk of every slice, in fp32. */
static gpu_bind emit_parts(gpu_builder *b, const slices_of *s, gpu_bind x, uint8_t access)
{
    int64_t chunks = vkb_ceil_div(s->spatial, CHUNK);
    gpu_bind parts = gpu_scratch(b, (uint64_t)(s->batch * s->slices * chunks) * 32);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, norm_stats));
    gpu_grid(b, d, chunks * LANES, s->slices, s->batch, LANES, 1, 1);
    gpu_spec(d, LANES);
    gpu_bind_add(d, x, access);
    gpu_bind_add(d, parts, GPU_WRITE);
    gpu_push(d, s->spatial);
    gpu_push(d, s->slices);
    gpu_push(d, CHUNK);
    gpu_push(d, chunks);
    return parts;
}

/* From the parts mean and variance of every channel, or of its group; in training of slices of all samples,
 * and the running ones. */
static gpu_bind emit_merge(gpu_builder *b, const gr_node *n, const slices_of *s, gpu_bind parts)
{
    bool batch = n->op == OP_BatchNormalization;
    const int64_t all = s->batch * s->slices, groups = op_norm_groups(b->g, n);
    const int64_t count = batch ? s->slices : s->batch * groups;
    gpu_bind stats = gpu_scratch(b, (uint64_t)all * 32);
    gpu_dispatch *d = gpu_dispatch_begin(b, batch ? GPU_SHADER(b, norm_merge_batch) : SH_norm_merge_f32);
    gpu_grid_flat(b, d, count);
    gpu_bind_add(d, parts, GPU_READ);
    gpu_bind_add(d, stats, GPU_WRITE);
    gpu_push(d, count);
    gpu_push(d, s->spatial);
    gpu_push(d, CHUNK);
    gpu_push(d, vkb_ceil_div(s->spatial, CHUNK));
    if (!batch) {
        gpu_push(d, groups);
        gpu_push(d, s->channels / groups);
        gpu_push(d, s->slices);
        return stats;
    }
    for (int i = 1; i <= 2; i++) {
        gpu_spec(d, has_out(n, i));
        gpu_bind_add(d, gpu_in(b, n, i + 2, GPU_ROW), GPU_READ);
    }
    for (int i = 1; i <= 2; i++)
        gpu_bind_add(d, has_out(n, i) ? gpu_out(b, n, i, GPU_ROW) : stats, GPU_WRITE);
    gpu_push(d, s->batch);
    gpu_push_f32(d, attrs_of(n)->momentum);
    return stats;
}

static void emit_channels(gpu_builder *b, const gr_node *n)
{
    slices_of s = measure(b, n);
    int64_t count = s.batch * s.slices * s.spatial;
    gpu_bind x = gpu_in(b, n, 0, GPU_C4), stats = {0};
    uint8_t access = gpu_read_access(b, n, GPU_C4, NULL); /* the parameters are smaller than x */
    if (measures(n)) stats = emit_merge(b, n, &s, emit_parts(b, &s, x, access));
    gpu_dispatch *d = gpu_dispatch_begin(b, measures(n) ? GPU_SHADER_FOR(b, access, norm_apply_instance)
                                                        : GPU_SHADER_FOR(b, access, norm_apply_batch));
    gpu_grid_flat(b, d, count);
    gpu_bind_add(d, x, access | GPU_SAME);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), access);
    gpu_bind_add(d, gpu_in(b, n, 2, GPU_ROW), access);
    if (measures(n)) {
        gpu_bind_add(d, stats, GPU_READ);
    } else {
        gpu_bind_add(d, gpu_in(b, n, 3, GPU_ROW), access);
        gpu_bind_add(d, gpu_in(b, n, 4, GPU_ROW), access);
    }
    gpu_push(d, count);
    gpu_push(d, s.channels);
    gpu_push(d, s.slices);
    gpu_push(d, s.spatial);
    gpu_push_f32(d, attrs_of(n)->epsilon);
    gpu_epilogue_as(b, d, n, GPU_C4, x, access);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
}

/* ---- layer normalization: rows ---- */

static int64_t first_axis(const gpu_builder *b, const gr_node *n)
{
    int64_t axis = attrs_of(n)->axis;
    return axis < 0 ? axis + b->g->tensors[n->in[0]].rank : axis;
}

static int64_t row_size(const gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    int64_t size = 1;
    for (int64_t d = first_axis(b, n); d < x->rank; d++) size *= x->dims[d];
    return size;
}

/* One value, or one for each element of a row, the same in all rows. */
static bool covers_row(const gpu_builder *b, const gr_node *n, int i)
{
    const gr_tensor *t = &b->g->tensors[n->in[i]], *x = &b->g->tensors[n->in[0]];
    for (int d = 0; d < t->rank; d++)
        if (d + x->rank - t->rank < first_axis(b, n) && t->dims[d] != 1) return false;
    return gr_elements(t) == 1 || gr_elements(t) == row_size(b, n);
}

static bool fits_layer(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b, (void)why;
    return n->op == OP_LayerNormalization;
}

typedef struct factors { /* how scale or bias is read */
    gpu_bind bind;
    int64_t row, step;
} factors;

/* What is broadcast along rows only is read where it is; else it is brought to the shape of x first. */
static factors factors_of(gpu_builder *b, const gr_node *n, int i)
{
    const gr_tensor *t = &b->g->tensors[n->in[i]], *x = &b->g->tensors[n->in[0]];
    gpu_bind in = gpu_in(b, n, i, GPU_ROW);
    if (covers_row(b, n, i)) return (factors){in, 0, gr_elements(t) != 1};
    op_strided s = op_strided_expand(t, x);
    gpu_bind whole = gpu_scratch(b, gpu_layout_bytes(x, GPU_ROW, b->half));
    gpu_copy_strided(b, &s, in, whole);
    return (factors){whole, row_size(b, n), 1};
}

static void emit_layer(gpu_builder *b, const gr_node *n)
{
    int64_t size = row_size(b, n), rows = gr_elements(&b->g->tensors[n->in[0]]) / size;
    bool bias = op_has_own(n, 2), with[3] = {true};
    gpu_bind out[3];
    factors by = factors_of(b, n, 1), plus = bias ? factors_of(b, n, 2) : by;
    for (int i = 0; i < 3; i++) {
        with[i] = has_out(n, i);
        out[i] = with[i] ? gpu_out(b, n, i, GPU_ROW) : out[0];
    }
    bool fours = size % 4 == 0 && by.step == 1 && plus.step == 1;
    int64_t width = fours ? 4 : 1;
    /* Of a short row the steps of the sums take longest. */
    uint32_t lanes = size / width < 8 * LANES ? LANES / 2 : LANES;
    gpu_dispatch *d =
        gpu_dispatch_begin(b, fours ? GPU_SHADER(b, norm_layer_fours) : GPU_SHADER(b, norm_layer));
    gpu_grid(b, d, vkb_min(rows, b->limits->max_groups[0]) * lanes, 1, 1, lanes, 1, 1);
    gpu_spec(d, lanes);
    gpu_spec(d, bias);
    gpu_spec(d, with[1]);
    gpu_spec(d, with[2]);
    gpu_spec(d, attrs_of(n)->centred != 0);
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ | GPU_SAME);
    gpu_bind_add(d, by.bind, GPU_READ);
    gpu_bind_add(d, plus.bind, GPU_READ);
    for (int i = 0; i < 3; i++) gpu_bind_add(d, out[i], GPU_WRITE);
    gpu_push(d, rows);
    gpu_push(d, size / width);
    gpu_push(d, by.step);
    gpu_push(d, plus.step);
    gpu_push(d, by.row / width);
    gpu_push(d, plus.row / width);
    gpu_push_f32(d, attrs_of(n)->epsilon);
}

static const gpu_kernel kernels[] = {
    {"norm_layer", fits_layer, emit_layer, GPU_FLOATS},
    {"norm_channels", fits_channels, emit_channels, GPU_FLOATS},
    {0},
};
const gpu_op gpu_op_norm = {kernels};
