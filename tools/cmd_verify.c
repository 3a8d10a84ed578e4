/* SPDX-License-Identifier: Apache-2.0
 * vkinfer verify: does a model give the right numbers on this machine? */
#include "verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testdata.h"

static const char about[] =
    "With --data: runs the model on every stored data set and compares the outputs. A data\n"
    "set is a folder test_data_set_<n> with input_<i>.pb and output_<i>.pb, or with .npy\n"
    "files named by io.json.\n"
    "With --suite: does that for every folder below DIR that holds model.onnx or model.vkm\n"
    "and data sets.\n"
    "--each-pass: then every set once more without each of the graph passes alone, and without\n"
    "all of them, wherever that makes another plan; which one is at fault if a result is wrong?\n"
    "With neither: runs the model on random input, on the device and on the reference, and\n"
    "compares node by node; names the first node that diverges.\n\n"
    "The error of an output is its largest difference, relative to the largest expected\n"
    "value. Integers must be equal. Operators that are not supported count as skipped.\n";

enum { PATH_BYTES = 4096 };

static bool read_positive(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && (*end == 0 || *end == '\n' || *end == ' ' || *end == '#') && isfinite(*value) &&
           *value > 0;
}

/* ---- tolerances by name: lines "<part of the label> <rtol>", # comments; the last that fits counts ---- */

typedef struct tolerance_table {
    vkb_file file;
    double otherwise;
} tolerance_table;

static double tolerance_for(const tolerance_table *t, const char *label)
{
    double found = t->otherwise;
    if (!t->file.data) return found;
    const char *p = (const char *)t->file.data, *end = p + t->file.bytes;
    while (p < end) {
        size_t n = (size_t)(end - p);
        const char *newline = memchr(p, '\n', n);
        char line[512], part[512];
        size_t length = newline ? (size_t)(newline - p) : n;
        snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1), p);
        char number[64];
        double value;
        if (line[0] != '#' && sscanf(line, "%511s %63s", part, number) == 2 && strstr(label, part) &&
            read_positive(number, &value))
            found = value;
        p = newline ? newline + 1 : end;
    }
    return found;
}

static void verify_suite(verify_job *job, const testdata_paths *cases, const char *root,
                         const tolerance_table *tolerances)
{
    size_t skip = strlen(root);
    while (skip > 1 && root[skip - 1] == '/') skip--;
    for (int i = 0; i < cases->count; i++) {
        const char *folder = cases->items[i], *label = folder + skip;
        char path[PATH_BYTES];
        while (*label == '/') label++;
        job->rtol = tolerance_for(tolerances, label);
        verify_totals before = job->totals;
        bool onnx = testdata_exists(folder, "model.onnx", path, sizeof path);
        if (onnx || testdata_exists(folder, "model.vkm", path, sizeof path))
            verify_folder(job, path, folder, label);
        else
            verify_line(job, "SKIP", label, "neither model.onnx nor model.vkm is there");
        if (!onnx || !verify_only_floats(path)) continue;
        const verify_totals *now = &job->totals;
        job->totals.float_cases++;
        job->totals.float_passed += now->failed == before.failed && now->skipped == before.skipped;
    }
}

static int print_totals(const verify_totals *t)
{
    if (t->float_cases)
        printf("of %d models whose tensors are all float32 or float16 %d passed (%.1f %%)\n", t->float_cases,
               t->float_passed, 100.0 * t->float_passed / t->float_cases);
    if (t->same) printf("%d plans are the same without the pass, and were not run again\n", t->same);
    printf("%d passed, %d failed, %d skipped\n", t->passed, t->failed, t->skipped);
    return t->failed || t->passed + t->skipped == 0 ? TOOL_FAILED : TOOL_OK;
}

typedef struct verify_line_options {
    const char *model, *data, *suite, *rtol, *tolerances;
} verify_line_options;

static int run(verify_job *job, const verify_line_options *o)
{
    vki_error err;
    tolerance_table table = {.otherwise = job->rtol};
    if (o->tolerances && vkb_file_map(&table.file, o->tolerances, &err) != VKI_OK) return tool_failed(&err);
    int code;
    if (o->suite) {
        testdata_paths cases;
        if (testdata_cases(&cases, o->suite, &err) == VKI_OK) {
            verify_suite(job, &cases, o->suite, &table);
            code = print_totals(&job->totals);
            testdata_paths_free(&cases);
        } else {
            code = tool_failed(&err);
        }
    } else if (o->data) {
        job->rtol = tolerance_for(&table, o->model);
        verify_folder(job, o->model, o->data, "");
        code = print_totals(&job->totals);
    } else {
        code = verify_nodes(job, o->model);
    }
    vkb_file_unmap(&table.file);
    return code;
}

int cmd_verify(int argc, char **argv)
{
    opt_engine engine = {.verbose = false};
    verify_line_options o = {.model = NULL};
    bool constant_inputs = false, each_pass = false;
    const opt_row rows[] = {
        {"--data", 0, OPT_STRING, &o.data, "DIR", "data sets, or one of them", 0, 0},
        {"--suite", 0, OPT_STRING, &o.suite, "DIR", "folders of models with data sets", 0, 0},
        {"--rtol", 0, OPT_STRING, &o.rtol, "X", "largest relative error (1e-3; 2e-2 with fewer bits)", 0, 0},
        {"--tolerances", 0, OPT_STRING, &o.tolerances, "FILE",
         "lines `NAME X`: --rtol for the models named so", 0, 0},
        {"--constant-inputs", 0, OPT_FLAG, &constant_inputs, NULL,
         "make inputs that shapes depend on constants of the model", 0, 0},
        {"--each-pass", 0, OPT_FLAG, &each_pass, NULL,
         "the data sets also without each of the graph passes, and without all", 0, 0},
        OPT_ENGINE_ROWS(engine),
    };
    opt_line line = {.command = "verify",
                     .usage = "MODEL [--data DIR] [options]\n       vkinfer verify --suite DIR [options]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows),
                     .min_args = 0,
                     .max_args = 1};
    int code = options_parse(&line, argc, argv);
    if (code != OPT_GO_ON) return code;
    o.model = line.arg_count ? line.args[0] : NULL;
    if (!o.model == !o.suite) return options_wrong(&line, "give a model, or --suite DIR");
    if (o.suite && o.data) return options_wrong(&line, "--data belongs to one model, --suite to many");
    if (each_pass && (constant_inputs || (!o.suite && !o.data)))
        return options_wrong(&line, "--each-pass needs --data or --suite, and no --constant-inputs");
    verify_job job = {.rtol = 1e-3, .constant_inputs = constant_inputs, .each_pass = each_pass};
    if (engine.session.precision > VKI_PRECISION_FP32 || engine.session.weights) job.rtol = 2e-2;
    if (o.rtol && !read_positive(o.rtol, &job.rtol))
        return options_wrong(&line, "--rtol %s: a number above 0 is expected, such as 1e-4", o.rtol);
    vki_error err;
    if (opt_engine_context(&engine, &job.context, &err) != VKI_OK) return tool_failed(&err);
    job.session = engine.session;
    code = run(&job, &o);
    vki_context_destroy(&job.context);
    return code;
}
