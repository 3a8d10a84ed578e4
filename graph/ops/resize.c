/* SPDX-License-Identifier: Apache-2.0
 * Resize: the input sampled on another grid. Coordinates follow ONNX's operator text; where the text and its
 * reference implementation differ (align_corners with a fractional output length, pytorch_half_pixel with an
 * output of 1), the text, ONNX Runtime and PyTorch agree and are followed. */
#include "graph/ops/resize.h"

#include <math.h>
#include <string.h>

#include "graph/ops/schema.h"

#define RESIZE_LIMIT 0x1p40 /* a longer output dimension cannot be meant */

enum { IN_X = 0, IN_ROI, IN_SCALES, IN_SIZES };

/* Exporters write an empty tensor where an optional input is absent. */
static bool given(const gr_graph *g, const gr_node *n, int i)
{
    return op_has_own(n, i) && gr_elements(&g->tensors[n->in[i]]) != 0;
}

static bool const_floats(const gr_graph *g, gr_id id, double *out, int count)
{
    const gr_tensor *t = &g->tensors[id];
    if (!gr_is_const(g, id) || gr_elements(t) != count) return false;
    for (int i = 0; i < count; i++) {
        if (t->dtype == VKI_F32)
            out[i] = (double)((const float *)t->data)[i];
        else if (t->dtype == VKI_F64)
            out[i] = ((const double *)t->data)[i];
        else if (t->dtype == VKI_F16)
            out[i] = (double)vkb_f16_to_f32(((const uint16_t *)t->data)[i]);
        else
            return false;
    }
    return true;
}

/* The dimensions that scales, sizes and roi speak of, in their order. */
static const char *listed_axes(const op_resize_attrs *a, int rank, int list[GR_MAX_RANK], int *count)
{
    bool seen[GR_MAX_RANK] = {false};
    *count = a->axes.count ? a->axes.count : rank;
    if (*count > rank) return "more axes are given than the input has dimensions";
    for (int i = 0; i < *count; i++) {
        int64_t axis = a->axes.count ? a->axes.v[i] : i;
        if (axis < 0) axis += rank;
        if (axis < 0 || axis >= rank) return "an axis is outside of the input's dimensions";
        if (seen[axis]) return "an axis is given twice";
        seen[axis] = true;
        list[i] = (int)axis;
    }
    return NULL;
}

static const char *by_scales(const gr_graph *g, const gr_node *n, const int *list, int count,
                             op_resize_axis *axes)
{
    double scale[GR_MAX_RANK];
    if (!const_floats(g, n->in[IN_SCALES], scale, count))
        return "scales must be a constant with one float for each dimension (or each of the axes)";
    for (int i = 0; i < count; i++) {
        op_resize_axis *x = &axes[list[i]];
        if (!(scale[i] > 0)) return "a scale is not above 0";
        float out = floorf((float)scale[i] * (float)x->in); /* in float, as everyone computes it */
        if (!((double)out < RESIZE_LIMIT)) return "a scale is beyond all measure";
        x->out = (int64_t)out;
        x->step_num = 1;
        x->step_den = scale[i];
    }
    return NULL;
}

