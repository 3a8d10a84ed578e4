/* SPDX-License-Identifier: Apache-2.0
 * The micro-kernels: what the fast kernels of the CPU are made of. One table an instruction set; the C table
 * is the specification, and tests/cpu_kernels_test.c compares every entry of the others with it. The bodies
 * stand once, in *_tmpl.h, over a vector of eight floats (vec_c.h, vec_avx2.h, vec_neon.h). All data is fp32
 * where nothing else is said. No entry reads or writes beyond what its arguments span. */
#ifndef CPU_MICRO_H
#define CPU_MICRO_H

#include "graph/ops/attrs.h"

/* Before a loop of constant length over registers: unrolled even where code is made small, and before arrays
 * are taken apart (clang's plain `unroll` comes too late for that: sums would stay in memory). With a
 * sanitizer's checks in each round compilers choke on it. CPU_UNROLL_SUM: before the loop over k of a tile,
 * where the end of many rounds would not be foreseen. */
#if defined(VKI_SANITIZED)
#define CPU_UNROLL
#define CPU_UNROLL_SUM
#elif defined(__clang__)
#define CPU_UNROLL     _Pragma("clang loop unroll(full)")
#define CPU_UNROLL_SUM _Pragma("clang loop unroll_count(4)")
#elif defined(__GNUC__)
#define CPU_UNROLL     _Pragma("GCC unroll 16")
#define CPU_UNROLL_SUM _Pragma("GCC unroll 4")
#else
#define CPU_UNROLL
#define CPU_UNROLL_SUM
#endif

enum { CPU_F16_STEPS = 32 }; /* of pairs, of a sum in fp16 */
enum { CPU_NR = 16 };        /* columns of a GEMM tile; panels of B are CPU_NR or, for a short rest, 8 wide */

/* Bytes that gemm_i8 multiplies. b_flip is XORed to each element of B: bytes that were stored XOR their zero
 * point, so that padding can be zero, become themselves again. */
typedef struct cpu_dot_form {
    bool a_unsigned, b_unsigned; /* else signed */
    int32_t b_flip;
} cpu_dot_form;

/* What gemm_i8 of a table takes. */
typedef enum cpu_dot {
    CPU_DOT_NONE = 0, /* everything, but gemm_i16 is faster */
    CPU_DOT_SIGNED,   /* neither operand is unsigned */
    CPU_DOT_MIXED     /* exactly one operand is unsigned */
} cpu_dot;

/* C[rows][cols] = epilogue(start + A B). A is packed [k][rows]; B is [k][8 or 16], rows b_stride apart. Of
 * gemm_line B is [k][cols], and rows may stand each at an offset of its own. */
typedef struct cpu_tile {
    const float *a, *b;
    const float *a_next; /* for gemm: `k` times as many floats as rows, fetched meanwhile; NULL: nothing */
    int64_t k, b_stride;
    const int32_t *b_offset; /* of each row of B, for gemm_line; NULL: b_stride counts */
    float *c;
    int64_t c_stride;
    int rows, cols;  /* any, though best the table's mr; 1..CPU_NR; B is readable to the next multiple of 8 */
    bool accumulate; /* start is C's content; otherwise the sum of the biases */
    const float *bias_row, *bias_col; /* one value a row; a column; NULL: 0 */
    const float *residual;            /* laid out as C; NULL unless the epilogue has one */
    const gr_epilogue *epilogue;      /* NULL: store the sums */
    cpu_dot_form form;                /* of gemm_i8 */
    const float *right;   /* for tables that say `wide`: B from column CPU_NR on, as many columns again; */
    int64_t right_stride; /* its rows */
} cpu_tile;

