/* SPDX-License-Identifier: Apache-2.0
 * Gemm and MatMul on row-major tensors. */
#include "gpu/gemv.h"
#include "gpu/matmul_words.h"
#include "gpu/texels.h"
#include "graph/ops/schema.h"

#include <string.h>

enum { BATCH_DIMS = 3 };                   /* that the shader walks */
enum { B_ROWS = 0, B_COLUMNS, B_STRIDED }; /* B_MODE in the shader */

/* op_matmul_dims with as few batch dimensions as can be, right-aligned. */
typedef struct product {
    int64_t batch, m, n, k, a_row, a_col, b_row, b_col;
    int64_t dims[BATCH_DIMS], a_batch[BATCH_DIMS], b_batch[BATCH_DIMS], y_batch[BATCH_DIMS], y_row;
    bool constant_b; /* one constant B for all batches: packed */
} product;

/* Y is dense, in the order of the batches. */
static void make_dense(product *p)
{
    int64_t stride = p->m * (p->y_row = p->n);
    for (int i = BATCH_DIMS - 1; i >= 0; i--) {
        p->y_batch[i] = stride;
        stride *= p->dims[i];
    }
}

/* Drops dimensions of size 1 and joins neighbours that both operands walk as one. Returns how many are left.
 */
static int join_batches(op_matmul_dims *d)
{
    int count = 0;
    for (int i = 0; i < d->batch_rank; i++) {
        if (d->batch_dims[i] == 1) continue;
        int last = count - 1;
        if (count && d->a_batch[last] == d->a_batch[i] * d->batch_dims[i] &&
            d->b_batch[last] == d->b_batch[i] * d->batch_dims[i]) {
            d->batch_dims[last] *= d->batch_dims[i];
        } else {
            d->batch_dims[count] = d->batch_dims[i];
            last = count++;
        }
        d->a_batch[last] = d->a_batch[i];
        d->b_batch[last] = d->b_batch[i];
    }
    return count;
}

static bool product_of(const gpu_builder *b, const gr_node *n, product *p)
{
    op_matmul_dims d;
    if (!op_matmul_of(b->g, n, &d)) return false;
    int count = join_batches(&d);
    if (count && d.b_batch[count - 1] == 0 && d.a_batch[count - 1] == d.m * d.a_row) {
        count--; /* the same B: more rows */
        d.m *= d.batch_dims[count];
    }
    if (count > BATCH_DIMS) return false;
    *p = (product){.batch = 1,
                   .m = d.m,
                   .n = d.n,
                   .k = d.k,
                   .a_row = d.a_row,
                   .a_col = d.a_col,
                   .b_row = d.b_row,
                   .b_col = d.b_col,
                   .dims = {1, 1, 1}};
    bool shared = true;
    for (int i = 0; i < count; i++) {
        int to = BATCH_DIMS - count + i;
        p->batch *= p->dims[to] = d.batch_dims[i];
        p->a_batch[to] = d.a_batch[i];
        p->b_batch[to] = d.b_batch[i];
        shared = shared && d.b_batch[i] == 0;
    }
    p->constant_b = shared && gr_is_const(b->g, n->in[1]);
    make_dense(p);
    return true;
}

static bool fits_tile(const gpu_builder *b, const gr_node *n, const char **why)
{
    product p;
    *why = "more than three batch dimensions that cannot be joined";
    if (!product_of(b, n, &p)) return false;
    *why = "no elements to add up";
    if (p.k < 1) return false;
    *why = "a constant operand is not of a float type or larger than one binding";
    for (int i = 0; i < op_own_inputs(n); i++) {
        if (!op_has_own(n, i) || !gr_is_const(b->g, n->in[i])) continue;
        const gr_tensor *t = &b->g->tensors[n->in[i]];
        bool split = i == 1 && p.constant_b;
        if (!gpu_is_float(t->dtype)) return false;
        uint64_t bytes = split ? (uint64_t)p.k * (b->half ? 8 : 16) : gpu_layout_bytes(t, GPU_ROW, b->half);
        if (bytes > b->limits->max_range) return false;
    }
    return true;
}

static bool fits_gemv(const gpu_builder *b, const gr_node *n, const char **why)
{
    product p;
    if (!fits_tile(b, n, why) || !product_of(b, n, &p)) return false;
    *why = "more than four rows, or the matrix is not constant";
    return p.batch == 1 && p.m <= GPU_GEMV_ROWS && p.constant_b;
}

