/* SPDX-License-Identifier: Apache-2.0
 * fp32 to 8 bits and back, in rows of one scale. Channels that lie side by side (axis last) have rows of one
 * element: left to the reference. */
#include <math.h>

#include "cpu/fast.h"
#include "cpu/quantized.h"

enum { SHORTEST_ROW = 8 };

typedef struct rows_state {
    int64_t count, size; /* rows; elements of each */
    int64_t scales;      /* row r has scale r % scales */
} rows_state;

static bool rows_of(const gr_graph *g, const gr_node *n, rows_state *s)
{
    op_quantize_dims d;
    const gr_tensor *x = &g->tensors[n->in[0]];
    const bool quantizes = n->op == OP_QuantizeLinear;
    if (n->op == OP_DynamicQuantizeLinear || !op_quantize_of(g, n, &d) || d.blocked) return false;
    const vki_dtype wide = quantizes ? x->dtype : g->tensors[n->out[0]].dtype;
    const vki_dtype narrow = quantizes ? g->tensors[n->out[0]].dtype : x->dtype;
    s->scales = d.scales;
    s->size = d.scales == 1 ? gr_elements(x) : d.inner;
    if (s->size < SHORTEST_ROW) return false;
    s->count = gr_elements(x) / s->size;
    return wide == VKI_F32 && (narrow == VKI_U8 || narrow == VKI_I8);
}

bool cpu_quantize_rows_fits(const gr_graph *g, const gr_node *n)
{
    rows_state s;
    return rows_of(g, n, &s);
}

vki_status cpu_quantize_rows_prepare(cpu_prep *p, vki_error *err)
{
    rows_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!rows_of(p->g, p->n, s)) return vkb_fail(err, VKI_E_INTERNAL, "a quantization lost its shape");
    p->state = s;
    return VKI_OK;
}

static void on_elements(const cpu_call *c, int64_t begin, int64_t end)
{
    const rows_state *s = c->state;
    const cpu_micro *m = cpu_micro_get();
    const bool quantizes = c->n->op == OP_QuantizeLinear;
    const vki_dtype type = quantizes ? cpu_out(c, 0)->dtype : cpu_in(c, 0)->dtype;
    while (begin < end) {
        const int64_t row = begin / s->size, n = vkb_min(end, (row + 1) * s->size) - begin;
        const cpu_bytes b = cpu_bytes_of(type, cpu_zero_at(c, 2, row % s->scales));
        const float scale = cpu_scale_at(c, 1, row % s->scales);
        if (quantizes)
            m->quantize((uint8_t *)c->out[0] + begin, (const float *)c->in[0] + begin, n, scale, b);
        else
            m->dequantize((float *)c->out[0] + begin, (const uint8_t *)c->in[0] + begin, n, scale, b);
        begin += n;
    }
}

void cpu_quantize_rows_run(const cpu_call *c)
{
    const rows_state *s = c->state;
    cpu_parallel_elements(c, s->count * s->size, on_elements);
}
