/* SPDX-License-Identifier: Apache-2.0
 * Every lift of the ONNX importer, by value: a model of one old node, imported and run on the references,
 * gives what the old operator set says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include <math.h>

#include "common/onnx_expect.h"
#include "cpu/cpu.h"
#include "graph/ops/attrs.h"

/* ---- attributes that became inputs ---- */

static void slice(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 9, "Slice", "2,4");
    ob_ints(&b, n, "starts", 1, I64(1));
    ob_ints(&b, n, "ends", 1, I64(-1));
    ob_ints(&b, n, "axes", 1, I64(1));
    oe_expect(&b, X32(0, 1, 2, 3, 4, 5, 6, 7), "2,2", X32(1, 2, 5, 6), 4);

    n = oe_start(&b, 7, "Slice", "2,4"); /* without axes: the first ones */
    ob_ints(&b, n, "starts", 2, I64(1, 2));
    ob_ints(&b, n, "ends", 2, I64(2, 1000));
    oe_expect(&b, X32(0, 1, 2, 3, 4, 5, 6, 7), "1,2", X32(6, 7), 2);
}

static void pad(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 10, "Pad", "1,2");
    ob_ints(&b, n, "pads", 4, I64(0, 1, 1, 0));
    ob_float(&b, n, "value", 9);
    oe_expect(&b, X32(1, 2), "2,3", X32(9, 1, 2, 9, 9, 9), 6);

    n = oe_start(&b, 7, "Pad", "1,3");
    ob_ints(&b, n, "pads", 4, I64(0, 2, 0, 1));
    ob_text(&b, n, "mode", "reflect");
    oe_expect(&b, X32(1, 2, 3), "1,6", X32(3, 2, 1, 2, 3, 2), 6);
}

static void clip(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 10, "Clip", "4");
    ob_float(&b, n, "min", -1);
    ob_float(&b, n, "max", 2);
    oe_expect(&b, X32(-5, 0, 1, 5), "4", X32(-1, 0, 1, 2), 4);
    n = oe_start(&b, 7, "Clip", "4");
    ob_float(&b, n, "max", 2);
    oe_expect(&b, X32(-5, 0, 1, 5), "4", X32(-5, 0, 1, 2), 4);
    oe_start(&b, 6 + 1, "Clip", "2");
    oe_expect(&b, X32(-5, 5), "2", X32(-5, 5), 2);
}

static void split(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 3};
    for (int form = 0; form < 4; form++) {
        ob b;
        ob_start(&b, form == 0 ? 11 : form == 3 ? 18 : 13);
        ob_input(&b, "x", VKI_F32, "4");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_node_t *n = ob_node(&b, "Split", form == 1 ? "x,s" : "x", ",y"); /* the first part has no name */
        if (form == 0) ob_ints(&b, n, "split", 2, sizes);
        if (form == 1) ob_initializer(&b, "s", VKI_I64, "2", sizes);
        if (form == 3) ob_int(&b, n, "num_outputs", 2);
        if (form < 2)
            oe_expect(&b, X32(1, 2, 3, 4), "3", X32(2, 3, 4), 3);
        else
            oe_expect(&b, X32(1, 2, 3, 4), "2", X32(3, 4), 2);
    }
}

static void squeeze(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 11, "Squeeze", "1,2,1");
    ob_ints(&b, n, "axes", 1, I64(-1));
    oe_expect(&b, X32(1, 2), "1,2", X32(1, 2), 2);
    oe_start(&b, 7, "Squeeze", "1,2,1");
    oe_expect(&b, X32(1, 2), "2", X32(1, 2), 2);
    n = oe_start(&b, 12, "Unsqueeze", "2");
    ob_ints(&b, n, "axes", 2, I64(0, 2));
    oe_expect(&b, X32(1, 2), "1,2,1", X32(1, 2), 2);
}

