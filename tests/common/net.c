/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"

static void require(bool good, const char *what, const vki_error *err)
{
    if (good) return;
    fprintf(stderr, "%s%s%s %s %s\n", what, err ? ": " : "", err ? err->text : "", err ? err->node : "",
            err ? err->op : "");
    abort();
}

static float random_float(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(uint32_t)(*seed >> 40) / 8388608.0f - 1; /* [-1, 1) */
}

/* ---- building ---- */

void net_init(gr_graph *g)
{
    gr_init(g, &vkb_libc_allocator);
}

gr_id net_input(gr_graph *g, const char *name, int rank, const int64_t *dims)
{
    gr_id t = gr_add_tensor(g, name, VKI_F32, rank, dims);
    require(t != GR_NONE && gr_add_input(g, t), "input", NULL);
    return t;
}

static gr_id floats(gr_graph *g, int rank, const int64_t *dims, float scale, float shift)
{
    int64_t n = 1;
    uint64_t seed = (uint64_t)g->n_tensors + 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    float *data = malloc((size_t)n * sizeof *data + 1);
    require(data != NULL, "malloc", NULL);
    for (int64_t i = 0; i < n; i++) data[i] = random_float(&seed) * scale + shift;
    gr_id t = gr_add_const(g, NULL, VKI_F32, rank, dims, data, true);
    free(data);
    require(t != GR_NONE, "constant", NULL);
    return t;
}

gr_id net_random(gr_graph *g, int rank, const int64_t *dims)
{
    return floats(g, rank, dims, 1, 0);
}

gr_id net_positive(gr_graph *g, int rank, const int64_t *dims)
{
    return floats(g, rank, dims, 0.5f, 1);
}

gr_id net_scalar(gr_graph *g, float value)
{
    gr_id t = gr_add_const(g, NULL, VKI_F32, 0, NULL, &value, true);
    require(t != GR_NONE, "scalar", NULL);
    return t;
}

gr_id net_ints(gr_graph *g, int count, const int64_t *values)
{
    int64_t n = count;
    gr_id t = gr_add_const(g, NULL, VKI_I64, 1, &n, values, true);
    require(t != GR_NONE, "integers", NULL);
    return t;
}

gr_id net_node(gr_graph *g, op_kind op, int n_in, const gr_id *in)
{
    gr_id out = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
    require(out != GR_NONE && gr_add_node(g, op, NULL, n_in, in, 1, &out), "node", NULL);
    return out;
}

gr_id net_unary(gr_graph *g, op_kind op, gr_id x)
{
    return net_node(g, op, IN(x));
}

gr_id net_binary(gr_graph *g, op_kind op, gr_id a, gr_id b)
{
    return net_node(g, op, IN(a, b));
}

gr_id net_conv(gr_graph *g, gr_id x)
{
    gr_id y = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(6, 4, 3, 3)), net_random(g, DIMS(6))));
    net_set_ints(&((op_conv_attrs *)net_last(g)->attrs)->pads, 4, (const int64_t[]){1, 1, 1, 1});
    return y;
}

gr_node *net_last(gr_graph *g)
{
    return &g->nodes[g->n_nodes - 1];
}

void net_output(gr_graph *g, gr_id t)
{
    require(gr_add_output(g, t), "output", NULL);
}

void net_set_ints(op_ints *list, int count, const int64_t *values)
{
    list->count = count;
    for (int i = 0; i < count; i++) list->v[i] = values[i];
}

/* ---- passes ---- */

const gr_evaluator net_evaluator = {cpu_evaluate, NULL, cpu_evaluate_dims};

void net_optimize(gr_graph *g, const char *only)
{
    char disable[512] = "";
    bool found = !only;
    vki_error err;
    for (int i = 0; only && gr_passes[i]; i++) {
        if (!strcmp(gr_passes[i]->name, only)) {
            found = true;
            continue;
        }
        strncat(disable, gr_passes[i]->name, sizeof disable - strlen(disable) - 1);
        strncat(disable, ",", sizeof disable - strlen(disable) - 1);
    }
    require(found, "no such pass", NULL);
    gr_pass_options o = {.evaluator = &net_evaluator, .disable = disable};
    require(gr_optimize(g, &o, &err) == VKI_OK, "optimize", &err);
    require(gr_check(g, &err) == VKI_OK, "the graph is invalid", &err);
    require(gr_infer(g, &err) == VKI_OK, "infer", &err);
}

int net_count(const gr_graph *g, op_kind op)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) n += !g->nodes[i].dead && (op == OP_NONE || g->nodes[i].op == op);
    return n;
}

