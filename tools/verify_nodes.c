/* SPDX-License-Identifier: Apache-2.0
 * A device against the reference, node by node, on random input: where does it go wrong first? */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "tensor_file.h"

typedef struct node_check {
    vki_session *tested, *reference;
    double rtol;
    int compared, skipped;
    double worst_rel;
    char worst[160], first_bad[320]; /* "" if there is none */
    vki_error err;                   /* code VKI_OK: none so far */
} node_check;

/* Both sides' values of a tensor, or skipped if either does not have it. */
static vki_status read_both(node_check *c, const char *name, vki_tensor_info *a, vki_tensor_info *b,
                            void **tested, void **reference)
{
    *tested = *reference = NULL;
    if (vki_session_read_tensor(c->tested, name, a, NULL, 0, NULL) != VKI_OK ||
        vki_session_read_tensor(c->reference, name, b, NULL, 0, NULL) != VKI_OK ||
        verify_elements(a) != verify_elements(b) ||
        compare_is_float(a->dtype) != compare_is_float(b->dtype)) {
        c->skipped++;
        return VKI_OK;
    }
    size_t na = (size_t)verify_elements(a) * vki_dtype_size(a->dtype);
    size_t nb = (size_t)verify_elements(b) * vki_dtype_size(b->dtype);
    *tested = vkb_alloc(&vkb_libc_allocator, na);
    *reference = vkb_alloc(&vkb_libc_allocator, nb);
    if (!*tested || !*reference) return vkb_nomem(&c->err, na + nb);
    VKB_TRY(vki_session_read_tensor(c->tested, name, NULL, *tested, na, &c->err));
    return vki_session_read_tensor(c->reference, name, NULL, *reference, nb, &c->err);
}

static void check_node(void *user, const vki_node_report *node)
{
    node_check *c = user;
    if (c->err.code != VKI_OK || !node->output || !node->output[0]) return;
    vki_tensor_info a, b;
    void *tested, *reference;
    if (read_both(c, node->output, &a, &b, &tested, &reference) == VKI_OK && tested) {
        compare_result r = compare_tensors(tested, a.dtype, reference, b.dtype, verify_elements(&a));
        c->compared++;
        if (r.rel > c->worst_rel) {
            c->worst_rel = r.rel;
            snprintf(c->worst, sizeof c->worst, "%s '%.100s'", node->op, node->name);
        }
        if (!compare_passes(&r, c->rtol) && !c->first_bad[0])
            snprintf(c->first_bad, sizeof c->first_bad,
                     "%s '%.100s' on %s (%s): abs %.2e, rel %.2e, %llu of %llu elements differ", node->op,
                     node->name, node->place, node->kernel, r.max_abs, r.rel, (unsigned long long)r.unequal,
                     (unsigned long long)verify_elements(&a));
    }
    vkb_free(&vkb_libc_allocator, tested);
    vkb_free(&vkb_libc_allocator, reference);
}

static vki_status run(vki_session *session, int inputs, vki_error *err)
{
    VKB_TRY(verify_write_random(session, inputs, err));
    return vki_session_run(session, 0, err);
}

static vki_status make_and_run(node_check *c, const verify_job *job, vki_model *model, vki_error *err)
{
    vki_session_options options = job->session;
    options.keep_intermediates = true;
    VKB_TRY(vki_session_create(model, &options, &c->tested, err));
    VKB_TRY(tensor_need_plan(model, c->tested, err));
    options.reference = true;
    options.placement = VKI_PLACE_CPU_ONLY;
    options.precision = VKI_PRECISION_FP32;
    VKB_TRY(vki_session_create(model, &options, &c->reference, err));
    VKB_TRY(run(c->tested, vki_model_input_count(model), err));
    VKB_TRY(run(c->reference, vki_model_input_count(model), err));
    return vki_session_report(c->tested, check_node, c);
}

int verify_nodes(verify_job *job, const char *model_path)
{
    vki_error err = {.text = ""};
    vki_model *model = NULL;
    node_check c = {.rtol = job->rtol};
    vki_status status = vki_model_load_file(job->context, model_path, &model, &err);
    if (status == VKI_OK) status = make_and_run(&c, job, model, &err);
    if (status == VKI_OK && c.err.code != VKI_OK) {
        status = c.err.code;
        err = c.err;
    }
    vki_session_destroy(&c.tested);
    vki_session_destroy(&c.reference);
    vki_model_destroy(&model);
    if (status != VKI_OK) return tool_failed(&err);
    printf("%d node outputs compared with the reference on random input", c.compared);
    if (c.skipped) printf(" (%d exist on one side only)", c.skipped);
    printf("\nlargest relative error %.2e%s%s, tolerance %.1e\n", c.worst_rel, c.worst[0] ? " at " : "",
           c.worst, c.rtol);
    if (c.compared == 0) {
        fputs("vkinfer: nothing could be compared\n", stderr);
        return TOOL_FAILED;
    }
    if (c.first_bad[0])
        printf("FAIL  first node that diverges: %s\n", c.first_bad);
    else
        puts("PASS");
    return c.first_bad[0] ? TOOL_FAILED : TOOL_OK;
}
