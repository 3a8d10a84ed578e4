//! variant f32 WORDS=1
//! variant f16 STORE_F16=1
//! variant float_f32 WORDS=1 INDEX=1
//! variant float_f16 STORE_F16=1 INDEX=1
//! variant float_words_f16 WORDS=1 INDEX=1 INDEX_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * OneHot, one invocation an element. Indices are integers, or (INDEX) floats, whose fractions do not count.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#if INDEX_F16
#extension GL_EXT_shader_16bit_storage : require
#endif
#include "lib/types.glsl"
#include "lib/flat.glsl"

#if INDEX_F16 || (INDEX && defined(STORE_F16))
layout(set = 0, binding = 0, std430) readonly buffer Indices { float16_t indices[]; };
#elif INDEX
layout(set = 0, binding = 0, std430) readonly buffer Indices { float indices[]; };
#else
BUFFER_IN_I32(0, indices);
#endif
BUFFER_IN(1, values); /* off, on */
BUFFER_OUT(2, y);

layout(push_constant) uniform Push { int units, inner, depth; };

int index_at(int i)
{
#if INDEX
    return int(clamp(float(indices[i]), -1e9, 1e9)); /* rounds towards zero */
#else
    return indices[i];
#endif
}

void main()
{
    uint i = flat_index();
    if (i >= uint(units)) return;
    int row = int(i) / inner, outer = row / depth, own = row - outer * depth;
    int at = index_at(outer * inner + int(i) - row * inner);
    y[i] = values[own == at || own - depth == at ? 1 : 0];
}
