/* SPDX-License-Identifier: Apache-2.0
 * Small networks made in code, written as .vkm bytes in memory, for tests of the public API. */
#ifndef TESTS_COMMON_SMALL_MODELS_H
#define TESTS_COMMON_SMALL_MODELS_H

#include "graph/graph.h"

/* image [1,3,H,W] -> Conv 3x3 (8 channels) + Relu -> MaxPool 2x2 -> Conv 1x1 (4) + residual of itself ->
 * "features"
 *                 -> GlobalAveragePool -> Flatten -> Gemm (5) -> Softmax -> "scores".
 * H and W are the symbols "H" and "W", or `size` if that is positive. Weights are a fixed pseudo-random
 * sequence. */
void small_cnn(gr_graph *g, const vki_allocator *a, int64_t size);

/* x [N,3] times weights [3], then three times: plus the weights; as long as the condition holds (it does)
 * Relu, else Exp of x. A Loop around an If, both with values of the graph around them. */
void small_loop(gr_graph *g);

/* Writes the graph to a temporary file and returns its path (static buffer). Fails the test on error. */
const char *small_model_file(const gr_graph *g);

#endif
