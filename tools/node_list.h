/* SPDX-License-Identifier: Apache-2.0
 * A session's report as a list, for what needs all nodes at once. */
#ifndef NODE_LIST_H
#define NODE_LIST_H

#include "tool.h"

typedef struct node_list {
    vki_node_report *items; /* with copies of their texts */
    int count, capacity, at;
    bool failed; /* memory ran out */
} node_list;

/* Fills an empty list; into one of the same session's earlier report only the times go, the least of each
 * node: what disturbs a measurement only adds to it. VKI_E_STATE (no plan), VKI_E_NOMEM. */
vki_status node_list_collect(const vki_session *session, node_list *nodes, vki_error *err);
void node_list_free(node_list *nodes);

#endif
