/* SPDX-License-Identifier: Apache-2.0
 * vkinfer benchmark: how fast a model starts and runs, and what it takes. */
#include "bench_report.h"
#include "options.h"
#include "peak_memory.h"
#include "tensor_file.h"
#include "verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"

static const char about[] =
    "Runs a model on random input and measures: latency (the run alone, after warm-up; copying in and out "
    "apart),\n"
    "cold start (loading, planning, pipelines, first run), memory, and with --profile every node. Times are "
    "in\n"
    "milliseconds, nodes in microseconds. For pipelines without a cache use --no-cache.\n";

typedef struct bench_job {
    opt_engine engine;
    const char *model, *json;
    int warmup, iterations, in_flight;
    bool profile, report, brief;
} bench_job;

typedef struct buffers { /* one a tensor */
    void **data;
    size_t *bytes;
    int count;
} buffers;

static void free_buffers(buffers *b)
{
    for (int i = 0; i < b->count && b->data; i++) free(b->data[i]);
    free(b->data);
    free(b->bytes);
    *b = (buffers){0};
}

static vki_status make_buffers(buffers *b, const vki_session *session, int count, bool inputs, vki_error *err)
{
    *b = (buffers){calloc((size_t)count + 1, sizeof(void *)), calloc((size_t)count + 1, sizeof(size_t)),
                   count};
    if (!b->data || !b->bytes) return vkb_nomem(err, (uint64_t)count * 16);
    for (int i = 0; i < count; i++) {
        vki_tensor_info info;
        size_t n;
        VKB_TRY((inputs ? vki_session_input : vki_session_output)(session, i, &info));
        VKB_TRY(tensor_size(&info, &n, &b->bytes[i], err));
        b->data[i] = malloc(b->bytes[i] + 1);
        if (!b->data[i]) return vkb_nomem(err, b->bytes[i]);
        if (inputs) verify_random(b->data[i], info.dtype, n, (uint64_t)i + 1);
    }
    return VKI_OK;
}

static vki_status write_all(vki_session *session, const buffers *in, vki_error *err)
{
    for (int i = 0; i < in->count; i++)
        if (in->data[i]) VKB_TRY(vki_session_write(session, i, in->data[i], in->bytes[i], err));
    return VKI_OK;
}

/* States are the session's to fill. */
static vki_status leave_out_tied(const bench_job *job, const vki_model *model, buffers *in, vki_error *err)
{
    for (int i = 0; i < in->count; i++) {
        vki_tensor_info info;
        if (vki_model_input(model, i, &info) != VKI_OK)
            return vkb_fail(err, VKI_E_INTERNAL, "input %d is not there", i);
        if (!opt_is_tied(&job->engine, info.name)) continue;
        free(in->data[i]);
        in->data[i] = NULL;
    }
    return VKI_OK;
}

static vki_status read_all(vki_session *session, const buffers *out, vki_error *err)
{
    for (int i = 0; i < out->count; i++)
        VKB_TRY(vki_session_read(session, i, out->data[i], out->bytes[i], err));
    return VKI_OK;
}

/* ---- times ---- */

static int ascending(const void *a, const void *b)
{
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* The smallest value that at least `share` of the sorted times do not exceed. */
static double percentile(const double *sorted, int n, double share)
{
    int rank = (int)ceil(share * n);
    return sorted[rank < 1 ? 0 : rank - 1];
}

static bench_times summarize(double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, ascending);
    bench_times t = {.min = ms[0], .p90 = percentile(ms, n, 0.9), .p99 = percentile(ms, n, 0.99)};
    t.median = n % 2 ? ms[n / 2] : (ms[n / 2 - 1] + ms[n / 2]) / 2;
    for (int i = 0; i < n; i++) t.mean += ms[i] / n;
    return t;
}

/* Warm-up and the runs that count; `times` has room for 3 * iterations. */
static vki_status measure(const bench_job *job, vki_session *session, const buffers *in, const buffers *out,
                          double *times, bench_result *result, vki_error *err)
{
    int n = job->iterations;
    for (int i = -job->warmup; i < n; i++) {
        double begin = vkb_now_ms();
        VKB_TRY(write_all(session, in, err));
        double written = vkb_now_ms();
        VKB_TRY(vki_session_run(session, 0, err));
        double ran = vkb_now_ms();
        VKB_TRY(read_all(session, out, err));
        if (i < 0) continue;
        times[i] = ran - written;
        times[n + i] = written - begin;
        times[2 * n + i] = vkb_now_ms() - ran;
    }
    result->latency = summarize(times, n);
    result->write_ms = summarize(times + n, n).median;
    result->read_ms = summarize(times + 2 * n, n).median;
    return VKI_OK;
}

