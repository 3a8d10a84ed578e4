/* SPDX-License-Identifier: Apache-2.0
 * Tensors that lie in parts of others, in whole networks: Concat, Split and Slice in all the ways in which
 * they can or cannot share memory, on both back ends, against the reference; inputs and outputs that cross in
 * slices. */
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
#include "common/small_models.h"

static vki_session_stats stats_of(const gr_graph *g, bool vulkan, bool staging, const char *disable,
                                  bool keep)
{
    const vki_session_options o = {.size = sizeof o, .disable_passes = disable, .keep_intermediates = keep};
    return session_check_options(g, vulkan, staging, &o);
}

static void check(gr_graph *g)
{
    for (int vulkan = 0; vulkan <= (gpu_run_device() != NULL); vulkan++) {
        stats_of(g, vulkan, false, NULL, false);
        stats_of(g, vulkan, false, NULL, true);
        stats_of(g, vulkan, false, "views,input_slices", false);
        if (vulkan) stats_of(g, true, true, NULL, false);
    }
    gr_free(g);
}

static gr_id concat(gr_graph *g, int64_t axis, int count, const gr_id *in)
{
    gr_id y = net_node(g, OP_Concat, count, in);
    ((op_axis_attrs *)net_last(g)->attrs)->axis = axis;
    return y;
}

static void split(gr_graph *g, gr_id x, int64_t axis, int64_t a, int64_t b, gr_id out[2])
{
    gr_id in[2] = {x, net_ints(g, 2, (const int64_t[]){a, b})};
    for (int i = 0; i < 2; i++) out[i] = gr_add_tensor(g, NULL, VKI_F32, -1, NULL);
    ((op_axis_attrs *)gr_add_node(g, OP_Split, "split", 2, in, 2, out)->attrs)->axis = axis;
}

static gr_id slice(gr_graph *g, gr_id x, int64_t axis, int64_t from, int64_t to, int64_t step)
{
    return net_node(
        g, OP_Slice,
        IN(x, net_ints(g, 1, &from), net_ints(g, 1, &to), net_ints(g, 1, &axis), net_ints(g, 1, &step)));
}

/* Twice the same, within each other, read and given out besides, an input and a constant among them. */
static void joined(void **state)
{
    (void)state;
    for (int64_t channels = 3; channels <= 16; channels += channels < 5 ? 1 : 11) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(1, channels, 5, 8)), a = net_unary(&g, OP_Relu, x);
        gr_id b = net_unary(&g, OP_Exp, a), inner = concat(&g, 1, IN(b, a, b));
        gr_id c = net_random(&g, DIMS(1, channels, 5, 8)), outer = concat(&g, -3, IN(x, inner, c, b));
        net_output(&g, b);
        net_output(&g, outer);
        net_output(&g, net_unary(&g, OP_Abs, inner));
        net_output(&g, concat(&g, 0, IN(a, b)));
        net_output(&g, concat(&g, 3, IN(a, b)));
        check(&g);
    }
}

static void cut(void **state)
{
    (void)state;
    for (int axis = 0; axis < 3; axis++) {
        gr_graph g;
        gr_id part[2], again[2];
        net_init(&g);
        gr_id x = net_unary(&g, OP_Neg, net_input(&g, "x", DIMS(axis ? 1 : 12, 12, 12)));
        split(&g, x, axis, 8, 4, part);
        split(&g, part[0], axis, 5, 3, again);
        net_output(&g, net_unary(&g, OP_Exp, part[1]));
        net_output(&g, again[1]);
        net_output(&g, concat(&g, axis, IN(again[1], again[0], part[1])));
        net_output(&g, slice(&g, x, axis, 4, 8, 1));
        net_output(&g, net_unary(&g, OP_Abs, slice(&g, x, axis, -1, -100, -1)));
        net_output(&g, slice(&g, net_random(&g, DIMS(12, 12, 12)), axis, 2, 10, 1));
        check(&g);
    }
}

/* Parts through views; a part that is the whole. */
static void views_of_parts(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 16, 4, 4)), a = net_unary(&g, OP_Relu, x);
    gr_id flat = net_node(&g, OP_Reshape, IN(a, net_ints(&g, 2, (const int64_t[]){1, 256})));
    gr_id e = net_unary(&g, OP_Exp, flat), one = concat(&g, 1, IN(flat, e));
    gr_id back = net_node(&g, OP_Reshape, IN(one, net_ints(&g, 4, (const int64_t[]){1, 32, 4, 4})));
    net_output(&g, net_node(&g, OP_Conv, IN(back, net_random(&g, DIMS(8, 32, 1, 1)))));
    net_output(&g, slice(&g, back, 1, 16, 32, 1));
    net_output(&g, concat(&g, 1, IN(net_unary(&g, OP_Identity, back), back)));
    check(&g);
}

