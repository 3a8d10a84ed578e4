/* SPDX-License-Identifier: Apache-2.0
 * vkinfer info: what a model takes, gives, consists of and costs. */
#include "options.h"
#include "plan_report.h"
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops/op.h"
#include "session/session.h"

static const char about[] =
    "Prints the inputs, outputs, operators and metadata of a model, and its parameters. Once\n"
    "all shapes are known (give those of dynamic inputs with --shape) also the multiply-\n"
    "accumulates and the memory of a session. --plan says for every node where it runs, by\n"
    "which kernel, and why; with --json or --dot only that is printed, for programs and for\n"
    "Graphviz. --device plan:adreno, plan:mali, plan:nvidia or plan (the least that Vulkan 1.1\n"
    "promises) plans without such a device. --measure runs the network first, on random input,\n"
    "so that measured times stand beside the estimates.\n";

typedef struct info_job {
    opt_engine engine;
    const char *model;
    bool plan, json, dot, measure, passes;
} info_job;

/* ---- names, types and shapes ---- */

static void print_tensor(const vki_tensor_info *t)
{
    printf("  %-32s %s", t->name, t->dtype == VKI_DT_NONE ? "type not known yet" : vki_dtype_name(t->dtype));
    if (t->rank < 0) {
        puts(", shape not known yet");
        return;
    }
    fputs(" [", stdout);
    for (int i = 0; i < t->rank; i++) {
        if (i) putchar(',');
        if (t->dims[i] >= 0)
            printf("%" PRId64, t->dims[i]);
        else
            fputs(t->symbol[i] ? t->symbol[i] : "?", stdout);
    }
    puts("]");
}

static void print_io(const vki_model *model, const vki_session *session)
{
    vki_tensor_info t;
    puts("inputs");
    for (int i = 0; i < vki_model_input_count(model); i++) {
        vki_model_input(model, i, &t);
        print_tensor(&t);
    }
    puts("outputs");
    for (int i = 0; i < vki_model_output_count(model); i++) {
        if (!session || vki_session_output(session, i, &t) != VKI_OK) vki_model_output(model, i, &t);
        print_tensor(&t);
    }
}

/* ---- what it consists of ---- */

typedef struct op_total {
    op_kind op;
    int count;
    uint64_t macs;
} op_total;

static int by_count(const void *a, const void *b)
{
    const op_total *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->op < y->op ? -1 : 1;
}

/* Operators of the model as it is in the file; the work of those that are left in `planned`, the graph with
 * shapes, which may be NULL. Returns the sum. */
static uint64_t print_operators(const gr_graph *source, const gr_graph *planned)
{
    op_total totals[OP_COUNT];
    uint64_t sum = 0;
    for (int i = 0; i < OP_COUNT; i++) totals[i] = (op_total){(op_kind)i, 0, 0};
    for (int i = 0; i < source->n_nodes; i++) totals[source->nodes[i].op].count++;
    for (int i = 0; planned && i < planned->n_nodes; i++) {
        op_cost cost;
        op_cost_of(planned, &planned->nodes[i], &cost);
        totals[planned->nodes[i].op].macs += cost.macs;
        sum += cost.macs;
    }
    qsort(totals, OP_COUNT, sizeof *totals, by_count);
    puts("operators");
    for (int i = 0; i < OP_COUNT && (totals[i].count || totals[i].macs); i++) {
        printf("  %-24s %6d", op_get(totals[i].op)->name, totals[i].count);
        if (totals[i].macs) printf("  %12.3f million MACs", (double)totals[i].macs / 1e6);
        putchar('\n');
    }
    printf("  %d nodes in all", source->n_nodes);
    if (planned) printf(", %d after simplification", planned->n_nodes);
    putchar('\n');
    return sum;
}

/* Elements and bytes of floating-point constants that nodes read; one that many read counts once. */
static void count_parameters(const gr_graph *g, uint64_t *elements, uint64_t *bytes)
{
    *elements = *bytes = 0;
    uint8_t *seen = vkb_calloc(g->allocator, (size_t)g->n_tensors, 1);
    for (int i = 0; seen && i < g->n_nodes; i++) {
        for (int k = 0; k < g->nodes[i].n_in; k++) {
            gr_id id = g->nodes[i].in[k];
            if (id == GR_NONE || seen[id] || !gr_is_const(g, id)) continue;
            seen[id] = 1;
            const gr_tensor *t = &g->tensors[id];
            if (t->dtype != VKI_F32 && t->dtype != VKI_F16 && t->dtype != VKI_F64) continue;
            *elements += (uint64_t)gr_elements(t);
            *bytes += gr_bytes(t);
        }
    }
    vkb_free(g->allocator, seen);
}

static void print_metadata(const gr_graph *g)
{
    if (g->n_meta) puts("metadata");
    for (int i = 0; i < g->n_meta; i++)
        printf("  %-20s %.200s%s\n", g->meta[i].key, g->meta[i].value,
               strlen(g->meta[i].value) > 200 ? "..." : "");
}

static void print_mib(const char *what, uint64_t bytes)
{
    printf("  %-24s %10.2f MiB\n", what, (double)bytes / 1048576);
}

