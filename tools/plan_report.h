/* SPDX-License-Identifier: Apache-2.0
 * `vkinfer info --plan`, `run --report` and `benchmark --report`: every node of a plan with its place, kernel
 * and reason, what it moves and how long it takes, as a table, as JSON or as a Graphviz graph. */
#ifndef PLAN_REPORT_H
#define PLAN_REPORT_H

#include "json.h"

typedef struct plan_report {
    const char *model; /* its path */
    vki_device_info device;
    vki_session_stats stats;
    node_list nodes;
} plan_report;

/* VKI_E_STATE (the session has no plan yet), VKI_E_NOMEM. */
vki_status plan_report_make(plan_report *report, const char *model, const vki_context *context,
                            const vki_session *session, vki_error *err);
void plan_report_free(plan_report *report);

void plan_report_print(const plan_report *report); /* the table, to stdout */
void plan_report_dot(const plan_report *report);   /* to stdout, for `dot -Tsvg` */
cJSON *plan_report_object(const plan_report *report);

#endif
