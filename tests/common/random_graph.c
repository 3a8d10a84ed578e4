/* SPDX-License-Identifier: Apache-2.0 */
#include "common/random_graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/tolerance.h"
#include "cpu/ref.h"

enum { ATTEMPTS = 400, MOST_INPUTS = 5 };

/* ---- drawing ---- */

static uint64_t next_random(random_graph *r) /* splitmix64, by Sebastiano Vigna */
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int64_t rg_pick(random_graph *r, int64_t low, int64_t high)
{
    return low + (int64_t)(next_random(r) % (uint64_t)(high - low + 1));
}

bool rg_chance(random_graph *r, int percent)
{
    return rg_pick(r, 0, 99) < percent;
}

const gr_tensor *rg_tensor(const random_graph *r, gr_id t)
{
    return &r->g.tensors[t];
}

static gr_id find(random_graph *r, unsigned types, int low_rank, int high_rank, bool exact)
{
    gr_id found[RG_TENSORS];
    int n = 0;
    const gr_id focus = r->focus;
    r->focus = GR_NONE;
    for (gr_id i = 0; i < r->g.n_tensors; i++) {
        const gr_tensor *t = &r->g.tensors[i];
        if (r->usable[i] && types >> t->dtype & 1u && t->rank >= low_rank && t->rank <= high_rank &&
            (!exact || r->error[i] == 0))
            found[n++] = i;
        if (n && i == focus && found[n - 1] == i) return i;
    }
    if (n == 0) return GR_NONE;
    /* Newer ones more often, so that graphs become deep. */
    return found[vkb_max(rg_pick(r, 0, n - 1), rg_pick(r, 0, n - 1))];
}

gr_id rg_any(random_graph *r, unsigned types, int low_rank, int high_rank)
{
    return find(r, types, low_rank, high_rank, false);
}

gr_id rg_exact(random_graph *r, unsigned types, int low_rank, int high_rank)
{
    return find(r, types, low_rank, high_rank, true);
}

/* ---- tensors ---- */

static void *fill(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high)
{
    gr_tensor t = {.dtype = type, .rank = rank};
    if (rank) memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    void *data = gr_const_alloc(&r->g, gr_bytes(&t) + 1);
    assert_non_null(data);
    for (int64_t i = 0; i < gr_elements(&t); i++) {
        if (cpu_is_float(type))
            cpu_store(data, type, i, low + (high - low) * (double)rg_pick(r, 0, 1 << 24) / (1 << 24));
        else
            cpu_store_i64(data, type, i, rg_pick(r, (int64_t)low, (int64_t)high));
    }
    return data;
}

static gr_id known(random_graph *r, gr_id id, void *data)
{
    if (id == GR_NONE || id >= RG_TENSORS)
        fail_msg("seed %llu: the graph became too large", (unsigned long long)r->seed);
    r->data[id] = data;
    r->error[id] = 0;
    return id;
}

gr_id rg_const(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high)
{
    void *data = fill(r, type, rank, dims, low, high);
    return known(r, gr_add_const(&r->g, NULL, type, rank, dims, data, false), data);
}

gr_id rg_input(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high)
{
    void *data = fill(r, type, rank, dims, low, high);
    char name[32];
    snprintf(name, sizeof name, "in%d", r->g.n_inputs);
    gr_id id = known(r, gr_add_tensor(&r->g, name, type, rank, dims), data);
    assert_true(gr_add_input(&r->g, id));
    return id;
}

gr_id rg_operand(random_graph *r, vki_dtype type, int rank, const int64_t *dims, double low, double high)
{
    if (r->g.n_inputs >= MOST_INPUTS || rg_chance(r, 70)) return rg_const(r, type, rank, dims, low, high);
    return rg_input(r, type, rank, dims, low, high);
}

gr_id rg_ints(random_graph *r, int count, const int64_t *values)
{
    const int64_t n = count;
    gr_id id = gr_add_const(&r->g, NULL, VKI_I64, 1, &n, values, true);
    return known(r, id, id == GR_NONE ? NULL : (void *)(uintptr_t)r->g.tensors[id].data);
}

gr_id rg_scalar(random_graph *r, vki_dtype type, double value)
{
    return rg_const(r, type, 0, NULL, value, value);
}

gr_node *rg_node(random_graph *r, op_kind op, int n_in, const gr_id *in, int n_out)
{
    gr_id out[8];
    for (int i = 0; i < n_out; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%d", r->g.n_tensors);
        out[i] = known(r, gr_add_tensor(&r->g, name, VKI_DT_NONE, -1, NULL), NULL);
    }
    char name[32];
    snprintf(name, sizeof name, "n%d", r->g.n_nodes);
    gr_node *n = gr_add_node(&r->g, op, name, n_in, in, n_out, out);
    assert_non_null(n);
    return n;
}

/* ---- values and errors ---- */

static void evaluate(const random_graph *r, const gr_node *n, const void *const *in, void *const *out)
{
    vki_error err = {0};
    if (cpu_evaluate(&r->g, n, in, out, &err) != VKI_OK)
        fail_msg("seed %llu: the reference refuses: %s", (unsigned long long)r->seed, err.text);
}

