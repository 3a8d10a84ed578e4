/* SPDX-License-Identifier: Apache-2.0
 * The order of the passes, and the loop that runs them until nothing changes. */
#include <string.h>

#include "graph/passes/rewrite.h"

/* One a line. */
/* clang-format off */
const gr_pass *const gr_passes[] = {
    &pass_qdq,
    &pass_fold_constants,
    &pass_inline_bodies,
    &pass_identities,
    &pass_common_subexpressions,
    &pass_dead_code,
    &pass_fake_quantize,
    &pass_pixel_shuffle,
    &pass_softmax,
    &pass_attention,
    &pass_transposes,
    &pass_layer_normalization,
    &pass_group_normalization,
    &pass_composites,
    &pass_recurrent_cells,
    &pass_fold_batchnorm,
    &pass_fold_pad,
    &pass_trim_taps,
    &pass_matmul_bias,
    &pass_fuse_activation,
    &pass_fold_scale,
    &pass_fuse_residual,
    &pass_fuse_pool,
    &pass_separable,
    &pass_expansion,
    &pass_channel_shuffle,
    &pass_squeeze,
    &pass_chains,
    &pass_input_slices,
    &pass_output_slices,
    &pass_views,
    &pass_in_place,
    &pass_intervals,
    &pass_memory_order,
    NULL,
};
/* clang-format on */

const gr_pass pass_separable = {
    "separable", "a depthwise and a 1x1 convolution in one dispatch, where that pays (planners)", NULL, true};
const gr_pass pass_expansion = {
    "expansion", "a 1x1 convolution and the depthwise one behind it part by part on the CPU (planners)", NULL,
    true};
const gr_pass pass_squeeze = {
    "squeeze", "the gate of squeeze and excitation, and its product, in few dispatches (planners)", NULL,
    true};
const gr_pass pass_chains = {
    "chains", "element-wise operators that follow each other in one dispatch (planners)", NULL, true};
const gr_pass pass_input_slices = {
    "input_slices", "inputs are brought into the device's layout by the copy from the host (planners)", NULL,
    true};
const gr_pass pass_output_slices = {
    "output_slices", "outputs are brought out of the device's layout by the copy to the host (planners)",
    NULL, true};
const gr_pass pass_memory_order = {
    "memory_order", "branches are finished one after the other, where clearly less is alive so (planners)",
    NULL, true};
const gr_pass pass_in_place = {
    "in_place", "outputs take the place of inputs that are read for the last time (planners)", NULL, true};
const gr_pass pass_intervals = {
    "intervals", "dispatches that do not depend on each other without barriers between them (planners)", NULL,
    true};
const gr_pass pass_views = {"views", "Concat, Split and Slice without copies, where memory allows (planners)",
                            NULL, true};

static const char EVERY[] = "all"; /* in a list of names: every pass */

/* `name` of n characters is in the list. */
static bool listed(const char *list, const char *name, size_t n)
{
    for (const char *p = list; p && *p;) {
        size_t length = strcspn(p, ",");
        if (length == n && !strncmp(p, name, n)) return true;
        p += length + (p[length] == ',');
    }
    return false;
}

bool gr_pass_is_on(const gr_pass *pass, const char *disable)
{
    return !listed(disable, pass->name, strlen(pass->name)) && !listed(disable, EVERY, strlen(EVERY));
}

static vki_status check_names(const char *list, vki_error *err)
{
    for (const char *p = list; p && *p;) {
        size_t length = strcspn(p, ",");
        bool known = length == 0 || (length == strlen(EVERY) && !strncmp(EVERY, p, length));
        char names[640] = "";
        for (int i = 0; gr_passes[i]; i++) {
            known =
                known || (strlen(gr_passes[i]->name) == length && !strncmp(gr_passes[i]->name, p, length));
            if (i) strncat(names, ", ", sizeof names - strlen(names) - 1);
            strncat(names, gr_passes[i]->name, sizeof names - strlen(names) - 1);
        }
        if (!known)
            return vkb_fail(err, VKI_E_ARG, "there is no graph pass \"%.*s\"; the passes are %s", (int)length,
                            p, names);
        p += length + (p[length] == ',');
    }
    return VKI_OK;
}

/* Nodes whose shapes could not be known before, such as a Reshape whose target has been folded meanwhile. */
static vki_status infer_open(gr_graph *g, vki_error *err)
{
    for (int i = 0; i < g->n_nodes; i++) {
        gr_node *n = &g->nodes[i];
        bool open = false, known;
        for (int k = 0; !n->dead && k < n->n_out; k++)
            open = open || (n->out[k] != GR_NONE && !gr_is_concrete(&g->tensors[n->out[k]]));
        if (open) VKB_TRY(gr_infer_node(g, n, &known, err));
    }
    return VKI_OK;
}

static bool is_left_out(const gr_pass *pass, const gr_pass_options *o)
{
    const bool of_cpu = pass == &pass_qdq || pass == &pass_channel_shuffle;
    return !pass->run || (o->no_fusion && pass->fusion) || (o->for_devices && of_cpu) ||
           !gr_pass_is_on(pass, o->disable);
}

static vki_status run_round(gr_graph *g, const gr_pass_options *o, bool *changed, vki_error *err)
{
    for (int i = 0; gr_passes[i]; i++) {
        const gr_pass *pass = gr_passes[i];
        if (is_left_out(pass, o)) continue;
        VKB_TRY(pass->run(g, o->evaluator, changed, err));
    }
    return infer_open(g, err);
}

vki_status gr_optimize(gr_graph *g, const gr_pass_options *options, vki_error *err)
{
    enum { ROUNDS = 100 }; /* each changing round removes a node or a read, so this is never reached */
    VKB_TRY(check_names(options->disable, err));
    VKB_TRY(gr_infer(g, err));
    bool changed = true;
    for (int round = 0; changed && round < ROUNDS; round++) {
        changed = false;
        VKB_TRY(run_round(g, options, &changed, err));
    }
    gr_compact(g);
    return VKI_OK;
}
