/* SPDX-License-Identifier: Apache-2.0
 * What the commands' JSON has in common. */
#ifndef TOOL_JSON_H
#define TOOL_JSON_H

#include "node_list.h"

#include <cjson/cJSON.h>

const char *
device_kind_name(vki_device_kind kind); /* "cpu", "integrated", "discrete", "virtual", "software" */
cJSON *device_json(const vki_device_info *device);
void add_totals(cJSON *root,
                const vki_session_stats *stats); /* of a plan: memory, counts, traffic, estimate */
cJSON *memory_json(const vki_session_stats *stats);
cJSON *nodes_json(const node_list *nodes); /* an array, an object a node */

/* Prints `root` to stdout (path NULL or "-") or into a file, and frees it. VKI_E_IO, VKI_E_NOMEM (`root` may
 * be NULL). */
vki_status json_write(cJSON *root, const char *path, vki_error *err);

#endif
