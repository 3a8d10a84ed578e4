/* SPDX-License-Identifier: Apache-2.0 */
#include "common/node_check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { GUARD = 64 }; /* floats before and after each output */

static const vki_allocator *const heap = &vkb_libc_allocator;

void node_check_begin(node_check *c, uint64_t seed)
{
    memset(c, 0, sizeof *c);
    gr_init(&c->g, heap);
    c->random = seed * 0x9e3779b97f4a7c15u + 1;
}

int64_t node_check_random(node_check *c, int64_t low, int64_t high)
{
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    return low + (int64_t)((c->random >> 33) % (uint64_t)(high - low + 1));
}

static void fill(node_check *c, float *p, int64_t n, float low, float high)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = low + (high - low) * (float)node_check_random(c, 0, 1 << 24) / (float)(1 << 24);
}

void node_check_input(node_check *c, int rank, const int64_t *dims, bool constant, float low, float high)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    float *p = vkb_alloc(heap, (size_t)n * sizeof *p); /* exact: the sanitizer sees reads beyond the end */
    assert_non_null(p);
    fill(c, p, n, low, high);
    c->data[c->n_in] = p;
    c->in[c->n_in++] = constant ? gr_add_const(&c->g, NULL, VKI_F32, rank, dims, p, false)
                                : gr_add_tensor(&c->g, NULL, VKI_F32, rank, dims);
}

void node_check_absent(node_check *c)
{
    c->in[c->n_in++] = GR_NONE;
}

gr_node *node_check_node(node_check *c, op_kind op)
{
    gr_id out = gr_add_tensor(&c->g, "y", VKI_DT_NONE, -1, NULL);
    gr_node *n = gr_add_node(&c->g, op, "node", c->n_in, c->in, 1, &out);
    assert_non_null(n);
    return n;
}

static void add_epilogue(node_check *c, gr_node *n)
{
    /* not FakeQuantize, the last one: the least difference of sums can be a whole step of it */
    n->epilogue.act = (gr_act)node_check_random(c, 0, GR_ACT_FAKE_QUANTIZE - 1);
    if (op_get(n->op)->flags & OP_CAN_RESIDUAL)
        n->epilogue.residual = (gr_residual)node_check_random(c, 0, 2);
    bool clip = n->epilogue.act == GR_ACT_CLIP;
    n->epilogue.alpha = clip ? -0.5f : 0.2f;
    n->epilogue.beta = clip ? 0.75f : 0.5f;
    if (n->epilogue.residual == GR_RESIDUAL_NONE) return;
    const gr_tensor y = c->g.tensors[n->out[0]];
    node_check_input(c, y.rank, y.dims, false, -1, 1);
    assert_true(gr_set_inputs(&c->g, n, c->n_in, c->in));
}

static float *guarded(int64_t n)
{
    float *p = vkb_alloc(heap, (size_t)(n + 2 * GUARD) * sizeof *p);
    assert_non_null(p);
    for (int64_t i = 0; i < n + 2 * GUARD; i++) p[i] = NAN;
    return p + GUARD;
}

static void release(float *p)
{
    vkb_free(heap, p - GUARD);
}

static void check_guards(const float *p, int64_t n)
{
    for (int i = 0; i < GUARD; i++) assert_true(isnan(p[i - GUARD]) && isnan(p[n + i]));
}

static void *filled(uint64_t bytes)
{
    void *p = vkb_alloc(heap, (size_t)bytes);
    assert_non_null(p);
    memset(p, 0xff, (size_t)bytes); /* NaN: what is read before it is written shows */
    return p;
}

int node_check_leans;

