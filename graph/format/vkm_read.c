/* SPDX-License-Identifier: Apache-2.0
 * Nothing in the file is trusted: every number is checked against what is there before it is used. */
#include <string.h>

#include "graph/format/vkm.h"
#include "graph/format/vkm_layout.h"
#include "graph/ops/op.h"

typedef struct reader {
    gr_graph *g;       /* being read: the network or a body */
    gr_graph **graphs; /* the network, then the bodies */
    uint32_t n_graphs;
    const uint8_t *file;
    uint64_t offset[VKM_SECTIONS], bytes[VKM_SECTIONS], checksum[VKM_SECTIONS];
    const char **strings; /* of the file, each ended by a zero */
    uint32_t n_strings;
    vkm_section section; /* being read: the part [at, end) is left */
    const uint8_t *at, *end;
    vki_error *err;
} reader;

static vki_status damaged(const reader *r, const char *what, uint64_t value)
{
    return vkb_fail(r->err, VKI_E_FORMAT, "damaged .vkm file, section %s: %s (%llu)",
                    vkm_section_names[r->section], what, (unsigned long long)value);
}

static vki_status no_memory(const reader *r)
{
    return vkb_nomem(r->err, r->bytes[r->section]);
}

/* ---- little-endian input ---- */

static uint64_t load(const uint8_t *from, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)from[i] << 8 * i;
    return v;
}

static void open_section(reader *r, vkm_section s)
{
    r->section = s;
    r->at = r->file + r->offset[s];
    r->end = r->at + r->bytes[s];
}

static uint64_t left(const reader *r)
{
    return (uint64_t)(r->end - r->at);
}

static vki_status get_u32(reader *r, uint32_t *v)
{
    *v = 0;
    if (left(r) < 4) return damaged(r, "it ends too early, bytes left", left(r));
    *v = (uint32_t)load(r->at, 4);
    r->at += 4;
    return VKI_OK;
}

static vki_status get_u64(reader *r, uint64_t *v)
{
    *v = 0;
    if (left(r) < 8) return damaged(r, "it ends too early, bytes left", left(r));
    *v = load(r->at, 8);
    r->at += 8;
    return VKI_OK;
}

static vki_status get_f32(reader *r, float *v)
{
    uint32_t bits;
    VKB_TRY(get_u32(r, &bits));
    memcpy(v, &bits, sizeof *v);
    return VKI_OK;
}

/* A number of things that take `each` bytes at least. */
static vki_status get_count(reader *r, uint64_t each, uint32_t *count)
{
    VKB_TRY(get_u32(r, count));
    return *count <= left(r) / each && *count <= INT32_MAX ? VKI_OK : damaged(r, "impossible count", *count);
}

static vki_status get_string(reader *r, const char **s)
{
    uint32_t i;
    VKB_TRY(get_u32(r, &i));
    if (i >= r->n_strings) return damaged(r, "there is no string of this number", i);
    *s = r->strings[i];
    return VKI_OK;
}

static vki_status close_section(const reader *r)
{
    return left(r) ? damaged(r, "bytes too many", left(r)) : VKI_OK;
}

/* ---- header and table ---- */

static vki_status read_row(reader *r, vkm_section s, uint64_t file_bytes)
{
    const uint8_t *row = r->file + VKM_HEADER_BYTES + (int)s * VKM_ROW_BYTES;
    r->section = s;
    r->offset[s] = load(row + 8, 8);
    r->bytes[s] = load(row + 16, 8);
    r->checksum[s] = load(row + 24, 8);
    if (load(row, 4) != (uint64_t)s || load(row + 4, 4)) return damaged(r, "wrong kind", load(row, 4));
    if (r->offset[s] % VKM_ALIGN || r->offset[s] < VKM_HEAD_END || r->offset[s] > file_bytes)
        return damaged(r, "impossible offset", r->offset[s]);
    if (r->bytes[s] > file_bytes - r->offset[s]) return damaged(r, "impossible size", r->bytes[s]);
    if (vkb_hash(r->file + r->offset[s], (size_t)r->bytes[s], (uint64_t)s) != r->checksum[s])
        return damaged(r, "the checksum is not that of the content", r->checksum[s]);
    return VKI_OK;
}

