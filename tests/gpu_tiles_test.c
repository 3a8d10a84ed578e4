/* SPDX-License-Identifier: Apache-2.0
 * What a kernel does differently from device to device, on the one at hand: the tiles that each vendor's row
 * of start values gives, storage buffers where the device would read texels, and weights in parts where one
 * binding is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cases.h"
#include "common/gpu_run.h"
#include "common/tolerance.h"
#include "cpu/cpu.h"
#include "vulkan/internal.h"

#define CASE(op, inputs, attrs)                                                                              \
    {                                                                                                        \
        OP_##op, inputs, attrs, __FILE__, __LINE__, false                                                    \
    }
static const test_case cases[] = {
    CASE(Conv, "f32[1,21,40,33] const f32[70,21,1,1] const f32[70]", "act=relu"),
    CASE(Conv, "f32[2,19,17,9] const f32[33,19,3,3] const f32[33]",
         "pads=1,1,1,1 residual=before act=hardswish"),
    CASE(Conv, "f32[1,18,9,9] const f32[12,6,3,3]", "group=3 pads=1,1,1,1 strides=2,1"),
    CASE(Conv, "f32[1,22,15,14] const f32[22,1,3,3] const f32[22]", "group=22 pads=1,1,1,1 act=relu"),
    CASE(Conv, "f32[1,13,12,12] const f32[13,1,4,2] const f32[13]", "group=13 dilations=2,1"),
    CASE(Conv, "f32[3,45,1,1] const f32[26,45,1,1] const f32[26]", "act=sigmoid"),
    CASE(ConvTranspose, "f32[1,17,11,9] const f32[17,21,4,3] const f32[21]",
         "strides=2,3 pads=1,0,1,1 act=relu"),
    CASE(Gemm, "f32[77,52] const f32[52,65] const f32[65]", "act=relu"),
    CASE(MatMul, "f32[3,2,31,20] f32[3,1,20,24]", ""),
    CASE(Gemm, "f32[3,61] const f32[90,61] const f32[90]", "transB=1"),
    CASE(MaxPool, "f32[1,10,13,11]", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
    CASE(GlobalAveragePool, "f32[2,7,20,20]", ""),
    CASE(Add, "f32[2,7,5,6] f32[2,7,5,6]", "act=relu"),
    CASE(Mul, "f32[2,7,5,6] const f32[1]", ""),
    CASE(Sub, "f32[2,7,5,6] f32[1,7,1,1]", ""),
    CASE(Tanh, "f32[2,7,5,6]", ""),
    CASE(InstanceNormalization, "f32[2,7,9,8] const f32[7] const f32[7]", ""),
    CASE(GroupNormalization, "f32[2,6,50,45] const f32[6] const f32[6]", "num_groups=2"),
    CASE(BatchNormalization, "f32[2,7,9,8] const f32[7] const f32[7] const f32[7] const f32[7]@0.5:2", ""),
};

static void compare(const case_graph *c, const test_case *t, const char *kernel, void *expected, void *got,
                    bool half, uint32_t vendor)
{
    tolerance allowed = tolerance_of(c, half);
    int64_t bad = tolerance_check(c, 0, expected, got, allowed);
    if (bad >= 0)
        fail_msg("%s %s (%s), vendor 0x%x: element %lld is %g, expected %g", kernel, t->inputs, t->attrs,
                 vendor, (long long)bad, (double)((float *)got)[bad], (double)((float *)expected)[bad]);
}

/* Runs every kernel that fits with the device's limits as they are now; returns how many. */
static int run_case(vkr_device *dev, const test_case *t, bool half)
{
    case_graph c;
    vki_error err = {0};
    if (case_make(&c, t, (uint64_t)t->line, half, &err) != VKI_OK) fail_msg("%s", err.text);
    const gr_node *n = &c.g.nodes[0];
    size_t bytes = (size_t)gr_bytes(&c.g.tensors[n->out[0]]);
    void *expected = test_malloc(bytes), *got = test_malloc(bytes);
    const void *const *in = (const void *const *)c.in;
    assert_int_equal(cpu_evaluate(&c.g, n, in, &expected, &err), VKI_OK);
    int ran = 0;
    for (const gpu_kernel *k = gpu_op_of(t->op)->kernels; k->name; k++) {
        vki_status status = gpu_run_node(dev, &c.g, k, half, in, &got, &err);
        if (status == VKI_E_UNSUPPORTED) continue;
        if (status != VKI_OK) fail_msg("%s %s (%s): %s", k->name, t->inputs, t->attrs, err.text);
        compare(&c, t, k->name, expected, got, half, dev->physical.limits.vendor);
        ran++;
    }
    test_free(expected);
    test_free(got);
    case_free(&c);
    return ran;
}

