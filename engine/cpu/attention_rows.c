/* SPDX-License-Identifier: Apache-2.0
 * Attention in tiles of queries, as many as the GEMM's tile has rows: their scores with all keys, softmax,
 * and the product with the values, while the scores are in the cache. The matrix of all scores is never made.
 * A task packs keys and values of its head and takes some of the queries; tiles begin at multiples of that
 * for every number of tasks, and each sum has one order, so that results do not depend on the number of
 * threads. */
#include "cpu/fast.h"
#include "cpu/gemm.h"

#include <math.h>

enum { MOST_ROWS = 32 }; /* of a tile */

typedef struct attention_state {
    op_attention a;
    const cpu_micro *micro;
    int64_t mr;            /* queries of a tile */
    int64_t chunks, tiles; /* tasks a head; tiles of queries of one */
    bool mask_bytes;
    uint64_t k_floats, v_floats, row; /* packed keys, packed values, elements of a row of scores */
    uint64_t floats;                  /* scratch a thread */
} attention_state;

bool cpu_attention_rows_fits(const gr_graph *g, const gr_node *n)
{
    op_attention a;
    const int64_t most = INT64_C(1) << 31;
    for (int i = 0; i < 3; i++)
        if (g->tensors[n->in[i]].dtype != VKI_F32 || gr_elements(&g->tensors[n->in[i]]) < 1) return false;
    return op_attention_of(g, n, &a) && gr_elements(&g->tensors[n->out[0]]) > 0 && a.size < most &&
           a.value_size < most && a.keys < most && a.queries < most;
}

vki_status cpu_attention_rows_prepare(cpu_prep *p, vki_error *err)
{
    attention_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    *s = (attention_state){.micro = cpu_micro_get()};
    if (!op_attention_of(p->g, p->n, &s->a))
        return vkb_fail(err, VKI_E_INTERNAL, "an attention lost its shape");
    const op_attention *a = &s->a;
    s->mr = vkb_min(s->micro->mr, MOST_ROWS);
    const int64_t tiles = vkb_ceil_div(a->queries, s->mr), all = a->batch * a->heads;
    s->mask_bytes = a->masked && p->g->tensors[p->n->in[3]].dtype == VKI_BOOL;
    s->chunks = vkb_min(tiles, vkb_max(1, vkb_ceil_div(2 * p->threads, all)));
    s->tiles = vkb_ceil_div(tiles, s->chunks);
    s->row = vkb_round_up((uint64_t)a->keys, CPU_NR);
    s->k_floats = vkb_round_up(cpu_packed_b_floats(a->keys, a->size), 16);
    s->v_floats = vkb_round_up(cpu_packed_b_floats(a->value_size, a->keys), 16);
    s->floats = s->k_floats + s->v_floats + 2 * (uint64_t)s->mr * s->row +
                vkb_round_up((uint64_t)(s->mr * a->size), 16);
    p->state = s;
    p->scratch_bytes = s->floats * sizeof(float) * (uint64_t)vkb_max(1, p->threads);
    return VKI_OK;
}

typedef struct task {
    const cpu_call *c;
    const attention_state *s;
    float *keys, *values, *scores, *weights, *queries; /* scratch */
    int64_t q, y, mask;                                /* where the head begins */
} task;

/* C = A B for one tile of rows. */
static void multiply(const task *t, const float *a, const float *b, int64_t k, int64_t n, int rows, float *c,
                     int64_t c_stride)
{
    for (int64_t col = 0; col < n; col += CPU_NR) {
        const int cols = (int)vkb_min(CPU_NR, n - col);
        const cpu_tile tile = {.a = a,
                               .b = b + col * k,
                               .k = k,
                               .b_stride = cpu_panel_width(cols),
                               .c = c + col,
                               .c_stride = c_stride,
                               .rows = rows,
                               .cols = cols};
        t->s->micro->gemm(&tile);
    }
}

static void cap_scores(float *scores, int64_t n, float cap, const cpu_micro *m)
{
    const gr_epilogue curve = {.act = GR_ACT_TANH};
    m->scale_shift(scores, scores, n, 1 / cap, 0);
    m->epilogue(scores, scores, NULL, n, &curve);
    m->scale_shift(scores, scores, n, cap, 0);
}

