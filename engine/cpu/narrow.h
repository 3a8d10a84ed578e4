/* SPDX-License-Identifier: Apache-2.0
 * Matrices kept as fp16 or int8, for products that are bound by reading them. Each column has a scale, and an
 * element is its value over that: fp16 of at most 1 in magnitude (the scale is a power of two), or a whole
 * number up to 127. The arithmetic is fp32. */
#ifndef CPU_NARROW_H
#define CPU_NARROW_H

#include "cpu/cpu.h"
#include "cpu/micro.h"

enum { CPU_NARROW_ROWS = 4 }; /* products of more rows are bound by arithmetic, which this makes no faster */

/* The packed matrix: scales, then panels as those of cpu_pack_b. A multiple of 64 bytes. */
uint64_t cpu_narrow_bytes(vki_weights storage, int64_t n, int64_t k);
/* As cpu_pack_b. */
void cpu_narrow_pack(void *dst, vki_weights storage, const float *src, int64_t row, int64_t col, int64_t k,
                     int64_t n, float scale);
/* y[0..] += x B, the columns of one panel only, of which y has room. */
void cpu_narrow_row(const cpu_micro *m, vki_weights storage, float *y, const float *x, const void *packed,
                    int64_t n, int64_t k, int64_t panel);

/* ---- matmul_narrow.c ---- */
/* NULL: cpu_matmul_narrow takes the node, if it is asked to. Else why not. */
const char *cpu_matmul_narrow_refusal(const gr_graph *g, const gr_node *n);
extern const cpu_kernel cpu_matmul_narrow;

#endif
