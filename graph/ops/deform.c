/* SPDX-License-Identifier: Apache-2.0
 * DeformConv: a convolution whose every tap is moved by an offset of its own. */
#include "graph/ops/deform.h"

#include <string.h>

#include "graph/ops/schema.h"

enum { IN_X = 0, IN_W, IN_OFFSET, IN_BIAS, IN_MASK };

static int64_t listed(const op_ints *list, int i, int64_t absent)
{
    return list->count ? list->v[i] : absent;
}

/* Output size along an axis; 0 if the kernel does not fit. */
static int64_t out_size(int64_t in, int64_t pads, int64_t kernel, int64_t dilation, int64_t stride)
{
    int64_t room = in + pads - dilation * (kernel - 1);
    return room < 1 ? 0 : (room - 1) / stride + 1;
}

static bool has_dims(const gr_tensor *t, int rank, const int64_t *dims)
{
    return t->rank == rank && !memcmp(t->dims, dims, (size_t)rank * sizeof *dims);
}

static bool lists_fit(const op_deform_attrs *a)
{
    const op_ints *pairs[] = {&a->kernel_shape, &a->strides, &a->dilations};
    for (size_t i = 0; i < VKB_COUNT(pairs); i++)
        if (pairs[i]->count != 0 && pairs[i]->count != 2) return false;
    return a->pads.count == 0 || a->pads.count == 4;
}

bool op_deform_of(const gr_graph *g, const gr_node *n, op_deform *d, const char **why)
{
    const gr_tensor *x = &g->tensors[n->in[IN_X]], *w = &g->tensors[n->in[IN_W]];
    const op_deform_attrs *a = n->attrs;
    *why = "only two spatial dimensions are supported";
    if (x->rank != 4 || w->rank != 4 || !lists_fit(a)) return false;
    *d = (op_deform){.batch = x->dims[0],
                     .in_c = x->dims[1],
                     .in_h = x->dims[2],
                     .in_w = x->dims[3],
                     .out_c = w->dims[0],
                     .kernel_h = w->dims[2],
                     .kernel_w = w->dims[3],
                     .stride_h = listed(&a->strides, 0, 1),
                     .stride_w = listed(&a->strides, 1, 1),
                     .pad_top = listed(&a->pads, 0, 0),
                     .pad_left = listed(&a->pads, 1, 0),
                     .dilation_h = listed(&a->dilations, 0, 1),
                     .dilation_w = listed(&a->dilations, 1, 1),
                     .group = a->group,
                     .offset_group = a->offset_group};
    *why = "the kernel's shape, the groups or the channels do not fit";
    if (d->kernel_h < 1 || d->kernel_w < 1 || d->in_c % d->group || d->out_c % d->group ||
        d->in_c % d->offset_group || w->dims[1] != d->in_c / d->group ||
        d->kernel_h != listed(&a->kernel_shape, 0, d->kernel_h) ||
        d->kernel_w != listed(&a->kernel_shape, 1, d->kernel_w))
        return false;
    *why = "the kernel is larger than the padded input";
    if (d->kernel_h > INT32_MAX || d->kernel_w > INT32_MAX || d->in_h > INT64_C(1) << 40 ||
        d->in_w > INT64_C(1) << 40)
        return false;
    d->out_h =
        out_size(d->in_h, d->pad_top + listed(&a->pads, 2, 0), d->kernel_h, d->dilation_h, d->stride_h);
    d->out_w =
        out_size(d->in_w, d->pad_left + listed(&a->pads, 3, 0), d->kernel_w, d->dilation_w, d->stride_w);
    if (d->out_h < 1 || d->out_w < 1) return false;
    int64_t taps = d->kernel_h * d->kernel_w, rows[] = {d->batch, 0, d->out_h, d->out_w};
    *why = "too many offsets to address";
    if (taps > INT32_MAX || d->offset_group > INT32_MAX) return false;
    rows[1] = 2 * taps * d->offset_group;
    *why = "the offsets must be [batch, 2 offset_group kernel elements, output height, output width]";
    if (!has_dims(&g->tensors[n->in[IN_OFFSET]], 4, rows)) return false;
    rows[1] = taps * d->offset_group;
    *why = "the mask must be [batch, offset_group kernel elements, output height, output width]";
    if (op_has_in(n, IN_MASK) && !has_dims(&g->tensors[n->in[IN_MASK]], 4, rows)) return false;
    *why = "the bias must have one element for each output channel";
    return !op_has_in(n, IN_BIAS) || has_dims(&g->tensors[n->in[IN_BIAS]], 1, &d->out_c);
}

static vki_status infer(op_infer *c)
{
    const char *why;
    op_deform d;
    VKB_TRY(op_want_type(c, 0, OP_FLOATS));
    for (int i = 1; i < 5; i++) VKB_TRY(op_want_same_type(c, i));
    if (!op_deform_of(c->g, c->n, &d, &why)) return op_fail(c, VKI_E_SHAPE, "%s", why);
    return op_out(c, 0, op_in(c, 0)->dtype, 4, (int64_t[]){d.batch, d.out_c, d.out_h, d.out_w});
}

static void cost(const gr_graph *g, const gr_node *n, op_cost *cost)
{
    op_deform d;
    const char *why;
    if (!op_deform_of(g, n, &d, &why)) return;
    cost->macs += (uint64_t)gr_elements(&g->tensors[n->out[0]]) *
                  (uint64_t)(d.in_c / d.group * d.kernel_h * d.kernel_w);
}

static const op_attr attrs[] = {
    OP_ROW_INTS(op_deform_attrs, kernel_shape, 1, OP_INT_MAX),
    OP_ROW_INTS(op_deform_attrs, strides, 1, OP_INT_MAX),
    OP_ROW_INTS(op_deform_attrs, pads, 0, OP_INT_MAX),
    OP_ROW_INTS(op_deform_attrs, dilations, 1, OP_INT_MAX),
    OP_ROW_INT(op_deform_attrs, group, 1, 1, OP_INT_MAX),
    OP_ROW_INT(op_deform_attrs, offset_group, 1, 1, OP_INT_MAX),
};

const op_info op_info_DeformConv = {
    .name = "DeformConv",
    .doc = "Convolution over 2 spatial dimensions whose taps are moved by offsets and weighted by a mask",
    OP_ATTR_TABLE(attrs),
    .attrs_size = sizeof(op_deform_attrs),
    .min_in = 3,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .infer = infer,
    .cost = cost,
};
