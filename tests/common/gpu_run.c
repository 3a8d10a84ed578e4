/* SPDX-License-Identifier: Apache-2.0 */
#include "common/gpu_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/memplan.h"

static vkr_device *shared_device, *pin;
static int messages;

static void on_log(void *user, vki_log_level level, const char *text)
{
    (void)user;
    if (level > VKI_LOG_WARNING) return;
    messages++;
    fprintf(stderr, "vulkan: %s\n", text);
}

static void close_device(void)
{
    vkr_device_destroy(&shared_device);
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && strcmp(value, "0") != 0;
}

vkr_device *gpu_run_device(void)
{
    static bool tried;
    if (tried) return shared_device;
    tried = true;
    vki_context_options o = {.size = sizeof o, .log = on_log};
    vkr_device_create(&o, &vkb_libc_allocator, &pin, NULL);
    o.validation = is_set("VKI_TEST_VALIDATION");
    o.force_staging = is_set("VKI_TEST_STAGING");
    vki_error err;
    vki_status status = vkr_device_create(&o, &vkb_libc_allocator, &shared_device, &err);
    if (status == VKI_OK)
        atexit(close_device);
    else
        fprintf(stderr, "no Vulkan device: %s\n", err.text);
    return shared_device;
}

int gpu_run_messages(void)
{
    return messages;
}

typedef struct node_run {
    vkr_device *device;
    const gr_graph *g;
    const gr_node *node;
    const gpu_kernel *kernel;
    bool half, c4; /* c4: the inputs are there in slices of channels too */
    bool in_place; /* outputs take the inputs' memory where they can */
    int moved;     /* that did */
    gpu_builder builder;
    gpu_program program;
    vkr_transfer *uploads, *downloads; /* by input, by output */
    int *upload_input, *download_output;
    int n_uploads, n_downloads;
    uint64_t arena_bytes, staging_bytes;
    vkr_weights *weights;
    vkr_plan *plan;
} node_run;

static void add_transfer(node_run *r, vkr_transfer *list, int *which, int *count, int32_t buf, gr_id tensor,
                         int i)
{
    uint64_t bytes = gpu_layout_bytes(&r->g->tensors[tensor], GPU_ROW, r->half);
    list[*count] = (vkr_transfer){buf, r->staging_bytes, bytes};
    which[(*count)++] = i;
    r->staging_bytes += vkb_round_up(bytes, vkr_device_limits(r->device)->offset_align);
}

bool gpu_run_slices(const gr_graph *g, gr_id tensor)
{
    const gr_tensor *t = tensor == GR_NONE ? NULL : &g->tensors[tensor];
    return t && !t->data && t->rank >= 2 && gpu_is_float(t->dtype);
}

/* Emits the node and lists what crosses between host and device. */
static vki_status build(node_run *r, vki_error *err)
{
    gpu_builder *b = &r->builder;
    const gr_node *n = r->node;
    const char *why = "";
    VKB_TRY(gpu_builder_init(b, r->g, vkr_device_limits(r->device), r->half, &r->program, err));
    for (int i = 0; r->c4 && i < n->n_in; i++)
        if (gpu_run_slices(r->g, n->in[i])) gpu_tensor_buf(b, n->in[i], GPU_C4);
    if (!gpu_takes(b, n, r->kernel, &why)) return vkb_fail(err, VKI_E_UNSUPPORTED, "%s", why);
    VKB_TRY(gpu_emit(b, 0, r->kernel));
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] == GR_NONE || gr_is_const(r->g, n->in[i]) || b->row_buf[n->in[i]] < 0) continue;
        add_transfer(r, r->uploads, r->upload_input, &r->n_uploads, b->row_buf[n->in[i]], n->in[i], i);
    }
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] == GR_NONE) continue;
        int32_t buf = gpu_tensor_buf(b, n->out[i], GPU_ROW);
        if (buf < 0) return b->failed;
        add_transfer(r, r->downloads, r->download_output, &r->n_downloads, buf, n->out[i], i);
    }
    for (int i = r->program.n_dispatches - 1; getenv("VKI_TEST_SPLIT") && i >= 0; i--)
        VKB_TRY(gpu_split(&r->program, i, 3, r->g->allocator, err));
    return VKI_OK;
}

static int32_t owner(const gpu_program *p, int32_t buf)
{
    return p->bufs[buf].alias >= 0 ? p->bufs[buf].alias : buf;
}