static void reduce(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        float want[2];
    } cases[] = {{"ReduceSum", {6, 15}},
                 {"ReduceMean", {2, 5}},
                 {"ReduceMax", {3, 6}},
                 {"ReduceMin", {1, 4}},
                 {"ReduceProd", {6, 120}},
                 {"ReduceL1", {6, 15}},
                 {"ReduceL2", {3.7416574f, 8.7749644f}},
                 {"ReduceSumSquare", {14, 77}},
                 {"ReduceLogSum", {1.7917595f, 2.7080502f}},
                 {"ReduceLogSumExp", {3.4076059f, 6.4076059f}}};
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        for (int newest = 0; newest < 2; newest++) {
            ob b;
            ob_node_t *n = oe_start(&b, newest ? 18 : 11, cases[i].op, "2,3");
            ob_int(&b, n, "keepdims", 0);
            if (newest) {
                ob_initializer(&b, "axes", VKI_I64, "1", I64(1));
                ob_inputs(&b, n, "x,axes");
            } else {
                ob_ints(&b, n, "axes", 1, I64(1));
            }
            oe_expect(&b, X32(1, 2, 3, 4, 5, 6), "2", cases[i].want, 2);
        }
    }
    ob b;
    oe_start(&b, 11, "ReduceSum", "2,3"); /* all axes, kept */
    oe_expect(&b, X32(1, 2, 3, 4, 5, 6), "1,1", X32(21), 1);
}

static void constant_of_shape(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        ob b;
        ob_start(&b, 9);
        ob_input(&b, "x", VKI_F32, "2");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_initializer(&b, "shape", VKI_I64, "1", I64(2));
        ob_node_t *n = ob_node(&b, "ConstantOfShape", "shape", "c");
        if (given) ob_tensor_attr(&b, n, "value", ob_tensor(&b, NULL, VKI_F32, "1", X32(3)));
        ob_node(&b, "Add", "x,c", "y");
        oe_expect(&b, X32(1, 2), "2", given ? X32(4, 5) : X32(1, 2), 2);
    }
}

/* ---- resampling ---- */

static void upsample(void **state)
{
    (void)state;
    static const float nearest[] = {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4};
    static const float linear[] = {1, 1.5f, 2, 2, 2, 2.5f, 3, 3, 3, 3.5f, 4, 4, 3, 3.5f, 4, 4};
    static const struct {
        int opset;
        const char *op, *mode;
        const float *want;
    } cases[] = {{7, "Upsample", NULL, nearest},      {8, "Upsample", "bilinear", linear},
                 {9, "Upsample", "nearest", nearest}, {9, "Upsample", "linear", linear},
                 {10, "Resize", "nearest", nearest},  {10, "Resize", "linear", linear}};
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        ob b;
        ob_node_t *n = oe_start(&b, cases[i].opset, cases[i].op, "1,1,2,2");
        if (cases[i].mode) ob_text(&b, n, "mode", cases[i].mode);
        if (cases[i].opset < 9) {
            ob_floats(&b, n, "scales", 4, X32(1, 1, 2, 2));
        } else {
            ob_initializer(&b, "scales", VKI_F32, "4", X32(1, 1, 2, 2));
            ob_inputs(&b, n, "x,scales");
        }
        oe_expect(&b, X32(1, 2, 3, 4), "1,1,4,4", cases[i].want, 16);
    }
}

static void resize_down_and_absent_inputs(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 10, "Resize", "1,1,1,5"); /* 0, 5/3, 10/3 rounded up */
    ob_initializer(&b, "scales", VKI_F32, "4", X32(1, 1, 1, 0.6f));
    ob_inputs(&b, n, "x,scales");
    oe_expect(&b, X32(0, 1, 2, 3, 4), "1,1,1,3", X32(0, 2, 4), 3);

    n = oe_start(&b, 11, "Resize", "1,1,1,2"); /* empty roi and scales stand for none */
    ob_initializer(&b, "none", VKI_F32, "0", NULL);
    ob_initializer(&b, "sizes", VKI_I64, "4", I64(1, 1, 1, 4));
    ob_text(&b, n, "coordinate_transformation_mode", "asymmetric");
    ob_text(&b, n, "nearest_mode", "floor");
    ob_inputs(&b, n, "x,none,none,sizes");
    oe_expect(&b, X32(1, 2), "1,1,1,4", X32(1, 1, 2, 2), 4);
}

/* ---- meaning that changed ---- */

static void softmax_of_rows(void **state)
{
    (void)state;
    const float x[8] = {0.1f, 0.9f, -1, 2, 0.5f, 0.25f, 3, -2};
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        float want[8];
        double sum[2] = {0, 0}; /* axis 1 of [2,2,2] before opset 13: over four elements */
        for (int i = 0; i < 8; i++) sum[i / 4] += exp((double)x[i]);
        for (int i = 0; i < 8; i++)
            want[i] = (float)(logarithm ? (double)x[i] - log(sum[i / 4]) : exp((double)x[i]) / sum[i / 4]);
        ob b;
        oe_start(&b, 11, logarithm ? "LogSoftmax" : "Softmax", "2,2,2");
        oe_expect(&b, x, "2,2,2", want, 8);
    }
}

