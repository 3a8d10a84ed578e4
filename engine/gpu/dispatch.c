/* SPDX-License-Identifier: Apache-2.0
 * How a kernel writes one dispatch, and the check of what it wrote. The writers have no builder to report to,
 * so they mark a dispatch as overfull, which gpu_emit finds. */
#include "gpu/gpu.h"

#include <string.h>

enum { OVERFULL = UINT8_MAX };

void gpu_dispatch_append(gpu_builder *b, const gpu_dispatch *d)
{
    gpu_program *p = b->program;
    if (b->failed) return;
    if (!VKB_GROW(b->allocator, p->dispatches, p->cap_dispatches, p->n_dispatches + 1))
        gpu_fail(b, VKI_E_NOMEM, "out of memory: the list of dispatches cannot grow");
    else
        p->dispatches[p->n_dispatches++] = *d;
}

static void close_open(gpu_builder *b)
{
    if (b->is_open) gpu_dispatch_append(b, &b->open);
    b->is_open = false;
}

gpu_dispatch *gpu_dispatch_begin(gpu_builder *b, enum gpu_shader shader)
{
    close_open(b);
    memset(&b->open, 0, sizeof b->open);
    b->open.node = b->node;
    b->open.shader = (uint16_t)shader;
    b->is_open = true;
    return &b->open;
}

void gpu_bind_add(gpu_dispatch *d, gpu_bind bind, uint8_t access)
{
    if (d->n_bind >= GPU_MAX_BINDINGS) {
        d->n_bind = OVERFULL;
        return;
    }
    bind.access = access;
    d->bind[d->n_bind++] = bind;
}

void gpu_touches(gpu_dispatch *d, int64_t bytes)
{
    if (d->n_bind && d->n_bind <= GPU_MAX_BINDINGS) d->touched[d->n_bind - 1] = (uint64_t)bytes;
}

void gpu_spec(gpu_dispatch *d, uint32_t value)
{
    if (d->n_spec >= GPU_MAX_SPEC)
        d->n_spec = OVERFULL;
    else
        d->spec[d->n_spec++] = value;
}

void gpu_push(gpu_dispatch *d, int64_t value)
{
    if (d->n_push >= GPU_MAX_PUSH || value < INT32_MIN || value > INT32_MAX)
        d->n_push = OVERFULL;
    else
        d->push[d->n_push++] = (uint32_t)(int32_t)value;
}

void gpu_push_f32(gpu_dispatch *d, float value)
{
    if (d->n_push >= GPU_MAX_PUSH)
        d->n_push = OVERFULL;
    else
        memcpy(&d->push[d->n_push++], &value, sizeof value);
}

void gpu_grid(gpu_builder *b, gpu_dispatch *d, int64_t x, int64_t y, int64_t z, uint32_t lx, uint32_t ly,
              uint32_t lz)
{
    const int64_t invocations[3] = {x, y, z};
    const uint32_t local[3] = {lx, ly, lz};
    const gpu_limits *limits = b->limits;
    if ((uint64_t)lx * ly * lz > limits->max_invocations) {
        gpu_fail(b, VKI_E_INTERNAL, "a workgroup of %u x %u x %u; the device takes %u invocations", lx, ly,
                 lz, limits->max_invocations);
        return;
    }
    for (int i = 0; i < 3; i++) {
        int64_t groups = local[i] ? vkb_ceil_div(invocations[i], local[i]) : 0;
        if (groups < 1 || groups > limits->max_groups[i] || local[i] > limits->max_group_size[i]) {
            gpu_fail(b, VKI_E_UNSUPPORTED,
                     "%lld workgroups of %u invocations in dimension %d; the device takes 1 to %u of %u",
                     (long long)groups, local[i], i, limits->max_groups[i], limits->max_group_size[i]);
            return;
        }
        d->groups[i] = (uint32_t)groups;
    }
    for (int i = 0; i < 3; i++) gpu_spec(d, local[i]);
}

void gpu_grid_flat(gpu_builder *b, gpu_dispatch *d, int64_t count)
{
    const uint32_t local = 64; /* within every device's limits */
    int64_t groups = vkb_ceil_div(count, local), rows = vkb_ceil_div(groups, b->limits->max_groups[0]);
    gpu_grid(b, d, rows > 1 ? vkb_ceil_div(groups, rows) * local : count, rows, 1, local, 1, 1);
}

void gpu_epilogue(gpu_builder *b, gpu_dispatch *d, const gr_node *n, gpu_layout layout, gpu_bind dummy)
{
    const gr_epilogue *e = &n->epilogue;
    gpu_spec(d, e->act);
    gpu_spec(d, e->residual);
    gpu_push_f32(d, e->alpha);
    gpu_push_f32(d, e->beta);
    bool none = e->residual == GR_RESIDUAL_NONE;
    gpu_bind_add(d, none ? dummy : gpu_in(b, n, n->n_in - 1, layout), GPU_READ | GPU_SAME);
}

