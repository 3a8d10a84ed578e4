/* SPDX-License-Identifier: Apache-2.0
 * Test data, comparisons, and the commands verify, convert and info on small models made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/capture.h"
#include "common/onnx_build.h"
#include "graph/passes/pass.h"
#include "tools/compare.h"
#include "tools/npy.h"
#include "tools/testdata.h"
#include "tools/tool.h"
#include "tools/verify.h"

/* ---- comparing ---- */

static void comparing(void **state)
{
    (void)state;
    const float want[4] = {1, -4, 0, NAN}, got[4] = {1, -4.5f, 0.25f, NAN};
    compare_result r = compare_tensors(got, VKI_F32, want, VKI_F32, 4);
    assert_true(r.max_abs == 0.5 && r.scale == 4 && r.rel == 0.125);
    assert_int_equal(r.worst, 1);
    assert_int_equal(r.unequal, 2);
    assert_true(compare_passes(&r, 0.125) && !compare_passes(&r, 0.124));
    static const float bad[][1] = {{NAN}, {INFINITY}, {-INFINITY}};
    for (size_t i = 0; i < VKB_COUNT(bad); i++) {
        r = compare_tensors(bad[i], VKI_F32, want, VKI_F32, 1);
        assert_false(compare_passes(&r, 1e30));
        r = compare_tensors(want, VKI_F32, bad[i], VKI_F32, 1);
        assert_false(compare_passes(&r, 1e30));
        r = compare_tensors(bad[i], VKI_F32, bad[i], VKI_F32, 1);
        assert_true(compare_passes(&r, 0));
    }
    const int64_t large[2] = {INT64_MAX, 1}, close[2] = {INT64_MAX - 1, 1};
    r = compare_tensors(close, VKI_I64, large, VKI_I64, 2);
    assert_true(r.exact && r.unequal == 1 && !compare_passes(&r, 1));
    r = compare_tensors(large, VKI_I64, large, VKI_I64, 2);
    assert_true(compare_passes(&r, 0));
    const uint16_t half[2] = {0x3c00, 0xc000};
    const double wide[2] = {1, -2};
    r = compare_tensors(half, VKI_F16, wide, VKI_F64, 2);
    assert_true(compare_passes(&r, 0));
    double converted[2];
    assert_true(compare_convert(converted, VKI_F64, half, VKI_F16, 2) && converted[1] == -2);
    assert_false(compare_convert(converted, VKI_F64, large, VKI_I64, 1));
}

static void random_values(void **state)
{
    (void)state;
    float a[1000], b[1000];
    int64_t ids[1000];
    uint8_t truth[1000];
    verify_random(a, VKI_F32, 1000, 1);
    verify_random(b, VKI_F32, 1000, 1);
    assert_memory_equal(a, b, sizeof a);
    verify_random(b, VKI_F32, 1000, 2);
    assert_memory_not_equal(a, b, sizeof a);
    verify_random(ids, VKI_I64, 1000, 1);
    verify_random(truth, VKI_BOOL, 1000, 1);
    double sum = 0;
    int ones = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(a[i] >= -1 && a[i] < 1);
        assert_true((ids[i] == 0 || ids[i] == 1) && truth[i] <= 1);
        sum += (double)a[i];
        ones += (int)ids[i];
    }
    assert_true(fabs(sum) < 60 && ones > 400 && ones < 600);
}

/* ---- folders with a model y = 2 x + 1 and its data ---- */

static char root[64];

static const char *in_root(const char *file)
{
    static char path[8][256];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", root, file);
    return path[next];
}

static void write_text(const char *file, const char *text)
{
    vki_error err;
    assert_int_equal(vkb_file_write(in_root(file), &(vkb_span){text, strlen(text)}, 1, &err), VKI_OK);
}

static void write_array(const char *file, int64_t n, const float *values)
{
    vki_error err;
    assert_int_equal(npy_save(in_root(file), VKI_F32, 1, &n, values, &err), VKI_OK);
}

