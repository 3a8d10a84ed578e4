/* SPDX-License-Identifier: Apache-2.0
 * The ONNX importer on whole files: what it reads, what it refuses and how, damaged and hostile files,
 * exhausted memory, and the models of ../shared/models (or of the folder that VKI_SHARED names). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/onnx_build.h"
#include "graph/import/onnx/onnx_import.h"
#include "graph/ops/attrs.h"

#define X32(...) ((const float[]){__VA_ARGS__})
#define I64(...) ((const int64_t[]){__VA_ARGS__})

/* Imports a model that must fail; the text must have `part`. */
static void expect_failure(ob *b, vki_status status, const char *part)
{
    gr_graph g;
    vki_error err = {.text = ""};
    vki_status got = ob_import(b, &g, NULL, &err);
    if (got != status || !strstr(err.text, part))
        fail_msg("%s instead of %s with '%s': %s", vki_status_name(got), vki_status_name(status), part,
                 err.text);
    assert_int_equal(err.code, status);
    assert_int_equal(g.n_tensors + g.n_nodes, 0);
    assert_int_equal(ob_import(b, &g, NULL, NULL), status); /* without an error struct too */
    gr_free(&g);
    ob_end(b);
}

static void structure(void **state)
{
    (void)state;
    ob b;
    gr_graph g;
    vki_error err;
    ob_small_model(&b);
    if (ob_import(&b, &g, NULL, &err) != VKI_OK) fail_msg("%s", err.text);
    assert_int_equal(g.n_inputs, 1);
    assert_int_equal(g.n_outputs, 1);
    assert_int_equal(g.n_nodes, 3);
    assert_string_equal(gr_get_meta(&g, "producer"), "the test");
    assert_string_equal(gr_get_meta(&g, "opset"), "13");
    const gr_tensor *x = &g.tensors[g.inputs[0]];
    assert_string_equal(gr_symbol_name(&g, x->dims[0]), "N");
    assert_string_equal(gr_symbol_name(&g, x->dims[3]), "x_3");
    assert_int_equal(x->dims[1], 2);
    const gr_node *conv = &g.nodes[0];
    assert_int_equal(conv->op, OP_Conv);
    assert_string_equal(conv->name, "Conv_0"); /* its name is empty in the file */
    const op_conv_attrs *attrs = conv->attrs;
    assert_int_equal(attrs->strides.count, 2);
    assert_int_equal(attrs->strides.v[1], 2);
    assert_int_equal(attrs->auto_pad, OP_PAD_VALID);
    assert_true(gr_is_const(&g, conv->in[1]) && gr_is_const(&g, conv->in[2]));
    const gr_tensor *y = &g.tensors[g.outputs[0]];
    assert_int_equal(y->dtype, VKI_F32); /* as declared, until shapes are known */
    assert_int_equal(y->dims[0], GR_UNKNOWN);
    vki_shape shape = {"x", 4, {1, 2, 3, 5}};
    if (gr_bind_shapes(&g, &shape, 1, &err) != VKI_OK) fail_msg("%s", err.text);
    y = &g.tensors[g.outputs[0]];
    assert_int_equal(y->dims[0], 1);
    assert_int_equal(y->dims[1], 18);
    gr_free(&g);
    ob_end(&b);
}

