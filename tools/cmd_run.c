/* SPDX-License-Identifier: Apache-2.0
 * vkinfer run: a model on files. */
#include "run_io.h"

#include <string.h>

static const char about[] =
    "Runs a model (.vkm or .onnx) once and writes each output as NAME.npy (characters unfit for a file name "
    "become\n"
    "'_'; the JSON has the mapping). Each input comes from an .npy file or from a picture (PNG, JPEG, BMP). "
    "A picture\n"
    "is resized to the input's size, or gives the size where that is free, and each element becomes\n"
    "(pixel - mean) * scale with pixels from 0 to 255; the layout, NCHW or NHWC, is that of the input.\n";

static vki_status execute(run_job *job, vki_context *context, vki_error *err)
{
    vki_model *model = NULL;
    vki_session *session = NULL;
    run_inputs inputs = {0};
    vki_status status = vki_model_load_file(context, job->model, &model, err);
    if (status == VKI_OK) status = run_inputs_open(&inputs, job, model, err);
    if (status == VKI_OK) status = vki_session_create(model, &job->engine.session, &session, err);
    if (status == VKI_OK) status = tensor_need_plan(model, session, err);
    if (status == VKI_OK) status = run_inputs_write(&inputs, job, session, err);
    double begin = 0;
    for (int i = 0; status == VKI_OK && i < job->times; i++) {
        begin = vkb_now_ms();
        status = vki_session_run(session, 0, err);
    }
    double ms = vkb_now_ms() - begin;
    if (status == VKI_OK) status = run_outputs(job, context, model, session, ms, err);
    run_inputs_close(&inputs);
    vki_session_destroy(&session);
    vki_model_destroy(&model);
    return status;
}

static int check(const run_job *job, const opt_line *line)
{
    if (job->mean.count != 1 && job->mean.count != 3)
        return options_wrong(line, "--mean takes 1 or 3 numbers");
    if (job->scale.count != 1 && job->scale.count != 3)
        return options_wrong(line, "--scale takes 1 or 3 numbers");
    return OPT_GO_ON;
}

int cmd_run(int argc, char **argv)
{
    run_job job = {.output_dir = ".", .times = 1, .mean = {{0}, 1}, .scale = {{1 / 255.0f}, 1}};
    const opt_row rows[] = {
        {"--input", 'i', OPT_PAIRS, &job.inputs, "NAME=FILE.npy", "an input's values; once for each", 0, 0},
        {"--image", 0, OPT_LIST, &job.images, "[NAME=]FILE",
         "a picture for an input: the one named, else the next that takes pictures", 0, 0},
        {"--mean", 0, OPT_FLOATS, &job.mean, "A[,B,C]", "subtracted from pixels, by channel of the input (0)",
         0, 0},
        {"--scale", 0, OPT_FLOATS, &job.scale, "A[,B,C]", "then multiplied with (1/255 = 0.0039216)", 0, 0},
        {"--bgr", 0, OPT_FLAG, &job.bgr, NULL, "the network wants blue, green, red", 0, 0},
        {"--letterbox", 0, OPT_FLAG, &job.letterbox, NULL,
         "keep the picture's proportions, fill up with gray", 0, 0},
        {"--output-dir", 'o', OPT_STRING, &job.output_dir, "DIR", "where outputs are written (.)", 0, 0},
        {"--json", 0, OPT_FLAG, &job.json, NULL, "print JSON", 0, 0},
        {"--report", 0, OPT_FLAG, &job.report, NULL,
         "time every node; print place, kernel, reason, bytes and times", 0, 0},
        {"--times", 0, OPT_INT, &job.times, "N", "run N times, states carried on; the last run counts (1)", 1,
         1000000},
        OPT_TIE_ROW(job.engine),
        OPT_ENGINE_ROWS(job.engine),
    };
    opt_line line = {.command = "run",
                     .usage =
                         "MODEL [--input NAME=FILE.npy]... [--image FILE]... [--output-dir DIR] [options]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows),
                     .min_args = 1,
                     .max_args = 1};
    int code = options_parse(&line, argc, argv);
    if (code == OPT_GO_ON) code = check(&job, &line);
    if (code != OPT_GO_ON) return code;
    job.model = line.args[0];
    job.engine.session.profile = job.report;
    vki_error err = {0};
    vki_context *context = NULL;
    vki_status status = opt_engine_context(&job.engine, &context, &err);
    if (status == VKI_OK) status = execute(&job, context, &err);
    vki_context_destroy(&context);
    return status == VKI_OK ? TOOL_OK : tool_failed(&err);
}