static gpu_matrix matrix_of(const gr_node *n, const product *p)
{
    return (gpu_matrix){n->in[1], p->k, p->n, p->b_row, p->b_col, p->k};
}

/* Input C: its strides over Y's rows and columns. */
static bool addend(const gpu_builder *b, const gr_node *n, int64_t *row, int64_t *col)
{
    *row = *col = 0;
    if (!op_has_own(n, 2)) return false;
    const gr_tensor *t = &b->g->tensors[n->in[2]];
    int64_t columns = t->rank > 0 ? t->dims[t->rank - 1] : 1;
    if (columns > 1) *col = 1;
    if (t->rank > 1 && t->dims[t->rank - 2] > 1) *row = columns;
    return true;
}

static void scales(const gr_node *n, float *scale, float *scale_c)
{
    const op_gemm_attrs *a = n->op == OP_Gemm ? n->attrs : NULL;
    *scale = a ? a->alpha : 1.0f;
    *scale_c = a ? a->beta : 1.0f;
}

static void emit_gemv(gpu_builder *b, const gr_node *n)
{
    product p;
    if (!product_of(b, n, &p)) return;
    gpu_gemv g = {.matrix = matrix_of(n, &p),
                  .rows = p.m,
                  .columns = p.n,
                  .a_row = p.a_row,
                  .a_col = p.a_col,
                  .layout = GPU_ROW};
    g.has_c = addend(b, n, &g.c_row, &g.c_col);
    if (g.has_c) g.c = gpu_in(b, n, 2, GPU_ROW);
    scales(n, &g.scale, &g.scale_c);
    gpu_emit_gemv(b, n, &g);
}

/* ---- matmul_tile ---- */

typedef struct tile {
    uint8_t rows, columns4; /* of one invocation: TM, TN in the shader */
    uint8_t lx, ly;
} tile;
enum { ARM = 0x13B5, MESA = 0x10005 };
static const struct {
    uint32_t vendor; /* first row: any other */
    int32_t fill;    /* invocations from which on the large tile is taken */
    tile large, small;
} tiles[] = {
    {0, 4096, {4, 2, 16, 4}, {2, 1, 16, 4}},
    {ARM, 2048, {2, 2, 16, 4}, {2, 1, 16, 4}}, /* larger ones spill */
    {MESA, 256, {8, 2, 16, 4}, {4, 1, 8, 4}},  /* lavapipe 22.3, AVX2, 2026-11: 14 GFLOP/s a core */
};

static tile choose_tile(const gpu_limits *limits, const product *p)
{
    size_t row = 0;
    for (size_t i = 1; i < VKB_COUNT(tiles); i++)
        if (tiles[i].vendor == limits->vendor) row = i;
    const tile *t = &tiles[row].large;
    int64_t count = vkb_ceil_div(p->m, t->rows) * vkb_ceil_div(p->n, t->columns4 * 4) * p->batch;
    bool large = count >= tiles[row].fill && p->m >= t->rows && p->n >= t->columns4 * 4;
    return large ? *t : tiles[row].small;
}

static bool aligned_batches(const product *p, const int64_t *strides)
{
    for (int i = 0; i < BATCH_DIMS; i++)
        if (p->dims[i] > 1 && strides[i] % 4) return false;
    return true;
}

static uint32_t b_mode(const product *p)
{
    if (p->constant_b) return B_ROWS;
    if (!aligned_batches(p, p->b_batch)) return B_STRIDED;
    if (p->b_col == 1 && p->b_row % 4 == 0 && p->n % 4 == 0) return B_ROWS;
    return p->b_row == 1 && p->b_col % 4 == 0 ? B_COLUMNS : B_STRIDED;
}

/* A part of the work: columns [first_col, + columns) of batches [first_batch, + batches). */
typedef struct span {
    int64_t first_col, columns, first_batch, batches;
} span;

