/* SPDX-License-Identifier: Apache-2.0
 * Convolutions by fewer multiplications, in three steps: tiles of the input are transformed, what comes of it
 * is multiplied by transformed filters, and the products are transformed to outputs. Rows of tiles are worked
 * on in strips, so that what lies between the steps stays in a cache. */
#ifndef CPU_PRODUCT_STRIPS_H
#define CPU_PRODUCT_STRIPS_H

#include "cpu/gemm.h"
#include "graph/ops/window.h"

typedef struct cpu_product_strips {      /* of a plan */
    int64_t channels, filters;           /* of a group */
    int64_t x_floats, y_floats;          /* of a group of an image */
    int64_t images, groups;              /* images: each group of one counts */
    int64_t rows, strip;                 /* of tiles: of an image; at once */
    int64_t weight_floats;               /* of a group, packed */
    uint64_t v_floats, m_floats, floats; /* scratch: what is multiplied; products; a thread's own */
    int64_t in_grain, out_grain;         /* channels a task */
    bool threaded;                       /* a strip is work enough for several */
    bool apart;                          /* each thread works on strips of its own */
} cpu_product_strips;

typedef struct cpu_product_strip { /* of a group of an image */
    const cpu_call *call;
    const void *plan;                           /* the kernel's */
    bool whole;                                 /* of as many rows as others */
    const void *taker;                          /* of the outputs, which are not stored; NULL: none */
    const float *x, *weights, *bias, *residual; /* of the group; bias and residual may be NULL */
    float *y, *v, *m, *own;                     /* own: of all threads; y: NULL if there is a taker */
    int64_t first, count;                       /* rows of tiles */
    int64_t plane;                              /* the first output, of those of all images */
} cpu_product_strip;

typedef struct cpu_product_steps {
    vkb_range_fn in, out; /* of a cpu_product_strip: some channels to v; outputs of some filters from m */
    void (*multiply)(cpu_product_strip *t, vkb_pool *pool);
} cpu_product_steps;

/* What follows from the window: fields up to `strip`. */
void cpu_product_strips_plan(cpu_product_strips *s, const op_window *w, int64_t rows, int64_t strip);
/* Whether there are strips for all threads, and the busiest has little more to do than the others. What lies
 * between the steps then stays in the caches of one core, and nobody waits for anybody between them. */
bool cpu_product_strips_spread(const cpu_product_strips *s, int threads);
/* How threads share a strip, which takes so many floats of each channel and of each filter between the steps:
 * equal parts, where there is work for several. */
void cpu_product_strips_share(cpu_product_strips *s, const cpu_gemm *whole, int64_t in_floats,
                              int64_t out_floats, int threads);
/* Floats of v, of m, and of a thread's own; after `apart`. */
void cpu_product_strips_scratch(cpu_product_strips *s, cpu_prep *p, int64_t v, int64_t m, int64_t own);
void cpu_product_strips_run(const cpu_product_strips *s, const cpu_product_steps *steps, const cpu_call *c,
                            const void *taker);

/* A model of what they cost, see conv2d_gemm.h. Of a group of an image. */
typedef struct cpu_products {
    int64_t tiles_x, tiles_y;
    double in, out;       /* channels */
    double groups;        /* whose weights are read */
    double products;      /* multiplications of a tile, for an input and an output channel */
    double before, after; /* floats between the steps, of a tile: an input channel's; an output channel's */
    double in_steps, out_steps; /* what the steps before and after the products cost, likewise */
} cpu_products;
double cpu_products_cost(const cpu_products *p, int64_t strip);
int64_t cpu_products_strip(const cpu_products *p); /* that costs least */

#endif