static vki_status read_run(vki_session *session, uint64_t ticket, const buffers *out, vki_error *err)
{
    VKB_TRY(vki_session_wait(session, ticket, 0, err));
    for (int i = 0; i < out->count; i++)
        VKB_TRY(vki_session_read_run(session, ticket, i, NULL, out->data[i], out->bytes[i], err));
    return VKI_OK;
}

/* As many runs a second as there can be with `depth` of them in flight, from the end of the last warm-up to
 * the end of all. Tickets of a new session count from 1. */
static vki_status fly(const bench_job *job, vki_session *session, uint64_t depth, const buffers *in,
                      const buffers *out, double *rate, vki_error *err)
{
    uint64_t warm = job->warmup ? (uint64_t)job->warmup : 1, all = warm + (uint64_t)job->iterations, ticket;
    double begin = 0;
    for (uint64_t i = 1; i <= all + depth; i++) {
        if (i > depth) VKB_TRY(read_run(session, i - depth, out, err));
        if (i == warm + depth) begin = vkb_now_ms();
        if (i > all) continue;
        VKB_TRY(write_all(session, in, err));
        VKB_TRY(vki_session_submit(session, NULL, &ticket, err));
    }
    *rate = job->iterations * 1e3 / (vkb_now_ms() - begin);
    return VKI_OK;
}

/* Throughput, in sessions of their own: the latency is that of the usual session. */
static vki_status measure_flights(const bench_job *job, vki_model *model, const buffers *in,
                                  const buffers *out, bench_result *result, vki_error *err)
{
    vki_session_options options = job->engine.session;
    vki_status status = VKI_OK;
    for (int i = 0; i < 2 && status == VKI_OK; i++) {
        vki_session *session = NULL;
        options.runs_in_flight = i ? job->in_flight : 1;
        status = vki_session_create(model, &options, &session, err);
        if (status == VKI_OK)
            status = fly(job, session, (uint64_t)options.runs_in_flight, in, out,
                         i ? &result->flight_rate : &result->alone_rate, err);
        vki_session_destroy(&session);
    }
    return status;
}

/* Times the nodes in a session of its own, so that the timers do not disturb the latency. */
static vki_status profile(const bench_job *job, vki_model *model, const buffers *in, node_list *nodes,
                          vki_error *err)
{
    vki_session_options options = job->engine.session;
    options.profile = true;
    vki_session *session = NULL;
    VKB_TRY(vki_session_create(model, &options, &session, err));
    vki_status status = write_all(session, in, err);
    int runs = job->iterations < 10 ? job->iterations : 10;
    for (int i = -1; i < runs && status == VKI_OK; i++) {
        status = vki_session_run(session, 0, err);
        if (status == VKI_OK && i >= 0) status = node_list_collect(session, nodes, err);
    }
    vki_session_destroy(&session);
    return status;
}

/* ---- the whole ---- */

static vki_status count_threads(const bench_job *job, int *threads, vki_error *err)
{
    vkb_pool *pool = NULL;
    const vki_session_options *o = &job->engine.session;
    VKB_TRY(vkb_pool_create_on(&vkb_libc_allocator, o->threads, o->cpu_affinity, &pool, err));
    *threads = vkb_pool_threads(pool);
    vkb_pool_destroy(&pool);
    return VKI_OK;
}

