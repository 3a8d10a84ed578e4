/* SPDX-License-Identifier: Apache-2.0
 * Operands broadcast in any way, row-major (engine/gpu/broadcast.h): PUSH_ROWS in the push constants, with a list of
 * strides an operand, and ROWS_STEP for what each dimension adds to the operands' addresses. ROWS_SPEC is the id of the
 * specialization constant RANK. */
#ifndef ROWS_GLSL
#define ROWS_GLSL

layout(constant_id = ROWS_SPEC) const int RANK = 6; /* dimensions in use, 1 to 6 */

#define ROWS_SIZES      int d0, d1, d2, d3, d4, d5 /* sizes, innermost first */
#define ROWS_STRIDES(x) int x##0, x##1, x##2, x##3, x##4, x##5 /* 0 where the operand repeats */

#define ROWS_STEP_2(k, a, b)                        \
    if (RANK > k) {                                 \
        at += ivec2(a##k, b##k) * (rest % d##k);    \
        rest /= d##k;                               \
    }
#define ROWS_STEP_3(k, a, b, c)                          \
    if (RANK > k) {                                      \
        at += ivec3(a##k, b##k, c##k) * (rest % d##k);   \
        rest /= d##k;                                    \
    }

#endif
