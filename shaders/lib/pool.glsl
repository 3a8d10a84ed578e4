/* SPDX-License-Identifier: Apache-2.0
 * What a pool does with the elements of its windows. POOL_SPEC is the id of its specialization constant; the shader has
 * an int `exponent` among its push constants. */
#ifndef POOL_GLSL
#define POOL_GLSL

layout(constant_id = POOL_SPEC) const int KIND = 0; /* enum gpu_pool_kind */
const int MAX = 0, MEAN_INSIDE = 1, MEAN_PADDED = 2, POWERS = 3;

vec4 pool_start()
{
    return vec4(KIND == MAX ? uintBitsToFloat(0xff800000u) /* -Inf */ : 0.0);
}

vec4 pool_merge(vec4 a, vec4 b)
{
    return KIND == MAX ? max(a, b) : a + b;
}

/* |v|^exponent by multiplication, which is exact to rounding; exponents are small. */
vec4 pool_power(vec4 v, int exponent)
{
    vec4 a = abs(v), power = a;
    for (int i = 1; i < exponent; i++) power *= a;
    return power;
}

vec4 pool_add(vec4 acc, vec4 v, int exponent)
{
    if (KIND == POWERS) return acc + pool_power(v, exponent);
    return pool_merge(acc, v);
}

/* `count`: of the elements that a mean is over. */
vec4 pool_end(vec4 acc, int count, int exponent)
{
    if (KIND == MAX) return acc;
    if (KIND != POWERS) return acc / float(max(count, 1));
    if (exponent == 1) return acc;
    if (exponent == 2) return sqrt(acc);
    vec4 root = exp2(log2(max(acc, vec4(1e-37))) / float(exponent));
    return mix(root, vec4(0.0), lessThan(acc, vec4(1e-37)));
}

#endif
