/* SPDX-License-Identifier: Apache-2.0
 * Where a kernel that works in slices puts its output: there, or in rows, for readers that want these. The shader defines
 * ROWS_SPEC, the id of the specialization constant that gpu_out_channels() adds, and binds its output twice:
 *
 *   BUFFER_OUT4(5, y4);
 *   BUFFER_OUT(6, y);
 *   ...
 *   STORE_CHANNELS(o, v, n, slice, position, spatial, channels)
 *
 * stores four channels of sample n; o is their place in slices. */
#ifndef STORE_GLSL
#define STORE_GLSL

layout(constant_id = ROWS_SPEC) const int ROWS = 0;

#define STORE_CHANNELS(o, v, n, slice, position, spatial, channels)                                                    \
    {                                                                                                                  \
        vec4 stored = v;                                                                                               \
        if (ROWS == 0) {                                                                                               \
            ST4(y4, o, stored);                                                                                        \
        } else {                                                                                                       \
            int first = 4 * (slice);                                                                                   \
            for (int k = 0; k < min(4, channels - first); k++)                                                         \
                ST(y, ((n) * channels + first + k) * (spatial) + (position), stored[k]);                               \
        }                                                                                                              \
    }

#endif
