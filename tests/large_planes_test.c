/* SPDX-License-Identifier: Apache-2.0
 * Convolutions of planes that are much larger than caches: what their kernels ask for, without running them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "cpu/kernels.h"
#include "cpu/micro.h"

typedef struct layer {
    const char *kernel;
    op_kind op;
    int64_t in, out, size, stride, side; /* of a square plane */
} layer;

static void make_net(gr_graph *g, const layer *l)
{
    net_init(g);
    const gr_id x = net_input(g, "x", DIMS(1, l->in, l->side, l->side));
    const bool transposed = l->op == OP_ConvTranspose;
    const gr_id w = transposed ? net_random(g, DIMS(l->in, l->out, l->size, l->size))
                               : net_random(g, DIMS(l->out, l->in, l->size, l->size));
    net_node(g, l->op, IN(x, w));
    op_conv_attrs *a = net_last(g)->attrs;
    const int64_t pad = (l->size - 1) / 2;
    for (int i = 0; i < 4; i++) a->pads.v[i] = pad;
    a->pads.count = 4;
    a->strides = (op_ints){2, {l->stride, l->stride}};
    vki_error err = {0};
    if (gr_infer(g, &err) != VKI_OK) fail_msg("%s", err.text);
}

static const cpu_kernel *first_fitting(const gr_graph *g, const gr_node *n)
{
    const cpu_kernel *k = cpu_op_of(n->op)->kernels;
    while (k->name && !k->fits(g, n)) k++;
    return k;
}

/* Strips of rows of tiles are as small as caches want them: not one strip since none fits there. */
static void scratch_is_a_part_of_the_tensors(void **state)
{
    (void)state;
    static const layer layers[] = {{"conv2d_winograd", OP_Conv, 64, 64, 3, 1, 2000},
                                   {"conv2d_winograd", OP_Conv, 128, 128, 3, 1, 1000},
                                   {"conv2d_winograd", OP_Conv, 48, 64, 5, 1, 1003},
                                   {"conv2d_winograd", OP_Conv, 512, 512, 3, 1, 6000},
                                   {"conv2d_karatsuba", OP_Conv, 64, 64, 3, 2, 2000},
                                   {"deconv2d_karatsuba", OP_ConvTranspose, 64, 64, 4, 2, 1000},
                                   {"deconv2d_karatsuba", OP_ConvTranspose, 32, 64, 3, 2, 1001}};
    for (size_t i = 0; i < VKB_COUNT(layers); i++) {
        gr_graph g;
        make_net(&g, &layers[i]);
        const gr_node *n = &g.nodes[0];
        const cpu_kernel *k = first_fitting(&g, n);
        assert_string_equal(k->name, layers[i].kernel);
        cpu_prep prep = {.g = &g, .n = n, .threads = 2, .arena = &g.arena};
        assert_int_equal(k->prepare(&prep, NULL), VKI_OK);
        const uint64_t tensors = gr_bytes(&g.tensors[n->in[0]]) + gr_bytes(&g.tensors[n->out[0]]);
        if (prep.scratch_bytes > tensors / 8)
            fail_msg("%s of layer %d takes %llu bytes of scratch for tensors of %llu", k->name, (int)i,
                     (unsigned long long)prep.scratch_bytes, (unsigned long long)tensors);
        gr_free(&g);
    }
}

/* The kernel of pixels counts the elements between the outputs of a panel's channels in 32 bits. */
static void offsets_hold_planes(void **state)
{
    (void)state;
    for (int64_t side = 8191; side <= 11000; side += 11000 - 8191) {
        gr_graph g;
        make_net(&g, &(layer){.op = OP_Conv, .in = 128, .out = 128, .size = 1, .stride = 1, .side = side});
        const cpu_kernel *k = cpu_conv2d_kernels;
        while (strcmp(k->name, "conv2d_pixels") != 0) k++;
        assert_int_equal(k->fits(&g, &g.nodes[0]), side == 8191 && cpu_micro_get()->pixels);
        gr_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scratch_is_a_part_of_the_tensors),
                                       cmocka_unit_test(offsets_hold_planes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
