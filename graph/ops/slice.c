/* SPDX-License-Identifier: Apache-2.0
 * Slice: start, end and step along some axes, with Python's rules: negative positions count from the end,
 * positions outside are moved to the nearest end, and a negative step walks backwards. */
#include <string.h>

#include "graph/ops/schema.h"

typedef struct slice_params { /* as given, `count` of each */
    int64_t start[GR_MAX_RANK], end[GR_MAX_RANK], axis[GR_MAX_RANK], step[GR_MAX_RANK];
    int count;
} slice_params;

typedef struct slice_range { /* of one dimension */
    int64_t start, step, count;
} slice_range;

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return vkb_min(vkb_max(v, low), high);
}

/* ONNX's rules for one dimension; step is not 0. Where at most one element is left the step does not matter
 * and becomes 1, so that it always lies within the dimension. */
static slice_range resolve(int64_t dim, int64_t start, int64_t end, int64_t step)
{
    if (start < 0) start += dim;
    if (end < 0) end += dim;
    uint64_t distance;
    if (step > 0) {
        start = clamp(start, 0, dim);
        end = clamp(end, 0, dim);
        distance = end > start ? (uint64_t)(end - start) : 0;
    } else {
        start = clamp(start, 0, dim - 1); /* dim 0: 0 */
        end = clamp(end, -1, dim - 1);
        distance = dim && start > end ? (uint64_t)(start - end) : 0;
    }
    uint64_t size = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    int64_t count = distance ? (int64_t)((distance - 1) / size + 1) : 0;
    slice_range r = {count ? start : 0, count > 1 ? step : 1, count};
    return r;
}

/* Applies the parameters to all dimensions. NULL, or what is wrong with them. */
static const char *resolve_all(const gr_tensor *x, const slice_params *p, slice_range r[GR_MAX_RANK])
{
    bool seen[GR_MAX_RANK] = {false};
    for (int d = 0; d < x->rank; d++) r[d] = (slice_range){0, 1, x->dims[d]};
    for (int i = 0; i < p->count; i++) {
        int64_t axis = p->axis[i] < 0 ? p->axis[i] + x->rank : p->axis[i];
        if (axis < 0 || axis >= x->rank) return "an axis is outside of the input's dimensions";
        if (seen[axis]) return "an axis is given twice";
        if (p->step[i] == 0) return "a step is 0";
        seen[axis] = true;
        r[axis] = resolve(x->dims[axis], p->start[i], p->end[i], p->step[i]);
    }
    return NULL;
}

static void default_axes_steps(slice_params *p)
{
    for (int i = 0; i < GR_MAX_RANK; i++) {
        p->axis[i] = i;
        p->step[i] = 1;
    }
}

static vki_status infer_slice(op_infer *c)
{
    static const char *const input_names[] = {"data", "starts", "ends", "axes", "steps"};
    const gr_tensor *x = op_in(c, 0);
    slice_params p;
    memset(&p, 0, sizeof p);
    default_axes_steps(&p);
    int64_t *lists[] = {NULL, p.start, p.end, p.axis, p.step};
    for (int i = 1; i < 5; i++) {
        int count;
        if (i > 2 && !op_has_in(c->n, i)) continue;
        VKB_TRY(op_const_ints(c, i, lists[i], GR_MAX_RANK, &count));
        if (i == 1) p.count = count;
        if (count != p.count)
            return op_fail(c, VKI_E_SHAPE, "%s has %d entries, starts has %d", input_names[i], count,
                           p.count);
    }
    slice_range r[GR_MAX_RANK];
    const char *wrong = resolve_all(x, &p, r);
    if (wrong) return op_fail(c, VKI_E_SHAPE, "%s", wrong);
    int64_t dims[GR_MAX_RANK] = {0};
    for (int d = 0; d < x->rank; d++) dims[d] = r[d].count;
    return op_out(c, 0, x->dtype, x->rank, dims);
}

bool op_slice_of(const gr_graph *g, const gr_node *n, int64_t start[GR_MAX_RANK], int64_t step[GR_MAX_RANK])
{
    slice_params p;
    memset(&p, 0, sizeof p);
    default_axes_steps(&p);
    int64_t *lists[] = {NULL, p.start, p.end, p.axis, p.step};
    for (int i = 1; i < 5; i++) {
        int count;
        if (i > 2 && !op_has_in(n, i)) continue;
        if (!gr_const_i64(g, n->in[i], lists[i], GR_MAX_RANK, &count)) return false;
        if (i == 1) p.count = count;
        if (count != p.count) return false;
    }
    slice_range r[GR_MAX_RANK];
    const gr_tensor *x = &g->tensors[n->in[0]];
    if (resolve_all(x, &p, r)) return false;
    for (int d = 0; d < x->rank; d++) {
        start[d] = r[d].start;
        step[d] = r[d].step;
    }
    return true;
}

const op_info op_info_Slice = {
    .name = "Slice",
    .doc = "start, end and step along axes, as Python slices; starts, ends, axes and steps must be constants",
    .min_in = 3,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .infer = infer_slice,
};
