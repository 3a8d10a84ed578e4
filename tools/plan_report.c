/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

vki_status plan_report_make(plan_report *report, const char *model, const vki_context *context,
                            const vki_session *session, vki_error *err)
{
    *report = (plan_report){.model = model, .stats = {.size = sizeof report->stats}};
    vki_status status = vki_context_device(context, &report->device);
    if (status == VKI_OK) status = vki_session_stats_get(session, &report->stats);
    if (status != VKI_OK)
        return vkb_fail(err, status,
                        "there is no plan yet: give the shapes of the dynamic inputs with --shape");
    return node_list_collect(session, &report->nodes, err);
}

void plan_report_free(plan_report *report)
{
    node_list_free(&report->nodes);
}

/* Of all nodes; -1: nothing was. */
static double measured_us(const plan_report *r)
{
    double sum = 0;
    bool any = false;
    for (int i = 0; i < r->nodes.count; i++) {
        any = any || r->nodes.items[i].us >= 0;
        sum += r->nodes.items[i].us > 0 ? r->nodes.items[i].us : 0;
    }
    return any ? sum : -1;
}

/* ---- the table ---- */

/* Measured times are there after profiled runs only. */
static void print_node(const vki_node_report *n, bool timed)
{
    char offset[24] = "-", us[16] = "";
    if (n->arena_offset >= 0) snprintf(offset, sizeof offset, "%" PRId64, n->arena_offset);
    if (timed && n->us >= 0) snprintf(us, sizeof us, " %9.1f", n->us);
    if (timed && n->us < 0) snprintf(us, sizeof us, " %9s", "-");
    printf("%3d %-6s %4d %9.3f %8.3f %8.3f %9.1f%s %10s  %-16s %-22s %s\n", n->segment, n->place,
           n->dispatches, (double)n->macs / 1e6, (double)n->read_bytes / 1e6, (double)n->written_bytes / 1e6,
           n->estimated_us, us, offset, n->op, n->kernel, n->name);
    printf("%12s why: %s\n", "", n->reason);
    if (*n->fused) printf("%12s fused: %s\n", "", n->fused);
}

static double mega(uint64_t v)
{
    return (double)v / 1e6;
}

static double ratio(uint64_t value, uint64_t bound)
{
    return bound ? (double)value / (double)bound : 1;
}

static void print_totals(const plan_report *r)
{
    const vki_session_stats *s = &r->stats;
    uint64_t traffic = s->read_bytes + s->written_bytes;
    printf("%d nodes, %d segments, %d submits, %d dispatches, %d barriers, %d pipelines\n", s->nodes,
           s->segments, s->submits, s->dispatches, s->barriers, s->pipelines);
    printf("memory: weights %" PRIu64 " bytes, activations %" PRIu64 " (lower bound %" PRIu64
           ", ratio %.3f), staging %" PRIu64 "\n",
           s->weight_bytes, s->activation_bytes, s->activation_lower_bound,
           ratio(s->activation_bytes, s->activation_lower_bound), s->staging_bytes);
    if (s->reserved_bytes)
        printf("ranges: %" PRIu64 " bytes reserved, %" PRIu64 " beyond\n", s->reserved_bytes,
               s->unreserved_bytes);
    printf("traffic: read %.3f MB, written %.3f (weights, inputs and outputs alone: %.3f, ratio %.2f), "
           "host and device %.3f\n",
           mega(s->read_bytes), mega(s->written_bytes), mega(s->traffic_lower_bound),
           ratio(traffic, s->traffic_lower_bound), mega(s->transfer_bytes));
    printf("placement %s; estimated %.3f ms", s->placement, s->estimated_ms);
    if (measured_us(r) > 0) printf(", measured %.3f ms in all nodes", measured_us(r) / 1e3);
    putchar('\n');
    if (s->stages_follow)
        printf("shapes further on depend on values: stages are planned in the run%s\n",
               s->reserved_bytes ? ", in memory that no range reserves" : "");
}

void plan_report_print(const plan_report *r)
{
    const bool timed = measured_us(r) >= 0;
    printf("plan for %s\n%3s %-6s %4s %9s %8s %8s %9s%s %10s  %-16s %-22s %s\n", r->device.name, "seg",
           "place", "disp", "MMAC", "MB read", "written", "est. us", timed ? "        us" : "", "at",
           "operator", "kernel", "node");
    for (int i = 0; i < r->nodes.count; i++) print_node(&r->nodes.items[i], timed);
    print_totals(r);
}

