/* SPDX-License-Identifier: Apache-2.0
 * What happens to an output element before it is stored: gr_epilogue of graph/graph.h.
 * The shader defines EPILOGUE_SPEC, the id of the first of the two specialization constants that gpu_epilogue() adds,
 * and keeps alpha and beta in its push constants:
 *
 *   #define EPILOGUE_SPEC 3
 *   #include "lib/epilogue.glsl"
 *   ...
 *   ST4(y4, i, epilogue4(sum, residual4, i, alpha, beta));
 *
 * epilogue4 and epilogue are macros, so that the residual's buffer can be passed by name; it is read only where the node
 * has a residual, at the output's own index (same shape, same layout). */
#ifndef EPILOGUE_GLSL
#define EPILOGUE_GLSL

#include "lib/math.glsl"

layout(constant_id = EPILOGUE_SPEC) const int epilogue_act = 0;
layout(constant_id = EPILOGUE_SPEC + 1) const int epilogue_residual = 0;

/* enum gr_act */
const int ACT_RELU = 1, ACT_LEAKY = 2, ACT_CLIP = 3, ACT_SIGMOID = 4, ACT_TANH = 5, ACT_HARDSIGMOID = 6,
          ACT_HARDSWISH = 7, ACT_SILU = 8, ACT_HARDSWISH_AFFINE = 9,
          ACT_FAKE_QUANTIZE = 10;
/* enum gr_residual */
const int RESIDUAL_BEFORE = 1, RESIDUAL_AFTER = 2;

/* Comparisons are written so that NaN passes. */
float epilogue_activate(float x, float alpha, float beta)
{
    if (epilogue_act == ACT_RELU) return x < 0.0 ? 0.0 : x;
    if (epilogue_act == ACT_LEAKY) return x < 0.0 ? alpha * x : x;
    if (epilogue_act == ACT_CLIP) {
        float y = x < alpha ? alpha : x;
        return y > beta ? beta : y;
    }
    if (epilogue_act == ACT_SIGMOID) return math_sigmoid(x);
    if (epilogue_act == ACT_TANH) return math_tanh(x);
    if (epilogue_act == ACT_HARDSIGMOID) return clamp(alpha * x + beta, 0.0, 1.0);
    if (epilogue_act == ACT_HARDSWISH) return x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0);
    if (epilogue_act == ACT_SILU) return x * math_sigmoid(x);
    if (epilogue_act == ACT_FAKE_QUANTIZE) return math_fake_quantize(vec4(x), alpha, beta).x;
    if (epilogue_act == ACT_HARDSWISH_AFFINE) return alpha * (x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)) + beta;
    return x;
}

/* `act` is a constant. */
vec4 epilogue_activate4_as(int act, vec4 x, float alpha, float beta)
{
    if (act == ACT_RELU) return mix(x, vec4(0.0), lessThan(x, vec4(0.0)));
    if (act == ACT_LEAKY) return mix(x, alpha * x, lessThan(x, vec4(0.0)));
    if (act == ACT_CLIP) {
        vec4 y = mix(x, vec4(alpha), lessThan(x, vec4(alpha)));
        return mix(y, vec4(beta), greaterThan(y, vec4(beta)));
    }
    if (act == ACT_SIGMOID) return math_sigmoid(x);
    if (act == ACT_TANH) return math_tanh(x);
    if (act == ACT_HARDSIGMOID) return clamp(alpha * x + beta, 0.0, 1.0);
    if (act == ACT_HARDSWISH) return x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0);
    if (act == ACT_SILU) return x * math_sigmoid(x);
    if (act == ACT_FAKE_QUANTIZE) return math_fake_quantize(x, alpha, beta);
    if (act == ACT_HARDSWISH_AFFINE) return alpha * (x * clamp(x * (1.0 / 6.0) + 0.5, 0.0, 1.0)) + beta;
    return x;
}

vec4 epilogue_activate4(vec4 x, float alpha, float beta)
{
    return epilogue_activate4_as(epilogue_act, x, alpha, beta);
}

#define epilogue_before(v, residual, i)  (epilogue_residual == RESIDUAL_BEFORE ? (v) + LD(residual, i) : (v))
#define epilogue_after(v, residual, i)   (epilogue_residual == RESIDUAL_AFTER ? (v) + LD(residual, i) : (v))
#define epilogue4_before(v, residual, i) (epilogue_residual == RESIDUAL_BEFORE ? (v) + LD4(residual, i) : (v))
#define epilogue4_after(v, residual, i)  (epilogue_residual == RESIDUAL_AFTER ? (v) + LD4(residual, i) : (v))

#define epilogue(v, residual, i, alpha, beta) \
    epilogue_after(epilogue_activate(epilogue_before(v, residual, i), alpha, beta), residual, i)
#define epilogue4(v, residual, i, alpha, beta) \
    epilogue4_after(epilogue_activate4(epilogue4_before(v, residual, i), alpha, beta), residual, i)

#endif
