/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cpu/kernels.h"
#include "cpu/ref.h"

/* What mask and causality add to the score of a query and a key; -INFINITY: it does not count. */
static double shift_of(const cpu_call *c, const op_attention *a, int64_t mask, int64_t query, int64_t key)
{
    if (a->causal && key > query) return -INFINITY;
    if (!a->masked) return 0;
    const vki_dtype type = cpu_in(c, 3)->dtype;
    const int64_t at = mask + query * a->mask_row + key * a->mask_col;
    return type == VKI_BOOL ? (cpu_load_i64(c->in[3], type, at) ? 0 : -INFINITY)
                            : cpu_load(c->in[3], type, at);
}

typedef struct head { /* where one begins */
    int64_t q, k, v, y, mask;
} head;

static double score(const cpu_call *c, const op_attention *a, const head *h, vki_dtype type, int64_t query,
                    int64_t key)
{
    double sum = 0, cap = (double)a->softcap;
    for (int64_t i = 0; i < a->size; i++)
        sum += cpu_load(c->in[0], type, h->q + query * a->q_row + i) *
               cpu_load(c->in[1], type, h->k + key * a->k_row + i);
    sum *= (double)a->scale;
    return (cap > 0 ? cap * tanh(sum / cap) : sum) + shift_of(c, a, h->mask, query, key);
}

/* One query. Scores are computed anew where they are needed: nothing has to be kept. */
static void query_row(const cpu_call *c, const op_attention *a, const head *h, vki_dtype type, int64_t query)
{
    double max = -INFINITY, sum = 0;
    const int64_t y = h->y + query * a->y_row;
    for (int64_t j = 0; j < a->keys; j++) max = fmax(max, score(c, a, h, type, query, j));
    for (int64_t j = 0; j < a->keys && max > -INFINITY; j++) sum += exp(score(c, a, h, type, query, j) - max);
    for (int64_t first = 0; first < a->value_size; first += 64) {
        double total[64] = {0};
        const int64_t n = vkb_min(64, a->value_size - first);
        for (int64_t j = 0; j < a->keys && sum > 0; j++) {
            const double w = exp(score(c, a, h, type, query, j) - max) / sum;
            for (int64_t i = 0; i < n; i++)
                total[i] += w * cpu_load(c->in[2], type, h->v + j * a->v_row + first + i);
        }
        for (int64_t i = 0; i < n; i++) cpu_store(c->out[0], type, y + first + i, total[i]);
    }
}

static void reference(const cpu_call *c)
{
    op_attention a;
    if (!op_attention_of(c->g, c->n, &a)) return; /* inference has accepted the node */
    const int64_t group = a.heads / a.kv_heads;
    for (int64_t b = 0; b < a.batch; b++)
        for (int64_t i = 0; i < a.heads; i++) {
            const int64_t kv = i / group;
            const head h = {b * a.q_batch + i * a.q_head, b * a.k_batch + kv * a.k_head,
                            b * a.v_batch + kv * a.v_head, b * a.y_batch + i * a.y_head,
                            b * a.mask_batch + i * a.mask_head};
            for (int64_t query = 0; query < a.queries; query++)
                query_row(c, &a, &h, cpu_in(c, 0)->dtype, query);
        }
}

const cpu_op cpu_op_attention = {.reference = reference, .kernels = cpu_attention_kernels};