/* Lists of texts and of floats; an output that is absent before one that is there. */
static void recurrent_attributes(void **state)
{
    (void)state;
    static const float zeros[64] = {0}, alpha = 0.3f;
    static const char *const names[] = {"HardSigmoid", "Tanh", "Relu"};
    for (int wrong = 0; wrong < 2; wrong++) {
        ob b;
        gr_graph g;
        vki_error err;
        ob_start(&b, 7);
        ob_input(&b, "x", VKI_F32, "5,1,3");
        ob_initializer(&b, "w", VKI_F32, "1,8,3", zeros);
        ob_initializer(&b, "r", VKI_F32, "1,8,2", zeros);
        ob_node_t *n = ob_node(&b, "LSTM", "x,w,r", ",,c");
        Onnx__AttributeProto *a =
            ob_attr(&b, n, "activations", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
        ProtobufCBinaryData texts[3];
        for (int i = 0; i < 3; i++) {
            const char *text = wrong && i == 2 ? "relu" : names[i];
            texts[i] = (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
        }
        a->n_strings = 3;
        a->strings = texts;
        ob_floats(&b, n, "activation_alpha", 1, &alpha);
        ob_int(&b, n, "hidden_size", 2);
        ob_output(&b, "c", VKI_F32, "1,1,2");
        vki_status status = ob_import(&b, &g, NULL, &err);
        if (wrong) {
            assert_int_equal(status, VKI_E_UNSUPPORTED);
            assert_non_null(strstr(err.text, "activations = 'relu'"));
        } else {
            if (status != VKI_OK) fail_msg("%s", err.text);
            const op_recurrent_attrs *attrs = g.nodes[0].attrs;
            assert_int_equal(attrs->activations.count, 3);
            assert_int_equal(attrs->activations.v[0], OP_RNN_HARD_SIGMOID);
            assert_int_equal(attrs->activations.v[2], OP_RNN_RELU);
            assert_int_equal(attrs->activation_alpha.count, 1);
            assert_true(attrs->activation_alpha.v[0] == alpha);
            assert_int_equal(g.nodes[0].out[0], GR_NONE);
            gr_free(&g);
        }
        ob_end(&b);
    }
}

static void every_type(void **state)
{
    (void)state;
    static const vki_dtype dtypes[] = {VKI_F32, VKI_F64, VKI_I8,  VKI_U8,  VKI_I16, VKI_U16,
                                       VKI_I32, VKI_I64, VKI_U32, VKI_U64, VKI_BOOL};
    ob b;
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "1");
    ob_output(&b, "x", VKI_F32, "1");
    for (size_t i = 0; i < VKB_COUNT(dtypes); i++) {
        char name[8] = {'t', (char)('a' + i), 0};
        uint8_t zeros[16] = {0};
        ob_tensor_t *t = ob_initializer(&b, name, dtypes[i], "2", zeros);
        t->has_raw_data = 0; /* typed fields: 1, 2 */
        static float f[2] = {1, 2};
        static double d[2] = {1, 2};
        static int32_t s[2] = {1, 2};
        static int64_t l[2] = {1, 2};
        static uint64_t u[2] = {1, 2};
        if (dtypes[i] == VKI_F32) {
            t->n_float_data = 2;
            t->float_data = f;
        } else if (dtypes[i] == VKI_F64) {
            t->n_double_data = 2;
            t->double_data = d;
        } else if (dtypes[i] == VKI_I64) {
            t->n_int64_data = 2;
            t->int64_data = l;
        } else if (dtypes[i] == VKI_U32 || dtypes[i] == VKI_U64) {
            t->n_uint64_data = 2;
            t->uint64_data = u;
        } else {
            t->n_int32_data = 2;
            t->int32_data = s;
        }
    }
    static const uint16_t brain[2] = {0x3f80, 0xc000}; /* bf16: 1, -2 */
    ob_initializer(&b, "brain", VKI_U16, "2", brain)->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
    gr_graph g;
    vki_error err;
    if (ob_import(&b, &g, NULL, &err) != VKI_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < VKB_COUNT(dtypes); i++) {
        char name[8] = {'t', (char)('a' + i), 0};
        const gr_tensor *t = &g.tensors[gr_find_tensor(&g, name)];
        assert_int_equal(t->dtype, dtypes[i]);
        const uint8_t *p = t->data;
        size_t size = vki_dtype_size(t->dtype);
        if (dtypes[i] == VKI_F32)
            assert_true(((const float *)t->data)[1] == 2);
        else if (dtypes[i] == VKI_F64)
            assert_true(((const double *)t->data)[1] == 2);
        else
            assert_int_equal(p[size], dtypes[i] == VKI_BOOL ? 1 : 2);
    }
    const gr_tensor *t = &g.tensors[gr_find_tensor(&g, "brain")];
    assert_int_equal(t->dtype, VKI_F32);
    assert_true(((const float *)t->data)[1] == -2);
    gr_free(&g);
    ob_end(&b);
}

static void constants(void **state)
{
    (void)state;
    ob b;
    ob_start(&b, 13);
    ob_output(&b, "f", VKI_F32, "");
    ob_float(&b, ob_node(&b, "Constant", "", "f"), "value_float", 1.5f);
    ob_int(&b, ob_node(&b, "Constant", "", "i"), "value_int", -7);
    ob_floats(&b, ob_node(&b, "Constant", "", "fs"), "value_floats", 2, X32(1, 2));
    ob_ints(&b, ob_node(&b, "Constant", "", "is"), "value_ints", 2, I64(3, 4));
    ob_ints(&b, ob_node(&b, "Constant", "", "none"), "value_ints", 0, NULL);
    gr_graph g;
    vki_error err;
    if (ob_import(&b, &g, NULL, &err) != VKI_OK) fail_msg("%s", err.text);
    int64_t v[2];
    int n;
    float f;
    assert_true(gr_const_f32(&g, gr_find_tensor(&g, "f"), &f) && f == 1.5f);
    assert_true(gr_const_i64(&g, gr_find_tensor(&g, "i"), v, 2, &n) && n == 1 && v[0] == -7);
    assert_true(gr_const_i64(&g, gr_find_tensor(&g, "is"), v, 2, &n) && n == 2 && v[1] == 4);
    assert_true(gr_const_i64(&g, gr_find_tensor(&g, "none"), v, 2, &n) && n == 0);
    assert_int_equal(g.tensors[gr_find_tensor(&g, "fs")].rank, 1);
    gr_free(&g);
    ob_end(&b);
}

/* ---- names and structure that are wrong ---- */

static ob_node_t *start(ob *b, const char *op, const char *in, const char *out)
{
    ob_start(b, 13);
    ob_input(b, "x", VKI_F32, "2");
    ob_output(b, "y", VKI_F32, "2");
    return ob_node(b, op, in, out);
}

static void wrong_names(void **state)
{
    (void)state;
    ob b;
    start(&b, "Relu", "nowhere", "y")->name = (char *)(uintptr_t) "r1";
    expect_failure(&b, VKI_E_FORMAT, "Relu 'r1': its input 'nowhere'");
    start(&b, "Relu", "x", "x");
    ob_node(&b, "Relu", "x", "y");
    expect_failure(&b, VKI_E_FORMAT, "'x' is defined a second time");
    start(&b, "Relu", "x", "y");
    ob_initializer(&b, "w", VKI_F32, "1", X32(1));
    ob_initializer(&b, "w", VKI_F32, "1", X32(1));
    expect_failure(&b, VKI_E_FORMAT, "initializer 'w' is defined twice");
    start(&b, "Relu", "x", "y");
    ob_input(&b, "x", VKI_F32, "2");
    expect_failure(&b, VKI_E_FORMAT, "input 'x' is defined twice");
    start(&b, "Relu", "x", "z");
    expect_failure(&b, VKI_E_FORMAT, "output 'y'");
    start(&b, "Relu", "x", "y");
    ob_output(&b, "y", VKI_F32, "2");
    expect_failure(&b, VKI_E_FORMAT, "listed twice");
    start(&b, "Add", "x,a", "y");
    ob_node(&b, "Relu", "y", "a");
    expect_failure(&b, VKI_E_FORMAT, "cycle");
    start(&b, "", "x", "y");
    expect_failure(&b, VKI_E_FORMAT, "names no operator");
}

static void any_order(void **state)
{
    (void)state;
    ob b;
    gr_graph g;
    vki_error err;
    start(&b, "Relu", "a", "y");
    ob_node(&b, "Neg", "x", "a");
    if (ob_import(&b, &g, NULL, &err) != VKI_OK) fail_msg("%s", err.text);
    assert_int_equal(g.nodes[0].op, OP_Neg);
    gr_free(&g);
    ob_end(&b);
}

static void wrong_nodes(void **state)
{
    (void)state;
    ob b;
    start(&b, "Relu", "x,x", "y");
    expect_failure(&b, VKI_E_FORMAT, "has 2 inputs");
    start(&b, "Add", "x", "y");
    expect_failure(&b, VKI_E_FORMAT, "has 1 inputs");
    start(&b, "Add", ",x", "y");
    expect_failure(&b, VKI_E_FORMAT, "input 0 is missing");
    start(&b, "Slice", "x", "y");
    b.model.opset_import[0]->version = 9;
    expect_failure(&b, VKI_E_FORMAT, "'starts' is missing");
    start(&b, "Concat", "x,x", "y");
    expect_failure(&b, VKI_E_FORMAT, "'axis' is missing");
    ob_text(&b, start(&b, "Concat", "x,x", "y"), "axis", "one");
    expect_failure(&b, VKI_E_FORMAT, "attribute 'axis' holds string, but int");
    ob_node_t *n = start(&b, "Concat", "x,x", "y");
    ob_int(&b, n, "axis", 0);
    ob_int(&b, n, "axis", 0);
    expect_failure(&b, VKI_E_FORMAT, "twice");
    start(&b, "Cast", "x", "y");
    expect_failure(&b, VKI_E_FORMAT, "'to' is missing");
    start(&b, "Constant", "", "y");
    expect_failure(&b, VKI_E_FORMAT, "exactly one value");
    start(&b, "Constant", "x", "y");
    expect_failure(&b, VKI_E_FORMAT, "no inputs and one output");
}

static void wrong_models(void **state)
{
    (void)state;
    ob b;
    start(&b, "Relu", "x", "y");
    b.model.opset_import[0]->version = 99;
    expect_failure(&b, VKI_E_UNSUPPORTED, "operator set 99; 1 to 25");
    start(&b, "Relu", "x", "y");
    b.model.n_opset_import = 0;
    expect_failure(&b, VKI_E_FORMAT, "operator set");
    start(&b, "Relu", "x", "y");
    b.model.graph = NULL;
    expect_failure(&b, VKI_E_FORMAT, "no graph");
    start(&b, "Relu", "x", "y");
    b.graph.n_output = 0;
    expect_failure(&b, VKI_E_FORMAT, "0 outputs");

    start(&b, "Relu", "x", "y");
    ob_initializer(&b, "w", VKI_F32, "2", X32(1, 2))->dims[0] = 3;
    expect_failure(&b, VKI_E_FORMAT, "'w' holds 8 bytes, but its shape and type need 12");
    start(&b, "Relu", "x", "y");
    ob_initializer(&b, "w", VKI_F32, "2", X32(1, 2))->dims[0] = -1;
    expect_failure(&b, VKI_E_FORMAT, "dimension 0 is -1");
    start(&b, "Relu", "x", "y");
    ob_tensor_t *t = ob_initializer(&b, "w", VKI_F32, "1,1,1", X32(1));
    for (int i = 0; i < 3; i++) t->dims[i] = INT64_MAX;
    expect_failure(&b, VKI_E_FORMAT, "'w'");
    start(&b, "Relu", "x", "y");
    t = ob_initializer(&b, "w", VKI_F32, "1", X32(1));
    t->dims[0] = INT64_MAX / 8;
    t->has_raw_data = 0;
    expect_failure(&b, VKI_E_FORMAT, "'w'");
}

/* ---- valid, but not supported: all of it in one text ---- */

static void unsupported(void **state)
{
    (void)state;
    ob b;
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "2");
    ob_input(&b, "words", (vki_dtype)8, "2");
    ob_output(&b, "y", VKI_F32, "2");
    ob_node(&b, "FancyOp", "x", "a")->name = (char *)(uintptr_t) "first";
    ob_node(&b, "FancyOp", "a", "b")->name = (char *)(uintptr_t) "second";
    ob_node(&b, "FusedGemm", "b", "c")->domain = (char *)(uintptr_t) "com.microsoft";
    ob_int(&b, ob_node(&b, "Relu", "c", "d"), "sideways", 1);
    ob_int(&b, ob_node(&b, "Cast", "d", "y"), "to", 8);
    gr_graph g;
    vki_error err;
    assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_E_UNSUPPORTED);
    static const char *const parts[] = {
        "FancyOp x2 (first node 'first': operator not supported)", "input 'words': string",
        "FusedGemm (node 'FusedGemm_2': domain 'com.microsoft')",
        "Relu (node 'Relu_3': attribute 'sideways')", "Cast (node 'Cast_4': to type string)"};
    for (size_t i = 0; i < VKB_COUNT(parts); i++)
        if (!strstr(err.text, parts[i])) fail_msg("no %s in: %s", parts[i], err.text);
    ob_end(&b);

    ob_start(&b, 13); /* more than the text can hold */
    ob_output(&b, "o0", VKI_F32, NULL);
    for (int i = 0; i < 400; i++) {
        char op[32], out[16];
        snprintf(op, sizeof op, "UnknownOperator%d", i);
        snprintf(out, sizeof out, "o%d", i);
        ob_node(&b, op, "", out);
    }
    assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_E_UNSUPPORTED);
    const char *more = strstr(err.text, "; and ");
    assert_non_null(more);
    assert_true(atoi(more + 6) > 380 && strstr(more, " more"));
    ob_end(&b);
}

