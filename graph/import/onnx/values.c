/* SPDX-License-Identifier: Apache-2.0
 * The names of a model: one flat name space for inputs, initializers and node outputs. */
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
    v->n_slots = 16;
    while (v->n_slots < 2 * capacity) v->n_slots *= 2;
    v->cap_entries = capacity;
    v->n_entries = 0;
    v->entries = vkb_arena_alloc(&c->scratch, (capacity ? capacity : 1) * sizeof *v->entries);
    v->slots = vkb_arena_alloc(&c->scratch, v->n_slots * sizeof *v->slots);
    return v->entries && v->slots;
}

onnx_value *onnx_value_of(onnx_ctx *c, const char *name, bool add)
{
    onnx_values *v = &c->values;
    size_t mask = v->n_slots - 1;
    size_t slot = (size_t)vkb_hash(name, strlen(name), 0) & mask;
    for (; v->slots[slot]; slot = (slot + 1) & mask) {
        onnx_value *entry = &v->entries[v->slots[slot] - 1];
        if (strcmp(entry->name, name) == 0) return entry;
    }
    if (!add || v->n_entries == v->cap_entries) return NULL;
    onnx_value *entry = &v->entries[v->n_entries++];
    *entry = (onnx_value){.name = name, .tensor = GR_NONE, .value = GR_NONE};
    v->slots[slot] = (int32_t)v->n_entries;
    return entry;
}
