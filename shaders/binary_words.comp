//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Functions of one or two operands of integers or bool, and comparisons, of floats too, whose result is a word; operands
 * broadcast in any way, row-major, one output element an invocation. Variant f16: comparisons of floats in fp16.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define ROWS_SPEC 3
#include "lib/rows.glsl"
#define WORDS_SPEC 4
#include "lib/words.glsl"

layout(constant_id = 6) const int FUNCTION = 0; /* index in `functions` of engine/gpu/words.c */

#ifdef STORE_F16
BUFFER_IN(0, a);
BUFFER_IN(1, b);
#else
BUFFER_IN_I32(0, a);
BUFFER_IN_I32(1, b);
#endif
BUFFER_OUT_I32(2, y);

layout(push_constant) uniform Push
{
    int count;
    ROWS_SIZES;
    ROWS_STRIDES(a);
    ROWS_STRIDES(b);
};

const int EQUAL = 0, GREATER = 1, GREATER_OR_EQUAL = 2, LESS = 3;

/* Which of less, equal and greater hold; none with NaN. */
bool holds(bool less, bool equal, bool greater)
{
    switch (FUNCTION) {
    case EQUAL: return equal;
    case GREATER: return greater;
    case GREATER_OR_EQUAL: return greater || equal;
    case LESS: return less;
    }
    return less || equal;
}

bool compare(float a, float b)
{
    return holds(a < b, a == b, a > b);
}

bool less_than(int a, int b)
{
    return KIND == UNSIGNED ? uint(a) < uint(b) : a < b;
}

int divide(int a, int b) /* towards zero */
{
    if (b == 0) return 0;
    if (KIND == UNSIGNED) return int(uint(a) / uint(b));
    return b == -1 ? -a : a / b;
}

int modulo(int a, int b, bool sign_of_a)
{
    if (b == 0 || (b == -1 && KIND != UNSIGNED)) return 0;
    int r = a - divide(a, b) * b;
    return sign_of_a || KIND == UNSIGNED || r == 0 || (r < 0) == (b < 0) ? r : r + b;
}

int power(int base, int exponent)
{
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? ((exponent & 1) != 0 ? -1 : 1) : 0;
    int result = 1;
    for (int k = 0; k < 31; k++) {
        if ((exponent >> k & 1) != 0) result *= base;
        base *= base;
    }
    return result;
}

int shift(int a, int by, bool right) /* a is unsigned, and so is by */
{
    if (uint(by) >= uint(min(BITS, 32))) return 0;
    return right ? int(uint(a) >> uint(by)) : a << by;
}

int apply(int a, int b)
{
    switch (FUNCTION) {
    case 5: return a + b;
    case 6: return a - b;
    case 7: return a * b;
    case 8: return divide(a, b);
    case 9: return power(a, b);
    case 10: return less_than(a, b) ? b : a;
    case 11: return less_than(a, b) ? a : b;
    case 12: return KIND != UNSIGNED && a < 0 ? a * b : a;
    case 13: return modulo(a, b, false);
    case 14: return modulo(a, b, true);
    case 15: return shift(a, b, false);
    case 16: return shift(a, b, true);
    case 17: return a & b; /* bool, too */
    case 18: return a | b;
    case 19: return a ^ b;
    case 20: return a < 0 ? 0 : a;
    case 21: return KIND != UNSIGNED && a < 0 ? -a : a;
    case 22: return -a;
    case 23: return a ^ 1; /* of bool */
    case 24: return ~a;
    case 25: return KIND == UNSIGNED ? int(a != 0) : sign(a);
    }
    return a;
}

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
    int rest = int(i);
    ivec2 at = ivec2(0);
    ROWS_STEP_2(0, a, b)
    ROWS_STEP_2(1, a, b)
    ROWS_STEP_2(2, a, b)
    ROWS_STEP_2(3, a, b)
    ROWS_STEP_2(4, a, b)
    ROWS_STEP_2(5, a, b)
#ifdef STORE_F16
    y[i] = int(compare(LD(a, at.x), LD(b, at.y)));
#else
    int u = a[at.x], v = b[at.y];
    if (KIND == FLOAT)
        y[i] = int(compare(intBitsToFloat(u), intBitsToFloat(v)));
    else if (FUNCTION < 5)
        y[i] = int(holds(less_than(u, v), u == v, less_than(v, u)));
    else
        y[i] = word_wrap(apply(u, v));
#endif
}