/* The scores of one query in place; returns how many count: those before it are final. */
static int64_t mask_scores(const task *t, float *scores, int64_t query)
{
    const op_attention *a = &t->s->a;
    const int64_t n = a->causal ? vkb_min(a->keys, query + 1) : a->keys;
    const int64_t at = t->mask + query * a->mask_row;
    if (a->softcap > 0) cap_scores(scores, n, a->softcap, t->s->micro);
    if (!a->masked) return n;
    if (t->s->mask_bytes) {
        const uint8_t *mask = (const uint8_t *)t->c->in[3] + at;
        for (int64_t j = 0; j < n; j++)
            if (!mask[j * a->mask_col]) scores[j] = -INFINITY;
    } else if (n > 0) {
        const float *mask = (const float *)t->c->in[3] + at;
        t->s->micro->binary(scores, scores, 1, mask, a->mask_col != 0, n, CPU_ADD);
    }
    return n;
}

/* Weights of the keys for one query, not yet divided by their sum, whose inverse it returns. */
static float weigh(const task *t, float *scores, int64_t query)
{
    const cpu_micro *m = t->s->micro;
    const int64_t keys = t->s->a.keys, n = mask_scores(t, scores, query);
    const float max = m->max(scores, n);
    const bool any = max > -INFINITY || isnan(max);
    const float sum = any ? m->exp_sum(scores, scores, n, max) : 0;
    for (int64_t j = any ? n : 0; j < keys; j++) scores[j] = 0;
    return any ? 1 / sum : 0;
}

static void tile_of_queries(const task *t, int64_t first, int rows)
{
    const attention_state *s = t->s;
    const op_attention *a = &s->a;
    float factor[MOST_ROWS];
    cpu_pack_a_panel(t->queries, (const float *)t->c->in[0] + t->q + first * a->q_row, a->q_row, 1, a->size,
                     rows);
    multiply(t, t->queries, t->keys, a->size, a->keys, rows, t->scores, (int64_t)s->row);
    for (int i = 0; i < rows; i++) factor[i] = weigh(t, t->scores + (uint64_t)i * s->row, first + i);
    cpu_pack_a_panel(t->weights, t->scores, (int64_t)s->row, 1, a->keys, rows);
    float *y = (float *)t->c->out[0] + t->y + first * a->y_row;
    multiply(t, t->weights, t->values, a->keys, a->value_size, rows, y, a->y_row);
    for (int i = 0; i < rows; i++) {
        float *row = y + i * a->y_row;
        s->micro->scale_shift(row, row, a->value_size, factor[i], 0);
    }
}

static void on_chunks(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const attention_state *s = c->state;
    const op_attention *a = &s->a;
    task t = {.c = c, .s = s, .keys = (float *)c->scratch + (uint64_t)thread * s->floats};
    t.values = t.keys + s->k_floats;
    t.scores = t.values + s->v_floats;
    t.weights = t.scores + (uint64_t)s->mr * s->row;
    t.queries = t.weights + (uint64_t)s->mr * s->row;
    int64_t packed = -1;
    for (int64_t i = begin; i < end; i++) {
        const int64_t head = i / s->chunks, b = head / a->heads, h = head % a->heads;
        const int64_t kv = h / (a->heads / a->kv_heads), pair = b * a->kv_heads + kv;
        if (pair != packed) {
            const float *k = (const float *)c->in[1] + b * a->k_batch + kv * a->k_head;
            const float *v = (const float *)c->in[2] + b * a->v_batch + kv * a->v_head;
            cpu_pack_b(t.keys, k, 1, a->k_row, a->size, a->keys, a->scale);
            cpu_pack_b(t.values, v, a->v_row, 1, a->keys, a->value_size, 1);
            packed = pair;
        }
        t.q = b * a->q_batch + h * a->q_head;
        t.y = b * a->y_batch + h * a->y_head;
        t.mask = b * a->mask_batch + h * a->mask_head;
        const int64_t first = i % s->chunks * s->tiles * s->mr;
        const int64_t last = vkb_min(a->queries, first + s->tiles * s->mr);
        for (int64_t row = first; row < last; row += s->mr)
            tile_of_queries(&t, row, (int)vkb_min(s->mr, last - row));
    }
}

void cpu_attention_rows_run(const cpu_call *c)
{
    const attention_state *s = c->state;
    const op_attention *a = &s->a;
    cpu_call call = *c;
    const double macs = (double)(s->tiles * s->mr) * (double)a->keys * (double)(a->size + a->value_size);
    const int64_t grain = macs >= CPU_GRAIN_MACS ? 1 : (int64_t)((double)CPU_GRAIN_MACS / fmax(macs, 1)) + 1;
    vkb_parallel_for(c->pool, a->batch * a->heads * s->chunks, grain, on_chunks, &call);
}