/* Whether the kernel could pack less than it has packed. */
static bool run_kernel(node_check *c, const gr_node *n, const cpu_kernel *k, int threads, bool lean, float *y)
{
    vkb_arena arena;
    vkb_pool *pool = NULL;
    vkb_arena_init(&arena, heap);
    assert_int_equal(vkb_pool_create(heap, threads, &pool, NULL), VKI_OK);
    cpu_prep prep = {.g = &c->g, .n = n, .threads = threads, .lean = lean, .arena = &arena};
    if (k->prepare) assert_int_equal(k->prepare(&prep, NULL), VKI_OK);
    void *weights = filled(prep.weight_bytes), *scratch = filled(prep.scratch_bytes);
    for (int64_t i = 0; prep.weight_bytes && i < cpu_pack_parts(&prep); i++) cpu_pack_part(&prep, weights, i);
    const void *in[NODE_INPUTS];
    for (int i = 0; i < c->n_in; i++) in[i] = c->data[i];
    void *out[] = {y};
    const cpu_call call = {.g = &c->g,
                           .n = n,
                           .in = in,
                           .out = out,
                           .state = prep.state,
                           .weights = weights,
                           .scratch = scratch,
                           .pool = pool};
    k->run(&call);
    vkb_free(heap, weights);
    vkb_free(heap, scratch);
    vkb_pool_destroy(&pool);
    vkb_arena_free(&arena);
    return prep.lean_bytes && prep.lean_bytes < prep.weight_bytes;
}

static void compare(const node_check *c, const gr_node *n, const char *kernel, const float *want,
                    const float *got, int64_t count, double tolerance)
{
    double largest = 1;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(want[i])) largest = fmax(largest, fabs((double)want[i]));
    for (int64_t i = 0; i < count; i++) {
        if (fabs((double)got[i] - (double)want[i]) <= tolerance * largest) continue;
        if (got[i] == want[i] || (isnan(got[i]) && isnan(want[i]))) continue;
        char text[128];
        fail_msg("%s, %s: element %lld is %.9g, the reference has %.9g (act %d, residual %d)", kernel,
                 gr_shape_text(&c->g, &c->g.tensors[n->out[0]], text, sizeof text), (long long)i,
                 (double)got[i], (double)want[i], (int)n->epilogue.act, (int)n->epilogue.residual);
    }
}

static void check_kernel(node_check *c, const gr_node *n, const cpu_kernel *k, bool lean, const float *want,
                         int64_t count, double tolerance)
{
    static const int threads[] = {1, 2, 5};
    float *first = guarded(count);
    const bool has_lean = run_kernel(c, n, k, threads[0], lean, first);
    check_guards(first, count);
    compare(c, n, k->name, want, first, count, tolerance);
    for (size_t i = 1; i < VKB_COUNT(threads); i++) {
        float *again = guarded(count);
        run_kernel(c, n, k, threads[i], lean, again);
        check_guards(again, count);
        assert_memory_equal(again, first, (size_t)count * sizeof *first);
        release(again);
    }
    release(first);
    if (!has_lean) return;
    node_check_leans++;
    check_kernel(c, n, k, true, want, count, tolerance);
}

int node_check_run(node_check *c, bool epilogue, double tolerance)
{
    vki_error err = {0};
    if (gr_infer(&c->g, &err) != VKI_OK) fail_msg("%s", err.text);
    gr_node *n = &c->g.nodes[0];
    if (epilogue) add_epilogue(c, n);
    const int64_t count = gr_elements(&c->g.tensors[n->out[0]]);
    float *want = guarded(count);
    const void *in[NODE_INPUTS];
    for (int i = 0; i < c->n_in; i++) in[i] = c->data[i];
    void *out[] = {want};
    assert_int_equal(cpu_evaluate(&c->g, n, in, out, NULL), VKI_OK);
    int fitting = 0;
    for (const cpu_kernel *k = cpu_op_of(n->op)->kernels; k && k->name; k++)
        if (k->fits(&c->g, n)) {
            check_kernel(c, n, k, false, want, count, tolerance);
            if (!fitting++) c->best = k->name;
        }
    release(want);
    for (int i = 0; i < c->n_in; i++) vkb_free(heap, c->data[i]);
    gr_free(&c->g);
    return fitting;
}