static const char json[] = "{\"inputs\": {\"x\": {\"file\": \"input_0.npy\"}},"
                           " \"outputs\": {\"y\": {\"file\": \"output_0.npy\"}}}";

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/verify_test_XXXXXX");
    if (!mkdtemp(root)) return -1;
    static const char *const folders[] = {"good", "good/test_data_set_0", "good/test_data_set_10",
                                          "good/test_data_set_2", "empty"};
    for (size_t i = 0; i < VKB_COUNT(folders); i++)
        if (mkdir(in_root(folders[i]), 0755) != 0) return -1;
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void loading(void **state)
{
    (void)state;
    testdata d;
    vki_error err;
    write_array("good/test_data_set_0/input_0.npy", 3, (const float[]){1, 2, 3});
    write_array("good/test_data_set_0/output_0.npy", 3, (const float[]){3, 5, 7});
    assert_int_equal(testdata_load(&d, in_root("good/test_data_set_0"), &err), VKI_OK); /* by number */
    assert_string_equal(d.inputs[0].name, "");
    assert_ptr_equal(testdata_find(d.inputs, d.n_inputs, "any", 0), &d.inputs[0]);
    assert_null(testdata_find(d.inputs, d.n_inputs, "any", 1));
    testdata_free(&d);
    write_text("good/test_data_set_0/io.json", json);
    assert_int_equal(testdata_load(&d, in_root("good/test_data_set_0"), &err), VKI_OK); /* by name */
    assert_int_equal(d.n_inputs, 1);
    assert_string_equal(d.outputs[0].name, "y");
    assert_true(((const float *)d.outputs[0].array.data)[2] == 7);
    assert_ptr_equal(testdata_find(d.outputs, d.n_outputs, "y", 5), &d.outputs[0]);
    assert_null(testdata_find(d.outputs, d.n_outputs, "z", 0));
    testdata_free(&d);

    static const char *const wrong[] = {"",
                                        "{",
                                        "[]",
                                        "{\"outputs\": {\"y\": {\"file\": 3}}}",
                                        "{\"outputs\": {\"y\": {\"file\": \"../../x.npy\"}}}",
                                        "{\"outputs\": {\"y\": {\"file\": \"missing.npy\"}}}",
                                        "{\"outputs\": [1, 2]}"};
    for (size_t i = 0; i < VKB_COUNT(wrong); i++) {
        write_text("good/test_data_set_2/io.json", wrong[i]);
        if (testdata_load(&d, in_root("good/test_data_set_2"), &err) == VKI_OK)
            fail_msg("taken: %s", wrong[i]);
        assert_int_equal(d.n_inputs + d.n_outputs, 0);
    }
    unlink(in_root("good/test_data_set_2/io.json"));
    assert_int_equal(testdata_load(&d, in_root("empty"), &err), VKI_E_IO);
}

static void finding(void **state)
{
    (void)state;
    testdata_paths paths;
    vki_error err;
    assert_int_equal(testdata_sets(&paths, in_root("good/"), &err), VKI_OK);
    assert_int_equal(paths.count, 3);
    assert_non_null(strstr(paths.items[1], "test_data_set_2")); /* before 10 */
    testdata_paths_free(&paths);
    assert_int_equal(testdata_sets(&paths, in_root("good/test_data_set_10"), &err), VKI_OK);
    assert_int_equal(paths.count, 1);
    testdata_paths_free(&paths);
    assert_int_equal(testdata_cases(&paths, root, &err), VKI_OK);
    assert_int_equal(paths.count, 1);
    assert_string_equal(paths.items[0], in_root("good"));
    testdata_paths_free(&paths);
    assert_int_equal(testdata_sets(&paths, in_root("empty"), &err), VKI_E_IO);
    assert_int_equal(testdata_cases(&paths, in_root("nowhere"), &err), VKI_E_IO);
}

#ifdef VKI_HAVE_ONNX
/* Words of the command line, ended by NULL; copied, since parsing cuts them. */
static int command(int (*run)(int, char **), const char *line, ...)
{
    static char words[16][256];
    char *argv[17];
    int argc = 0;
    va_list args;
    va_start(args, line);
    for (const char *word = line; word; word = va_arg(args, const char *)) {
        snprintf(words[argc], sizeof words[argc], "%s", word);
        argv[argc] = words[argc];
        argc++;
    }
    va_end(args);
    argv[argc] = NULL;
    return run(argc, argv);
}

/* y = 2 x + 1 with `op` for the product; x has `dims`. */
static void write_model(const char *file, const char *op, const char *dims)
{
    ob b;
    size_t n;
    vki_error err;
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, dims);
    ob_output(&b, "y", VKI_F32, NULL);
    ob_initializer(&b, "two", VKI_F32, "", (const float[]){2});
    ob_initializer(&b, "one", VKI_F32, "", (const float[]){1});
    ob_node(&b, op, "x,two", "p");
    ob_node(&b, "Add", "p,one", "y");
    const uint8_t *bytes = ob_pack(&b, &n);
    assert_int_equal(vkb_file_write(in_root(file), &(vkb_span){bytes, n}, 1, &err), VKI_OK);
    ob_end(&b);
}

