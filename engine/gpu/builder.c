/* SPDX-License-Identifier: Apache-2.0
 * Collects the dispatches of a program: which buffers tensors live in, conversions between layouts, views,
 * weights. What kernels call to write one dispatch is in dispatch.c. */
#include "gpu/texels.h"

#include <stdio.h>
#include <string.h>

/* Another shape of the positions: the slices of channels stay as they are. */
static bool keeps_slices(const gr_tensor *from, const gr_tensor *to)
{
    return from->rank >= 2 && to->rank >= 2 && from->dims[0] == to->dims[0] && from->dims[1] == to->dims[1];
}

static bool wants_rows(const gr_graph *g, const gr_node *n)
{
    const gr_tensor *x = &g->tensors[n->in[0]], *y = &g->tensors[n->out[0]];
    if (n->op == OP_Transpose) return y->rank >= 2 && ((const op_transpose_attrs *)n->attrs)->perm.v[1] != 1;
    if (n->op == OP_MatMul || n->op == OP_Gemm) return true;
    return op_get(n->op)->flags & OP_VIEW && !keeps_slices(x, y);
}

/* Backwards, since who reads slices under another name reads them. */
static void find_readers(gpu_builder *b)
{
    for (gr_id i = b->g->n_nodes - 1; i >= 0; i--) {
        const gr_node *n = &b->g->nodes[i];
        const bool whole = n->n_in > 0 && n->n_out > 0 && n->in[0] != GR_NONE && n->out[0] != GR_NONE;
        const bool name = whole && op_get(n->op)->flags & OP_VIEW &&
                          keeps_slices(&b->g->tensors[n->in[0]], &b->g->tensors[n->out[0]]);
        uint8_t how = whole && wants_rows(b->g, n) ? GPU_READ_ROWS : GPU_READ_ANY;
        if (name) how = b->readers[n->out[0]];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] != GR_NONE) b->readers[n->in[k]] |= how;
    }
}

vki_status gpu_builder_init(gpu_builder *b, const gr_graph *g, const gpu_limits *limits, bool half,
                            gpu_program *p, vki_error *err)
{
    memset(b, 0, sizeof *b);
    memset(p, 0, sizeof *p);
    b->g = g;
    b->limits = limits;
    b->allocator = g->allocator;
    b->half = half;
    b->program = p;
    b->node = GR_NONE;
    b->err = err;
    size_t count = (size_t)(g->n_tensors > 0 ? g->n_tensors : 1), bytes = count * sizeof *b->row_buf;
    b->row_buf = vkb_alloc(b->allocator, bytes);
    b->c4_buf = vkb_alloc(b->allocator, bytes);
    b->ranges = vkb_calloc(b->allocator, count, sizeof *b->ranges);
    b->readers = vkb_calloc(b->allocator, count, 1);
    if (!b->row_buf || !b->c4_buf || !b->ranges || !b->readers) {
        gpu_builder_free(b);
        return vkb_nomem(err, count * sizeof *b->ranges);
    }
    memset(b->row_buf, 0xff, bytes);
    memset(b->c4_buf, 0xff, bytes);
    gpu_ranges_find(b);
    find_readers(b);
    return VKI_OK;
}

void gpu_builder_free(gpu_builder *b)
{
    if (!b->allocator) return;
    vkb_free(b->allocator, b->row_buf);
    vkb_free(b->allocator, b->c4_buf);
    vkb_free(b->allocator, b->slots);
    vkb_free(b->allocator, b->merges);
    vkb_free(b->allocator, b->ranges);
    vkb_free(b->allocator, b->readers);
    b->row_buf = b->c4_buf = NULL;
    b->slots = NULL;
    b->merges = NULL;
    b->ranges = NULL;
    b->readers = NULL;
}

void gpu_program_free(gpu_program *p, const vki_allocator *a)
{
    vkb_free(a, p->dispatches);
    vkb_free(a, p->bufs);
    vkb_free(a, p->weights);
    vkb_free(a, p->weight_slots);
    memset(p, 0, sizeof *p);
}

