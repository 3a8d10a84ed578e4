/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/conv_tile.h"

enum { ARM = 0x13B5, QUALCOMM = 0x5143, NVIDIA = 0x10DE, AMD = 0x1002, MESA = 0x10005 };

/* The large tile reuses loads best but needs work enough to fill the device: `fill` invocations. The small
 * one spreads small problems. First row: any other vendor. */
typedef struct tile_row {
    uint32_t vendor;
    int32_t fill;
    gpu_conv_tile large, small;
} tile_row;
static const tile_row rows[] = {
    {0, 2048, {4, 2, 64, 1}, {2, 1, 16, 4}},      {QUALCOMM, 4096, {4, 2, 64, 1}, {2, 1, 16, 4}},
    {ARM, 2048, {4, 1, 64, 1}, {2, 1, 16, 4}}, /* 64 registers an invocation */
    {NVIDIA, 8192, {8, 2, 64, 1}, {4, 1, 16, 4}}, {AMD, 8192, {4, 2, 64, 1}, {2, 1, 16, 4}},
    {MESA, 32, {8, 2, 32, 1}, {4, 1, 8, 4}}, /* lavapipe: loads cost far more than registers */
};

gpu_conv_tile gpu_conv_tile_of(const gpu_limits *limits, int64_t positions, int64_t batch, int64_t out_slices)
{
    const tile_row *row = &rows[0];
    for (size_t i = 1; i < VKB_COUNT(rows); i++)
        if (rows[i].vendor == limits->vendor) row = &rows[i];
    const gpu_conv_tile *t = &row->large;
    int64_t invocations = vkb_ceil_div(positions, t->pixels) * vkb_ceil_div(out_slices, t->slices) * batch;
    bool large = invocations >= row->fill && out_slices >= t->slices && positions >= 2 * t->pixels;
    return large ? row->large : row->small;
}
