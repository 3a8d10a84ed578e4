/* SPDX-License-Identifier: Apache-2.0
 * QLinearMatMul and MatMulInteger through the GEMM on pairs of int16. Zero points are taken off where the
 * matrices are packed, so that one a row or column costs nothing more. A constant right matrix is packed
 * once; where the CPU has dot products of bytes and the matrix is bytes, as fours of them, and what A's zero
 * point adds to the sums of a column goes into that column's bias. */
#include <math.h>
#include <string.h>

#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/matmul_index.h"
#include "cpu/quantized.h"

typedef struct qmatmul_state {
    op_matmul_dims d;
    cpu_gemm gemm;  /* its k counts elements */
    int in_element; /* bytes of one along k: 2 or 4 */
    op_quantized q;
    op_spread a_scale, a_zero, b_scale, b_zero;
    vki_dtype a_type, b_type, b_zero_type;
    bool packed;                          /* B is constant */
    uint64_t sums_at, scales_at, bias_at; /* in scratch, in bytes */
    uint64_t column_sums;                 /* fours: of each column of B, behind the packed ones, in bytes */
} qmatmul_state;

static bool state_of(const gr_graph *g, const gr_node *n, qmatmul_state *s)
{
    *s = (qmatmul_state){.q = op_quantized_of(n->op)};
    const int64_t most = INT64_C(1) << 31;
    if (!op_matmul_of(g, n, &s->d)) return false;
    const gr_tensor *a = &g->tensors[n->in[s->q.a]], *b = &g->tensors[n->in[s->q.b]];
    const int a_line = a->rank - 2, b_line = b->rank > 1 ? b->rank - 1 : -1;
    s->a_type = a->dtype;
    s->b_type = b->dtype;
    s->b_zero_type = op_has_own(n, s->q.b_zero) ? g->tensors[n->in[s->q.b_zero]].dtype : VKI_DT_NONE;
    s->a_scale = op_spread_of(g, n, s->q.a_scale, s->q.a, a_line);
    s->a_zero = op_spread_of(g, n, s->q.a_zero, s->q.a, a_line);
    s->b_scale = op_spread_of(g, n, s->q.b_scale, s->q.b, b_line);
    s->b_zero = op_spread_of(g, n, s->q.b_zero, s->q.b, b_line);
    s->packed = gr_is_const(g, n->in[s->q.b]) &&
                (s->b_zero_type == VKI_DT_NONE || gr_is_const(g, n->in[s->q.b_zero]));
    return s->d.batch > 0 && s->d.m > 0 && s->d.n > 0 && s->d.k > 0 && s->d.m < most && s->d.n < most &&
           s->d.k < most && s->a_scale < OP_SPREAD_BATCH_LINE && s->a_zero < OP_SPREAD_BATCH_LINE &&
           s->b_scale < OP_SPREAD_BATCH_LINE && s->b_zero < OP_SPREAD_BATCH_LINE;
}

bool cpu_qmatmul_gemm_fits(const gr_graph *g, const gr_node *n)
{
    qmatmul_state s;
    return state_of(g, n, &s);
}

/* Panel of B: pairs k0..k0+kc of columns col..col+cols of the matrix `b` to dst[kc][width]. */
static void pack_columns(const qmatmul_state *s, int32_t *dst, const uint8_t *b, const void *zeros,
                         int64_t k0, int64_t kc, int64_t col, int cols, int width)
{
    cpu_bytes bytes[CPU_NR] = {{0, 0}};
    for (int j = 0; j < cols; j++) {
        const int64_t at = op_spread_at(s->b_zero, 0, 0, col + j);
        bytes[j] = cpu_bytes_of(s->b_type, zeros ? (int)cpu_load_i64(zeros, s->b_zero_type, at) : 0);
    }
    b += col;
    const int step = s->in_element;
    for (int64_t k = step * k0; k < step * (k0 + kc); k += step, dst += width) {
        const int count = (int)vkb_min(step, s->d.k - k);
        for (int j = 0; j < cols; j++) {
            int w[4] = {0};
            for (int i = 0; i < count; i++) w[i] = cpu_byte(b[(k + i) * s->d.b_row + j], bytes[j]);
            dst[j] = step == 4 ? cpu_quad(w) : cpu_pair(w[0], w[1]);
        }
        for (int j = cols; j < width; j++) dst[j] = 0;
    }
}

