/* SPDX-License-Identifier: Apache-2.0
 * One row, many of whose elements are zero since a ReLU made it, by a large constant matrix: fully connected
 * layers of AlexNet and VGG. Memory is the bound, and what a zero would be multiplied with need not be read:
 * the matrix is packed by rows (those of Gemm with transB are its columns), in panels as wide as a page, and
 * only the rows of elements that are not zero are added up. Sums are those of all rows, but where the matrix
 * has infinities or NaNs, which a zero makes NaN: such a matrix is read whole. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "cpu/matmul_fast.h"

#include <string.h>

enum {
    PANEL = 2048,           /* columns; narrower rows are too short for what fetches memory ahead */
    UNIT = 256,             /* columns that go to one thread, or several of these */
    LEAST_FLOATS = 1 << 20, /* of the matrix: smaller ones stay in caches, where dot products are as fast */
    BLOCK = 64              /* rows that are transposed together: whole cache lines of both sides */
};

typedef struct packed_head {
    uint32_t finite; /* all of the matrix */
    uint32_t unused[15];
} packed_head;

typedef struct nonzero_state {
    op_matmul_dims d;
    cpu_matmul_bias bias;
    float alpha;
    int64_t width; /* of all panels together */
} nonzero_state;

static const gr_node *producer_of(const gr_graph *g, gr_id tensor)
{
    for (gr_id i = g->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < g->nodes[i].n_out; k++)
            if (!g->nodes[i].dead && g->nodes[i].out[k] == tensor) return &g->nodes[i];
    return NULL;
}

/* What the node does last to each element, or before it takes the largest of some. */
static gr_epilogue activation_of(const gr_node *n)
{
    const op_conv_pool_attrs *a = n->attrs;
    if (n->op == OP_Relu && n->epilogue.act == GR_ACT_NONE) return (gr_epilogue){.act = GR_ACT_RELU};
    if (n->op != OP_ConvPool || a->pool != OP_CONV_POOL_MAX) return n->epilogue;
    return (gr_epilogue){.act = (gr_act)a->activation, .alpha = a->alpha};
}

/* Whether what the tensor holds comes from a ReLU or a clip at zero, as it is or as the largest of some. */
static bool has_zeros(const gr_graph *g, gr_id tensor)
{
    for (const gr_node *n; (n = producer_of(g, tensor)) != NULL; tensor = n->in[0]) {
        const gr_epilogue e = activation_of(n);
        const bool passes = (op_get(n->op)->flags & OP_VIEW) || n->op == OP_MaxPool;
        if (n->epilogue.residual == GR_RESIDUAL_AFTER) return false;
        if (e.act == GR_ACT_RELU || (e.act == GR_ACT_CLIP && e.alpha == 0)) return true;
        if (e.act != GR_ACT_NONE || !passes) return false;
    }
    return false;
}

bool cpu_matmul_nonzero_fits(const gr_graph *g, const gr_node *n)
{
    op_matmul_dims d;
    return !cpu_matmul_refusal(g, n, &d) && d.m == 1 && d.a_col == 1 && d.k >= BLOCK && d.n >= BLOCK &&
           d.k * d.n >= LEAST_FLOATS && (d.b_col == 1 || (d.b_row == 1 && d.b_col < CPU_MOST_TURNED)) &&
           has_zeros(g, n->in[0]);
}

static int64_t panel_width(const nonzero_state *s, int64_t panel)
{
    return vkb_min(PANEL, s->width - panel * PANEL);
}

static bool all_finite(const float *x, int64_t n)
{
    uint32_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        found |= (bits & 0x7f800000) + 0x00800000; /* an exponent of all ones overflows to the sign */
    }
    return found < 0x80000000;
}

/* Columns `first` to `first` + cols of the matrix to rows that are `width` wide. */
static bool pack_columns(float *dst, int64_t width, const float *src, const op_matmul_dims *d, int64_t first,
                         int64_t cols)
{
    const cpu_micro *m = cpu_micro_get();
    bool finite = true;
    src += first * d->b_col;
    for (int64_t k = 0, rows; k < d->k; k += rows, dst += rows * width) {
        rows = d->k - k < 2 * BLOCK ? d->k - k : BLOCK;
        for (int64_t r = 0; r < rows && width > cols; r++)
            memset(dst + r * width + cols, 0, (size_t)(width - cols) * sizeof *dst);
        if (d->b_col == 1) m->copy_rows(dst, width, src + k * d->b_row, d->b_row, rows, cols);
        for (int64_t c = 0, some; c < cols && d->b_col != 1; c += some) {
            some = cols - c < 32 ? cols - c : 16;
            m->transpose(dst + c, width, src + c * d->b_col + k, d->b_col, rows, some);
        }
        finite = all_finite(dst, rows * width) && finite;
    }
    return finite;
}