void gpu_out_channels(gpu_builder *b, gpu_dispatch *d, const gr_node *n, int64_t channels)
{
    const bool rows = b->readers[n->out[0]] == GPU_READ_ROWS && n->epilogue.residual == GR_RESIDUAL_NONE &&
                      !gpu_layouts_agree(&b->g->tensors[n->out[0]]);
    const gpu_bind out = gpu_out(b, n, 0, rows ? GPU_ROW : GPU_C4);
    gpu_spec(d, rows);
    gpu_bind_add(d, out, GPU_WRITE);
    gpu_bind_add(d, out, GPU_WRITE);
    gpu_push(d, channels);
}

static bool bind_fits(const gpu_builder *b, const gpu_bind *bind)
{
    const gpu_program *p = b->program;
    bool weight = bind->space == GPU_SPACE_WEIGHTS;
    if (bind->index < 0 || bind->index >= (weight ? p->n_weights : p->n_bufs)) return false;
    uint64_t size = weight ? p->weights[bind->index].bytes : p->bufs[bind->index].bytes;
    return bind->offset < size && bind->bytes <= size - bind->offset &&
           bind->offset % b->limits->offset_align == 0;
}

static void check_dispatch(gpu_builder *b, const gpu_kernel *kernel, const gpu_dispatch *d)
{
    if (d->n_bind > GPU_MAX_BINDINGS || d->n_spec > GPU_MAX_SPEC || d->n_push > GPU_MAX_PUSH) {
        gpu_fail(b, VKI_E_INTERNAL,
                 "kernel %s writes more bindings or constants than a dispatch has, or a value over 32 bits",
                 kernel->name);
        return;
    }
    if (!d->groups[0] || !d->groups[1] || !d->groups[2] || d->shader >= SH_COUNT) {
        gpu_fail(b, VKI_E_INTERNAL, "kernel %s writes a dispatch without a grid", kernel->name);
        return;
    }
    for (int i = 0; i < d->n_bind; i++) {
        const gpu_bind *bind = &d->bind[i];
        if (!bind_fits(b, bind)) {
            gpu_fail(b, VKI_E_INTERNAL, "kernel %s: binding %d is outside of its buffer", kernel->name, i);
            return;
        }
        uint64_t size = bind->space == GPU_SPACE_WEIGHTS ? b->program->weights[bind->index].bytes
                                                         : b->program->bufs[bind->index].bytes;
        uint64_t bytes = bind->bytes ? bind->bytes : size - bind->offset;
        if (bytes > b->limits->max_range)
            gpu_fail(b, VKI_E_UNSUPPORTED, "kernel %s binds %llu bytes; the device takes %llu", kernel->name,
                     (unsigned long long)bytes, (unsigned long long)b->limits->max_range);
        if ((bind->access & GPU_TEXELS_F32 && bytes / 16 > b->limits->max_texels) ||
            (bind->access & GPU_TEXELS_F16 && bytes / 8 > b->limits->max_texels))
            gpu_fail(b, VKI_E_UNSUPPORTED, "kernel %s reads %llu bytes as texels; the device takes %u texels",
                     kernel->name, (unsigned long long)bytes, b->limits->max_texels);
    }
}

vki_status gpu_emit(gpu_builder *b, gr_id node, const gpu_kernel *kernel)
{
    if (b->failed) return b->failed;
    const gr_node *n = &b->g->nodes[node];
    const gpu_merge *merge = b->merges ? &b->merges[node] : NULL;
    if (merge && merge->into != GR_NONE) return VKI_OK; /* made there */
    if (merge && merge->kernel) kernel = merge->kernel;
    int first = b->program->n_dispatches;
    b->node = node;
    kernel->emit(b, n);
    close_open(b);
    if (!b->failed) gpu_share_macs(b, node, first);
    for (int i = first; i < b->program->n_dispatches && !b->failed; i++)
        check_dispatch(b, kernel, &b->program->dispatches[i]);
    bool merged = merge && merge->kernel; /* its output may be wanted in the parts that later nodes make */
    for (int i = 0; i < n->n_out && !b->failed && !merged; i++)
        if (n->out[i] != GR_NONE && b->row_buf[n->out[i]] < 0 && b->c4_buf[n->out[i]] < 0)
            gpu_fail(b, VKI_E_INTERNAL, "kernel %s does not make output %d", kernel->name, i);
    return b->failed;
}

vki_status gpu_foresee(gpu_builder *b, gr_id node, const gpu_kernel *kernel)
{
    vki_error *err = b->err;
    b->err = NULL;
    vki_status status = gpu_emit(b, node, kernel);
    b->err = err;
    b->failed = VKI_OK;
    b->is_open = false;
    return status == VKI_E_NOMEM ? vkb_nomem(err, sizeof(gpu_dispatch)) : VKI_OK;
}

bool gpu_same_pipeline(const gpu_dispatch *a, const gpu_dispatch *b)
{
    return a->shader == b->shader && !a->parts == !b->parts && a->n_bind == b->n_bind &&
           a->n_push == b->n_push && a->n_spec == b->n_spec &&
           !memcmp(a->spec, b->spec, a->n_spec * sizeof a->spec[0]);
}

int gpu_count_pipelines(const gpu_program *p)
{
    int distinct = 0;
    for (int i = 0; i < p->n_dispatches; i++) {
        int k = 0;
        while (!gpu_same_pipeline(&p->dispatches[k], &p->dispatches[i])) k++;
        distinct += k == i;
    }
    return distinct;
}
