/* SPDX-License-Identifier: Apache-2.0
 * How many dispatches and pipelines, and how much memory, well-known networks take (random weights). The
 * tiles that decide about merging are a table by device, so this is about lavapipe's row. */
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

enum { MESA = 0x10005 };

typedef struct layer {
    int64_t in, out, kernel, stride, group;
} layer;

static gr_id conv(gr_graph *g, gr_id x, layer l)
{
    const int64_t p = l.kernel / 2;
    gr_id w = net_random(g, DIMS(l.out, l.in / l.group, l.kernel, l.kernel));
    gr_id y = net_node(g, OP_Conv, IN(x, w, net_random(g, DIMS(l.out))));
    op_conv_attrs *a = net_last(g)->attrs;
    a->group = l.group;
    net_set_ints(&a->pads, 4, (const int64_t[]){p, p, p, p});
    net_set_ints(&a->strides, 2, (const int64_t[]){l.stride, l.stride});
    return y;
}

static gr_id relu6(gr_graph *g, gr_id x)
{
    return net_node(g, OP_Clip, IN(x, net_scalar(g, 0), net_scalar(g, 6)));
}

static gr_id classify(gr_graph *g, gr_id x, int64_t channels)
{
    x = net_unary(g, OP_Flatten, net_unary(g, OP_GlobalAveragePool, x));
    return net_node(g, OP_Gemm, IN(x, net_random(g, DIMS(channels, 1000)), net_random(g, DIMS(1000))));
}

/* Sandler et al., "MobileNetV2", 2018, table 2. */
static void mobilenet_v2(gr_graph *g)
{
    static const int64_t rows[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                      {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    net_init(g);
    gr_id x = relu6(g, conv(g, net_input(g, "x", DIMS(1, 3, 224, 224)), (layer){3, 32, 3, 2, 1}));
    int64_t in = 32;
    for (size_t r = 0; r < VKB_COUNT(rows); r++) {
        for (int64_t i = 0; i < rows[r][2]; i++) {
            int64_t wide = in * rows[r][0], out = rows[r][1], stride = i ? 1 : rows[r][3];
            gr_id y = wide == in ? x : relu6(g, conv(g, x, (layer){in, wide, 1, 1, 1}));
            y = relu6(g, conv(g, y, (layer){wide, wide, 3, stride, wide}));
            y = conv(g, y, (layer){wide, out, 1, 1, 1});
            x = stride == 1 && in == out ? net_binary(g, OP_Add, x, y) : y;
            in = out;
        }
    }
    net_output(g, classify(g, relu6(g, conv(g, x, (layer){320, 1280, 1, 1, 1})), 1280));
}

/* He et al., "Deep Residual Learning", 2015, table 1, of a quarter of the width. */
static void resnet50(gr_graph *g)
{
    static const int64_t rows[][2] = {{16, 3}, {32, 4}, {64, 6}, {128, 3}};
    net_init(g);
    gr_id x = conv(g, net_input(g, "x", DIMS(1, 3, 224, 224)), (layer){3, 16, 7, 2, 1});
    x = net_unary(g, OP_MaxPool, net_unary(g, OP_Relu, x));
    op_pool_attrs *a = net_last(g)->attrs;
    net_set_ints(&a->kernel_shape, 2, (const int64_t[]){3, 3});
    net_set_ints(&a->strides, 2, (const int64_t[]){2, 2});
    net_set_ints(&a->pads, 4, (const int64_t[]){1, 1, 1, 1});
    int64_t in = 16;
    for (size_t r = 0; r < VKB_COUNT(rows); r++) {
        for (int64_t i = 0; i < rows[r][1]; i++) {
            int64_t mid = rows[r][0], stride = i || r == 0 ? 1 : 2;
            gr_id y = net_unary(g, OP_Relu, conv(g, x, (layer){in, mid, 1, 1, 1}));
            y = net_unary(g, OP_Relu, conv(g, y, (layer){mid, mid, 3, stride, 1}));
            y = conv(g, y, (layer){mid, 4 * mid, 1, 1, 1});
            if (i == 0) x = conv(g, x, (layer){in, 4 * mid, 1, stride, 1});
            x = net_unary(g, OP_Relu, net_binary(g, OP_Add, y, x));
            in = 4 * mid;
        }
    }
    net_output(g, classify(g, x, in));
}

static void check(gr_graph *g, int dispatches, uint64_t activations)
{
    vki_model *m = session_load(g, true, false, NULL);
    vki_session *s = NULL;
    vki_session_stats stats = {.size = sizeof stats};
    vki_session_options o = {
        .size = sizeof o, .precision = VKI_PRECISION_FP32, .placement = VKI_PLACE_GPU_ONLY};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    print_message("%d dispatches, %d pipelines, %.2f MB of activations\n", stats.dispatches, stats.pipelines,
                  (double)stats.activation_bytes / 1e6);
    assert_true(stats.dispatches <= dispatches);
    assert_true(stats.pipelines <= 40);
    assert_true(stats.activation_bytes <= activations);
    assert_true(10 * stats.activation_bytes <= 11 * stats.activation_lower_bound);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    gr_free(g);
}

static void mobilenet_v2_ceiling(void **state)
{
    (void)state;
    gr_graph g;
    mobilenet_v2(&g);
    check(&g, 40, 7000000);
}

static void resnet50_ceiling(void **state)
{
    (void)state;
    gr_graph g;
    resnet50(&g);
    check(&g, 60, 7000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mobilenet_v2_ceiling),
        cmocka_unit_test(resnet50_ceiling),
    };
    vkr_device *device = gpu_run_device();
    if (!device || vkr_device_limits(device)->vendor != MESA) {
        print_message("ceilings_test: skipped: the device is not lavapipe\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
