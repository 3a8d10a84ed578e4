/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "graph/ops/op.h"

void gr_init(gr_graph *g, const vki_allocator *a)
{
    memset(g, 0, sizeof *g);
    g->allocator = a;
    vkb_arena_init(&g->arena, a);
}

void gr_free(gr_graph *g)
{
    const vki_allocator *a = g->allocator;
    if (!a) return;
    vkb_free(a, g->tensors);
    vkb_free(a, g->nodes);
    vkb_free(a, g->inputs);
    vkb_free(a, g->outputs);
    vkb_free(a, g->symbols);
    vkb_free(a, g->meta);
    for (int i = 0; i < g->n_bodies; i++) {
        if (!g->bodies[i].own) continue;
        gr_free(g->bodies[i].graph); /* at most GR_MAX_DEPTH deep */
        vkb_free(a, g->bodies[i].graph);
    }
    vkb_free(a, g->bodies);
    vkb_free(a, g->name_slots);
    vkb_arena_free(&g->arena);
    gr_init(g, a);
}

/* ---- the index of names: open addressing, at most half full ---- */

static uint32_t name_slot(const gr_graph *g, const char *name)
{
    return (uint32_t)vkb_hash(name, strlen(name), 0) & (uint32_t)(g->n_name_slots - 1);
}

static void index_name(gr_graph *g, gr_id t)
{
    uint32_t slot = name_slot(g, g->tensors[t].name);
    while (g->name_slots[slot] != GR_NONE) slot = (slot + 1) & (uint32_t)(g->n_name_slots - 1);
    g->name_slots[slot] = t;
}

static bool reserve_names(gr_graph *g, int need)
{
    if (need <= g->n_name_slots / 2) return true;
    int wanted = g->n_name_slots ? g->n_name_slots : 64;
    while (wanted / 2 < need) {
        if (wanted > INT32_MAX / 2) return false;
        wanted *= 2;
    }
    gr_id *slots = vkb_alloc(g->allocator, (size_t)wanted * sizeof *slots);
    if (!slots) return false;
    vkb_free(g->allocator, g->name_slots);
    g->name_slots = slots;
    g->n_name_slots = wanted;
    gr_reindex(g);
    return true;
}

void gr_reindex(gr_graph *g)
{
    for (int i = 0; i < g->n_name_slots; i++) g->name_slots[i] = GR_NONE;
    for (gr_id t = 0; t < g->n_tensors; t++) index_name(g, t);
}

gr_id gr_find_tensor(const gr_graph *g, const char *name)
{
    if (!name || !g->n_name_slots) return GR_NONE;
    uint32_t slot = name_slot(g, name);
    for (; g->name_slots[slot] != GR_NONE; slot = (slot + 1) & (uint32_t)(g->n_name_slots - 1)) {
        gr_id t = g->name_slots[slot];
        if (!strcmp(g->tensors[t].name, name)) return t;
    }
    return GR_NONE;
}

/* `name`, or a free name made from it, in the arena. NULL if exhausted. */
static const char *free_name(gr_graph *g, const char *name)
{
    if (name && gr_find_tensor(g, name) == GR_NONE) return vkb_arena_strdup(&g->arena, name);
    for (int i = g->n_tensors;; i++) {
        const char *made =
            name ? vkb_arena_printf(&g->arena, "%s#%d", name, i) : vkb_arena_printf(&g->arena, "#%d", i);
        if (!made || gr_find_tensor(g, made) == GR_NONE) return made;
    }
}

/* ---- tensors ---- */

gr_id gr_add_tensor(gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims)
{
    gr_tensor t = {.dtype = dtype, .rank = rank};
    if (rank < -1 || rank > GR_MAX_RANK || g->n_tensors == INT32_MAX) return GR_NONE;
    if (rank > 0) memcpy(t.dims, dims, (size_t)rank * sizeof *dims); /* before growing: may point into it */
    t.name = free_name(g, name);
    if (!t.name || !reserve_names(g, g->n_tensors + 1)) return GR_NONE;
    if (!VKB_GROW(g->allocator, g->tensors, g->cap_tensors, g->n_tensors + 1)) return GR_NONE;
    g->tensors[g->n_tensors] = t;
    index_name(g, g->n_tensors);
    return g->n_tensors++;
}

static void *const_room(gr_graph *g, uint64_t bytes, void *(*alloc)(vkb_arena *, size_t))
{
    enum { ALIGN = 64 };
    if (bytes > SIZE_MAX - ALIGN) return NULL;
    char *p = alloc(&g->arena, (size_t)bytes + ALIGN); /* small arena blocks are less aligned */
    return p ? p + (ALIGN - (uintptr_t)p % ALIGN) % ALIGN : NULL;
}