/* A tile that may be of two panels, by a function that takes one. */
static inline void cpu_tile_by_panels(const cpu_tile *t, void (*gemm)(const cpu_tile *t))
{
    cpu_tile part = *t;
    if (t->cols > CPU_NR) {
        part.cols = CPU_NR;
        gemm(&part);
        part.cols = t->cols - CPU_NR;
        part.b = t->right;
        part.b_stride = t->right_stride;
        part.c += CPU_NR;
        if (t->bias_col) part.bias_col += CPU_NR;
        if (t->residual) part.residual += CPU_NR;
    }
    gemm(&part);
}

enum { CPU_LEAST_TURNED = 8, CPU_MOST_TURNED = 1 << 28 };
enum { CPU_LEAST_PIXELS = 20, CPU_WIDE_PANEL = 24 };

/* A pointwise convolution of pixels that lie together, by a panel of output channels: y[offset[c] + i] =
 * low..high clamp of start[c] + the sum over k of w[k * width + c] x[k * x_step + i], then HardSwish if asked
 * for. Reads offset, start and w as far as the panel's width. */
typedef struct cpu_pixels {
    const float *x, *w;
    const float *w_next; /* what w will be next, fetched meanwhile; NULL: not known */
    int64_t k, x_step;
    int64_t pixels;        /* CPU_LEAST_PIXELS at least */
    int width;             /* CPU_NR or CPU_WIDE_PANEL */
    const float *start;    /* NULL: what `sums` holds */
    float *sums;           /* [pixels, rounded up to 4][width]; unused with both start and y */
    float *y;              /* NULL: the sums go to `sums`, as they are */
    const int32_t *offset; /* of each channel in y; the same of two that compute the same */
    float low, high;
    bool hardswish;
} cpu_pixels;

/* Where eight columns of an im2col panel read, in elements from the start of a channel. */
typedef struct cpu_lanes {
    int32_t offset[8], mask[8]; /* mask 0: padding, reads as zero; otherwise -1 */
} cpu_lanes;

/* Rows of a depthwise convolution or a pool over an input that is padded and split into phases, so that
 * every tap reads contiguous elements: y[r][i] = low..high clamp of bias + sum over t of
 * weight[t] * x[r * x_row + offset[t] + i]. Reads x up to a multiple of 8 columns. */
typedef struct cpu_taps {
    float *y;
    const float *x;
    int64_t y_row, x_row, rows, cols;
    const float *weight; /* unused by max */
    const int32_t *offset;
    int count;
    float bias, low, high;
} cpu_taps;

enum { CPU_DEPTHWISE_KERNEL = 7 }; /* largest size of cpu_depthwise */

/* Rows of a depthwise convolution by a square kernel, of planes that are read where they lie: y[r][i] =
 * low..high clamp of bias + the sum over the taps, then HardSwish if asked for. Places outside of the plane
 * read as zero. */
typedef struct cpu_depthwise {
    float *y;            /* rows x out_w, dense; of the next plane y_plane further */
    const float *x;      /* row `top` of a plane; rows in_w apart, planes x_plane (0: all read the same) */
    const float *weight; /* size x size; planes follow one another */
    const float *bias;   /* one a plane; NULL: 0 */
    int64_t planes, x_plane, y_plane;
    int64_t in_h, in_w, out_h, out_w;
    int64_t row, rows; /* output rows row .. row + rows */
    int64_t top;       /* no input row before it is read, and none that no output needs */
    int64_t pad_top, pad_left;
    int64_t dilation;
    int size, stride; /* 3, 5 or 7; 1, or, not with 7, 2 with a dilation of 1 */
    float low, high;
    bool hardswish;
} cpu_depthwise;

/* Rows of a pool by a small square window, of planes that are read where they lie. What a window has outside
 * of its plane does not count; one with nothing in it gives the floor, or 0. */
