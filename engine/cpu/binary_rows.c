/* SPDX-License-Identifier: Apache-2.0
 * Binary operators with broadcasting: neighbouring dimensions that both operands walk alike are merged, so
 * that what remains is rows in which each operand either moves by one or stands still. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "graph/ops/schema.h"

#include <math.h>

typedef struct rows { /* dims[0] is the row; strides in elements, 0: broadcast */
    int rank;
    int64_t dims[GR_MAX_RANK], a[GR_MAX_RANK], b[GR_MAX_RANK];
    int64_t count; /* rows */
} rows;

typedef struct binary_state {
    const cpu_micro *micro;
    cpu_binary_op op;
    bool power;  /* Pow: op is unused */
    bool square; /* Pow with the constant exponent 2 */
    int pairs;
    rows *pair; /* of the first two inputs; of the result and input 2; ... */
} binary_state;

static bool op_of(op_kind kind, cpu_binary_op *op)
{
    static const struct {
        op_kind kind;
        cpu_binary_op op;
    } all[] = {{OP_Add, CPU_ADD}, {OP_Sub, CPU_SUB}, {OP_Mul, CPU_MUL},    {OP_Div, CPU_DIV},
               {OP_Max, CPU_MAX}, {OP_Min, CPU_MIN}, {OP_PRelu, CPU_PRELU}};
    for (size_t i = 0; i < VKB_COUNT(all); i++)
        if (all[i].kind == kind) {
            *op = all[i].op;
            return true;
        }
    return false;
}

/* Stride of `t`, broadcast to `y`, along y's dimension d counted from the last. */
static int64_t stride_of(const gr_tensor *t, int d)
{
    if (d >= t->rank || t->dims[t->rank - 1 - d] == 1) return 0;
    int64_t stride = 1;
    for (int i = 0; i < d; i++) stride *= t->dims[t->rank - 1 - i];
    return stride;
}

static rows rows_of(const gr_tensor *y, const gr_tensor *a, const gr_tensor *b)
{
    rows r = {.rank = 0, .count = 1};
    for (int d = 0; d < y->rank; d++) {
        int64_t size = y->dims[y->rank - 1 - d], sa = stride_of(a, d), sb = stride_of(b, d);
        if (size == 1) continue;
        int last = r.rank - 1;
        if (last >= 0 && sa == r.a[last] * r.dims[last] && sb == r.b[last] * r.dims[last]) {
            r.dims[last] *= size;
            continue;
        }
        r.dims[r.rank] = size;
        r.a[r.rank] = sa;
        r.b[r.rank++] = sb;
    }
    if (r.rank == 0) r = (rows){.rank = 1, .dims = {1}, .a = {1}, .b = {1}, .count = 1};
    for (int d = 1; d < r.rank; d++) r.count *= r.dims[d];
    return r;
}

bool cpu_binary_rows_fits(const gr_graph *g, const gr_node *n)
{
    cpu_binary_op op;
    return cpu_all_f32(g, n) && op_own_inputs(n) >= 2 && (op_of(n->op, &op) || n->op == OP_Pow);
}

vki_status cpu_binary_rows_prepare(cpu_prep *p, vki_error *err)
{
    const gr_tensor *t = p->g->tensors, *y = &t[p->n->out[0]];
    const gr_id *in = p->n->in;
    const int pairs = op_own_inputs(p->n) - 1;
    const size_t bytes = sizeof(binary_state) + (size_t)pairs * sizeof(rows);
    binary_state *s = vkb_arena_alloc(p->arena, bytes);
    if (!s) return vkb_nomem(err, bytes);
    *s = (binary_state){.micro = cpu_micro_get(), .pairs = pairs, .pair = (rows *)(s + 1)};
    s->power = !op_of(p->n->op, &s->op);
    float exponent;
    s->square = s->power && gr_const_f32(p->g, in[1], &exponent) && exponent == 2;
    s->pair[0] = rows_of(y, &t[in[0]], &t[in[1]]);
    for (int i = 1; i < pairs; i++) s->pair[i] = rows_of(y, y, &t[in[i + 1]]);
    p->state = s;
    return VKI_OK;
}

static void power(float *y, const float *a, int a_step, const float *b, int b_step, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = powf(a[i * a_step], b[i * b_step]);
}

static void on_row(const binary_state *s, float *y, const float *a, int a_step, const float *b, int b_step,
                   int64_t n)
{
    if (!a_step && !b_step) { /* of more than two operands, the first two may both stand still */
        on_row(s, y, a, 1, b, 1, 1);
        for (int64_t i = 1; i < n; i++) y[i] = y[0];
    } else if (s->square && a_step)
        s->micro->binary(y, a, 1, a, 1, n, CPU_MUL);
    else if (s->power)
        power(y, a, a_step, b, b_step, n);
    else
        s->micro->binary(y, a, a_step, b, b_step, n, s->op);
}

/* y[begin..end) of one pair: whole rows but at the ends. */
static void on_span(const binary_state *s, const rows *r, float *y, const float *a, const float *b,
                    int64_t begin, int64_t end)
{
    const int a_step = r->a[0] != 0, b_step = r->b[0] != 0;
    int64_t at[GR_MAX_RANK], row = begin / r->dims[0], done = begin % r->dims[0];
    a += done * a_step;
    b += done * b_step;
    for (int d = 1; d < r->rank; d++) { /* divisions are slow: rows are counted up from here */
        at[d] = row % r->dims[d];
        a += at[d] * r->a[d];
        b += at[d] * r->b[d];
        row /= r->dims[d];
    }
    while (begin < end) {
        const int64_t n = vkb_min(r->dims[0] - done, end - begin);
        on_row(s, y + begin, a, a_step, b, b_step, n);
        begin += n;
        a -= done * a_step;
        b -= done * b_step;
        done = 0;
        for (int d = 1; d < r->rank; d++) {
            a += r->a[d];
            b += r->b[d];
            if (++at[d] < r->dims[d]) break;
            a -= r->a[d] * r->dims[d];
            b -= r->b[d] * r->dims[d];
            at[d] = 0;
        }
    }
}

static void on_range(const cpu_call *c, int64_t begin, int64_t end)
{
    enum { BLOCK = 4096 }; /* later steps find the earlier ones' results in the first-level cache */
    const binary_state *s = c->state;
    const float *residual = cpu_residual(c);
    float *y = c->out[0];
    for (; begin < end; begin += BLOCK) {
        const int64_t stop = vkb_min(end, begin + BLOCK);
        on_span(s, &s->pair[0], y, c->in[0], c->in[1], begin, stop);
        for (int i = 1; i < s->pairs; i++) on_span(s, &s->pair[i], y, y, c->in[i + 1], begin, stop);
        if (cpu_has_epilogue(c->n))
            s->micro->epilogue(y + begin, y + begin, residual ? residual + begin : NULL, stop - begin,
                               &c->n->epilogue);
    }
}

void cpu_binary_rows_run(const cpu_call *c)
{
    cpu_parallel_elements(c, gr_elements(&c->g->tensors[c->n->out[0]]), on_range);
}