static const char *by_sizes(const gr_graph *g, const gr_node *n, const int *list, int count,
                            op_resize_axis *axes)
{
    const op_resize_attrs *a = n->attrs;
    int64_t size[GR_MAX_RANK];
    int sizes, pick = 0;
    if (!gr_const_i64(g, n->in[IN_SIZES], size, GR_MAX_RANK, &sizes) || sizes != count)
        return "sizes must be a constant with one integer for each dimension (or each of the axes)";
    for (int i = 0; i < count; i++) {
        op_resize_axis *x = &axes[list[i]];
        if (size[i] < 0 || (double)size[i] > RESIZE_LIMIT) return "a size is out of range";
        if (x->in == 0 && size[i] != 0) return "a dimension without elements cannot grow";
        x->out = size[i];
        if (x->in == 0) continue;
        x->step_num = (double)x->in;
        x->step_den = (double)size[i];
        op_resize_axis *best = &axes[list[pick]];
        double scale = x->step_den / x->step_num, best_scale = best->step_den / best->step_num;
        if (a->keep_aspect_ratio_policy == 1 ? scale < best_scale : scale > best_scale) pick = i;
    }
    if (a->keep_aspect_ratio_policy == 0) return NULL;
    op_resize_axis one =
        axes[list[pick]]; /* not_larger: the smallest scale for all; not_smaller: the largest */
    for (int i = 0; i < count; i++) {
        op_resize_axis *x = &axes[list[i]];
        x->step_num = one.step_num;
        x->step_den = one.step_den;
        x->out = (int64_t)floor((double)x->in * one.step_den / one.step_num + 0.5);
    }
    return NULL;
}

const char *op_resize_axes_of(const gr_graph *g, const gr_node *n, op_resize_axis axes[GR_MAX_RANK])
{
    const op_resize_attrs *a = n->attrs;
    const gr_tensor *x = &g->tensors[n->in[IN_X]];
    int list[GR_MAX_RANK], count;
    for (int d = 0; d < x->rank; d++) axes[d] = (op_resize_axis){x->dims[d], x->dims[d], 1, 1, 0, 1, true};
    const char *wrong = listed_axes(a, x->rank, list, &count);
    if (wrong) return wrong;
    bool scales = given(g, n, IN_SCALES), sizes = given(g, n, IN_SIZES);
    if (scales == sizes) return "exactly one of scales and sizes must be given";
    wrong = scales ? by_scales(g, n, list, count, axes) : by_sizes(g, n, list, count, axes);
    if (wrong) return wrong;
    if (a->coordinate_transformation_mode == OP_COORD_TF_CROP_AND_RESIZE) {
        double roi[2 * GR_MAX_RANK];
        if (!op_has_own(n, IN_ROI) || !const_floats(g, n->in[IN_ROI], roi, 2 * count))
            return "tf_crop_and_resize needs a constant roi with two floats for each dimension (or axis)";
        for (int i = 0; i < count; i++) {
            axes[list[i]].roi_start = roi[i];
            axes[list[i]].roi_end = roi[count + i];
        }
    }
    for (int d = 0; d < x->rank; d++) {
        op_resize_axis *s = &axes[d];
        if (s->out > 0 && s->in == 0) return "a dimension without elements cannot grow";
        s->same = s->in == s->out && s->step_num == s->step_den && s->roi_start == 0 && s->roi_end == 1;
    }
    return NULL;
}

/* Where output element x lies in the input, in elements. */
static double source_position(const op_resize_attrs *a, const op_resize_axis *s, int64_t x)
{
    double in = (double)s->in, out = (double)s->out, at = (double)x;
    double corner = at * s->step_num / s->step_den, center = (at + 0.5) * s->step_num / s->step_den;
    /* The centre stays the centre where scale * in is no whole number. */
    double symmetric = center - 0.5 + in / 2 * (1 - out * s->step_num / (in * s->step_den));
    if (a->mode == OP_RESIZE_NEAREST) { /* a scale of 0.6f is meant to be 0.6: in float, 1.5 / 0.6f is 2.5 */
        corner = (double)(float)corner;
        center = (double)(float)center;
        symmetric = (double)(float)symmetric;
    }
    double half_pixel = center - 0.5;
    switch ((op_resize_coord)a->coordinate_transformation_mode) {
    case OP_COORD_HALF_PIXEL:
        return half_pixel;
    case OP_COORD_PYTORCH_HALF_PIXEL:
        return s->out > 1 ? half_pixel : 0;
    case OP_COORD_ALIGN_CORNERS:
        return s->out > 1 ? at * (in - 1) / (out - 1) : 0;
    case OP_COORD_ASYMMETRIC:
        return corner;
    case OP_COORD_TF_HALF_PIXEL_FOR_NN:
        return center;
    case OP_COORD_TF_CROP_AND_RESIZE:
        return s->out > 1 ? s->roi_start * (in - 1) + at * (s->roi_end - s->roi_start) * (in - 1) / (out - 1)
                          : 0.5 * (s->roi_start + s->roi_end) * (in - 1);
    case OP_COORD_HALF_PIXEL_SYMMETRIC:
        return symmetric;
    }
    return half_pixel;
}

