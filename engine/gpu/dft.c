/* SPDX-License-Identifier: Apache-2.0
 * DFT and STFT as what they are, a product with a matrix of turns. Where lines are contiguous and the matrix
 * is of moderate size, it goes the way of all matrix products, whose rows may overlap as STFT's frames do;
 * the window is part of the matrix. Else the `length` different turns are a table. */
#include "graph/ops/dft.h"

#include <math.h>

#include "gpu/gemv.h"

/* lavapipe ends loops after 65535 rounds; far before that a fast transform on the CPU wins. */
enum { LONGEST = 16384 };

#define PI 3.14159265358979323846

/* ---- as a matrix product ---- */

enum { MATRIX_BYTES = 16 << 20 };

static bool rows_of(const gpu_builder *b, const gr_node *n, op_dft *d, gpu_line_product *r, const char **why)
{
    if (!op_dft_of(b->g, n, d, why)) return false;
    bool single = d->per == 1; /* a line is a row of one batch, else one of `per` rows */
    *r = (gpu_line_product){.batch = single ? 1 : d->lines / d->per,
                            .rows = single ? d->lines : d->per,
                            .columns = d->y.count * d->y.parts,
                            .k = d->x.count * d->x.parts,
                            .a_batch = d->x.outer * d->x.parts,
                            .a_row = (single ? d->x.outer : d->x.inner) * d->x.parts};
    return true;
}

static bool fits_product(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_dft d;
    gpu_line_product r;
    if (!rows_of(b, n, &d, &r, why)) return false;
    *why = "the numbers of a line do not lie side by side, or the window is not constant";
    if (d.x.stride != 1 || d.y.stride != 1 || (d.window && !gr_is_const(b->g, n->in[2]))) return false;
    *why = "fp16 storage would round the turns";
    if (b->half) return false;
    *why = "a large matrix of turns, or too many lines";
    return r.k <= MATRIX_BYTES / 4 && r.columns + 3 <= MATRIX_BYTES / 4 / vkb_max(r.k, 1) &&
           gpu_line_product_fits(b, &r);
}

/* The form of a transform as the words of a pack argument. */
enum { ARG_LENGTH = 0, ARG_INVERSE, ARG_SYMMETRIC, ARG_IN_PARTS, ARG_OUT_PARTS, ARG_SAMPLES, ARG_BINS };

/* What part `from` of sample n adds to part `to` of bin k. */
static double turn(const op_dft *d, int64_t n, int64_t from, int64_t k, int64_t to)
{
    double angle = (d->inverse ? 2 : -2) * PI * (double)(n * k % d->length) / (double)d->length;
    double factor = op_dft_weight(d, n) / (d->inverse ? (double)d->length : 1);
    if (from == to) return factor * cos(angle);
    return factor * (from == 0 ? sin(angle) : -sin(angle));
}

/* `source` is the window, or NULL. */
static void pack_matrix(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    const int32_t *v = arg->v;
    op_dft d = {.length = v[ARG_LENGTH], .inverse = v[ARG_INVERSE] != 0, .symmetric = v[ARG_SYMMETRIC] != 0};
    int32_t columns = v[ARG_BINS] * v[ARG_OUT_PARTS], padded = (columns + 3) / 4 * 4;
    float *out = dst;
    for (int32_t row = 0; row < v[ARG_SAMPLES] * v[ARG_IN_PARTS]; row++) {
        int32_t n = row / v[ARG_IN_PARTS], from = row % v[ARG_IN_PARTS];
        double window = source ? (double)gpu_const_f32(source, n) : 1;
        for (int32_t c = 0; c < padded; c++) {
            int32_t k = c / v[ARG_OUT_PARTS], to = c % v[ARG_OUT_PARTS];
            *out++ = c < columns ? (float)(window * turn(&d, n, from, k, to)) : 0;
        }
    }
}

static void emit_product(gpu_builder *b, const gr_node *n)
{
    op_dft d;
    gpu_line_product r;
    const char *why;
    if (!rows_of(b, n, &d, &r, &why)) return;
    gpu_pack_arg arg = {.v = {(int32_t)d.length, d.inverse, d.symmetric, (int32_t)d.x.parts,
                              (int32_t)d.y.parts, (int32_t)d.x.count, (int32_t)d.y.count}};
    uint64_t bytes = (uint64_t)r.k * (uint64_t)vkb_ceil_div(r.columns, 4) * 4 * sizeof(float);
    r.a = gpu_in(b, n, 0, GPU_ROW);
    r.b = gpu_pack(b, d.window ? n->in[2] : GR_NONE, pack_matrix, arg, bytes);
    r.y = gpu_out(b, n, 0, GPU_ROW);
    gpu_emit_line_product(b, n, &r);
}

/* ---- by its definition ---- */

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    op_dft d;
    if (!op_dft_of(b->g, n, &d, why)) return false;
    *why = "a transform of more than 16384 samples";
    return d.length <= LONGEST;
}

static void pack_turns(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    (void)source;
    float *out = dst;
    for (int32_t i = 0; i < arg->v[0]; i++) {
        double angle = 2 * PI * (double)i / (double)arg->v[0];
        *out++ = (float)cos(angle);
        *out++ = (float)(arg->v[1] ? sin(angle) : -sin(angle));
    }
}

static void push_side(gpu_dispatch *d, const op_dft_side *s)
{
    gpu_push(d, s->outer);
    gpu_push(d, s->inner);
    gpu_push(d, s->stride);
    gpu_push(d, s->count);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    op_dft t;
    const char *why;
    if (!op_dft_of(b->g, n, &t, &why)) return;
    gpu_pack_arg arg = {.v = {(int32_t)t.length, t.inverse}};
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, dft_direct));
    gpu_bind x = gpu_in(b, n, 0, GPU_ROW);
    gpu_bind_add(d, x, GPU_READ);
    gpu_bind_add(d, gpu_pack(b, GR_NONE, pack_turns, arg, (uint64_t)t.length * 2 * sizeof(float)), GPU_READ);
    gpu_bind_add(d, t.window ? gpu_in(b, n, 2, GPU_ROW) : x, GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_grid_flat(b, d, t.lines * t.y.count);
    gpu_spec(d, (uint32_t)t.x.parts);
    gpu_spec(d, (uint32_t)t.y.parts);
    gpu_spec(d, t.window);
    gpu_spec(d, t.symmetric);
    gpu_push(d, t.lines * t.y.count);
    gpu_push(d, t.per);
    gpu_push(d, t.length);
    gpu_push_f32(d, t.inverse ? 1 / (float)t.length : 1);
    push_side(d, &t.x);
    push_side(d, &t.y);
}

static const gpu_kernel kernels[] = {
    {"dft_product", fits_product, emit_product, GPU_FLOATS}, {"dft_direct", fits, emit, GPU_FLOATS}, {0}};
const gpu_op gpu_op_dft = {kernels};