static vki_status share(node_run *r, vki_error *err)
{
    gpu_program *p = &r->program;
    bool *held = vkb_calloc(&vkb_libc_allocator, (size_t)p->n_bufs + 1, sizeof *held);
    if (!held) return vkb_nomem(err, (uint64_t)p->n_bufs);
    for (int i = 0; i < r->n_downloads; i++) held[owner(p, r->downloads[i].buf)] = true;
    r->moved = gpu_program_in_place(p, held);
    vkb_free(&vkb_libc_allocator, held);
    return VKI_OK;
}

/* Inputs and outputs live throughout, so that a second run starts from the same state. */
static vki_status place(node_run *r, vki_error *err)
{
    gpu_program *p = &r->program;
    int32_t end = p->n_dispatches;
    gpu_program_lifetimes(p);
    if (r->in_place) VKB_TRY(share(r, err));
    memplan_item *items = vkb_calloc(&vkb_libc_allocator, (size_t)p->n_bufs + 1, sizeof *items);
    if (!items) return vkb_nomem(err, (uint64_t)p->n_bufs * sizeof *items);
    for (int i = 0; i < p->n_bufs; i++) {
        const gpu_buf *buf = &p->bufs[i];
        bool own = buf->alias < 0;
        items[i] = (memplan_item){own ? buf->bytes : 0, buf->first,
                                  buf->last < buf->first ? buf->first : buf->last, 0};
    }
    for (int i = 0; i < r->n_uploads; i++)
        items[owner(p, r->uploads[i].buf)].first = 0, items[owner(p, r->uploads[i].buf)].last = end;
    for (int i = 0; i < r->n_downloads; i++)
        items[owner(p, r->downloads[i].buf)].first = 0, items[owner(p, r->downloads[i].buf)].last = end;
    uint64_t lower;
    vki_status status = memplan_solve(items, p->n_bufs, vkr_device_limits(r->device)->offset_align,
                                      &vkb_libc_allocator, &r->arena_bytes, &lower, err);
    for (int i = 0; i < p->n_bufs; i++) p->bufs[i].offset = items[owner(p, i)].offset;
    vkb_free(&vkb_libc_allocator, items);
    return status;
}

static void poison(node_run *r)
{
    if (vkr_device_unified(r->device)) {
        for (int i = 0; i < r->program.n_bufs; i++) {
            vkr_transfer all = {i, 0, r->program.bufs[i].bytes};
            memset(vkr_plan_host(r->plan, &all), 0xff, all.bytes);
        }
    } else {
        for (int i = 0; i < r->n_downloads; i++)
            memset(vkr_plan_host(r->plan, &r->downloads[i]), 0xff, r->downloads[i].bytes);
    }
}

static vki_status upload(const node_run *r, const void *const *in, vki_error *err)
{
    for (int i = 0; i < r->n_uploads; i++) {
        const gr_tensor *t = &r->g->tensors[r->node->in[r->upload_input[i]]];
        if (gpu_to_device(vkr_plan_host(r->plan, &r->uploads[i]), in[r->upload_input[i]], t, r->half) >= 0)
            return vkb_fail(err, VKI_E_UNSUPPORTED, "input %d does not fit the device", r->upload_input[i]);
    }
    return VKI_OK;
}

/* false: with `compare`, if it is not what `out` has already */
static bool download(const node_run *r, void *const *out, bool compare)
{
    bool same = true;
    for (int i = 0; i < r->n_downloads; i++) {
        const gr_tensor *t = &r->g->tensors[r->node->out[r->download_output[i]]];
        size_t bytes = (size_t)gr_bytes(t);
        void *to = out[r->download_output[i]], *before = malloc(bytes + 1);
        if (!before) abort();
        memcpy(before, to, bytes);
        gpu_from_device(to, vkr_plan_host(r->plan, &r->downloads[i]), t, r->half);
        same = same && (!compare || !memcmp(before, to, bytes));
        free(before);
    }
    return same;
}

/* The lanes beyond the last channel must be finite in every output in GPU_C4: kernels multiply them by zero.
 */