static void verify_command(void **state)
{
    (void)state;
    write_model("good/model.onnx", "Mul", "N");
    const char *model = in_root("good/model.onnx"), *set = in_root("good/test_data_set_0");
    assert_int_equal(command(cmd_verify, "verify", model, "--data", set, "--device", "cpu", NULL), TOOL_OK);
    /* the other two sets are empty, so the suite fails */
    assert_int_equal(command(cmd_verify, "verify", "--suite", root, "--device=cpu", NULL), TOOL_FAILED);
    for (int i = 0; i < 2; i++) rmdir(in_root(i ? "good/test_data_set_2" : "good/test_data_set_10"));
    assert_int_equal(command(cmd_verify, "verify", "--suite", root, "--device=cpu", NULL), TOOL_OK);
    assert_int_equal(command(cmd_verify, "verify", model, "--device=cpu", "--shape", "x=7", NULL), TOOL_OK);
    assert_int_equal(command(cmd_verify, "verify", model, "--device=cpu", NULL), TOOL_FAILED); /* no shape */

    write_array("good/test_data_set_0/output_0.npy", 3, (const float[]){3, 5, 7.01f});
    assert_int_equal(command(cmd_verify, "verify", model, "--data", set, "--device=cpu", NULL), TOOL_FAILED);
    assert_int_equal(
        command(cmd_verify, "verify", model, "--data", set, "--device=cpu", "--rtol", "0.01", NULL), TOOL_OK);
    write_text("tolerances", "# all\ngood 0.01\nother 1e-9\n");
    assert_int_equal(command(cmd_verify, "verify", "--suite", root, "--device=cpu", "--tolerances",
                             in_root("tolerances"), NULL),
                     TOOL_OK);
    write_array("good/test_data_set_0/output_0.npy", 2, (const float[]){3, 5}); /* another shape */
    assert_int_equal(command(cmd_verify, "verify", model, "--data", set, "--device=cpu", NULL), TOOL_FAILED);
    write_model("good/model.onnx", "FancyMul", "N"); /* not supported: skipped, no failure */
    assert_int_equal(command(cmd_verify, "verify", "--suite", root, "--device=cpu", NULL), TOOL_OK);
    assert_int_equal(command(cmd_verify, "verify", model, "--device=cpu", NULL), TOOL_FAILED);

    assert_int_equal(command(cmd_verify, "verify", NULL), TOOL_USAGE);
    assert_int_equal(command(cmd_verify, "verify", model, "--suite", root, NULL), TOOL_USAGE);
    assert_int_equal(command(cmd_verify, "verify", model, "--rtol", "-1", NULL), TOOL_USAGE);
    assert_int_equal(command(cmd_verify, "verify", "--help", NULL), TOOL_OK);
}

/* The sizes of a Reshape come as an input, as in the ONNX project's operator tests. */
/* Training that drops nothing is taken, if the importer can see that nothing is dropped. */
/* Which passes have a part in the plan is known without a run: only those are left out in one. */
static void each_pass(void **state)
{
    (void)state;
    static captured c;
    char line[1024];
    int same = 0, passed = 0, passes = 0;
    write_model("good/model.onnx", "Mul", "N");
    write_array("good/test_data_set_0/output_0.npy", 3, (const float[]){3, 5, 7});
    snprintf(line, sizeof line, "verify %s --data %s --device cpu --each-pass", in_root("good/model.onnx"),
             in_root("good/test_data_set_0"));
    capture(&c, cmd_verify, line);
    assert_int_equal(c.code, TOOL_OK);
    assert_non_null(strstr(c.out, "PASS  test_data_set_0 without in_place"));
    assert_non_null(strstr(c.out, "PASS  test_data_set_0 without all"));
    assert_null(strstr(c.out, "without fuse_pool"));
    while (gr_passes[passes]) passes++;
    const char *totals = strstr(c.out, " plans are the same");
    while (totals > c.out && totals[-1] != '\n') totals--;
    assert_int_equal(sscanf(totals,
                            "%d plans are the same without the pass, and were not run again\n%d passed",
                            &same, &passed),
                     2);
    assert_int_equal(same + passed, 2 + passes); /* with all, without each, without all */
    write_array("good/test_data_set_0/output_0.npy", 3, (const float[]){3, 5, 8});
    capture(&c, cmd_verify, line);
    assert_int_equal(c.code, TOOL_FAILED);
    assert_non_null(strstr(c.out, "FAIL  test_data_set_0 without all"));
    capture(&c, cmd_verify, "verify model.onnx --each-pass");
    assert_int_equal(c.code, TOOL_USAGE);
}

