//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * Determinants by Gaussian elimination with partial pivoting, one workgroup a matrix, which lies in shared memory.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 3) const int LANES = 64;

BUFFER_IN(0, x);
BUFFER_OUT(1, y);

layout(push_constant) uniform Push
{
    int n; /* rows, at most 60 */
};

shared float m[60 * 60];
shared int pivot;

void main()
{
    int lane = int(gl_LocalInvocationID.x), matrix = int(gl_WorkGroupID.x);
    for (int i = lane; i < n * n; i += LANES) m[i] = LD(x, matrix * n * n + i);
    float product = 1.0;
    for (int k = 0; k < n; k++) {
        barrier();
        if (lane == 0) {
            pivot = k;
            for (int row = k + 1; row < n; row++)
                if (abs(m[row * n + k]) > abs(m[pivot * n + k])) pivot = row;
        }
        barrier();
        int from = pivot;
        for (int i = lane; i < n && from != k; i += LANES) {
            float kept = m[k * n + i];
            m[k * n + i] = m[from * n + i];
            m[from * n + i] = kept;
        }
        barrier();
        float head = m[k * n + k];
        product *= from != k ? -head : head;
        int left = n - k - 1;
        float inverse = head != 0.0 ? 1.0 / head : 0.0;
        for (int i = lane; i < left * left; i += LANES) {
            int row = k + 1 + i / left, column = k + 1 + i % left;
            m[row * n + column] -= m[row * n + k] * inverse * m[k * n + column];
        }
    }
    if (lane == 0) ST(y, matrix, product);
}
