/* SPDX-License-Identifier: Apache-2.0
 * The register tile of the convolutions: PX pixels x SL output slices an invocation, in vec4 sums. Weights come as 4x4
 * blocks, four vec4 a block: row j holds what input lane j adds to the four output lanes. PX + 4 SL loads feed
 * 16 PX SL multiply-adds; loads are the bound on most devices. PX and SL are specialization constants (ids TILE_SPEC
 * and TILE_SPEC + 1), so that one module serves every device; the loops over them are unrolled by the driver. */
#ifndef CONV_TILE_GLSL
#define CONV_TILE_GLSL

#extension GL_EXT_control_flow_attributes : require

layout(constant_id = TILE_SPEC) const int PX = 4;
layout(constant_id = TILE_SPEC + 1) const int SL = 2;

#define FOR_PX [[unroll]] for (int i = 0; i < PX; i++)
#define FOR_SL [[unroll]] for (int s = 0; s < SL; s++)

#define TILE_CLEAR(acc) FOR_SL FOR_PX acc[s * PX + i] = vec4(0.0)

/* acc += v * the SL weight blocks from group `at` of the buffer */
#define TILE_ADD(acc, v, weights, at)                                                                        \
    FOR_SL                                                                                                   \
    {                                                                                                        \
        vec4 w0 = LD4(weights, (at) + 4 * s), w1 = LD4(weights, (at) + 4 * s + 1);                           \
        vec4 w2 = LD4(weights, (at) + 4 * s + 2), w3 = LD4(weights, (at) + 4 * s + 3);                       \
        FOR_PX                                                                                               \
        {                                                                                                    \
            acc[s * PX + i] += v[i].x * w0;                                                                        \
            acc[s * PX + i] += v[i].y * w1;                                                                        \
            acc[s * PX + i] += v[i].z * w2;                                                                        \
            acc[s * PX + i] += v[i].w * w3;                                                                        \
        }                                                                                                    \
    }

#endif
