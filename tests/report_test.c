/* SPDX-License-Identifier: Apache-2.0
 * What reports say of a plan, against figures worked out by hand: bytes of convolutions, fused pools, views
 * and parts, on the CPU and planned for a device; sums and bounds; why a kernel was chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"
#include "common/small_models.h"

enum { MOST = 8 };

typedef struct entry {
    char op[32], place[16], kernel[48], reason[512], fused[128];
    vki_node_report numbers; /* its texts are gone */
} entry;

typedef struct report {
    entry nodes[MOST];
    int count;
    vki_session_stats stats;
} report;

static void keep(void *user, const vki_node_report *n)
{
    report *r = user;
    assert_true(r->count < MOST);
    entry *e = &r->nodes[r->count++];
    snprintf(e->op, sizeof e->op, "%s", n->op);
    snprintf(e->place, sizeof e->place, "%s", n->place);
    snprintf(e->kernel, sizeof e->kernel, "%s", n->kernel);
    snprintf(e->reason, sizeof e->reason, "%s", n->reason);
    snprintf(e->fused, sizeof e->fused, "%s", n->fused);
    e->numbers = *n;
    assert_int_equal(n->bytes, n->read_bytes + n->written_bytes);
}

static report report_on(const gr_graph *g, vki_backend backend, bool reference)
{
    vki_context_options co = {.size = sizeof co, .backend = backend};
    vki_session_options so = {.size = sizeof so, .threads = 1, .reference = reference};
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_session *s = NULL;
    report r = {.stats = {.size = sizeof r.stats}};
    SESSION_OK(vki_context_create(&co, &c, why));
    SESSION_OK(vki_model_load_file(c, small_model_file(g), &m, why));
    SESSION_OK(vki_session_create(m, &so, &s, why));
    assert_int_equal(vki_session_report(s, keep, &r), VKI_OK);
    assert_int_equal(vki_session_stats_get(s, &r.stats), VKI_OK);
    assert_int_equal(r.stats.nodes, r.count);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    vki_context_destroy(&c);
    return r;
}

static const entry *find(const report *r, const char *op)
{
    int i = 0;
    while (i < r->count && strcmp(r->nodes[i].op, op) != 0) i++;
    if (i == r->count) fail_msg("there is no %s in the plan", op);
    return &r->nodes[i];
}

/* The sums are those of the nodes, and not below their bound. */
static void check_sums(const report *r)
{
    uint64_t read = 0, written = 0;
    double us = 0;
    for (int i = 0; i < r->count; i++) {
        read += r->nodes[i].numbers.read_bytes;
        written += r->nodes[i].numbers.written_bytes;
        us += r->nodes[i].numbers.estimated_us;
    }
    assert_int_equal(r->stats.read_bytes, read);
    assert_int_equal(r->stats.written_bytes, written);
    assert_true(r->stats.traffic_lower_bound <= read + written);
    assert_true(r->stats.estimated_ms * 1e3 >= us * 0.999);
}

/* 1x1 from 6 to 9 channels of 5 x 7, and Relu: [1,6,5,7] is 2 slices of four, [1,9,5,7] are 3. */
enum { POSITIONS = 5 * 7, IN_ROWS = 6 * POSITIONS * 4, OUT_ROWS = 9 * POSITIONS * 4 };
enum { IN_SLICES = 8 * POSITIONS * 4, OUT_SLICES = 12 * POSITIONS * 4 };

static gr_id convolution(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(1, 6, 5, 7));
    x = net_node(g, OP_Conv, IN(x, net_random(g, DIMS(9, 6, 1, 1)), net_random(g, DIMS(9))));
    return net_unary(g, OP_Relu, x);
}

static void a_convolution(void **state)
{
    (void)state;
    gr_graph g;
    net_output(&g, convolution(&g));
    report r = report_on(&g, VKI_BACKEND_PLAN, false);
    const vki_node_report *n = &find(&r, "Conv")->numbers;
    assert_string_equal(find(&r, "Conv")->place, "vulkan");
    assert_true(*find(&r, "Conv")->fused); /* Relu */
    assert_int_equal(n->macs, 9 * 6 * POSITIONS);
    assert_int_equal(n->read_bytes, IN_SLICES + r.stats.weight_bytes);
    assert_int_equal(n->written_bytes, OUT_SLICES);
    assert_int_equal(r.stats.transfer_bytes, IN_SLICES + OUT_SLICES);
    assert_int_equal(r.stats.traffic_lower_bound, IN_ROWS + OUT_ROWS + r.stats.weight_bytes);
    assert_int_equal(r.stats.submits, 1);
    assert_true(r.stats.weight_bytes >= (9 * 6 + 9) * 4);
    check_sums(&r);
    r = report_on(&g, VKI_BACKEND_CPU, false);
    n = &find(&r, "Conv")->numbers;
    assert_int_equal(n->read_bytes, IN_ROWS + r.stats.weight_bytes);
    assert_int_equal(n->written_bytes, OUT_ROWS);
    assert_int_equal(r.stats.transfer_bytes, 0);
    assert_int_equal(r.stats.submits, 0);
    check_sums(&r);
    r = report_on(&g, VKI_BACKEND_CPU, true); /* weights as they are; Relu for itself, if not in place */
    n = &find(&r, "Conv")->numbers;
    assert_int_equal(n->read_bytes, IN_ROWS + (9 * 6 + 9) * 4);
    assert_int_equal(n->written_bytes, OUT_ROWS);
    gr_free(&g);
}

