/* SPDX-License-Identifier: Apache-2.0
 * Channel shuffles of joined groups on the CPU: which the pass turns into one Concat, and that convolutions
 * write their planes where that puts them, only if nobody else reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"

typedef struct form {
    int64_t batch, channels[3]; /* of each input; 0: no more inputs */
    int64_t groups, size;
    int64_t axis;   /* of the Concat */
    bool turns;     /* other dimensions too */
    int given;      /* 1: what is joined is an output; 2: what is grouped; 3: what is transposed */
    bool rewritten; /* into as many Reshapes as inputs, a Concat and the last Reshape */
} form;

static gr_id reshape(gr_graph *g, gr_id x, int rank, const int64_t *dims)
{
    return net_node(g, OP_Reshape, IN(x, net_ints(g, rank, dims)));
}

static gr_id joined(gr_graph *g, int count, const gr_id *in, int64_t axis)
{
    const gr_id y = net_node(g, OP_Concat, count, in);
    ((op_axis_attrs *)net_last(g)->attrs)->axis = axis;
    return y;
}

/* The Concat of `in` and the shuffle behind it. */
static gr_id shuffled(gr_graph *g, const form *f, const gr_id *in)
{
    int count = 0;
    int64_t channels = 0;
    for (; count < 3 && f->channels[count]; count++) channels += f->channels[count];
    const gr_id whole = joined(g, count, in, f->axis);
    const int64_t groups[5] = {f->batch, f->groups, channels / f->groups, f->size, f->size};
    const gr_id grouped = reshape(g, whole, 5, groups), turned = net_unary(g, OP_Transpose, grouped);
    net_set_ints(&((op_transpose_attrs *)net_last(g)->attrs)->perm, 5,
                 f->turns ? (const int64_t[]){0, 2, 1, 4, 3} : (const int64_t[]){0, 2, 1, 3, 4});
    if (f->given) net_output(g, f->given == 1 ? whole : f->given == 2 ? grouped : turned);
    return reshape(g, turned, 4, (const int64_t[]){f->batch, channels, f->size, f->size});
}

static void become_one_concat(void **state)
{
    (void)state;
    static const form forms[] = {
        {1, {5, 5}, 2, 3, 1, false, 0, true},     {2, {4, 4}, 2, 5, -3, false, 0, true},
        {3, {2, 2, 2}, 3, 4, 1, false, 0, true},  {1, {1, 1}, 2, 1, 1, false, 0, true},
        {1, {3, 5}, 2, 3, 1, false, 0, false},    {1, {4, 4}, 4, 3, 1, false, 0, false},
        {1, {4, 2, 2}, 2, 3, 1, false, 0, false}, {1, {6}, 2, 3, 1, false, 0, false},
        {1, {4, 4}, 2, 3, 1, true, 0, false},     {1, {4, 4}, 2, 3, 1, false, 1, false},
        {1, {4, 4}, 2, 3, 1, false, 2, false},    {1, {4, 4}, 2, 3, 1, false, 3, false},
    };
    for (size_t i = 0; i < VKB_COUNT(forms); i++) {
        const form *f = &forms[i];
        gr_graph g;
        gr_id in[3];
        int count = 0;
        net_init(&g);
        for (; count < 3 && f->channels[count]; count++)
            in[count] = net_input(&g, NULL, DIMS(f->batch, f->channels[count], f->size, f->size));
        net_output(&g, shuffled(&g, f, in));
        net_pass(&g, "channel_shuffle");
        assert_int_equal(net_count(&g, OP_Transpose), !f->rewritten);
        assert_int_equal(net_count(&g, OP_NONE), f->rewritten ? count + 2 : 4);
        net_pass_end(&g, 0);
    }
}

/* Along rows instead of channels it is another movement. */
static void other_axes_stay(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    const gr_id x = net_input(&g, "x", DIMS(1, 4, 2, 4));
    const gr_id whole = joined(&g, 2, (const gr_id[]){x, x}, 2);
    const gr_id turned = net_unary(&g, OP_Transpose, reshape(&g, whole, 5, (const int64_t[]){1, 2, 2, 4, 4}));
    net_set_ints(&((op_transpose_attrs *)net_last(&g)->attrs)->perm, 5, (const int64_t[]){0, 2, 1, 3, 4});
    net_output(&g, reshape(&g, turned, 4, (const int64_t[]){1, 4, 4, 4}));
    net_pass(&g, "channel_shuffle");
    assert_int_equal(net_count(&g, OP_Transpose), 1);
    net_pass_end(&g, 0);
}

