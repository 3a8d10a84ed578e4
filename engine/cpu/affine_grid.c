/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"

/* Place i of `size`, -1 to 1 between the outer borders, or (align) between the outer centres. */
static double place(int64_t i, int64_t size, bool align)
{
    if (align) return size > 1 ? 2 * (double)i / (double)(size - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)size - 1;
}

static void reference(const cpu_call *c)
{
    const gr_tensor *y = cpu_out(c, 0);
    bool align = ((const op_grid_attrs *)c->n->attrs)->align_corners != 0;
    int spatial = y->rank - 2;
    int64_t points = gr_elements(y) / spatial;
    for (int64_t i = 0; i < points; i++) {
        double v[4];
        int64_t rest = i;
        for (int d = 0; d < spatial; d++) { /* x, which runs along the last dimension, comes first */
            int64_t size = y->dims[spatial - d];
            v[d] = place(rest % size, size, align);
            rest /= size;
        }
        v[spatial] = 1;
        for (int row = 0; row < spatial; row++) {
            double sum = 0;
            for (int k = 0; k <= spatial; k++)
                sum += v[k] * cpu_load(c->in[0], y->dtype, (rest * spatial + row) * (spatial + 1) + k);
            cpu_store(c->out[0], y->dtype, i * spatial + row, sum);
        }
    }
}

const cpu_op cpu_op_affine_grid = {.reference = reference};
