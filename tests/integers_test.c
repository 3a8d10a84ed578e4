/* SPDX-License-Identifier: Apache-2.0
 * Integers and bool on the device: how they get there and back, which 64-bit results are known to fit, what
 * is said of those that do not, and which arithmetic stays on the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/gpu_run.h"
#include "common/net.h"
#include "common/small_models.h"

#define OK(call)                                                                                             \
    do {                                                                                                     \
        vki_error why[1] = {0};                                                                              \
        if ((call) != VKI_OK) fail_msg("%s: %s", #call, why->text);                                          \
    } while (0)

/* ---- transfers ---- */

static gr_tensor vector(vki_dtype dtype, int64_t n)
{
    return (gr_tensor){.name = "t", .dtype = dtype, .rank = 1, .dims = {n}};
}

static void there_and_back(void **state)
{
    (void)state;
    static const uint8_t bools[3] = {0, 1, 1}, u8[3] = {0, 127, 255};
    static const int8_t i8[3] = {-128, -1, 127};
    static const uint16_t u16[3] = {0, 32768, 65535};
    static const int16_t i16[3] = {-32768, -1, 32767};
    static const int32_t i32[3] = {INT32_MIN, -1, INT32_MAX};
    static const uint32_t u32[3] = {0, 1, UINT32_MAX};
    static const int64_t i64[3] = {-INT32_MAX, 0, INT32_MAX};
    static const uint64_t u64[3] = {0, 1, INT32_MAX};
    const struct {
        vki_dtype dtype;
        const void *host;
        int32_t words[3];
    } rows[] = {{VKI_BOOL, bools, {0, 1, 1}},        {VKI_U8, u8, {0, 127, 255}},
                {VKI_I8, i8, {-128, -1, 127}},       {VKI_U16, u16, {0, 32768, 65535}},
                {VKI_I16, i16, {-32768, -1, 32767}}, {VKI_I32, i32, {INT32_MIN, -1, INT32_MAX}},
                {VKI_U32, u32, {0, 1, -1}},          {VKI_I64, i64, {-INT32_MAX, 0, INT32_MAX}},
                {VKI_U64, u64, {0, 1, INT32_MAX}}};
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gr_tensor t = vector(rows[i].dtype, 3);
        for (int half = 0; half < 2; half++) {
            int32_t device[3];
            uint8_t back[24];
            assert_int_equal(gpu_layout_bytes(&t, GPU_ROW, half), sizeof device);
            assert_int_equal(gpu_to_device(device, rows[i].host, &t, half), -1);
            assert_memory_equal(device, rows[i].words, sizeof device);
            gpu_from_device(back, device, &t, half);
            assert_memory_equal(back, rows[i].host, (size_t)gr_bytes(&t));
        }
    }
}

static void what_does_not_fit(void **state)
{
    (void)state;
    static const int64_t values[] = {INT64_C(2147483648), INT32_MIN, INT64_MIN, INT64_MAX};
    int32_t device[2];
    for (size_t i = 0; i < VKB_COUNT(values); i++) {
        int64_t host[2] = {5, values[i]};
        gr_tensor t = vector(VKI_I64, 2), u = vector(VKI_U64, 2);
        assert_int_equal(gpu_to_device(device, host, &t, false), 1);
        assert_int_equal(gpu_to_device(device, host, &u, false), 1);
    }
    gr_tensor u = vector(VKI_U64, 2);
    assert_int_equal(gpu_to_device(device, (const int64_t[]){-1, 0}, &u, false), 0);
}

/* ---- which results fit ---- */

typedef struct net {
    gr_graph g;
    gr_id wide, narrow, floats; /* inputs of four elements: int64, uint8, float32 */
} net;

static gr_id input(gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims)
{
    gr_id t = gr_add_tensor(g, name, dtype, rank, dims);
    assert_true(gr_add_input(g, t));
    return t;
}

static void open_net(net *n)
{
    net_init(&n->g);
    n->wide = input(&n->g, "wide", VKI_I64, DIMS(4));
    n->narrow = input(&n->g, "narrow", VKI_U8, DIMS(4));
    n->floats = net_input(&n->g, "floats", DIMS(4));
}

static gr_id cast(net *n, gr_id x, vki_dtype to)
{
    gr_id y = net_unary(&n->g, OP_Cast, x);
    ((op_cast_attrs *)net_last(&n->g)->attrs)->to = to;
    return y;
}

static gr_id number(net *n, int64_t value)
{
    return net_ints(&n->g, 1, &value);
}