static double nearest(const op_resize_attrs *a, double p)
{
    switch ((op_resize_nearest)a->nearest_mode) {
    case OP_NEAREST_ROUND_PREFER_FLOOR:
        return ceil(p - 0.5);
    case OP_NEAREST_ROUND_PREFER_CEIL:
        return floor(p + 0.5);
    case OP_NEAREST_FLOOR:
        return floor(p);
    case OP_NEAREST_CEIL:
        return ceil(p);
    }
    return floor(p);
}

/* The weight of an element at a distance. Cubic: Keys, "Cubic Convolution Interpolation for Digital Image
 * Processing", 1981; c is his a. */
static double filter(const op_resize_attrs *a, double distance)
{
    double d = fabs(distance), c = (double)a->cubic_coeff_a;
    if (a->mode != OP_RESIZE_CUBIC) return fmax(1 - d, 0);
    if (d <= 1) return ((c + 2) * d - (c + 3)) * d * d + 1;
    return d < 2 ? ((c * d - 5 * c) * d + 8 * c) * d - 4 * c : 0;
}

/* With antialias the filter is as many times wider as the axis shrinks. */
static double stretch_of(const op_resize_attrs *a, const op_resize_axis *axis)
{
    return a->antialias ? fmin(axis->step_den / axis->step_num, 1) : 1;
}

/* The first element that counts, from the one below the position: 0 or less. */
static int64_t reach(const op_resize_attrs *a, double stretch)
{
    return (int64_t)floor((a->mode == OP_RESIZE_CUBIC ? -2 : -1) / stretch) + 1;
}

int op_resize_count(const op_resize_attrs *attrs, const op_resize_axis *axis)
{
    if (axis->same || attrs->mode == OP_RESIZE_NEAREST) return 1;
    return (int)(2 - 2 * reach(attrs, stretch_of(attrs, axis)));
}

static double tap_weight(const op_resize_place *p, int tap)
{
    int64_t at = p->first + tap;
    if (p->attrs->exclude_outside && (at < 0 || at >= p->in)) return 0;
    return filter(p->attrs, ((double)at - p->position) * p->stretch);
}

bool op_resize_at(const op_resize_attrs *attrs, const op_resize_axis *axis, int64_t x, op_resize_place *place)
{
    *place = (op_resize_place){attrs, axis->in, x, op_resize_count(attrs, axis), (double)x, 1, 1};
    if (axis->same) return true;
    double last = (double)(axis->in - 1), p = source_position(attrs, axis, x);
    if (attrs->coordinate_transformation_mode == OP_COORD_TF_CROP_AND_RESIZE && (p < 0 || p > last))
        return false;
    if (attrs->mode == OP_RESIZE_NEAREST) {
        place->first = (int64_t)fmin(fmax(nearest(attrs, p), 0), last);
        return true;
    }
    /* All beyond is the edge again; this keeps integers in range. */
    p = fmin(fmax(p, -(double)place->count), last + (double)place->count);
    place->stretch = stretch_of(attrs, axis);
    place->position = p;
    place->first = (int64_t)floor(p) + reach(attrs, place->stretch);
    if (!attrs->exclude_outside && place->stretch == 1) return true; /* the weights' sum is 1 */
    place->divisor = 0;
    for (int tap = 0; tap < place->count; tap++) place->divisor += tap_weight(place, tap);
    return true;
}

