/* SPDX-License-Identifier: Apache-2.0
 * The sums of a tile of an ungrouped two-dimensional convolution (conv_tile.glsl), for shaders that go on with them. The
 * shader has the buffers x4 and weights4 and CONV_PUSH among its push constants. Weights: [tile][kernel_h][kernel_w][input
 * slice][SL][4][4]. */
#ifndef CONV_SUM_GLSL
#define CONV_SUM_GLSL

#define CONV_PUSH                                                                            \
    int in_w, in_h, in_slices;                                                               \
    int mid_w, mid_h, out_slices; /* what the convolution makes */                           \
    int kernel_w, kernel_h, stride_w, stride_h, dilation_w, dilation_h, pad_left, pad_top;

/* acc = the sums at the positions (x0, y0) of the input, of a tile of output slices, for sample n */
#define CONV_SUM(acc, x0, y0, tile, n)                                                       \
    {                                                                                        \
        int plane = in_w * in_h, base = (n) * in_slices * plane;                             \
        int w = (tile) * kernel_h * kernel_w * in_slices * SL * 4;                           \
        TILE_CLEAR(acc);                                                                     \
        for (int ky = 0; ky < kernel_h; ky++) {                                              \
            for (int kx = 0; kx < kernel_w; kx++) {                                          \
                int at[PX];                                                                  \
                bool inside[PX];                                                             \
                FOR_PX                                                                       \
                {                                                                            \
                    int iy = y0[i] + ky * dilation_h, ix = x0[i] + kx * dilation_w;          \
                    inside[i] = uint(iy) < uint(in_h) && uint(ix) < uint(in_w);              \
                    at[i] = base + (inside[i] ? iy * in_w + ix : 0);                         \
                }                                                                            \
                for (int k = 0; k < in_slices; k++) {                                        \
                    vec4 v[PX];                                                              \
                    FOR_PX                                                                   \
                    {                                                                        \
                        vec4 u = LD4(x4, at[i]);                                             \
                        v[i] = inside[i] ? u : vec4(0.0);                                    \
                        at[i] += plane;                                                      \
                    }                                                                        \
                    TILE_ADD(acc, v, weights4, w);                                           \
                    w += SL * 4;                                                             \
                }                                                                            \
            }                                                                                \
        }                                                                                    \
    }

#endif