static void pack_part(void *packed, const gr_graph *g, const gr_node *n, const void *state, int64_t panel)
{
    const nonzero_state *s = state;
    packed_head *head = packed;
    const int64_t first = panel * PANEL;
    float *dst = (float *)(head + 1) + first * s->d.k;
    if (!panel) *head = (packed_head){.finite = 1};
    if (!pack_columns(dst, panel_width(s, panel), g->tensors[n->in[1]].data, &s->d, first,
                      vkb_min(PANEL, s->d.n - first)))
        head->finite = 0;
}

vki_status cpu_matmul_nonzero_prepare(cpu_prep *p, vki_error *err)
{
    nonzero_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!cpu_matmul_of(p->g, p->n, &s->d, &s->bias))
        return vkb_fail(err, VKI_E_INTERNAL, "a matrix product lost its shape");
    const op_matmul_dims *d = &s->d;
    s->alpha = cpu_matmul_alpha(p->n);
    s->width = (int64_t)vkb_round_up((uint64_t)d->n, 8);
    p->state = s;
    p->weight_bytes = sizeof(packed_head) + (uint64_t)d->k * (uint64_t)s->width * sizeof(float);
    p->scratch_bytes = ((uint64_t)s->width + 2 * (uint64_t)d->k) * sizeof(float);
    p->pack_part = pack_part;
    p->parts = vkb_ceil_div(d->n, PANEL);
    p->part_bytes = d->b_col == 1 ? 0 : d->b_col * PANEL * (int64_t)sizeof(float);
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key("matmul nonzero", (int64_t[]){d->n, d->k, d->b_row, d->b_col}, 4);
    return VKI_OK;
}

typedef struct nonzero_run {
    const cpu_call *call;
    float *sums; /* [width] */
    float *x;    /* what is not zero, and which elements these are */
    int32_t *at;
    int64_t count;
} nonzero_run;

/* Without a branch, since zeros come as they like. */
static int64_t gather_nonzero(const nonzero_run *r, const float *x, int64_t k, bool all)
{
    int64_t count = 0;
    for (int64_t i = 0; i < k; i++) {
        r->x[count] = x[i];
        r->at[count] = (int32_t)i;
        count += all | (x[i] != 0);
    }
    return count;
}

static void on_units(void *arg, int64_t begin, int64_t end, int thread)
{
    const nonzero_run *r = arg;
    const cpu_call *c = r->call;
    const nonzero_state *s = c->state;
    const cpu_micro *m = cpu_micro_get();
    const float *matrix = (const float *)((const packed_head *)c->weights + 1);
    const float *bias = s->bias ? cpu_own_input(c, 2) : NULL, *residual = cpu_residual(c);
    const int64_t last = vkb_min(end * UNIT, s->width);
    (void)thread;
    for (int64_t col = begin * UNIT, cols; col < last; col += cols) {
        const int64_t panel = col / PANEL, width = panel_width(s, panel);
        cols = vkb_min(last, panel * PANEL + width) - col;
        float *y = r->sums + col;
        memset(y, 0, (size_t)cols * sizeof *y);
        m->sum_rows(y, r->x, r->at, r->count, matrix + panel * PANEL * s->d.k + col % PANEL, width, cols);
        const int64_t own = vkb_min(cols, s->d.n - col); /* the others fill a vector */
        for (int64_t i = 0; i < own; i++)
            y[i] = y[i] * s->alpha + (bias ? bias[s->bias == CPU_BIAS_COL ? col + i : 0] : 0);
        m->epilogue((float *)c->out[0] + col, y, residual ? residual + col : NULL, own, &c->n->epilogue);
    }
}

void cpu_matmul_nonzero_run(const cpu_call *c)
{
    const nonzero_state *s = c->state;
    const packed_head *head = c->weights;
    nonzero_run r = {.call = c, .sums = c->scratch};
    r.x = r.sums + s->width;
    r.at = (int32_t *)(r.x + s->d.k);
    r.count = gather_nonzero(&r, c->in[0], s->d.k, !head->finite);
    const int64_t units = vkb_ceil_div(s->width, UNIT), threads = vkb_pool_threads(c->pool);
    /* whole panels, unless there are more threads than these */
    vkb_parallel_for(c->pool, units, vkb_min(PANEL / UNIT, vkb_ceil_div(units, threads)), on_units, &r);
}
