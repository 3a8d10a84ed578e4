/* SPDX-License-Identifier: Apache-2.0
 * 1x1 convolutions that the depthwise ones behind them compute part by part on the CPU: against the
 * reference, the same bits for every number of threads, and never where the tensor between is
 * needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"

typedef enum apart_reason { /* why the two stay apart */
                            MERGED = 0,
                            OTHER_READER, /* of the tensor between */
                            COLLISIONS    /* of the input's planes in the cache, for few outputs */
} apart_reason;

typedef struct layer {
    int64_t batch, in, channels, height, width, size, stride, dilation, pad;
    op_kind wide_act, act; /* OP_NONE: none */
    bool bias, residual;
    apart_reason apart;
} layer;

static const layer layers[] = {
    {1, 16, 24, 112, 112, 3, 2, 1, 1, OP_Relu, OP_Relu, true, false, MERGED},
    {1, 5, 37, 70, 67, 5, 1, 1, 2, OP_HardSwish, OP_HardSwish, true, false, MERGED},
    {2, 24, 50, 56, 56, 3, 1, 1, 1, OP_Silu, OP_Silu, true, false, MERGED},
    {1, 20, 20, 480, 29, 3, 1, 3, 3, OP_NONE, OP_NONE, false, true,
     MERGED}, /* the residual is the input itself */
    {1, 9, 40, 400, 61, 5, 2, 1, 0, OP_Relu, OP_Sigmoid, true, false, MERGED},
    {1, 8, 12, 1000, 13, 3, 1, 1, 2, OP_Relu, OP_NONE, true, false, MERGED},
    {1, 120, 130, 160, 10, 3, 1, 1, 1, OP_Relu, OP_NONE, true, false, MERGED},
    {2, 17, 40, 64, 64, 5, 1, 1, 2, OP_Relu, OP_Relu, true, false, MERGED}, /* the input is copied */
    {1, 16, 35, 128, 128, 3, 2, 1, 1, OP_Silu, OP_NONE, false, false, MERGED},
    {1, 12, 8000, 2, 9, 3, 1, 1, 1, OP_NONE, OP_Relu, true, false, MERGED},
    {1, 256, 100, 3, 400, 5, 1, 2, 6, OP_NONE, OP_Relu, false, false, MERGED}, /* rows outside alone */
    {1, 16, 24, 80, 80, 3, 1, 1, 1, OP_Relu, OP_Relu, true, false, OTHER_READER},
    {1, 64, 64, 80, 80, 3, 1, 1, 1, OP_Relu, OP_Relu, true, false, COLLISIONS},
};

static gr_id conv(gr_graph *g, gr_id x, bool bias, int64_t out, int64_t in, int64_t size, op_kind act)
{
    const gr_id weights = net_random(g, DIMS(out, in, size, size));
    const gr_id y = bias ? net_node(g, OP_Conv, IN(x, weights, net_random(g, DIMS(out))))
                         : net_node(g, OP_Conv, IN(x, weights));
    return act == OP_NONE ? y : net_unary(g, act, y);
}

static void make_net(gr_graph *g, const layer *l)
{
    net_init(g);
    const gr_id x = net_input(g, "x", DIMS(l->batch, l->in, l->height, l->width));
    const gr_id wide = conv(g, x, l->bias, l->channels, l->in, 1, l->wide_act);
    gr_id y = conv(g, wide, l->bias, l->channels, 1, l->size, OP_NONE);
    op_conv_attrs *a = net_last(g)->attrs;
    a->group = l->channels;
    net_set_ints(&a->strides, 2, (const int64_t[]){l->stride, l->stride});
    net_set_ints(&a->dilations, 2, (const int64_t[]){l->dilation, l->dilation});
    net_set_ints(&a->pads, 4, (const int64_t[]){l->pad, l->pad, l->pad, l->pad});
    if (l->residual) y = net_binary(g, OP_Add, y, x);
    if (l->act != OP_NONE) y = net_unary(g, l->act, y);
    net_output(g, y);
    if (l->apart == OTHER_READER) net_output(g, net_unary(g, OP_Neg, wide));
}

static void count_merged(void *user, const vki_node_report *node)
{
    *(int *)user += !strcmp(node->kernel, "conv2d_expansion");
}

static vki_session *create(vki_model *m, int threads, const char *disable, bool reference)
{
    const vki_session_options o = {
        .size = sizeof o, .threads = threads, .disable_passes = disable, .reference = reference};
    vki_session *s = NULL;
    SESSION_OK(vki_session_create(m, &o, &s, why));
    session_write_inputs(s, 1);
    return s;
}

static float *output(vki_session *s, size_t *bytes)
{
    vki_tensor_info info;
    assert_int_equal(vki_session_output(s, 0, &info), VKI_OK);
    *bytes = session_elements(&info) * sizeof(float);
    float *p = malloc(*bytes);
    assert_non_null(p);
    SESSION_OK(vki_session_run(s, 0, why));
    SESSION_OK(vki_session_read(s, 0, p, *bytes, why));
    return p;
}

static void check(const layer *l)
{
    gr_graph g;
    make_net(&g, l);
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *reference = create(m, 1, NULL, true);
    SESSION_OK(vki_session_run(reference, 0, why));
    float *first = NULL;
    for (int threads = 1; threads <= 4; threads++) {
        vki_session *s = create(m, threads, NULL, false);
        int merged = 0;
        size_t bytes;
        session_compare(&g, reference, s);
        assert_int_equal(vki_session_report(s, count_merged, &merged), VKI_OK);
        assert_int_equal(merged, l->apart ? 0 : 2);
        float *y = output(s, &bytes);
        if (first) assert_memory_equal(first, y, bytes);
        free(first);
        first = y;
        vki_session_destroy(&s);
    }
    vki_session *apart = create(m, 2, "expansion", false);
    int merged = 0;
    session_compare(&g, reference, apart);
    assert_int_equal(vki_session_report(apart, count_merged, &merged), VKI_OK);
    assert_int_equal(merged, 0);
    vki_session_destroy(&apart);
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    free(first);
    gr_free(&g);
}

static void layers_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(layers); i++) check(&layers[i]);
}

/* What lies between is never made. */
static void memory_is_less(void **state)
{
    (void)state;
    gr_graph g;
    make_net(&g, &layers[0]);
    vki_model *m = session_load(&g, false, false, NULL);
    uint64_t bytes[2];
    for (int off = 0; off < 2; off++) {
        vki_session *s = create(m, 1, off ? "expansion" : NULL, false);
        vki_session_stats stats = {.size = sizeof stats};
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        bytes[off] = stats.activation_bytes;
        vki_session_destroy(&s);
    }
    assert_true(bytes[0] + 12 * 112 * 112 * 4 <= bytes[1]); /* half of it; there is scratch instead */
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_agree),
        cmocka_unit_test(memory_is_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
