/* SPDX-License-Identifier: Apache-2.0
 * Where each node runs: on the device if a kernel fits, else on the CPU with the reason. A view runs where
 * its input lives, so that it never causes a transfer. With placement AUTO arithmetic on integers that needs
 * nothing from the device and gives nothing to it (shapes, indices) stays on the host, whatever kernels there
 * are. */
#include "session/session.h"

#include <stdio.h>
#include <string.h>

typedef struct refusals { /* what GPU_ONLY complains about, all of it in one text */
    char text[640];
    int count;
} refusals;

static void refuse(refusals *r, const gr_graph *g, const gr_node *n, const char *why)
{
    size_t used = strlen(r->text);
    char shape[96] = "";
    if (n->n_in && n->in[0] != GR_NONE) gr_shape_text(g, &g->tensors[n->in[0]], shape, sizeof shape);
    if (r->count++ < 6 && used < sizeof r->text)
        snprintf(r->text + used, sizeof r->text - used, "\n  %s (%s on %s): %s", n->name, op_get(n->op)->name,
                 shape, why);
}

static vki_status cpu_place(const ses_plan *p, const gr_node *n, vki_error *err)
{
    const char *why = "";
    if (cpu_supports(&p->graph, n, &why)) return VKI_OK;
    return vkb_fail_node(err, VKI_E_UNSUPPORTED, n->name, op_get(n->op)->name,
                         "node %s (%s) cannot run on the CPU: %s", n->name, op_get(n->op)->name, why);
}

/* ---- integers that the host keeps ---- */

/* Touches integers and bool only; constants (parameters, mostly) do not count. */
static bool only_words(const gr_graph *g, const gr_node *n)
{
    bool any = false;
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        gr_id id = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (id == GR_NONE || gr_is_const(g, id)) continue;
        if (!gpu_is_integer(g->tensors[id].dtype)) return false;
        any = true;
    }
    return any;
}

typedef enum source { HOST = 1, INPUT = 2, DEVICE = 4 } source; /* where the value of a tensor comes from */

static unsigned sources_of(const gr_graph *g, const gr_node *n, const uint8_t *source_of)
{
    unsigned all = 0;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] != GR_NONE && !gr_is_const(g, n->in[i])) all |= source_of[n->in[i]];
    return all;
}

static void to_host(ses_place *place, const char *reason)
{
    place->gpu = false;
    place->kernel = NULL;
    place->reason = reason;
}

/* First what is made of the host's values alone; then, from the end on, what could be and nothing on the
 * device reads. `source_of`, by tensor, is cleared memory. */
static void keep_words_on_host(ses_plan *p, uint8_t *source_of)
{
    const gr_graph *g = &p->graph;
    for (int i = 0; i < g->n_inputs; i++) source_of[g->inputs[i]] = INPUT;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        const gr_node *n = &g->nodes[i];
        ses_place *place = &p->places[i];
        unsigned from = sources_of(g, n, source_of);
        bool words = only_words(g, n);
        if (place->gpu && words && from == HOST) to_host(place, "integers that the host makes");
        uint8_t made = !place->gpu ? HOST : words && !(from & DEVICE) ? INPUT : DEVICE;
        for (int o = 0; o < n->n_out; o++)
            if (n->out[o] != GR_NONE) source_of[n->out[o]] = made;
    }
    enum { READ = 8 }; /* on the device */
    for (gr_id i = g->n_nodes - 1; i >= 0; i--) {
        const gr_node *n = &g->nodes[i];
        ses_place *place = &p->places[i];
        unsigned out = 0;
        for (int o = 0; o < n->n_out; o++)
            if (n->out[o] != GR_NONE) out |= source_of[n->out[o]];
        if (place->gpu && !(out & (DEVICE | READ))) to_host(place, "integers that only the host reads");
        for (int k = 0; place->gpu && k < n->n_in; k++)
            if (n->in[k] != GR_NONE) source_of[n->in[k]] |= READ;
    }
}

/* Marks, by tensor, what is produced on the device; graph inputs count as on the device for views. */
static void place_view(ses_plan *p, const gr_node *n, ses_place *place, const uint8_t *on_device)
{
    gr_id in = n->in[0];
    place->gpu = place->gpu && in != GR_NONE && !gr_is_const(&p->graph, in) && on_device[in];
    if (!place->gpu) place->reason = "a view of host memory";
}

enum { FEW = 64 };

static bool few_numbers(const gr_graph *g, const gr_id *list, int count, bool *floats)
{
    for (int i = 0; i < count; i++) {
        const gr_tensor *t = list[i] == GR_NONE || gr_is_const(g, list[i]) ? NULL : &g->tensors[list[i]];
        if (!t) continue;
        if (gr_elements(t) > FEW) return false;
        *floats = *floats || gpu_is_float(t->dtype);
    }
    return true;
}

/* Shapes, counts and conditions, which the host has to know, and what has nothing to compute: no reason to
 * refuse a network that shall run on the device. */
static bool host_arithmetic(const gr_graph *g, const gr_node *n)
{
    bool in = false, out = false, empty = true;
    for (int i = 0; i < n->n_out; i++)
        empty = empty && (n->out[i] == GR_NONE || !gr_elements(&g->tensors[n->out[i]]));
    return empty ||
           (few_numbers(g, n->in, n->n_in, &in) && few_numbers(g, n->out, n->n_out, &out) && !(in && out));
}