static void push_tile(gpu_dispatch *d, const product *p, const span *part, int64_t c_row, int64_t c_col)
{
    bool packed = p->constant_b;
    const int64_t words[] = {p->m,
                             part->columns,
                             p->k,
                             p->a_row,
                             p->a_col,
                             packed ? vkb_ceil_div(part->columns, 4) * 4 : p->b_row,
                             packed ? 1 : p->b_col,
                             c_row,
                             c_col,
                             part->first_col,
                             p->y_row,
                             part->first_batch,
                             p->dims[1],
                             p->dims[2],
                             p->a_batch[0],
                             p->a_batch[1],
                             p->a_batch[2],
                             p->b_batch[0],
                             p->b_batch[1],
                             p->b_batch[2],
                             p->y_batch[0],
                             p->y_batch[1],
                             p->y_batch[2]};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
}

typedef struct operands {
    gpu_bind a, b, c, y;
    bool has_c;
    int64_t c_row, c_col;
    float scale, scale_c;
    uint8_t access; /* of what is read in fours */
} operands;

static void write_tile(gpu_builder *b, const gr_node *n, const product *p, tile t, const span *part,
                       const operands *o)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, o->access, matmul_tile));
    gpu_bind_add(d, o->a, GPU_READ);
    gpu_bind_add(d, o->a, o->access);
    gpu_bind_add(d, o->b, GPU_READ);
    gpu_bind_add(d, o->b, o->access);
    gpu_bind_add(d, o->c, GPU_READ);
    gpu_grid(b, d, vkb_ceil_div(part->columns, t.columns4 * 4), vkb_ceil_div(p->m, t.rows), part->batches,
             t.lx, t.ly, 1);
    push_tile(d, p, part, o->c_row, o->c_col);
    gpu_push_f32(d, o->scale);
    gpu_push_f32(d, o->scale_c);
    gpu_epilogue(b, d, n, GPU_ROW, o->a);
    gpu_spec(d, t.rows);
    gpu_spec(d, t.columns4);
    gpu_spec(d, p->a_col == 1 && (p->m == 1 || p->a_row % 4 == 0) && aligned_batches(p, p->a_batch));
    gpu_spec(d, b_mode(p));
    gpu_spec(d, p->n % 4 == 0 && p->y_row % 4 == 0 && aligned_batches(p, p->y_batch));
    gpu_spec(d, o->has_c);
    gpu_bind_add(d, o->y, GPU_WRITE);
    gpu_bind_add(d, o->y, GPU_WRITE);
}

static void emit_part(gpu_builder *b, const gr_node *n, const product *p, tile t, const span *part)
{
    operands o = {.a = gpu_in(b, n, 0, GPU_ROW)};
    gpu_matrix matrix = matrix_of(n, p);
    o.has_c = addend(b, n, &o.c_row, &o.c_col);
    o.c = o.has_c ? gpu_in(b, n, 2, GPU_ROW) : o.a;
    scales(n, &o.scale, &o.scale_c);
    o.b = p->constant_b ? gpu_pack_matrix(b, &matrix, part->first_col, part->columns)
                        : gpu_in(b, n, 1, GPU_ROW);
    o.access = gpu_read_access(b, n, GPU_ROW, &o.b);
    o.y = gpu_out(b, n, 0, GPU_ROW);
    write_tile(b, n, p, t, part, &o);
}

static void emit_tile(gpu_builder *b, const gr_node *n)
{
    product p;
    if (!product_of(b, n, &p)) return;
    tile t = choose_tile(b->limits, &p);
    gpu_matrix matrix = matrix_of(n, &p);
    int64_t columns = p.constant_b ? gpu_matrix_columns_in_range(b, &matrix) : p.n;
    int64_t batches = b->limits->max_groups[2];
    for (int64_t col = 0; col < p.n && !b->failed; col += columns)
        for (int64_t batch = 0; batch < p.batch && !b->failed; batch += batches)
            emit_part(b, n, &p, t,
                      &(span){col, vkb_min(columns, p.n - col), batch, vkb_min(batches, p.batch - batch)});
}

/* ---- products within other operators ---- */

bool gpu_linear_fits(const gpu_builder *b, int64_t rows, int64_t columns, int64_t k)
{
    const int64_t side = INT32_MAX / 4; /* products of two stay far from overflow */
    const int64_t most = vkb_min((int64_t)b->limits->max_range, INT32_MAX) / (b->half ? 2 : 4);
    return rows <= side && columns <= side && k <= side && rows <= b->limits->max_groups[1] &&
           rows * vkb_max(columns, k) <= most && k * vkb_ceil_div(columns, 4) * 4 <= most;
}