/* The sums of B's columns, less their zero points. */
static void sum_columns(const qmatmul_state *s, int32_t *sums, const uint8_t *b, const void *zeros)
{
    for (int64_t j = 0; j < s->d.n; j++) {
        const int64_t at = op_spread_at(s->b_zero, 0, 0, j);
        const cpu_bytes bytes =
            cpu_bytes_of(s->b_type, zeros ? (int)cpu_load_i64(zeros, s->b_zero_type, at) : 0);
        uint32_t sum = 0; /* wraps around, as all sums do */
        for (int64_t k = 0; k < s->d.k; k++) sum += (uint32_t)cpu_byte(b[k * s->d.b_row + j], bytes);
        sums[j] = (int32_t)sum;
    }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const qmatmul_state *s = state;
    const int64_t size = s->d.k * s->d.n, elements = s->gemm.k;
    const gr_tensor *b = &g->tensors[n->in[s->q.b]];
    const void *zeros = s->b_zero_type == VKI_DT_NONE ? NULL : g->tensors[n->in[s->q.b_zero]].data;
    int32_t *out = dst;
    for (int64_t i = 0; i < gr_elements(b) / size; i++, out += cpu_packed_b_floats(s->d.n, elements)) {
        const uint8_t *matrix = (const uint8_t *)b->data + i * size;
        for (int64_t col = 0; col < s->d.n; col += CPU_NR) {
            const int cols = (int)vkb_min(CPU_NR, s->d.n - col);
            pack_columns(s, out + col * elements, matrix, zeros, 0, elements, col, cols,
                         cpu_panel_width(cols));
        }
        if (s->in_element == 4)
            sum_columns(s, (int32_t *)(void *)((char *)dst + s->column_sums) + i * s->d.n, matrix, zeros);
    }
}

vki_status cpu_qmatmul_gemm_prepare(cpu_prep *p, vki_error *err)
{
    qmatmul_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!state_of(p->g, p->n, s)) return vkb_fail(err, VKI_E_INTERNAL, "a matrix product lost its shape");
    const op_matmul_dims *d = &s->d;
    const bool fours = cpu_micro_get()->dot != CPU_DOT_NONE && s->packed && s->a_zero == OP_SPREAD_ONE &&
                       cpu_weights_centered(p->g, p->n, &s->q);
    s->in_element = fours ? 4 : 2;
    cpu_gemm_plan(&s->gemm, d->m, d->n, vkb_ceil_div(d->k, s->in_element), d->batch, p->threads, true,
                  !s->packed);
    s->gemm.tile = fours ? s->gemm.micro->gemm_i8 : s->gemm.micro->gemm_i16;
    p->state = s;
    s->sums_at = vkb_round_up(cpu_gemm_scratch(&s->gemm, p->threads), 64);
    s->scales_at = s->bias_at = s->sums_at;
    if (op_requantizes(p->n->op)) {
        s->scales_at += vkb_round_up((uint64_t)(d->batch * d->m * d->n) * sizeof(int32_t), 64);
        s->bias_at = s->scales_at + vkb_round_up((uint64_t)d->n * sizeof(float), 64);
    }
    p->scratch_bytes = s->bias_at;
    if (!s->packed) return VKI_OK;
    const uint64_t matrices = (uint64_t)(gr_elements(&p->g->tensors[p->n->in[s->q.b]]) / (d->k * d->n));
    if (!vkb_mul_u64(cpu_packed_b_floats(d->n, s->gemm.k), matrices * sizeof(int32_t), &p->weight_bytes))
        return vkb_nomem(err, UINT64_MAX);
    s->column_sums = p->weight_bytes;
    if (fours) {
        p->weight_bytes += matrices * (uint64_t)d->n * sizeof(int32_t);
        p->scratch_bytes += matrices * (uint64_t)d->n * sizeof(int32_t);
    }
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[s->q.b]];
    p->pack_key =
        cpu_pack_key("qmatmul", (int64_t[]){d->n, d->k, s->b_type, s->b_zero_type, s->in_element}, 5);
    return VKI_OK;
}

static void job_of(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_call *c = user;
    const qmatmul_state *s = c->state;
    const op_matmul_dims *d = &s->d;
    const int64_t matrix = cpu_matrix_at(d, d->b_batch, index) / (d->k * d->n);
    if (s->packed)
        job->b = (const float *)c->weights + (uint64_t)matrix * cpu_packed_b_floats(d->n, s->gemm.k);
    if (s->in_element == 4)
        job->bias_col = (const float *)(const void *)((const char *)c->scratch + s->bias_at) + matrix * d->n;
    char *sums = op_requantizes(c->n->op) ? (char *)c->scratch + s->sums_at : c->out[0];
    job->c = (float *)(void *)sums + index * d->m * d->n;
}

/* A row of fours, `left` bytes of which there are. */
static void pack_fours(int32_t *out, int step, const uint8_t *a, int64_t count, int64_t left, uint8_t flip)
{
    const uint32_t flips = flip * 0x01010101u;
    for (int64_t k = 0; k < count; k++, a += 4, left -= 4, out += step) {
        uint32_t four = 0;
        memcpy(&four, a, (size_t)vkb_min(left, 4));
        *out = (int32_t)(four ^ flips);
    }
}

