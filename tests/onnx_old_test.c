/* SPDX-License-Identifier: Apache-2.0
 * Models of opsets 1 to 6, by value: what ONNX's changelog says of the old versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include "common/onnx_expect.h"

#define SIX X32(1, 2, 3, 4, 5, 6)

static void broadcast_along_an_axis(void **state)
{
    (void)state;
    static const struct {
        const char *b_dims;
        int axis; /* 9: none */
        float want[6];
    } cases[] = {{"2", 1, {11, 12, 13, 24, 25, 26}},  {"2", -2, {11, 12, 13, 24, 25, 26}},
                 {"1", 9, {11, 12, 13, 14, 15, 16}},  {"3", 9, {11, 22, 33, 14, 25, 36}},
                 {"3", 2, {11, 22, 33, 14, 25, 36}},  {"", 0, {11, 12, 13, 14, 15, 16}},
                 {"2,3", 1, {11, 22, 33, 44, 55, 66}}};
    for (int i = 0; i < LEN(cases); i++) {
        ob b;
        ob_node_t *n = oe_start(&b, i % 2 ? 6 : 1, "Add", "1,2,3");
        ob_initializer(&b, "w", VKI_F32, cases[i].b_dims, X32(10, 20, 30, 40, 50, 60));
        ob_inputs(&b, n, "x,w");
        ob_int(&b, n, "broadcast", 1);
        if (cases[i].axis != 9) ob_int(&b, n, "axis", cases[i].axis);
        if (i % 2 == 0) ob_ints(&b, n, "consumed_inputs", 2, I64(0, 0));
        oe_expect(&b, SIX, "1,2,3", cases[i].want, 6);
    }
    for (int axis = -4; axis <= 3; axis += 7) { /* outside */
        ob b;
        ob_node_t *n = oe_start(&b, 6, "Mul", "1,2,3");
        ob_initializer(&b, "w", VKI_F32, "2", X32(10, 20));
        ob_inputs(&b, n, "x,w");
        ob_int(&b, n, "broadcast", 1);
        ob_int(&b, n, "axis", axis);
        oe_fails(&b, "cannot stand at axis");
    }
    ob b;
    ob_node_t *n = oe_start(&b, 6, "Mul", NULL);
    ob_initializer(&b, "w", VKI_F32, "2", X32(10, 20));
    ob_inputs(&b, n, "x,w");
    ob_int(&b, n, "broadcast", 1);
    ob_int(&b, n, "axis", 1);
    oe_refuses(&b, "Mul (node 'Mul_0': broadcasting along an axis");
}

static void slope_a_channel(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 6, "PRelu", "1,2,3");
    ob_initializer(&b, "w", VKI_F32, "2", X32(2, 10));
    ob_inputs(&b, n, "x,w");
    oe_expect(&b, X32(-1, 1, -2, -3, 2, -4), "1,2,3", X32(-2, 1, -4, -30, 2, -40), 6);
    n = oe_start(&b, 6, "PRelu", "1,2,3");
    ob_initializer(&b, "w", VKI_F32, "1", X32(2));
    ob_inputs(&b, n, "x,w");
    oe_expect(&b, X32(-1, 1, -2, -3, 2, -4), "1,2,3", X32(-2, 1, -4, -6, 2, -8), 6);
}

static void shapes_as_attributes(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 4, "Reshape", "2,3");
    ob_ints(&b, n, "shape", 2, I64(0, -1));
    oe_expect(&b, SIX, "2,3", SIX, 6);
    n = oe_start(&b, 1, "Reshape", "2,3");
    ob_ints(&b, n, "shape", 1, I64(-1));
    ob_ints(&b, n, "consumed_inputs", 1, I64(0));
    oe_expect(&b, SIX, "6", SIX, 6);
    oe_start(&b, 4, "Reshape", "2,3");
    oe_fails(&b, "'shape' is missing");
    n = oe_start(&b, 1, "Pad", "1,2");
    ob_ints(&b, n, "paddings", 4, I64(0, 1, 0, 0));
    oe_expect(&b, X32(1, 2), "1,3", X32(0, 1, 2), 3);
    n = oe_start(&b, 1, "Upsample", "1,1,1,2");
    ob_float(&b, n, "height_scale", 2);
    ob_float(&b, n, "width_scale", 1.5f);
    ob_text(&b, n, "mode", "nearest");
    oe_expect(&b, X32(1, 2), "1,1,2,3", X32(1, 1, 2, 1, 1, 2), 6);
    n = oe_start(&b, 1, "Upsample", "1,1,1,2");
    ob_float(&b, n, "height_scale", 2);
    oe_fails(&b, "width_scale");
}

static void tile_one_axis(void **state)
{
    (void)state;
    for (int axis = -1; axis <= 1; axis++) {
        ob b;
        ob_node_t *n = oe_start(&b, 5, "Tile", "2,1");
        ob_initializer(&b, "tiles", VKI_F32, "", X32(2));
        ob_initializer(&b, "axis", VKI_F32, "", X32((float)axis));
        ob_inputs(&b, n, "x,tiles,axis");
        if (axis)
            oe_expect(&b, X32(1, 2), "2,2", X32(1, 1, 2, 2), 4);
        else
            oe_expect(&b, X32(1, 2), "4,1", X32(1, 2, 1, 2), 4);
    }
    ob b;
    ob_node_t *n = oe_start(&b, 5, "Tile", "2,1");
    ob_initializer(&b, "tiles", VKI_F32, "", X32(-3));
    ob_initializer(&b, "axis", VKI_F32, "", X32(0));
    ob_inputs(&b, n, "x,tiles,axis");
    oe_fails(&b, "-3 tiles");
}