static void softmax_of_one_axis(void **state)
{
    (void)state;
    const float x[4] = {1, 2, 3, 5};
    float last[4], newest[4];
    for (int i = 0; i < 4; i++) {
        last[i] = 1 / (1 + expf(x[i ^ 1] - x[i]));
        newest[i] = 1 / (1 + expf(x[i ^ 2] - x[i]));
    }
    ob b;
    ob_int(&b, oe_start(&b, 11, "Softmax", "1,2,2"), "axis", -1);
    oe_expect(&b, x, "1,2,2", last, 4);
    ob_int(&b, oe_start(&b, 7, "Softmax", "1,2,2"), "axis", 2);
    oe_expect(&b, x, "1,2,2", last, 4);
    ob_int(&b, oe_start(&b, 13, "Softmax", "1,2,2"), "axis", 1);
    oe_expect(&b, x, "1,2,2", newest, 4);

    gr_graph g; /* trailing dimensions of 1: one node suffices */
    vki_error err;
    oe_start(&b, 7, "Softmax", "2,4,1,1");
    assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_OK);
    assert_int_equal(g.n_nodes, 1);
    gr_free(&g);
    ob_end(&b);
}

static void dropout(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 7, "Dropout", "2");
    ob_float(&b, n, "ratio", 0.5f);
    ob_outputs(&b, n, "y,mask");
    oe_expect(&b, X32(1, 2), "2", X32(1, 2), 2);
    n = oe_start(&b, 13, "Dropout", "2");
    ob_initializer(&b, "ratio", VKI_F32, "", X32(0.5f));
    ob_initializer(&b, "training", VKI_BOOL, "", "");
    ob_inputs(&b, n, "x,ratio,training");
    oe_expect(&b, X32(1, 2), "2", X32(1, 2), 2);
    for (int zero = 0; zero < 2; zero++) { /* training that drops nothing draws nothing */
        n = oe_start(&b, 13, "Dropout", "2");
        ob_initializer(&b, "ratio", VKI_F32, "", X32(zero ? 0 : 0.5f));
        ob_initializer(&b, "training", VKI_BOOL, "", "\1");
        ob_inputs(&b, n, "x,ratio,training");
        if (zero)
            oe_expect(&b, X32(1, 2), "2", X32(1, 2), 2);
        else
            oe_refuses(&b, "Dropout (node 'Dropout_0': in training mode");
    }
    n = oe_start(&b, 10, "Dropout", "2");
    ob_outputs(&b, n, "z,y");
    oe_expect_ints(&b, X32(1, 2), VKI_BOOL, "2", I64(1, 1), 2);
}

static void batch_norm(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 8, "BatchNormalization", "1,1,2");
    ob_int(&b, n, "spatial", 1);
    ob_float(&b, n, "epsilon", 0);
    ob_initializer(&b, "scale", VKI_F32, "1", X32(2));
    ob_initializer(&b, "bias", VKI_F32, "1", X32(1));
    ob_initializer(&b, "mean", VKI_F32, "1", X32(3));
    ob_initializer(&b, "var", VKI_F32, "1", X32(4));
    ob_inputs(&b, n, "x,scale,bias,mean,var");
    oe_expect(&b, X32(3, 5), "1,1,2", X32(1, 3), 2);
}

/* ---- compositions ---- */

static void variadic(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        float want[2];
    } cases[] = {{"Max", {4, 3}}, {"Min", {1, 0}}, {"Sum", {7, 5}}, {"Mean", {7.0f / 3, 5.0f / 3}}};
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        ob b;
        ob_node_t *n = oe_start(&b, 8, cases[i].op, "2");
        ob_initializer(&b, "a", VKI_F32, "2", X32(2, 0));
        ob_initializer(&b, "c", VKI_F32, "2", X32(4, 2));
        ob_inputs(&b, n, "x,a,c");
        oe_expect(&b, X32(1, 3), "2", cases[i].want, 2);
        oe_start(&b, 8, cases[i].op, "2");
        oe_expect(&b, X32(1, 3), "2", X32(1, 3), 2);
    }
}