/* Output k of the node again with every inexact input moved: its largest change. */
static void measure(random_graph *r, const gr_node *n, double *change)
{
    const void *in[CASE_MAX_IN] = {NULL};
    void *moved[CASE_MAX_IN] = {NULL}, *out[CASE_MAX_OUT] = {NULL};
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE) continue;
        const gr_tensor *t = rg_tensor(r, n->in[i]);
        in[i] = r->data[n->in[i]];
        if (r->error[n->in[i]] == 0) continue;
        in[i] = moved[i] = malloc((size_t)gr_bytes(t));
        assert_non_null(moved[i]);
        for (int64_t k = 0; k < gr_elements(t); k++)
            cpu_store(moved[i], t->dtype, k,
                      cpu_load(r->data[n->in[i]], t->dtype, k) +
                          (rg_chance(r, 50) ? 1 : -1) * r->error[n->in[i]]);
    }
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE)
            assert_non_null(out[i] = malloc((size_t)gr_bytes(rg_tensor(r, n->out[i])) + 1));
    evaluate(r, n, in, out);
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] == GR_NONE) continue;
        const gr_tensor *t = rg_tensor(r, n->out[i]);
        for (int64_t k = 0; cpu_is_float(t->dtype) && k < gr_elements(t); k++)
            change[i] = fmax(change[i],
                             fabs(cpu_load(out[i], t->dtype, k) - cpu_load(r->data[n->out[i]], t->dtype, k)));
        free(out[i]);
    }
    for (int i = 0; i < n->n_in; i++) free(moved[i]);
}

/* What the operator itself may add: the node alone, as a case. */
static tolerance own_tolerance(const random_graph *r, const gr_node *n)
{
    case_graph c = {.n_in = n->n_in, .n_out = n->n_out};
    gr_id in[CASE_MAX_IN], out[CASE_MAX_OUT];
    gr_init(&c.g, &vkb_libc_allocator);
    for (int i = 0; i < n->n_in; i++) {
        in[i] = GR_NONE;
        if (n->in[i] == GR_NONE) continue;
        const gr_tensor *t = rg_tensor(r, n->in[i]);
        c.in[i] = r->data[n->in[i]];
        in[i] = t->data ? gr_add_const(&c.g, NULL, t->dtype, t->rank, t->dims, t->data, true)
                        : gr_add_tensor(&c.g, NULL, t->dtype, t->rank, t->dims);
    }
    for (int i = 0; i < n->n_out; i++) {
        const gr_tensor *t = n->out[i] == GR_NONE ? NULL : rg_tensor(r, n->out[i]);
        out[i] = t ? gr_add_tensor(&c.g, NULL, t->dtype, t->rank, t->dims) : GR_NONE;
    }
    gr_node *copy = gr_add_node(&c.g, n->op, "node", n->n_in, in, n->n_out, out);
    assert_non_null(copy);
    if (op_get(n->op)->attrs_size) memcpy(copy->attrs, n->attrs, op_get(n->op)->attrs_size);
    const tolerance t = tolerance_of(&c, false);
    case_free(&c);
    return t;
}

/* Whether the output may be built upon: not empty, of modest size and value, exact enough. */
static bool settle(random_graph *r, const gr_node *n, int i, const tolerance *own, double change)
{
    const gr_id id = n->out[i];
    const gr_tensor *t = rg_tensor(r, id);
    double largest = 0;
    if (gr_elements(t) < 1 || gr_elements(t) > RG_ELEMENTS) return false;
    if (!cpu_is_float(t->dtype)) return true;
    for (int64_t k = 0; k < gr_elements(t); k++) {
        const double v = cpu_load(r->data[id], t->dtype, k);
        if (!(fabs(v) <= RG_LARGEST)) return false;
        largest = fmax(largest, fabs(v));
    }
    r->error[id] = change + own->absolute + own->relative * largest;
    if (r->error[id] < 1e-30) r->error[id] = 0; /* denormals may be flushed */
    return r->error[id] <= 1e-4 * fmax(largest, 1);
}

static bool small_enough(const random_graph *r, const gr_node *n)
{
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE && gr_elements(rg_tensor(r, n->out[i])) > RG_ELEMENTS) return false;
    return true;
}

/* Computes the node and its errors. false: the node is not to be kept. */
static bool compute(random_graph *r, gr_node *n)
{
    vki_error err = {0};
    bool known_shape = false, good = true;
    if (gr_infer_node(&r->g, n, &known_shape, &err) != VKI_OK)
        fail_msg("seed %llu: inference refuses: %s", (unsigned long long)r->seed, err.text);
    if (!known_shape || !small_enough(r, n)) return false;
    const void *in[CASE_MAX_IN] = {NULL};
    void *out[CASE_MAX_OUT] = {NULL};
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE) in[i] = r->data[n->in[i]];
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE)
            assert_non_null(out[i] = r->data[n->out[i]] =
                                gr_const_alloc(&r->g, gr_bytes(rg_tensor(r, n->out[i])) + 1));
    evaluate(r, n, in, out);
    double change[CASE_MAX_OUT] = {0};
    for (int round = 0; round < 3; round++) measure(r, n, change);
    const tolerance own = own_tolerance(r, n);
    for (int i = 0; i < n->n_out; i++)
        good = good && (n->out[i] == GR_NONE || settle(r, n, i, &own, change[i]));
    return good;
}

