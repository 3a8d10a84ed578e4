/* SPDX-License-Identifier: Apache-2.0
 * Normalizations that the importer composes, by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include "common/onnx_expect.h"

#define EIGHT X32(1, 2, -3, 4, 5, 6, 7, 8)

static void local_response(void **state)
{
    (void)state;
    static const float want[2][8] = {
        {0.53452248f, 0.89442719f, -1.12587994f, 1.27775313f, 1.38144741f, 1.45521375f, 2.28924479f,
         2.34888088f},
        {0.57735027f, 1, -1.2792043f, 1.4509525f, 1.55794238f, 1.62697843f, 2.28314826f, 2.30940108f}};
    for (int size = 2; size <= 3; size++) {
        ob b;
        ob_node_t *n = oe_start(&b, 13, "LRN", "1,4,2");
        ob_float(&b, n, "alpha", 0.3f);
        ob_float(&b, n, "beta", 0.5f);
        ob_float(&b, n, "bias", 2);
        ob_int(&b, n, "size", size);
        oe_expect(&b, EIGHT, "1,4,2", want[size - 2], 8);
    }
}

static void norms(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 11, "LpNormalization", "2,3");
    static const float l2[] = {0.26726124f, 0.53452248f, -0.80178373f,
                               0.45584231f, 0.56980288f, -0.68376346f};
    static const float l1[] = {0.2f, 0.28571429f, -0.33333333f, 0.8f, 0.71428571f, -0.66666667f};
    oe_expect(&b, X32(1, 2, -3, 4, 5, -6), "2,3", l2, 6);
    n = oe_start(&b, 11, "LpNormalization", "2,3");
    ob_int(&b, n, "p", 1);
    oe_expect(&b, X32(0, 0, 0, 1, -1, 2), "2,3", X32(0, 0, 0, 0.25f, -0.25f, 0.5f), 6);
    n = oe_start(&b, 11, "LpNormalization", "2,3");
    ob_int(&b, n, "p", 1);
    ob_int(&b, n, "axis", 0);
    oe_expect(&b, X32(1, 2, -3, 4, 5, -6), "2,3", l1, 6);
    oe_start(&b, 11, "GlobalLpPool", "1,4,2");
    oe_expect(&b, EIGHT, "1,4,1", X32(2.23606798f, 5, 7.81024968f, 10.63014581f), 4);
    n = oe_start(&b, 11, "GlobalLpPool", "1,4,2");
    ob_int(&b, n, "p", 1);
    oe_expect(&b, EIGHT, "1,4,1", X32(3, 7, 11, 15), 4);
    n = oe_start(&b, 13, "MeanVarianceNormalization", "1,4,2");
    ob_ints(&b, n, "axes", 2, I64(0, 2));
    oe_expect(&b, EIGHT, "1,4,2", X32(-1, 1, -1, 1, -1, 1, -1, 1), 8);
}

static void group_norm(void **state)
{
    (void)state;
    static const float by_group[] = {0,           0.39223197f, -1.56892787f, 1.17669591f, -1.68327084f,
                                     0.10557639f, 1.89442361f, 3.68327084f};
    static const float by_channel[] = {
        0, 0.39223197f, -2.13785575f, 3.35339181f, -4.02490626f, -1.34163542f, 0.78884723f, 4.36654168f};
    for (int newest = 0; newest < 2; newest++) {
        ob b;
        ob_node_t *n = oe_start(&b, newest ? 21 : 18, "GroupNormalization", "1,4,2");
        ob_initializer(&b, "s", VKI_F32, newest ? "4" : "2", X32(1, 2, 3, 4));
        ob_initializer(&b, "t", VKI_F32, newest ? "4" : "2", X32(0, 1, 0, -1));
        ob_inputs(&b, n, "x,s,t");
        ob_int(&b, n, "num_groups", 2);
        oe_expect(&b, EIGHT, "1,4,2", newest ? by_channel : by_group, 8);
    }
}

static void rms_norm(void **state)
{
    (void)state;
    for (int axis = -2; axis <= 1; axis++) { /* -2 and 0: all of it */
        ob b;
        ob_node_t *n = oe_start(&b, 23, "RMSNormalization", "2,2");
        ob_initializer(&b, "s", VKI_F32, "2", X32(1, 10));
        ob_inputs(&b, n, "x,s");
        ob_float(&b, n, "epsilon", 0);
        ob_int(&b, n, "axis", axis);
        if (axis == -2 || axis == 0) /* mean of squares 25 */
            oe_expect(&b, X32(3, 4, 5, -7.0710678f), "2,2", X32(0.6f, 8, 1, -14.1421356f), 4);
        else
            oe_expect(&b, X32(3, 3, 0, 2), "2,2", X32(1, 10, 0, 14.1421356f), 4);
    }
    ob b;
    ob_node_t *n = oe_start(&b, 23, "RMSNormalization", "2,2");
    ob_inputs(&b, n, "x,x");
    ob_int(&b, n, "axis", 2);
    oe_fails(&b, "axis 2 of 2 dimensions");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_response),
        cmocka_unit_test(norms),
        cmocka_unit_test(group_norm),
        cmocka_unit_test(rms_norm),
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
