/* SPDX-License-Identifier: Apache-2.0
 * Graphs that nobody draws by hand: ten thousand nodes in a chain, side by side, in a tree, alive all at
 * once. Planning them takes about as long for each node as planning a small one does: what grew with the
 * square of the nodes took ten times as long as these tests allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "common/gpu_run.h"
#include "common/net.h"
#include "common/session_check.h"
#include "common/small_models.h"

enum { NODES = 10000, BRANCHES = 1000 /* as many as a Concat takes */ };

static gr_id begin(gr_graph *g)
{
    net_init(g);
    return net_input(g, "x", DIMS(1, 4, 4, 4));
}

static gr_id times(gr_graph *g, gr_id x, int i)
{
    return net_binary(g, OP_Mul, x, net_scalar(g, (float)(i + 2)));
}

static void chain(gr_graph *g)
{
    static const op_kind kinds[] = {OP_Softmax, OP_Sin, OP_GlobalAveragePool, OP_Exp};
    gr_id x = begin(g), y = x;
    for (int i = 0; i < NODES; i += 2) y = net_binary(g, OP_Add, net_unary(g, kinds[i / 2 % 4], y), x);
    net_output(g, y);
}

/* Split, one half changed, Concat: views into views. */
static void views(gr_graph *g)
{
    gr_id x = begin(g);
    for (int i = 0; i < NODES; i += 4) {
        gr_id ends = net_ints(g, 1, (const int64_t[]){2}), none = net_ints(g, 1, (const int64_t[]){0}),
              all = net_ints(g, 1, (const int64_t[]){4}), axis = net_ints(g, 1, (const int64_t[]){1});
        gr_id a = net_node(g, OP_Slice, IN(x, none, ends, axis)),
              b = net_node(g, OP_Slice, IN(x, ends, all, axis));
        x = net_node(g, OP_Concat, IN(net_unary(g, OP_Sin, a), b));
        ((op_axis_attrs *)net_last(g)->attrs)->axis = 1;
    }
    net_output(g, x);
}

/* Convolutions with weights of their own, all of x, joined. */
static void wide(gr_graph *g)
{
    gr_id x = begin(g), joined[NODES / BRANCHES];
    for (int k = 0; k < NODES / BRANCHES; k++) {
        gr_id parts[BRANCHES];
        for (int i = 0; i < BRANCHES; i++)
            parts[i] = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(4, 4, 1, 1))));
        joined[k] = net_node(g, OP_Concat, BRANCHES, parts);
        ((op_axis_attrs *)net_last(g)->attrs)->axis = 1;
    }
    net_output(g, net_node(g, OP_Max, NODES / BRANCHES, joined));
}

static void tree(gr_graph *g)
{
    static gr_id level[NODES / 2];
    gr_id x = begin(g);
    int n = NODES / 2;
    for (int i = 0; i < n; i++) level[i] = times(g, x, i);
    for (; n > 1; n = (n + 1) / 2)
        for (int i = 0; i < n / 2; i++) {
            level[i] = net_binary(g, OP_Sub, level[2 * i], level[2 * i + 1]);
            if (i == n / 2 - 1 && n % 2) level[n / 2] = level[n - 1];
        }
    net_output(g, level[0]);
}

/* Down and up again, each with what was made on the way down: half of all tensors live at once. */
static void skips(gr_graph *g)
{
    static gr_id down[NODES / 2];
    gr_id x = begin(g);
    for (int i = 0; i < NODES / 2; i++) x = down[i] = net_unary(g, i % 2 ? OP_Softmax : OP_Sin, x);
    for (int i = NODES / 2 - 1; i >= 0; i--) x = net_binary(g, OP_Sub, down[i], x);
    net_output(g, x);
}

static void plan(void (*make)(gr_graph *g), const char *name)
{
    gr_graph g;
    make(&g);
    for (int device = 0; device < 2; device++) {
        const clock_t start = clock();
        vki_context *c = NULL;
        vki_model *m = NULL;
        vki_session *s = NULL;
        vki_context_options co = {.size = sizeof co, .backend = device ? VKI_BACKEND_PLAN : VKI_BACKEND_CPU};
        vki_session_options so = {.size = sizeof so, .threads = 1, .memory_limit = (uint64_t)1 << 32};
        vki_session_stats stats = {.size = sizeof stats};
        SESSION_OK(vki_context_create(&co, &c, why));
        SESSION_OK(vki_model_load_file(c, small_model_file(&g), &m, why));
        SESSION_OK(vki_session_create(m, &so, &s, why));
        assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
        assert_true(stats.nodes > NODES / 4);
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC; /* of this process */
        print_message("%s, %s: %d nodes, %d dispatches, %.2f s, arena %.3f of its bound\n", name,
                      device ? "device" : "CPU", stats.nodes, stats.dispatches, seconds,
                      (double)stats.activation_bytes / (double)stats.activation_lower_bound);
        if (GPU_RUN_CAN_VALIDATE) assert_true(seconds < 3); /* not under a sanitizer */
        vki_session_destroy(&s);
        vki_model_destroy(&m);
        vki_context_destroy(&c);
    }
    gr_free(&g);
}

static void chains(void **state)
{
    (void)state;
    plan(chain, "chain");
}

static void chains_of_views(void **state)
{
    (void)state;
    plan(views, "views");
}

static void wide_ones(void **state)
{
    (void)state;
    plan(wide, "wide");
}

static void trees(void **state)
{
    (void)state;
    plan(tree, "tree");
}

static void long_skips(void **state)
{
    (void)state;
    plan(skips, "skips");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains), cmocka_unit_test(chains_of_views), cmocka_unit_test(wide_ones),
        cmocka_unit_test(trees),  cmocka_unit_test(long_skips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
