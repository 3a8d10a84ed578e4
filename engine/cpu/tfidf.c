/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

typedef struct row { /* a row of the input */
    const void *data;
    vki_dtype dtype;
    int64_t first, count;
} row;

/* Occurrences of the n-gram with its parts `step` apart. */
static int64_t occurrences(const row *r, const int64_t *gram, int64_t n, int64_t step)
{
    int64_t found = 0;
    if (n > 1 && step > (r->count - 1) / (n - 1)) return 0;
    for (int64_t i = 0; i + (n - 1) * step < r->count; i++) {
        int64_t k = 0;
        while (k < n && cpu_load_i64(r->data, r->dtype, r->first + i + k * step) == gram[k]) k++;
        found += k == n;
    }
    return found;
}

/* Skipping makes no other n-gram of a single element. */
static int64_t occurrences_all(const row *r, const int64_t *gram, int64_t n, int64_t max_skip)
{
    int64_t found = 0, last = n == 1 ? 1 : vkb_min(max_skip + 1, r->count);
    for (int64_t step = 1; step <= last; step++) found += occurrences(r, gram, n, step);
    return found;
}

static void count_row(const cpu_call *c, const row *r, float *out)
{
    const op_tfidf_attrs *a = c->n->attrs;
    const int64_t *pool = c->in[1], *start = c->in[2], *place = c->in[3];
    const float *weights = cpu_in(c, 4) ? c->in[4] : NULL;
    int64_t levels = cpu_in(c, 2)->dims[0], size = cpu_in(c, 1)->dims[0], gram = 0;
    for (int64_t n = 1; n <= levels; n++) {
        int64_t end = n < levels ? start[n] : size;
        for (int64_t at = start[n - 1]; at < end; at += n, gram++) {
            if (n < a->min_gram_length || n > a->max_gram_length) continue;
            int64_t found = occurrences_all(r, pool + at, n, a->max_skip_count);
            float weight = weights ? weights[gram] : 1;
            if (found == 0) continue;
            out[place[gram]] +=
                a->mode == OP_TFIDF_TF ? (float)found : weight * (a->mode == OP_TFIDF_IDF ? 1 : (float)found);
        }
    }
}

static void reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t rows = x->rank == 2 ? x->dims[0] : 1, width = y->dims[y->rank - 1];
    float *out = c->out[0];
    for (int64_t i = 0; i < gr_elements(y); i++) out[i] = 0;
    for (int64_t i = 0; i < rows; i++) {
        int64_t count = x->dims[x->rank - 1];
        row r = {.data = c->in[0], .dtype = x->dtype, .first = i * count, .count = count};
        count_row(c, &r, out + i * width);
    }
}

const cpu_op cpu_op_tfidf = {.reference = reference};
