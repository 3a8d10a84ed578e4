/* SPDX-License-Identifier: Apache-2.0
 * Squeeze and excitation (Hu et al., "Squeeze-and-Excitation Networks", 2018): the two 1x1 convolutions on
 * one pixel, and the mean before them if it is over few elements, in one dispatch of a workgroup a sample;
 * and the product with the gate within the 1x1 convolution that alone reads it. */
#include "gpu/gemv.h"
#include "gpu/merges.h"
#include "gpu/pack_conv.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"

enum {
    LANES = 128,             /* every device has so many */
    MOST_SLICES = 512,       /* of the input, and */
    MOST_MIDDLE = 128,       /* between the convolutions: 12 KB of shared memory with LANES sums */
    MOST_WEIGHTS = 1 << 17,  /* more are faster read by all of the device */
    MOST_ELEMENTS = 1 << 16, /* of a sample that the mean is over; likewise */
    LONG = 4096              /* positions: rounds of a loop */
};

typedef struct squeeze {
    gr_id pool;         /* GR_NONE: the input is one pixel already */
    gr_id first;        /* convolution */
    op_window one, two; /* the convolutions */
    gr_id x;
    int64_t spatial, slices, middle, out_slices;
} squeeze;

/* A 1x1 convolution on one pixel, without a residual. */
static bool on_one_pixel(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!gpu_is_float(g->tensors[n->out[0]].dtype) || !op_window_of(g, n, w)) return false;
    if (!gr_is_const(g, n->in[1]) || (op_has_own(n, 2) && !gr_is_const(g, n->in[2]))) return false;
    return w->group == 1 && op_window_taps(w) == 1 && w->in_d * w->in_h * w->in_w == 1 &&
           w->out_d * w->out_h * w->out_w == 1 && n->epilogue.residual == GR_RESIDUAL_NONE &&
           !(w->pad_front | w->pad_top | w->pad_left);
}

static bool measure(const gpu_builder *b, const gr_node *second, squeeze *s)
{
    const gr_graph *g = b->g;
    const gr_node *first = &g->nodes[s->first];
    int64_t batch, channels, one;
    if (!on_one_pixel(g, first, &s->one) || !on_one_pixel(g, second, &s->two)) return false;
    s->x = s->pool == GR_NONE ? first->in[0] : g->nodes[s->pool].in[0];
    gpu_c4_dims(&g->tensors[s->x], &batch, &channels, &s->slices, &s->spatial);
    gpu_c4_dims(&g->tensors[first->out[0]], &batch, &channels, &s->middle, &one);
    gpu_c4_dims(&g->tensors[second->out[0]], &batch, &channels, &s->out_slices, &one);
    return s->slices <= MOST_SLICES && s->middle <= MOST_MIDDLE && s->out_slices <= MOST_SLICES &&
           16 * s->middle * (s->slices + s->out_slices) <= MOST_WEIGHTS && s->spatial <= LONG &&
           4 * s->spatial * s->slices <= MOST_ELEMENTS && batch <= b->limits->max_groups[0];
}

/* As many parts as leave no lane without work, each of a few positions. */
static int64_t parts_of(const squeeze *s)
{
    int64_t parts = 1;
    while (2 * parts * s->slices <= LANES && 8 * parts <= s->spatial) parts *= 2;
    return parts;
}

static gpu_bind pack_weights(gpu_builder *b, const gr_node *n, const op_window *w)
{
    int64_t in = vkb_ceil_div(w->in_c, 4) * 4, out = vkb_ceil_div(w->out_c, 4) * 4;
    gpu_matrix m = {n->in[1], w->in_c, w->out_c, 1, w->in_c, in};
    return gpu_pack_matrix(b, &m, 0, out);
}

static void read_plan(const gpu_builder *b, squeeze *s)
{
    gr_id first = b->merges[b->node].first;
    bool pools = b->g->nodes[first].op == OP_GlobalAveragePool;
    s->pool = pools ? first : GR_NONE;
    s->first = first;
    for (gr_id i = first + 1; i < b->node && pools; i++)
        if (b->merges[i].into == b->node) s->first = i;
}

static void emit(gpu_builder *b, const gr_node *n)
{
    squeeze s;
    read_plan(b, &s);
    if (!measure(b, n, &s)) return;
    const gr_node *first = &b->g->nodes[s.first];
    gpu_bind one = pack_weights(b, first, &s.one), two = pack_weights(b, n, &s.two);
    gpu_bind bias_one = gpu_pack_bias(b, first, s.middle), bias_two = gpu_pack_bias(b, n, s.out_slices);
    gpu_bind x = gpu_in(b, s.pool == GR_NONE ? first : &b->g->nodes[s.pool], 0, GPU_C4);
    uint64_t bytes = gpu_layout_bytes(&b->g->tensors[s.x], GPU_C4, b->half);
    uint8_t access = gpu_read_access_of(b, bytes > 8 * MOST_WEIGHTS ? bytes : 8 * MOST_WEIGHTS);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, squeeze_gate));
    const gpu_bind in[] = {x, one, bias_one, two, bias_two};
    for (size_t i = 0; i < VKB_COUNT(in); i++) gpu_bind_add(d, in[i], access);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
    gpu_grid(b, d, s.two.batch * LANES, 1, 1, LANES, 1, 1);
    const uint32_t constants[] = {n->epilogue.act, GR_RESIDUAL_NONE, first->epilogue.act,
                                  LANES,           MOST_SLICES,      MOST_MIDDLE};
    for (size_t i = 0; i < VKB_COUNT(constants); i++) gpu_spec(d, constants[i]);
    const int64_t words[] = {s.spatial, s.slices, s.middle, s.out_slices, parts_of(&s)};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_push_f32(d, first->epilogue.alpha);
    gpu_push_f32(d, first->epilogue.beta);
    gpu_push_f32(d, n->epilogue.alpha);
    gpu_push_f32(d, n->epilogue.beta);
}

static const gpu_kernel kernel = {.name = "squeeze_gate", .emit = emit};

void gpu_merge_squeeze(gpu_merger *m, gr_id node)
{
    const gr_graph *g = m->b->g;
    const gr_node *n = &g->nodes[node];
    squeeze s = {.pool = GR_NONE};
    if (n->op != OP_Conv || !gpu_merge_is_free(m, node)) return;
    s.first = gpu_merge_maker(m, n->in[0], OP_Conv);
    if (s.first == GR_NONE || gpu_merge_reader(m, n->in[0], OP_Conv) != node) return;
    gr_id x = g->nodes[s.first].in[0], pool = gpu_merge_maker(m, x, OP_GlobalAveragePool);
    if (pool != GR_NONE && gpu_merge_reader(m, x, OP_Conv) == s.first &&
        g->nodes[pool].epilogue.act == GR_ACT_NONE && g->nodes[pool].epilogue.residual == GR_RESIDUAL_NONE)
        s.pool = pool;
    bool fits = measure(m->b, n, &s);
    if (!fits && s.pool != GR_NONE) {
        s.pool = GR_NONE; /* too large for one workgroup: by itself */
        fits = measure(m->b, n, &s);
    }
    if (!fits) return;
    gpu_merge *merges = m->b->merges;
    merges[node].kernel = &kernel;
    merges[node].first = s.pool == GR_NONE ? s.first : s.pool;
    merges[s.first].into = node;
    if (s.pool != GR_NONE) merges[s.pool].into = node;
}
