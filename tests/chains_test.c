/* SPDX-License-Identifier: Apache-2.0
 * Element-wise chains as one dispatch, against the reference: every operator, every way to broadcast, views
 * and epilogues within, both layouts, tails; drawn graphs; and what does not fit into one. */
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

/* Rows as they come, or what a convolution makes in slices of channels. */
static gr_id begin(gr_graph *g, bool slices, int64_t batch, int64_t channels, int64_t h, int64_t w)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(batch, channels, h, w));
    return slices ? net_node(g, OP_Conv, IN(x, net_random(g, DIMS(channels, channels, 1, 1)))) : x;
}

/* In slices there is a convolution before, and one after, so that what lies between stays there. */
static void end(gr_graph *g, bool slices, gr_id y, int64_t channels, int dispatches)
{
    if (slices) y = net_node(g, OP_Conv, IN(y, net_random(g, DIMS(3, channels, 1, 1))));
    net_output(g, y);
    session_check_merge(g, dispatches < 0 ? -1 : dispatches + (slices ? 2 : 0), "chains", 2e-2f);
}

/* ---- every operator ---- */

static gr_id apply(gr_graph *g, op_kind op, gr_id x, gr_id other)
{
    switch (op) {
    case OP_Clip:
        return net_node(g, op, IN(x, net_scalar(g, -0.5f), net_scalar(g, 1.25f)));
    case OP_Log:
    case OP_Sqrt:
    case OP_Reciprocal: /* of 1 and more */
        return net_unary(g, op, net_binary(g, OP_Add, net_unary(g, OP_Abs, x), net_scalar(g, 1)));
    case OP_Div:
    case OP_Pow:
        return net_binary(g, op, net_binary(g, OP_Add, net_unary(g, OP_Abs, x), net_scalar(g, 0.5f)),
                          net_binary(g, OP_Max, other, net_scalar(g, 0.75f)));
    case OP_Equal:
    case OP_Greater:
    case OP_GreaterOrEqual:
    case OP_Less:
    case OP_LessOrEqual:
        return net_node(g, OP_Where, IN(net_binary(g, op, x, other), net_unary(g, OP_Neg, x), other));
    case OP_Acosh: /* steep at 1 */
        return net_unary(g, op, net_binary(g, OP_Add, net_unary(g, OP_Abs, x), net_scalar(g, 1.5f)));
    case OP_Asin:
    case OP_Acos:
    case OP_Atanh:
        return net_unary(g, op, net_binary(g, OP_Mul, x, net_scalar(g, 0.75f)));
    case OP_Cast: { /* of truth to a number */
        gr_id y = net_unary(g, OP_Cast, net_binary(g, OP_Less, x, other));
        ((op_cast_attrs *)net_last(g)->attrs)->to = VKI_F32;
        return y;
    }
    default:
        return op >= OP_Add && op <= OP_PRelu ? net_binary(g, op, x, other) : net_unary(g, op, x);
    }
}

static void every_operator(void **state)
{
    (void)state;
    static const op_kind ops[] = {OP_Relu,         OP_LeakyRelu,
                                  OP_Clip,         OP_Sigmoid,
                                  OP_Tanh,         OP_HardSigmoid,
                                  OP_HardSwish,    OP_Silu,
                                  OP_Elu,          OP_Softplus,
                                  OP_Exp,          OP_Log,
                                  OP_Sqrt,         OP_Reciprocal,
                                  OP_Abs,          OP_Neg,
                                  OP_Floor,        OP_Ceil,
                                  OP_Round,        OP_Erf,
                                  OP_Sin,          OP_Cos,
                                  OP_Gelu,         OP_Selu,
                                  OP_Celu,         OP_ThresholdedRelu,
                                  OP_Softsign,     OP_Mish,
                                  OP_Shrink,       OP_Sign,
                                  OP_FakeQuantize, OP_Add,
                                  OP_Sub,          OP_Mul,
                                  OP_Div,          OP_Pow,
                                  OP_Max,          OP_Min,
                                  OP_PRelu,        OP_Equal,
                                  OP_Greater,      OP_GreaterOrEqual,
                                  OP_Less,         OP_LessOrEqual,
                                  OP_Cast,         OP_Tan,
                                  OP_Asin,         OP_Acos,
                                  OP_Atan,         OP_Sinh,
                                  OP_Cosh,         OP_Asinh,
                                  OP_Acosh,        OP_Atanh};
    for (size_t i = 0; i < VKB_COUNT(ops); i++) {
        for (int slices = 0; slices < 2; slices++) {
            gr_graph g;
            gr_id x = begin(&g, slices, 1, 5, 3, 7);
            /* Jumps are drawn in rows only: the device's convolution may round to the other side. */
            bool jumps = ops[i] == OP_Floor || ops[i] == OP_Ceil || ops[i] == OP_Round || ops[i] == OP_Sign ||
                         ops[i] == OP_Cast || ops[i] == OP_ThresholdedRelu || ops[i] == OP_Shrink ||
                         (ops[i] >= OP_Equal && ops[i] <= OP_LessOrEqual);
            gr_id y = net_unary(&g, jumps ? OP_Neg : OP_Sin, x); /* takes no epilogue */
            y = apply(&g, ops[i], y, net_random(&g, DIMS(1, 5, 1, 1)));
            y = net_binary(&g, OP_Add, y, x);
            if (jumps && slices)
                gr_free(&g);
            else
                end(&g, slices, y, 5, 1);
        }
    }
}

