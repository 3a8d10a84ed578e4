/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cases.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/ref.h"

const test_case test_cases[] = {
#define CASE(op, inputs, attrs)   {OP_##op, inputs, attrs, __FILE__, __LINE__, false},
#define REJECT(op, inputs, attrs) {OP_##op, inputs, attrs, __FILE__, __LINE__, true},
#include "all_cases.h"
};
const int test_case_count = (int)VKB_COUNT(test_cases);

typedef struct maker {
    case_graph *c;
    uint64_t random;
    bool half;
    gr_id in[CASE_MAX_IN];
    int n_out;
    long skip; /* bit i: output i is absent */
    gr_epilogue epilogue;
    vki_error *err;
} maker;

/* ---- random content ---- */

static uint64_t next_random(maker *m) /* splitmix64, by Sebastiano Vigna */
{
    uint64_t z = m->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void fill(maker *m, void *data, const gr_tensor *t, double low, double high)
{
    int64_t n = gr_elements(t);
    for (int64_t i = 0; i < n; i++) {
        uint64_t r = next_random(m);
        if (!cpu_is_float(t->dtype)) {
            uint64_t span = (uint64_t)(high - low) + 1;
            cpu_store_i64(data, t->dtype, i, (int64_t)low + (int64_t)(r % span));
            continue;
        }
        double v = low + (high - low) * ((double)(r >> 11) * 0x1p-53);
        if (m->half) v = (double)vkb_f16_to_f32(vkb_f32_to_f16((float)v));
        cpu_store(data, t->dtype, i, v);
    }
}

static void default_range(vki_dtype dtype, double *low, double *high)
{
    bool is_unsigned = dtype == VKI_U8 || dtype == VKI_U16 || dtype == VKI_U32 || dtype == VKI_U64;
    *low = cpu_is_float(dtype) ? -1 : dtype == VKI_BOOL || is_unsigned ? 0 : -8;
    *high = cpu_is_float(dtype) || dtype == VKI_BOOL ? 1 : is_unsigned ? 16 : 8;
}

/* ---- inputs ---- */

static vki_dtype dtype_of(const char *text, size_t n)
{
    static const struct {
        const char *name;
        vki_dtype dtype;
    } names[] = {{"f32", VKI_F32}, {"f16", VKI_F16}, {"bf16", VKI_BF16}, {"f64", VKI_F64}, {"i8", VKI_I8},
                 {"u8", VKI_U8},   {"i16", VKI_I16}, {"u16", VKI_U16},   {"i32", VKI_I32}, {"u32", VKI_U32},
                 {"i64", VKI_I64}, {"u64", VKI_U64}, {"bool", VKI_BOOL}};
    for (size_t i = 0; i < VKB_COUNT(names); i++)
        if (strlen(names[i].name) == n && !memcmp(names[i].name, text, n)) return names[i].dtype;
    return VKI_DT_NONE;
}

/* Integers up to `end`, which is skipped; the count, or -1. */
static int read_list(const char **p, char end, int64_t *out, int capacity)
{
    int n = 0;
    while (**p != end) {
        char *after;
        if (n == capacity) return -1;
        out[n++] = strtoll(*p, &after, 10);
        if (after == *p || (*after != ',' && *after != end)) return -1;
        *p = *after == ',' ? after + 1 : after;
    }
    if (end) ++*p;
    return n;
}

static vki_status add_input(maker *m, gr_id tensor, void *data)
{
    case_graph *c = m->c;
    if (tensor == GR_NONE && data) return vkb_nomem(m->err, 0);
    m->in[c->n_in] = tensor;
    c->in[c->n_in++] = data;
    return VKI_OK;
}

static vki_status add_tensor(maker *m, const gr_tensor *t, bool constant, double low, double high)
{
    gr_graph *g = &m->c->g;
    if (gr_elements(t) < 0) return vkb_fail(m->err, VKI_E_FORMAT, "an input is too large");
    void *data = vkb_arena_alloc(&g->arena, (size_t)gr_bytes(t) + 1);
    if (!data) return vkb_nomem(m->err, gr_bytes(t));
    fill(m, data, t, low, high);
    gr_id id;
    if (constant) {
        id = gr_add_const(g, NULL, t->dtype, t->rank, t->dims, data, true);
    } else {
        id = gr_add_tensor(g, NULL, t->dtype, t->rank, t->dims);
        if (id != GR_NONE && !gr_add_input(g, id)) id = GR_NONE;
    }
    return add_input(m, id, data);
}

static vki_status read_random(maker *m, const char **p, bool constant)
{
    const char *bracket = strchr(*p, '[');
    gr_tensor t = {.dtype = bracket ? dtype_of(*p, (size_t)(bracket - *p)) : VKI_DT_NONE};
    if (t.dtype == VKI_DT_NONE) return vkb_fail(m->err, VKI_E_FORMAT, "no element type at \"%s\"", *p);
    *p = bracket + 1;
    t.rank = read_list(p, ']', t.dims, GR_MAX_RANK);
    if (t.rank < 0) return vkb_fail(m->err, VKI_E_FORMAT, "no dimensions at \"%s\"", *p);
    double low, high;
    default_range(t.dtype, &low, &high);
    if (**p == '@') {
        char *after;
        low = strtod(*p + 1, &after);
        if (*after != ':') return vkb_fail(m->err, VKI_E_FORMAT, "no range at \"%s\"", *p);
        high = strtod(after + 1, &after);
        *p = after;
    }
    return add_tensor(m, &t, constant, low, high);
}

static vki_status read_vector(maker *m, const char **p)
{
    int64_t v[64];
    ++*p;
    int64_t n = read_list(p, '}', v, (int)VKB_COUNT(v));
    if (n < 0) return vkb_fail(m->err, VKI_E_FORMAT, "no integers at \"%s\"", *p);
    gr_id id = gr_add_const(&m->c->g, NULL, VKI_I64, 1, &n, v, true);
    if (id == GR_NONE) return vkb_nomem(m->err, 0);
    void *data = vkb_arena_alloc(&m->c->g.arena, sizeof v);
    if (!data) return vkb_nomem(m->err, sizeof v);
    memcpy(data, v, (size_t)n * sizeof *v);
    return add_input(m, id, data);
}

static vki_status read_scalar(maker *m, const char **p)
{
    char *after;
    float *v = vkb_arena_alloc(&m->c->g.arena, sizeof *v);
    if (!v) return vkb_nomem(m->err, sizeof *v);
    *v = strtof(*p + 1, &after);
    *p = after;
    return add_input(m, gr_add_const(&m->c->g, NULL, VKI_F32, 0, NULL, v, true), v);
}

static vki_status read_input(maker *m, const char **p)
{
    if (m->c->n_in + 1 >= CASE_MAX_IN) return vkb_fail(m->err, VKI_E_FORMAT, "too many inputs");
    if (**p == '{') return read_vector(m, p);
    if (**p == '%') return read_scalar(m, p);
    if (**p == '-') {
        ++*p;
        return add_input(m, GR_NONE, NULL);
    }
    bool constant = !strncmp(*p, "const ", 6);
    if (constant) *p += 6;
    return read_random(m, p, constant);
}

static vki_status read_inputs(maker *m, const char *p)
{
    for (;;) {
        while (*p == ' ') p++;
        if (!*p) return VKI_OK;
        VKB_TRY(read_input(m, &p));
        if (*p && *p != ' ') return vkb_fail(m->err, VKI_E_FORMAT, "not understood: \"%s\"", p);
    }
}

/* ---- attributes ---- */

static int name_index(const char *names, const char *name) /* in a list with commas; -1 */
{
    size_t n = strlen(name);
    for (int i = 0;; i++) {
        size_t own = strcspn(names, ",");
        if (own == n && !memcmp(names, name, n)) return i;
        if (!names[own]) return -1;
        names += own + 1;
    }
}

static bool set_floats(op_floats *list, const char *value)
{
    for (list->count = 0; *value && list->count < OP_INTS_MAX; list->count++) {
        char *after;
        list->v[list->count] = strtof(value, &after);
        if (after == value || (*after && *after != ',')) return false;
        value = after + (*after == ',');
    }
    return !*value;
}

static bool set_names(const op_attr *a, op_ints *list, const char *value)
{
    for (list->count = 0; *value && list->count < OP_INTS_MAX; list->count++) {
        char name[32];
        size_t n = strcspn(value, ",");
        if (n >= sizeof name) return false;
        memcpy(name, value, n);
        name[n] = '\0';
        list->v[list->count] = name_index(a->names, name);
        if (list->v[list->count] < 0) return false;
        value += n + (value[n] == ',');
    }
    return !*value;
}

static bool set_attr(const op_attr *a, void *attrs, const char *value)
{
    void *field = (char *)attrs + a->offset;
    char *after = NULL;
    int64_t v;
    switch (a->type) {
    case OP_ATTR_INT:
        v = strtoll(value, &after, 10);
        if (after == value) { /* Cast's type */
            v = dtype_of(value, strlen(value));
            after = (char *)value + (v ? strlen(value) : 0);
        }
        *(int64_t *)field = v;
        return after != value && !*after;
    case OP_ATTR_FLOAT:
        *(float *)field = strtof(value, &after);
        return after != value && !*after;
    case OP_ATTR_INTS: {
        op_ints *list = field;
        list->count = read_list(&value, '\0', list->v, OP_INTS_MAX);
        return list->count >= 0;
    }
    case OP_ATTR_ENUM:
        *(int64_t *)field = v = name_index(a->names, value);
        return v >= 0;
    case OP_ATTR_FLOATS:
        return set_floats(field, value);
    case OP_ATTR_ENUMS:
        return set_names(a, field, value);
    }
    return false;
}

static bool set_epilogue(maker *m, const char *name, const char *value)
{
    int v = 0;
    if (!strcmp(name, "act"))
        m->epilogue.act = (gr_act)(v = name_index("none,relu,leaky,clip,sigmoid,tanh,hardsigmoid,hardswish,"
                                                  "silu,hardswish_affine,fake_quantize",
                                                  value));
    else if (!strcmp(name, "residual"))
        m->epilogue.residual = (gr_residual)(v = name_index("none,before,after", value));
    else if (!strcmp(name, "ep_alpha"))
        m->epilogue.alpha = strtof(value, NULL);
    else if (!strcmp(name, "ep_beta"))
        m->epilogue.beta = strtof(value, NULL);
    else if (!strcmp(name, "outputs"))
        m->n_out = atoi(value);
    else if (!strcmp(name, "skip"))
        m->skip = strtol(value, NULL, 2);
    else
        return false;
    return v >= 0 && m->n_out <= CASE_MAX_OUT;
}

/* First what belongs to the maker (n NULL), then what belongs to the node. */
static vki_status read_attrs(maker *m, op_kind op, gr_node *n, const char *p)
{
    const op_info *info = op_get(op);
    for (p += strspn(p, " "); *p; p += strspn(p, " ")) {
        char text[128];
        size_t length = strcspn(p, " ");
        if (length >= sizeof text) return vkb_fail(m->err, VKI_E_FORMAT, "too long: \"%s\"", p);
        memcpy(text, p, length);
        text[length] = '\0';
        p += length;
        char *value = strchr(text, '=');
        if (!value) return vkb_fail(m->err, VKI_E_FORMAT, "no value: \"%s\"", text);
        *value++ = '\0';
        int i = 0;
        while (i < info->n_attrs && strcmp(info->attrs[i].name, text)) i++;
        bool good = i < info->n_attrs ? !n || set_attr(&info->attrs[i], n->attrs, value)
                                      : set_epilogue(m, text, value);
        if (!good) return vkb_fail(m->err, VKI_E_FORMAT, "attribute %s cannot be %s", text, value);
    }
    return VKI_OK;
}

/* ---- the graph ---- */

static vki_status infer(maker *m)
{
    bool known;
    gr_graph *g = &m->c->g;
    VKB_TRY((op_get(g->nodes[0].op)->flags & OP_DATA_SHAPED ? gr_infer_bounds : gr_infer_node)(
        g, &g->nodes[0], &known, m->err));
    return known ? VKI_OK : vkb_fail(m->err, VKI_E_FORMAT, "the output shapes cannot be known");
}

static vki_status add_residual(maker *m)
{
    gr_graph *g = &m->c->g;
    gr_tensor like = g->tensors[g->nodes[0].out[0]];
    VKB_TRY(add_tensor(m, &like, false, -1, 1));
    if (!gr_set_inputs(g, &g->nodes[0], m->c->n_in, m->in)) return vkb_nomem(m->err, 0);
    g->nodes[0].epilogue = m->epilogue;
    return infer(m);
}

static vki_status make(maker *m, const test_case *t)
{
    gr_graph *g = &m->c->g;
    m->n_out = op_get(t->op)->min_out;
    VKB_TRY(read_inputs(m, t->inputs));
    VKB_TRY(read_attrs(m, t->op, NULL, t->attrs));
    gr_id out[CASE_MAX_OUT];
    for (int i = 0; i < m->n_out; i++) {
        out[i] = GR_NONE;
        if (m->skip >> i & 1) continue;
        out[i] = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
        if (out[i] == GR_NONE || !gr_add_output(g, out[i])) return vkb_nomem(m->err, 0);
    }
    m->c->n_out = m->n_out;
    gr_node *n = gr_add_node(g, t->op, "case", m->c->n_in, m->in, m->n_out, out);
    if (!n) return vkb_nomem(m->err, 0);
    VKB_TRY(read_attrs(m, t->op, n, t->attrs));
    n->epilogue = m->epilogue;
    n->epilogue.residual = GR_RESIDUAL_NONE;
    VKB_TRY(infer(m));
    return m->epilogue.residual == GR_RESIDUAL_NONE ? VKI_OK : add_residual(m);
}

vki_status case_make(case_graph *c, const test_case *t, uint64_t seed, bool half, vki_error *err)
{
    memset(c, 0, sizeof *c);
    gr_init(&c->g, &vkb_libc_allocator);
    maker m = {.c = c, .random = seed, .half = half, .err = err};
    vki_status status = make(&m, t);
    if (status != VKI_OK) case_free(c);
    return status;
}

void case_free(case_graph *c)
{
    gr_free(&c->g);
    memset(c, 0, sizeof *c);
}