void gpu_emit_linear(gpu_builder *b, const gr_node *n, const gpu_linear *l)
{
    const int64_t columns = l->matrix.n, k = l->matrix.k;
    bool packed = gr_is_const(b->g, l->matrix.tensor);
    if (packed && l->rows <= GPU_GEMV_ROWS) {
        const gpu_gemv g = {.matrix = l->matrix,
                            .rows = l->rows,
                            .columns = columns,
                            .a_row = k,
                            .a_col = 1,
                            .layout = GPU_ROW,
                            .has_c = true,
                            .c = l->c,
                            .c_row = l->c_row,
                            .c_col = 1,
                            .scale = 1,
                            .scale_c = 1,
                            .a = &l->a,
                            .y = &l->y};
        gpu_emit_gemv(b, n, &g);
        return;
    }
    product p = {.batch = 1,
                 .m = l->rows,
                 .n = columns,
                 .k = k,
                 .a_row = k,
                 .a_col = 1,
                 .b_row = l->matrix.row,
                 .b_col = l->matrix.col,
                 .dims = {1, 1, 1},
                 .constant_b = packed};
    make_dense(&p);
    operands o = {.a = l->a,
                  .c = l->c,
                  .y = l->y,
                  .has_c = true,
                  .c_row = l->c_row,
                  .c_col = 1,
                  .scale = 1,
                  .scale_c = 1};
    o.b = packed ? gpu_pack_matrix(b, &l->matrix, 0, columns)
                 : (gpu_bind){.index = gpu_tensor_buf(b, l->matrix.tensor, GPU_ROW)};
    o.access = gpu_read_access(b, n, GPU_ROW, &o.b);
    write_tile(b, n, &p, choose_tile(b->limits, &p), &(span){0, columns, 0, 1}, &o);
}

bool gpu_line_product_fits(const gpu_builder *b, const gpu_line_product *r)
{
    uint64_t most = (b->limits->max_range < INT32_MAX ? b->limits->max_range : INT32_MAX) / (b->half ? 2 : 4);
    return r->rows <= b->limits->max_groups[1] && r->batch <= b->limits->max_groups[2] &&
           (uint64_t)r->columns <= most && (uint64_t)r->k <= most / (uint64_t)vkb_max(r->columns + 3, 1);
}

void gpu_emit_line_product(gpu_builder *b, const gr_node *n, const gpu_line_product *r)
{
    product p = {.batch = r->batch,
                 .m = r->rows,
                 .n = r->columns,
                 .k = r->k,
                 .a_row = r->a_row,
                 .a_col = 1,
                 .dims = {1, 1, r->batch},
                 .a_batch = {0, 0, r->a_batch},
                 .constant_b = true};
    make_dense(&p);
    operands o = {.a = r->a, .b = r->b, .c = r->a, .y = r->y, .scale = 1};
    o.access = gpu_read_access(b, n, GPU_ROW, &o.b);
    write_tile(b, n, &p, choose_tile(b->limits, &p), &(span){0, r->columns, 0, r->batch}, &o);
}

void gpu_emit_product(gpu_builder *b, const gr_node *n, const gpu_product *r)
{
    product p = {.batch = r->dims[0] * r->dims[1] * r->dims[2],
                 .m = r->m,
                 .n = r->n,
                 .k = r->k,
                 .a_row = r->a_row,
                 .a_col = 1,
                 .b_row = r->b_row,
                 .b_col = r->b_col,
                 .y_row = r->y_row};
    memcpy(p.dims, r->dims, sizeof p.dims);
    memcpy(p.a_batch, r->a_batch, sizeof p.a_batch);
    memcpy(p.b_batch, r->b_batch, sizeof p.b_batch);
    memcpy(p.y_batch, r->y_batch, sizeof p.y_batch);
    const operands o = {.a = r->a, .b = r->b, .c = r->a, .y = r->y, .scale = r->scale, .access = r->access};
    write_tile(b, n, &p, choose_tile(b->limits, &p), &(span){0, r->n, 0, p.batch}, &o);
}

static const gpu_kernel kernels[] = {
    {"matmul_gemv", fits_gemv, emit_gemv, GPU_FLOATS},
    {"matmul_tile", fits_tile, emit_tile, GPU_FLOATS},
    {"matmul_words", gpu_matmul_words_fit, gpu_matmul_words_emit, GPU_INTEGERS},
    {0},
};
const gpu_op gpu_op_matmul = {kernels};