/* Whether each node, in order, has a kernel: 'g' or 'c'. */
static void expect_kernels(net *n, const char *expected)
{
    gpu_builder b;
    gpu_program p;
    vki_error err = {0};
    OK(gr_infer(&n->g, why));
    assert_int_equal(gpu_builder_init(&b, &n->g, &gpu_limits_minimum, false, &p, &err), VKI_OK);
    assert_int_equal(n->g.n_nodes, strlen(expected));
    for (gr_id i = 0; i < n->g.n_nodes; i++) {
        const char *reason = "";
        bool has = gpu_choose(&b, &n->g.nodes[i], &reason) != NULL;
        if (has != (expected[i] == 'g'))
            fail_msg("node %d, %s: %s", (int)i, op_name(n->g.nodes[i].op), has ? "has a kernel" : reason);
    }
    gpu_builder_free(&b);
    gpu_program_free(&p, n->g.allocator);
    gr_free(&n->g);
}

static void arithmetic_on_what_is_unknown(void **state)
{
    (void)state;
    net n;
    open_net(&n);
    net_binary(&n.g, OP_Add, n.wide, number(&n, 1));
    net_binary(&n.g, OP_Mul, n.wide, n.wide);
    net_binary(&n.g, OP_Div, n.wide, number(&n, -1)); /* the lowest int32 is not let in */
    net_binary(&n.g, OP_Mod, n.wide, n.wide);
    net_binary(&n.g, OP_Max, n.wide, number(&n, 9));
    net_binary(&n.g, OP_Max, n.wide, number(&n, INT64_C(1) << 40)); /* not to be stored */
    net_binary(&n.g, OP_BitwiseXor, n.wide, number(&n, -7));
    net_binary(&n.g, OP_Equal, n.wide, number(&n, 7));
    net_unary(&n.g, OP_Neg, n.wide);
    gr_id inverted = net_unary(&n.g, OP_BitwiseNot, n.wide);
    net_unary(&n.g, OP_Neg, inverted); /* may be the lowest by now */
    net_unary(&n.g, OP_ReduceMax, n.wide);
    net_unary(&n.g, OP_ReduceSum, n.wide);
    cast(&n, n.floats, VKI_I64);
    cast(&n, n.floats, VKI_I32);
    cast(&n, n.wide, VKI_U64);
    cast(&n, n.wide, VKI_U32);
    cast(&n, cast(&n, n.wide, VKI_U32), VKI_I64);
    expect_kernels(&n, "ccgggcgg"
                       "ggcgc"
                       "cgcggc");
}

static void arithmetic_on_what_is_known(void **state)
{
    (void)state;
    net n;
    open_net(&n);
    gr_id small = cast(&n, n.narrow, VKI_I64);                         /* 0 to 255 */
    gr_id more = net_binary(&n.g, OP_Mul, small, number(&n, 1 << 22)); /* below 2^30 */
    net_binary(&n.g, OP_Add, more, small);
    net_binary(&n.g, OP_Mul, more, number(&n, 3));
    net_binary(&n.g, OP_Sub, small, more);
    net_binary(&n.g, OP_Sub, number(&n, -INT64_C(1610612736)), more);
    net_unary(&n.g, OP_ReduceSum, small);
    net_unary(&n.g, OP_ReduceSum, more);
    net_unary(&n.g, OP_ReduceMean, small);
    net_unary(&n.g, OP_ReduceMean, more); /* its sum does not */
    net_unary(&n.g, OP_ReduceSumSquare, small);
    gr_id low = net_binary(&n.g, OP_Mod, n.wide, number(&n, 100));
    net_binary(&n.g, OP_Mul, low, low);
    cast(&n, net_unary(&n.g, OP_Abs, low), VKI_U64);
    net_node(&n.g, OP_CumSum, IN(small, number(&n, 0)));
    net_node(&n.g, OP_CumSum, IN(more, number(&n, 0)));
    cast(&n, net_binary(&n.g, OP_Less, n.wide, low), VKI_I64);
    net_unary(&n.g, OP_ArgMax, n.floats);
    net_node(&n.g, OP_Gather, IN(low, n.wide));
    expect_kernels(&n, "gggcgc"
                       "gcgcg"
                       "gggggc"
                       "gggg");
}

/* What the CPU makes may be anything; only uploads are checked. */
static void ranges_of_host_results(void **state)
{
    (void)state;
    net n;
    open_net(&n);
    gr_id doubled = net_binary(&n.g, OP_Add, n.wide, n.wide);      /* the CPU's */
    gr_id half = net_binary(&n.g, OP_Div, doubled, number(&n, 2)); /* on either */
    net_binary(&n.g, OP_Add, half, half); /* of int32's whole range again, wherever half comes from */
    expect_kernels(&n, "cgc");
}