static vki_status read_head(reader *r, size_t n)
{
    if (!vkm_is(r->file, n))
        return vkb_fail(r->err, VKI_E_FORMAT, "not a .vkm file: it does not begin with the magic number");
    if (n < VKM_HEAD_END)
        return vkb_fail(r->err, VKI_E_FORMAT, "damaged .vkm file: its %zu bytes end within the header", n);
    uint64_t version = load(r->file + 8, 4), stated = load(r->file + 16, 8);
    if (version != VKM_VERSION)
        return vkb_fail(r->err, VKI_E_UNSUPPORTED,
                        ".vkm format version %llu; this library reads version %d: convert the model again",
                        (unsigned long long)version, VKM_VERSION);
    if (stated != n)
        return vkb_fail(r->err, VKI_E_FORMAT,
                        "damaged .vkm file: it has %zu bytes, but was written with %llu", n,
                        (unsigned long long)stated);
    if (load(r->file + 12, 4) != VKM_SECTIONS ||
        vkm_head_checksum(r->file) != load(r->file + VKM_CHECKSUM_AT, 8))
        return vkb_fail(r->err, VKI_E_FORMAT,
                        "damaged .vkm file: the checksum of the header is not that of its content");
    for (int s = 0; s < VKM_SECTIONS; s++) VKB_TRY(read_row(r, (vkm_section)s, n));
    return VKI_OK;
}

/* ---- strings, symbols, metadata ---- */

static vki_status read_strings(reader *r)
{
    open_section(r, VKM_STRINGS);
    VKB_TRY(get_count(r, 4 + 1, &r->n_strings));
    const uint8_t *lengths = r->at;
    r->at += (size_t)r->n_strings * 4;
    r->strings = vkb_calloc(r->g->allocator, r->n_strings, sizeof *r->strings);
    if (!r->strings) return no_memory(r);
    for (uint32_t i = 0; i < r->n_strings; i++) {
        uint64_t length = load(lengths + (size_t)i * 4, 4);
        if (length >= left(r) || r->at[length] || memchr(r->at, 0, (size_t)length))
            return damaged(r, "a string of impossible length", length);
        r->strings[i] = (const char *)r->at;
        r->at += length + 1;
    }
    return close_section(r);
}

/* ---- bodies ---- */

static vki_status read_body(reader *r, uint32_t index, uint8_t *depth)
{
    uint32_t around;
    VKB_TRY(get_u32(r, &around));
    if (around >= index) return damaged(r, "a body of a graph that is not before it", around);
    if (depth[around] >= GR_MAX_DEPTH) return damaged(r, "graphs within graphs, too deep", index);
    depth[index] = (uint8_t)(depth[around] + 1);
    int at = gr_new_body(r->graphs[around]);
    if (at < 0) return no_memory(r);
    r->graphs[index] = r->graphs[around]->bodies[at].graph;
    return VKI_OK;
}

static vki_status read_bodies(reader *r)
{
    uint32_t count;
    open_section(r, VKM_BODIES);
    VKB_TRY(get_count(r, 4, &count));
    if (count > VKM_MAX_BODIES) return damaged(r, "impossible count", count);
    r->graphs = vkb_calloc(r->g->allocator, (size_t)count + 1, sizeof *r->graphs);
    uint8_t *depth = vkb_calloc(r->g->allocator, (size_t)count + 1, 1);
    vki_status status = r->graphs && depth ? VKI_OK : no_memory(r);
    if (r->graphs) r->graphs[0] = r->g;
    r->n_graphs = count + 1;
    for (uint32_t i = 1; i <= count && status == VKI_OK; i++) status = read_body(r, i, depth);
    vkb_free(r->g->allocator, depth);
    return status == VKI_OK ? close_section(r) : status;
}

/* A section that has a part for every graph. */
static vki_status read_parts(reader *r, vkm_section section, vki_status (*part)(reader *r))
{
    gr_graph *network = r->g;
    vki_status status = VKI_OK;
    open_section(r, section);
    for (uint32_t i = 0; i < r->n_graphs && status == VKI_OK; i++) {
        r->g = r->graphs[i];
        status = part(r);
    }
    r->g = network;
    return status == VKI_OK ? close_section(r) : status;
}

static vki_status read_symbols(reader *r)
{
    uint32_t count;
    VKB_TRY(get_count(r, 4, &count));
    if (count > VKM_MAX_LIST) return damaged(r, "impossible count", count);
    for (uint32_t i = 0; i < count; i++) {
        const char *name;
        VKB_TRY(get_string(r, &name));
        int64_t dim = gr_symbol(r->g, name);
        if (dim == GR_UNKNOWN) return no_memory(r);
        if (r->g->n_symbols != (int)i + 1) return damaged(r, "a symbol is there twice", i);
    }
    return VKI_OK;
}