static void unsupported_details(void **state)
{
    (void)state;
    ob b;
    start(&b, "Dropout", "x", "y,mask");
    b.model.opset_import[0]->version = 7;
    ob_node(&b, "Not", "mask", "z");
    expect_failure(&b, VKI_E_UNSUPPORTED, "its mask is used");
    ob_start(&b, 8);
    ob_input(&b, "x", VKI_F32, "1,2");
    ob_output(&b, "y", VKI_F32, "1,2");
    ob_node(&b, "BatchNormalization", "x,x,x,x,x", "z,y");
    expect_failure(&b, VKI_E_UNSUPPORTED, "in training mode");
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "1,1,1,1,1,1,1,1,1");
    ob_output(&b, "x", VKI_F32, NULL);
    expect_failure(&b, VKI_E_UNSUPPORTED, "more than 8 dimensions");
}

/* ---- external data ---- */

static void external_data(void **state)
{
    (void)state;
    char folder[] = "/tmp/onnx_test_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/weights.bin", folder);
    const float values[4] = {0, 1, 2, 3};
    vki_error err;
    assert_int_equal(vkb_file_write(path, &(vkb_span){values, sizeof values}, 1, &err), VKI_OK);
    static const struct {
        const char *location, *offset, *length;
        vki_status status;
    } cases[] = {
        {"weights.bin", "4", "8", VKI_OK},
        {"./weights.bin", "8", NULL, VKI_OK},
        {"weights.bin", NULL, NULL, VKI_OK},
        {"weights.bin", "12", "8", VKI_E_FORMAT}, /* past the end */
        {"weights.bin", "99999999999999999999999", "8", VKI_E_FORMAT},
        {"weights.bin", "18446744073709551612", "8", VKI_E_FORMAT},
        {"weights.bin", "-4", "8", VKI_E_FORMAT},
        {"weights.bin", "0", "4", VKI_E_FORMAT}, /* not what the shape needs */
        {"missing.bin", "0", "8", VKI_E_IO},
        {"../weights.bin", "0", "8", VKI_E_FORMAT},
        {"a/../../weights.bin", "0", "8", VKI_E_FORMAT},
        {"/etc/passwd", "0", "8", VKI_E_FORMAT},
        {"..\\weights.bin", "0", "8", VKI_E_FORMAT},
        {"", "0", "8", VKI_E_FORMAT},
        {NULL, "0", "8", VKI_E_FORMAT},
    };
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        ob b;
        start(&b, "Mul", "x,w", "y");
        ob_tensor_t *t = ob_initializer(&b, "w", VKI_F32, "2", X32(0, 0));
        if (cases[i].location) ob_external(&b, t, "location", cases[i].location);
        if (cases[i].offset) ob_external(&b, t, "offset", cases[i].offset);
        if (cases[i].length) ob_external(&b, t, "length", cases[i].length);
        gr_graph g;
        vki_status status = ob_import(&b, &g, folder, &err);
        if (status != cases[i].status) fail_msg("case %zu: %s: %s", i, vki_status_name(status), err.text);
        if (status == VKI_OK) {
            const gr_tensor *w = &g.tensors[gr_find_tensor(&g, "w")];
            int first = cases[i].offset ? atoi(cases[i].offset) / 4 : 0;
            assert_memory_equal(w->data, values + first, 8);
        }
        gr_free(&g);
        if (i == 0) {
            assert_int_equal(ob_import(&b, &g, NULL, &err), VKI_E_IO);
            assert_non_null(strstr(err.text, "weights.bin"));
        }
        ob_end(&b);
    }
    unlink(path);
    rmdir(folder);
}