static void pack_a(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t row, int rows)
{
    const cpu_call *c = user;
    const qmatmul_state *s = c->state;
    const op_matmul_dims *d = &s->d;
    int32_t *out = (int32_t *)(void *)dst;
    for (int i = 0; i < rows; i++) {
        const uint8_t *a =
            (const uint8_t *)c->in[s->q.a] + cpu_matrix_at(d, d->a_batch, job) + (row + i) * d->a_row;
        const int zero = cpu_zero_at(c, s->q.a_zero, op_spread_at(s->a_zero, 0, 0, row + i));
        const cpu_bytes b = cpu_bytes_of(s->a_type, zero);
        if (s->in_element == 4) {
            pack_fours(out + i, rows, a + 4 * k0, kc, s->d.k - 4 * k0,
                       (uint8_t)(b.flip ^ cpu_dot_shift(s->gemm.micro)));
            continue;
        }
        for (int64_t k = 0; k < kc; k++) {
            const int64_t at = 2 * (k0 + k);
            out[k * rows + i] = cpu_pair(cpu_byte(a[at], b), at + 1 < d->k ? cpu_byte(a[at + 1], b) : 0);
        }
    }
}

static void pack_b(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col, int cols,
                   int width)
{
    const cpu_call *c = user;
    const qmatmul_state *s = c->state;
    const uint8_t *b = (const uint8_t *)c->in[s->q.b] + cpu_matrix_at(&s->d, s->d.b_batch, job);
    pack_columns(s, (int32_t *)(void *)dst, b, cpu_own_input(c, s->q.b_zero), k0, kc, col, cols, width);
}

/* What the sums of each column of each matrix start from. */
static void fill_biases(const cpu_call *c)
{
    const qmatmul_state *s = c->state;
    const int zero = cpu_bytes_of(s->a_type, cpu_zero_at(c, s->q.a_zero, 0)).zero;
    const uint32_t factor = (uint32_t)(cpu_dot_shift(s->gemm.micro) - zero);
    const int32_t *sums = (const int32_t *)(const void *)((const char *)c->weights + s->column_sums);
    int32_t *bias = (int32_t *)(void *)((char *)c->scratch + s->bias_at);
    const int64_t count = gr_elements(cpu_in(c, s->q.b)) / s->d.k;
    for (int64_t j = 0; j < count; j++) bias[j] = (int32_t)((uint32_t)sums[j] * factor);
}

/* The multipliers of the columns, but for A's scales if those differ from row to row. */
static void fill_scales(const cpu_call *c, float *scales)
{
    const qmatmul_state *s = c->state;
    for (int64_t j = 0; j < s->d.n; j++)
        scales[j] = cpu_multiplier(cpu_scale_at(c, s->q.a_scale, 0),
                                   cpu_scale_at(c, s->q.b_scale, op_spread_at(s->b_scale, 0, 0, j)),
                                   cpu_scale_at(c, s->q.y_scale, 0));
}

/* Rows begin..end of all products. */
static void narrow(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    const qmatmul_state *s = c->state;
    const int64_t n = s->d.n;
    const float y_scale = cpu_scale_at(c, s->q.y_scale, 0);
    const cpu_bytes b = cpu_bytes_of(cpu_out(c, 0)->dtype, cpu_zero_at(c, s->q.y_zero, 0));
    const int32_t *sums = (const int32_t *)(const void *)((const char *)c->scratch + s->sums_at);
    const float *scales = (const float *)(const void *)((const char *)c->scratch + s->scales_at);
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        uint8_t *y = (uint8_t *)c->out[0] + row * n;
        if (s->a_scale == OP_SPREAD_ONE) {
            s->gemm.micro->requantize(y, sums + row * n, n, scales, 1, b);
            continue;
        }
        const float a_scale = cpu_scale_at(c, s->q.a_scale, row % s->d.m);
        for (int64_t j = 0; j < n; j++) {
            const float scale = cpu_multiplier(
                a_scale, cpu_scale_at(c, s->q.b_scale, op_spread_at(s->b_scale, 0, 0, j)), y_scale);
            s->gemm.micro->requantize(y + j, sums + row * n + j, 1, &scale, 0, b);
        }
    }
}

void cpu_qmatmul_gemm_run(const cpu_call *c)
{
    const qmatmul_state *s = c->state;
    cpu_call call = *c;
    const cpu_gemm_source source = {.user = &call,
                                    .form.a_unsigned = cpu_dot_shift(s->gemm.micro) == 0,
                                    .job = job_of,
                                    .pack_a = pack_a,
                                    .pack_b = pack_b};
    if (s->in_element == 4) fill_biases(c);
    cpu_gemm_run(&s->gemm, &source, c->scratch, c->pool);
    if (!op_requantizes(c->n->op)) return;
    fill_scales(c, (float *)(void *)((char *)c->scratch + s->scales_at));
    vkb_parallel_for(c->pool, s->d.batch * s->d.m, vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->d.n), narrow, &call);
}