static vki_status read_meta(reader *r)
{
    uint32_t count;
    open_section(r, VKM_META);
    VKB_TRY(get_count(r, 8, &count));
    if (count > VKM_MAX_LIST) return damaged(r, "impossible count", count);
    for (uint32_t i = 0; i < count; i++) {
        const char *key, *value;
        VKB_TRY(get_string(r, &key));
        VKB_TRY(get_string(r, &value));
        if (gr_get_meta(r->g, key)) return damaged(r, "a key is there twice", i);
        if (!gr_add_meta(r->g, key, value)) return no_memory(r);
    }
    return close_section(r);
}

/* ---- tensors ---- */

static vki_status read_data(reader *r, gr_id id, vkm_storage storage, uint64_t offset, uint64_t bytes)
{
    gr_tensor *t = &r->g->tensors[id];
    int64_t n = gr_elements(t);
    if (n < 0) return damaged(r, "a constant without a size, tensor", (uint64_t)id);
    uint64_t element = storage == VKM_HALF ? 2 : vki_dtype_size(t->dtype), expected;
    if (storage == VKM_HALF && t->dtype != VKI_F32)
        return damaged(r, "half storage of what is not float32, tensor", (uint64_t)id);
    if (!vkb_mul_u64((uint64_t)n, element, &expected) || bytes != expected)
        return damaged(r, "a constant whose data has the wrong size", bytes);
    if (offset % VKM_ALIGN || offset > r->bytes[VKM_WEIGHTS] || bytes > r->bytes[VKM_WEIGHTS] - offset)
        return damaged(r, "a constant outside of the weights, offset", offset);
    const uint8_t *data = r->file + r->offset[VKM_WEIGHTS] + offset;
    if (t->dtype == VKI_BOOL)
        for (uint64_t i = 0; i < bytes; i++)
            if (data[i] > 1) return damaged(r, "a boolean that is neither 0 nor 1", data[i]);
    /* The section's checksum vouches for its content, so place and size in it stand for the content. */
    const uint64_t key[] = {r->checksum[VKM_WEIGHTS], offset, bytes, (uint64_t)t->dtype, (uint64_t)storage};
    t->const_key = vkb_hash(key, sizeof key, 0);
    if (storage == VKM_HALF) {
        float *wide = gr_const_alloc(r->g, (uint64_t)n * sizeof *wide);
        if (!wide) return vkb_nomem(r->err, (uint64_t)n * sizeof *wide);
        vkb_f16_to_f32_n(wide, (const uint16_t *)(const void *)data, (size_t)n);
        t->data = wide;
    } else {
        t->data = data;
    }
    return VKI_OK;
}

static vki_status read_tensor(reader *r)
{
    const char *name;
    uint32_t dtype, rank_bits, storage;
    uint64_t v, offset, bytes;
    int64_t dims[GR_MAX_RANK];
    VKB_TRY(get_string(r, &name));
    VKB_TRY(get_u32(r, &dtype));
    VKB_TRY(get_u32(r, &rank_bits));
    VKB_TRY(get_u32(r, &storage));
    int64_t rank = rank_bits == UINT32_MAX ? -1 : (int64_t)rank_bits;
    if (rank > GR_MAX_RANK) return damaged(r, "impossible rank", rank_bits);
    if (dtype != VKI_DT_NONE && (dtype > INT32_MAX || !vki_dtype_size((vki_dtype)dtype)))
        return damaged(r, "unknown element type", dtype);
    if (storage >= VKM_STORAGES) return damaged(r, "unknown storage", storage);
    for (int d = 0; d < GR_MAX_RANK; d++) {
        VKB_TRY(get_u64(r, &v));
        dims[d] = (int64_t)v;
        if (d >= rank ? dims[d] != 0 : dims[d] < GR_UNKNOWN && !gr_symbol_name(r->g, dims[d]))
            return damaged(r, "impossible dimension", v);
    }
    VKB_TRY(get_u64(r, &offset));
    VKB_TRY(get_u64(r, &bytes));
    if (gr_find_tensor(r->g, name) != GR_NONE)
        return damaged(r, "a name is there twice, tensor", (uint64_t)r->g->n_tensors);
    gr_id id = gr_add_tensor(r->g, name, (vki_dtype)dtype, (int)rank, dims);
    if (id == GR_NONE) return no_memory(r);
    if (storage == VKM_NO_DATA) return offset || bytes ? damaged(r, "data of no constant", bytes) : VKI_OK;
    return read_data(r, id, (vkm_storage)storage, offset, bytes);
}