/* With a pool of 2 x 2 in the same dispatch the convolution's own output is never in memory. */
static void a_fused_pool(void **state)
{
    (void)state;
    gr_graph g;
    gr_id y = convolution(&g);
    net_output(&g, net_unary(&g, OP_MaxPool, y));
    op_pool_attrs *a = net_last(&g)->attrs;
    net_set_ints(&a->kernel_shape, 2, (const int64_t[]){2, 2});
    net_set_ints(&a->strides, 2, (const int64_t[]){2, 2});
    report r = report_on(&g, VKI_BACKEND_PLAN, false);
    const entry *e = find(&r, "ConvPool");
    assert_non_null(strchr(e->fused, ',')); /* Relu and the pool */
    assert_int_equal(e->numbers.read_bytes, IN_SLICES + r.stats.weight_bytes);
    assert_int_equal(e->numbers.written_bytes, 12 * 2 * 3 * 4);
    assert_int_equal(e->numbers.macs, 9 * 6 * POSITIONS);
    check_sums(&r);
    gr_free(&g);
}

/* Residuals are read, too: by the node that they became part of. */
static void a_residual(void **state)
{
    (void)state;
    gr_graph g;
    gr_id y = convolution(&g), x = y;
    y = net_node(&g, OP_Conv, IN(y, net_random(&g, DIMS(9, 9, 1, 1))));
    net_output(&g, net_binary(&g, OP_Add, y, x));
    report r = report_on(&g, VKI_BACKEND_CPU, false);
    assert_int_equal(r.count, 2);
    uint64_t weights = r.stats.weight_bytes + IN_ROWS - r.nodes[0].numbers.read_bytes; /* of the second */
    assert_int_equal(r.nodes[1].numbers.read_bytes, 2 * OUT_ROWS + weights);
    assert_int_equal(r.nodes[1].numbers.written_bytes, OUT_ROWS);
    r = report_on(&g, VKI_BACKEND_PLAN, false);
    assert_int_equal(r.count, 2);
    weights = r.stats.weight_bytes + IN_SLICES - r.nodes[0].numbers.read_bytes;
    assert_int_equal(r.nodes[1].numbers.read_bytes, OUT_SLICES + weights); /* the same buffer twice */
    check_sums(&r);
    gr_free(&g);
}

static void views_and_parts(void **state)
{
    (void)state;
    for (int device = 0; device < 2; device++) {
        gr_graph g;
        net_init(&g);
        gr_id x = net_input(&g, "x", DIMS(4, 6));
        gr_id a = net_unary(&g, OP_Exp, x), b = net_unary(&g, OP_Sin, x);
        gr_id y = net_node(&g, OP_Concat, IN(a, b)); /* along the first dimension: in place */
        ((op_axis_attrs *)net_last(&g)->attrs)->axis = 0;
        gr_id cut =
            net_node(&g, OP_Slice,
                     IN(y, net_ints(&g, 1, (const int64_t[]){1}), net_ints(&g, 1, (const int64_t[]){4}),
                        net_ints(&g, 1, (const int64_t[]){1})));
        net_output(&g, net_node(&g, OP_Reshape,
                                IN(net_unary(&g, OP_Cos, cut), net_ints(&g, 1, (const int64_t[]){24}))));
        gr_id pick = net_node(&g, OP_Gather, IN(y, net_ints(&g, 1, (const int64_t[]){2})));
        net_output(&g, pick);
        report r = report_on(&g, device ? VKI_BACKEND_PLAN : VKI_BACKEND_CPU, false);
        assert_string_equal(find(&r, "Reshape")->place, "none");
        assert_int_equal(find(&r, "Reshape")->numbers.bytes, 0);
        assert_true(find(&r, "Reshape")->numbers.estimated_us == 0);
        assert_int_equal(find(&r, "Slice")->numbers.read_bytes,
                         8 * 3 * 4); /* what is cut out, not the whole */
        assert_int_equal(find(&r, "Slice")->numbers.written_bytes, 8 * 3 * 4);
        const vki_node_report *n = &find(&r, "Gather")->numbers;
        assert_int_equal(n->written_bytes, device ? vkb_round_up(6 * 4, 16) : 6 * 4);
        assert_int_equal(n->read_bytes, 6 * 4 + (device ? 16 : 8)); /* a row, and the index */
        if (!device) assert_int_equal(find(&r, "Concat")->numbers.bytes, 0);
        if (device) /* the second part begins where no binding may: it is copied */
            assert_int_equal(find(&r, "Concat")->numbers.bytes, 2 * 24 * 4);
        check_sums(&r);
        gr_free(&g);
    }
}

/* Candidates before the chosen one are named, on a device with what they cannot take. */
static void why_this_kernel(void **state)
{
    (void)state;
    gr_graph g;
    net_output(&g, convolution(&g));
    report r = report_on(&g, VKI_BACKEND_PLAN, false);
    assert_non_null(strstr(find(&r, "Conv")->reason, "; not conv2d_depthwise ("));
    r = report_on(&g, VKI_BACKEND_CPU, false);
    assert_non_null(strstr(find(&r, "Conv")->reason, "; not conv2d_depthwise"));
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_convolution),   cmocka_unit_test(a_fused_pool),    cmocka_unit_test(a_residual),
        cmocka_unit_test(views_and_parts), cmocka_unit_test(why_this_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
