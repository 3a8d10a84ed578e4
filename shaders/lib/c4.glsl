/* SPDX-License-Identifier: Apache-2.0
 * Addresses in the layout GPU_C4: [N][slices][spatial][4], slices = ceil(C / 4). */
#ifndef C4_GLSL
#define C4_GLSL

/* Index of the group of four channels of slice `s` at position `p`; for buffers declared in groups of four. */
int c4_group(int n, int s, int p, int slices, int spatial)
{
    return (n * slices + s) * spatial + p;
}

/* Index of channel `c` at position `p`; for buffers declared as single elements. */
int c4_element(int n, int c, int p, int slices, int spatial)
{
    return ((n * slices + (c >> 2)) * spatial + p) * 4 + (c & 3);
}

/* `v` with zero in the lanes of slice `s` at or beyond channel `channels`: what a kernel stores there must be finite. */
vec4 c4_mask(vec4 v, int s, int channels)
{
    int left = channels - 4 * s;
    return vec4(left > 0 ? v.x : 0.0, left > 1 ? v.y : 0.0, left > 2 ? v.z : 0.0, left > 3 ? v.w : 0.0);
}

#endif
