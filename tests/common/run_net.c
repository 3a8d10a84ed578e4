/* SPDX-License-Identifier: Apache-2.0 */
#include "common/run_net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/small_models.h"
#include "cpu/ref.h"

vki_status run_try_open(run_net *r, const gr_graph *g, const run_options *o)
{
    vki_context *c = NULL;
    vki_context_options co = {.size = sizeof co,
                              .backend = o->vulkan ? VKI_BACKEND_VULKAN : VKI_BACKEND_CPU,
                              .allocator = o->allocator};
    vki_session_options so = {.size = sizeof so,
                              .placement = o->gpu_only ? VKI_PLACE_GPU_ONLY : VKI_PLACE_AUTO,
                              .threads = 2,
                              .reference = o->reference,
                              .disable_passes = o->disable_passes,
                              .memory_limit = o->memory_limit,
                              .shapes = o->shapes,
                              .shape_count = o->shape_count};
    *r = (run_net){.model = NULL};
    const char *path = small_model_file(g);
    vki_status status = vki_context_create(&co, &c, &r->err);
    if (status == VKI_OK) status = vki_model_load_file(c, path, &r->model, &r->err);
    vki_context_destroy(&c); /* lives on with the model */
    if (status == VKI_OK) status = vki_session_create(r->model, &so, &r->session, &r->err);
    return status;
}

run_net run_open(const gr_graph *g, const run_options *o)
{
    run_net r;
    if (run_try_open(&r, g, o) != VKI_OK) fail_msg("%s", r.err.text);
    return r;
}

void run_close(run_net *r)
{
    vki_session_destroy(&r->session);
    vki_model_destroy(&r->model);
}

static size_t bytes_of(const vki_tensor_info *info)
{
    size_t n = vki_dtype_size(info->dtype);
    for (int i = 0; i < info->rank; i++) n *= (size_t)info->dims[i];
    return n;
}

void run_write(run_net *r, int input, const void *data)
{
    vki_tensor_info info;
    assert_int_equal(vki_session_input(r->session, input, &info), VKI_OK);
    if (vki_session_write(r->session, input, data, bytes_of(&info), &r->err) != VKI_OK)
        fail_msg("%s", r->err.text);
}

vki_status run_once(run_net *r, uint64_t timeout_ns)
{
    return vki_session_run(r->session, timeout_ns, &r->err);
}

void run_expect(run_net *r, int output, vki_dtype dtype, int rank, const int64_t *dims, const void *want)
{
    vki_tensor_info info;
    if (run_once(r, 0) != VKI_OK) fail_msg("%s: %s", r->err.node, r->err.text);
    assert_int_equal(vki_session_output(r->session, output, &info), VKI_OK);
    assert_int_equal(info.dtype, dtype);
    assert_int_equal(info.rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(info.dims[i], dims[i]);
    size_t bytes = bytes_of(&info), n = bytes / vki_dtype_size(dtype);
    char *data = malloc(bytes + 1);
    assert_non_null(data);
    if (vki_session_read(r->session, output, data, bytes, &r->err) != VKI_OK) fail_msg("%s", r->err.text);
    for (size_t i = 0; i < n; i++) {
        double a = cpu_load(data, dtype, (int64_t)i), b = cpu_load(want, dtype, (int64_t)i);
        if (!(fabs(a - b) <= 1e-5 * (1 + fabs(b))))
            fail_msg("output %d, element %zu is %g, expected %g", output, i, a, b);
    }
    free(data);
}

gr_graph *run_body(gr_graph *g, int n, gr_id *in)
{
    int index = gr_new_body(g);
    assert_true(index >= 0);
    gr_graph *body = g->bodies[index].graph;
    for (int i = 0; i < n; i++) {
        in[i] = gr_add_tensor(body, NULL, VKI_DT_NONE, -1, NULL);
        assert_true(gr_add_input(body, in[i]));
    }
    return body;
}

gr_id run_input(gr_graph *g, const char *name, vki_dtype dtype, int rank, const int64_t *dims)
{
    gr_id t = gr_add_tensor(g, name, dtype, rank, dims);
    assert_true(t != GR_NONE && gr_add_input(g, t));
    return t;
}

gr_id run_scalar(gr_graph *g, vki_dtype dtype, int64_t value)
{
    int64_t data;
    if (cpu_is_float(dtype))
        cpu_store(&data, dtype, 0, (double)value);
    else
        cpu_store_i64(&data, dtype, 0, value);
    gr_id t = gr_add_const(g, NULL, dtype, 0, NULL, &data, true);
    assert_int_not_equal(t, GR_NONE);
    return t;
}

void run_node(gr_graph *g, op_kind op, int n_in, const gr_id *in, int n_out, gr_id *out)
{
    for (int i = 0; i < n_out; i++) {
        out[i] = gr_add_tensor(g, NULL, VKI_DT_NONE, -1, NULL);
        assert_int_not_equal(out[i], GR_NONE);
    }
    assert_non_null(gr_add_node(g, op, NULL, n_in, in, n_out, out));
}
