/* SPDX-License-Identifier: Apache-2.0
 * 3x3 and 5x5 convolutions of stride 1 by Winograd's F(m x m, r x r): n^2 products of matrices, n = m + r -
 * 1, instead of r^2 taps for m^2 outputs; a quarter of the multiplications for m = 4 and r = 3. The image is
 * cut into strips of whole rows of tiles, so that what lies between the three steps - transform, multiply,
 * transform back - stays in the cache. A NaN or an infinity of the input spreads over its tile.
 *
 * Filters are n^2 / r^2 times as large once they are transformed. Where that is too much they stay as they
 * are (`fresh`), and each run transforms those of some outputs at a time, product row by product row, just
 * before it multiplies with them. The results are the same bits. */
#include "cpu/conv2d_winograd.h"
#include "cpu/conv2d_gemm.h"
#include "cpu/fast.h"

enum {
    LEAST_CHANNELS = 16,
    FEW_CHANNELS = 64,   /* what surrounds the sums of a tile takes long beside them */
    LINE_TILES = 32,     /* of shorter lines too much would be added for nothing */
    LINE_FLOATS = 16384, /* of a product: it comes from the second-level cache for each panel of filters */
    BLOCK_PANELS = 2     /* of fresh filters: what is transformed at once stays in the second-level cache */
};

static bool is_wanted(const gr_graph *g, const gr_node *n, op_window *w)
{
    if (!cpu_all_f32(g, n) || !gr_is_const(g, n->in[1]) || !op_window_2d_of(g, n, w) || !cpu_conv_fits(w))
        return false;
    return w->kernel_h == w->kernel_w && (w->kernel_h == 3 || w->kernel_h == 5) && w->stride_h == 1 &&
           w->stride_w == 1 && w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top >= 0 &&
           w->pad_left >= 0 && w->in_c / w->group >= LEAST_CHANNELS && w->out_c / w->group >= LEAST_CHANNELS;
}

bool cpu_conv2d_winograd_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    cpu_winograd_form f;
    return is_wanted(g, n, &w) && cpu_winograd_choose(g, n, &w, false, &f);
}

/* ---- the plan ---- */

static void pack_transformed(const cpu_winograd_plan *s, float *to, const float *weights)
{
    const int64_t m = s->strips.filters, k = s->strips.channels;
    const int mr = s->whole.gemm.micro->mr;
    for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
        const int64_t first = cpu_panel_row(m, mr, p), rows = cpu_panel_row(m, mr, p + 1) - first;
        cpu_winograd_pack(s->transform, to + first * k, s->u_step,
                          weights + first * k * cpu_winograd_filter_floats(s), k, rows);
    }
}

/* By blocks of outputs, then by the GEMM's blocks of channels; panel by panel. */
static void pack_fresh(const cpu_winograd_plan *s, float *packed, const float *weights)
{
    const int64_t k = s->strips.channels, kc = s->whole.gemm.kc;
    const int mr = s->whole.gemm.micro->mr;
    for (int64_t b = 0; b < s->blocks; b++) {
        const int64_t begin = cpu_winograd_block_row(s, b), count = cpu_winograd_block_row(s, b + 1) - begin;
        float *to = packed + cpu_winograd_block_at(s, b);
        for (int64_t k0 = 0; k0 < k; k0 += kc, to += cpu_winograd_part_floats(s, count, kc))
            for (int64_t p = 0; p < cpu_panels(count, mr); p++) {
                const int64_t first = cpu_panel_row(count, mr, p),
                              rows = cpu_panel_row(count, mr, p + 1) - first;
                const int64_t channels = vkb_min(kc, k - k0);
                cpu_winograd_gather(s->transform, to, first * channels,
                                    weights + ((begin + first) * k + k0) * cpu_winograd_filter_floats(s), k,
                                    channels, rows);
            }
    }
}

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    const cpu_winograd_plan *s = state;
    for (int64_t group = 0; group < s->w.group; group++) {
        const float *weights = (const float *)g->tensors[n->in[1]].data +
                               group * s->strips.filters * s->strips.channels * cpu_winograd_filter_floats(s);
        float *to = (float *)dst + group * s->strips.weight_floats;
        if (s->form.fresh)
            pack_fresh(s, to, weights);
        else
            pack_transformed(s, to, weights);
    }
}

/* Tiles x0..x1 of the rows y0..y1 of a strip; returns their number. */
static int64_t place_tiles(const cpu_winograd_plan *s, const cpu_winograd_tiling *t, int64_t at,
                           const int64_t x[2], const int64_t y[2])
{
    const int64_t begin = at;
    for (int64_t ty = y[0]; ty < y[1]; ty++)
        for (int64_t tx = x[0]; tx < x[1]; tx++, at++) {
            const int64_t column = cpu_winograd_start(s, tx, s->form.full_x);
            t->in_offset[at] = (int32_t)(ty * s->transform->size * s->x_step + column);
            t->out_offset[at] = (int32_t)(cpu_winograd_start(s, ty, s->form.full_y) * s->y_step + column);
        }
    return at - begin;
}

/* Some rows of tiles. The lanes that fill a last vector read the last tile again, and write behind the
 * outputs; vectors of full rows begin amid others. */