/* Devices compute it in fp32: only if asked to place everything there. */
static bool touches_double(const gr_graph *g, const gr_node *n)
{
    for (int i = 0; i < n->n_in + n->n_out; i++) {
        gr_id id = i < n->n_in ? n->in[i] : n->out[i - n->n_in];
        if (id != GR_NONE && g->tensors[id].dtype == VKI_F64) return true;
    }
    return false;
}

static vki_status choose_kernels(ses_plan *p, gpu_builder *b, refusals *r)
{
    for (gr_id i = 0; i < p->graph.n_nodes; i++) {
        const gr_node *n = &p->graph.nodes[i];
        ses_place *place = &p->places[i];
        const char *why = "no GPU kernel";
        place->kernel = gpu_choose(b, n, &why);
        place->gpu = place->kernel != NULL;
        place->reason = place->gpu ? "first candidate that fits" : why;
        if (!place->gpu && !host_arithmetic(&p->graph, n)) refuse(r, &p->graph, n, why);
        if (place->gpu && p->options->placement != VKI_PLACE_GPU_ONLY && touches_double(&p->graph, n))
            to_host(place, "float64 keeps its precision on the CPU");
        if (place->gpu) VKB_TRY(gpu_foresee(b, i, place->kernel));
    }
    return VKI_OK;
}

/* Beside what the operators allow: integers that are the host's, and parts too small to go back and forth. */
static vki_status adjust(ses_plan *p, uint8_t *marks, vki_error *err)
{
    const size_t n = (size_t)p->graph.n_nodes;
    const gpu_kernel **kernels = vkb_calloc(p->allocator, n, sizeof *kernels);
    if (!kernels) return vkb_nomem(err, n * sizeof *kernels);
    for (size_t i = 0; i < n; i++) kernels[i] = p->places[i].kernel;
    keep_words_on_host(p, marks);
    vki_status status = p->options->islands ? ses_move_islands(p, kernels, err) : VKI_OK;
    vkb_free(p->allocator, kernels);
    return status;
}

static vki_status place_all(ses_plan *p, gpu_builder *b, uint8_t *marks, vki_error *err)
{
    gr_graph *g = &p->graph;
    refusals r = {"", 0};
    for (gr_id i = 0; i < g->n_nodes; i++) {
        p->places[i].view = ses_plan_is_view(p, i);
        p->places[i].reason = p->options->choice          ? p->options->choice
                              : p->model->context->limits ? "placement is CPU_ONLY"
                                                          : "the context has no Vulkan device";
    }
    if (b) VKB_TRY(choose_kernels(p, b, &r));
    if (r.count && p->options->placement == VKI_PLACE_GPU_ONLY)
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        "%d node%s cannot run on the GPU, and placement is GPU_ONLY:%s", r.count,
                        r.count == 1 ? "" : "s", r.text);
    if (b && p->options->placement != VKI_PLACE_GPU_ONLY) VKB_TRY(adjust(p, marks, err));
    for (gr_id i = 0; i < g->n_tensors; i++) marks[i] = b && g->tensors[i].flags & GR_INPUT;
    for (gr_id i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        ses_place *place = &p->places[i];
        if (place->view) place_view(p, n, place, marks);
        if (!place->gpu) VKB_TRY(cpu_place(p, n, err));
        for (int o = 0; o < n->n_out; o++)
            if (n->out[o] != GR_NONE) marks[n->out[o]] = place->gpu;
    }
    return VKI_OK;
}

static vki_status cut(ses_plan *p, vki_error *err)
{
    for (gr_id i = 0; i < p->graph.n_nodes; i++) {
        ses_segment *last = p->n_segments ? &p->segments[p->n_segments - 1] : NULL;
        if (!last || last->gpu != p->places[i].gpu) {
            if (!VKB_GROW(p->allocator, p->segments, p->cap_segments, p->n_segments + 1))
                return vkb_nomem(err, sizeof(ses_segment));
            last = &p->segments[p->n_segments++];
            *last = (ses_segment){.gpu = p->places[i].gpu, .first = i};
        }
        last->count++;
    }
    return VKI_OK;
}

vki_status ses_place_nodes(ses_plan *p, vki_error *err)
{
    const vki_allocator *a = p->allocator;
    p->places = vkb_calloc(a, (size_t)p->graph.n_nodes, sizeof *p->places);
    uint8_t *marks = vkb_calloc(a, (size_t)p->graph.n_tensors, sizeof *marks);
    vki_status status =
        p->places && marks ? VKI_OK : vkb_nomem(err, (uint64_t)p->graph.n_nodes * sizeof *p->places);
    bool cpu_only = p->options->placement == VKI_PLACE_CPU_ONLY;
    const gpu_limits *limits = cpu_only ? NULL : p->model->context->limits;
    if (status == VKI_OK && limits) {
        gpu_builder b;
        gpu_program none = {0};
        status = gpu_builder_init(&b, &p->graph, limits, p->options->half, &none, err);
        if (status == VKI_OK) status = place_all(p, &b, marks, err);
        gpu_builder_free(&b);
        gpu_program_free(&none, a);
    } else if (status == VKI_OK) {
        status = place_all(p, NULL, marks, err);
    }
    if (status == VKI_OK) status = ses_order_nodes(p, err);
    if (status == VKI_OK) status = cut(p, err);
    vkb_free(a, marks);
    return status;
}
