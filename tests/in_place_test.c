/* SPDX-License-Identifier: Apache-2.0
 * Outputs in the place of inputs: who may have whose, and that dispatches on one memory are kept in order. */
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
#include "session/session.h"

typedef struct planned {
    gr_graph g;
    gpu_builder b;
    gpu_program p;
    bool held[32];
} planned;

/* Plans all nodes on the device and emits them. */
static void emit_all(planned *f)
{
    vki_error err = {0};
    assert_int_equal(gr_infer(&f->g, &err), VKI_OK);
    assert_int_equal(gpu_builder_init(&f->b, &f->g, &gpu_limits_minimum, false, &f->p, &err), VKI_OK);
    for (int i = 0; i < f->g.n_nodes; i++) {
        const char *why = "";
        const gpu_kernel *k = gpu_choose(&f->b, &f->g.nodes[i], &why);
        assert_non_null(k);
        assert_int_equal(gpu_emit(&f->b, i, k), VKI_OK);
    }
    assert_true(f->p.n_bufs <= (int)VKB_COUNT(f->held));
    gpu_program_lifetimes(&f->p);
}

static void release(planned *f)
{
    gpu_builder_free(&f->b);
    gpu_program_free(&f->p, f->g.allocator);
    gr_free(&f->g);
}

/* In slices, if it is there so. */
static int32_t memory_of(const planned *f, gr_id tensor)
{
    int32_t buf = f->b.c4_buf[tensor] >= 0 ? f->b.c4_buf[tensor] : f->b.row_buf[tensor];
    return f->p.bufs[buf].alias >= 0 ? f->p.bufs[buf].alias : buf;
}

/* x lives on; maps, sums, a choice and a softmax behind its first node are made in two places. */
static void chains_stay_in_place(void **state)
{
    (void)state;
    planned f = {0};
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(3, 40)), y = net_input(&f.g, "y", DIMS(1, 40));
    gr_id a = net_unary(&f.g, OP_Exp, x), b = net_binary(&f.g, OP_Mul, a, y),
          c = net_binary(&f.g, OP_Add, b, b);
    gr_id which = net_binary(&f.g, OP_Greater, c, y);
    gr_id d = net_node(&f.g, OP_Where, IN(which, c, net_random(&f.g, DIMS(3, 40))));
    gr_id e = net_unary(&f.g, OP_Softmax, d);
    net_output(&f.g, e);
    emit_all(&f);
    f.held[memory_of(&f, x)] = f.held[memory_of(&f, e)] = true;
    assert_int_equal(gpu_program_in_place(&f.p, f.held), 4); /* b, c, d, e */
    assert_int_equal(memory_of(&f, b), memory_of(&f, a));
    assert_int_equal(memory_of(&f, c), memory_of(&f, a));
    assert_int_equal(memory_of(&f, d), memory_of(&f, which)); /* the first that may be had */
    assert_int_equal(memory_of(&f, e), memory_of(&f, which));
    assert_int_not_equal(memory_of(&f, a), memory_of(&f, x));
    assert_true(f.held[memory_of(&f, which)]); /* as e was */
    assert_int_equal(f.p.bufs[memory_of(&f, which)].last, f.p.n_dispatches - 1);
    int barriers = 0;
    vki_error err;
    for (int i = 0, at = 0; i < f.p.n_bufs; i++, at += 1 << 16) f.p.bufs[i].offset = (uint64_t)at;
    assert_int_equal(gpu_count_barriers(&f.p, 0, f.p.n_dispatches, &vkb_libc_allocator, &barriers, &err),
                     VKI_OK);
    assert_int_equal(barriers, f.p.n_dispatches - 1); /* each waits for the one before */
    release(&f);
}

/* Read later, read elsewhere too, of another size, held: no. */
static void others_keep_their_places(void **state)
{
    (void)state;
    planned f = {0};
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(3, 40)), a = net_unary(&f.g, OP_Exp, x),
          b = net_unary(&f.g, OP_Neg, a);
    gr_id small = net_unary(&f.g, OP_Exp, net_input(&f.g, "s", DIMS(1, 40)));
    gr_id c = net_binary(&f.g, OP_Mul, b, a), d = net_binary(&f.g, OP_Add, small, c);
    gr_id square = net_unary(&f.g, OP_Exp, net_input(&f.g, "q", DIMS(8, 8)));
    gr_id p = net_node(&f.g, OP_MatMul, IN(square, square));
    net_output(&f.g, d);
    net_output(&f.g, p);
    emit_all(&f);
    f.held[memory_of(&f, x)] = f.held[memory_of(&f, c)] = true;
    gpu_program_in_place(&f.p, f.held);
    assert_int_not_equal(memory_of(&f, b), memory_of(&f, a));     /* a is read again */
    assert_int_equal(memory_of(&f, c), memory_of(&f, b));         /* now */
    assert_int_not_equal(memory_of(&f, d), memory_of(&f, c));     /* c is held */
    assert_int_not_equal(memory_of(&f, d), memory_of(&f, small)); /* a row for all rows */
    assert_int_not_equal(memory_of(&f, p), memory_of(&f, square));
    release(&f);
}

