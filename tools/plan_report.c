/* SPDX-License-Identifier: Apache-2.0 */
#include "plan_report.h"
#include "json.h"

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

/* ---- the table ---- */

static void print_node(const vki_node_report *n)
{
    char offset[24] = "-";
    if (n->arena_offset >= 0) snprintf(offset, sizeof offset, "%" PRId64, n->arena_offset);
    printf("%4d %-6s %10.3f %10.3f %10s %5d  %-18s %-24s %s: %s\n", n->segment, n->place,
           (double)n->macs / 1e6, (double)n->bytes / 1e6, offset, n->dispatches, n->op, n->kernel, n->name,
           n->reason);
}

void plan_report_print(const plan_report *r)
{
    printf("plan for %s\n%4s %-6s %10s %10s %10s %5s  %-18s %-24s %s\n", r->device.name, "seg", "place",
           "MMAC", "MB", "at", "disp", "operator", "kernel", "node: reason");
    for (int i = 0; i < r->nodes.count; i++) print_node(&r->nodes.items[i]);
    const vki_session_stats *s = &r->stats;
    printf("%d nodes, %d segments, %d dispatches, %d barriers, %d pipelines; activations %" PRIu64
           " bytes (lower bound %" PRIu64 "), weights %" PRIu64 ", staging %" PRIu64 "\n",
           s->nodes, s->segments, s->dispatches, s->barriers, s->pipelines, s->activation_bytes,
           s->activation_lower_bound, s->weight_bytes, s->staging_bytes);
}

/* ---- JSON ---- */

vki_status plan_report_json(const plan_report *r, vki_error *err)
{
    const vki_session_stats *s = &r->stats;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "model", r->model);
    cJSON_AddItemToObject(root, "device", device_json(&r->device));
    cJSON_AddItemToObject(root, "memory_bytes", memory_json(s));
    cJSON_AddNumberToObject(root, "segments", s->segments);
    cJSON_AddNumberToObject(root, "dispatches", s->dispatches);
    cJSON_AddNumberToObject(root, "barriers", s->barriers);
    cJSON_AddNumberToObject(root, "pipelines", s->pipelines);
    cJSON_AddItemToObject(root, "nodes", nodes_json(&r->nodes));
    return json_write(root, NULL, err);
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
    printf("\\n%.2f MMAC, %.2f MB\", tooltip=\"", (double)n->macs / 1e6, (double)n->bytes / 1e6);
    dot_text(n->reason);
    puts("\"];");
}

void plan_report_dot(const plan_report *r)
{
    puts("digraph plan {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n"
         "  edge [fontname=\"sans-serif\", fontsize=9];");
    for (int i = 0; i < r->nodes.count; i++) {
        dot_node(&r->nodes.items[i], i);
        dot_edges(&r->nodes, i);
    }
    puts("}");
}
