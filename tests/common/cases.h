/* SPDX-License-Identifier: Apache-2.0
 * The cases of tests/cases/<family>.h: one line a case, for the tests and the benches.
 *
 *   CASE(Conv, "f32[1,3,7,5] const f32[4,3,3,3] const f32[4]", "pads=1,1,1,1 strides=2,2")
 *   REJECT(Conv, "f32[1,3,7,5] f32[4,2,3,3]", "")     shape inference must refuse it
 *
 * Inputs, separated by spaces:
 *   f32[1,3]        a tensor, filled at random from [-1, 1] (integers: [-8, 8], unsigned: [0, 16], bool: 0 or
 * 1); types are f32 f16 bf16 f64 i8 u8 i16 u16 i32 u32 i64 u64 bool; f32[] has one element and no dimension
 *   f32[1,3]@2:5    the same from [2, 5]
 *   const f32[1,3]  the same as a constant
 *   {1,2,3}         a constant int64 vector; {} is empty
 *   %0.5            a constant float32 without dimensions
 *   -               absent
 * Attributes, separated by spaces: name=value, name=1,2,3 or name=NAME of an enumeration or an element type;
 * further outputs=2                  number of outputs (else the least the operator has)
 *   skip=101                         outputs that are absent, in binary, output 0 last
 *   act=relu|leaky|clip|sigmoid|tanh|hardsigmoid|hardswish|silu|hardswish_affine, ep_alpha=, ep_beta=     the
 * epilogue's activation residual=before|after      the epilogue's residual; its input is added */
#ifndef TESTS_COMMON_CASES_H
#define TESTS_COMMON_CASES_H

#include "graph/ops/op.h"

typedef struct test_case {
    op_kind op;
    const char *inputs, *attrs;
    const char *file;
    int line;
    bool reject;
} test_case;

extern const test_case test_cases[];
extern const int test_case_count;

enum { CASE_MAX_IN = 20, CASE_MAX_OUT = 8 };

typedef struct case_graph { /* a graph of one node, inferred */
    gr_graph g;
    int n_in, n_out;
    void *in[CASE_MAX_IN]; /* content of every input, constants included; NULL if absent */
} case_graph;

/* The same case and seed give the same content. half: floats are values that fp16 holds exactly. On failure
 * nothing is left to free. VKI_E_FORMAT if the text is wrong; else what inference said. */
vki_status case_make(case_graph *c, const test_case *t, uint64_t seed, bool half, vki_error *err);
void case_free(case_graph *c);

#endif
