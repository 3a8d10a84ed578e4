/* SPDX-License-Identifier: Apache-2.0
 * Names: one flat name space a graph or function body for inputs, initializers and node outputs. A subgraph
 * sees the names of the graph around it. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

const char *onnx_text(const char *s)
{
    return s ? s : "";
}

bool onnx_values_init(onnx_ctx *c, size_t capacity)
{
    onnx_values *v = &c->values;
    if (capacity > INT32_MAX / 4) return false;
    *v = (onnx_values){.n_slots = 16, .cap_entries = capacity};
    while (v->n_slots < 2 * capacity) v->n_slots *= 2;
    v->entries = vkb_arena_alloc(&c->scratch, (capacity ? capacity : 1) * sizeof *v->entries);
    v->slots = vkb_arena_alloc(&c->scratch, v->n_slots * sizeof *v->slots);
    return v->entries && v->slots;
}

/* The slot of the name, or the free one where it belongs. */
static size_t slot_of(const onnx_values *v, const char *name)
{
    size_t mask = v->n_slots - 1;
    size_t slot = (size_t)vkb_hash(name, strlen(name), 0) & mask;
    while (v->slots[slot] && strcmp(v->entries[v->slots[slot] - 1].name, name) != 0) slot = (slot + 1) & mask;
    return slot;
}

onnx_value *onnx_value_of(onnx_ctx *c, const char *name, bool add)
{
    onnx_values *v = &c->values;
    size_t slot = slot_of(v, name);
    if (v->slots[slot]) return &v->entries[v->slots[slot] - 1];
    if (!add || v->n_entries == v->cap_entries) return NULL;
    onnx_value *entry = &v->entries[v->n_entries++];
    *entry = (onnx_value){.name = name, .tensor = GR_NONE, .value = GR_NONE};
    v->slots[slot] = (int32_t)v->n_entries;
    return entry;
}

static onnx_value *find(onnx_ctx *c, const onnx_values *v, const char *name)
{
    int32_t at = v->slots[slot_of(v, name)];
    if (at && v->entries[at - 1].defined) return &v->entries[at - 1];
    onnx_value *around = v->outer ? find(c, v->outer, name) : NULL;
    return around && v->scope ? onnx_capture_value(c, v, around) : around;
}

onnx_value *onnx_value_find(onnx_ctx *c, const char *name)
{
    return find(c, &c->values, name);
}
