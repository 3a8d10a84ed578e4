//! variant f32
//! variant f16 STORE_F16=1
//! variant texel_f32 TEXELS=1
//! variant texel_f16 STORE_F16=1 TEXELS=1
/* SPDX-License-Identifier: Apache-2.0
 * Squeeze and excitation (Hu et al., 2018) up to the gate: the mean of all positions, and two 1x1 convolutions with their
 * activations on the one pixel that is left. A workgroup a sample; all that lies between stays in shared memory, sums have a
 * fixed order. C4 in, one position of C4 out. Weights: [k][n4][4].
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#define EPILOGUE_SPEC 3
#include "lib/epilogue.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 5) const int MIDDLE_ACT = 0;
layout(constant_id = 6) const int LANES = 128;         /* the workgroup's width */
layout(constant_id = 7) const int MOST_SLICES = 512;   /* of the input */
layout(constant_id = 8) const int MOST_MIDDLE = 128;   /* slices */

BUFFER_IN4(0, x4);
BUFFER_IN4(1, first4);
BUFFER_IN4(2, first_bias4);
BUFFER_IN4(3, second4);
BUFFER_IN4(4, second_bias4);
BUFFER_OUT4(5, y4);

layout(push_constant) uniform Push
{
    int spatial, slices, middle, out_slices;
    int parts; /* that the positions of a slice are divided into; divides LANES */
    float middle_alpha, middle_beta, alpha, beta;
};

shared vec4 mean[MOST_SLICES];
shared vec4 hidden[MOST_MIDDLE];
shared vec4 part[LANES];

/* For each group `col` of four columns: `done` with `v`, the sums over `k4` groups of four rows. */
#define PRODUCT(from, k4, weights, n4, done)                                                             \
    for (int base = 0; base < n4; base += LANES) {                                                       \
        int width = min(n4 - base, LANES), splits = LANES / width, split = lane / width;                 \
        int col = base + lane - split * width;                                                           \
        vec4 v = vec4(0.0);                                                                              \
        for (int j = split; j < k4 && split < splits; j += splits) {                                     \
            vec4 u = from[j];                                                                            \
            int w = 4 * j * n4 + col;                                                                    \
            v += u.x * LD4(weights, w);                                                                  \
            v += u.y * LD4(weights, w + n4);                                                             \
            v += u.z * LD4(weights, w + 2 * n4);                                                         \
            v += u.w * LD4(weights, w + 3 * n4);                                                         \
        }                                                                                                \
        part[lane] = v;                                                                                  \
        barrier();                                                                                       \
        if (lane < width) {                                                                              \
            for (int i = 1; i < splits; i++) v += part[i * width + lane];                                \
            done;                                                                                        \
        }                                                                                                \
        barrier();                                                                                       \
    }

void main()
{
    int lane = int(gl_LocalInvocationID.x), n = int(gl_WorkGroupID.x);
    int at_once = LANES / parts, piece = lane % parts;
    for (int base = 0; base < slices; base += at_once) {
        int s = base + lane / parts;
        vec4 sum = vec4(0.0);
        for (int p = piece; p < spatial && s < slices; p += parts) sum += LD4(x4, (n * slices + s) * spatial + p);
        part[lane] = sum;
        barrier();
        if (piece == 0 && s < slices) {
            for (int i = 1; i < parts; i++) sum += part[lane + i];
            mean[s] = sum / float(spatial);
        }
        barrier();
    }
    PRODUCT(mean, slices, first4, middle,
            hidden[col] = epilogue_activate4_as(MIDDLE_ACT, v + LD4(first_bias4, col), middle_alpha, middle_beta))
    PRODUCT(hidden, middle, second4, out_slices,
            ST4(y4, n * out_slices + col, epilogue_activate4(v + LD4(second_bias4, col), alpha, beta)))
}
