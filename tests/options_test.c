/* SPDX-License-Identifier: Apache-2.0
 * Command lines: what is taken, and what is said about what is not. */
#include "tools/options.h"
#include "common/capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct {
    opt_engine engine;
    const char *output;
    opt_floats mean;
    opt_list images, inputs;
    int count;
    bool json;
    opt_line line;
} got;

static int command(int argc, char **argv)
{
    memset(&got, 0, sizeof got);
    const opt_row rows[] = {
        {"--output", 'o', OPT_STRING, &got.output, "FILE", "where to", 0, 0},
        {"--mean", 0, OPT_FLOATS, &got.mean, "A,B,C", "mean", 0, 0},
        {"--image", 0, OPT_LIST, &got.images, "FILE", "picture", 0, 0},
        {"--input", 0, OPT_PAIRS, &got.inputs, "NAME=FILE", "input", 0, 0},
        {"--count", 'n', OPT_INT, &got.count, "N", "how many", 1, 9},
        {"--json", 0, OPT_FLAG, &got.json, NULL, "JSON", 0, 0},
        OPT_TIE_ROW(got.engine),
        OPT_ENGINE_ROWS(got.engine),
    };
    got.line = (opt_line){.command = "test",
                          .usage = "MODEL",
                          .about = "About this.\n",
                          .rows = rows,
                          .row_count = VKB_COUNT(rows),
                          .min_args = 1,
                          .max_args = 2};
    int code = options_parse(&got.line, argc, argv);
    got.line.rows = NULL;
    return code;
}

static captured c;

static void good_lines(void **state)
{
    (void)state;
    static char words[] = "test a.vkm --output x.npy -n 3 --mean=1,-2.5,3e1 --image p.png --image q=r.png "
                          "--input in=a=b.npy --json --device vulkan:2 --precision fp16store --threads 4 "
                          "--cpu-affinity fast "
                          "--tie h_out=h=1 --shape x=1x3x48x320 --shape k=v=7 --shape y=1x[32..640]x[7..7] "
                          "--memory-limit 1.5 --packed-weights 120 -- --b";
    char *argv[64];
    int argc = 0;
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
    assert_int_equal(command(argc, argv), OPT_GO_ON);
    assert_int_equal(got.line.arg_count, 2);
    assert_string_equal(got.line.args[0], "a.vkm");
    assert_string_equal(got.line.args[1], "--b");
    assert_string_equal(got.output, "x.npy");
    assert_int_equal(got.count, 3);
    assert_true(got.json);
    assert_int_equal(got.mean.count, 3);
    assert_true(got.mean.values[1] == -2.5f && got.mean.values[2] == 30);
    assert_int_equal(got.images.count, 2);
    char name[8];
    assert_string_equal(opt_pair_split(got.inputs.items[0], name, sizeof name), "a=b.npy");
    assert_string_equal(name, "in");
    assert_int_equal(got.engine.context.backend, VKI_BACKEND_VULKAN);
    assert_int_equal(got.engine.context.device_index, 2);
    assert_int_equal(got.engine.session.precision, VKI_PRECISION_FP16_STORE);
    assert_int_equal(got.engine.session.threads, 4);
    assert_string_equal(got.engine.session.cpu_affinity, "fast");
    assert_int_equal(got.engine.session.memory_limit, 1572864);
    assert_int_equal(got.engine.session.packed_percent, 120);
    assert_int_equal(got.engine.ties.count, 1);
    assert_string_equal(got.engine.ties.items[0].output, "h_out");
    assert_string_equal(got.engine.ties.items[0].input, "h=1");
    assert_true(opt_is_tied(&got.engine, "h=1") && !opt_is_tied(&got.engine, "h"));
    assert_int_equal(got.engine.shapes.count, 2);
    assert_string_equal(got.engine.shapes.items[0].input, "x");
    assert_int_equal(got.engine.shapes.items[0].rank, 4);
    assert_int_equal(got.engine.shapes.items[0].dims[3], 320);
    assert_string_equal(got.engine.shapes.items[1].input, "k=v"); /* a name may hold '=' */
    assert_int_equal(got.engine.shapes.range_count, 1);
    const vki_range *range = &got.engine.shapes.ranges[0];
    assert_string_equal(range->input, "y");
    assert_int_equal(range->rank, 3);
    assert_true(range->min[0] == 1 && range->max[0] == 1 && range->min[1] == 32 && range->max[1] == 640);
    assert_true(range->min[2] == 7 && range->max[2] == 7);
}

static void devices(void **state)
{
    (void)state;
    capture(&c, command, "test m --device cpu");
    assert_int_equal(got.engine.context.backend, VKI_BACKEND_CPU);
    capture(&c, command, "test m --device vulkan");
    assert_int_equal(got.engine.context.backend, VKI_BACKEND_VULKAN);
    assert_int_equal(got.engine.context.device_index, 0);
    capture(&c, command, "test m --device vulkan:1 --device auto"); /* the last one counts */
    assert_int_equal(got.engine.context.backend, VKI_BACKEND_AUTO);
    assert_int_equal(c.code, OPT_GO_ON);
}