typedef struct cpu_pool {
    float *y;       /* rows x out_w, dense; of the next plane y_plane further */
    const float *x; /* a plane; the next is x_plane further */
    int64_t planes, x_plane, y_plane;
    int64_t x_row; /* from one row of x to the next */
    int64_t in_h, in_w, out_w;
    int64_t row, rows; /* output rows row .. row + rows */
    int64_t pad_top, pad_left;
    int size, stride; /* 3 or 5 by 1, 2 or 3 by 2; of the sums 3 by 1 and 2 by 2 */
    bool max;         /* the largest element, NaNs left out; else the sum */
    float floor;      /* of the largest: it is no less than this, whatever the window has */
} cpu_pool;

/* Rows of one channel of a transposed convolution. parts[tap][in_h][in_w] is what each pixel of the input
 * adds through each tap: y[pixel * stride - pad + tap * dilation], along both dimensions, is bias + the sum
 * of these, tap by tap, those of a row of taps first. */
typedef struct cpu_fold {
    float *y; /* rows x out_w, dense: from row on */
    const float *parts;
    int64_t in_h, in_w, out_w, row, rows;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    float bias;
} cpu_fold;

/* Sums of the pixels of a row of blocks of 2x2, see karatsuba_tmpl.h: product 3 i + j of the block in column
 * c of B goes to v[(3 i + j) * v_step + c / CPU_NR * panel_step + c % CPU_NR], or, from column `whole` on, to
 * narrow[(3 i + j) * v_step + c - whole]. Columns up to a multiple of eight are written, and `at` % 8 before.
 */
typedef struct cpu_karatsuba_in {
    float *v, *narrow;
    int64_t v_step, panel_step, whole;
    int64_t at;                /* column of the first block */
    const float *top, *bottom; /* n pixels; NULL: zeros */
    int64_t n, ahead;          /* ahead: so far behind these lie those that come next, fetched meanwhile */
} cpu_karatsuba_in;

/* Four rows of one channel of a transposed convolution of stride 2 from what a row of blocks of 2x2 pixels
 * was multiplied to, see karatsuba_tmpl.h: rows of its uncropped outputs, of n blocks and of one more that
 * has only what the last one carries over. */
typedef struct cpu_karatsuba {
    float *y; /* 4 (n + 1) to a row, y_row apart; written to the next multiple of 32 */
    int64_t y_row;
    const float *own, *above; /* products of the row of blocks, and of the row above; NULL: none */
    const int64_t (
        *product)[9]; /* of phase 2 py + px: where product 3 i + j of the first block lies in these;
                         negative in the middle if the phase has one tap along a dimension */
    int64_t n;
    float bias;
} cpu_karatsuba;

typedef enum cpu_binary_op {
    CPU_ADD = 0,
    CPU_SUB,
    CPU_MUL,
    CPU_DIV,
    CPU_MAX,   /* NaN if either is */
    CPU_MIN,   /* so too */
    CPU_PRELU, /* a < 0 ? a b : a */
    CPU_BINARY_COUNT
} cpu_binary_op;

typedef enum cpu_unary_op {
    CPU_EXP = 0,
    CPU_ELU, /* x < 0 ? alpha (exp(x) - 1) : x */
    CPU_ERF,
    CPU_SQRT,
    CPU_RECIPROCAL,
    CPU_ABS,
    CPU_NEG,
    CPU_FLOOR,
    CPU_CEIL,
    CPU_ROUND, /* to even */
    CPU_UNARY_COUNT
} cpu_unary_op;

/* A row of 8-bit integers: q[i] ^ flip as unsigned, minus zero. flip is 0x80 for signed bytes, whose zero
 * point is counted so too; 0 for unsigned ones. */
typedef struct cpu_bytes {
    uint8_t flip;
    int32_t zero; /* 0..255 */
} cpu_bytes;

