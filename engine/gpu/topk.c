/* SPDX-License-Identifier: Apache-2.0
 * TopK by counting. What a line has more than CHUNK elements of is cut down to the best of each chunk first.
 */
#include "gpu/lines.h"

enum { CHUNK = 512 };

typedef struct ranking { /* one dispatch */
    int64_t count;       /* elements of a line that are ranked */
    int64_t chunk;       /* at once */
    int64_t kept;        /* elements of a line that are left */
} ranking;

static gpu_lines lines_of(const gpu_builder *b, const gr_node *n)
{
    return gpu_lines_of(&b->g->tensors[n->in[0]], ((const op_topk_attrs *)n->attrs)->axis);
}

static int64_t k_of(const gpu_builder *b, const gr_node *n)
{
    return gpu_lines_of(&b->g->tensors[n->out[0]], ((const op_topk_attrs *)n->attrs)->axis).size;
}

/* A chunk has at least four times k elements, so that a line shrinks to less than half. */
static ranking rank(int64_t count, int64_t k)
{
    int64_t chunk = vkb_max(4 * k, CHUNK);
    if (count <= chunk || (count <= 2 * chunk && count <= GPU_LINE_ROUNDS)) chunk = count;
    int64_t whole = count / chunk, rest = count - whole * chunk;
    return (ranking){count, chunk, whole * vkb_min(k, chunk) + vkb_min(k, rest)};
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    gpu_lines l = lines_of(b, n);
    *why = "so many of lines so long that one invocation would take too much time";
    return rank(l.size, k_of(b, n)).chunk <= GPU_LINE_ROUNDS;
}

/* One of the two may be absent. */
static gpu_bind output(gpu_builder *b, const gr_node *n, int i)
{
    if (i < n->n_out && n->out[i] != GR_NONE) return gpu_out(b, n, i, GPU_ROW);
    return gpu_scratch(b, (uint64_t)gr_elements(&b->g->tensors[n->out[1 - i]]) * 4);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const op_topk_attrs *a = n->attrs;
    vki_dtype dtype = b->g->tensors[n->in[0]].dtype;
    gpu_lines l = lines_of(b, n);
    int64_t k = k_of(b, n), count = l.size;
    gpu_bind x = gpu_in(b, n, 0, GPU_ROW), from = x, y = output(b, n, 0);
    for (bool final = false; !final && !b->failed;) {
        ranking r = rank(count, k);
        final = r.chunk == r.count;
        gpu_bind to = final ? output(b, n, 1) : gpu_scratch(b, (uint64_t)(l.count * r.kept) * 4);
        gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_BY(b, dtype, topk_rank));
        gpu_bind_add(d, x, GPU_READ);
        gpu_bind_add(d, from, GPU_READ);
        gpu_bind_add(d, y, GPU_WRITE);
        gpu_bind_add(d, to, GPU_WRITE);
        gpu_grid_flat(b, d, l.count * r.count);
        gpu_spec(d, count == l.size);
        gpu_spec(d, final);
        gpu_spec(d, gpu_key_flip(dtype, !a->largest));
        const int64_t words[] = {l.count * r.count, l.size, l.inner, r.count, r.chunk, k, r.kept};
        for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
        from = to;
        count = r.kept;
    }
}

static const gpu_kernel kernels[] = {{"topk_rank", fits, emit, GPU_ANY}, {0}};
const gpu_op gpu_op_topk = {kernels};
