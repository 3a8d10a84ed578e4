//! variant f32
//! variant from_f16 FROM_F16=1
//! variant to_f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Elements from one type to another, one an invocation: floats to integers are cut towards zero and held within the range of
 * the type, NaN is 0; integers wrap. Also what is a test of each element. Variant f32: words on both sides; from_f16 and
 * to_f16: on one side floats in fp16.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef FROM_F16
#define STORE_F16
#endif
#include "lib/types.glsl"
#include "lib/flat.glsl"
#define WORDS_SPEC 3
#include "lib/words.glsl" /* KIND and BITS: of the result */

layout(constant_id = 5) const int FROM = 0; /* kind of the source: SIGNED, UNSIGNED, FLOAT */
layout(constant_id = 6) const int FUNCTION = 0;
const int CONVERT = 0, TRUTH = 1, IS_NAN = 2, IS_INF = 3;

#ifdef FROM_F16
BUFFER_IN(0, x);
#else
BUFFER_IN_I32(0, x);
#endif
#if defined(STORE_F16) && !defined(FROM_F16)
BUFFER_OUT(1, y);
#else
BUFFER_OUT_I32(1, y);
#endif

layout(push_constant) uniform Push
{
    int count;
    float low, high; /* floats from here on down, or up, become */
    int least, most; /* the ends of the integer type's range */
    int signs;       /* IS_INF: 1 finds +Inf, 2 finds -Inf */
};

int from_float(float v)
{
    int bits = floatBitsToInt(v), magnitude = bits & 0x7fffffff;
    bool nan = magnitude > 0x7f800000;
    if (FUNCTION == IS_NAN) return int(nan);
    if (FUNCTION == IS_INF) return int(magnitude == 0x7f800000 && (signs & (bits < 0 ? 2 : 1)) != 0);
    if (FUNCTION == TRUTH) return int(magnitude != 0);
    if (nan) return 0;
    if (v <= low) return least;
    if (v >= high) return most;
    return KIND == UNSIGNED ? int(uint(max(v, 0.0))) : int(v);
}

float to_float(int v)
{
    return FROM == UNSIGNED ? float(uint(v)) : float(v);
}

int from_int(int v)
{
    return FUNCTION == TRUTH ? int(v != 0) : word_wrap(v);
}

void main()
{
    uint i = flat_index();
    if (i >= uint(count)) return;
#if defined(FROM_F16)
    y[i] = from_float(LD(x, i));
#elif defined(STORE_F16)
    ST(y, i, to_float(x[i]));
#else
    if (FROM == FLOAT)
        y[i] = from_float(intBitsToFloat(x[i]));
    else if (KIND == FLOAT)
        y[i] = floatBitsToInt(to_float(x[i]));
    else
        y[i] = from_int(x[i]);
#endif
}
