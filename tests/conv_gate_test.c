/* SPDX-License-Identifier: Apache-2.0
 * Pointwise convolutions on the CPU that scale their weights by a gate instead of their input: against the
 * reference, the same bits for every number of threads, and only where nothing else is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"

typedef enum apart_reason { /* why the product is made */
                            GATED = 0,
                            OTHER_READER,
                            GIVEN,
                            TWO_IMAGES,
                            GATE_OF_ROWS, /* a factor for each row, too */
                            GROUPS,
                            MANY_WEIGHTS, /* more than half the elements */
                            WIDE_KERNEL,
                            ACTIVATED /* the product */
} apart_reason;

typedef struct block {
    int64_t in, out, height, width;
    op_kind act;
    bool gate_first, bias, residual;
    apart_reason apart;
} block;

static const block blocks[] = {
    {96, 40, 14, 14, OP_NONE, false, true, false, GATED}, /* pixels: panels of 16 and 24 */
    {33, 23, 9, 13, OP_HardSwish, true, true, true, GATED},
    {150, 16, 7, 7, OP_Sigmoid, false, false, false, GATED},
    {24, 17, 28, 28, OP_Relu, true, true, false, GATED}, /* lines */
    {40, 7, 56, 56, OP_Silu, false, true, true, GATED},
    {64, 64, 64, 64, OP_NONE, false, true, false, GATED}, /* whose columns are copied */
    {24, 17, 28, 28, OP_Relu, false, true, false, OTHER_READER},
    {24, 17, 28, 28, OP_Relu, false, true, false, GIVEN},
    {24, 17, 28, 28, OP_Relu, false, true, false, TWO_IMAGES},
    {24, 17, 28, 28, OP_Relu, false, true, false, GATE_OF_ROWS},
    {96, 40, 14, 14, OP_Relu, false, true, false, GROUPS},
    {96, 120, 14, 14, OP_Relu, false, true, false, MANY_WEIGHTS},
    {24, 17, 28, 28, OP_Relu, false, true, false, WIDE_KERNEL},
    {96, 40, 14, 14, OP_Relu, false, true, false, ACTIVATED},
};

static void make_net(gr_graph *g, const block *b)
{
    net_init(g);
    const int64_t batch = 1 + (b->apart == TWO_IMAGES), groups = 1 + (b->apart == GROUPS);
    const int64_t size = b->apart == WIDE_KERNEL ? 3 : 1, pad = size / 2;
    const gr_id x = net_unary(g, OP_Tanh, net_input(g, "x", DIMS(batch, b->in, b->height, b->width)));
    gr_id gate = net_input(g, "gate", DIMS(batch, b->in, b->apart == GATE_OF_ROWS ? b->height : 1, 1));
    gate = net_unary(g, OP_Sigmoid, gate);
    gr_id y = b->gate_first ? net_binary(g, OP_Mul, gate, x) : net_binary(g, OP_Mul, x, gate);
    if (b->apart == OTHER_READER) net_output(g, net_unary(g, OP_Neg, y));
    if (b->apart == GIVEN) net_output(g, y);
    if (b->apart == ACTIVATED) y = net_unary(g, OP_Relu, y);
    const gr_id weights = net_random(g, DIMS(b->out, b->in / groups, size, size));
    y = b->bias ? net_node(g, OP_Conv, IN(y, weights, net_random(g, DIMS(b->out))))
                : net_node(g, OP_Conv, IN(y, weights));
    op_conv_attrs *a = net_last(g)->attrs;
    a->group = groups;
    net_set_ints(&a->pads, 4, (const int64_t[]){pad, pad, pad, pad});
    if (b->residual)
        y = net_binary(g, OP_Add, y, net_input(g, "r", DIMS(batch, b->out, b->height, b->width)));
    if (b->act != OP_NONE) y = net_unary(g, b->act, y);
    net_output(g, y);
}

static vki_session *create(const gr_graph *g, vki_model *m, int threads, const char *disable, bool reference,
                           int gated)
{
    const vki_session_options o = {
        .size = sizeof o, .threads = threads, .disable_passes = disable, .reference = reference};
    return session_with(g, m, &o, "conv_gate", gated);
}

static void check(const block *b)
{
    gr_graph g;
    make_net(&g, b);
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *reference = create(&g, m, 1, NULL, true, 0);
    const int last = g.n_outputs - 1;
    const size_t bytes =
        (size_t)(b->out * b->height * b->width * (1 + (b->apart == TWO_IMAGES))) * sizeof(float);
    float *y[2] = {malloc(bytes), malloc(bytes)};
    assert_true(y[0] && y[1]);
    for (int threads = 1; threads <= 3; threads++) {
        vki_session *s = create(&g, m, threads, NULL, false, !b->apart);
        SESSION_OK(vki_session_read(s, last, y[threads > 1], bytes, why));
        assert_memory_equal(y[0], y[threads > 1], bytes);
        session_compare(&g, reference, s);
        vki_session_destroy(&s);
    }
    vki_session *apart = create(&g, m, 2, "squeeze", false, 0);
    session_compare(&g, reference, apart);
    vki_session_destroy(&apart);
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    free(y[0]);
    free(y[1]);
    gr_free(&g);
}

static void blocks_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(blocks); i++) check(&blocks[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
