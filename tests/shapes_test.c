/* SPDX-License-Identifier: Apache-2.0
 * Shapes and their inference, constants as numbers, the registry of operators. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"

/* ---- shapes ---- */

static void dynamic_image(gr_graph *g)
{
    net_init(g);
    int64_t n = gr_symbol(g, "N"), h = gr_symbol(g, "H");
    gr_id x = net_input(g, "x", DIMS(n, 2, h, GR_UNKNOWN)), z = net_input(g, "z", DIMS(n, 1));
    gr_id y = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(3, 2, 3, 3))));
    net_output(g, net_unary(g, OP_Relu, y));
    net_output(g, net_unary(g, OP_Neg, z));
}

static void symbols_are_bound(void **state)
{
    (void)state;
    gr_graph g;
    gr_id unknown;
    dynamic_image(&g);
    assert_int_equal(gr_infer(&g, NULL), VKI_OK);
    assert_false(gr_all_concrete(&g, &unknown));
    assert_int_equal(unknown, gr_find_tensor(&g, "x"));
    const vki_shape shape = {"x", 4, {2, 2, 9, 11}};
    assert_int_equal(gr_bind_shapes(&g, &shape, 1, NULL), VKI_OK);
    assert_true(gr_all_concrete(&g, &unknown));
    assert_int_equal(unknown, GR_NONE);
    const gr_tensor *y = &g.tensors[g.outputs[0]];
    assert_true(y->dtype == VKI_F32 && y->dims[0] == 2 && y->dims[1] == 3 && y->dims[2] == 7 &&
                y->dims[3] == 9);
    assert_int_equal(g.tensors[g.outputs[1]].dims[0], 2); /* the same symbol in another input */
    gr_free(&g);
}

static void wrong_shapes_are_refused(void **state)
{
    static const struct {
        vki_shape shape;
        vki_status status;
    } rows[] = {
        {{"y", 4, {2, 2, 9, 11}}, VKI_E_ARG},   {{NULL, 4, {2, 2, 9, 11}}, VKI_E_ARG},
        {{"x", 3, {2, 2, 9}}, VKI_E_SHAPE},     {{"x", 4, {2, 3, 9, 11}}, VKI_E_SHAPE},
        {{"x", 4, {2, 2, 0, 11}}, VKI_E_SHAPE}, {{"x", 4, {2, 2, -4, 11}}, VKI_E_SHAPE},
        {{"x", 9, {2, 2}}, VKI_E_SHAPE},        {{"x", 4, {2, 2, 2, 2}}, VKI_E_SHAPE}, /* under the kernel */
    };
    (void)state;
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gr_graph g;
        vki_error err = {.code = VKI_OK};
        dynamic_image(&g);
        assert_int_equal(gr_bind_shapes(&g, &rows[i].shape, 1, &err), rows[i].status);
        assert_int_equal(err.code, rows[i].status);
        gr_free(&g);
    }
    gr_graph g;
    vki_error err;
    dynamic_image(&g);
    const vki_shape disagree[] = {{"x", 4, {2, 2, 9, 11}}, {"z", 2, {3, 1}}};
    assert_int_equal(gr_bind_shapes(&g, disagree, 2, &err), VKI_E_SHAPE);
    gr_free(&g);
}

/* What a file says of shapes that do not follow from the inputs must not be believed. */
static void claims_are_not_believed(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(4)), shape = net_input(&g, "shape", DIMS(1));
    g.tensors[shape].dtype = VKI_I64;
    gr_id y = net_node(&g, OP_Reshape, IN(x, shape));
    g.tensors[y].dtype = VKI_F32;
    g.tensors[y].rank = 1;
    g.tensors[y].dims[0] = 1000000;
    net_output(&g, net_unary(&g, OP_Relu, y));
    assert_int_equal(gr_infer(&g, NULL), VKI_OK);
    assert_int_equal(g.tensors[y].dims[0], GR_UNKNOWN);
    assert_false(gr_all_concrete(&g, NULL));
    gr_free(&g);
}

static void inference_names_what_is_wrong(void **state)
{
    (void)state;
    gr_graph g;
    vki_error err;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(2, 3)), z = net_input(&g, "z", DIMS(2, 4));
    gr_id y = gr_add_tensor(&g, "y", VKI_DT_NONE, -1, NULL);
    assert_non_null(gr_add_node(&g, OP_Add, "the sum", IN(x, z), 1, &y));
    assert_int_equal(gr_infer(&g, &err), VKI_E_SHAPE);
    assert_string_equal(err.node, "the sum");
    assert_string_equal(err.op, "Add");
    assert_non_null(strstr(err.text, "float32[2,4]"));
    g.nodes[0].op = OP_LeakyRelu;
    g.nodes[0].n_in = 1;
    op_unary_attrs attrs = {.alpha = NAN};
    g.nodes[0].attrs = &attrs;
    assert_int_equal(gr_infer(&g, &err), VKI_E_ARG);
    assert_non_null(strstr(err.text, "alpha"));
    assert_int_equal(gr_infer(&g, NULL), VKI_E_ARG);
    gr_free(&g);
}

