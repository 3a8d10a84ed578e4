/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "graph/format/vkm.h"
#include "graph/format/vkm_layout.h"
#include "graph/ops/attrs.h"

typedef struct buffer {
    uint8_t *data;
    int size, capacity;
} buffer;

typedef struct constant { /* of the section of weights */
    const void *data;
    vkm_storage storage;
    uint64_t bytes, offset; /* as stored */
} constant;

typedef struct part { /* the network, or a body */
    const gr_graph *g;
    int *numbers; /* by body of g: its number among those written, or -1 */
    int n_bodies;
} part;

typedef struct writer {
    const vki_allocator *a;
    const gr_graph *g;  /* being written */
    const int *numbers; /* of its bodies */
    part *parts;
    int n_parts, cap_parts;
    constant *constants;
    int n_constants, cap_constants;
    bool half;
    buffer sections[VKM_WEIGHTS]; /* but the weights */
    uint8_t *weights;
    uint64_t weight_bytes;
    const char **strings;
    int *slots; /* hash index of strings; -1: free */
    int n_strings, cap_strings, n_slots;
    bool failed; /* out of memory, or a section over 2 GiB */
} writer;

/* ---- little-endian output ---- */

static void put(writer *w, vkm_section s, const void *data, size_t n)
{
    buffer *b = &w->sections[s];
    if (w->failed || n > (size_t)(INT32_MAX - b->size) ||
        !vkb_grow(w->a, (void **)&b->data, &b->capacity, b->size + (int)n, 1)) {
        w->failed = true;
        return;
    }
    if (n) memcpy(b->data + b->size, data, n);
    b->size += (int)n;
}

static void store(uint8_t *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(v >> 8 * i);
}

static void put_u32(writer *w, vkm_section s, uint32_t v)
{
    uint8_t bytes[4];
    store(bytes, v, 4);
    put(w, s, bytes, sizeof bytes);
}

static void put_u64(writer *w, vkm_section s, uint64_t v)
{
    uint8_t bytes[8];
    store(bytes, v, 8);
    put(w, s, bytes, sizeof bytes);
}

static void put_f32(writer *w, vkm_section s, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u32(w, s, bits);
}

/* ---- strings ---- */

