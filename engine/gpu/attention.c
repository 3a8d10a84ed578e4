/* SPDX-License-Identifier: Apache-2.0
 * Attention in one dispatch, or in three where that is faster.
 * lavapipe 22.3 (2026-11) gathers from shared memory lane by lane: with 1024 keys and queries of 4 heads of
 * 64 elements three dispatches take 0.06 of the time. */
#include "gpu/gemv.h"
#include "gpu/texels.h"

enum { LANES = 64, STAGED4 = 512 /* fours of keys or values in shared memory: 8 KiB */, MOST_KEYS = 32 };
enum { MASK_NONE = 0, MASK_ADDED, MASK_WORDS };

static void spec_mask(const gpu_builder *b, gpu_dispatch *d, const gr_node *n, const op_attention *a)
{
    const bool words = a->masked && !gpu_is_float(b->g->tensors[n->in[3]].dtype);
    gpu_spec(d, !a->masked ? MASK_NONE : words ? MASK_WORDS : MASK_ADDED);
    gpu_spec(d, a->causal);
    gpu_spec(d, a->softcap > 0);
}

/* ---- in three dispatches, with all scores in memory: where texels are fast and shared memory is not ---- */

static gpu_product of_batches(const op_attention *a)
{
    return (gpu_product){
        .dims = {a->batch, a->kv_heads, a->heads / a->kv_heads}, .m = a->queries, .scale = 1};
}

static void set_strides(int64_t strides[3], const op_attention *a, int64_t batch, int64_t head, bool shared)
{
    const int64_t group = a->heads / a->kv_heads;
    strides[0] = batch;
    strides[1] = shared ? head : head * group; /* shared: by the heads of a group */
    strides[2] = shared ? 0 : head;
}

/* Rows of scores begin at multiples of four. */
static int64_t score_stride(const op_attention *a)
{
    return vkb_ceil_div(a->keys, 4) * 4;
}

static int64_t score_rows(const op_attention *a)
{
    return a->batch * a->heads * a->queries;
}

static uint32_t softmax_lanes(const op_attention *a)
{
    return a->keys >= 512 ? 64 : 8;
}

static bool fits_parts(const gpu_builder *b, const gr_node *n, const char **why)
{
    enum { MOST_ROUNDS = 60000 };
    op_attention a;
    *why = "shapes that do not fit";
    if (!op_attention_of(b->g, n, &a)) return false;
    *why = "no elements to add up, or a constant operand";
    for (int i = 0; i < 3; i++)
        if (gr_is_const(b->g, n->in[i])) return false; /* gpu_emit_product reads activations */
    if (a.size < 1) return false;
    *why = "more scores than one binding holds, or more heads than a dispatch can have";
    const double bytes = (double)score_rows(&a) * (double)score_stride(&a) * (b->half ? 2 : 4);
    if (bytes > (double)b->limits->max_range || bytes > INT32_MAX) return false;
    if (a.batch * a.heads > b->limits->max_groups[2] || a.queries > b->limits->max_groups[1]) return false;
    *why = "so many keys that they would take one invocation too much time";
    const double rows = (double)vkb_ceil_div(score_rows(&a), b->limits->max_groups[0]);
    return rows * (3 * ((double)a.keys / softmax_lanes(&a) + 1) + 16) < MOST_ROUNDS &&
           a.keys < 4 * MOST_ROUNDS && a.size < 4 * MOST_ROUNDS;
}

static void emit_softmax(gpu_builder *b, const gr_node *n, const op_attention *a, gpu_bind scores)
{
    const uint32_t lanes = softmax_lanes(a);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, attention_softmax));
    gpu_grid(b, d, vkb_min(score_rows(a), b->limits->max_groups[0]) * lanes, 1, 1, lanes, 1, 1);
    gpu_spec(d, lanes);
    spec_mask(b, d, n, a);
    gpu_bind mask = a->masked ? gpu_in(b, n, 3, GPU_ROW) : gpu_in(b, n, 0, GPU_ROW);
    gpu_bind_add(d, scores, GPU_READ | GPU_WRITE);
    gpu_bind_add(d, mask, GPU_READ);
    gpu_bind_add(d, mask, GPU_READ);
    const int64_t push[] = {score_rows(a), score_stride(a), a->heads,    a->queries, a->keys,
                            a->mask_batch, a->mask_head,    a->mask_row, a->mask_col};
    for (size_t i = 0; i < VKB_COUNT(push); i++) gpu_push(d, push[i]);
    gpu_push_f32(d, a->softcap);
}

static void emit_parts(gpu_builder *b, const gr_node *n)
{
    op_attention a;
    if (!op_attention_of(b->g, n, &a)) return;
    const int64_t row = score_stride(&a), bytes = score_rows(&a) * row * (b->half ? 2 : 4);
    gpu_product p = of_batches(&a);
    gpu_bind scores = gpu_scratch(b, (uint64_t)bytes);
    p.a = gpu_in(b, n, 0, GPU_ROW);
    p.b = gpu_in(b, n, 1, GPU_ROW);
    p.y = scores;
    p.access = gpu_read_access(b, n, GPU_ROW, NULL);
    p.n = a.keys;
    p.k = a.size;
    p.a_row = a.q_row;
    p.b_row = 1;
    p.b_col = a.k_row;
    p.y_row = row;
    p.scale = a.scale;
    set_strides(p.a_batch, &a, a.q_batch, a.q_head, false);
    set_strides(p.b_batch, &a, a.k_batch, a.k_head, true);
    set_strides(p.y_batch, &a, a.heads * a.queries * row, a.queries * row, false);
    gpu_emit_product(b, n, &p);
    emit_softmax(b, n, &a, scores);

    p = of_batches(&a);
    p.a = scores;
    p.b = gpu_in(b, n, 2, GPU_ROW);
    p.y = gpu_out(b, n, 0, GPU_ROW);
    p.access = gpu_read_access(b, n, GPU_ROW, &scores);
    p.n = a.value_size;
    p.k = a.keys;
    p.a_row = row;
    p.b_row = a.v_row;
    p.b_col = 1;
    p.y_row = a.y_row;
    set_strides(p.a_batch, &a, a.heads * a.queries * row, a.queries * row, false);
    set_strides(p.b_batch, &a, a.v_batch, a.v_head, true);
    set_strides(p.y_batch, &a, a.y_batch, a.y_head, false);
    gpu_emit_product(b, n, &p);
}