static void gelu_by_tanh(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = begin(&g, false, 1, 2, 3, 11);
    gr_id y = net_unary(&g, OP_Gelu, net_binary(&g, OP_Mul, x, net_scalar(&g, 0.7f)));
    ((op_unary_attrs *)net_last(&g)->attrs)->approximate = 1;
    end(&g, false, y, 2, 1);
}

/* Limits that are computed: one is below the other either way, or there is one. */
static void clip_to_inputs(void **state)
{
    (void)state;
    for (int way = 0; way < 8; way++) {
        gr_graph g;
        bool slices = way & 1;
        gr_id x = begin(&g, slices, 1, 5, 3, 7);
        gr_id a = net_input(&g, "a", 0, NULL), b = way & 2 ? net_input(&g, "b", 0, NULL) : GR_NONE;
        gr_id y = net_node(&g, OP_Clip, IN(net_unary(&g, OP_Sin, x), way & 4 ? b : a, way & 4 ? a : b));
        end(&g, slices, net_binary(&g, OP_Add, y, x), 5, 1);
    }
}

/* One node alone of several operands, and one whose operands take more dimensions than a chain has. */
static void alone(void **state)
{
    (void)state;
    for (int slices = 0; slices < 2; slices++) {
        gr_graph g;
        gr_id x = begin(&g, slices, 1, 6, 3, 7);
        gr_id y = net_node(&g, OP_Max, IN(x, net_random(&g, DIMS(6, 1, 1)), net_random(&g, DIMS(3, 1))));
        end(&g, slices, y, 6, -1);
    }
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3, 2, 3, 2, 5));
    net_output(&g, net_binary(&g, OP_Mul, x, net_random(&g, DIMS(3, 1, 3, 1, 5))));
    session_check_merge(&g, -1, "chains", 2e-2f);
}

/* ---- operands ---- */

static void operands(void **state)
{
    (void)state;
    static const int64_t shapes[][5] = {/* rank, dims */
                                        {0},
                                        {1, 7},
                                        {1, 1},
                                        {2, 3, 7},
                                        {2, 3, 1},
                                        {3, 5, 1, 1},
                                        {3, 1, 3, 7},
                                        {4, 1, 5, 1, 1},
                                        {4, 2, 5, 1, 1},
                                        {4, 2, 1, 3, 7},
                                        {4, 1, 1, 3, 7},
                                        {4, 2, 5, 3, 7},
                                        {4, 1, 5, 3, 7},
                                        {4, 2, 1, 1, 1},
                                        {4, 1, 5, 3, 1},
                                        {4, 1, 1, 1, 7}};
    for (size_t i = 0; i < VKB_COUNT(shapes); i++) {
        for (int way = 0; way < 4; way++) {
            gr_graph g;
            bool slices = way & 1, constant = way & 2;
            gr_id x = begin(&g, slices, 2, 5, 3, 7);
            int rank = (int)shapes[i][0];
            gr_id other =
                constant ? net_random(&g, rank, &shapes[i][1]) : net_input(&g, "b", rank, &shapes[i][1]);
            gr_id y = net_binary(&g, OP_Sub, net_scalar(&g, 1), net_binary(&g, OP_Mul, x, other));
            end(&g, slices, y, 5, slices ? -1 : 1);
        }
    }
}