static void constant_inputs(void **state)
{
    (void)state;
    ob b;
    size_t n;
    vki_error err;
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "4");
    ob_input(&b, "ratio", VKI_F32, "1");
    ob_output(&b, "y", VKI_F32, NULL);
    ob_initializer(&b, "training", VKI_BOOL, "", "\1");
    ob_node(&b, "Dropout", "x,ratio,training", "r");
    ob_node(&b, "Neg", "r", "y");
    const uint8_t *bytes = ob_pack(&b, &n);
    assert_int_equal(mkdir(in_root("empty/test_data_set_0"), 0755), 0);
    assert_int_equal(vkb_file_write(in_root("empty/model.onnx"), &(vkb_span){bytes, n}, 1, &err), VKI_OK);
    ob_end(&b);
    write_array("empty/test_data_set_0/input_0.npy", 4, (const float[]){1, 2, 3, 4});
    write_array("empty/test_data_set_0/input_1.npy", 1, (const float[]){0});
    write_array("empty/test_data_set_0/output_0.npy", 4, (const float[]){-1, -2, -3, -4});

    vki_context_options cpu = {.size = sizeof cpu, .backend = VKI_BACKEND_CPU};
    verify_job job = {.rtol = 1e-6, .session = {.size = sizeof job.session}};
    assert_int_equal(vki_context_create(&cpu, &job.context, &err), VKI_OK);
    verify_folder(&job, in_root("empty/model.onnx"), in_root("empty"), "ratio");
    assert_int_equal(job.totals.skipped, 1);
    job.constant_inputs = true;
    verify_folder(&job, in_root("empty/model.onnx"), in_root("empty"), "ratio");
    assert_int_equal(job.totals.passed, 1);
    write_array("empty/test_data_set_0/output_0.npy", 4, (const float[]){-1, -2, -3, 4});
    verify_folder(&job, in_root("empty/model.onnx"), in_root("empty"), "ratio");
    assert_int_equal(job.totals.failed, 1);
    write_array("empty/test_data_set_0/input_1.npy", 1, (const float[]){0.5f});
    verify_folder(&job, in_root("empty/model.onnx"), in_root("empty"), "ratio");
    assert_int_equal(job.totals.skipped, 2);
    vki_context_destroy(&job.context);
}

static void only_floats(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        vki_dtype in, out;
        bool floats;
    } cases[] = {{"Neg", VKI_F32, VKI_F32, true},    {"Neg", VKI_F16, VKI_F16, true},
                 {"Shape", VKI_F32, VKI_I64, false}, {"Neg", VKI_I32, VKI_I32, false},
                 {"Shape", VKI_F32, VKI_F32, false}, {"NoSuch", VKI_F32, VKI_F32, true}};
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        ob b;
        size_t n;
        vki_error err;
        ob_start(&b, 13);
        ob_input(&b, "x", cases[i].in, "4");
        ob_output(&b, "y", cases[i].out, "4");
        if (i == 4) { /* in between, its type not declared */
            ob_node(&b, "Shape", "x", "s");
            ob_node(&b, "ConstantOfShape", "s", "y");
        } else {
            ob_node(&b, cases[i].op, "x", "y");
        }
        const uint8_t *bytes = ob_pack(&b, &n);
        assert_int_equal(vkb_file_write(in_root("types.onnx"), &(vkb_span){bytes, n}, 1, &err), VKI_OK);
        ob_end(&b);
        assert_int_equal(verify_only_floats(in_root("types.onnx")), cases[i].floats);
    }
    assert_false(verify_only_floats(in_root("missing.onnx")));
}

static void convert_and_info(void **state)
{
    (void)state;
    vki_error err;
    vkb_file file;
    write_model("m.onnx", "Mul", "N,4");
    const char *in = in_root("m.onnx"), *out = in_root("m.vkm");
    assert_int_equal(command(cmd_convert, "convert", in, "-o", out, NULL), TOOL_OK);
    assert_int_equal(vkb_file_map(&file, out, &err), VKI_OK);
    vkb_file_unmap(&file);
    assert_int_equal(command(cmd_info, "info", out, NULL), TOOL_OK);
    assert_int_equal(command(cmd_info, "info", in, "--shape", "x=2x4", NULL), TOOL_OK);
    assert_int_equal(command(cmd_info, "info", in, "--shape", "x=2x5", NULL), TOOL_FAILED);
    assert_int_equal(command(cmd_info, "info", root, NULL), TOOL_FAILED);
    assert_int_equal(command(cmd_convert, "convert", in, "-o", out, "--shape", "x=3x4", "--fp16", NULL),
                     TOOL_OK);
    assert_int_equal(command(cmd_convert, "convert", in, "-o", out, "--check-shape", "x=3x5", NULL),
                     TOOL_FAILED);
    assert_int_equal(command(cmd_convert, "convert", in, "-o", in_root("no/m.vkm"), NULL), TOOL_FAILED);
    assert_int_equal(command(cmd_convert, "convert", in, NULL), TOOL_USAGE);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),        cmocka_unit_test(random_values),
        cmocka_unit_test(loading),          cmocka_unit_test(finding),
#ifdef VKI_HAVE_ONNX
        cmocka_unit_test(verify_command),   cmocka_unit_test(each_pass),
        cmocka_unit_test(constant_inputs),  cmocka_unit_test(only_floats),
        cmocka_unit_test(convert_and_info),
#endif
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
