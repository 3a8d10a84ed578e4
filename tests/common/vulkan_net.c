/* SPDX-License-Identifier: Apache-2.0 */
#include "common/vulkan_net.h"

#include <string.h>

static bool any_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b, (void)n, (void)why;
    return true;
}

static void push_c4_dims(gpu_builder *b, gpu_dispatch *d, const gr_tensor *t)
{
    int64_t batch, c, slices, spatial;
    gpu_c4_dims(t, &batch, &c, &slices, &spatial);
    gpu_grid(b, d, spatial, slices, batch, 8, 8, 1);
    gpu_push(d, batch);
    gpu_push(d, c);
    gpu_push(d, slices);
    gpu_push(d, spatial);
}

static void emit_row_from_c4(gpu_builder *b, const gr_node *n)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, layout_row_from_c4));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_C4), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    push_c4_dims(b, d, &b->g->tensors[n->in[0]]);
}

static void emit_c4_from_row(gpu_builder *b, const gr_node *n)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, layout_c4_from_row));
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_C4), GPU_WRITE);
    push_c4_dims(b, d, &b->g->tensors[n->in[0]]);
}

const gpu_kernel net_row_from_c4 = {"test_row_from_c4", any_fits, emit_row_from_c4, GPU_FLOATS};
static const gpu_kernel from_row = {"test_c4_from_row", any_fits, emit_c4_from_row, GPU_FLOATS};

void net_fill(float *v, int64_t count, float start)
{
    for (int64_t i = 0; i < count; i++) v[i] = start + (float)(i % 1021) * 0.25f; /* exact in half */
}

vki_status net_make(net *t, const gpu_limits *limits, const vki_allocator *a, bool profile)
{
    static const int64_t dims[4] = {2, 6, 5, 7};
    memset(t, 0, sizeof *t);
    net_fill(t->weights, NET_COUNT, 3.0f);
    gr_init(&t->g, a);
    gr_id x = gr_add_tensor(&t->g, "x", VKI_F32, 4, dims), m = gr_add_tensor(&t->g, "m", VKI_F32, 4, dims);
    gr_id y = gr_add_tensor(&t->g, "y", VKI_F32, 4, dims), z = gr_add_tensor(&t->g, "z", VKI_F32, 4, dims);
    gr_id w = gr_add_const(&t->g, "w", VKI_F32, 4, dims, t->weights, true);
    if (!gr_add_node(&t->g, OP_Identity, "a", 1, &x, 1, &m) ||
        !gr_add_node(&t->g, OP_Identity, "b", 1, &m, 1, &y) ||
        !gr_add_node(&t->g, OP_Identity, "c", 1, &w, 1, &z))
        return VKI_E_NOMEM;
    static const gpu_kernel *const kernels[] = {&from_row, &net_row_from_c4, &net_row_from_c4};
    VKB_TRY(gpu_builder_init(&t->b, &t->g, limits, false, &t->p, NULL));
    for (int i = 0; i < 3; i++) VKB_TRY(gpu_emit(&t->b, i, kernels[i]));
    gpu_program_lifetimes(&t->p);
    for (int i = 0; i < t->p.n_bufs; i++) { /* all apart */
        t->p.bufs[i].offset = t->desc.arena_bytes;
        t->desc.arena_bytes += vkb_round_up(t->p.bufs[i].bytes, limits->offset_align);
    }
    t->up = (vkr_transfer){t->b.row_buf[x], 0, NET_COUNT * 4};
    t->down[0] = (vkr_transfer){t->b.row_buf[y], 4096, NET_COUNT * 4};
    t->down[1] = (vkr_transfer){t->b.row_buf[z], 8192, NET_COUNT * 4};
    t->segments[0] = (vkr_segment){
        .n_dispatches = 2, .uploads = &t->up, .n_uploads = 1, .downloads = &t->down[0], .n_downloads = 1};
    t->segments[1] =
        (vkr_segment){.first_dispatch = 2, .n_dispatches = 1, .downloads = &t->down[1], .n_downloads = 1};
    t->desc.g = &t->g;
    t->desc.program = &t->p;
    t->desc.segments = t->segments;
    t->desc.n_segments = 2;
    t->desc.staging_bytes = 12288;
    t->desc.profile = profile;
    return VKI_OK;
}

void net_free(net *t)
{
    gpu_builder_free(&t->b);
    gpu_program_free(&t->p, t->g.allocator);
    gr_free(&t->g);
}

vki_status net_run(const net *t, vkr_plan *plan, float start, vki_error *err)
{
    float x[NET_COUNT];
    net_fill(x, NET_COUNT, start);
    memcpy(vkr_plan_host(plan, &t->up), x, sizeof x);
    for (int i = 0; i < 2; i++) VKB_TRY(vkr_plan_run(plan, i, 0, err));
    if (memcmp(vkr_plan_host(plan, &t->down[0]), x, sizeof x) ||
        memcmp(vkr_plan_host(plan, &t->down[1]), t->weights, sizeof x))
        return vkb_fail(err, VKI_E_INTERNAL, "wrong result");
    return VKI_OK;
}