/* The transforms of Winograd's F(m x m, r x r), see winograd_tmpl.h. */
typedef enum cpu_winograd_kind { CPU_F2_3, CPU_F4_3, CPU_F2_5, CPU_WINOGRADS } cpu_winograd_kind;
typedef struct cpu_winograd {
    int tile, taps, size; /* m, r, n = m + r - 1 */
    /* Of the input down the columns: n rows of `count` values to n rows, y_step apart. */
    void (*rows)(float *y, int64_t y_step, const float *const *x, int64_t count);
    /* Then along the rows, of eight tiles: the n values of tile l in row i < `rows` start at x[i * x_step +
     * offset[l]]; product n i + j of the tiles goes to v[(n i + j) * v_step + l], but the last one of a row
     * to v_last[n i * v_step + l]; NULL: nowhere. */
    void (*in)(float *v, float *v_last, int64_t v_step, const float *x, int64_t x_step, const int32_t *offset,
               int rows);
    /* Of the output of eight tiles: their products n i + j at m[(n i + j) * m_step + l], those of the last
     * row at m_last[j * m_step + l], become the m rows of m outputs at y[row * y_step + offset[l]], plus the
     * bias. The last products of a row take part in the last output of a row alone, those of the last row
     * in the last row of outputs. Tiles may overlap: where they do, a later one counts, as one does whose row
     * is higher up. */
    void (*out)(float *y, int64_t y_step, const int32_t *offset, const float *m, const float *m_last,
                int64_t m_step, float bias);
    /* Of `count` filters, up to a multiple of eight, tap t of filter l at g[(l / 8 * r^2 + t) * 8 + l % 8]:
     * the product n i + j of some rows i goes to u[(n (i - first) + j) * u_step + l]. Rows
     * come as cpu_winograd_first says. */
    void (*filters)(float *u, int64_t u_step, const float *g, int64_t count, int pair);
} cpu_winograd;
/* Rows of products that are made together, `pair` in 0..n/2: the first one, those of two points +p and -p,
 * the last one. From this one on, until the next pair's. */
static inline int cpu_winograd_first(int pair)
{
    return pair ? 2 * pair - 1 : 0;
}
extern const float cpu_winograd_g[CPU_WINOGRADS][6][5]; /* the filters' transforms, n x r */

/* Numbers of two bytes, and arithmetic in them. */
typedef enum cpu_half { CPU_F16, CPU_BF16, CPU_HALVES } cpu_half;
typedef struct cpu_half_math {
    /* As cpu_micro.gemm on elements of four bytes that are two such numbers, as pairs are two int16; C,
     * biases and residual are fp32. Sums of fp16 are fp16, of CPU_F16_STEPS pairs at most, which are then
     * added up in fp32; those of bf16 are fp32. */
    void (*gemm)(const cpu_tile *t);
    /* pairs[i] = two of them: first[i], and second[i] (NULL: 0) above it; to nearest, ties to even */
    void (*pair)(int32_t *pairs, const float *first, const float *second, int64_t n);
} cpu_half_math;