/* The innermost dimension in fours, odd ones, several at once; a shape that only the operands give together.
 */
static void rows(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 2, 3, 4, 5, 8, 63, 64, 65, 1023};
    for (size_t i = 0; i < VKB_COUNT(widths); i++) {
        int64_t w = widths[i];
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(3, 1, w)), y = net_input(&g, "y", DIMS(2, 1));
        y = net_binary(&g, OP_Add, net_unary(&g, OP_Abs, x), y); /* [3, 2, w] */
        y = net_binary(&g, OP_Mul, y, net_random(&g, DIMS(w)));
        y = net_binary(&g, OP_Max, y, net_random(&g, DIMS(3, 2, 1)));
        y = net_binary(&g, OP_Sub, y, net_input(&g, "z", DIMS(3, 2, w)));
        net_output(&g, net_unary(&g, OP_Sigmoid, y));
        session_check_merge(&g, w > 1 && w % 4 ? 2 : 1, "chains", 2e-2f);
    }
}

/* In slices: channels at the edges of four, samples, one position. */
static void slices(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1}, {1, 3, 2}, {2, 4, 5}, {3, 5, 1}, {1, 7, 8}, {2, 17, 9}};
    for (size_t i = 0; i < VKB_COUNT(sizes); i++) {
        gr_graph g;
        int64_t n = sizes[i][0], c = sizes[i][1], s = sizes[i][2];
        gr_id x = begin(&g, true, n, c, s, s);
        gr_id gate = net_unary(&g, OP_GlobalAveragePool, x); /* [n, c, 1, 1], in slices */
        gr_id y = net_binary(&g, OP_Mul, net_binary(&g, OP_Mul, x, net_unary(&g, OP_Exp, gate)),
                             net_scalar(&g, 0.1f));
        y = net_binary(&g, OP_Add, y, net_random(&g, DIMS(c, 1, 1)));
        end(&g, true, net_unary(&g, OP_Softplus, y), c, -1);
    }
}

static void epilogues(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        gr_graph g;
        gr_id x = begin(&g, with, 2, 6, 4, 4);
        gr_id y = net_unary(&g, OP_HardSwish, net_binary(&g, OP_Mul, x, net_random(&g, DIMS(6, 1, 1))));
        y = net_binary(&g, OP_Add, net_binary(&g, OP_Mul, y, net_scalar(&g, 1.5f)), net_scalar(&g, 0.25f));
        y = net_binary(&g, OP_Add, y, x);
        y = net_unary(&g, OP_Exp, net_binary(&g, OP_Mul, y, net_scalar(&g, -0.1f)));
        end(&g, with, net_binary(&g, OP_Add, y, x), 6, 1);
    }
}

/* [n, c] becomes [n, c, 1, 1] between the nodes, and [n, 1, c] is read as [n, c]. */
static void views_within(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 1, 6)), y = net_unary(&g, OP_Abs, x);
    y = net_node(&g, OP_Reshape, IN(y, net_ints(&g, 2, (const int64_t[]){2, 6})));
    y = net_binary(&g, OP_Add, y, net_input(&g, "y", DIMS(2, 6)));
    y = net_node(&g, OP_Unsqueeze, IN(y, net_ints(&g, 2, (const int64_t[]){2, 3})));
    y = net_binary(&g, OP_Mul, y, net_input(&g, "z", DIMS(2, 6, 3, 5)));
    net_output(&g, net_unary(&g, OP_Tanh, y));
    session_check_merge(&g, 1, "chains", 2e-2f);
}

/* ---- what does not fit into one ---- */

