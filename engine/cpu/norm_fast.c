/* SPDX-License-Identifier: Apache-2.0
 * Normalizations: each is y = x scale + shift over planes or rows, with the statistics given
 * (BatchNormalization) or measured in two passes. */
#include "cpu/fast.h"
#include "cpu/gemm.h"
#include "graph/ops/schema.h"

#include <math.h>

typedef struct norm_state {
    const cpu_micro *micro;
    int64_t count, size, channels; /* planes, or those of a group, or rows; elements of one; planes of a
                                      sample. LayerNormalization: no channels */
    int64_t own;                   /* planes of a group */
} norm_state;

static int64_t layer_axis(const gr_tensor *x, const op_norm_attrs *a)
{
    return a->axis < 0 ? a->axis + x->rank : a->axis;
}

/* LayerNormalization: a parameter of exactly the normalized dimensions, with ones before them. */
static bool is_row(const gr_tensor *x, const gr_tensor *p, int64_t axis)
{
    for (int d = 1; d <= p->rank; d++) {
        bool inside = x->rank - d >= axis;
        if (p->dims[p->rank - d] != (inside ? x->dims[x->rank - d] : 1)) return false;
    }
    return p->rank >= x->rank - axis;
}

bool cpu_norm_rows_fits(const gr_graph *g, const gr_node *n)
{
    const op_norm_attrs *a = n->attrs;
    const gr_tensor *t = g->tensors, *x = &t[n->in[0]];
    if (!cpu_all_f32(g, n) || n->epilogue.residual != GR_RESIDUAL_NONE) return false;
    for (int i = 1; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) return false;
    if (n->op == OP_BatchNormalization) return !a->training_mode && x->rank >= 2;
    if (n->op != OP_LayerNormalization) return x->rank >= 2;
    int64_t axis = layer_axis(x, a);
    return is_row(x, &t[n->in[1]], axis) && (!op_has_own(n, 2) || is_row(x, &t[n->in[2]], axis));
}

vki_status cpu_norm_rows_prepare(cpu_prep *p, vki_error *err)
{
    norm_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    const gr_tensor *x = &p->g->tensors[p->n->in[0]];
    if (!s) return vkb_nomem(err, sizeof *s);
    int64_t axis = p->n->op == OP_LayerNormalization ? layer_axis(x, p->n->attrs) : 2;
    *s = (norm_state){
        .micro = cpu_micro_get(), .count = 1, .size = 1, .channels = x->rank > 1 ? x->dims[1] : 1};
    for (int d = 0; d < x->rank; d++) *(d < axis ? &s->count : &s->size) *= x->dims[d];
    s->own = p->n->op == OP_GroupNormalization ? s->channels / op_norm_groups(p->g, p->n) : 1;
    s->count /= s->own;
    s->size *= s->own;
    p->state = s;
    return VKI_OK;
}

typedef struct moments {
    double mean, variance;
} moments;

/* y = x less a float near the mean, exactly so where the elements lie close together; what is left of the
 * mean, and the variance, are measured on y, where no digits are lost to the common part. */
static moments center(const norm_state *s, float *y, const float *x)
{
    const double n = (double)s->size;
    s->micro->scale_shift(y, x, s->size, 1, -(float)(cpu_row_sum(s->micro, x, s->size) / n));
    moments m = {.mean = cpu_row_sum(s->micro, y, s->size) / n};
    m.variance = cpu_row_sum_sq(s->micro, y, s->size, (float)m.mean) / n;
    return m;
}

/* The rows of root mean square 1; y may be x. */
static void rms_row(const cpu_call *c, const norm_state *s, float *y, const float *x)
{
    const op_norm_attrs *a = c->n->attrs;
    const double mean_square = cpu_row_sum_sq(s->micro, x, s->size, 0) / (double)s->size;
    const double factor = 1 / sqrt(mean_square + (double)a->epsilon);
    s->micro->normalize(y, x, s->size, (float)factor, 0, c->in[1], cpu_own_input(c, 2));
}

/* The planes of a group, one by one, from what `center` left in y. */
static void scale_planes(const cpu_call *c, const norm_state *s, float *y, int64_t group, moments m)
{
    const float *scale = c->in[1], *shift = c->in[2];
    const double factor = 1 / sqrt(m.variance + (double)((const op_norm_attrs *)c->n->attrs)->epsilon);
    const int64_t plane = s->size / s->own;
    for (int64_t i = 0; i < s->own; i++) {
        const int64_t k = (group * s->own + i) % s->channels;
        const double by = factor * (double)scale[k];
        s->micro->scale_shift(y + i * plane, y + i * plane, plane, (float)by,
                              (float)((double)shift[k] - m.mean * by));
    }
}

static void on_row(const cpu_call *c, const norm_state *s, int64_t row)
{
    const op_norm_attrs *a = c->n->attrs;
    const float *x = (const float *)c->in[0] + row * s->size, *scale = c->in[1], *shift = cpu_own_input(c, 2);
    float *y = (float *)c->out[0] + row * s->size;
    const int64_t k = row % s->channels;
    if (c->n->op == OP_BatchNormalization) {
        const double mean = (double)((const float *)c->in[3])[k];
        const double variance = (double)((const float *)c->in[4])[k];
        const double factor = (double)scale[k] / sqrt(variance + (double)a->epsilon);
        s->micro->scale_shift(y, x, s->size, (float)factor, (float)((double)shift[k] - mean * factor));
    } else if (c->n->op == OP_LayerNormalization && !a->centred) {
        rms_row(c, s, y, x);
    } else {
        const moments m = center(s, y, x);
        if (c->n->op != OP_LayerNormalization) {
            scale_planes(c, s, y, row, m);
        } else {
            const double factor = 1 / sqrt(m.variance + (double)a->epsilon);
            s->micro->normalize(y, y, s->size, (float)factor, (float)(-m.mean * factor), scale, shift);
        }
    }
    if (cpu_has_epilogue(c->n)) s->micro->epilogue(y, y, NULL, s->size, &c->n->epilogue);
}

static void on_rows(void *arg, int64_t begin, int64_t end, int thread)
{
    const cpu_call *c = arg;
    (void)thread;
    for (int64_t i = begin; i < end; i++) on_row(c, c->state, i);
}

void cpu_norm_rows_run(const cpu_call *c)
{
    const norm_state *s = c->state;
    cpu_call call = *c;
    vkb_parallel_for(c->pool, s->count, vkb_ceil_div(CPU_GRAIN_ELEMENTS, s->size), on_rows, &call);
}
