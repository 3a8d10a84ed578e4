/* SPDX-License-Identifier: Apache-2.0
 * Several nodes in one dispatch: shapes at the edges of tiles, against the reference on the device; and what
 * must stay apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"

/* ---- depthwise and 1x1 convolution ---- */

typedef struct layers {
    int64_t batch, channels, out, size, kernel, stride;
    op_kind middle, last; /* activations */
    bool residual;
} layers;

static gr_id depthwise(gr_graph *g, gr_id x, const layers *l)
{
    const int64_t p = l->kernel / 2;
    gr_id w = net_random(g, DIMS(l->channels, 1, l->kernel, l->kernel));
    gr_id y = net_node(g, OP_Conv, IN(x, w, net_random(g, DIMS(l->channels))));
    op_conv_attrs *a = net_last(g)->attrs;
    a->group = l->channels;
    net_set_ints(&a->pads, 4, (const int64_t[]){p, p, p, p});
    net_set_ints(&a->strides, 2, (const int64_t[]){l->stride, l->stride});
    return l->middle == OP_NONE ? y : net_unary(g, l->middle, y);
}

/* The input passes a 1x1 convolution first, so that it lies in slices of channels. */
static gr_id make_layers(gr_graph *g, const layers *l)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(l->batch, l->channels, l->size, l->size));
    x = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(l->channels, l->channels, 1, 1))));
    gr_id y = net_node(g, OP_Conv, IN(depthwise(g, x, l), net_random(g, DIMS(l->out, l->channels, 1, 1))));
    if (l->last != OP_NONE) y = net_unary(g, l->last, y);
    if (l->residual) y = net_binary(g, OP_Add, x, y);
    return y;
}

static void separable_layers(void **state)
{
    (void)state;
    static const layers all[] = {
        {1, 3, 5, 4, 3, 1, OP_NONE, OP_NONE, false},         {1, 8, 16, 7, 3, 1, OP_Relu, OP_NONE, false},
        {2, 7, 23, 8, 5, 1, OP_HardSwish, OP_Relu, false},   {1, 12, 12, 9, 3, 1, OP_Sigmoid, OP_NONE, true},
        {1, 17, 47, 13, 7, 1, OP_NONE, OP_HardSwish, false}, {3, 5, 50, 17, 3, 2, OP_Relu, OP_Tanh, false},
        {1, 33, 33, 16, 5, 1, OP_Silu, OP_NONE, true},       {1, 64, 97, 10, 3, 2, OP_NONE, OP_NONE, false},
    };
    for (size_t i = 0; i < VKB_COUNT(all); i++) {
        gr_graph g;
        net_output(&g, make_layers(&g, &all[i]));
        session_check_merge(&g, 2, "separable", 0); /* 1x1, both */
    }
}

/* Read twice, an output, too narrow, a wide stride, weights that are computed, too many channels. */
static void layers_that_stay_apart(void **state)
{
    (void)state;
    const layers l = {1, 8, 8, 8, 3, 1, OP_NONE, OP_NONE, false};
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 8, 8, 8)), y = depthwise(&g, x, &l);
    net_output(&g, net_node(&g, OP_Conv, IN(y, net_random(&g, DIMS(8, 8, 1, 1)))));
    net_output(&g, net_unary(&g, OP_Exp, y));
    session_check_merge(&g, -1, "separable", 0);
    net_init(&g);
    x = net_input(&g, "x", DIMS(1, 8, 8, 8));
    y = depthwise(&g, x, &l);
    net_output(&g, y);
    net_output(&g, net_node(&g, OP_Conv, IN(y, net_random(&g, DIMS(8, 8, 1, 1)))));
    session_check_merge(&g, -1, "separable", 0);
    net_init(&g);
    y = depthwise(&g, net_input(&g, "x", DIMS(1, 8, 3, 3)), &l);
    gr_id w = net_unary(&g, OP_Tanh, net_input(&g, "w", DIMS(8, 8, 1, 1)));
    net_output(&g, net_node(&g, OP_Conv, IN(y, w)));
    session_check_merge(&g, -1, "separable", 0);
    net_init(&g);
    y = depthwise(&g, net_input(&g, "x", DIMS(1, 8, 8, 8)), &l);
    net_output(&g, net_node(&g, OP_Conv, IN(y, net_random(&g, DIMS(700, 8, 1, 1)))));
    session_check_merge(&g, -1, "separable", 0);
}

/* ---- channel shuffle ---- */

static gr_id shuffle(gr_graph *g, gr_id x, int64_t batch, int64_t groups, int64_t channels, int64_t size)
{
    const int64_t mid[] = {batch, groups, channels / groups, size, size},
                  end[] = {batch, channels, size, size};
    x = net_node(g, OP_Reshape, IN(x, net_ints(g, 5, mid)));
    x = net_unary(g, OP_Transpose, x);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, 5, (const int64_t[]){0, 2, 1, 3, 4});
    return net_node(g, OP_Reshape, IN(x, net_ints(g, 4, end)));
}

static gr_id slice(gr_graph *g, gr_id x, int64_t from, int64_t to)
{
    return net_node(g, OP_Slice,
                    IN(x, net_ints(g, 1, &from), net_ints(g, 1, &to), net_ints(g, 1, (const int64_t[]){1})));
}

static gr_id conv(gr_graph *g, gr_id x, int64_t from, int64_t to)
{
    return net_node(g, OP_Conv, IN(x, net_random(g, DIMS(to, from, 1, 1))));
}

