/* SPDX-License-Identifier: Apache-2.0
 * The host's side of a plan: the kernels of the CPU's nodes, what memory they take (host_memory.c), and the
 * calls. Nothing large is allocated before the plan's size is known and allowed. */
#include "session/session.h"

#include "cpu/half.h"
#include "cpu/narrow.h"

/* ---- before the memory is there ---- */

static bool is_product(const gr_node *n)
{
    return n->op == OP_Gemm || n->op == OP_MatMul;
}

const char *ses_storage_text(const ses_plan *p, gr_id node, const ses_step *step, bool *narrow)
{
    const gr_node *n = &p->graph.nodes[node];
    const bool recurrent = n->op == OP_LSTM || n->op == OP_GRU || n->op == OP_RNN;
    *narrow = false;
    if (p->options->weights == VKI_WEIGHTS_FP32 ||
        !(is_product(n) || recurrent || n->op == OP_Conv || n->op == OP_ConvTranspose))
        return NULL;
    if (p->places[node].gpu) return "as the device's precision says; the option is the CPU's";
    if (!step || !step->prep) return NULL;
    *narrow = step->prep->stored;
    if (*narrow) return step->prep->stored;
    if (recurrent) return "several sequences at once, or not of the form that fast kernels take";
    return is_product(n) ? cpu_matmul_narrow_refusal(&p->graph, n) : "a convolution uses them many times";
}

const char *ses_half_text(const ses_plan *p, gr_id node, const ses_step *step)
{
    const gr_node *n = &p->graph.nodes[node];
    const char *why = NULL;
    if (!p->options->half_math || (n->op != OP_Conv && !is_product(n))) return NULL;
    if (p->places[node].merged || p->places[node].before) return "two layers by one kernel";
    if (step && step->prep && !cpu_is_half(step->kernel)) cpu_half_kernel(&p->graph, n, &why);
    return why;
}

/* The kernel that the plan or an option has given the node; NULL: the best that fits. */
static const cpu_kernel *given_kernel(const ses_plan *p, gr_id node)
{
    const gr_node *n = &p->graph.nodes[node], *before = p->places[node].before;
    const char *why;
    if (before && before->op == OP_Conv) return &cpu_expansion;
    if (p->options->reference || !cpu_op_of(n->op)->kernels) return NULL;
    if (p->options->weights != VKI_WEIGHTS_FP32 && is_product(n) && cpu_matmul_narrow.fits(&p->graph, n))
        return &cpu_matmul_narrow;
    return p->options->half_math ? cpu_half_kernel(&p->graph, n, &why) : NULL;
}

vki_status ses_host_choose(ses_plan *p, ses_step *step, bool lean, vki_error *err)
{
    gr_node *n = &p->graph.nodes[step->node];
    step->prep = vkb_arena_alloc(&p->graph.arena, sizeof *step->prep);
    if (!step->prep) return vkb_nomem(err, sizeof *step->prep);
    const gr_node *before = p->places[step->node].before;
    const cpu_kernel *k = p->options->reference ? NULL : cpu_op_of(n->op)->kernels;
    const cpu_prep fresh = {.g = &p->graph,
                            .n = n,
                            .before = before,
                            .means = p->places[step->node].after,
                            .threads = p->options->threads,
                            .lean = lean || p->thrifty,
                            .bf16 = p->options->bf16,
                            .storage = p->options->weights,
                            .arena = &p->graph.arena};
    *step->prep = fresh;
    step->kernel = given_kernel(p, step->node);
    if (step->kernel) return step->kernel->prepare(step->prep, err);
    for (; k && k->name; k++) {
        cpu_prep prep = fresh;
        if ((before && !cpu_is_pointwise(k)) || (fresh.means && !cpu_gives_means(k)) ||
            !k->fits(&p->graph, n))
            continue;
        if (k->prepare) VKB_TRY(k->prepare(&prep, err));
        if (prep.lean && prep.yields) continue;
        bool less = step->kernel && prep.scratch_bytes + prep.weight_bytes <
                                        step->prep->scratch_bytes + step->prep->weight_bytes;
        if (!step->kernel || less) {
            step->kernel = k;
            *step->prep = prep;
        }
        if (!p->thrifty) break;
    }
    return VKI_OK;
}

vki_status ses_host_plan_step(ses_plan *p, ses_step *step, bool lean, vki_error *err)
{
    gr_node *n = &p->graph.nodes[step->node];
    ses_place *place = &p->places[step->node];
    if (place->view) return VKI_OK;
    VKB_TRY(ses_host_choose(p, step, lean, err));
    const cpu_prep *prep = step->prep;
    bool given = !p->model->context->limits || p->options->placement == VKI_PLACE_CPU_ONLY;
    if (given && !p->options->choice) /* else the reason why it is */
        place->reason =
            !step->kernel ? "no fast kernel fits: the reference runs" /* not on the device says more */
            : place->before && place->before->op == OP_Mul
                ? "scales its weights instead of its input: the product is never made"
            : place->before ? "computes its input too, part by part: what lies between is never made"
            : p->thrifty    ? "the candidate that takes the least memory"
            : lean          ? "first candidate that fits; packs less, over the budget of packed weights"
                            : "first candidate that fits";
    step->weight_bytes = prep->weight_bytes;
    for (int i = 0; i < n->n_in && !prep->weight_bytes; i++)
        if (gr_is_const(&p->graph, n->in[i])) p->cpu_constant_bytes += gr_bytes(&p->graph.tensors[n->in[i]]);
    return VKI_OK;
}

