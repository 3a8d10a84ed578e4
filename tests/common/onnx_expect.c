/* SPDX-License-Identifier: Apache-2.0 */
#include "common/onnx_expect.h"

#ifdef VKI_HAVE_ONNX
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/cpu.h"

void oe_evaluate(gr_graph *g)
{
    vki_error err = {.text = ""};
    for (int i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        bool known;
        if (gr_infer_node(g, n, &known, &err) != VKI_OK || !known)
            fail_msg("%s: inference failed: %s", n->name, err.text);
        const void *in[64] = {NULL};
        void *out[64] = {NULL};
        assert_true(n->n_in <= 64 && n->n_out <= 64);
        for (int k = 0; k < n->n_in; k++) in[k] = n->in[k] == GR_NONE ? NULL : g->tensors[n->in[k]].data;
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] == GR_NONE) continue;
            out[k] = vkb_arena_alloc(&g->arena, (size_t)gr_bytes(&g->tensors[n->out[k]]) + 1024);
            assert_non_null(out[k]);
        }
        if (cpu_evaluate(g, n, in, out, &err) != VKI_OK) fail_msg("%s: %s", n->name, err.text);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE) g->tensors[n->out[k]].data = out[k];
    }
}

/* Imports, evaluates and checks the shape of output 0. */
static const gr_tensor *run(gr_graph *g, ob *b, const float *x, vki_dtype dtype, const char *shape)
{
    vki_error err;
    if (ob_import(b, g, NULL, &err) != VKI_OK) fail_msg("%s", err.text);
    if (x) g->tensors[g->inputs[0]].data = x;
    oe_evaluate(g);
    const gr_tensor *y = &g->tensors[g->outputs[0]];
    char text[64], *p = text;
    for (int i = 0; i < y->rank; i++) p += sprintf(p, "%s%d", i ? "," : "", (int)y->dims[i]);
    *p = 0;
    assert_string_equal(text, shape);
    assert_int_equal(y->dtype, dtype);
    return y;
}

void oe_expect(ob *b, const float *x, const char *shape, const float *want, int n)
{
    gr_graph g;
    const gr_tensor *y = run(&g, b, x, VKI_F32, shape);
    assert_int_equal(gr_elements(y), n);
    for (int i = 0; i < n; i++) {
        float got = ((const float *)y->data)[i];
        if (!(fabsf(got - want[i]) <= 2e-6f * (1 + fabsf(want[i]))))
            fail_msg("element %d is %.8g instead of %.8g", i, (double)got, (double)want[i]);
    }
    gr_free(&g);
    ob_end(b);
}

void oe_expect_ints(ob *b, const float *x, vki_dtype dtype, const char *shape, const int64_t *want, int n)
{
    gr_graph g;
    const gr_tensor *y = run(&g, b, x, dtype, shape);
    assert_int_equal(gr_elements(y), n);
    for (int i = 0; i < n; i++) {
        int64_t got = 0;
        if (dtype == VKI_I64)
            got = ((const int64_t *)y->data)[i];
        else if (dtype == VKI_I32)
            got = ((const int32_t *)y->data)[i];
        else
            got = ((const uint8_t *)y->data)[i];
        assert_int_equal(got, want[i]);
    }
    gr_free(&g);
    ob_end(b);
}

static void check_failure(ob *b, vki_status status, const char *text)
{
    gr_graph g;
    vki_error err = {.text = ""};
    assert_int_equal(ob_import(b, &g, NULL, &err), status);
    if (!strstr(err.text, text)) fail_msg("'%s' does not say '%s'", err.text, text);
    ob_end(b);
}

void oe_refuses(ob *b, const char *text)
{
    check_failure(b, VKI_E_UNSUPPORTED, text);
}

void oe_fails(ob *b, const char *text)
{
    check_failure(b, VKI_E_FORMAT, text);
}

ob_node_t *oe_start(ob *b, int64_t opset, const char *op, const char *dims)
{
    ob_start(b, opset);
    ob_input(b, "x", VKI_F32, dims);
    ob_output(b, "y", VKI_F32, NULL);
    return ob_node(b, op, "x", "y");
}
#endif