static vki_status bench_session(const bench_job *job, vki_model *model, vki_session *session,
                                bench_result *result, vki_error *err)
{
    buffers in = {0}, out = {0};
    double *times = malloc(3 * (size_t)job->iterations * sizeof *times);
    vki_status status = times ? VKI_OK : vkb_nomem(err, 3 * (uint64_t)job->iterations * sizeof *times);
    if (status == VKI_OK) status = make_buffers(&in, session, vki_model_input_count(model), true, err);
    if (status == VKI_OK) status = leave_out_tied(job, model, &in, err);
    if (status == VKI_OK) status = write_all(session, &in, err);
    if (status == VKI_OK)
        status = vki_session_run(session, 0, err); /* the first run, which the stats tell apart */
    if (status == VKI_OK)                          /* shapes may depend on values: they are known now */
        status = make_buffers(&out, session, vki_model_output_count(model), false, err);
    if (status == VKI_OK) status = measure(job, session, &in, &out, times, result, err);
    if (status == VKI_OK) {
        result->stats.size = sizeof result->stats;
        status = vki_session_stats_get(session, &result->stats);
        result->peak_rss = peak_memory();
    }
    if (status == VKI_OK && job->in_flight > 1) status = measure_flights(job, model, &in, &out, result, err);
    if (status == VKI_OK && job->profile)
        status = profile(job, model, &in, &result->nodes, err);
    else if (status == VKI_OK)
        status = node_list_collect(session, &result->nodes, err);
    free_buffers(&in);
    free_buffers(&out);
    free(times);
    return status;
}

static vki_status bench_model(bench_job *job, bench_result *result, vki_error *err)
{
    vki_context *context = NULL;
    vki_model *model = NULL;
    vki_session *session = NULL;
    double begin = vkb_now_ms();
    vki_status status = opt_engine_context(&job->engine, &context, err);
    result->context_ms = vkb_now_ms() - begin;
    if (status == VKI_OK) status = vki_context_device(context, &result->device);
    if (status == VKI_OK) status = vki_model_load_file(context, job->model, &model, err);
    if (status == VKI_OK) status = vki_session_create(model, &job->engine.session, &session, err);
    if (status == VKI_OK) status = tensor_need_plan(model, session, err);
    if (status == VKI_OK) status = bench_session(job, model, session, result, err);
    vki_session_destroy(&session);
    vki_model_destroy(&model);
    vki_context_destroy(&context);
    return status;
}

static vki_status bench(bench_job *job, vki_error *err)
{
    bench_result result = {.model = job->model,
                           .precision =
                               opt_precision_name(job->engine.session.precision
                                                      ? job->engine.session.precision
                                                      : VKI_PRECISION_FP32), /* what AUTO means today */
                           .warmup = job->warmup,
                           .iterations = job->iterations,
                           .in_flight = job->in_flight,
                           .profiled = job->profile,
                           .report = job->report};
    vki_status status = count_threads(job, &result.threads, err);
    if (status == VKI_OK) status = bench_model(job, &result, err);
    bool to_stdout = job->json && !strcmp(job->json, "-");
    if (status == VKI_OK && !to_stdout) (job->brief ? bench_print_line : bench_print)(&result);
    if (status == VKI_OK && job->json) status = bench_write_json(&result, job->json, err);
    node_list_free(&result.nodes);
    return status;
}

int cmd_benchmark(int argc, char **argv)
{
    bench_job job = {.warmup = 3, .iterations = 20, .in_flight = 1};
    const opt_row rows[] = {
        {"--warmup", 0, OPT_INT, &job.warmup, "N", "runs before those that count (3)", 0, 1000000},
        {"--iterations", 'n', OPT_INT, &job.iterations, "N", "runs that count (20)", 1, 1000000},
        {"--in-flight", 0, OPT_INT, &job.in_flight, "N", "measure throughput too, with N runs in flight (1)",
         1, 4},
        {"--profile", 0, OPT_FLAG, &job.profile, NULL, "time every node, in runs of their own", 0, 0},
        {"--report", 0, OPT_FLAG, &job.report, NULL,
         "the same with place, kernel and reason, bytes, estimates and memory of every node", 0, 0},
        {"--brief", 0, OPT_FLAG, &job.brief, NULL,
         "print one line: model, device, median, first result, memory", 0, 0},
        {"--json", 0, OPT_STRING, &job.json, "FILE", "write all as JSON too; - for JSON alone on stdout", 0,
         0},
        OPT_TIE_ROW(job.engine),
        OPT_ENGINE_ROWS(job.engine),
    };
    opt_line line = {.command = "benchmark",
                     .usage = "MODEL [--shape NAME=1x3x224x224]... [options]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows),
                     .min_args = 1,
                     .max_args = 1};
    int code = options_parse(&line, argc, argv);
    if (code != OPT_GO_ON) return code;
    job.model = line.args[0];
    job.profile = job.profile || job.report;
    vki_error err = {0};
    return bench(&job, &err) == VKI_OK ? TOOL_OK : tool_failed(&err);
}