static void activations(void **state)
{
    (void)state;
    const float x[5] = {-3, -0.5f, 0, 0.7f, 2.5f};
    static const char *const ops[] = {"Gelu", "GeluTanh", "Mish", "Softsign", "Selu", "Celu"};
    for (size_t k = 0; k < VKB_COUNT(ops); k++) {
        float want[5];
        for (int i = 0; i < 5; i++) {
            double v = (double)x[i], a = 1.67326319217681884765625, cube = v + 0.044715 * v * v * v;
            double results[] = {0.5 * v * (1 + erf(v / sqrt(2))),
                                0.5 * v * (1 + tanh(sqrt(2 / acos(-1.0)) * cube)),
                                v * tanh(log1p(exp(v))),
                                v / (1 + fabs(v)),
                                1.05070102214813232421875 * (v > 0 ? v : a * (exp(v) - 1)),
                                fmax(0, v) + fmin(0, 0.5 * (exp(v / 0.5) - 1))};
            want[i] = (float)results[k];
        }
        ob b;
        ob_node_t *n = oe_start(&b, 20, k == 1 ? "Gelu" : ops[k], "5");
        if (k == 1) ob_text(&b, n, "approximate", "tanh");
        if (k == 5) ob_float(&b, n, "alpha", 0.5f);
        oe_expect(&b, x, "5", want, 5);
    }
}

/* ---- normalizations ---- */

static void swish(void **state)
{
    (void)state;
    ob b;
    oe_start(&b, 24, "Swish", "2");
    oe_expect(&b, X32(2, 0), "2", X32(1.76159416f, 0), 2);
    ob_node_t *n = oe_start(&b, 24, "Swish", "2");
    ob_float(&b, n, "alpha", 0.5f);
    oe_expect(&b, X32(2, -4), "2", X32(1.46211716f, -0.47681168f), 2);
}

static void top_k(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        ob b;
        ob_node_t *n = oe_start(&b, form ? 11 : 9, "TopK", "1,4");
        if (form) {
            ob_initializer(&b, "k", VKI_I64, "1", I64(2));
            ob_inputs(&b, n, "x,k");
        } else {
            ob_int(&b, n, "k", 2);
        }
        ob_outputs(&b, n, "y,"); /* the positions have no name */
        oe_expect(&b, X32(3, 9, 1, 7), "1,2", X32(9, 7), 2);
    }
}

static void hardmax(void **state)
{
    (void)state;
    static const float last[] = {0, 1, 0, 1, 0, 0}, first[] = {1, 1, 0, 0, 0, 1};
    for (int opset = 12; opset <= 13; opset++) {
        ob b;
        oe_start(&b, opset, "Hardmax", "2,3");
        oe_expect(&b, X32(4, 9, 1, 3, 2, 3), "2,3", last, 6);
    }
    ob b;
    ob_node_t *n = oe_start(&b, 12, "Hardmax", "2,1,3"); /* of rows of 3, then of one row */
    oe_expect(&b, X32(4, 9, 1, 3, 2, 3), "2,1,3", last, 6);
    n = oe_start(&b, 12, "Hardmax", "2,1,3");
    ob_int(&b, n, "axis", 0);
    oe_expect(&b, X32(4, 9, 1, 3, 2, 3), "2,1,3", X32(0, 1, 0, 0, 0, 0), 6);
    n = oe_start(&b, 13, "Hardmax", "2,3");
    ob_int(&b, n, "axis", 0);
    oe_expect(&b, X32(4, 9, 1, 3, 2, 3), "2,3", first, 6);
}

static void types_of_others(void **state)
{
    (void)state;
    ob b;
    ob_start(&b, 15);
    ob_input(&b, "x", VKI_F32, "2");
    ob_output(&b, "y", VKI_F32, NULL);
    ob_initializer(&b, "i", VKI_I32, "1", (int32_t[]){0});
    ob_node(&b, "CastLike", "x,i", "c");
    ob_node(&b, "CastLike", "c,x", "y");
    oe_expect(&b, X32(1.5f, -2.5f), "2", X32(1, -2), 2);
}

/* The type follows from the shapes of a session only. */
static void type_found_late(void **state)
{
    (void)state;
    ob b;
    gr_graph g;
    vki_error err;
    ob_start(&b, 15);
    ob_input(&b, "x", VKI_F32, "N");
    ob_output(&b, "y", VKI_F32, NULL);
    ob_node(&b, "Shape", "x", "s");
    ob_node(&b, "Relu", "x", "r");
    ob_node(&b, "CastLike", "s,r", "y");
    assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_OK);
    vki_shape shape = {.input = "x", .rank = 1, .dims = {7}};
    assert_int_equal(gr_bind_shapes(&g, &shape, 1, &err), VKI_OK);
    static const float x[7] = {0};
    g.tensors[g.inputs[0]].data = x;
    oe_evaluate(&g);
    const gr_tensor *y = &g.tensors[g.outputs[0]];
    assert_int_equal(y->dtype, VKI_F32);
    assert_true(*(const float *)y->data == 7);
    gr_free(&g);
    ob_end(&b);
}