/* The parts need no memory beside the whole. */
static void memory_is_shared(void **state)
{
    (void)state;
    for (int vulkan = 0; vulkan <= (gpu_run_device() != NULL); vulkan++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(1, 16, 32, 32)), in[4];
        gr_id small = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(16, 16, 1, 1))));
        const op_kind kinds[] = {OP_Tanh, OP_Sin, OP_Abs, OP_Neg};
        for (int i = 0; i < 4; i++) in[i] = net_unary(&g, kinds[i], small);
        gr_id c = concat(&g, 1, IN(in[0], in[1], in[2], in[3]));
        net_output(&g, net_unary(&g, OP_GlobalMaxPool, c)); /* needs no scratch memory, which would hide it */
        uint64_t with = stats_of(&g, vulkan, false, NULL, false).activation_bytes;
        uint64_t without = stats_of(&g, vulkan, false, "views", false).activation_bytes;
        assert_true(with + 65536 < without);
        gr_free(&g);
    }
}

/* Uploaded in slices: where only convolutions and pools read it, with lanes to spare and without. */
static void inputs_in_slices(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    for (int64_t channels = 1; channels <= 8; channels++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, channels, 6, 7));
        gr_id y = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(5, channels, 3, 3))));
        net_output(&g, y);
        vki_session_stats with = stats_of(&g, true, false, NULL, false);
        vki_session_stats without = stats_of(&g, true, false, "input_slices", false);
        assert_int_equal(with.dispatches, 1);
        assert_int_equal(without.dispatches, 2);
        net_output(&g, net_unary(&g, OP_Exp, x)); /* wants rows */
        check(&g);
    }
}

/* There and back, in either precision on either side, with lanes to spare and without. */
static void slices_and_rows(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        const bool half = which & 1;
        for (int64_t channels = 1; channels <= 9; channels++) {
            gr_tensor t = {.dtype = which & 2 ? VKI_F16 : VKI_F32, .rank = 4, .dims = {2, channels, 3, 1}};
            float device[2 * 12 * 3], from[2 * 9 * 3], to[2 * 9 * 3];
            const size_t n = (size_t)gr_elements(&t), bytes = (size_t)gr_bytes(&t);
            for (size_t i = 0; i < n; i++) {
                float v = (float)i * 0.25f; /* which fp16 holds */
                if (t.dtype == VKI_F16)
                    ((uint16_t *)from)[i] = vkb_f32_to_f16(v);
                else
                    from[i] = v;
            }
            memset(to, 0xff, sizeof to);
            gpu_to_slices(device, from, &t, half);
            gpu_from_slices(to, device, &t, half);
            assert_memory_equal(from, to, bytes);
            for (size_t i = bytes; i < sizeof to; i++) assert_int_equal(((uint8_t *)to)[i], 0xff);
        }
    }
}

/* Downloaded in slices, for the caller and for a node on the CPU; not where rows are there, too. */
static void outputs_in_slices(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    for (int64_t channels = 1; channels <= 8; channels++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(2, 3, 6, 7));
        gr_id y = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(channels, 3, 3, 3))));
        net_output(&g, y);
        vki_session_stats with = stats_of(&g, true, false, NULL, false);
        vki_session_stats without = stats_of(&g, true, false, "output_slices", false);
        assert_int_equal(with.dispatches, 1);
        assert_int_equal(without.dispatches, 2);
        assert_true(with.activation_bytes < without.activation_bytes);
        gr_id compressed = net_node(&g, OP_NonZero, IN(y)); /* of the CPU alone */
        net_output(&g, compressed);
        check(&g);
    }
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 3, 6, 8));
    gr_id y = net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(6, 3, 3, 3))));
    net_output(&g, y);
    net_output(&g, net_node(&g, OP_Softmax, IN(y))); /* wants rows */
    vki_session_stats with = stats_of(&g, true, false, NULL, false);
    vki_session_stats without = stats_of(&g, true, false, "output_slices", false);
    assert_int_equal(with.dispatches, without.dispatches);
    check(&g);
}

/* What can be cut out and joined in either layout is so in the one it comes in. */
static void layouts_stay(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    for (int slices = 0; slices < 2; slices++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(1, 8, 6, 6)), out[2];
        x = slices ? net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(8, 8, 1, 1))))
                   : net_node(&g, OP_Softmax, IN(x));
        split(&g, x, 2, 2, 4, out);
        x = concat(&g, 2, 2, (const gr_id[]){net_unary(&g, OP_Exp, out[1]), net_unary(&g, OP_Sin, out[0])});
        x = slices ? net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(8, 8, 1, 1))))
                   : net_node(&g, OP_Softmax, IN(x));
        net_output(&g, x);
        assert_int_equal(stats_of(&g, true, false, NULL, false).dispatches,
                         2 + 2 + 2 + 2); /* no conversion */
        check(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joined),           cmocka_unit_test(cut),
        cmocka_unit_test(views_of_parts),   cmocka_unit_test(memory_is_shared),
        cmocka_unit_test(inputs_in_slices), cmocka_unit_test(outputs_in_slices),
        cmocka_unit_test(slices_and_rows),  cmocka_unit_test(layouts_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