typedef struct deal {
    int64_t batch, groups, a, b, cut, size; /* b 0: one source; cut 0: not cut; < 0: by Split */
} deal;

/* Sources and results are convolutions' so that all lies in slices. */
static int make_shuffle(gr_graph *g, const deal *d)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(d->batch, 4, d->size, d->size));
    gr_id y = conv(g, x, 4, d->a), out[2];
    int64_t channels = d->a + d->b, cut = d->cut < 0 ? -d->cut : d->cut;
    if (d->b) {
        y = net_node(g, OP_Concat, IN(y, conv(g, x, 4, d->b)));
        ((op_axis_attrs *)net_last(g)->attrs)->axis = 1;
    }
    y = shuffle(g, y, d->batch, d->groups, channels, d->size);
    if (!cut) {
        net_output(g, conv(g, y, channels, 8));
        return 3 + (d->b > 0);
    }
    if (d->cut > 0) {
        out[1] = slice(g, y, cut, channels);
        out[0] = slice(g, y, 0, cut);
    } else {
        out[0] = gr_add_tensor(g, NULL, VKI_F32, -1, NULL);
        out[1] = gr_add_tensor(g, NULL, VKI_F32, -1, NULL);
        gr_id in[2] = {y, net_ints(g, 2, (const int64_t[]){cut, channels - cut})};
        gr_node *n = gr_add_node(g, OP_Split, "split", 2, in, 2, out);
        ((op_axis_attrs *)n->attrs)->axis = -3;
    }
    net_output(g, conv(g, out[0], cut, 8));
    net_output(g, conv(g, out[1], channels - cut, 8));
    return 2 + (d->b > 0) + 2;
}

static void shuffles(void **state)
{
    (void)state;
    static const deal all[] = {
        {1, 2, 8, 8, 8, 4},  {1, 2, 5, 5, 5, 3},    {2, 2, 7, 7, 6, 4},   {1, 3, 4, 5, -3, 4},
        {1, 2, 6, 10, 8, 4}, {1, 4, 12, 0, 6, 4},   {3, 2, 10, 0, -5, 3}, {1, 5, 15, 10, 0, 4},
        {1, 2, 3, 3, 0, 7},  {1, 2, 29, 29, 29, 8},
    };
    for (size_t i = 0; i < VKB_COUNT(all); i++) {
        gr_graph g;
        int dispatches = make_shuffle(&g, &all[i]);
        session_check_merge(&g, dispatches, "channel_shuffle", 0);
    }
}

/* Slices that overlap or leave channels out, another permutation, an output between. */
static void shuffles_in_part(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(1, 4, 4, 4)), y = conv(&g, x, 4, 12);
        if (variant == 3) net_output(&g, y);
        y = shuffle(&g, y, 1, 2, 12, 4);
        if (variant == 2)
            net_set_ints(&((op_transpose_attrs *)g.nodes[2].attrs)->perm, 5,
                         (const int64_t[]){0, 2, 1, 4, 3});
        net_output(&g, conv(&g, slice(&g, y, 0, variant == 0 ? 8 : 4), variant == 0 ? 8 : 4, 8));
        net_output(&g, conv(&g, slice(&g, y, variant == 1 ? 8 : 4, 12), variant == 1 ? 4 : 8, 8));
        session_check_merge(&g, -1, "channel_shuffle", 0);
    }
}

/* ---- squeeze and excitation ---- */

typedef struct block {
    int64_t batch, channels, middle, size, out;
    op_kind first, second; /* activations */
    int dispatches;        /* with the convolution behind, without the one before */
} block;

static void squeezes(void **state)
{
    (void)state;
    static const block all[] = {
        {1, 8, 4, 7, 16, OP_Relu, OP_HardSigmoid, 2},    {2, 5, 3, 3, 9, OP_Silu, OP_Sigmoid, 2},
        {1, 72, 24, 14, 40, OP_Relu, OP_HardSigmoid, 2}, {1, 96, 4, 40, 24, OP_Silu, OP_Sigmoid, 3},
        {3, 67, 33, 1, 5, OP_LeakyRelu, OP_Tanh, 3},     {1, 530, 20, 2, 7, OP_Relu, OP_Sigmoid, 2},
        {1, 480, 160, 3, 8, OP_Relu, OP_Sigmoid, 4},     {1, 4, 1, 129, 4, OP_HardSwish, OP_NONE, 3},
    };
    for (size_t i = 0; i < VKB_COUNT(all); i++) {
        const block *l = &all[i];
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(l->batch, 4, l->size, l->size));
        x = conv(&g, x, 4, l->channels);
        gr_id y = conv(&g, net_unary(&g, OP_GlobalAveragePool, x), l->channels, l->middle);
        y = conv(&g, net_unary(&g, l->first, y), l->middle, l->channels);
        if (l->second != OP_NONE) y = net_unary(&g, l->second, y);
        y = net_binary(&g, OP_Mul, y, x);
        net_output(&g, conv(&g, y, l->channels, l->out));
        session_check_merge(&g, 1 + l->dispatches, "squeeze", 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separable_layers), cmocka_unit_test(layers_that_stay_apart),
        cmocka_unit_test(shuffles),         cmocka_unit_test(shuffles_in_part),
        cmocka_unit_test(squeezes),
    };
    if (!gpu_run_device()) {
        print_message("merges_test: skipped: no Vulkan device\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