static vki_status read_tensors(reader *r)
{
    uint32_t count, zero;
    VKB_TRY(get_u32(r, &count));
    VKB_TRY(get_u32(r, &zero));
    if (zero || count > left(r) / VKM_TENSOR_BYTES) return damaged(r, "impossible count", count);
    for (uint32_t i = 0; i < count; i++) VKB_TRY(read_tensor(r));
    return VKI_OK;
}

/* ---- nodes ---- */

static const op_attr *find_attr(const op_info *info, const char *name)
{
    for (int i = 0; i < info->n_attrs; i++)
        if (!strcmp(info->attrs[i].name, name)) return &info->attrs[i];
    return NULL;
}

static vki_status read_ints(reader *r, op_ints *list)
{
    uint32_t count;
    VKB_TRY(get_count(r, 8, &count));
    if (count > OP_INTS_MAX) return damaged(r, "a list of impossible length", count);
    list->count = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t v;
        VKB_TRY(get_u64(r, &v));
        list->v[i] = (int64_t)v;
    }
    return VKI_OK;
}

static vki_status read_floats(reader *r, op_floats *list)
{
    uint32_t count;
    VKB_TRY(get_count(r, 4, &count));
    if (count > OP_INTS_MAX) return damaged(r, "a list of impossible length", count);
    list->count = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) VKB_TRY(get_f32(r, &list->v[i]));
    return VKI_OK;
}

static vki_status read_enum(reader *r, const op_attr *a, int64_t *out)
{
    const char *name;
    VKB_TRY(get_string(r, &name));
    *out = op_enum_code(a, name);
    if (*out >= 0) return VKI_OK;
    return vkb_fail(r->err, VKI_E_FORMAT,
                    "damaged .vkm file, section nodes: attribute %s is \"%s\", none of %s", a->name, name,
                    a->names);
}

static vki_status read_enums(reader *r, const op_attr *a, op_ints *list)
{
    uint32_t count;
    VKB_TRY(get_count(r, 4, &count));
    if (count > OP_INTS_MAX) return damaged(r, "a list of impossible length", count);
    list->count = (int32_t)count;
    for (uint32_t i = 0; i < count; i++) VKB_TRY(read_enum(r, a, &list->v[i]));
    return VKI_OK;
}

static vki_status read_attr(reader *r, gr_node *n, const op_info *info)
{
    const char *name;
    uint32_t type;
    VKB_TRY(get_string(r, &name));
    VKB_TRY(get_u32(r, &type));
    const op_attr *a = find_attr(info, name);
    if (!a)
        return vkb_fail_node(r->err, VKI_E_UNSUPPORTED, n->name, info->name,
                             "this version does not know the attribute %s: use a newer library", name);
    if (type != (uint32_t)a->type) return damaged(r, "an attribute of the wrong type", type);
    void *field = (char *)n->attrs + a->offset;
    switch (a->type) {
    case OP_ATTR_INT: {
        uint64_t v;
        VKB_TRY(get_u64(r, &v));
        *(int64_t *)field = (int64_t)v;
        return VKI_OK;
    }
    case OP_ATTR_FLOAT:
        return get_f32(r, field);
    case OP_ATTR_INTS:
        return read_ints(r, field);
    case OP_ATTR_ENUM:
        return read_enum(r, a, field);
    case OP_ATTR_FLOATS:
        return read_floats(r, field);
    case OP_ATTR_ENUMS:
        return read_enums(r, a, field);
    }
    return damaged(r, "an attribute of unknown type", type);
}

/* `list` has room for `count`. */
static vki_status read_ids(reader *r, uint32_t count, gr_id *list, bool may_be_absent)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v;
        VKB_TRY(get_u32(r, &v));
        bool absent = v == UINT32_MAX;
        if (absent ? !may_be_absent : v >= (uint32_t)r->g->n_tensors)
            return damaged(r, "there is no tensor of this number", v);
        list[i] = absent ? GR_NONE : (gr_id)v;
    }
    return VKI_OK;
}

static vki_status read_epilogue(reader *r, gr_epilogue *e)
{
    const char *act;
    uint32_t residual;
    int found = 0;
    VKB_TRY(get_string(r, &act));
    while (found < GR_ACT_COUNT && strcmp(vkm_act_names[found], act) != 0) found++;
    if (found == GR_ACT_COUNT)
        return vkb_fail(r->err, VKI_E_UNSUPPORTED,
                        ".vkm file, section nodes: this version does not know the activation %s", act);
    e->act = (gr_act)found;
    VKB_TRY(get_u32(r, &residual));
    if (residual > GR_RESIDUAL_AFTER) return damaged(r, "unknown kind of residual", residual);
    e->residual = (gr_residual)residual;
    VKB_TRY(get_f32(r, &e->alpha));
    return get_f32(r, &e->beta);
}