static void defaults(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 1, "Concat", "1,2");
    ob_inputs(&b, n, "x,x");
    oe_expect(&b, X32(1, 2), "1,4", X32(1, 2, 1, 2), 4);
    n = oe_start(&b, 1, "Concat", "1,2");
    ob_inputs(&b, n, "x,x");
    ob_int(&b, n, "axis", 0);
    oe_expect(&b, X32(1, 2), "2,2", X32(1, 2, 1, 2), 4);
    oe_start(&b, 4, "Concat", "1,2");
    oe_fails(&b, "'axis' is missing");
    n = oe_start(&b, 1, "Selu", "2");
    ob_float(&b, n, "alpha", 2);
    oe_expect(&b, X32(-1, 2), "2", X32(-1.32833814f, 2.1014f), 2);
    oe_start(&b, 6, "Selu", "1");
    oe_expect(&b, X32(2), "1", X32(2.10140204f), 1);
}

static void types_by_name(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 1, "Cast", "2");
    ob_text(&b, n, "to", "FLOAT");
    oe_expect(&b, X32(1.5f, -2), "2", X32(1.5f, -2), 2);
    n = oe_start(&b, 5, "Cast", "2");
    ob_text(&b, n, "to", "INT64");
    oe_expect_ints(&b, X32(1.5f, -2), VKI_I64, "2", I64(1, -2), 2);
    n = oe_start(&b, 1, "Cast", "2");
    ob_text(&b, n, "to", "FLOTA");
    oe_fails(&b, "'FLOTA', which is no type");
    n = oe_start(&b, 1, "Cast", "2");
    ob_text(&b, n, "to", "STRING");
    oe_refuses(&b, "Cast (node 'Cast_0': to type string)");
}

static void batch_norm(void **state)
{
    (void)state;
    for (int by_element = 0; by_element < 2; by_element++) {
        ob b;
        ob_node_t *n = oe_start(&b, 6, "BatchNormalization", "2,1,2");
        const char *dims = by_element ? "1,2" : "1";
        ob_int(&b, n, "spatial", !by_element);
        ob_int(&b, n, "is_test", 1);
        ob_float(&b, n, "epsilon", 0);
        ob_float(&b, n, "momentum", 0.5f);
        ob_initializer(&b, "scale", VKI_F32, dims, X32(2, 3));
        ob_initializer(&b, "bias", VKI_F32, dims, X32(1, 0));
        ob_initializer(&b, "mean", VKI_F32, dims, X32(3, 1));
        ob_initializer(&b, "var", VKI_F32, dims, X32(4, 9));
        ob_inputs(&b, n, "x,scale,bias,mean,var");
        ob_outputs(&b, n, "y,m,v,sm,sv"); /* not read */
        if (by_element)
            oe_expect(&b, X32(3, 5, 1, 0), "2,1,2", X32(1, 4, -1, -1), 4);
        else
            oe_expect(&b, X32(3, 5, 1, 0), "2,1,2", X32(1, 3, -1, -2), 4);
    }
    ob b;
    ob_node_t *n = oe_start(&b, 6, "BatchNormalization", "2,1,2");
    ob_inputs(&b, n, "x,x,x,x,x");
    ob_outputs(&b, n, "q,y");
    oe_refuses(&b, "in training mode: output 1 is used");
}

static void others(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 6, "Gemm", "2,1");
    ob_initializer(&b, "w", VKI_F32, "1,2", X32(1, 2));
    ob_initializer(&b, "c", VKI_F32, "2", X32(10, 20));
    ob_inputs(&b, n, "x,w,c");
    ob_int(&b, n, "broadcast", 1);
    oe_expect(&b, X32(1, 2), "2,2", X32(11, 22, 12, 24), 4);
    n = oe_start(&b, 6, "Dropout", "2");
    ob_float(&b, n, "ratio", 0.9f);
    ob_int(&b, n, "is_test", 1);
    oe_expect(&b, X32(1, 2), "2", X32(1, 2), 2);
    n = oe_start(&b, 1, "GlobalLpPool", "1,1,2");
    ob_float(&b, n, "p", 1);
    oe_expect(&b, X32(1, -2), "1,1,1", X32(3), 1);
}

/* One step of a GRU with zero recurrence: z = 1/2, h = tanh(x) / 2. */
static void recurrent(void **state)
{
    (void)state;
    static const char *const directions[] = {"forward", "foward", "reverse", "sideways"};
    for (int i = 0; i < LEN(directions); i++) {
        ob b;
        ob_node_t *n = oe_start(&b, 1, "GRU", "1,1,1");
        ob_initializer(&b, "w", VKI_F32, "1,3,1", X32(0, 0, 1));
        ob_initializer(&b, "r", VKI_F32, "1,3,1", X32(0, 0, 0));
        ob_inputs(&b, n, "x,w,r");
        ob_int(&b, n, "hidden_size", 1);
        ob_int(&b, n, "output_sequence", 1);
        ob_text(&b, n, "direction", directions[i]);
        if (i < 3)
            oe_expect(&b, X32(1), "1,1,1,1", X32(0.38079708f), 1);
        else
            oe_refuses(&b, "direction = 'sideways'");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcast_along_an_axis),
        cmocka_unit_test(slope_a_channel),
        cmocka_unit_test(shapes_as_attributes),
        cmocka_unit_test(tile_one_axis),
        cmocka_unit_test(defaults),
        cmocka_unit_test(types_by_name),
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(others),
        cmocka_unit_test(recurrent),
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