/* ---- sessions ---- */

static vki_session *open_session(gr_graph *g, vki_placement placement, bool half)
{
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    vki_context_options o = {.size = sizeof o, .backend = VKI_BACKEND_VULKAN};
    vki_session_options so = {.size = sizeof so, .placement = placement};
    so.precision = half ? VKI_PRECISION_FP16_STORE : VKI_PRECISION_FP32;
    OK(vki_context_create(&o, &c, why));
    OK(vki_model_load_file(c, small_model_file(g), &m, why));
    OK(vki_session_create(m, &so, &s, why));
    vki_model_destroy(&m);
    vki_context_destroy(&c);
    return s;
}

static void values_that_do_not_fit(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    net n;
    open_net(&n);
    net_output(&n.g, net_binary(&n.g, OP_Mul, cast(&n, n.wide, VKI_F32), n.floats));
    vki_session *s = open_session(&n.g, VKI_PLACE_AUTO, false);
    vki_error err = {0};
    const int64_t good[4] = {1, -2, 3, -4}, bad[4] = {1, -2, INT64_C(3000000000), -4};
    const uint8_t unused[4] = {0};
    const float floats[4] = {1, 2, 3, 0.5f};
    float y[4];
    assert_int_equal(vki_session_write(s, 0, bad, sizeof bad, &err), VKI_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "wide"));
    assert_non_null(strstr(err.text, "3000000000"));
    assert_non_null(strstr(err.text, "CPU_ONLY"));
    OK(vki_session_write(s, 1, unused, sizeof unused, why));
    OK(vki_session_write(s, 2, floats, sizeof floats, why));
    assert_int_equal(vki_session_run(s, 0, &err), VKI_E_STATE); /* input 0 is not written */
    OK(vki_session_write(s, 0, good, sizeof good, why));
    OK(vki_session_run(s, 0, why));
    OK(vki_session_read(s, 0, y, sizeof y, why));
    assert_true(y[0] == 1 && y[1] == -4 && y[2] == 9 && y[3] == -2);
    vki_session_destroy(&s);
    gr_free(&n.g);
}

/* The same of a value that the CPU makes in between. */
static void results_that_do_not_fit(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    net n;
    open_net(&n);
    gr_id sum = net_binary(&n.g, OP_Mul, n.wide, n.wide);
    net_output(&n.g, net_binary(&n.g, OP_Mul, cast(&n, sum, VKI_F32), n.floats));
    vki_session *s = open_session(&n.g, VKI_PLACE_AUTO, false);
    vki_error err = {0};
    const int64_t good[4] = {1, -2, 3, -4}, bad[4] = {1, -2, 100000, -4};
    const uint8_t unused[4] = {0};
    const float floats[4] = {1, 2, 3, 0.5f};
    float y[4];
    OK(vki_session_write(s, 0, bad, sizeof bad, why));
    OK(vki_session_write(s, 1, unused, sizeof unused, why));
    OK(vki_session_write(s, 2, floats, sizeof floats, why));
    assert_int_equal(vki_session_run(s, 0, &err), VKI_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "10000000000"));
    OK(vki_session_write(s, 0, good, sizeof good, why));
    OK(vki_session_run(s, 0, why));
    OK(vki_session_read(s, 0, y, sizeof y, why));
    assert_true(y[0] == 1 && y[1] == 8 && y[2] == 27 && y[3] == 8);
    vki_session_destroy(&s);
    gr_free(&n.g);
}

typedef struct places {
    char text[64]; /* by node: v(ulkan), c(pu), n(one) */
    size_t n;
} places;

static void note_place(void *user, const vki_node_report *r)
{
    places *p = user;
    if (p->n + 1 < sizeof p->text) p->text[p->n++] = r->place[0];
}

static void expect_places(gr_graph *g, vki_placement placement, const char *expected)
{
    vki_session *s = open_session(g, placement, false);
    places p = {.n = 0};
    assert_int_equal(vki_session_report(s, note_place, &p), VKI_OK);
    assert_string_equal(p.text, expected);
    vki_session_destroy(&s);
}

