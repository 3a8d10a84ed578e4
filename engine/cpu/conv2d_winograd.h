/* SPDX-License-Identifier: Apache-2.0
 * A convolution by Winograd's transforms: what its plan (conv2d_winograd.c) and its run
 * (conv2d_winograd_run.c) share. */
#ifndef CPU_CONV2D_WINOGRAD_H
#define CPU_CONV2D_WINOGRAD_H

#include "cpu/product_strips.h"
#include "cpu/winograd.h"

/* Floats: products would lie a power of two apart, and push each other out of the cache. */
enum { CPU_WINOGRAD_APART = 16 };

/* The tiles of a strip, full and short ones (cpu_winograd_form): those of short rows and full columns, of
 * full rows and columns, of full rows and short columns, and those short both ways. A product that some have
 * no use for is so made of tiles that follow one another. */
typedef struct cpu_winograd_tiling {
    cpu_gemm gemm;                         /* of the products of all tiles */
    int32_t *in_offset, *out_offset;       /* of each in the transformed rows; among the outputs */
    int64_t first_full, full_columns, end; /* full rows: first_full..end; full columns: all before */
} cpu_winograd_tiling;

typedef struct cpu_winograd_plan {
    op_window w;
    cpu_winograd_form form;
    const cpu_winograd *transform;
    cpu_product_strips strips;
    int64_t block, blocks;           /* fresh: outputs whose filters are transformed at once, at most */
    int64_t u_step;                  /* from product to product of the filters */
    int64_t tiles_x;                 /* tiles of a row */
    int64_t x_step, y_step;          /* row lengths of the transformed rows; of the outputs */
    cpu_winograd_tiling whole, rest; /* of a strip, and of the last one if it is shorter */
    bool lines; /* few channels: their products' rows are whole, as long as those of the outputs */
} cpu_winograd_plan;

static inline int64_t cpu_winograd_products(const cpu_winograd_plan *s)
{
    return (int64_t)s->transform->size * s->transform->size;
}

static inline int64_t cpu_winograd_filter_floats(const cpu_winograd_plan *s)
{
    return (int64_t)s->transform->taps * s->transform->taps;
}

static inline int64_t cpu_winograd_padded(int64_t tiles)
{
    return (int64_t)vkb_round_up((uint64_t)tiles, 8);
}

/* The first output of a block. Threads take equal numbers of blocks, so the larger ones lie between others.
 */
static inline int64_t cpu_winograd_block_row(const cpu_winograd_plan *s, int64_t block)
{
    return block * s->strips.filters / s->blocks;
}

/* Fresh: a block's filters, in parts of p->kc channels; each fills its last vector of filters. The result
 * allows for that. */
static inline int64_t cpu_winograd_block_at(const cpu_winograd_plan *s, int64_t block)
{
    const int64_t parts = vkb_ceil_div(s->strips.channels, s->whole.gemm.kc);
    const uint64_t filters = (uint64_t)(cpu_winograd_block_row(s, block) * s->strips.channels);
    return ((int64_t)vkb_round_up(filters, 8) + 8 * block * parts) * cpu_winograd_filter_floats(s);
}

static inline int64_t cpu_winograd_part_floats(const cpu_winograd_plan *s, int64_t rows, int64_t channels)
{
    return (int64_t)vkb_round_up((uint64_t)(rows * channels), 8) * cpu_winograd_filter_floats(s);
}

/* A channel's transformed rows, and a row of zeros. */
static inline int64_t cpu_winograd_row_floats(const cpu_winograd_plan *s)
{
    return s->form.strip * s->transform->size * s->x_step + s->w.in_w;
}

/* Where a tile begins along a dimension that has so many full ones. */
static inline int64_t cpu_winograd_start(const cpu_winograd_plan *s, int64_t tile, int64_t full)
{
    return tile * s->transform->tile - vkb_max(0, tile - full);
}

/* From product to product, of the input and of the output. */
static inline int64_t cpu_winograd_v_step(const cpu_gemm *p)
{
    return (int64_t)cpu_packed_b_floats(p->n, p->k) + CPU_WINOGRAD_APART;
}

static inline int64_t cpu_winograd_m_step(const cpu_gemm *p)
{
    return p->m * p->c_stride + CPU_WINOGRAD_APART;
}

#endif