/* ---- in sessions ---- */

/* Compares a session with the reference; its activations in bytes. */
static uint64_t run(const gr_graph *g, int threads, const char *disable, bool keep)
{
    const vki_session_options o = {
        .size = sizeof o, .threads = threads, .disable_passes = disable, .keep_intermediates = keep};
    return session_check_options(g, false, false, &o).activation_bytes;
}

static gr_id conv(gr_graph *g, gr_id x, int64_t from, int64_t to)
{
    return net_node(g, OP_Conv, IN(x, net_random(g, DIMS(to, from, 1, 1)), net_random(g, DIMS(to))));
}

/* What else is done with an input of the Concat. */
typedef enum other { NOTHING, GIVEN, READ, TWICE, ADDED, RESHAPED, OTHERS } other;

static gr_id part_of(gr_graph *g, gr_id x, int64_t from, const form *f, op_kind act, other how)
{
    const int64_t to = f->channels[0];
    gr_id y = conv(g, x, from, to);
    if (act != OP_NONE) y = net_unary(g, act, y);
    if (how == ADDED) y = net_node(g, OP_Add, IN(y, conv(g, x, from, to)));
    if (how == GIVEN) net_output(g, y);
    if (how == READ) net_output(g, net_unary(g, OP_Neg, y));
    if (how == RESHAPED)
        net_output(
            g, net_unary(g, OP_Exp, reshape(g, y, 2, (const int64_t[]){f->batch, to * f->size * f->size})));
    return y;
}

/* Pixels, lines and smaller planes, whose kernels put planes where they belong or do not; one or two images;
 * every reader that forbids it. */
static void planes_are_written_apart(void **state)
{
    (void)state;
    static const form forms[] = {{.batch = 1, .channels = {20, 20}, .groups = 2, .size = 14, .axis = 1},
                                 {.batch = 2, .channels = {58, 58}, .groups = 2, .size = 7, .axis = 1},
                                 {.batch = 2, .channels = {24, 24}, .groups = 2, .size = 28, .axis = 1},
                                 {.batch = 1, .channels = {17, 17, 17}, .groups = 3, .size = 9, .axis = 1},
                                 {.batch = 1, .channels = {6, 6}, .groups = 2, .size = 3, .axis = 1},
                                 {.batch = 2, .channels = {16, 16}, .groups = 2, .size = 1, .axis = 1}};
    static const op_kind acts[] = {OP_NONE, OP_Relu, OP_HardSwish, OP_Sigmoid};
    for (size_t i = 0; i < VKB_COUNT(forms); i++)
        for (int how = 0; how < OTHERS; how++) {
            const form *f = &forms[i];
            const op_kind act = acts[(i + (size_t)how) % VKB_COUNT(acts)];
            gr_graph g;
            gr_id in[3];
            net_init(&g);
            const gr_id x = net_input(&g, "x", DIMS(f->batch, 24, f->size, f->size));
            for (int k = 0; k < f->groups; k++) in[k] = part_of(&g, x, 24, f, act, (other)how);
            if (how == TWICE) in[1] = in[0];
            const int64_t all = f->groups * f->channels[0];
            net_output(&g, conv(&g, shuffled(&g, f, in), all, 5));
            run(&g, 1 + how % 2, NULL, false);
            run(&g, 2, NULL, true);
            gr_free(&g);
        }
}

/* The planes need no memory beside the whole. */
static void memory_is_shared(void **state)
{
    (void)state;
    const form f = {.batch = 1, .channels = {32, 32}, .groups = 2, .size = 14, .axis = 1};
    gr_graph g;
    gr_id in[2];
    net_init(&g);
    const gr_id x = net_input(&g, "x", DIMS(1, 24, 14, 14));
    for (int k = 0; k < 2; k++) in[k] = part_of(&g, x, 24, &f, OP_Relu, NOTHING);
    net_output(&g, net_unary(&g, OP_Abs, shuffled(&g, &f, in)));
    const uint64_t with = run(&g, 1, NULL, false), without = run(&g, 1, "views", false);
    assert_true(with + 32 * 14 * 14 * sizeof(float) < without);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(become_one_concat), cmocka_unit_test(other_axes_stay),
                                       cmocka_unit_test(planes_are_written_apart),
                                       cmocka_unit_test(memory_is_shared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