static void where_integers_go(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    net n;
    open_net(&n); /* from the input to an output, and nothing else */
    gr_id half = net_binary(&n.g, OP_Div, n.wide, number(&n, 2));
    net_output(&n.g, net_unary(&n.g, OP_Neg, half));
    net_output(&n.g, net_unary(&n.g, OP_Exp, n.floats));
    expect_places(&n.g, VKI_PLACE_AUTO, "ccv");
    expect_places(&n.g, VKI_PLACE_GPU_ONLY, "vvv");
    gr_free(&n.g);

    open_net(&n); /* a device kernel reads them */
    half = net_binary(&n.g, OP_Div, n.wide, number(&n, 2));
    net_output(&n.g, net_binary(&n.g, OP_Mul, cast(&n, net_unary(&n.g, OP_Neg, half), VKI_F32), n.floats));
    expect_places(&n.g, VKI_PLACE_AUTO, "vvvv");
    gr_free(&n.g);

    open_net(&n); /* the CPU makes them; it goes on with them until the device needs them */
    half = net_binary(&n.g, OP_Div, net_binary(&n.g, OP_Add, n.wide, n.wide), number(&n, 2));
    net_output(&n.g, net_binary(&n.g, OP_Mul, cast(&n, net_unary(&n.g, OP_Neg, half), VKI_F32), n.floats));
    expect_places(&n.g, VKI_PLACE_AUTO, "cccvv");
    gr_free(&n.g);

    open_net(&n); /* the device makes them */
    gr_id large = net_binary(&n.g, OP_Greater, n.floats, net_scalar(&n.g, 0.5f));
    net_output(&n.g, net_unary(&n.g, OP_Not, large));
    expect_places(&n.g, VKI_PLACE_AUTO, "vv");
    gr_free(&n.g);
}

/* A chain through most of the types, in both precisions, against the CPU. */
static void a_chain_of_types(void **state)
{
    (void)state;
    if (!gpu_run_device()) skip();
    net n;
    open_net(&n);
    gr_id small = cast(&n, n.narrow, VKI_I64);
    gr_id scaled = net_binary(&n.g, OP_Mul, small, number(&n, 1000003));
    gr_id sums = net_node(&n.g, OP_CumSum, IN(scaled, number(&n, 0)));
    gr_id mean = net_unary(&n.g, OP_ReduceMean, scaled);
    gr_id above = net_binary(&n.g, OP_Greater, sums, mean);
    gr_id words = cast(&n, net_node(&n.g, OP_Where, IN(above, sums, n.wide)), VKI_U32);
    net_output(&n.g, words);
    net_output(&n.g, net_binary(&n.g, OP_Add, cast(&n, words, VKI_I16), cast(&n, above, VKI_I16)));
    net_output(&n.g, net_binary(&n.g, OP_Mul, cast(&n, cast(&n, words, VKI_U8), VKI_F32), n.floats));
    net_output(&n.g, net_node(&n.g, OP_Gather, IN(sums, net_binary(&n.g, OP_Mod, n.wide, number(&n, 4)))));
    const int64_t wide[4] = {-2000000000, 7, INT32_MAX, -3};
    const uint8_t narrow[4] = {255, 0, 17, 254};
    const float floats[4] = {1, 2, 4, 0.5f};
    char results[3][4 * (4 + 2 + 4 + 8)];
    for (int run = 0; run < 3; run++) {
        bool half = run == 2;
        if (half && !vkr_device_limits(gpu_run_device())->half_storage) continue;
        vki_session *s = open_session(&n.g, run ? VKI_PLACE_GPU_ONLY : VKI_PLACE_CPU_ONLY, half);
        OK(vki_session_write(s, 0, wide, sizeof wide, why));
        OK(vki_session_write(s, 1, narrow, sizeof narrow, why));
        OK(vki_session_write(s, 2, floats, sizeof floats, why));
        OK(vki_session_run(s, 0, why));
        char *at = results[run];
        for (int i = 0; i < 4; i++) {
            vki_tensor_info info;
            assert_int_equal(vki_session_output(s, i, &info), VKI_OK);
            size_t bytes = 4 * vki_dtype_size(info.dtype);
            OK(vki_session_read(s, i, at, bytes, why));
            at += bytes;
        }
        assert_ptr_equal(at, results[run] + sizeof results[run]);
        if (run) assert_memory_equal(results[run], results[0], sizeof results[0]);
        vki_session_destroy(&s);
    }
    gr_free(&n.g);
}

int main(void)
{
    gpu_run_device(); /* keeps the driver loaded */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(arithmetic_on_what_is_unknown),
        cmocka_unit_test(arithmetic_on_what_is_known),
        cmocka_unit_test(ranges_of_host_results),
        cmocka_unit_test(values_that_do_not_fit),
        cmocka_unit_test(results_that_do_not_fit),
        cmocka_unit_test(where_integers_go),
        cmocka_unit_test(a_chain_of_types),
    };
    return cmocka_run_group_tests_name("integers", tests, NULL, NULL);
}
