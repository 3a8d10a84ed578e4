/* SPDX-License-Identifier: Apache-2.0
 * Winograd's F(m x m, 3x3): filters, and what a form costs in accuracy. The other transforms are
 * micro-kernels (winograd_tmpl.h), the convolution is conv2d_winograd.c. */
#ifndef CPU_WINOGRAD_H
#define CPU_WINOGRAD_H

#include "cpu/micro.h"

/* A panel of A for every product: `rows` filters of k channels, to[product * to_step + channel * rows + row].
 */
void cpu_winograd_pack(int tile, float *to, int64_t to_step, const float *weights, int64_t k, int64_t rows);

/* Whether the form computes these filters (channels x 3 x 3 each) about as well as plain sums do: a constant
 * tensor, of which a few are tried on random tiles. Verdicts are remembered by its content. */
bool cpu_winograd_accurate(int tile, const gr_tensor *weights, int64_t filters, int64_t channels);

#endif