static vki_status read_node(reader *r, vkb_arena *scratch)
{
    const char *op_text = "", *name, *fused;
    gr_epilogue epilogue;
    uint32_t n_in, n_out, n_attrs;
    VKB_TRY(get_string(r, &op_text));
    VKB_TRY(get_string(r, &name));
    VKB_TRY(get_string(r, &fused));
    op_kind op = op_find(op_text);
    if (op == OP_NONE || !op_get(op))
        return vkb_fail_node(r->err, VKI_E_UNSUPPORTED, name, op_text,
                             "this version does not know the operator: use a newer library");
    VKB_TRY(read_epilogue(r, &epilogue));
    VKB_TRY(get_u32(r, &n_in));
    VKB_TRY(get_u32(r, &n_out));
    VKB_TRY(get_u32(r, &n_attrs));
    if ((uint64_t)n_in + n_out > left(r) / 4) return damaged(r, "impossible count of inputs", n_in);
    if (n_attrs > (uint32_t)op_get(op)->n_attrs) return damaged(r, "too many attributes", n_attrs);
    gr_id *ids = vkb_arena_alloc(scratch, ((size_t)n_in + n_out) * sizeof *ids);
    if (!ids) return no_memory(r);
    VKB_TRY(read_ids(r, n_in, ids, true));
    VKB_TRY(read_ids(r, n_out, ids + n_in, true));
    gr_node *n = gr_add_node(r->g, op, name, (int)n_in, ids, (int)n_out, ids + n_in);
    if (!n) return no_memory(r);
    n->epilogue = epilogue;
    n->fused = vkb_arena_strdup(&r->g->arena, fused);
    if (!n->fused) return no_memory(r);
    for (uint32_t i = 0; i < n_attrs; i++) VKB_TRY(read_attr(r, n, op_get(op)));
    return VKI_OK;
}

static vki_status read_nodes(reader *r)
{
    enum { NODE_BYTES = 40 };
    uint32_t count;
    VKB_TRY(get_count(r, NODE_BYTES, &count));
    vkb_arena scratch;
    vkb_arena_init(&scratch, r->g->allocator);
    vki_status status = VKI_OK;
    for (uint32_t i = 0; i < count && status == VKI_OK; i++) status = read_node(r, &scratch);
    vkb_arena_free(&scratch);
    return status;
}

static vki_status read_graph_lists(reader *r)
{
    for (int output = 0; output < 2; output++) {
        uint32_t count;
        VKB_TRY(get_count(r, 4, &count));
        for (uint32_t i = 0; i < count; i++) {
            gr_id t = GR_NONE;
            VKB_TRY(read_ids(r, 1, &t, false));
            if (!(output ? gr_add_output(r->g, t) : gr_add_input(r->g, t))) return no_memory(r);
        }
    }
    return VKI_OK;
}

/* ---- the file ---- */

static vki_status read_all(reader *r, size_t n)
{
    VKB_TRY(read_head(r, n));
    VKB_TRY(read_strings(r));
    VKB_TRY(read_bodies(r));
    VKB_TRY(read_parts(r, VKM_SYMBOLS, read_symbols));
    VKB_TRY(read_parts(r, VKM_TENSORS, read_tensors));
    VKB_TRY(read_parts(r, VKM_NODES, read_nodes));
    VKB_TRY(read_parts(r, VKM_GRAPH, read_graph_lists));
    VKB_TRY(read_meta(r));
    return gr_check(r->g, r->err);
}

static bool host_is_little_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

vki_status vkm_read(gr_graph *g, const vki_allocator *a, const void *bytes, size_t n, vki_error *err)
{
    gr_init(g, a);
    if ((uintptr_t)bytes % VKM_ALIGN)
        return vkb_fail(err, VKI_E_ARG, "the bytes of a .vkm file must be aligned to %d", VKM_ALIGN);
    if (!host_is_little_endian())
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        ".vkm files are used in place, on little-endian machines only");
    reader r = {.g = g, .file = bytes, .err = err};
    vki_status status = read_all(&r, n);
    vkb_free(a, r.strings);
    vkb_free(a, r.graphs);
    if (status != VKI_OK) gr_free(g);
    return status;
}