/* ---- TensorProto files of test data ---- */

static void tensor_files(void **state)
{
    (void)state;
    ob b;
    ob_start(&b, 13);
    static const uint16_t half[2] = {0x3c00, 0x4000};
    ob_tensor_t *t = ob_tensor(&b, "input", VKI_F16, "2", half);
    uint8_t bytes[256];
    size_t n = onnx__tensor_proto__pack(t, bytes);
    gr_graph g;
    gr_init(&g, &vkb_libc_allocator);
    vki_error err;
    gr_id id, second;
    assert_int_equal(onnx_read_tensor(&g, bytes, n, &id, &err), VKI_OK);
    assert_int_equal(onnx_read_tensor(&g, bytes, n, &second, &err), VKI_OK);
    assert_int_not_equal(id, second);
    assert_int_equal(g.tensors[id].dtype, VKI_F16); /* as stored */
    assert_memory_equal(g.tensors[second].data, half, 4);
    for (size_t cut = 0; cut < n; cut++)
        if (onnx_read_tensor(&g, bytes, cut, &id, &err) == VKI_OK) assert_true(cut > 0);
    gr_free(&g);
    ob_end(&b);
}

/* ---- real models ---- */

static void shared_models(void **state)
{
    (void)state;
    const char *shared = getenv("VKI_SHARED");
    char pattern[512];
    snprintf(pattern, sizeof pattern, "%s/models/*/*/model.onnx", shared ? shared : "../shared");
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0) {
        print_message("skipped: no %s (set VKI_SHARED)\n", pattern);
        skip();
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        vkb_file file;
        vki_error err = {.text = ""};
        assert_int_equal(vkb_file_map(&file, path, &err), VKI_OK);
        gr_graph g;
        vki_status status = onnx_import(&g, &vkb_libc_allocator, file.data, file.bytes, NULL, &err);
        if (status == VKI_OK) status = gr_infer(&g, &err);
        if (status != VKI_OK) fail_msg("%s: %s: %s", path, vki_status_name(status), err.text);
        gr_free(&g);
        vkb_file_unmap(&file);
    }
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure),
        cmocka_unit_test(every_type),
        cmocka_unit_test(constants),
        cmocka_unit_test(wrong_names),
        cmocka_unit_test(any_order),
        cmocka_unit_test(wrong_nodes),
        cmocka_unit_test(wrong_models),
        cmocka_unit_test(unsupported),
        cmocka_unit_test(unsupported_details),
        cmocka_unit_test(external_data),
        cmocka_unit_test(tensor_files),
        cmocka_unit_test(shared_models),
        cmocka_unit_test(recurrent_attributes),
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
