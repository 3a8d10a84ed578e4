/* SPDX-License-Identifier: Apache-2.0
 * What a model asks for and the importer cannot give: collected over the whole file, reported in one text. */
#include "graph/import/onnx/onnx_internal.h"

#include <stdio.h>
#include <string.h>

enum { ISSUES_MAX = 256 }; /* distinct ones kept */

vki_status onnx_issue_add(onnx_ctx *c, const char *what, const char *node, const char *reason)
{
    for (onnx_issue *i = c->issues; i; i = i->next) {
        if (strcmp(i->what, what) == 0 && strcmp(i->reason, reason) == 0) {
            i->count++;
            return VKI_OK;
        }
    }
    if (c->n_issues++ >= ISSUES_MAX) return VKI_OK; /* a hostile file; the text holds a dozen */
    onnx_issue *issue = vkb_arena_alloc(&c->scratch, sizeof *issue);
    if (!issue) return onnx_nomem(c);
    issue->what = vkb_arena_strdup(&c->scratch, what);
    issue->reason = vkb_arena_strdup(&c->scratch, reason);
    issue->node = vkb_arena_strdup(&c->scratch, node);
    issue->count = 1;
    if (!issue->what || !issue->reason || !issue->node) return onnx_nomem(c);
    *c->issues_end = issue;
    c->issues_end = &issue->next;
    return VKI_OK;
}

/* "LSTM x4 (first node 'a': no such operator)" */
static int format_issue(char *buffer, size_t size, const onnx_issue *i)
{
    if (!i->what[0]) return snprintf(buffer, size, "%.80s: %.120s", i->node, i->reason);
    if (i->count == 1)
        return snprintf(buffer, size, "%.40s (node '%.60s': %.120s)", i->what, i->node, i->reason);
    return snprintf(buffer, size, "%.40s x%d (first node '%.60s': %.120s)", i->what, i->count, i->node,
                    i->reason);
}

vki_status onnx_issues_report(const onnx_ctx *c)
{
    if (!c->issues) return VKI_OK;
    char text[sizeof c->err->text];
    int left = c->n_issues;
    const char *const tail = "; and %d more";
    size_t used = (size_t)snprintf(text, sizeof text, "the model needs what this version does not have: ");
    for (const onnx_issue *i = c->issues; i; i = i->next, left--) {
        char item[400];
        size_t length = (size_t)format_issue(item, sizeof item, i);
        if (used + length + 2 + (left > 1 ? strlen(tail) + 10 : 0) >= sizeof text) break;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i == c->issues ? "" : "; ", item);
    }
    if (left) snprintf(text + used, sizeof text - used, tail, left);
    const onnx_issue *first = c->issues;
    return vkb_fail_node(c->err, VKI_E_UNSUPPORTED, first->node, first->what, "%s", text);
}