const gr_node *net_find(const gr_graph *g, op_kind op)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead && g->nodes[i].op == op) return &g->nodes[i];
    return NULL;
}

/* ---- running ---- */

static void *tensor_memory(const gr_graph *g, gr_id t)
{
    void *p = vkb_calloc(g->allocator, (size_t)gr_bytes(&g->tensors[t]) + 64, 1);
    require(p != NULL, "memory", NULL);
    return p;
}

/* Integers become constants, since shapes may follow from them. */
static void run_node(gr_graph *g, gr_node *n, const void **values)
{
    enum { MANY = 32 };
    const void *in[MANY] = {NULL};
    void *out[MANY] = {NULL};
    bool known;
    vki_error err;
    require(n->n_in <= MANY && n->n_out <= MANY, "too many operands", NULL);
    require(gr_infer_node(g, n, &known, &err) == VKI_OK, "infer", &err);
    require(known, "a shape is unknown", NULL);
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE) in[i] = values[n->in[i]];
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) values[n->out[i]] = out[i] = tensor_memory(g, n->out[i]);
    require(cpu_evaluate(g, n, in, out, &err) == VKI_OK, "evaluate", &err);
    for (int i = 0; i < n->n_out; i++)
        if (out[i] && g->tensors[n->out[i]].dtype == VKI_I64) g->tensors[n->out[i]].data = out[i];
}

/* Values by tensor; those that are no constants belong to the caller. */
static const void **run(gr_graph *g)
{
    const void **values = vkb_calloc(g->allocator, (size_t)g->n_tensors, sizeof *values);
    require(values != NULL, "memory", NULL);
    for (int t = 0; t < g->n_tensors; t++) values[t] = g->tensors[t].data;
    for (int i = 0; i < g->n_inputs; i++) {
        const gr_tensor *t = &g->tensors[g->inputs[i]];
        uint64_t seed = vkb_hash(t->name, strlen(t->name), 1);
        float *data = tensor_memory(g, g->inputs[i]);
        for (int64_t k = 0; k < gr_elements(t); k++) data[k] = 4 * random_float(&seed);
        values[g->inputs[i]] = data;
    }
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].dead) run_node(g, &g->nodes[i], values);
    return values;
}

static void release(const gr_graph *g, const gr_graph *source, const void **values)
{
    for (int t = 0; t < g->n_tensors; t++)
        if (!source->tensors[t].data) vkb_free(g->allocator, (void *)(uintptr_t)values[t]);
    vkb_free(g->allocator, values);
}

static void same_output(const gr_tensor *a, const void *va, const gr_tensor *b, const void *vb,
                        double tolerance)
{
    require(!strcmp(a->name, b->name) && a->dtype == b->dtype && gr_same_shape(a, b),
            "outputs differ in kind", NULL);
    if (a->dtype != VKI_F32) {
        require(!memcmp(va, vb, (size_t)gr_bytes(a)), "outputs differ", NULL);
        return;
    }
    const float *x = va, *y = vb;
    double largest = 1e-30, worst = 0;
    for (int64_t i = 0; i < gr_elements(a); i++) {
        require(isfinite(x[i]) && isfinite(y[i]), "an output is not finite", NULL);
        largest = fmax(largest, fabs((double)x[i]));
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
    }
    if (worst <= tolerance * largest) return;
    fprintf(stderr, "output %s: error %g, largest value %g\n", a->name, worst, largest);
    require(false, "outputs differ", NULL);
}

void net_same_results(const gr_graph *before, const gr_graph *after, double tolerance)
{
    gr_graph a, b;
    require(gr_clone(&a, before, NULL) == VKI_OK && gr_clone(&b, after, NULL) == VKI_OK, "clone", NULL);
    const void **va = run(&a), **vb = run(&b);
    require(a.n_outputs == b.n_outputs && a.n_inputs == b.n_inputs, "inputs or outputs differ in number",
            NULL);
    for (int i = 0; i < a.n_outputs; i++)
        same_output(&a.tensors[a.outputs[i]], va[a.outputs[i]], &b.tensors[b.outputs[i]], vb[b.outputs[i]],
                    tolerance);
    release(&a, before, va);
    release(&b, after, vb);
    gr_free(&a);
    gr_free(&b);
}

static gr_graph before;

void net_pass(gr_graph *g, const char *only)
{
    vki_error err = {0};
    require(gr_clone(&before, g, &err) == VKI_OK, "clone", &err);
    net_optimize(g, only);
}

void net_pass_end(gr_graph *g, double tolerance)
{
    net_same_results(&before, g, tolerance);
    gr_free(&before);
    gr_free(g);
}