static void bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *words, *said, *allowed;
    } lines[] = {
        {"test", "missing", "vkinfer test MODEL"},
        {"test a b c", "too many", "'c'"},
        {"test a --tie h", "--tie", "OUT=IN"},
        {"test a --tie =h", "--tie", "OUT=IN"},
        {"test a --tie h=", "--tie", "OUT=IN"},
        {"test a --nonsense", "no option", "--nonsense"},
        {"test a --output", "--output", "needs a value"},
        {"test a -n 0", "--count", "from 1 to 9"},
        {"test a -n 10", "--count", "from 1 to 9"},
        {"test a -n 3x", "--count", "'3x'"},
        {"test a --count=", "--count", "from 1 to 9"},
        {"test a --json=yes", "--json", "no value"},
        {"test a --mean 1,,2", "--mean", "numbers"},
        {"test a --mean 1,nan", "--mean", "numbers"},
        {"test a --mean 1,2,", "--mean", "numbers"},
        {"test a --mean 1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7", "--mean", "up to 16"},
        {"test a --input file.npy", "--input", "NAME=FILE"},
        {"test a --input =file.npy", "--input", "NAME=FILE"},
        {"test a --device gpu", "--device", "auto, cpu, vulkan or vulkan:N"},
        {"test a --device vulkan:", "--device", "vulkan:N"},
        {"test a --device vulkan:x", "--device", "vulkan:N"},
        {"test a --device vulkan:-1", "--device", "vulkan:N"},
        {"test a --device vulkan1", "--device", "vulkan:N"},
        {"test a --precision fp17", "--precision", "fp16store"},
        {"test a --threads -1", "--threads", "from 0"},
        {"test a --threads 99999999999999999999", "--threads", "to 1024"},
        {"test a --shape 1x3", "--shape", "NAME=1x3x224x224"},
        {"test a --shape x=", "--shape", "NAME=1x3x224x224"},
        {"test a --shape x=1x", "--shape", "above 0"},
        {"test a --shape x=1x0", "--shape", "above 0"},
        {"test a --shape x=1x[0..4]", "--shape", "above 0"},
        {"test a --shape x=1x[4..3]", "--shape", "above 0"},
        {"test a --shape x=1x[4..5", "--shape", "[32..640]"},
        {"test a --shape x=1x[4.5]", "--shape", "[32..640]"},
        {"test a --shape x=1x[4..]x3", "--shape", "[32..640]"},
        {"test a --shape x=-1", "--shape", "above 0"},
        {"test a --shape x=1x2x3x4x5x6x7x8x9", "--shape", "1 to 8"},
        {"test a --shape x=99999999999999999999", "--shape", "above 0"},
        {"test a --memory-limit 0", "--memory-limit", "MiB"},
    };
    for (size_t i = 0; i < VKB_COUNT(lines); i++) {
        capture(&c, command, lines[i].words);
        if (c.code != TOOL_USAGE || !strstr(c.err, lines[i].said) || !strstr(c.err, lines[i].allowed))
            fail_msg("'%s' gave %d and said: %s", lines[i].words, c.code, c.err);
        assert_non_null(strstr(c.err, "vkinfer test --help"));
        assert_string_equal(c.out, "");
    }
}

static void help(void **state)
{
    (void)state;
    capture(&c, command, "test --help");
    assert_int_equal(c.code, TOOL_OK);
    const char *wanted[] = {"usage: vkinfer test MODEL",
                            "About this.",
                            "-o, --output FILE",
                            "--json",
                            "--precision",
                            "exit codes"};
    for (size_t i = 0; i < VKB_COUNT(wanted); i++) assert_non_null(strstr(c.out, wanted[i]));
    capture(&c, command, "test a b -h");
    assert_int_equal(c.code, TOOL_OK);
}

static void cache_file(void **state)
{
    (void)state;
    setenv("VKINFER_CACHE", "/tmp/from-environment", 1);
    capture(&c, command, "test a");
    opt_engine_finish(&got.engine);
    assert_string_equal(got.engine.context.cache_path, "/tmp/from-environment");
    capture(&c, command, "test a --cache given --gpu-only");
    opt_engine_finish(&got.engine);
    assert_string_equal(got.engine.context.cache_path, "given");
    assert_int_equal(got.engine.session.placement, VKI_PLACE_GPU_ONLY);
    capture(&c, command, "test a --no-cache");
    opt_engine_finish(&got.engine);
    assert_null(got.engine.context.cache_path);
    capture(&c, command, "test a --device cpu");
    opt_engine_finish(&got.engine);
    assert_null(got.engine.context.cache_path);
    unsetenv("VKINFER_CACHE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines), cmocka_unit_test(devices),    cmocka_unit_test(bad_lines),
        cmocka_unit_test(help),       cmocka_unit_test(cache_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
