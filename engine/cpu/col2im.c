/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/ref.h"
#include "graph/ops/col2im.h"

/* The sum of all block elements that lie over an element of the image. */
static double gather(const cpu_call *call, const op_col2im *c, int64_t plane, const int64_t *at)
{
    double sum = 0;
    for (int64_t k = 0; k < c->block; k++) {
        int64_t rest = k, place = 0, stride = 1;
        for (int d = c->rank - 1; d >= 0 && place >= 0; d--) {
            const op_col2im_axis *a = &c->axis[d];
            int64_t p = op_col2im_place(a, at[d], rest % a->block);
            place = p < 0 ? -1 : place + p * stride;
            stride *= a->places;
            rest /= a->block;
        }
        if (place < 0) continue;
        sum += cpu_load(call->in[0], cpu_in(call, 0)->dtype, (plane * c->block + k) * c->places + place);
    }
    return sum;
}

static void reference(const cpu_call *call)
{
    op_col2im c;
    const char *why;
    if (!op_col2im_of(call->g, call->n, &c, &why)) return; /* inference has asked the same */
    const gr_tensor *y = cpu_out(call, 0);
    for (int64_t i = 0; i < gr_elements(y); i++) {
        int64_t at[GR_MAX_RANK], rest = i;
        for (int d = c.rank - 1; d >= 0; rest /= c.axis[d--].image) at[d] = rest % c.axis[d].image;
        cpu_store(call->out[0], y->dtype, i, gather(call, &c, rest, at));
    }
}

const cpu_op cpu_op_col2im = {.reference = reference};
