/* SPDX-License-Identifier: Apache-2.0 */
#include "node_list.h"

#include <stdlib.h>
#include <string.h>

static const char *copy_text(const char *text, bool *failed)
{
    if (!text) return NULL;
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    if (copy) memcpy(copy, text, n);
    *failed |= !copy;
    return copy;
}

static const char *const *copy_names(const char *const *names, int count, bool *failed)
{
    const char **copy = calloc((size_t)count + 1, sizeof *copy);
    *failed |= !copy;
    for (int i = 0; copy && i < count; i++) copy[i] = copy_text(names[i], failed);
    return copy;
}

static void add_node(void *user, const vki_node_report *r)
{
    node_list *nodes = user;
    if (nodes->failed) return;
    if (nodes->at < nodes->count) {
        vki_node_report *have = &nodes->items[nodes->at++];
        if (r->us >= 0 && (have->us < 0 || r->us < have->us)) have->us = r->us;
        return;
    }
    if (!VKB_GROW(&vkb_libc_allocator, nodes->items, nodes->capacity, nodes->count + 1)) {
        nodes->failed = true;
        return;
    }
    vki_node_report *n = &nodes->items[nodes->count++];
    bool *failed = &nodes->failed;
    *n = *r;
    n->name = copy_text(r->name, failed);
    n->op = copy_text(r->op, failed);
    n->place = copy_text(r->place, failed);
    n->kernel = copy_text(r->kernel, failed);
    n->reason = copy_text(r->reason, failed);
    n->output = copy_text(r->output, failed);
    n->fused = copy_text(r->fused, failed);
    n->inputs = copy_names(r->inputs, r->input_count, failed);
    n->outputs = copy_names(r->outputs, r->output_count, failed);
    nodes->at = nodes->count;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void free_names(const char *const *names, int count)
{
    for (int i = 0; names && i < count; i++) free_text(names[i]);
    free((void *)(uintptr_t)names);
}

void node_list_free(node_list *nodes)
{
    for (int i = 0; i < nodes->count; i++) {
        vki_node_report *n = &nodes->items[i];
        const char *texts[] = {n->name, n->op, n->place, n->kernel, n->reason, n->output, n->fused};
        for (size_t k = 0; k < VKB_COUNT(texts); k++) free_text(texts[k]);
        free_names(n->inputs, n->input_count);
        free_names(n->outputs, n->output_count);
    }
    vkb_free(&vkb_libc_allocator, nodes->items);
    *nodes = (node_list){0};
}

vki_status node_list_collect(const vki_session *session, node_list *nodes, vki_error *err)
{
    nodes->at = 0;
    vki_status status = vki_session_report(session, add_node, nodes);
    if (status != VKI_OK) return vkb_fail(err, status, "the session gives no report");
    return nodes->failed ? vkb_nomem(err, 0) : VKI_OK;
}