static bool lanes_finite(const node_run *r)
{
    for (int i = 0; vkr_device_unified(r->device) && i < r->node->n_out; i++) {
        int32_t buf = r->node->out[i] == GR_NONE ? -1 : r->builder.c4_buf[r->node->out[i]];
        if (buf < 0) continue;
        int64_t n, c, slices, spatial;
        gpu_c4_dims(&r->g->tensors[r->node->out[i]], &n, &c, &slices, &spatial);
        const void *host = vkr_plan_host(r->plan, &(vkr_transfer){buf, 0, r->program.bufs[buf].bytes});
        for (int64_t k = 0; k < n * spatial * 4; k++) {
            int64_t lane = k % 4,
                    at = ((k / 4 / spatial * slices + slices - 1) * spatial + k / 4 % spatial) * 4;
            if ((slices - 1) * 4 + lane < c) continue;
            float v = r->half ? vkb_f16_to_f32(((const uint16_t *)host)[at + lane])
                              : ((const float *)host)[at + lane];
            if (!isfinite(v)) return false;
        }
    }
    return true;
}

static vki_status execute(node_run *r, const void *const *in, void *const *out, vki_error *err)
{
    vkr_segment segment = {.n_dispatches = r->program.n_dispatches,
                           .uploads = r->uploads,
                           .downloads = r->downloads,
                           .n_uploads = r->n_uploads,
                           .n_downloads = r->n_downloads};
    vkr_plan_desc desc = {.g = r->g,
                          .program = &r->program,
                          .segments = &segment,
                          .n_segments = 1,
                          .arena_bytes = r->arena_bytes,
                          .staging_bytes = r->staging_bytes};
    VKB_TRY(vkr_weights_create(r->device, &r->weights, err));
    VKB_TRY(vkr_plan_create(r->device, r->weights, &desc, &r->plan, err));
    for (int run = 0; run < 2; run++) {
        poison(r);
        VKB_TRY(upload(r, in, err));
        VKB_TRY(vkr_plan_run(r->plan, 0, 0, err));
        if (!download(r, out, run > 0 || r->in_place))
            return vkb_fail(err, VKI_E_INTERNAL, "kernel %s: two runs give different results%s",
                            r->kernel->name, r->in_place ? ", the second with the output in place" : "");
    }
    if (!lanes_finite(r))
        return vkb_fail(err, VKI_E_INTERNAL, "kernel %s: unused lanes of the output are not finite",
                        r->kernel->name);
    return VKI_OK;
}

static vki_status run_once(node_run r, const void *const *in, void *const *out, vki_error *err)
{
    const vki_allocator *a = &vkb_libc_allocator;
    size_t n_in = (size_t)r.node->n_in + 1, n_out = (size_t)r.node->n_out + 1;
    r.uploads = vkb_calloc(a, n_in, sizeof *r.uploads);
    r.upload_input = vkb_calloc(a, n_in, sizeof *r.upload_input);
    r.downloads = vkb_calloc(a, n_out, sizeof *r.downloads);
    r.download_output = vkb_calloc(a, n_out, sizeof *r.download_output);
    int messages_before = messages;
    vki_status status = build(&r, err);
    if (status == VKI_OK) status = place(&r, err);
    if (status == VKI_OK && (!r.in_place || r.moved)) status = execute(&r, in, out, err);
    if (status == VKI_OK && messages > messages_before)
        status = vkb_fail(err, VKI_E_INTERNAL, "kernel %s: the validation layer complains", r.kernel->name);
    vkr_plan_destroy(&r.plan);
    vkr_weights_destroy(&r.weights);
    gpu_builder_free(&r.builder);
    gpu_program_free(&r.program, r.g->allocator);
    vkb_free(a, r.uploads);
    vkb_free(a, r.upload_input);
    vkb_free(a, r.downloads);
    vkb_free(a, r.download_output);
    return status;
}

/* Where an output can take an input's place, once more so, with the same bits. */
static vki_status run_both(node_run r, const void *const *in, void *const *out, vki_error *err)
{
    VKB_TRY(run_once(r, in, out, err));
    r.in_place = true;
    return run_once(r, in, out, err);
}

vki_status gpu_run_node(vkr_device *dev, const gr_graph *g, const gpu_kernel *kernel, bool half,
                        const void *const *in, void *const *out, vki_error *err)
{
    return run_both((node_run){.device = dev, .g = g, .node = &g->nodes[0], .kernel = kernel, .half = half},
                    in, out, err);
}

vki_status gpu_run_node_c4(vkr_device *dev, const gr_graph *g, const gpu_kernel *kernel, bool half,
                           const void *const *in, void *const *out, vki_error *err)
{
    return run_both(
        (node_run){.device = dev, .g = g, .node = &g->nodes[0], .kernel = kernel, .half = half, .c4 = true},
        in, out, err);
}
