/* SPDX-License-Identifier: Apache-2.0
 * Depthwise convolutions on the CPU that give the mean of each channel of what they make: against the
 * reference, the same bits for every number of threads and all sizes of caches, and only where the pool asks
 * for nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"
#include "cpu/cpu.h"

typedef struct layer {
    int64_t batch, in, channels, multiplier, height, width, size, stride;
    op_kind act, pool, pool_act;
    bool expands, residual, given, twice; /* given: only the mean is used else; twice: it is taken */
    bool between;                         /* other nodes stand between the two */
    int means;                            /* nodes that are one with a convolution */
} layer;

static const layer layers[] = {
    {1, 0, 20, 1, 7, 7, 3, 1, OP_Relu, OP_GlobalAveragePool, OP_NONE, false, false, true, false, false, 1},
    {2, 0, 9, 1, 112, 112, 3, 1, OP_Silu, OP_GlobalAveragePool, OP_NONE, false, false, true, false, false, 1},
    {1, 0, 7, 2, 57, 61, 5, 2, OP_HardSwish, OP_GlobalAveragePool, OP_NONE, false, false, false, false, false,
     1},
    {1, 0, 13, 1, 300, 3, 3, 1, OP_NONE, OP_GlobalAveragePool, OP_NONE, false, false, true, false, false, 1},
    {1, 0, 5, 1, 2, 1200, 3, 1, OP_NONE, OP_GlobalAveragePool, OP_NONE, false, true, true, false, false, 1},
    {1, 16, 50, 1, 112, 112, 3, 2, OP_Silu, OP_GlobalAveragePool, OP_NONE, true, false, true, false, false,
     1},
    {2, 24, 40, 1, 56, 57, 5, 1, OP_Relu, OP_GlobalAveragePool, OP_NONE, true, false, true, false, false, 1},
    {1, 0, 600, 1, 2, 3, 3, 1, OP_Relu, OP_GlobalAveragePool, OP_NONE, false, false, true, true, false, 1},
    {1, 0, 600, 1, 2, 3, 3, 1, OP_Relu, OP_GlobalAveragePool, OP_NONE, false, false, true, false, true, 1},
    {1, 0, 20, 1, 14, 14, 3, 1, OP_Relu, OP_GlobalAveragePool, OP_Relu, false, false, true, false, false, 0},
    {1, 0, 20, 1, 14, 14, 3, 1, OP_Relu, OP_GlobalMaxPool, OP_NONE, false, false, true, false, false, 0},
};

static void make_net(gr_graph *g, const layer *l)
{
    const int64_t pad = l->size / 2, out = l->channels * l->multiplier;
    net_init(g);
    const gr_id x = net_input(g, "x", DIMS(l->batch, l->expands ? l->in : l->channels, l->height, l->width));
    gr_id y = x;
    if (l->expands) {
        y = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(l->channels, l->in, 1, 1))));
        y = net_unary(g, OP_Relu, y);
    }
    y = net_node(g, OP_Conv, IN(y, net_random(g, DIMS(out, 1, l->size, l->size)), net_random(g, DIMS(out))));
    op_conv_attrs *a = net_last(g)->attrs;
    a->group = l->channels;
    net_set_ints(&a->strides, 2, (const int64_t[]){l->stride, l->stride});
    net_set_ints(&a->pads, 4, (const int64_t[]){pad, pad, pad, pad});
    if (l->residual) y = net_binary(g, OP_Add, y, x);
    if (l->act != OP_NONE) y = net_unary(g, l->act, y);
    gr_id most =
        GR_NONE; /* made between the convolution and the pool, in memory that the mean must not have */
    if (l->between) most = net_unary(g, OP_GlobalMaxPool, net_unary(g, OP_Sin, y));
    gr_id mean = net_unary(g, l->pool, y);
    if (l->pool_act != OP_NONE) mean = net_unary(g, l->pool_act, mean);
    net_output(g, net_unary(g, OP_Neg, mean));
    if (l->given) net_output(g, y);
    if (l->twice) net_output(g, net_binary(g, OP_Mul, mean, net_unary(g, OP_Exp, y)));
    if (l->between) net_output(g, most);
}

static vki_session *create(const gr_graph *g, vki_model *m, int threads, const char *disable, bool reference,
                           int means)
{
    const vki_session_options o = {
        .size = sizeof o, .threads = threads, .disable_passes = disable, .reference = reference};
    return session_with(g, m, &o, "conv_means", means);
}

static void check(const layer *l)
{
    static const vkb_caches small = {.first = 16 << 10, .second = 64 << 10};
    gr_graph g;
    make_net(&g, l);
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *reference = create(&g, m, 1, NULL, true, 0);
    const size_t bytes = (size_t)(l->batch * l->channels * l->multiplier) * sizeof(float);
    float *y[2] = {malloc(bytes), malloc(bytes)};
    assert_true(y[0] && y[1]);
    for (int i = 0; i < 6; i++) {
        cpu_caches_force(i < 3 ? NULL : &small);
        vki_session *s = create(&g, m, 1 + i % 3, NULL, false, l->means);
        SESSION_OK(vki_session_read(s, 0, y[i > 0], bytes, why));
        assert_memory_equal(y[0], y[i > 0], bytes);
        session_compare(&g, reference, s);
        vki_session_destroy(&s);
    }
    cpu_caches_force(NULL);
    vki_session *apart = create(&g, m, 2, "squeeze", false, 0);
    session_compare(&g, reference, apart);
    vki_session_destroy(&apart);
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    free(y[0]);
    free(y[1]);
    gr_free(&g);
}

static void layers_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(layers); i++) check(&layers[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