static void overflowing_shapes_are_refused(void **state)
{
    (void)state;
    gr_graph g;
    const int64_t huge = (int64_t)1 << 40;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(huge, 1)), z = net_input(&g, "z", DIMS(1, huge));
    net_output(&g, net_node(&g, OP_Add, IN(x, z)));
    assert_int_equal(gr_infer(&g, NULL), VKI_E_SHAPE);
    const gr_tensor t = {.dtype = VKI_F32, .rank = 2, .dims = {huge, huge}};
    assert_int_equal(gr_elements(&t), -1);
    assert_int_equal(gr_bytes(&t), 0);
    const gr_tensor empty = {.dtype = VKI_F32, .rank = 3, .dims = {huge, huge, 0}};
    assert_int_equal(gr_elements(&empty), 0);
    gr_free(&g);
}

/* ---- constants as numbers ---- */

static void constants_are_read(void **state)
{
    (void)state;
    gr_graph g;
    int64_t out[4];
    int count;
    float f;
    net_init(&g);
    gr_id a = gr_add_const(&g, NULL, VKI_U8, DIMS(3), (const uint8_t[]){1, 2, 255}, true);
    assert_true(gr_const_i64(&g, a, out, 4, &count) && count == 3 && out[2] == 255);
    assert_false(gr_const_i64(&g, a, out, 2, &count));
    gr_id b = gr_add_const(&g, NULL, VKI_I32, 0, NULL, (const int32_t[]){-5}, true);
    assert_true(gr_const_i64(&g, b, out, 4, &count) && count == 1 && out[0] == -5);
    assert_true(gr_const_f32(&g, b, &f) && f == -5);
    gr_id c = gr_add_const(&g, NULL, VKI_U64, 0, NULL, (const uint64_t[]){UINT64_MAX}, true);
    assert_false(gr_const_i64(&g, c, out, 4, &count));
    gr_id d = gr_add_const(&g, NULL, VKI_F16, DIMS(1), (const uint16_t[]){0x3e00}, true);
    assert_true(gr_const_f32(&g, d, &f) && f == 1.5f);
    assert_false(gr_const_i64(&g, d, out, 4, &count));
    gr_id e = gr_add_const(&g, NULL, VKI_F64, 0, NULL, (const double[]){0.25}, true);
    assert_true(gr_const_f32(&g, e, &f) && f == 0.25f);
    gr_id t = gr_add_const(&g, NULL, VKI_BOOL, 0, NULL, (const uint8_t[]){1}, true);
    assert_false(gr_const_f32(&g, t, &f));
    assert_false(gr_const_f32(&g, GR_NONE, &f));
    assert_false(gr_const_f32(&g, a, &f)); /* three elements */
    gr_free(&g);
}

/* ---- operators ---- */

static void registry_is_consistent(void **state)
{
    (void)state;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const op_info *info = op_get((op_kind)op);
        assert_non_null(info);
        assert_string_equal(info->name, op_name((op_kind)op));
        assert_int_equal(op_find(info->name), op);
        assert_true(info->doc && *info->doc);
        assert_true(info->min_in <= info->max_in && info->min_out <= info->max_out && info->min_out >= 1);
        assert_true(info->infer != NULL && (info->n_attrs == 0) == (info->attrs_size == 0));
        gr_graph g;
        net_init(&g);
        gr_node n = {
            .op = (op_kind)op, .name = "n", .attrs = vkb_arena_alloc(&g.arena, info->attrs_size + 1)};
        op_set_defaults((op_kind)op, n.attrs);
        assert_int_equal(op_check_attrs(&n, NULL), VKI_OK); /* defaults are in range */
        for (int i = 0; i < info->n_attrs; i++) assert_true(info->attrs[i].offset < info->attrs_size);
        gr_free(&g);
    }
    assert_int_equal(op_find("NoSuchOperator"), OP_NONE);
    assert_null(op_get(OP_NONE));
    assert_null(op_get(OP_COUNT));
    assert_string_equal(op_family(OP_Conv), "conv2d");
    assert_string_equal(op_name(OP_COUNT), "None");
}

static void costs(void **state)
{
    (void)state;
    gr_graph g;
    op_cost cost;
    net_init(&g);
    gr_id x = net_input(&g, "x", DIMS(1, 2, 4, 4)), s = net_input(&g, "s", DIMS(1, 3, 4, 4));
    net_output(&g, net_node(&g, OP_Conv, IN(x, net_random(&g, DIMS(3, 2, 1, 1)), s)));
    net_last(&g)->epilogue.residual = GR_RESIDUAL_BEFORE;
    assert_int_equal(gr_infer(&g, NULL), VKI_OK);
    op_cost_of(&g, &g.nodes[0], &cost);
    assert_int_equal(cost.macs, 3 * 2 * 16);
    assert_int_equal(cost.bytes, 4 * (32 + 48 + 6 + 48));
    g.tensors[x].dims[0] = GR_UNKNOWN;
    op_cost_of(&g, &g.nodes[0], &cost);
    assert_int_equal(cost.macs + cost.bytes, 0);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_are_bound),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(claims_are_not_believed),
        cmocka_unit_test(inference_names_what_is_wrong),
        cmocka_unit_test(overflowing_shapes_are_refused),
        cmocka_unit_test(constants_are_read),
        cmocka_unit_test(registry_is_consistent),
        cmocka_unit_test(costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