double op_resize_tap(const op_resize_place *place, int tap, int64_t *index)
{
    *index = vkb_min(vkb_max(place->first + tap, 0), place->in - 1);
    if (place->count == 1) return 1;
    /* Without anything inside the edge is all there is to take. */
    return place->divisor != 0 ? tap_weight(place, tap) / place->divisor : 1.0 / place->count;
}

static vki_status infer_resize(op_infer *c)
{
    const op_resize_attrs *a = c->n->attrs;
    const gr_tensor *x = op_in(c, IN_X);
    int driver = given(c->g, c->n, IN_SIZES) ? IN_SIZES : IN_SCALES;
    if (given(c->g, c->n, driver) && !gr_is_const(c->g, c->n->in[driver])) return op_later(c, driver);
    if (a->coordinate_transformation_mode == OP_COORD_TF_CROP_AND_RESIZE && given(c->g, c->n, IN_ROI) &&
        !gr_is_const(c->g, c->n->in[IN_ROI]))
        return op_later(c, IN_ROI);
    op_resize_axis axes[GR_MAX_RANK];
    const char *wrong = op_resize_axes_of(c->g, c->n, axes);
    if (wrong) return op_fail(c, VKI_E_SHAPE, "%s", wrong);
    int64_t dims[GR_MAX_RANK] = {0};
    for (int d = 0; d < x->rank; d++) dims[d] = axes[d].out;
    return op_out(c, 0, x->dtype, x->rank, dims);
}

static void cost_resize(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_resize_axis axes[GR_MAX_RANK];
    const op_resize_attrs *a = n->attrs;
    const gr_tensor *y = &g->tensors[n->out[0]];
    int64_t elements = gr_elements(y);
    if (elements <= 0 || op_resize_axes_of(g, n, axes) || a->mode == OP_RESIZE_NEAREST) return;
    uint64_t taps = 1;
    for (int d = 0; d < y->rank; d++) taps *= (uint64_t)op_resize_count(a, &axes[d]);
    cost->macs += (uint64_t)elements * taps;
}

static const op_attr resize_attrs[] = {
    OP_ROW_ENUM(op_resize_attrs, mode, OP_RESIZE_NEAREST, "nearest,linear,cubic"),
    OP_ROW_ENUM(op_resize_attrs, coordinate_transformation_mode, OP_COORD_HALF_PIXEL,
                "half_pixel,pytorch_half_pixel,align_corners,asymmetric,tf_half_pixel_for_nn,"
                "tf_crop_and_resize,half_pixel_symmetric"),
    OP_ROW_ENUM(op_resize_attrs, nearest_mode, OP_NEAREST_ROUND_PREFER_FLOOR,
                "round_prefer_floor,round_prefer_ceil,floor,ceil"),
    OP_ROW_ENUM(op_resize_attrs, keep_aspect_ratio_policy, 0, "stretch,not_larger,not_smaller"),
    OP_ROW_INT(op_resize_attrs, exclude_outside, 0, 0, 1),
    OP_ROW_INT(op_resize_attrs, antialias, 0, 0, 1),
    OP_ROW_FLOAT(op_resize_attrs, cubic_coeff_a, -0.75, -100, 100),
    OP_ROW_FLOAT(op_resize_attrs, extrapolation_value, 0, -OP_FLT_MAX, OP_FLT_MAX),
    OP_ROW_INTS(op_resize_attrs, axes, -GR_MAX_RANK, GR_MAX_RANK - 1),
};

const op_info op_info_Resize = {
    .name = "Resize",
    .doc = "Samples the input on another grid (nearest, linear or cubic; scales or sizes, which must be "
           "constant); smoothed where it shrinks if asked for",
    OP_ATTR_TABLE(resize_attrs),
    .attrs_size = sizeof(op_resize_attrs),
    .min_in = 1,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .flags = OP_CAN_ACT | OP_CAN_RESIDUAL,
    .infer = infer_resize,
    .cost = cost_resize,
};
