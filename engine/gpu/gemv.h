/* SPDX-License-Identifier: Apache-2.0
 * Products by a constant matrix. Few rows: fully connected layers, and 1x1 convolutions at a single position;
 * any number of dense rows: what other operators have of products within. */
#ifndef GPU_GEMV_H
#define GPU_GEMV_H

#include "gpu/gpu.h"

enum { GPU_GEMV_ROWS = 4 }; /* at most */

/* A constant B[k][n], element (i, j) at i row + j col of its tensor, to be packed as [k_padded][n4][4]. */
typedef struct gpu_matrix {
    gr_id tensor;
    int64_t k, n;
    int64_t row, col; /* strides in elements */
    int64_t k_padded; /* >= k: rows of zeros follow */
} gpu_matrix;

/* Columns [first, first + count) of it; `first` is a multiple of four. */
gpu_bind gpu_pack_matrix(gpu_builder *b, const gpu_matrix *matrix, int64_t first, int64_t count);
/* How many columns fit one binding, a multiple of four (or all). Fails if not even four do. */
int64_t gpu_matrix_columns_in_range(gpu_builder *b, const gpu_matrix *matrix);

typedef struct gpu_gemv {
    gpu_matrix matrix;
    int64_t rows;         /* of A and Y: 1 .. GPU_GEMV_ROWS */
    int64_t columns;      /* of Y: >= matrix.n, unused lanes of the last slice included */
    int64_t a_row, a_col; /* strides of A */
    gpu_layout layout;    /* of input 0, the residual and output 0 */
    bool has_c;
    gpu_bind c;
    int64_t c_row, c_col;
    float scale, scale_c;  /* Y = scale A B + scale_c C */
    const gpu_bind *a, *y; /* NULL: input 0 and output 0 of the node */
} gpu_gemv;
void gpu_emit_gemv(gpu_builder *b, const gr_node *n, const gpu_gemv *g);

typedef struct gpu_linear { /* Y[rows][n] = A[rows][k] B + c: all dense, none of it the node's epilogue */
    gpu_matrix matrix;      /* constant or not; all of it fits one binding; k_padded == k */
    int64_t rows;
    gpu_bind a, c, y;
    int64_t c_row; /* from one row of c to the next; 0: one value a column */
} gpu_linear;
bool gpu_linear_fits(const gpu_builder *b, int64_t rows, int64_t columns, int64_t k);
void gpu_emit_linear(gpu_builder *b, const gr_node *n, const gpu_linear *l); /* matmul.c */

typedef struct gpu_product { /* Y = scale A B for each of dims[0] x dims[1] x dims[2] batches */
    gpu_bind a, b, y;
    uint8_t access;                              /* gpu_read_access_of the larger of a and b */
    int64_t m, n, k, a_row, b_row, b_col, y_row; /* strides of rows, and of B's columns; others are 1 */
    int64_t dims[3], a_batch[3], b_batch[3], y_batch[3];
    float scale;
} gpu_product;
/* None of it is the node's epilogue: the node has none. At most max_groups[2] batches. */
void gpu_emit_product(gpu_builder *b, const gr_node *n, const gpu_product *r);

typedef struct gpu_line_product { /* Y[batch][rows][columns] = A B, with the node's epilogue */
    gpu_bind a, b, y;             /* b: [k][columns rounded up to 4] in the storage's precision */
    int64_t batch, rows, columns, k;
    int64_t a_batch, a_row; /* from one batch, one row of A to the next; rows may overlap */
} gpu_line_product;
bool gpu_line_product_fits(const gpu_builder *b, const gpu_line_product *r); /* binds are not looked at */
void gpu_emit_line_product(gpu_builder *b, const gr_node *n, const gpu_line_product *r);

#endif