typedef struct cpu_micro {
    const char *isa;
    int mr;      /* rows of a GEMM tile: what panels of A are made for */
    cpu_dot dot; /* what gemm_i8 takes */
    bool wide;   /* a tile of gemm and of its kin below may be of two panels; cpu_tile.right */
    void (*gemm)(const cpu_tile *t);
    /* The same along any number of columns from 9 on; neither `accumulate` nor bias_col. B is readable to
     * its last column, or to 16 if there are fewer. The residual does not lie where C does. */
    void (*gemm_line)(const cpu_tile *t);
    void (*pixels)(const cpu_pixels *t);
    /* The same on integers, four bytes an element: of A and B two int16 that follow each other along the sum,
     * of C and the biases an int32. Sums wrap around; there is no epilogue. Magnitudes are at most 255. */
    void (*gemm_i16)(const cpu_tile *t);
    /* The same on elements of four bytes that follow each other along the sum, of both A and B. */
    void (*gemm_i8)(const cpu_tile *t);
    cpu_half_math half[CPU_HALVES]; /* NULL: the CPU has no such arithmetic */
    /* quads[i] = the four bytes x[0][i]..x[3][i], each XOR flip; where x[j] is NULL x[0] stands in */
    void (*quad_bytes)(int32_t *quads, const uint8_t *const x[4], int64_t n, uint8_t flip);
    /* pairs[i] = two int16: first[i], and second[i] (NULL: 0) above it */
    void (*pair_bytes)(int32_t *pairs, const uint8_t *first, const uint8_t *second, int64_t n, cpu_bytes b);
    /* y = round(sums scale[i * scale_step]) + zero, halves to even, within the range of a byte */
    void (*requantize)(uint8_t *y, const int32_t *sums, int64_t n, const float *scale, int scale_step,
                       cpu_bytes b);
    void (*quantize)(uint8_t *y, const float *x, int64_t n, float scale, cpu_bytes b); /* of x / scale */
    void (*dequantize)(float *y, const uint8_t *x, int64_t n, float scale, cpu_bytes b);
    /* y[i * y_step + j] = x[i * x_step + lane j], for i < count, j < 8 */
    void (*gather)(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t count,
                   const cpu_lanes *lanes);
    /* y[i * y_step + j] = x[i * x_step + j], for i < rows, j < cols; no overlap */
    void (*copy_rows)(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t rows, int64_t cols);
    /* y[i * y_step + j] = x[j * x_step + i], for i < rows, j < cols, both CPU_LEAST_TURNED at least, and
     * |x_step| < CPU_MOST_TURNED; no overlap */
    void (*transpose)(float *y, int64_t y_step, const float *x, int64_t x_step, int64_t rows, int64_t cols);
    void (*split_pairs)(float *even, float *odd, const float *x, int64_t n); /* even[i] = x[2i], odd: 2i+1 */
    void (*join_pairs)(float *y, const float *even, const float *odd,
                       int64_t n); /* the reverse; no overlap */
    void (*fold)(const cpu_fold *t);
    void (*karatsuba_in)(const cpu_karatsuba_in *t);
    void (*karatsuba_out)(const cpu_karatsuba *t);
    /* 3x3 convolutions of stride 2, see karatsuba_conv_tmpl.h. Of eight tiles: the 5x5 values of tile l start
     * at x[offset[l]], rows x_step apart; sum 5 a + b of them goes to v[place[5 a + b] + l]. */
    void (*karatsuba_conv_in)(float *v, const int64_t place[25], const float *x, int64_t x_step,
                              const int32_t *offset);
    /* Of n tiles, a multiple of eight: their products 3 i + j at m[(3 i + j) * m_step + tile] become two rows
     * of outputs, y_step apart, two a tile. */
    void (*karatsuba_conv_out)(float *y, int64_t y_step, const float *m, int64_t m_step, int64_t n,
                               float bias);
    void (*depthwise)(const cpu_depthwise *t);
    void (*pool)(const cpu_pool *t);
    void (*taps_sum)(const cpu_taps *t);
    void (*taps_max)(const cpu_taps *t); /* NaNs left out; ignores weight, bias, low, high */
    /* y[r] = the sum of x[i] rows[r * step + i], i < k, for r < count <= 8; sums in a fixed order */
    void (*dots)(float *y, const float *x, const float *rows, int64_t step, int64_t k, int count);
    /* y[j] += the sum over i < count of x[i] rows[at[i] * step + j], for j < n, a multiple of eight; sums in
     * a fixed order */
    void (*sum_rows)(float *y, const float *x, const int32_t *at, int64_t count, const float *rows,
                     int64_t step, int64_t n);
    /* y += x A for one row x[k] and a panel A of `cols` columns, [k][8 or 16]; sums in a fixed order */
    void (*row_panel)(float *y, const float *x, const float *panel, int64_t k, int cols);
    /* y += scale (x A): the same with narrower elements of A, and a scale a column */
    void (*row_panel_f16)(float *y, const float *x, const uint16_t *panel, const float *scale, int64_t k,
                          int cols);
    void (*row_panel_i8)(float *y, const float *x, const int8_t *panel, const float *scale, int64_t k,
                         int cols);
    void (*to_f16)(uint16_t *y, const float *x, int64_t n); /* to nearest, ties to even */
    /* A step of LSTM with sigmoid and tanh: gates[4][n] in ONNX's order i, o, f, c, before their activations.
     * c = sigmoid(f) c + sigmoid(i) tanh(c'); h = sigmoid(o) tanh(c). */
    void (*lstm_gates)(float *h, float *cell, const float *gates, int64_t n);
    /* Likewise of GRU with the linear product of the state first: gates[3][n] z, r, h; own is what r
     * multiplies. h = (1 - sigmoid(z)) tanh(h' + sigmoid(r) own) + sigmoid(z) h. */
    void (*gru_gates)(float *h, const float *gates, const float *own, int64_t n);
    cpu_winograd winograd[CPU_WINOGRADS];
    /* y = epilogue(x); x may be y */
    void (*epilogue)(float *y, const float *x, const float *residual, int64_t n, const gr_epilogue *e);
    void (*unary)(float *y, const float *x, int64_t n, cpu_unary_op op, float alpha);
    /* y[i] = a[i * a_step] op b[i * b_step]; steps are 0 or 1, not both 0 */
    void (*binary)(float *y, const float *a, int a_step, const float *b, int b_step, int64_t n,
                   cpu_binary_op op);
    /* y[r][c] = x[r][c] scale[r], all of rows * cols together; y is not x */
    void (*scale_rows)(float *y, const float *x, const float *scale, int64_t rows, int64_t cols);
    void (*scale_shift)(float *y, const float *x, int64_t n, float scale,
                        float shift); /* y = x scale + shift */
    /* y = (x scale + shift) gamma[i] + beta[i]; beta may be NULL */
    void (*normalize)(float *y, const float *x, int64_t n, float scale, float shift, const float *gamma,
                      const float *beta);
    float (*sum)(const float *x, int64_t n);
    float (*sum_sq)(const float *x, int64_t n, float mean);           /* of (x - mean)^2 */
    float (*max)(const float *x, int64_t n);                          /* n > 0 */
    float (*exp_sum)(float *y, const float *x, int64_t n, float max); /* y = exp(x - max); returns the sum */
} cpu_micro;

