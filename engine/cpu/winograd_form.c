/* SPDX-License-Identifier: Apache-2.0
 * Which form of Winograd's convolution a layer takes: a model of what each costs. Filters are fresh only
 * where that is asked for: it saves bytes and no time. Nothing here depends on threads or caches, since the
 * form decides the results' last bits. */
#include "cpu/winograd.h"

#include "cpu/conv2d_gemm.h"

/* Multiply-accumulates: the transforms of a tile of a channel count as much as `tile`, more where what lies
 * between the steps leaves the cache; that of a filter as much as `filter`. */
static const struct {
    double tile, filter;
} transform_costs[CPU_WINOGRADS] = {{300, 100}, {600, 190}, {560, 300}};

/* All products of some rows of tiles, of which some are full: how many columns each has, on average. */
static double strip_columns(const op_window *w, const cpu_winograd_form *f, int64_t rows)
{
    const cpu_winograd *t = &cpu_micro_get()->winograd[f->kind];
    const int64_t x = vkb_ceil_div(w->out_w, t->tile), full = vkb_min(rows, f->full_y);
    const double plain = t->size - 1;
    return (plain * plain * cpu_columns_cost(rows * x) +
            plain * (cpu_columns_cost(full * x) + cpu_columns_cost(rows * f->full_x)) +
            cpu_columns_cost(full * f->full_x)) /
           (t->size * t->size);
}

static int64_t full_tiles(int64_t out, int64_t tile)
{
    const int64_t tiles = vkb_ceil_div(out, tile);
    return vkb_max(0, tiles - (tiles * tile - out));
}

/* Tiles are short where that spares columns; down only where all rows of tiles are one strip. */
static void choose_tiles(const op_window *w, cpu_winograd_form *f)
{
    const int64_t tile = cpu_micro_get()->winograd[f->kind].tile;
    const int64_t tiles_x = vkb_ceil_div(w->out_w, tile), tiles_y = vkb_ceil_div(w->out_h, tile);
    f->full_x = full_tiles(w->out_w, tile);
    f->full_y = f->strip == tiles_y ? full_tiles(w->out_h, tile) : tiles_y;
    if (strip_columns(w, f, f->strip) < cpu_columns_cost(f->strip * tiles_x)) return;
    f->full_x = tiles_x;
    f->full_y = tiles_y;
}

/* Floats that lie between the steps. */
static double between_of(const op_window *w, const cpu_winograd_form *f)
{
    const cpu_winograd *t = &cpu_micro_get()->winograd[f->kind];
    const double tiles = (double)(f->strip * vkb_ceil_div(w->out_w, t->tile));
    return t->size * t->size * (double)((w->in_c + w->out_c) / w->group) * tiles;
}

/* Of the groups of one image. */
static double cost_of(const op_window *w, const cpu_winograd_form *f)
{
    const cpu_winograd *t = &cpu_micro_get()->winograd[f->kind];
    const double in = (double)(w->in_c / w->group), out = (double)(w->out_c / w->group);
    const int64_t tiles_x = vkb_ceil_div(w->out_w, t->tile), tiles_y = vkb_ceil_div(w->out_h, t->tile);
    const int64_t rest = tiles_y % f->strip, strips = vkb_ceil_div(tiles_y, f->strip);
    const double products = t->size * t->size, weights = products * in * out;
    const double filter = f->fresh ? (double)(t->taps * t->taps) : products; /* floats that are read */
    double reading = cpu_reading_cost(filter * in * out * (double)w->group) * filter / products;
    if (f->fresh) reading += transform_costs[f->kind].filter / products;
    double columns = (double)(tiles_y / f->strip) * strip_columns(w, f, f->strip) + (double)strips * reading;
    if (rest) columns += strip_columns(w, f, rest);
    const double transforms = transform_costs[f->kind].tile * (in + out) * cpu_away_cost(between_of(w, f));
    return (double)w->group * (weights * columns + (double)(tiles_x * tiles_y) * transforms);
}

static cpu_winograd_form best_strip(const op_window *w, cpu_winograd_form f)
{
    cpu_winograd_form best = {0};
    const int64_t rows = vkb_ceil_div(w->out_h, cpu_micro_get()->winograd[f.kind].tile);
    for (int64_t strips = 1; strips <= rows; strips++) {
        f.strip = vkb_ceil_div(rows, strips);
        if (f.strip == best.strip || !cpu_strip_fits(between_of(w, &f), f.strip)) continue;
        choose_tiles(w, &f);
        f.cost = cost_of(w, &f);
        if (!best.strip || f.cost < best.cost) best = f;
    }
    return best;
}

bool cpu_winograd_choose(const gr_graph *g, const gr_node *n, const op_window *w, bool lean,
                         cpu_winograd_form *out)
{
    cpu_winograd_form forms[CPU_WINOGRADS];
    int count = 0;
    for (int kind = 0; kind < CPU_WINOGRADS; kind++) {
        if (cpu_micro_get()->winograd[kind].taps != w->kernel_h) continue;
        forms[count++] = best_strip(w, (cpu_winograd_form){.kind = (cpu_winograd_kind)kind, .fresh = lean});
    }
    const double most = cpu_conv_cost(w);
    while (count) {
        int best = 0;
        for (int i = 1; i < count; i++)
            if (forms[i].cost < forms[best].cost) best = i;
        if (!lean && forms[best].cost > most) return false;
        *out = forms[best];
        if (cpu_winograd_accurate(out->kind, &g->tensors[n->in[1]], w->out_c, w->in_c / w->group))
            return true;
        forms[best] = forms[--count];
    }
    return false;
}