/* ---- fp16, bf16 ---- */

static void bfloat_model(void **state)
{
    (void)state;
    static const uint16_t weight[2] = {0x3f80, 0x4000}, x[2] = {0x4040, 0x3f00}; /* 1, 2; 3, 0.5 */
    ob b;
    gr_graph g;
    vki_error err;
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_BF16, "2");
    ob_output(&b, "y", VKI_BF16, "2");
    ob_initializer(&b, "w", VKI_BF16, "2", weight);
    ob_node(&b, "Mul", "x,w", "y");
    assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_OK);
    g.tensors[g.inputs[0]].data = x;
    oe_evaluate(&g);
    const gr_tensor *y = &g.tensors[g.outputs[0]];
    assert_int_equal(y->dtype, VKI_BF16);
    assert_int_equal(((const uint16_t *)y->data)[0], 0x4040);
    assert_int_equal(((const uint16_t *)y->data)[1], 0x3f80);
    for (int i = 0; i < g.n_tensors; i++) /* only at the edge */
        assert_true(g.tensors[i].dtype != VKI_BF16 || g.tensors[i].flags);
    gr_free(&g);
    ob_end(&b);
}

static void half_model(void **state)
{
    (void)state;
    static const uint16_t weight[2] = {0x3c00, 0x4000}; /* 1, 2 */
    ob b;
    ob_start(&b, 11);
    ob_input(&b, "x", VKI_F16, "2");
    ob_output(&b, "y", VKI_F16, "2");
    ob_output(&b, "z", VKI_F32, "2");
    ob_initializer(&b, "w", VKI_F16, "2", weight);
    ob_node(&b, "Mul", "x,w", "y");
    ob_node_t *n = ob_node(&b, "Cast", "y", "z");
    ob_int(&b, n, "to", VKI_F32);
    gr_graph g;
    vki_error err;
    assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_OK);
    const gr_tensor *w = &g.tensors[gr_find_tensor(&g, "w")];
    assert_int_equal(w->dtype, VKI_F32);
    assert_true(((const float *)w->data)[1] == 2);
    static const uint16_t x[2] = {0x4200, 0x3800}; /* 3, 0.5 */
    g.tensors[g.inputs[0]].data = x;
    oe_evaluate(&g);
    const gr_tensor *y = &g.tensors[g.outputs[0]], *z = &g.tensors[g.outputs[1]];
    assert_string_equal(y->name, "y");
    assert_string_equal(g.tensors[g.inputs[0]].name, "x");
    assert_int_equal(y->dtype, VKI_F16);
    assert_int_equal(z->dtype, VKI_F32);
    assert_int_equal(((const uint16_t *)y->data)[0], 0x4200);
    assert_int_equal(((const uint16_t *)y->data)[1], 0x3c00);
    assert_true(((const float *)z->data)[0] == 3 && ((const float *)z->data)[1] == 1);
    for (int i = 0; i < g.n_tensors; i++) /* fp16 only at the edge */
        assert_true(g.tensors[i].dtype != VKI_F16 || g.tensors[i].flags);
    gr_free(&g);
    ob_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice),
        cmocka_unit_test(hardmax),
        cmocka_unit_test(top_k),
        cmocka_unit_test(swish),
        cmocka_unit_test(types_of_others),
        cmocka_unit_test(pad),
        cmocka_unit_test(clip),
        cmocka_unit_test(split),
        cmocka_unit_test(squeeze),
        cmocka_unit_test(reduce),
        cmocka_unit_test(constant_of_shape),
        cmocka_unit_test(upsample),
        cmocka_unit_test(resize_down_and_absent_inputs),
        cmocka_unit_test(softmax_of_rows),
        cmocka_unit_test(softmax_of_one_axis),
        cmocka_unit_test(dropout),
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(variadic),
        cmocka_unit_test(activations),
        cmocka_unit_test(half_model),
        cmocka_unit_test(bfloat_model),
        cmocka_unit_test(type_found_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    puts("skipped: built without the ONNX importer");
    return 0;
}
#endif
