/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/pool.h"
#include "gpu/words.h"

/* Elements that make one output. From MANY on a workgroup's lanes have something to do. lavapipe ends loops
 * after 65535 rounds (Mesa 22.3, 2026), so an invocation takes no more than half of that. */
enum { LANES = 64, MANY = 2 * LANES, MOST_ROUNDS = 32768 };
enum { DIMS = GR_MAX_RANK / 2 };

/* The order is that of the constants in shaders/lib/reduce.glsl. */
static const op_kind functions[] = {OP_ReduceSum, OP_ReduceMean,      OP_ReduceMax,
                                    OP_ReduceMin, OP_ReduceProd,      OP_ReduceL1,
                                    OP_ReduceL2,  OP_ReduceSumSquare, OP_ReduceLogSum};

static uint32_t function_of(op_kind op)
{
    uint32_t i = 0;
    while (i + 1 < VKB_COUNT(functions) && functions[i] != op) i++;
    return i;
}

typedef struct dim_list { /* innermost first; neighbours in memory are one */
    int rank;
    int64_t dims[DIMS], strides[DIMS], count;
} dim_list;

typedef struct reduction {
    dim_list kept, reduced;
} reduction;

static bool split(const gpu_builder *b, const gr_node *n, reduction *r)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    bool mask[GR_MAX_RANK];
    if (!op_reduce_mask(b->g, n, mask)) return false;
    *r = (reduction){.kept = {.count = 1}, .reduced = {.count = 1}};
    int64_t stride = 1;
    const dim_list *last = NULL; /* whose outermost dimension ends where the next begins */
    for (int d = x->rank - 1; d >= 0; d--) {
        if (x->dims[d] == 1) continue;
        dim_list *l = mask[d] ? &r->reduced : &r->kept;
        if (l != last) {
            l->strides[l->rank] = stride;
            l->dims[l->rank++] = 1;
        }
        l->dims[l->rank - 1] *= x->dims[d];
        l->count *= x->dims[d];
        stride *= x->dims[d];
        last = l;
    }
    return true;
}

static bool function_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    if (gpu_is_float(b->g->tensors[n->in[0]].dtype)) return true;
    *why = "no such function of integers on the GPU";
    if (n->op == OP_ReduceL2 || n->op == OP_ReduceLogSum) return false;
    *why = "the sum of its integers may leave 32 bits";
    return n->op != OP_ReduceMean || gpu_sum_fits(b, n);
}

static bool fits_each(const gpu_builder *b, const gr_node *n, const char **why)
{
    reduction r;
    *why = "the axes are not constant";
    if (!split(b, n, &r)) return false;
    *why = "too many elements for each output";
    return r.reduced.count <= MOST_ROUNDS && function_fits(b, n, why);
}

static bool fits_group(const gpu_builder *b, const gr_node *n, const char **why)
{
    reduction r;
    *why = "the axes are not constant";
    if (!split(b, n, &r)) return false;
    *why = "too few or too many elements for each output";
    return r.reduced.count >= MANY && r.reduced.count <= (int64_t)MOST_ROUNDS * LANES &&
           function_fits(b, n, why);
}

/* Mean or maximum of whole channels that lie in slices already: what the global pools do. */
static bool fits_channels(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]];
    bool mask[GR_MAX_RANK], channels = x->rank >= 3;
    *why = "not the mean or maximum of whole channels in slices";
    if (n->op != OP_ReduceMean && n->op != OP_ReduceMax) return false;
    if (!op_reduce_mask(b->g, n, mask) || !gpu_has_layout(b, n->in[0], GPU_C4)) return false;
    for (int d = 0; d < x->rank; d++) channels = channels && mask[d] == (d >= 2);
    return channels;
}

static void push_dims(gpu_dispatch *d, const dim_list *l)
{
    for (int i = 0; i < DIMS; i++) gpu_push(d, i < l->rank ? l->dims[i] : 1);
    for (int i = 0; i < DIMS; i++) gpu_push(d, i < l->rank ? l->strides[i] : 0);
}

static void finish(gpu_builder *b, gpu_dispatch *d, const gr_node *n, const reduction *r)
{
    gpu_spec(d, function_of(n->op));
    gpu_spec(d, (uint32_t)r->kept.rank);
    gpu_spec(d, (uint32_t)r->reduced.rank);
    gpu_spec(d, gpu_kind_of(b->g->tensors[n->in[0]].dtype)); /* of words */
    gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
    gpu_push(d, r->kept.count);
    gpu_push(d, r->reduced.count);
    push_dims(d, &r->kept);
    push_dims(d, &r->reduced);
}

static void emit_each(gpu_builder *b, const gr_node *n)
{
    reduction r;
    if (!split(b, n, &r)) return;
    bool words = gpu_is_integer(b->g->tensors[n->in[0]].dtype);
    gpu_dispatch *d = gpu_dispatch_begin(b, words ? SH_reduce_each_words : GPU_SHADER(b, reduce_each));
    gpu_grid_flat(b, d, r.kept.count);
    finish(b, d, n, &r);
}

static void emit_group(gpu_builder *b, const gr_node *n)
{
    reduction r;
    if (!split(b, n, &r)) return;
    bool words = gpu_is_integer(b->g->tensors[n->in[0]].dtype);
    gpu_dispatch *d = gpu_dispatch_begin(b, words ? SH_reduce_group_words : GPU_SHADER(b, reduce_group));
    gpu_grid(b, d, vkb_min(r.kept.count, b->limits->max_groups[0]) * LANES, 1, 1, LANES, 1, 1);
    gpu_spec(d, LANES);
    finish(b, d, n, &r);
}

static void emit_channels(gpu_builder *b, const gr_node *n)
{
    gpu_emit_pool_global(b, n, n->op == OP_ReduceMean ? GPU_POOL_MEAN_INSIDE : GPU_POOL_MAX, 0);
}

static const gpu_kernel kernels[] = {
    {"reduce_channels", fits_channels, emit_channels, GPU_FLOATS},
    {"reduce_group", fits_group, emit_group, GPU_ANY},
    {"reduce_each", fits_each, emit_each, GPU_ANY},
    {0},
};
const gpu_op gpu_op_reduce = {kernels};
