/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/conv_tile.h"

enum { ARM = 0x13B5, QUALCOMM = 0x5143, NVIDIA = 0x10DE, AMD = 0x1002, MESA = 0x10005 };

/* The large tile reuses loads best but needs work enough to fill the device: `fill` invocations. The small
 * one spreads small problems and wastes less where few pixels fill a workgroup. First row: any other vendor.
 * Measured is the last row alone (lavapipe 22.3 on AVX2, 2026-11: 3x3, 64 channels, 56x56: 13.6 GFLOP/s a
 * core); the others are start values after TFLite's and Compute Library's choices for these devices. */
typedef struct tile_row {
    uint32_t vendor;
    int32_t fill;
    gpu_conv_tile large, small;
} tile_row;
static const tile_row rows[] = {
    {0, 2048, {4, 2, 64, 1}, {2, 1, 16, 4}},      {QUALCOMM, 4096, {4, 2, 64, 1}, {2, 1, 16, 4}},
    {ARM, 2048, {2, 2, 64, 1}, {2, 1, 16, 4}}, /* panvk spills larger ones (G610: 64 registers) */
    {NVIDIA, 8192, {8, 2, 64, 1}, {4, 1, 16, 4}}, {AMD, 8192, {4, 2, 64, 1}, {2, 1, 16, 4}},
    {MESA, 256, {8, 2, 16, 4}, {4, 2, 8, 4}},
};

static int64_t padded(int64_t positions, const gpu_conv_tile *t)
{
    return (int64_t)vkb_round_up((uint64_t)positions, (uint64_t)t->pixels * t->lx);
}

gpu_conv_tile gpu_conv_tile_of(const gpu_limits *limits, int64_t positions, int64_t batch, int64_t out_slices)
{
    const tile_row *row = &rows[0];
    for (size_t i = 1; i < VKB_COUNT(rows); i++)
        if (rows[i].vendor == limits->vendor) row = &rows[i];
    const gpu_conv_tile *t = &row->large;
    int64_t invocations = vkb_ceil_div(positions, t->pixels) * vkb_ceil_div(out_slices, t->slices) * batch;
    bool large = invocations >= row->fill && 4 * padded(positions, t) <= 5 * padded(positions, &row->small);
    gpu_conv_tile chosen = large ? row->large : row->small;
    if (out_slices < chosen.slices) chosen.slices = 1;
    return chosen;
}

/* Of depthwise and 1x1 convolutions in one. `sums`: the most that a tile may hold, in pixels times slices;
 * `tiles`: how often the depthwise part may be computed. lavapipe keeps sums in the first-level cache and
 * pays for loads, so that large tiles win there; its compiler takes a second for 96 sums (22.3 on AVX2,
 * 2026-11). The others are start values. */
typedef struct separable_row {
    uint32_t vendor;
    int32_t sums, tiles;
    uint8_t lx;
} separable_row;
static const separable_row separable_rows[] = {{0, 8, 2, 64}, {MESA, 48, 6, 16}};

/* Pixels of a run: 8, 4 or 2, as many as the sums allow and as do not reach far beyond the row's end. */
static int64_t run_of(int64_t out_w, int64_t most)
{
    int64_t pixels = most >= 8 ? 8 : most >= 4 ? 4 : 2;
    while (pixels > 4 && vkb_ceil_div(out_w, pixels) * pixels * 4 > vkb_ceil_div(out_w, 4) * 4 * 5)
        pixels /= 2;
    return pixels;
}

bool gpu_separable_tile_of(const gpu_limits *limits, int64_t out_w, int64_t out_slices, const op_window *d,
                           gpu_conv_tile *tile)
{
    static const int64_t sizes[] = {4, 6, 8, 12}; /* few, since each is a pipeline of its own */
    const separable_row *row = &separable_rows[limits->vendor == MESA];
    int64_t best = 0, best_cost = INT64_MAX;
    for (size_t i = 0; i < VKB_COUNT(sizes) && 2 * sizes[i] <= row->sums; i++) {
        int64_t tiles = vkb_ceil_div(out_slices, sizes[i]);
        int64_t cost =
            tiles * (4 * sizes[i] + 2 * d->kernel_h * d->kernel_w); /* of a pixel and input slice */
        if (tiles <= row->tiles && cost < best_cost) {
            best = sizes[i];
            best_cost = cost;
        }
    }
    if (!best) return false;
    *tile = (gpu_conv_tile){(uint8_t)run_of(out_w, row->sums / best), (uint8_t)best, row->lx, 1};
    return true;
}
