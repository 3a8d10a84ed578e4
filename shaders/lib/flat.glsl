/* SPDX-License-Identifier: Apache-2.0
 * One invocation an element over a flat range, folded into x and y by gpu_grid_flat(). */
#ifndef FLAT_GLSL
#define FLAT_GLSL

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

/* Index of this invocation; may lie at or beyond the end of the range. */
uint flat_index()
{
    return gl_GlobalInvocationID.x + gl_GlobalInvocationID.y * (gl_NumWorkGroups.x * gl_WorkGroupSize.x);
}

#endif
