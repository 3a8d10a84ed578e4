//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Weights and biases that are computed at run time, in the forms that engine/gpu/pack_conv.c makes of constants; one
 * invocation a vector of four output channels.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int BY_CHANNEL = 0; /* [slice][tap][4]: kernels of single channels, biases */

BUFFER_IN(0, source);
BUFFER_OUT4(1, packed4);

layout(push_constant) uniform Push
{
    int vectors;
    int out_c, taps;
    int in_c, group_out, group_in, tile_slices, depth, first_tile, transposed; /* not by channel: gpu_conv_shape */
};

/* Weight of output channel o, input channel i at a tap; 0 between groups and in unused lanes. */
float conv_weight(int o, int i, int tap)
{
    if (o >= out_c || i >= in_c || o / group_out != i / group_in) return 0.0;
    int row = transposed != 0 ? i * group_out + o % group_out : o * group_in + i % group_in;
    return LD(source, row * taps + tap);
}

/* [tile][tap][depth][tile_slices][4 input lanes] */
vec4 conv_weights(int at)
{
    int lane = at % 4, block = at / 4;
    int slice = block % tile_slices, k = block / tile_slices % depth, row = block / tile_slices / depth;
    int tap = row % taps, tile = first_tile + row / taps;
    int slice0 = min(tile * tile_slices * 4 / group_out * group_in / 4, (in_c + 3) / 4 - depth);
    int i = (slice0 + k) * 4 + lane, o = (tile * tile_slices + slice) * 4;
    return vec4(conv_weight(o, i, tap), conv_weight(o + 1, i, tap), conv_weight(o + 2, i, tap),
                conv_weight(o + 3, i, tap));
}

float channel_weight(int c, int tap)
{
    return c < out_c ? LD(source, c * taps + tap) : 0.0;
}

vec4 channel_weights(int at)
{
    int c = at / taps * 4, tap = at % taps;
    return vec4(channel_weight(c, tap), channel_weight(c + 1, tap), channel_weight(c + 2, tap),
                channel_weight(c + 3, tap));
}

void main()
{
    uint at = flat_index();
    if (at >= uint(vectors)) return;
    vec4 v;
    if (BY_CHANNEL != 0)
        v = channel_weights(int(at));
    else
        v = conv_weights(int(at));
    ST4(packed4, at, v);
}
