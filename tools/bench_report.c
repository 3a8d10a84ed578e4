/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_report.h"
#include "plan_report.h"

#include <stdio.h>
#include <string.h>

static double mib(uint64_t bytes)
{
    return (double)bytes / 1048576;
}

static void print_nodes(const bench_result *r)
{
    double total = 0;
    for (int i = 0; i < r->nodes.count; i++)
        if (r->nodes.items[i].us > 0) total += r->nodes.items[i].us;
    printf("\n%10s %6s %9s %8s  %-6s  %-18s %-28s %s\n", "us", "share", "MMAC", "GMAC/s", "place", "operator",
           "kernel", "node");
    for (int i = 0; i < r->nodes.count; i++) {
        const vki_node_report *n = &r->nodes.items[i];
        if (n->us < 0) continue;
        char rate[16] = "";
        if (n->us > 0 && n->macs) snprintf(rate, sizeof rate, "%.2f", (double)n->macs / n->us / 1e3);
        printf("%10.1f %5.1f%% %9.2f %8s  %-6s  %-18s %-28s %s\n", n->us, total > 0 ? 100 * n->us / total : 0,
               (double)n->macs / 1e6, rate, n->place, n->op, n->kernel, n->name);
    }
    printf("%10.1f  all nodes\n", total);
}

void bench_print(const bench_result *r)
{
    const vki_session_stats *s = &r->stats;
    const bench_times *t = &r->latency;
    printf("%s on %s (%s), %s, %d thread%s\n", r->model, r->device.name, device_kind_name(r->device.kind),
           r->precision, r->threads, r->threads == 1 ? "" : "s");
    printf("  latency     median %.3f ms, min %.3f, mean %.3f, p90 %.3f, p99 %.3f (%d runs)\n", t->median,
           t->min, t->mean, t->p90, t->p99, r->iterations);
    printf("  copying     in %.3f ms, out %.3f ms\n", r->write_ms, r->read_ms);
    if (r->in_flight > 1)
        printf("  throughput  %.1f runs/s with %d in flight, %.1f one by one\n", r->flight_rate, r->in_flight,
               r->alone_rate);
    printf("  cold start  device %.1f ms, load %.1f, plan %.1f, pipelines %.1f, first run %.1f\n",
           r->context_ms, s->load_ms, s->plan_ms, s->pipelines_ms, s->first_run_ms);
    printf("  memory      weights %.2f MiB, activations %.2f (bound %.2f), staging %.2f; process %.1f at its "
           "peak\n",
           mib(s->weight_bytes), mib(s->activation_bytes), mib(s->activation_lower_bound),
           mib(s->staging_bytes), mib(r->peak_rss));
    printf("  placement   %s\n", s->placement);
    printf("  plan        %d nodes, %d dispatches, %d barriers, %d pipelines, %d segments\n", s->nodes,
           s->dispatches, s->barriers, s->pipelines, s->segments);
    const plan_report plan = {r->model, r->device, r->stats, r->nodes};
    if (r->report)
        plan_report_print(&plan);
    else if (r->profiled)
        print_nodes(r);
}

void bench_print_line(const bench_result *r)
{
    const vki_session_stats *s = &r->stats;
    const char *name = strrchr(r->model, '/') ? strrchr(r->model, '/') + 1 : r->model;
    double first = r->context_ms + s->load_ms + s->plan_ms + s->pipelines_ms + s->first_run_ms;
    double memory = mib(s->weight_bytes + s->activation_bytes + s->staging_bytes);
    printf("%-10s %-34s %9.1f ms %11.1f ms %8.1f MiB\n", name, r->device.name, r->latency.median, first,
           memory);
}

static cJSON *times_json(const bench_times *t)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "min", t->min);
    cJSON_AddNumberToObject(o, "median", t->median);
    cJSON_AddNumberToObject(o, "mean", t->mean);
    cJSON_AddNumberToObject(o, "p90", t->p90);
    cJSON_AddNumberToObject(o, "p99", t->p99);
    return o;
}

static cJSON *cold_json(const bench_result *r)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "device", r->context_ms);
    cJSON_AddNumberToObject(o, "load", r->stats.load_ms);
    cJSON_AddNumberToObject(o, "plan", r->stats.plan_ms);
    cJSON_AddNumberToObject(o, "pipelines", r->stats.pipelines_ms);
    cJSON_AddNumberToObject(o, "first_run", r->stats.first_run_ms);
    return o;
}

vki_status bench_write_json(const bench_result *r, const char *path, vki_error *err)
{
    cJSON *root = cJSON_CreateObject(), *copy = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", r->model);
    cJSON_AddItemToObject(root, "device", device_json(&r->device));
    cJSON_AddStringToObject(root, "precision", r->precision);
    cJSON_AddNumberToObject(root, "threads", r->threads);
    cJSON_AddNumberToObject(root, "warmup", r->warmup);
    cJSON_AddNumberToObject(root, "iterations", r->iterations);
    cJSON_AddItemToObject(root, "latency_ms", times_json(&r->latency));
    cJSON_AddNumberToObject(copy, "write", r->write_ms);
    cJSON_AddNumberToObject(copy, "read", r->read_ms);
    cJSON_AddItemToObject(root, "copy_ms", copy);
    if (r->in_flight > 1) {
        cJSON *rate = cJSON_AddObjectToObject(root, "runs_per_second");
        cJSON_AddNumberToObject(rate, "in_flight", r->in_flight);
        cJSON_AddNumberToObject(rate, "overlapped", r->flight_rate);
        cJSON_AddNumberToObject(rate, "one_by_one", r->alone_rate);
    }
    cJSON_AddItemToObject(root, "cold_ms", cold_json(r));
    cJSON *memory = memory_json(&r->stats);
    cJSON_AddNumberToObject(memory, "peak_rss", (double)r->peak_rss);
    cJSON_AddItemToObject(root, "memory_bytes", memory);
    add_totals(root, &r->stats);
    cJSON_AddItemToObject(root, "nodes", nodes_json(&r->nodes));
    return json_write(root, path, err);
}