void *gr_const_alloc(gr_graph *g, uint64_t bytes)
{
    return const_room(g, bytes, vkb_arena_alloc);
}

static uint64_t const_key(const gr_tensor *t, const void *data, uint64_t bytes)
{
    return vkb_hash(data, (size_t)bytes, (uint64_t)t->dtype);
}

bool gr_make_const(gr_graph *g, gr_id id, const void *data, bool copy)
{
    gr_tensor *t = &g->tensors[id];
    if (gr_elements(t) < 0) return false;
    uint64_t bytes = gr_bytes(t);
    if (bytes > SIZE_MAX) return false;
    if (copy) {
        void *own = const_room(g, bytes, vkb_arena_alloc_raw);
        if (!own) return false;
        if (bytes) memcpy(own, data, (size_t)bytes);
        data = own;
    }
    t->data = data;
    t->const_key = const_key(t, data, bytes);
    return true;
}

gr_id gr_add_const(gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims,
                   const void *data, bool copy)
{
    gr_id t = gr_add_tensor(g, name, dtype, rank, dims);
    if (t == GR_NONE || gr_make_const(g, t, data, copy)) return t;
    return GR_NONE; /* the tensor stays, unreferenced; gr_compact drops it */
}

/* ---- nodes ---- */

static gr_id *copy_ids(gr_graph *g, int n, const gr_id *ids)
{
    gr_id *copy = vkb_arena_alloc(&g->arena, (size_t)n * sizeof *ids);
    if (copy && n) memcpy(copy, ids, (size_t)n * sizeof *ids);
    return copy;
}

gr_node *gr_add_node(gr_graph *g, op_kind op, const char *name, int n_in, const gr_id *in, int n_out,
                     const gr_id *out)
{
    if (op <= OP_NONE || op >= OP_COUNT || n_in < 0 || n_out < 0) return NULL;
    const op_info *info = op_get(op);
    gr_node n = {.op = op, .n_in = n_in, .n_out = n_out, .fused = ""};
    n.name = name ? vkb_arena_strdup(&g->arena, name) : vkb_arena_printf(&g->arena, "#%d", g->n_nodes);
    n.in = copy_ids(g, n_in, in);
    n.out = copy_ids(g, n_out, out);
    if (info && info->attrs_size) {
        n.attrs = vkb_arena_alloc(&g->arena, info->attrs_size);
        if (!n.attrs) return NULL;
        op_set_defaults(op, n.attrs);
    }
    if (!n.name || !n.in || !n.out) return NULL;
    if (!VKB_GROW(g->allocator, g->nodes, g->cap_nodes, g->n_nodes + 1)) return NULL;
    g->nodes[g->n_nodes] = n;
    return &g->nodes[g->n_nodes++];
}

bool gr_set_inputs(gr_graph *g, gr_node *n, int n_in, const gr_id *in)
{
    if (n_in <= n->n_in) {
        memmove(n->in, in, (size_t)n_in * sizeof *in); /* `in` may be a part of n->in */
    } else {
        gr_id *list = copy_ids(g, n_in, in);
        if (!list) return false;
        n->in = list;
    }
    n->n_in = n_in;
    return true;
}

static bool append_id(gr_graph *g, gr_id **list, int *count, int *capacity, gr_id t)
{
    if (t < 0 || t >= g->n_tensors) return false;
    if (!vkb_grow(g->allocator, (void **)list, capacity, *count + 1, sizeof **list)) return false;
    (*list)[(*count)++] = t;
    return true;
}

bool gr_add_input(gr_graph *g, gr_id t)
{
    if (!append_id(g, &g->inputs, &g->n_inputs, &g->cap_inputs, t)) return false;
    g->tensors[t].flags |= GR_INPUT;
    return true;
}

bool gr_add_output(gr_graph *g, gr_id t)
{
    if (!append_id(g, &g->outputs, &g->n_outputs, &g->cap_outputs, t)) return false;
    g->tensors[t].flags |= GR_OUTPUT;
    return true;
}

/* ---- metadata and symbols ---- */

bool gr_add_meta(gr_graph *g, const char *key, const char *value)
{
    const char *v = vkb_arena_strdup(&g->arena, value);
    if (!v) return false;
    for (int i = 0; i < g->n_meta; i++) {
        if (strcmp(g->meta[i].key, key)) continue;
        g->meta[i].value = v;
        return true;
    }
    const char *k = vkb_arena_strdup(&g->arena, key);
    if (!k || !VKB_GROW(g->allocator, g->meta, g->cap_meta, g->n_meta + 1)) return false;
    g->meta[g->n_meta++] = (gr_meta){k, v};
    return true;
}

