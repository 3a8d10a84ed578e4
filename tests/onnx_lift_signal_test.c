/* SPDX-License-Identifier: Apache-2.0
 * Lifts of signal and image operators, by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include "common/onnx_expect.h"

static void dft_axis(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 17, "DFT", "2,2,1"); /* by default along dimension 1 */
    oe_expect(&b, X32(1, 2, 3, 5), "2,2,2", X32(3, 0, -1, 0, 8, 0, -2, 0), 8);
    n = oe_start(&b, 19, "DFT", "2,2,1");
    ob_int(&b, n, "axis", 0);
    oe_expect(&b, X32(1, 2, 3, 5), "2,2,2", X32(4, 0, 7, 0, -2, 0, -3, 0), 8);
    n = oe_start(&b, 20, "DFT", "2,2,1"); /* by default along the last but one */
    ob_int(&b, n, "onesided", 1);
    oe_expect(&b, X32(1, 2, 3, 5), "2,2,2", X32(3, 0, -1, 0, 8, 0, -2, 0), 8);
}

/* x -> node(x, a constant) -> y */
static ob_node_t *with_constant(ob *b, int64_t opset, const char *op, const char *dims, vki_dtype dtype,
                                const char *constant_dims, const void *constant)
{
    ob_start(b, opset);
    ob_input(b, "x", VKI_F32, dims);
    ob_output(b, "y", VKI_F32, NULL);
    ob_initializer(b, "c", dtype, constant_dims, constant);
    return ob_node(b, op, "x,c", "y");
}

static void grid_modes(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        float value;
    } modes[] = {{NULL, 1.75f}, {"bilinear", 1.75f}, {"nearest", 2}, {"bicubic", 1.7734375f}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        ob b;
        ob_node_t *n = with_constant(&b, 16, "GridSample", "1,1,1,4", VKI_F32, "1,1,1,2", X32(0.125f, 0));
        if (modes[i].mode) ob_text(&b, n, "mode", modes[i].mode);
        ob_text(&b, n, "padding_mode", "border");
        oe_expect(&b, X32(1, 1, 2, 2), "1,1,1,1", &modes[i].value, 1);
    }
    ob b;
    ob_node_t *n = with_constant(&b, 16, "GridSample", "1,1,1,4", VKI_F32, "1,1,1,2", X32(0, 0));
    ob_text(&b, n, "mode", "cubic"); /* the later name */
    oe_refuses(&b, "mode = 'cubic'");
}

static void region_offset(void **state)
{
    (void)state;
    static const int64_t batch[] = {0};
    for (int opset = 10; opset <= 16; opset += 6) { /* half a pixel since opset 16 */
        ob b;
        ob_start(&b, opset);
        ob_input(&b, "x", VKI_F32, "1,1,4,4");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_initializer(&b, "rois", VKI_F32, "1,4", X32(0, 0, 2, 2));
        ob_initializer(&b, "batch", VKI_I64, "1", batch);
        ob_node_t *n = ob_node(&b, "RoiAlign", "x,rois,batch", "y");
        ob_int(&b, n, "sampling_ratio", 1);
        float want = opset == 10 ? 5 : 2.5f;
        oe_expect(&b, X32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), "1,1,1,1", &want, 1);
    }
}

static void crop_and_pad(void **state)
{
    (void)state;
    ob b;
    with_constant(&b, 18, "CenterCropPad", "2,3", VKI_I64, "2", I64(3, 2)); /* pad below, crop on the right */
    oe_expect(&b, X32(1, 2, 3, 4, 5, 6), "3,2", X32(1, 2, 4, 5, 0, 0), 6);
    ob_node_t *n = with_constant(&b, 18, "CenterCropPad", "1,6", VKI_I64, "1", I64(3));
    ob_ints(&b, n, "axes", 1, I64(-1));
    oe_expect(&b, X32(1, 2, 3, 4, 5, 6), "1,3", X32(2, 3, 4), 3);
    static const int32_t five[] = {5};
    n = with_constant(&b, 18, "CenterCropPad", "2,2", VKI_I32, "1", five);
    ob_ints(&b, n, "axes", 1, I64(1));
    oe_expect(&b, X32(1, 2, 3, 4), "2,5", X32(0, 1, 2, 0, 0, 0, 3, 4, 0, 0), 10);
}

static void window_type(void **state)
{
    (void)state;
    ob b;
    ob_start(&b, 17);
    ob_output(&b, "y", VKI_F32, NULL);
    ob_initializer(&b, "size", VKI_I64, "", I64(4));
    ob_node_t *n = ob_node(&b, "HannWindow", "size", "y");
    ob_int(&b, n, "output_datatype", VKI_F16); /* computed in fp32 */
    oe_expect(&b, NULL, "4", X32(0, 0.5f, 1, 0.5f), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dft_axis),     cmocka_unit_test(grid_modes),  cmocka_unit_test(region_offset),
        cmocka_unit_test(crop_and_pad), cmocka_unit_test(window_type),
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