static uint32_t slot_of(const writer *w, const char *text, size_t n)
{
    uint32_t mask = (uint32_t)w->n_slots - 1, slot = (uint32_t)vkb_hash(text, n, 0) & mask;
    while (w->slots[slot] >= 0) {
        const char *other = w->strings[w->slots[slot]];
        if (strlen(other) == n && !memcmp(other, text, n)) break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

static bool grow_slots(writer *w)
{
    if (w->n_strings < w->n_slots / 2) return true;
    int count = w->n_slots ? 2 * w->n_slots : 256;
    vkb_free(w->a, w->slots);
    w->slots = vkb_alloc(w->a, (size_t)count * sizeof *w->slots);
    if (!w->slots) return false;
    w->n_slots = count;
    for (int i = 0; i < count; i++) w->slots[i] = -1;
    for (int i = 0; i < w->n_strings; i++) w->slots[slot_of(w, w->strings[i], strlen(w->strings[i]))] = i;
    return true;
}

/* The index of a string; `text` must stay while the writer lives. */
static void put_string(writer *w, vkm_section s, const char *text)
{
    if (w->failed || !grow_slots(w) || !VKB_GROW(w->a, w->strings, w->cap_strings, w->n_strings + 1)) {
        w->failed = true;
        return;
    }
    uint32_t slot = slot_of(w, text, strlen(text));
    if (w->slots[slot] < 0) {
        w->slots[slot] = w->n_strings;
        w->strings[w->n_strings++] = text;
    }
    put_u32(w, s, (uint32_t)w->slots[slot]);
}

static void write_strings(writer *w)
{
    put_u32(w, VKM_STRINGS, (uint32_t)w->n_strings);
    for (int i = 0; i < w->n_strings; i++) put_u32(w, VKM_STRINGS, (uint32_t)strlen(w->strings[i]));
    for (int i = 0; i < w->n_strings; i++) put(w, VKM_STRINGS, w->strings[i], strlen(w->strings[i]) + 1);
}

/* ---- tensors and weights ---- */

enum { HALF_MIN_ELEMENTS = 256 };

static vkm_storage storage_of(const gr_tensor *t, bool half)
{
    const float HALF_MAX = 65504;
    if (!t->data) return VKM_NO_DATA;
    int64_t n = gr_elements(t);
    if (!half || t->dtype != VKI_F32 || n < HALF_MIN_ELEMENTS) return VKM_RAW;
    for (int64_t i = 0; i < n; i++) /* false for NaN, too */
        if (!(fabsf(((const float *)t->data)[i]) <= HALF_MAX)) return VKM_RAW;
    return VKM_HALF;
}

static uint64_t stored_bytes(const gr_tensor *t, vkm_storage storage)
{
    return storage == VKM_NO_DATA ? 0 : storage == VKM_HALF ? gr_bytes(t) / 2 : gr_bytes(t);
}

/* Where the tensor's data are. Bodies share them with the graphs around. */
static const constant *place_constant(writer *w, const gr_tensor *t, int first_shared)
{
    constant c = {t->data, storage_of(t, w->half), 0, w->weight_bytes};
    c.bytes = stored_bytes(t, c.storage);
    for (int i = 0; i < first_shared; i++) {
        const constant *other = &w->constants[i];
        if (other->data == c.data && other->storage == c.storage && other->bytes == c.bytes) return other;
    }
    if (!VKB_GROW(w->a, w->constants, w->cap_constants, w->n_constants + 1)) {
        w->failed = true;
        return NULL;
    }
    w->weight_bytes += vkb_round_up(c.bytes, VKM_ALIGN);
    w->constants[w->n_constants] = c;
    return &w->constants[w->n_constants++];
}

static void write_tensors(writer *w)
{
    const vkm_section s = VKM_TENSORS;
    const int earlier = w->n_constants;
    put_u32(w, s, (uint32_t)w->g->n_tensors);
    put_u32(w, s, 0);
    for (int i = 0; i < w->g->n_tensors && !w->failed; i++) {
        const gr_tensor *t = &w->g->tensors[i];
        const constant *c = t->data ? place_constant(w, t, earlier) : NULL;
        put_string(w, s, t->name);
        put_u32(w, s, (uint32_t)t->dtype);
        put_u32(w, s, (uint32_t)t->rank);
        put_u32(w, s, (uint32_t)(c ? c->storage : VKM_NO_DATA));
        for (int d = 0; d < GR_MAX_RANK; d++) put_u64(w, s, d < t->rank ? (uint64_t)t->dims[d] : 0);
        put_u64(w, s, c ? c->offset : 0);
        put_u64(w, s, c ? c->bytes : 0);
    }
}

static void write_weights(writer *w)
{
    w->weights = w->weight_bytes <= SIZE_MAX ? vkb_calloc(w->a, (size_t)w->weight_bytes, 1) : NULL;
    if (!w->weights) {
        w->failed = true;
        return;
    }
    for (int i = 0; i < w->n_constants; i++) {
        const constant *c = &w->constants[i];
        uint8_t *to = w->weights + c->offset;
        if (c->storage == VKM_RAW && c->bytes) memcpy(to, c->data, (size_t)c->bytes);
        if (c->storage == VKM_HALF)
            vkb_f32_to_f16_n((uint16_t *)(void *)to, c->data, (size_t)(c->bytes / sizeof(uint16_t)));
    }
}

/* ---- bodies ---- */

static bool add_part(writer *w, const gr_graph *g)
{
    if (!VKB_GROW(w->a, w->parts, w->cap_parts, w->n_parts + 1)) return false;
    int *numbers = vkb_calloc(w->a, (size_t)g->n_bodies, sizeof *numbers);
    if (!numbers) return false;
    for (int i = 0; i < g->n_bodies; i++) numbers[i] = -1;
    w->parts[w->n_parts++] = (part){g, numbers, 0};
    return true;
}

/* Bodies that a node of part p uses join the parts. */
static bool add_bodies(writer *w, int p)
{
    const gr_graph *g = w->parts[p].g;
    for (int i = 0; i < g->n_nodes && w->n_parts <= VKM_MAX_BODIES; i++) {
        int64_t *index[2];
        int count = g->nodes[i].dead ? 0 : op_bodies_of(&g->nodes[i], index);
        for (int k = 0; k < count; k++) {
            int *number = &w->parts[p].numbers[*index[k]];
            if (*number >= 0) continue;
            *number = w->parts[p].n_bodies++;
            put_u32(w, VKM_BODIES, (uint32_t)p);
            if (!add_part(w, g->bodies[*index[k]].graph)) return false;
        }
    }
    return true;
}

static vki_status find_parts(writer *w, vki_error *err)
{
    buffer *section = &w->sections[VKM_BODIES];
    put_u32(w, VKM_BODIES, 0); /* the count, once it is known */
    w->failed = w->failed || !add_part(w, w->g);
    for (int i = 0; i < w->n_parts && !w->failed; i++)
        if (!add_bodies(w, i)) w->failed = true;
    if (w->n_parts > VKM_MAX_BODIES + 1)
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        "branches and loops within each other are more than %d graphs", VKM_MAX_BODIES);
    if (!w->failed) store(section->data, (uint64_t)w->n_parts - 1, 4);
    return VKI_OK;
}

/* ---- nodes ---- */

static const char *enum_name(writer *w, const op_attr *a, int64_t value, vkb_arena *arena)
{
    size_t length;
    const char *p = op_enum_text(a, value, &length), *text = vkb_arena_strndup(arena, p, length);
    if (!text) w->failed = true;
    return text ? text : "";
}

/* The value; of the index of a body the number it is written under. */
static int64_t number_of(const writer *w, const gr_node *n, const int64_t *field)
{
    int64_t *index[2];
    gr_node copy = *n;
    for (int i = 0, count = op_bodies_of(&copy, index); i < count; i++)
        if (index[i] == field) return w->numbers[*field];
    return *field;
}

static void write_attr(writer *w, const gr_node *n, const op_attr *a, vkb_arena *arena)
{
    const vkm_section s = VKM_NODES;
    const void *field = (const char *)n->attrs + a->offset;
    put_string(w, s, a->name);
    put_u32(w, s, (uint32_t)a->type);
    switch (a->type) {
    case OP_ATTR_INT:
        put_u64(w, s, (uint64_t)number_of(w, n, field));
        break;
    case OP_ATTR_FLOAT:
        put_f32(w, s, *(const float *)field);
        break;
    case OP_ATTR_INTS: {
        const op_ints *list = field;
        put_u32(w, s, (uint32_t)list->count);
        for (int i = 0; i < list->count; i++) put_u64(w, s, (uint64_t)list->v[i]);
        break;
    }
    case OP_ATTR_ENUM:
        put_string(w, s, enum_name(w, a, *(const int64_t *)field, arena));
        break;
    case OP_ATTR_FLOATS: {
        const op_floats *list = field;
        put_u32(w, s, (uint32_t)list->count);
        for (int i = 0; i < list->count; i++) put_f32(w, s, list->v[i]);
        break;
    }
    case OP_ATTR_ENUMS: {
        const op_ints *list = field;
        put_u32(w, s, (uint32_t)list->count);
        for (int i = 0; i < list->count; i++) put_string(w, s, enum_name(w, a, list->v[i], arena));
        break;
    }
    }
}

static void write_node(writer *w, const gr_node *n, vkb_arena *arena)
{
    const vkm_section s = VKM_NODES;
    const op_info *info = op_get(n->op);
    put_string(w, s, info->name);
    put_string(w, s, n->name);
    put_string(w, s, n->fused);
    put_string(w, s, vkm_act_names[n->epilogue.act]);
    put_u32(w, s, (uint32_t)n->epilogue.residual);
    put_f32(w, s, n->epilogue.alpha);
    put_f32(w, s, n->epilogue.beta);
    put_u32(w, s, (uint32_t)n->n_in);
    put_u32(w, s, (uint32_t)n->n_out);
    put_u32(w, s, (uint32_t)info->n_attrs);
    for (int i = 0; i < n->n_in; i++) put_u32(w, s, (uint32_t)n->in[i]);
    for (int i = 0; i < n->n_out; i++) put_u32(w, s, (uint32_t)n->out[i]);
    for (int i = 0; i < info->n_attrs; i++) write_attr(w, n, &info->attrs[i], arena);
}

static void write_nodes(writer *w, vkb_arena *arena)
{
    uint32_t count = 0;
    for (int i = 0; i < w->g->n_nodes; i++) count += !w->g->nodes[i].dead;
    put_u32(w, VKM_NODES, count);
    for (int i = 0; i < w->g->n_nodes; i++)
        if (!w->g->nodes[i].dead) write_node(w, &w->g->nodes[i], arena);
}

static void write_ids(writer *w, const gr_id *list, int count)
{
    put_u32(w, VKM_GRAPH, (uint32_t)count);
    for (int i = 0; i < count; i++) put_u32(w, VKM_GRAPH, (uint32_t)list[i]);
}

static void write_lists(writer *w)
{
    const gr_graph *g = w->g;
    put_u32(w, VKM_SYMBOLS, (uint32_t)g->n_symbols);
    for (int i = 0; i < g->n_symbols; i++) put_string(w, VKM_SYMBOLS, g->symbols[i]);
    write_ids(w, g->inputs, g->n_inputs);
    write_ids(w, g->outputs, g->n_outputs);
}

static void write_meta(writer *w)
{
    put_u32(w, VKM_META, (uint32_t)w->g->n_meta);
    for (int i = 0; i < w->g->n_meta; i++) {
        put_string(w, VKM_META, w->g->meta[i].key);
        put_string(w, VKM_META, w->g->meta[i].value);
    }
}

/* ---- the file ---- */

/* Header, table and all sections but the weights, each padded. NULL if exhausted. */
static uint8_t *assemble(const writer *w, uint64_t *bytes)
{
    uint64_t offset[VKM_SECTIONS], size[VKM_SECTIONS], at = vkb_round_up(VKM_HEAD_END, VKM_ALIGN);
    for (int s = 0; s < VKM_SECTIONS; s++) {
        size[s] = s == VKM_WEIGHTS ? w->weight_bytes : (uint64_t)w->sections[s].size;
        offset[s] = at;
        if (s != VKM_WEIGHTS) at += vkb_round_up(size[s], VKM_ALIGN);
    }
    uint8_t *file = at <= SIZE_MAX ? vkb_calloc(w->a, (size_t)at, 1) : NULL;
    if (!file) return NULL;
    memcpy(file, VKM_MAGIC, VKM_MAGIC_BYTES);
    store(file + 8, VKM_VERSION, 4);
    store(file + 12, VKM_SECTIONS, 4);
    store(file + 16, at + w->weight_bytes, 8);
    for (int s = 0; s < VKM_SECTIONS; s++) {
        const uint8_t *data = s == VKM_WEIGHTS ? w->weights : w->sections[s].data;
        uint8_t *row = file + VKM_HEADER_BYTES + s * VKM_ROW_BYTES;
        store(row, (uint64_t)s, 4);
        store(row + 8, offset[s], 8);
        store(row + 16, size[s], 8);
        store(row + 24, vkb_hash(data, (size_t)size[s], (uint64_t)s), 8);
        if (s != VKM_WEIGHTS) memcpy(file + offset[s], data, (size_t)size[s]);
    }
    store(file + VKM_CHECKSUM_AT, vkm_head_checksum(file), 8);
    *bytes = at;
    return file;
}

static vki_status write_file(writer *w, const char *path, vki_error *err)
{
    uint64_t bytes = 0;
    uint8_t *head = w->failed ? NULL : assemble(w, &bytes);
    if (!head)
        return vkb_fail(err, VKI_E_NOMEM, "out of memory while writing %s (weights: %llu bytes)", path,
                        (unsigned long long)w->weight_bytes);
    const vkb_span parts[] = {{head, (size_t)bytes}, {w->weights, (size_t)w->weight_bytes}};
    vki_status status = vkb_file_write(path, parts, 2, err);
    vkb_free(w->a, head);
    return status;
}

static void write_parts(writer *w)
{
    const gr_graph *network = w->g;
    vkb_arena arena; /* texts of enumerations */
    vkb_arena_init(&arena, network->allocator);
    for (int i = 0; i < w->n_parts && !w->failed; i++) {
        w->g = w->parts[i].g;
        w->numbers = w->parts[i].numbers;
        write_tensors(w);
        write_nodes(w, &arena);
        write_lists(w);
    }
    w->g = network;
    write_meta(w);
    write_strings(w); /* last: it knows them all, and they may lie in the arena */
    vkb_arena_free(&arena);
    if (!w->failed) write_weights(w);
}

static void free_writer(writer *w)
{
    const vki_allocator *a = w->a;
    for (int s = 0; s < VKM_WEIGHTS; s++) vkb_free(a, w->sections[s].data);
    for (int i = 0; i < w->n_parts; i++) vkb_free(a, w->parts[i].numbers);
    vkb_free(a, w->parts);
    vkb_free(a, w->constants);
    vkb_free(a, w->weights);
    vkb_free(a, w->strings);
    vkb_free(a, w->slots);
}

vki_status vkm_write(const gr_graph *g, const char *path, const vkm_write_options *options, vki_error *err)
{
    VKB_TRY(gr_check(g, err));
    if (g->n_symbols > VKM_MAX_LIST || g->n_meta > VKM_MAX_LIST)
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        "%d symbolic dimensions and %d metadata; a .vkm file holds %d", g->n_symbols,
                        g->n_meta, VKM_MAX_LIST);
    writer w = {.a = g->allocator, .g = g, .half = options && options->half_weights};
    vki_status status = find_parts(&w, err);
    if (status == VKI_OK) {
        write_parts(&w);
        status = write_file(&w, path, err);
    }
    free_writer(&w);
    return status;
}