/* ---- JSON ---- */

cJSON *plan_report_object(const plan_report *r)
{
    const vki_session_stats *s = &r->stats;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", r->model);
    cJSON_AddItemToObject(root, "device", device_json(&r->device));
    cJSON_AddItemToObject(root, "memory_bytes", memory_json(s));
    add_totals(root, s);
    if (measured_us(r) >= 0) cJSON_AddNumberToObject(root, "measured_ms", measured_us(r) / 1e3);
    cJSON_AddItemToObject(root, "nodes", nodes_json(&r->nodes));
    return root;
}

/* ---- Graphviz: nodes as boxes, tensors as edges ---- */

/* A string of the DOT language: quotes and backslashes escaped, control characters as blanks. */
static void dot_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        putchar((unsigned char)*text < ' ' ? ' ' : *text);
    }
}

static int producer_of(const node_list *nodes, int before, const char *tensor)
{
    for (int i = before - 1; i >= 0; i--)
        for (int o = 0; o < nodes->items[i].output_count; o++) {
            const char *name = nodes->items[i].outputs[o];
            if (name && !strcmp(name, tensor)) return i;
        }
    return -1;
}

static void dot_edges(const node_list *nodes, int to)
{
    const vki_node_report *n = &nodes->items[to];
    for (int k = 0; k < n->input_count; k++) {
        int from = n->inputs[k] ? producer_of(nodes, to, n->inputs[k]) : -1;
        if (from < 0) continue; /* weights and inputs of the network */
        printf("  n%d -> n%d [label=\"", from, to);
        dot_text(n->inputs[k]);
        puts("\"];");
    }
}

static void dot_node(const vki_node_report *n, int index)
{
    const char *color = !strcmp(n->place, "vulkan") ? "lightblue"
                        : !strcmp(n->place, "cpu")  ? "wheat"
                                                    : "white";
    printf("  n%d [fillcolor=%s, label=\"", index, color);
    dot_text(n->op);
    fputs("\\n", stdout);
    dot_text(n->name);
    fputs("\\n", stdout);
    dot_text(n->kernel);
    printf("\\n%.2f MMAC, %.3f MB read, %.3f written\\n%.0f us estimated", (double)n->macs / 1e6,
           mega(n->read_bytes), mega(n->written_bytes), n->estimated_us);
    if (n->us >= 0) printf(", %.0f measured", n->us);
    if (n->arena_offset >= 0) printf(", at %" PRId64, n->arena_offset);
    if (*n->fused) fputs("\\n+ ", stdout);
    for (const char *name = n->fused, *end; *name; name = *end ? end + 2 : end) { /* one a line */
        end = strstr(name, ", ");
        if (!end) end = name + strlen(name);
        char line[128];
        snprintf(line, sizeof line, "%.*s", (int)(end - name), name);
        dot_text(line);
        if (*end) fputs("\\n+ ", stdout);
    }
    fputs("\", tooltip=\"", stdout);
    dot_text(n->reason);
    puts("\"];");
}

/* The sums, as the title. */
static void dot_totals(const plan_report *r)
{
    const vki_session_stats *s = &r->stats;
    fputs("  labelloc=t; fontname=\"sans-serif\"; label=\"", stdout);
    dot_text(r->device.name);
    printf("\\n%d nodes, %d segments, %d submits, %d dispatches, %d barriers, %d pipelines", s->nodes,
           s->segments, s->submits, s->dispatches, s->barriers, s->pipelines);
    printf("\\nweights %.3f MB, activations %.3f (at least %.3f), staging %.3f", mega(s->weight_bytes),
           mega(s->activation_bytes), mega(s->activation_lower_bound), mega(s->staging_bytes));
    printf("\\nread %.3f MB, written %.3f (in all at least %.3f), estimated %.3f ms", mega(s->read_bytes),
           mega(s->written_bytes), mega(s->traffic_lower_bound), s->estimated_ms);
    if (measured_us(r) > 0) printf(", measured %.3f", measured_us(r) / 1e3);
    puts("\";");
}

void plan_report_dot(const plan_report *r)
{
    puts("digraph plan {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n"
         "  edge [fontname=\"sans-serif\", fontsize=9];");
    dot_totals(r);
    for (int i = 0; i < r->nodes.count; i++) {
        dot_node(&r->nodes.items[i], i);
        dot_edges(&r->nodes, i);
    }
    puts("}");
}
