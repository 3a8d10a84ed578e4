/* SPDX-License-Identifier: Apache-2.0
 * Graphs drawn at random: the reference node by node, a reference session, the fast CPU kernels with all
 * passes and with none, and Vulkan with AUTO placement must agree.
 *   random_graphs_test [--seed N] [--count N]      from seed N on (1), N graphs (1000); one seed is printed
 *                                                  node by node */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/gpu_run.h"
#include "common/random_graph.h"
#include "common/small_models.h"
#include "cpu/ref.h"
#include "graph/passes/pass.h"
#include "vkinfer/vkinfer.h"

#ifdef VKI_SANITIZED
enum { COUNT = 100 };
#else
enum { COUNT = 1000 };
#endif
enum { FEWEST_NODES = 5, MOST_NODES = 12, MARGIN = 4, MOST_FAILURES = 10 };

static uint64_t first_seed = 1;
static int count, failures, nodes_planned, nodes_on_device;
static bool verbose;
static char all_passes[1024];

typedef struct way { /* to run a graph */
    const char *name;
    bool vulkan, reference, no_passes;
} way;

static vki_context *contexts[2]; /* CPU, Vulkan; NULL: no device */

static void complain(const random_graph *r, uint64_t seed, const char *how, const char *format, ...)
    VKB_PRINTF(4, 5);
static void complain(const random_graph *r, uint64_t seed, const char *how, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("seed %llu, %s: %s\n", (unsigned long long)seed, how, text);
    if (failures++ < MOST_FAILURES) random_graph_print(r);
}

/* The first element of output i that is off; -1. Fast kernels may sum in another order than the operators'
 * tolerances measure one by one: hence the margin. */
static int64_t first_wrong(const random_graph *r, int i, const void *got)
{
    const gr_id id = r->g.outputs[i];
    const gr_tensor *t = rg_tensor(r, id);
    for (int64_t k = 0; k < gr_elements(t); k++) {
        if (!cpu_is_float(t->dtype)) {
            if (cpu_load_i64(r->data[id], t->dtype, k) != cpu_load_i64(got, t->dtype, k)) return k;
            continue;
        }
        const double e = cpu_load(r->data[id], t->dtype, k), v = cpu_load(got, t->dtype, k);
        if (!(fabs(v - e) <= MARGIN * r->error[id] + 1e-30)) return k;
    }
    return -1;
}

static void check_outputs(const random_graph *r, uint64_t seed, const way *w, vki_session *s)
{
    for (int i = 0; i < r->g.n_outputs; i++) {
        vki_error err = {0};
        const gr_id id = r->g.outputs[i];
        const gr_tensor *t = rg_tensor(r, id);
        const size_t bytes = (size_t)gr_bytes(t);
        void *got = malloc(bytes + 1);
        assert_non_null(got);
        if (vki_session_read(s, i, got, bytes, &err) != VKI_OK) {
            complain(r, seed, w->name, "%s", err.text);
        } else {
            const int64_t k = first_wrong(r, i, got);
            if (k >= 0)
                complain(r, seed, w->name,
                         "output %s, element %lld is %.9g instead of %.9g, may be off by %.3g", t->name,
                         (long long)k, cpu_load(got, t->dtype, k), cpu_load(r->data[id], t->dtype, k),
                         MARGIN * r->error[id]);
        }
        free(got);
    }
}

static void count_place(void *user, const vki_node_report *node)
{
    (void)user;
    nodes_planned++;
    nodes_on_device += !strcmp(node->place, "vulkan");
}

static void run_way(const random_graph *r, uint64_t seed, const way *w, vki_model *m)
{
    vki_error err = {0};
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o,
                             .threads = 2,
                             .reference = w->reference,
                             .disable_passes = w->no_passes ? all_passes : NULL};
    vki_status status = vki_session_create(m, &o, &s, &err);
    for (int i = 0; status == VKI_OK && i < r->g.n_inputs; i++)
        status = vki_session_write(s, i, r->data[r->g.inputs[i]],
                                   (size_t)gr_bytes(rg_tensor(r, r->g.inputs[i])), &err);
    for (int round = 0; status == VKI_OK && round < 2;
         round++) { /* the second finds the first one's memory */
        status = vki_session_run(s, 0, &err);
        if (status == VKI_OK) check_outputs(r, seed, w, s);
    }
    if (status != VKI_OK) complain(r, seed, w->name, "%s", err.text);
    if (status == VKI_OK && w->vulkan) vki_session_report(s, count_place, NULL);
    vki_session_destroy(&s);
}

static void run_seed(uint64_t seed)
{
    static const way ways[] = {{"reference session", false, true, false},
                               {"CPU", false, false, false},
                               {"CPU without passes", false, false, true},
                               {"Vulkan", true, false, false}};
    static random_graph r;
    vki_error err = {0};
    random_graph_make(&r, seed, (int)(FEWEST_NODES + seed % (MOST_NODES - FEWEST_NODES + 1)));
    if (verbose) random_graph_print(&r);
    const char *file = r.g.n_nodes ? small_model_file(&r.g) : NULL;
    for (int d = 0; file && d < 2; d++) {
        vki_model *m = NULL;
        if (!contexts[d]) continue;
        if (vki_model_load_file(contexts[d], file, &m, &err) != VKI_OK)
            complain(&r, seed, "load", "%s", err.text);
        for (size_t i = 0; m && i < VKB_COUNT(ways); i++)
            if (ways[i].vulkan == (d == 1)) run_way(&r, seed, &ways[i], m);
        vki_model_destroy(&m);
    }
    random_graph_free(&r);
}

static void random_graphs(void **state)
{
    (void)state;
    for (int i = 0; i < count; i++) run_seed(first_seed + (uint64_t)i);
    print_message("%d graphs from seed %llu on: %d disagreements; %d of %d nodes ran on the device\n", count,
                  (unsigned long long)first_seed, failures, nodes_on_device, nodes_planned);
    assert_int_equal(failures, 0);
}

static int open_contexts(void **state)
{
    (void)state;
    gpu_run_device(); /* stays open: LSan counts an unloaded driver's own data as leaked */
    const vki_backend backends[] = {VKI_BACKEND_CPU, VKI_BACKEND_VULKAN};
    for (int i = 0; i < 2; i++) {
        vki_context_options o = {.size = sizeof o, .backend = backends[i]};
        vki_error err = {0};
        if (vki_context_create(&o, &contexts[i], &err) != VKI_OK)
            print_message("without %s: %s\n", i ? "Vulkan" : "CPU", err.text);
    }
    for (int i = 0; gr_passes[i]; i++) {
        if (i) strncat(all_passes, ",", sizeof all_passes - strlen(all_passes) - 1);
        strncat(all_passes, gr_passes[i]->name, sizeof all_passes - strlen(all_passes) - 1);
    }
    return contexts[0] ? 0 : -1;
}

static int close_contexts(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) vki_context_destroy(&contexts[i]);
    return 0;
}

int main(int argc, char **argv)
{
    bool one = false;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed")) {
            first_seed = strtoull(argv[i + 1], NULL, 10);
            one = true;
        } else if (!strcmp(argv[i], "--count")) {
            count = atoi(argv[i + 1]);
        }
    }
    if (count < 1) count = one ? 1 : COUNT;
    verbose = count == 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs)};
    return cmocka_run_group_tests(tests, open_contexts, close_contexts);
}