extern const cpu_micro cpu_micro_c;
void cpu_gemm_i8_c(const cpu_tile *t);
extern const cpu_half_math cpu_half_c[CPU_HALVES]; /* the specification; no table has it */
/* Further instruction sets replace entries of the table below them. */
#if defined(__x86_64__)
extern const cpu_micro cpu_micro_avx2;
void cpu_micro_avx512(cpu_micro *m);     /* on AVX2: F, BW, DQ, VL */
void cpu_micro_avx512vnni(cpu_micro *m); /* on AVX-512 */
void cpu_micro_avx512bf16(cpu_micro *m); /* on AVX-512, with or without VNNI */
void cpu_micro_avx512fp16(cpu_micro *m); /* on AVX-512, with or without these */
#elif defined(__aarch64__)
extern const cpu_micro cpu_micro_neon;
void cpu_micro_fp16(cpu_micro *m);    /* on NEON */
void cpu_micro_dotprod(cpu_micro *m); /* on NEON, with or without fp16 */
void cpu_micro_i8mm(cpu_micro *m);    /* on NEON with dot products */
#endif
const cpu_micro *cpu_micro_get(void); /* the best this CPU can run; thread safe, constant */
/* For tests: what cpu_micro_get gives from now on; NULL: the best again. Not while anything runs. */
void cpu_micro_force(const cpu_micro *m);
/* All this CPU can run, from 0, the C table, to the best; NULL beyond it. */
const cpu_micro *cpu_micro_at(int level);

#endif