static void long_chains(void **state)
{
    (void)state;
    static const op_kind ops[] = {OP_Sin, OP_Tanh, OP_Abs, OP_Sqrt, OP_Neg, OP_Sigmoid, OP_Cos};
    gr_graph g;
    gr_id y = begin(&g, false, 1, 3, 5, 5);
    for (int i = 0; i < 30; i++) y = net_unary(&g, ops[i % 7], y);
    end(&g, false, y, 3, 3); /* of twelve steps each */
    y = begin(&g, false, 1, 3, 5, 5);
    for (int i = 0; i < 10; i++) y = net_binary(&g, OP_Add, y, net_input(&g, NULL, DIMS(1, 3, 5, 5)));
    end(&g, false, y, 3, -1);
}

/* Read outside of the chain, or an output: made for itself. */
static void values_wanted_elsewhere(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = begin(&g, false, 1, 2, 3, 4), y = net_unary(&g, OP_Sin, x), z = net_unary(&g, OP_Exp, y);
    net_output(&g, y);
    end(&g, false, net_binary(&g, OP_Add, z, x), 2, 2);
    x = begin(&g, false, 1, 2, 3, 4);
    y = net_unary(&g, OP_Sin, x);
    net_output(&g, net_unary(&g, OP_Softmax, y));
    end(&g, false, net_unary(&g, OP_Neg, net_unary(&g, OP_Exp, y)), 2, 3);
}

/* More values at once than there are registers: all of the first layer is wanted until the end. */
static void many_values(void **state)
{
    (void)state;
    gr_graph g;
    gr_id x = begin(&g, false, 1, 2, 3, 4), v[6];
    for (int i = 0; i < 6; i++) v[i] = net_binary(&g, OP_Mul, x, net_scalar(&g, (float)(i + 1) / 8));
    gr_id y = net_unary(&g, OP_Sin, net_binary(&g, OP_Add, v[0], v[5]));
    for (int i = 1; i < 6; i++) y = net_unary(&g, OP_Sin, net_binary(&g, OP_Mul, y, v[i]));
    end(&g, false, y, 2, -1);
}

/* ---- drawn ---- */

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static gr_id drawn_operand(gr_graph *g, uint32_t *seed, const gr_id *values, int count)
{
    static const int64_t dims[4] = {2, 6, 3, 4};
    if (draw(seed, 3) == 0) return net_scalar(g, (float)draw(seed, 16) / 8 - 1);
    if (draw(seed, 2) == 0) return values[draw(seed, (uint32_t)count)];
    int rank = (int)draw(seed, 5);
    int64_t own[4];
    for (int d = 0; d < rank; d++) own[d] = draw(seed, 2) ? dims[4 - rank + d] : 1;
    return net_random(g, rank, own);
}

static void drawn(void **state)
{
    (void)state;
    enum { SEEDS = 40, NODES = 14 };
    static const op_kind unary[] = {OP_Tanh, OP_Sigmoid, OP_Sin, OP_Softsign, OP_HardSwish, OP_Erf, OP_Relu};
    static const op_kind binary[] = {OP_Add, OP_Sub, OP_Mul, OP_Max, OP_Min, OP_PRelu};
    for (uint32_t s = 1; s <= SEEDS; s++) {
        gr_graph g;
        uint32_t seed = s * 7919u;
        gr_id values[NODES + 1] = {begin(&g, s % 2, 2, 6, 3, 4)};
        for (int i = 0; i < NODES; i++) {
            gr_id a = draw(&seed, 4) ? values[i] : values[draw(&seed, (uint32_t)i + 1)];
            values[i + 1] = draw(&seed, 2) ? net_unary(&g, unary[draw(&seed, VKB_COUNT(unary))], a)
                                           : net_binary(&g, binary[draw(&seed, VKB_COUNT(binary))], a,
                                                        drawn_operand(&g, &seed, values, i + 1));
            if (draw(&seed, 12) == 0) net_output(&g, values[i + 1]);
        }
        end(&g, s % 2, values[NODES], 6, -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator),
        cmocka_unit_test(gelu_by_tanh),
        cmocka_unit_test(clip_to_inputs),
        cmocka_unit_test(alone),
        cmocka_unit_test(operands),
        cmocka_unit_test(rows),
        cmocka_unit_test(slices),
        cmocka_unit_test(epilogues),
        cmocka_unit_test(views_within),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(values_wanted_elsewhere),
        cmocka_unit_test(many_values),
        cmocka_unit_test(drawn),
    };
    if (!gpu_run_device()) {
        print_message("chains_test: skipped: no Vulkan device\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