static vki_status plan_steps(ses_plan *p, vki_error *err)
{
    int count = 0;
    for (int s = 0; s < p->n_segments; s++) count += p->segments[s].gpu ? 0 : p->segments[s].count;
    p->steps = vkb_calloc(p->allocator, (size_t)count, sizeof *p->steps);
    if (!p->steps) return vkb_nomem(err, (uint64_t)count * sizeof *p->steps);
    for (int s = 0; s < p->n_segments; s++) {
        const ses_segment *seg = &p->segments[s];
        for (gr_id i = seg->first; !seg->gpu && i < seg->first + seg->count; i++) {
            ses_step *step = &p->steps[p->n_steps++];
            *step = (ses_step){.node = i, .us = -1};
            VKB_TRY(ses_host_plan_step(p, step, false, err));
        }
    }
    return VKI_OK;
}

vki_status ses_host_plan(ses_plan *p, vki_error *err)
{
    size_t n = (size_t)p->graph.n_tensors;
    p->host = vkb_calloc(p->allocator, n, sizeof *p->host);
    p->host_at = vkb_calloc(p->allocator, n, sizeof *p->host_at);
    if (!p->host || !p->host_at) return vkb_nomem(err, n * sizeof *p->host_at);
    ses_host_merge(p);
    VKB_TRY(plan_steps(p, err));
    if (!p->thrifty) VKB_TRY(ses_host_lean(p, err));
    return ses_host_lay_out(p, err);
}

void ses_host_forget(ses_plan *p)
{
    vkb_free(p->allocator, p->host);
    vkb_free(p->allocator, p->host_at);
    vkb_free(p->allocator, p->steps);
    p->host = NULL;
    p->host_at = NULL;
    p->steps = NULL;
    p->n_steps = 0;
    p->cpu_constant_bytes = 0;
}

/* ---- afterwards ---- */

/* Room for the dimensions that the kernel tells. */
static vki_status make_dims(ses_plan *p, ses_step *step, const gr_node *n, vki_error *err)
{
    size_t count = (size_t)p->graph.n_tensors;
    if (!(op_get(n->op)->flags & OP_DATA_SHAPED)) return VKI_OK;
    if (!p->dims) p->dims = vkb_calloc(p->allocator, count, sizeof *p->dims);
    step->call.dims = vkb_arena_alloc(&p->graph.arena, (size_t)n->n_out * sizeof *step->call.dims + 1);
    if (!p->dims || !step->call.dims) return vkb_nomem(err, count * sizeof *p->dims);
    for (int i = 0; i < n->n_out; i++)
        if (n->out[i] != GR_NONE) p->dims[n->out[i]] = step->call.dims[i];
    return VKI_OK;
}

static vki_status make_step(ses_plan *p, ses_step *step, vki_error *err)
{
    gr_node *n = &p->graph.nodes[step->node];
    const void **in = vkb_arena_alloc(&p->graph.arena, (size_t)n->n_in * sizeof *in + 1);
    void **out = vkb_arena_alloc(&p->graph.arena, (size_t)n->n_out * sizeof *out + 1);
    if (!in || !out) return vkb_nomem(err, (uint64_t)(n->n_in + n->n_out) * sizeof *in);
    for (int i = 0; i < n->n_in; i++) in[i] = n->in[i] == GR_NONE ? NULL : p->host[n->in[i]];
    for (int i = 0; i < n->n_out; i++) out[i] = n->out[i] == GR_NONE ? NULL : p->host[n->out[i]];
    step->call = (cpu_call){.g = &p->graph, .n = n, .in = in, .out = out, .plane_step = step->plane_step};
    if (!step->prep) return VKI_OK;
    const gr_node *before = p->places[step->node].before, *after = p->places[step->node].after;
    if (before && before->op == OP_Mul) step->call.gate = p->host[before->in[1]];
    if (after) step->call.means = p->host[after->out[0]];
    VKB_TRY(make_dims(p, step, n, err));
    VKB_TRY(ses_cpu_weights_get(p->model->cpu_weights, step->prep, ses_spent_from(p, step),
                                &step->call.weights, err));
    step->call.state = step->prep->state;
    if (step->scratch_at != SES_NOWHERE) step->call.scratch = (char *)p->host_arena + step->scratch_at;
    return VKI_OK;
}

/* A CPU segment and the GPU segment before it run at once where the first reads nothing of the second: what
 * the one leaves in host memory is alive over both, so nothing of the other lies there. */
static void find_waits(ses_plan *p)
{
    for (int s = 1; s < p->n_segments; s++) {
        ses_segment *seg = &p->segments[s], *before = &p->segments[s - 1];
        for (gr_id i = seg->first; !seg->gpu && i < seg->first + seg->count; i++) {
            const gr_node *n = &p->graph.nodes[i];
            for (int k = 0; k < n->n_in; k++)
                for (int d = 0; d < before->n_downloads; d++)
                    seg->waits = seg->waits || n->in[k] == before->downloads[d].tensor;
        }
    }
}

/* Large constants are packed first: they lie beside their packed form while few others are packed, which are
 * larger than the constants they stand for. */
vki_status ses_host_make(ses_plan *p, vki_error *err)
{
    VKB_TRY(ses_host_bind(p, err));
    ses_keep_read(p);
    for (uint64_t least = 16 << 20;; least /= 4) {
        if (least < 64 << 10) least = 0;
        for (int i = 0; i < p->n_steps; i++) {
            if (p->steps[i].call.n || ses_spent_bytes(&p->steps[i]) < least) continue;
            VKB_TRY(make_step(p, &p->steps[i], err));
            ses_release_spent(p, &p->steps[i]);
        }
        if (!least) break;
    }
    find_waits(p);
    return VKI_OK;
}