const char *gr_get_meta(const gr_graph *g, const char *key)
{
    for (int i = 0; i < g->n_meta; i++)
        if (!strcmp(g->meta[i].key, key)) return g->meta[i].value;
    return NULL;
}

/* ---- bodies ---- */

int gr_new_body(gr_graph *g)
{
    gr_graph *body = vkb_alloc(g->allocator, sizeof *body);
    if (!body || !VKB_GROW(g->allocator, g->bodies, g->cap_bodies, g->n_bodies + 1)) {
        vkb_free(g->allocator, body);
        return -1;
    }
    gr_init(body, g->allocator);
    g->bodies[g->n_bodies] = (gr_body){body, true};
    return g->n_bodies++;
}

int gr_add_body(gr_graph *g, gr_graph *body)
{
    for (int i = 0; i < g->n_bodies; i++)
        if (g->bodies[i].graph == body) return i;
    if (!VKB_GROW(g->allocator, g->bodies, g->cap_bodies, g->n_bodies + 1)) return -1;
    g->bodies[g->n_bodies] = (gr_body){body, false};
    return g->n_bodies++;
}

enum { FIRST_SYMBOL = -2 }; /* symbol i is the dimension FIRST_SYMBOL - i */

int64_t gr_symbol(gr_graph *g, const char *name)
{
    for (int i = 0; i < g->n_symbols; i++)
        if (!strcmp(g->symbols[i], name)) return FIRST_SYMBOL - i;
    const char *copy = vkb_arena_strdup(&g->arena, name);
    if (!copy || !VKB_GROW(g->allocator, g->symbols, g->cap_symbols, g->n_symbols + 1)) return GR_UNKNOWN;
    g->symbols[g->n_symbols] = copy;
    return FIRST_SYMBOL - g->n_symbols++;
}

const char *gr_symbol_name(const gr_graph *g, int64_t dim)
{
    return dim <= FIRST_SYMBOL && FIRST_SYMBOL - dim < g->n_symbols ? g->symbols[FIRST_SYMBOL - dim] : NULL;
}

/* ---- copying ---- */

/* Copies `count` elements to a fresh array of dst's; *out stays NULL for none. */
static bool clone_array(const vki_allocator *a, void **out, const void *from, int count, size_t size)
{
    if (!count) return true;
    *out = vkb_alloc(a, (size_t)count * size);
    if (*out) memcpy(*out, from, (size_t)count * size);
    return *out != NULL;
}
#define CLONE(field, n)                                                                                      \
    clone_array(dst->allocator, (void **)&dst->field, src->field, src->n, sizeof *src->field)

static bool clone_node(gr_graph *g, gr_node *n)
{
    n->in = copy_ids(g, n->n_in, n->in);
    n->out = copy_ids(g, n->n_out, n->out);
    if (!n->in || !n->out) return false;
    if (!n->attrs) return true;
    size_t size = op_get(n->op)->attrs_size;
    void *attrs = vkb_arena_alloc(&g->arena, size);
    if (attrs) memcpy(attrs, n->attrs, size);
    n->attrs = attrs;
    return attrs != NULL;
}

vki_status gr_clone(gr_graph *dst, const gr_graph *src, vki_error *err)
{
    gr_init(dst, src->allocator);
    bool good = CLONE(tensors, n_tensors) && CLONE(nodes, n_nodes) && CLONE(inputs, n_inputs) &&
                CLONE(outputs, n_outputs) && CLONE(symbols, n_symbols) && CLONE(meta, n_meta) &&
                CLONE(name_slots, n_name_slots) && CLONE(bodies, n_bodies);
    if (good) {
        dst->n_tensors = dst->cap_tensors = src->n_tensors;
        dst->n_nodes = dst->cap_nodes = src->n_nodes;
        dst->n_inputs = dst->cap_inputs = src->n_inputs;
        dst->n_outputs = dst->cap_outputs = src->n_outputs;
        dst->n_symbols = dst->cap_symbols = src->n_symbols;
        dst->n_meta = dst->cap_meta = src->n_meta;
        dst->n_name_slots = src->n_name_slots;
        dst->n_bodies = dst->cap_bodies = src->n_bodies;
        for (int i = 0; i < dst->n_bodies; i++) dst->bodies[i].own = false;
    }
    for (int i = 0; good && i < dst->n_nodes; i++) good = clone_node(dst, &dst->nodes[i]);
    if (good) return VKI_OK;
    uint64_t bytes =
        (uint64_t)src->n_tensors * sizeof *src->tensors + (uint64_t)src->n_nodes * sizeof *src->nodes;
    gr_free(dst);
    return vkb_nomem(err, bytes);
}