/* A sum of convolutions: the epilogue's tensor gives its place, unless the convolution reads it as well. */
static void residuals_give_their_places(void **state)
{
    (void)state;
    for (int both = 0; both < 2; both++) {
        planned f = {0};
        net_init(&f.g);
        gr_id x = net_input(&f.g, "x", DIMS(1, 4, 6, 6)), a = net_unary(&f.g, OP_Exp, x);
        gr_id w = net_random(&f.g, DIMS(4, 4, 1, 1)), other = both ? a : net_unary(&f.g, OP_Neg, x);
        gr_id y = net_node(&f.g, OP_Conv, IN(other, w));
        gr_node *conv = net_last(&f.g);
        assert_true(gr_set_inputs(&f.g, conv, IN(other, w, a)));
        conv->epilogue.residual = GR_RESIDUAL_BEFORE;
        conv->epilogue.act = GR_ACT_RELU;
        net_output(&f.g, y);
        emit_all(&f);
        f.held[memory_of(&f, x)] = true;
        gpu_program_in_place(&f.p, f.held);
        assert_int_equal(memory_of(&f, y) == memory_of(&f, a), !both);
        release(&f);
    }
}

/* ---- sessions ---- */

/* Maps, sums with what is read before and after, normalizations, views between, an input read at the end,
 * outputs in the middle. */
static void make_net(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(2, 4, 6, 6)), a = net_unary(g, OP_Sigmoid, x),
          b = net_unary(g, OP_Exp, a);
    gr_id c = net_binary(g, OP_Add, b, a), middle = net_unary(g, OP_Neg, c);
    net_output(g, middle);
    gr_id rows =
        net_node(g, OP_Reshape, IN(net_unary(g, OP_Abs, middle), net_ints(g, 2, (const int64_t[]){8, 36})));
    gr_id soft = net_unary(g, OP_LogSoftmax, net_unary(g, OP_Sqrt, rows));
    gr_id back = net_node(g, OP_Reshape, IN(soft, net_ints(g, 4, (const int64_t[]){2, 4, 6, 6})));
    gr_id norm =
        net_node(g, OP_InstanceNormalization, IN(back, net_positive(g, DIMS(4)), net_random(g, DIMS(4))));
    gr_id bias = net_random(g, DIMS(1, 4, 1, 1)),
          sum = net_binary(g, OP_Add, net_binary(g, OP_Mul, norm, bias), x);
    net_output(g, net_unary(g, OP_Exp, net_binary(g, OP_Max, sum, net_binary(g, OP_Min, sum, x))));
}

static void sessions_agree(void **state)
{
    (void)state;
    gr_graph g;
    make_net(&g);
    for (int way = 0; way < (gpu_run_device() ? 3 : 1); way++) {
        vki_model *m = session_load(&g, way > 0, way > 1, NULL);
        vki_session *reference = NULL, *s[2] = {NULL, NULL};
        vki_session_stats stats[2];
        SESSION_OK(vki_session_create(
            m, &(vki_session_options){.size = sizeof(vki_session_options), .reference = true}, &reference,
            why));
        session_write_inputs(reference, g.n_inputs);
        SESSION_OK(vki_session_run(reference, 0, why));
        for (int off = 0; off < 2; off++) {
            vki_session_options o = {.size = sizeof o, .disable_passes = off ? "in_place" : NULL};
            SESSION_OK(vki_session_create(m, &o, &s[off], why));
            session_write_inputs(s[off], g.n_inputs);
            session_compare(&g, reference, s[off]);
            stats[off] = (vki_session_stats){.size = sizeof stats[off]};
            assert_int_equal(vki_session_stats_get(s[off], &stats[off]), VKI_OK);
        }
        print_message("%s: %llu bytes in place, %llu apart\n", way ? "vulkan" : "cpu",
                      (unsigned long long)stats[0].activation_bytes,
                      (unsigned long long)stats[1].activation_bytes);
        assert_true(stats[0].activation_bytes < stats[1].activation_bytes);
        for (int off = 0; off < 2; off++) vki_session_destroy(&s[off]);
        vki_session_destroy(&reference);
        vki_model_destroy(&m);
    }
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_stay_in_place),
        cmocka_unit_test(others_keep_their_places),
        cmocka_unit_test(residuals_give_their_places),
        cmocka_unit_test(sessions_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
