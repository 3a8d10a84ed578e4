/* SPDX-License-Identifier: Apache-2.0
 * Storage types. Tensors lie in memory as fp32, or as fp16 in variants built with STORE_F16=1; arithmetic is fp32 in
 * both. A shader declares its buffers with the BUFFER_* macros and touches them through LD / ST only:
 *
 *   BUFFER_IN(0, x)     x as single elements: LD(x, i)
 *   BUFFER_IN4(1, x4)   x as groups of four: LD4(x4, i) is elements 4i .. 4i+3
 *   BUFFER_OUT4(2, y4)  ST4(y4, i, v)
 *   BUFFER_IN_I32(3, k) always 32-bit integers, whatever the storage of the floats: k[i]
 *
 * Shaders that only move elements (`y[k] = x[i]`) declare their f32 variant with WORDS=1: buffers are then of uint, so that
 * floats and integers are moved alike and no bit changes.
 *
 * One buffer may be bound twice, once in each view. Variants built with TEXELS=1 read their BUFFER_IN4 through texel
 * buffers (GPU_TEXELS_* in engine/gpu/gpu.h); nothing else changes. */
#ifndef TYPES_GLSL
#define TYPES_GLSL

#ifdef STORE_F16
#extension GL_EXT_shader_16bit_storage : require
#define ELEM  float16_t
#define ELEM4 f16vec4
/* Beyond the largest half the conversion's result is up to the driver's rounding mode: saturate. NaN stays. */
float elem_saturate(float v)
{
    return v > 65504.0 ? 65504.0 : v < -65504.0 ? -65504.0 : v;
}
vec4 elem_saturate(vec4 v)
{
    v = mix(v, vec4(65504.0), greaterThan(v, vec4(65504.0)));
    return mix(v, vec4(-65504.0), lessThan(v, vec4(-65504.0)));
}
#define TO_ELEM(v)  ELEM(elem_saturate(v))
#define TO_ELEM4(v) ELEM4(elem_saturate(v))
#elif defined(WORDS)
#define ELEM  uint
#define ELEM4 uvec4
#else
#define ELEM  float
#define ELEM4 vec4
#define TO_ELEM(v)  (v)
#define TO_ELEM4(v) (v)
#endif

#define BUFFER_IN(slot, name)      layout(set = 0, binding = slot, std430) readonly buffer Buffer_##name { ELEM name[]; }
#define BUFFER_IN4(slot, name)     layout(set = 0, binding = slot, std430) readonly buffer Buffer_##name { ELEM4 name[]; }
#ifdef TEXELS
#undef BUFFER_IN4
#define BUFFER_IN4(slot, name) layout(set = 0, binding = slot) uniform samplerBuffer name
#endif
#define BUFFER_OUT(slot, name)     layout(set = 0, binding = slot, std430) writeonly buffer Buffer_##name { ELEM name[]; }
#define BUFFER_OUT4(slot, name)    layout(set = 0, binding = slot, std430) writeonly buffer Buffer_##name { ELEM4 name[]; }
#define BUFFER_IN_I32(slot, name)  layout(set = 0, binding = slot, std430) readonly buffer Buffer_##name { int name[]; }
#define BUFFER_OUT_I32(slot, name) layout(set = 0, binding = slot, std430) writeonly buffer Buffer_##name { int name[]; }

#define LD(name, i)     float(name[i])
#ifdef TEXELS
#define LD4(name, i)    texelFetch(name, int(i))
#else
#define LD4(name, i)    vec4(name[i])
#endif
#define ST(name, i, v)  name[i] = TO_ELEM(v)
#define ST4(name, i, v) name[i] = TO_ELEM4(v)

#endif