/* ---- in one ---- */

typedef struct tiles { /* of a workgroup, and what they take */
    int64_t rows, keys, size4, value4;
} tiles;

/* 16 queries, or 8 of large heads; as many keys as fit, 8 at least: a score for each lane. The rest of the
 * shared memory that every device has (16 KiB) holds the queries and the scores. */
static tiles tiles_of(const op_attention *a)
{
    tiles t = {.size4 = vkb_ceil_div(a->size, 4), .value4 = vkb_ceil_div(a->value_size, 4)};
    const int64_t wide = vkb_max(vkb_max(t.size4, t.value4), 1);
    t.rows = wide > 16 ? 8 : 16;
    t.keys = MOST_KEYS;
    while (t.keys * wide > STAGED4) t.keys /= 2;
    return t;
}

/* Rounds of loops of one invocation for all keys; drivers end loops after some number. */
static double rounds_of(const op_attention *a, const tiles *t)
{
    const double copies = (double)(t->keys * (t->size4 + t->value4)) / LANES + 2;
    const double scores = (double)(t->rows * t->keys) / LANES,
                 sums = (double)(t->rows * t->value4) / LANES + 1;
    const double tile = copies + scores * (3 + (double)t->size4) + (double)(t->size4 + 2 * t->keys) + sums +
                        sums * (double)t->keys;
    return tile * (double)vkb_ceil_div(a->keys, t->keys) + 64;
}

static bool fits_tiles(const gpu_builder *b, const gr_node *n, const char **why)
{
    enum { MOST_ROUNDS = 60000 }; /* lavapipe ends loops after 65535 in all (Mesa 22.3, 2026) */
    op_attention a;
    const char *parts;
    *why = "shapes that do not fit";
    if (!op_attention_of(b->g, n, &a)) return false;
    *why = "texels are faster on this device than shared memory";
    if (gpu_read_access_of(b, 0) != GPU_READ && fits_parts(b, n, &parts)) return false;
    *why = "heads of more than 256 elements";
    if (a.size > 256 || a.value_size > 256) return false;
    tiles t = tiles_of(&a);
    *why = "so many keys that they would take one invocation too much time";
    if (rounds_of(&a, &t) > MOST_ROUNDS) return false;
    *why = "more queries or heads than a dispatch can have";
    if (a.batch * a.heads > b->limits->max_groups[1] ||
        vkb_ceil_div(a.queries, t.rows) > b->limits->max_groups[0])
        return false;
    *why = "a workgroup needs more shared memory";
    return 16 * (t.rows * t.size4 + STAGED4) + 4 * t.rows * (t.keys + 2) <= b->limits->max_shared;
}

static void emit_tiles(gpu_builder *b, const gr_node *n)
{
    op_attention a;
    if (!op_attention_of(b->g, n, &a)) return;
    const tiles t = tiles_of(&a);
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, attention_tiles));
    gpu_grid(b, d, vkb_ceil_div(a.queries, t.rows) * LANES, a.batch * a.heads, 1, LANES, 1, 1);
    const int64_t spec[] = {LANES, t.rows, t.keys, t.size4, t.value4};
    for (size_t i = 0; i < VKB_COUNT(spec); i++) gpu_spec(d, (uint32_t)spec[i]);
    spec_mask(b, d, n, &a);
    gpu_bind q = gpu_in(b, n, 0, GPU_ROW), mask = a.masked ? gpu_in(b, n, 3, GPU_ROW) : q;
    gpu_bind_add(d, q, GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 1, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_in(b, n, 2, GPU_ROW), GPU_READ);
    gpu_bind_add(d, mask, GPU_READ);
    gpu_bind_add(d, mask, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    const int64_t push[] = {a.heads,      a.heads / a.kv_heads,
                            a.queries,    a.keys,
                            a.size,       a.value_size,
                            a.q_batch,    a.q_head,
                            a.q_row,      a.k_batch,
                            a.k_head,     a.k_row,
                            a.v_batch,    a.v_head,
                            a.v_row,      a.y_batch,
                            a.y_head,     a.y_row,
                            a.mask_batch, a.mask_head,
                            a.mask_row,   a.mask_col};
    for (size_t i = 0; i < VKB_COUNT(push); i++) gpu_push(d, push[i]);
    gpu_push_f32(d, a.scale);
    gpu_push_f32(d, a.softcap);
}

static const gpu_kernel kernels[] = {
    {"attention_tiles", fits_tiles, emit_tiles, GPU_FLOATS | OP_BIT(VKI_BOOL)},
    {"attention_parts", fits_parts, emit_parts, GPU_FLOATS | OP_BIT(VKI_BOOL)},
    {0},
};
const gpu_op gpu_op_attention = {kernels};
