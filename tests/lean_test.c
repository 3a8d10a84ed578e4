/* SPDX-License-Identifier: Apache-2.0
 * The budget of packed weights: within it whatever it is, by the kernels' names, with the same results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "common/session_check.h"

enum { LAYERS = 6, MORE = 4 << 20 /* bytes that small models may take beside the percentage */ };

typedef struct seen {
    int count;
    const char *kernel[LAYERS]; /* static */
    bool lean[LAYERS];
} seen;

static gr_id weights(gr_graph *g, int rank, const int64_t *dims)
{
    const gr_id w = net_random(g, rank, dims);
    for (int64_t i = 0; i < gr_elements(&g->tensors[w]); i++)
        ((float *)(uintptr_t)g->tensors[w].data)[i] /= 16; /* results about 1 */
    return w;
}

/* Twice the same three: of strided outputs, of Winograd's transforms, transposed. */
static gr_id three(gr_graph *g, gr_id x)
{
    x = net_node(g, OP_Conv, IN(x, weights(g, DIMS(256, 64, 3, 3))));
    op_conv_attrs *a = net_last(g)->attrs;
    net_set_ints(&a->strides, 2, (const int64_t[]){2, 2});
    net_set_ints(&a->pads, 4, (const int64_t[]){1, 1, 1, 1});
    x = net_node(g, OP_Conv, IN(x, weights(g, DIMS(128, 256, 3, 3))));
    a = net_last(g)->attrs;
    net_set_ints(&a->pads, 4, (const int64_t[]){1, 1, 1, 1});
    x = net_node(g, OP_ConvTranspose, IN(x, weights(g, DIMS(128, 64, 4, 4))));
    a = net_last(g)->attrs;
    net_set_ints(&a->strides, 2, (const int64_t[]){2, 2});
    net_set_ints(&a->pads, 4, (const int64_t[]){1, 1, 1, 1});
    return x;
}

static void note(void *user, const vki_node_report *n)
{
    seen *s = user;
    assert_in_range(s->count, 0, LAYERS - 1);
    s->lean[s->count] = strstr(n->reason, "packs less") != NULL;
    s->kernel[s->count++] = n->kernel;
}

/* Which layers pack less; they are checked against the reference. */
static unsigned run(const gr_graph *g, vki_session *reference, int percent, uint64_t given)
{
    static const char *const fast[] = {"conv2d_karatsuba", "conv2d_winograd", "deconv2d_karatsuba"};
    static const char *const lean[] = {"conv2d_gemm", "conv2d_winograd", "deconv2d_scatter"};
    const vki_session_options o = {.size = sizeof o, .threads = 2, .packed_percent = percent};
    vki_model *m = session_load(g, false, false, NULL); /* whose weights are this session's alone */
    vki_session *s = NULL;
    seen all = {0};
    unsigned which = 0;
    SESSION_OK(vki_session_create(m, &o, &s, why));
    session_write_inputs(s, 1);
    session_compare(g, reference, s);
    assert_int_equal(vki_session_report(s, note, &all), VKI_OK);
    assert_int_equal(all.count, LAYERS);
    for (int i = 0; i < LAYERS; i++) {
        assert_string_equal(all.kernel[i], (all.lean[i] ? lean : fast)[i % 3]);
        which |= (unsigned)all.lean[i] << i;
    }
    vki_session_stats stats = {.size = sizeof stats};
    assert_int_equal(vki_session_stats_get(s, &stats), VKI_OK);
    if (which + 1 < 1U << LAYERS) assert_true(stats.weight_bytes <= given * (uint64_t)percent / 100 + MORE);
    vki_session_destroy(&s);
    vki_model_destroy(&m);
    return which;
}

static void weights_stay_within(void **state)
{
    (void)state;
    gr_graph g;
    net_init(&g);
    net_output(&g, three(&g, three(&g, net_input(&g, "x", DIMS(1, 64, 24, 24)))));
    const uint64_t given = 2 * 4 * (64 * 256 * 9 + 256 * 128 * 9 + 128 * 64 * 16);
    vki_model *m = session_load(&g, false, false, NULL);
    vki_session *reference = NULL;
    SESSION_OK(vki_session_create(
        m, &(vki_session_options){.size = sizeof(vki_session_options), .reference = true}, &reference, why));
    session_write_inputs(reference, 1);
    SESSION_OK(vki_session_run(reference, 0, why));
    unsigned all = 0, kinds = 0;
    for (int percent = 1; percent <= 401; percent += 50) {
        const unsigned which = run(&g, reference, percent, given);
        all |= which;
        kinds += which && which + 1 < 1U << LAYERS;
    }
    assert_int_equal(run(&g, reference, 401, given), 0);
    assert_int_equal(all, (1U << LAYERS) - 1); /* of the least percentage */
    assert_true(kinds >= 3);                   /* some layers of those between */
    vki_session_destroy(&reference);
    vki_model_destroy(&m);
    gr_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(weights_stay_within)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