static void run_all(vkr_device *dev, bool half)
{
    for (size_t i = 0; i < VKB_COUNT(cases); i++) assert_true(run_case(dev, &cases[i], half) > 0);
}

static void test_vendors(void **state)
{
    static const uint32_t vendors[] = {0 /* any other */, 0x5143, 0x13B5, 0x10DE, 0x10005};
    vkr_device *dev = *state;
    gpu_limits own = dev->physical.limits;
    for (size_t i = 0; i < VKB_COUNT(vendors); i++) {
        dev->physical.limits.vendor = vendors[i];
        run_all(dev, false);
    }
    dev->physical.limits.vendor = 0;
    if (own.half_storage) run_all(dev, true);
    dev->physical.limits = own;
}

static void test_parts(void **state)
{
    vkr_device *dev = *state;
    gpu_limits own = dev->physical.limits;
    dev->physical.limits.max_range = 32768; /* less than the weights */
    static const test_case split[] = {
        CASE(Conv, "f32[1,32,6,6] const f32[49,32,3,3] const f32[49]", "pads=1,1,1,1 act=relu"),
        CASE(Conv, "f32[1,64,3,3] const f32[200,64,1,1]", ""),
        CASE(ConvTranspose, "f32[1,16,5,5] const f32[16,60,3,3] const f32[60]", "strides=2,2"),
        CASE(Gemm, "f32[9,64] const f32[64,200] const f32[200]", ""),
        CASE(Gemm, "f32[1,64] const f32[64,200] const f32[200]", ""),
    };
    for (size_t i = 0; i < VKB_COUNT(split); i++) assert_true(run_case(dev, &split[i], false) > 0);
    dev->physical.limits = own;
}

/* The parts cover every output channel once, in bindings that the device takes. */
static void test_parts_as_data(void **state)
{
    (void)state;
    static const test_case t = CASE(Conv, "f32[1,256,8,8] const f32[300,256,3,3]", "pads=1,1,1,1");
    case_graph c;
    vki_error err = {0};
    gpu_program p = {0};
    gpu_builder b;
    gpu_limits limits = gpu_limits_minimum;
    limits.max_range = 1u << 18;
    if (case_make(&c, &t, 1, false, &err) != VKI_OK) fail_msg("%s", err.text);
    assert_int_equal(gpu_builder_init(&b, &c.g, &limits, false, &p, &err), VKI_OK);
    const char *why;
    const gpu_kernel *k = gpu_choose(&b, &c.g.nodes[0], &why);
    assert_non_null(k);
    assert_int_equal(gpu_emit(&b, 0, k), VKI_OK);
    uint32_t next = 0;
    int parts = 0;
    for (int i = 0; i < p.n_dispatches; i++) {
        const gpu_dispatch *d = &p.dispatches[i];
        if (d->shader != SH_conv2d_direct_f32) continue;
        assert_true(p.weights[d->bind[1].index].bytes <= limits.max_range);
        const uint32_t *own =
            &d->push[d->n_push - 5]; /* first_tile, tiles; before the activation's two and the channels */
        assert_int_equal(own[0], next);
        next += own[1];
        parts++;
    }
    assert_true(parts > 1);
    uint32_t slices = p.dispatches[p.n_dispatches - 1].spec[6];
    assert_int_equal(next, (300 / 4 + slices - 1) / slices);
    gpu_builder_free(&b);
    gpu_program_free(&p, &vkb_libc_allocator);
    case_free(&c);
}

int main(void)
{
    vkr_device *dev = gpu_run_device();
    const struct CMUnitTest data[] = {cmocka_unit_test(test_parts_as_data)};
    const struct CMUnitTest device[] = {cmocka_unit_test_prestate(test_vendors, dev),
                                        cmocka_unit_test_prestate(test_parts, dev)};
    int failed = cmocka_run_group_tests(data, NULL, NULL);
    if (dev) failed += cmocka_run_group_tests(device, NULL, NULL);
    return failed;
}