static void print_plan(const vki_session *session)
{
    vki_session_stats s = {.size = sizeof s};
    if (vki_session_stats_get(session, &s) != VKI_OK) return;
    puts("memory of a session");
    print_mib("weights", s.weight_bytes);
    print_mib("activations", s.activation_bytes);
    print_mib("  at least needed", s.activation_lower_bound);
    if (s.staging_bytes) print_mib("staging", s.staging_bytes);
    if (s.reserved_bytes) print_mib("reserved for the range", s.reserved_bytes);
    printf("plan\n  %d nodes, %d dispatches, %d pipelines, %d segments\n", s.nodes, s.dispatches, s.pipelines,
           s.segments);
}

static void print_model(const vki_model *model, const vki_session *session)
{
    vki_tensor_info any;
    bool planned = vki_session_output(session, 0, &any) == VKI_OK;
    print_io(model, planned ? session : NULL);

    const gr_graph *source = &model->source;
    uint64_t elements, bytes, macs = print_operators(source, planned ? &session->plan->graph : NULL);
    count_parameters(source, &elements, &bytes);
    printf("totals\n  %-24s %10.3f million, %.2f MiB\n", "parameters", (double)elements / 1e6,
           (double)bytes / 1048576);
    if (planned) {
        printf("  %-24s %10.3f million\n", "multiply-accumulates", (double)macs / 1e6);
        print_plan(session);
    } else {
        puts("  multiply-accumulates and memory: give the shapes of the dynamic inputs with --shape");
    }
    print_metadata(source);
}

static vki_status report_plan(const info_job *job, const vki_context *context, const vki_session *session,
                              vki_error *err)
{
    plan_report report;
    vki_status status = plan_report_make(&report, job->model, context, session, err);
    if (status == VKI_OK && job->json)
        status = json_write(plan_report_object(&report), NULL, err);
    else if (status == VKI_OK)
        (job->dot ? plan_report_dot : plan_report_print)(&report);
    plan_report_free(&report);
    return status;
}

/* The first run compiles and warms up; the report tells of the second. */
static vki_status measure(const vki_model *model, vki_session *session, vki_error *err)
{
    for (int run = 0; run < 2; run++) {
        VKB_TRY(verify_write_random(session, vki_model_input_count(model), err));
        VKB_TRY(vki_session_run(session, 0, err));
    }
    return VKI_OK;
}

static vki_status info(info_job *job, vki_error *err)
{
    vki_context *context = NULL;
    vki_model *model = NULL;
    vki_session *session = NULL;
    job->engine.session.profile = job->measure;
    vki_status status = opt_engine_context(&job->engine, &context, err);
    if (status == VKI_OK) status = vki_model_load_file(context, job->model, &model, err);
    if (status == VKI_OK) status = vki_session_create(model, &job->engine.session, &session, err);
    if (status == VKI_OK && job->measure) status = measure(model, session, err);
    if (status == VKI_OK && !job->json && !job->dot) print_model(model, session);
    if (status == VKI_OK && job->plan) status = report_plan(job, context, session, err);
    vki_session_destroy(&session);
    vki_model_destroy(&model);
    vki_context_destroy(&context);
    return status;
}

static int print_passes(void)
{
    for (int i = 0; gr_passes[i]; i++) printf("%-24s %s\n", gr_passes[i]->name, gr_passes[i]->doc);
    return TOOL_OK;
}

int cmd_info(int argc, char **argv)
{
    info_job job = {.plan = false};
    job.engine.context.backend = VKI_BACKEND_CPU; /* the default: works everywhere and needs no device */
    const opt_row rows[] = {
        {"--plan", 0, OPT_FLAG, &job.plan, NULL, "place, kernel and reason of every node", 0, 0},
        {"--json", 0, OPT_FLAG, &job.json, NULL, "with --plan: as JSON", 0, 0},
        {"--dot", 0, OPT_FLAG, &job.dot, NULL, "with --plan: as a Graphviz graph", 0, 0},
        {"--measure", 0, OPT_FLAG, &job.measure, NULL, "with --plan: after two runs on random input", 0, 0},
        {"--passes", 0, OPT_FLAG, &job.passes, NULL, "list the graph passes, which --disable-pass names", 0,
         0},
        OPT_ENGINE_ROWS(job.engine)};
    opt_line line = {.command = "info",
                     .usage = "MODEL [options]",
                     .about = about,
                     .rows = rows,
                     .row_count = VKB_COUNT(rows),
                     .max_args = 1};
    int code = options_parse(&line, argc, argv);
    if (code != OPT_GO_ON) return code;
    if (job.passes) return print_passes();
    if (!line.arg_count) return options_wrong(&line, "which model?");
    if (!job.plan && (job.json || job.dot || job.measure))
        return options_wrong(&line, "--json, --dot and --measure need --plan");
    if (job.json && job.dot) return options_wrong(&line, "--json and --dot contradict each other");
    job.model = line.args[0];
    vki_error err;
    return info(&job, &err) == VKI_OK ? TOOL_OK : tool_failed(&err);
}