void gpu_fail(gpu_builder *b, vki_status code, const char *format, ...)
{
    if (b->failed) return;
    b->failed = code;
    char text[sizeof b->err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (b->node == GR_NONE) {
        vkb_fail(b->err, code, "%s", text);
    } else {
        const gr_node *n = &b->g->nodes[b->node];
        vkb_fail_node(b->err, code, n->name, op_get(n->op)->name, "%s", text);
    }
}

static int32_t *buf_slot(gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    return &(layout == GPU_C4 ? b->c4_buf : b->row_buf)[tensor];
}

static int32_t add_buf(gpu_builder *b, gpu_buf buf)
{
    gpu_program *p = b->program;
    buf.bytes = vkb_round_up(buf.bytes, 16);
    if (!VKB_GROW(b->allocator, p->bufs, p->cap_bufs, p->n_bufs + 1)) {
        gpu_fail(b, VKI_E_NOMEM, "out of memory: the list of buffers cannot grow");
        return -1;
    }
    p->bufs[p->n_bufs] = buf;
    return p->n_bufs++;
}

static bool may_be_c4(const gr_tensor *t)
{
    return t->rank >= 2 && gpu_is_float(t->dtype);
}

int32_t gpu_make_buf(gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    const gr_tensor *t = &b->g->tensors[tensor];
    if (!gr_is_concrete(t) || gr_elements(t) <= 0) {
        gpu_fail(b, VKI_E_INTERNAL, "tensor %s is empty or has no known shape", t->name);
    } else if (layout == GPU_C4 && !may_be_c4(t)) {
        gpu_fail(b, VKI_E_INTERNAL, "tensor %s (%s of rank %d) cannot be stored in channel slices", t->name,
                 vki_dtype_name(t->dtype), t->rank);
    }
    if (b->failed) return -1;
    int32_t slot = gpu_slot_buf(b, tensor, layout);
    if (slot >= 0 || b->failed) return slot;
    gpu_buf buf = {.tensor = tensor,
                   .layout = layout,
                   .bytes = gpu_layout_bytes(t, layout, b->half),
                   .alias = -1,
                   .last = -1};
    return *buf_slot(b, tensor, layout) = add_buf(b, buf);
}

int32_t gpu_make_alias(gpu_builder *b, gr_id tensor, gpu_layout layout, int32_t of, uint64_t at)
{
    const gpu_buf *target = &b->program->bufs[of];
    gpu_buf buf = {.tensor = tensor,
                   .layout = layout,
                   .bytes = gpu_layout_bytes(&b->g->tensors[tensor], layout, b->half),
                   .alias = target->alias >= 0 ? target->alias : of,
                   .at = target->at + at,
                   .last = -1};
    return *buf_slot(b, tensor, layout) = add_buf(b, buf);
}

/* Whether the bytes in layout `from` serve as those in `to`: equal, or (one batch, one position) the row is
 * the beginning of the slices. */
static bool reads_as(const gr_tensor *t, gpu_layout from, gpu_layout to)
{
    if (gpu_layouts_agree(t)) return true;
    return from == GPU_C4 && to == GPU_ROW && t->dims[0] == 1 && gr_elements(t) == t->dims[1];
}

static enum gpu_shader converter(const gpu_builder *b, gpu_layout to, bool in_fours, uint8_t access)
{
    if (!in_fours)
        return to == GPU_C4 ? GPU_SHADER(b, layout_c4_from_row) : GPU_SHADER(b, layout_row_from_c4);
    return to == GPU_C4 ? GPU_SHADER_FOR(b, access, layout_c4_from_row4)
                        : GPU_SHADER_FOR(b, access, layout_row4_from_c4);
}

static int32_t convert(gpu_builder *b, gr_id tensor, gpu_layout to, int32_t from)
{
    const gr_tensor *t = &b->g->tensors[tensor];
    if (to == GPU_C4 && !may_be_c4(t)) return gpu_make_buf(b, tensor, to); /* fails with the reason */
    if (reads_as(t, b->program->bufs[from].layout, to)) return gpu_make_alias(b, tensor, to, from, 0);
    int32_t made = gpu_make_buf(b, tensor, to);
    if (made < 0) return -1;
    int64_t n, c, slices, spatial;
    gpu_c4_dims(t, &n, &c, &slices, &spatial);
    bool in_fours = spatial % 4 == 0;
    if (in_fours) spatial /= 4;
    uint8_t access = in_fours ? gpu_read_access_of(b, b->program->bufs[from].bytes) : GPU_READ;
    gpu_dispatch made_by = {.node = b->node, .converts = true}, *d = &made_by;
    d->shader = (uint16_t)converter(b, to, in_fours, access);
    gpu_bind_add(d, (gpu_bind){GPU_SPACE_ARENA, 0, from, 0, 0}, access);
    gpu_bind_add(d, (gpu_bind){GPU_SPACE_ARENA, 0, made, 0, 0}, GPU_WRITE);
    const uint32_t
        lx = 16,
        ly = 4; /* of one form, for few pipelines; the shader strides over what the grid leaves out */
    gpu_grid(b, d, vkb_min(spatial, (int64_t)b->limits->max_groups[0] * lx),
             vkb_min(slices, (int64_t)b->limits->max_groups[1] * ly), vkb_min(n, b->limits->max_groups[2]),
             lx, ly, 1);
    gpu_push(d, n);
    gpu_push(d, c);
    gpu_push(d, slices);
    gpu_push(d, spatial);
    gpu_dispatch_append(b, d);
    return b->failed ? -1 : made;
}

int32_t gpu_tensor_buf(gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    if (b->failed) return -1;
    if (tensor < 0 || tensor >= b->g->n_tensors || gr_is_const(b->g, tensor)) {
        gpu_fail(b, VKI_E_INTERNAL, "tensor %d is absent or constant and has no buffer", (int)tensor);
        return -1;
    }
    int32_t have = *buf_slot(b, tensor, layout);
    if (have >= 0) return have;
    int32_t other = *buf_slot(b, tensor, layout == GPU_C4 ? GPU_ROW : GPU_C4);
    if (other < 0) { /* comes from the host: an input, or what a CPU node makes */
        other = gpu_make_buf(b, tensor, GPU_ROW);
        if (other < 0 || layout == GPU_ROW) return other;
    }
    return convert(b, tensor, layout, other);
}

static gpu_bind const_in(gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    const gr_tensor *t = &b->g->tensors[tensor];
    if (gr_elements(t) <= 0 || (layout == GPU_C4 && !may_be_c4(t))) {
        gpu_fail(b, VKI_E_UNSUPPORTED,
                 "constant %s (%s of rank %d) cannot be read by a GPU kernel in this layout", t->name,
                 vki_dtype_name(t->dtype), t->rank);
        return (gpu_bind){0};
    }
    gpu_pack_arg arg = {.half = b->half && gpu_is_float(t->dtype),
                        .v = {(int32_t)t->dtype}}; /* equal bytes may differ */
    uint64_t bytes = vkb_round_up(gpu_layout_bytes(t, layout, b->half), 16);
    return gpu_pack(b, tensor, layout == GPU_C4 ? gpu_pack_c4 : gpu_pack_row, arg, bytes);
}

gpu_bind gpu_in(gpu_builder *b, const gr_node *n, int i, gpu_layout layout)
{
    if (b->failed) return (gpu_bind){0};
    if (i < 0 || i >= n->n_in || n->in[i] == GR_NONE) {
        gpu_fail(b, VKI_E_INTERNAL, "the kernel reads input %d, which is absent", i);
        return (gpu_bind){0};
    }
    if (gr_is_const(b->g, n->in[i])) return const_in(b, n->in[i], layout);
    int32_t index = gpu_tensor_buf(b, n->in[i], layout);
    return index < 0 ? (gpu_bind){0} : (gpu_bind){GPU_SPACE_ARENA, 0, index, 0, 0};
}

gpu_bind gpu_out(gpu_builder *b, const gr_node *n, int i, gpu_layout layout)
{
    if (b->failed) return (gpu_bind){0};
    if (i < 0 || i >= n->n_out || n->out[i] == GR_NONE) {
        gpu_fail(b, VKI_E_INTERNAL, "the kernel writes output %d, which is absent", i);
        return (gpu_bind){0};
    }
    int32_t index = *buf_slot(b, n->out[i], layout);
    if (index < 0) index = gpu_make_buf(b, n->out[i], layout);
    return index < 0 ? (gpu_bind){0} : (gpu_bind){GPU_SPACE_ARENA, 0, index, 0, 0};
}

gpu_bind gpu_scratch(gpu_builder *b, uint64_t bytes)
{
    if (b->failed) return (gpu_bind){0};
    int32_t index =
        add_buf(b, (gpu_buf){.tensor = GR_NONE, .bytes = bytes ? bytes : 16, .alias = -1, .last = -1});
    return index < 0 ? (gpu_bind){0} : (gpu_bind){GPU_SPACE_ARENA, 0, index, 0, 0};
}

static uint64_t weight_hash(const gr_graph *g, const gpu_weight *w)
{
    return vkb_hash(&w->arg, sizeof w->arg, gpu_weight_key(g, w->tensor) ^ w->bytes);
}

static bool same_weight(const gr_graph *g, const gpu_weight *a, const gpu_weight *b)
{
    return a->pack == b->pack && a->bytes == b->bytes &&
           gpu_weight_key(g, a->tensor) == gpu_weight_key(g, b->tensor) &&
           memcmp(&a->arg, &b->arg, sizeof a->arg) == 0;
}

/* Where the weight's index is, or where it goes. */
static int32_t *weight_slot(const gr_graph *g, const gpu_program *p, const gpu_weight *w)
{
    const uint64_t mask = (uint64_t)p->n_weight_slots - 1;
    uint64_t slot = weight_hash(g, w) & mask;
    while (p->weight_slots[slot] >= 0 && !same_weight(g, &p->weights[p->weight_slots[slot]], w))
        slot = (slot + 1) & mask;
    return &p->weight_slots[slot];
}

static bool reserve_weight(gpu_builder *b)
{
    gpu_program *p = b->program;
    if (!VKB_GROW(b->allocator, p->weights, p->cap_weights, p->n_weights + 1)) return false;
    if (2 * p->n_weights < p->n_weight_slots) return true;
    const int wanted = p->n_weight_slots ? 2 * p->n_weight_slots : 64;
    int32_t *slots = vkb_alloc(b->allocator, (size_t)wanted * sizeof *slots);
    if (!slots) return false;
    vkb_free(b->allocator, p->weight_slots);
    p->weight_slots = slots;
    p->n_weight_slots = wanted;
    for (int i = 0; i < wanted; i++) slots[i] = -1;
    for (int32_t i = 0; i < p->n_weights; i++) *weight_slot(b->g, p, &p->weights[i]) = i;
    return true;
}

gpu_bind gpu_pack(gpu_builder *b, gr_id tensor, gpu_pack_fn pack, gpu_pack_arg arg, uint64_t bytes)
{
    if (b->failed) return (gpu_bind){0};
    if ((tensor != GR_NONE && !gr_is_const(b->g, tensor)) || bytes == 0) {
        gpu_fail(b, VKI_E_INTERNAL, "tensor %d is not a constant that can be packed", (int)tensor);
        return (gpu_bind){0};
    }
    gpu_program *p = b->program;
    if (!reserve_weight(b)) {
        gpu_fail(b, VKI_E_NOMEM, "out of memory: the list of weights cannot grow");
        return (gpu_bind){0};
    }
    const gpu_weight w = {tensor, pack, arg, bytes};
    int32_t *slot = weight_slot(b->g, p, &w);
    if (*slot < 0) {
        *slot = p->n_weights;
        p->weights[p->n_weights++] = w;
    }
    return (gpu_bind){GPU_SPACE_WEIGHTS, 0, *slot, 0, 0};
}

void gpu_alias(gpu_builder *b, const gr_node *n)
{
    if (b->failed) return;
    if (n->n_in < 1 || n->n_out < 1 || n->in[0] == GR_NONE || n->out[0] == GR_NONE) {
        gpu_fail(b, VKI_E_INTERNAL, "a view needs an input and an output");
        return;
    }
    const gr_tensor *from = &b->g->tensors[n->in[0]], *to = &b->g->tensors[n->out[0]];
    if (gr_elements(from) != gr_elements(to)) {
        gpu_fail(b, VKI_E_INTERNAL, "a view of %lld elements over %lld", (long long)gr_elements(to),
                 (long long)gr_elements(from));
        return;
    }
    bool slices = (gr_same_shape(from, to) || keeps_slices(from, to)) && b->row_buf[n->in[0]] < 0 &&
                  b->c4_buf[n->in[0]] >= 0;
    gpu_layout layout =
        slices ? GPU_C4 : GPU_ROW; /* another type's name for the same elements keeps them so */
    int32_t source = gpu_tensor_buf(b, n->in[0], layout);
    if (source >= 0) gpu_make_alias(b, n->out[0], layout, source, 0);
}

bool gpu_has_layout(const gpu_builder *b, gr_id tensor, gpu_layout layout)
{
    const gr_tensor *t = &b->g->tensors[tensor];
    if (layout == GPU_C4 && !may_be_c4(t)) return false;
    if (gr_is_const(b->g, tensor)) return true;
    const int32_t *wanted = layout == GPU_C4 ? b->c4_buf : b->row_buf;
    const int32_t *other = layout == GPU_C4 ? b->row_buf : b->c4_buf;
    if (wanted[tensor] >= 0) return true;
    if (other[tensor] >= 0) return reads_as(t, layout == GPU_C4 ? GPU_ROW : GPU_C4, layout);
    return layout == GPU_ROW || gpu_layouts_agree(t); /* the host brings rows */
}