/* ---- graphs ---- */

static void first_inputs(random_graph *r)
{
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17};
    const int n = (int)rg_pick(r, 1, 2);
    for (int i = 0; i < n; i++) {
        int64_t dims[GR_MAX_RANK];
        const int rank = rg_chance(r, 50) ? 4 : (int)rg_pick(r, 1, 5);
        int64_t elements = 1;
        for (int d = 0; d < rank; d++) {
            dims[d] = rank >= 3 && d == 0 && rg_chance(r, 70) ? 1 : sizes[rg_pick(r, 0, 11)];
            if (elements * dims[d] > RG_ELEMENTS / 2) dims[d] = 1;
            elements *= dims[d];
        }
        r->usable[rg_input(r, VKI_F32, rank, dims, -2, 2)] = true;
    }
}

static rg_generator draw(random_graph *r, gr_id last)
{
    const rg_generator *const lists[] = {rg_math, rg_layers, rg_moves};
    const bool follows = last != GR_NONE && rg_chance(r, 50);
    const rg_generator *list = follows ? rg_followers : lists[rg_pick(r, 0, 2)];
    int n = 0;
    while (list[n]) n++;
    r->focus = follows ? last : GR_NONE;
    return list[rg_pick(r, 0, n - 1)];
}

static bool is_read(const random_graph *r, gr_id t)
{
    for (int i = 0; i < r->g.n_nodes; i++)
        for (int k = 0; k < r->g.nodes[i].n_in; k++)
            if (!r->g.nodes[i].dead && r->g.nodes[i].in[k] == t) return true;
    return false;
}

/* What nobody reads is an output, and now and then something that is read. */
static void choose_outputs(random_graph *r)
{
    for (int i = 0; i < r->g.n_nodes; i++)
        for (int k = 0; !r->g.nodes[i].dead && k < r->g.nodes[i].n_out; k++) {
            const gr_id t = r->g.nodes[i].out[k];
            if (t != GR_NONE && (!is_read(r, t) || rg_chance(r, 10))) assert_true(gr_add_output(&r->g, t));
        }
}

/* Unused inputs are not tensors of the compacted graph's nodes: they go. Values follow their names. */
static void compact(random_graph *r)
{
    gr_graph *g = &r->g;
    int kept = 0;
    for (int i = 0; i < g->n_inputs; i++)
        if (is_read(r, g->inputs[i]))
            g->inputs[kept++] = g->inputs[i];
        else
            g->tensors[g->inputs[i]].flags &= ~(uint32_t)GR_INPUT;
    g->n_inputs = kept;
    const char *names[RG_TENSORS];
    void *data[RG_TENSORS];
    double error[RG_TENSORS];
    const int n = g->n_tensors;
    for (int i = 0; i < n; i++) names[i] = g->tensors[i].name;
    memcpy(data, r->data, sizeof data);
    memcpy(error, r->error, sizeof error);
    gr_compact(g);
    for (int i = 0; i < n; i++) {
        const gr_id id = gr_find_tensor(g, names[i]);
        if (id == GR_NONE) continue;
        r->data[id] = data[i];
        r->error[id] = error[i];
    }
}

void random_graph_make(random_graph *r, uint64_t seed, int nodes)
{
    memset(r, 0, sizeof *r);
    gr_init(&r->g, &vkb_libc_allocator);
    r->seed = r->random = seed;
    gr_id last = r->focus = GR_NONE;
    first_inputs(r);
    for (int attempt = 0; attempt < ATTEMPTS && r->nodes < nodes && r->g.n_tensors < RG_TENSORS - 32;
         attempt++) {
        gr_node *n = draw(r, last)(r);
        if (!n) continue;
        n->dead = !compute(r, n);
        if (n->dead) continue;
        r->nodes++;
        last = n->out[0];
        for (int i = 0; i < n->n_out; i++)
            if (n->out[i] != GR_NONE) r->usable[n->out[i]] = true;
    }
    choose_outputs(r);
    compact(r);
}

void random_graph_free(random_graph *r)
{
    gr_free(&r->g);
}

void random_graph_print(const random_graph *r)
{
    char text[128];
    const gr_graph *g = &r->g;
    for (int i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        print_message("  %-18s", op_name(n->op));
        for (int k = 0; k < n->n_in; k++)
            print_message(" %s%s%s", n->in[k] == GR_NONE ? "-" : g->tensors[n->in[k]].name,
                          n->in[k] == GR_NONE ? "" : ":",
                          n->in[k] == GR_NONE ? ""
                                              : gr_shape_text(g, &g->tensors[n->in[k]], text, sizeof text));
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] != GR_NONE)
                print_message(" -> %s:%s (off by %.2g at most)", g->tensors[n->out[k]].name,
                              gr_shape_text(g, &g->tensors[n->out[k]], text, sizeof text),
                              r->error[n->out[k]]);
        print_message("\n");
    }
}