static vki_status plan_tiling(cpu_winograd_plan *s, cpu_winograd_tiling *t, int64_t rows, int threads,
                              vkb_arena *arena, vki_error *err)
{
    const int64_t count = rows * s->tiles_x, padded = cpu_winograd_padded(count) + 8;
    cpu_gemm_plan(&t->gemm, s->strips.filters, count, s->strips.channels, cpu_winograd_products(s), threads,
                  false, false);
    t->gemm.c_stride = cpu_winograd_padded(count);
    t->in_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *t->in_offset);
    t->out_offset = vkb_arena_alloc(arena, (size_t)padded * sizeof *t->out_offset);
    if (!t->in_offset || !t->out_offset) return vkb_nomem(err, (uint64_t)padded * sizeof *t->in_offset);
    const int64_t full = vkb_min(rows, s->form.full_y), full_y[] = {0, full}, short_y[] = {full, rows};
    const int64_t full_x[] = {0, s->form.full_x}, short_x[] = {s->form.full_x, s->tiles_x};
    t->first_full = place_tiles(s, t, 0, full_x, short_y);
    t->full_columns = t->first_full + place_tiles(s, t, t->first_full, full_x, full_y);
    t->end = t->full_columns + place_tiles(s, t, t->full_columns, short_x, full_y);
    place_tiles(s, t, t->end, short_x, short_y);
    for (int64_t i = count; i < padded; i++) {
        t->in_offset[i] = t->in_offset[count - 1];
        t->out_offset[i] = (int32_t)(s->form.strip * s->transform->tile * s->y_step);
    }
    return VKI_OK;
}

/* How the weights lie, and their bytes. */
static uint64_t plan_weights(cpu_winograd_plan *s)
{
    const cpu_gemm *whole = &s->whole.gemm;
    s->block = BLOCK_PANELS * whole->micro->mr;
    s->blocks =
        (int64_t)vkb_round_up((uint64_t)vkb_ceil_div(s->strips.filters, s->block), 2); /* of two threads */
    const uint64_t lanes = (uint64_t)(vkb_ceil_div(s->strips.filters, s->blocks) * whole->kc);
    s->u_step = s->form.fresh ? (int64_t)vkb_round_up(lanes, 16) + CPU_WINOGRAD_APART
                              : s->strips.filters * s->strips.channels;
    s->strips.weight_floats =
        s->form.fresh ? cpu_winograd_block_at(s, s->blocks) : s->u_step * cpu_winograd_products(s);
    return (uint64_t)(s->strips.weight_floats * s->w.group) * sizeof(float);
}

static void plan_scratch(cpu_winograd_plan *s, cpu_prep *p)
{
    const cpu_winograd *t = s->transform;
    const int64_t strip = s->form.strip;
    const int64_t in_rows = cpu_winograd_row_floats(s), out_rows = (strip + 1) * t->tile * s->y_step,
                  filters = s->form.fresh ? 2 * t->size * s->u_step : 0;
    cpu_product_strips_scratch(&s->strips, p, cpu_winograd_products(s) * cpu_winograd_v_step(&s->whole.gemm),
                               cpu_winograd_products(s) * cpu_winograd_m_step(&s->whole.gemm),
                               vkb_max(vkb_max(in_rows, out_rows), filters));
}

/* What the form with fresh filters would take instead, if these are not. */
static void offer_lean(const cpu_winograd_plan *s, cpu_prep *p)
{
    cpu_winograd_plan lean = *s;
    if (s->form.fresh || !cpu_winograd_choose(p->g, p->n, &s->w, true, &lean.form)) return;
    lean.transform = &cpu_micro_get()->winograd[lean.form.kind];
    p->lean_bytes = plan_weights(&lean);
    p->lean_cost = (lean.form.cost - s->form.cost) * (double)s->w.batch;
}

vki_status cpu_conv2d_winograd_prepare(cpu_prep *p, vki_error *err)
{
    cpu_winograd_plan *s = vkb_arena_alloc(p->arena, sizeof *s);
    if (!s) return vkb_nomem(err, sizeof *s);
    const op_window *w = &s->w;
    if (!is_wanted(p->g, p->n, &s->w) || !cpu_winograd_choose(p->g, p->n, w, p->lean, &s->form))
        return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    s->transform = &cpu_micro_get()->winograd[s->form.kind];
    const int64_t tiles_y = vkb_ceil_div(w->out_h, s->transform->tile);
    cpu_product_strips_plan(&s->strips, w, tiles_y, s->form.strip);
    s->tiles_x = vkb_ceil_div(w->out_w, s->transform->tile);
    s->y_step = s->transform->tile * s->tiles_x;
    s->x_step = s->y_step + s->transform->taps - 1;
    s->strips.apart = cpu_product_strips_spread(&s->strips, p->threads);
    const int together = s->strips.apart ? 1 : p->threads;
    const int64_t rest = tiles_y % s->form.strip, tiles = s->form.strip * s->tiles_x;
    s->lines = !s->form.fresh && s->strips.channels <= FEW_CHANNELS &&
               (rest ? rest : s->form.strip) * s->tiles_x >= LINE_TILES &&
               s->strips.channels * cpu_winograd_padded(tiles) <= LINE_FLOATS;
    VKB_TRY(plan_tiling(s, &s->whole, s->form.strip, together, p->arena, err));
    if (rest) VKB_TRY(plan_tiling(s, &s->rest, rest, together, p->arena, err));
    const int64_t between = tiles * cpu_winograd_products(s);
    cpu_product_strips_share(&s->strips, &s->whole.gemm, between, between, p->threads);
    p->state = s;
    p->weight_bytes = plan_weights(s);
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = cpu_pack_key(
        "winograd", (int64_t[]){w->out_c, w->in_c, w->group, s->form.kind, s->form.fresh, s->block}, 6);
    plan_scratch(s, p);
    offer_lean(s, p);
    return VKI_OK;
}
