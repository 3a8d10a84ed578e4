/* SPDX-License-Identifier: Apache-2.0
 * Concat, Split and Slice without copies on the device: what lies where, and what still has to be copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/net.h"
#include "gpu/gpu.h"

typedef struct planned {
    gr_graph g;
    gpu_builder b;
    gpu_program p;
    const gpu_kernel *kernels[16];
} planned;

static const gpu_kernel *kernel_of(const void *user, gr_id node)
{
    return ((const planned *)user)->kernels[node];
}

/* Plans all nodes on the device and emits them. */
static void emit_all(planned *f, bool half)
{
    vki_error err = {0};
    assert_int_equal(gr_infer(&f->g, &err), VKI_OK);
    assert_true(f->g.n_nodes <= (int)VKB_COUNT(f->kernels));
    assert_int_equal(gpu_builder_init(&f->b, &f->g, &gpu_limits_minimum, half, &f->p, &err), VKI_OK);
    for (int i = 0; i < f->g.n_nodes; i++) {
        const char *why = "";
        f->kernels[i] = gpu_choose(&f->b, &f->g.nodes[i], &why);
        assert_non_null(f->kernels[i]);
    }
    assert_int_equal(gpu_plan_slots(&f->b, kernel_of, f, &err), VKI_OK);
    for (int i = 0; i < f->g.n_nodes; i++) assert_int_equal(gpu_emit(&f->b, i, f->kernels[i]), VKI_OK);
}

static void release(planned *f)
{
    gpu_builder_free(&f->b);
    gpu_program_free(&f->p, f->g.allocator);
    gr_free(&f->g);
    memset(f, 0, sizeof *f);
}

static int dispatches_of(const planned *f, gr_id node)
{
    int count = 0;
    for (int i = 0; i < f->p.n_dispatches; i++) count += f->p.dispatches[i].node == node;
    return count;
}

/* Tensor `part` lies `at` bytes into the memory of `whole`. */
static void assert_part(const planned *f, gr_id part, gr_id whole, gpu_layout layout, uint64_t at)
{
    const int32_t *bufs = layout == GPU_C4 ? f->b.c4_buf : f->b.row_buf;
    const gpu_buf *a = &f->p.bufs[bufs[part]], *w = &f->p.bufs[bufs[whole]];
    assert_int_equal(a->alias, w->alias >= 0 ? w->alias : bufs[whole]);
    assert_int_equal(a->at, w->at + at);
}

static gr_id concat(gr_graph *g, int64_t axis, int count, const gr_id *in)
{
    gr_id y = net_node(g, OP_Concat, count, in);
    ((op_axis_attrs *)net_last(g)->attrs)->axis = axis;
    return y;
}

/* Made in slices: the parts of a Concat, and a Concat within a Concat. */
static void parts_are_made_in_place(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        planned f = {0};
        net_init(&f.g);
        gr_id x = net_input(&f.g, "x", DIMS(1, 8, 8, 8));
        gr_id a = net_unary(&f.g, OP_GlobalAveragePool, x); /* slices first */
        a = net_unary(&f.g, OP_Relu, x);
        gr_id b = net_unary(&f.g, OP_Exp, x), inner = concat(&f.g, 1, IN(a, b));
        gr_id outer = concat(&f.g, -3, IN(b, inner));
        net_output(&f.g, outer);
        emit_all(&f, half);
        uint64_t bytes = half ? 1024 : 2048; /* of 8 channels */
        assert_part(&f, a, inner, GPU_C4, 0);
        assert_part(&f, b, inner, GPU_C4, bytes); /* the first to want it has it */
        assert_part(&f, inner, outer, GPU_C4, bytes);
        assert_int_equal(dispatches_of(&f, 3), 0);
        assert_int_equal(dispatches_of(&f, 4), 1); /* b again */
        release(&f);
    }
}

/* What does not begin at a whole slice or at an aligned offset, several samples, inputs and constants. */
static void other_parts_are_copied(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, first, height;
        int copies;
    } rows[] = {{1, 6, 8, 2}, {2, 8, 8, 2}, {1, 4, 1, 1}, {1, 16, 1, 0}};
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        planned f = {0};
        net_init(&f.g);
        gr_id x = net_input(&f.g, "x", DIMS(rows[i].batch, rows[i].first, rows[i].height, 8));
        gr_id y = net_input(&f.g, "y", DIMS(rows[i].batch, 8, rows[i].height, 8));
        gr_id c = concat(&f.g, 1, IN(net_unary(&f.g, OP_Relu, x), net_unary(&f.g, OP_Relu, y)));
        net_output(&f.g, c);
        emit_all(&f, false);
        int made = 0;
        for (int k = 0; k < f.p.n_dispatches; k++) {
            int shader = f.p.dispatches[k].shader;
            made += shader == SH_strided_copy_f32 || shader == SH_strided_copy_x4_f32 ||
                    shader == SH_strided_channels_f32;
        }
        assert_int_equal(made, rows[i].copies);
        release(&f);
    }
    planned f = {0};
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(1, 8, 8, 8)), c = net_random(&f.g, DIMS(1, 8, 8, 8));
    net_output(&f.g, concat(&f.g, 1, IN(x, c)));
    emit_all(&f, false);
    assert_true(dispatches_of(&f, 0) >= 2);
    release(&f);
}

/* In rows, through views, on the outermost axis of more than one element. */
static void rows_through_views(void **state)
{
    (void)state;
    planned f = {0};
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(16, 4)), y = net_input(&f.g, "y", DIMS(1, 5, 4));
    gr_id r = net_unary(&f.g, OP_Relu, x), e = net_unary(&f.g, OP_Exp, y);
    gr_id v = net_node(&f.g, OP_Reshape, IN(r, net_ints(&f.g, 3, (const int64_t[]){1, 16, 4})));
    gr_id c = concat(&f.g, 1, IN(v, e));
    net_output(&f.g, c);
    emit_all(&f, false);
    assert_part(&f, r, c, GPU_ROW, 0);
    assert_part(&f, v, c, GPU_ROW, 0);
    assert_part(&f, e, c, GPU_ROW, 256);
    assert_int_equal(f.p.n_dispatches, 2);
    gpu_program_lifetimes(&f.p);
    int32_t root = f.b.row_buf[c];
    assert_int_equal(f.p.bufs[root].first, 0);
    assert_int_equal(f.p.bufs[root].last, 1);
    f.p.bufs[root].offset = 4096;
    assert_int_equal(gpu_buf_offset(&f.p, f.b.row_buf[e]), 4096 + 256);
    release(&f);
}

static void split_and_slice_are_views(void **state)
{
    (void)state;
    planned f = {0};
    net_init(&f.g);
    gr_id x = net_input(&f.g, "x", DIMS(1, 22, 4, 4)), out[3];
    gr_id r = net_unary(&f.g, OP_Exp, net_unary(&f.g, OP_GlobalMaxPool, x));
    r = net_node(&f.g, OP_Conv, IN(x, net_random(&f.g, DIMS(22, 22, 1, 1))));
    for (int i = 0; i < 3; i++) out[i] = gr_add_tensor(&f.g, NULL, VKI_F32, -1, NULL);
    gr_id in[2] = {r, net_ints(&f.g, 3, (const int64_t[]){8, 4, 10})};
    gr_node *split = gr_add_node(&f.g, OP_Split, "split", 2, in, 3, out);
    ((op_axis_attrs *)split->attrs)->axis = 1;
    gr_id node = f.g.n_nodes - 1;
    gr_id s = net_node(&f.g, OP_Slice,
                       IN(r, net_ints(&f.g, 1, (const int64_t[]){4}),
                          net_ints(&f.g, 1, (const int64_t[]){10}), net_ints(&f.g, 1, (const int64_t[]){1})));
    for (int i = 0; i < 3; i++) net_output(&f.g, out[i]);
    net_output(&f.g, s);
    emit_all(&f, false);
    assert_int_equal(dispatches_of(&f, node), 0);
    assert_part(&f, out[0], r, GPU_C4, 0);
    assert_part(&f, out[1], r, GPU_C4, 512);
    assert_part(&f, out[2], r, GPU_C4, 768);
    assert_int_equal(dispatches_of(&f, node + 1), 1); /* six channels: others stand in the last lanes */
    release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_made_in_place),
        cmocka_unit_test(other_parts_are_copied),
        cmocka_unit_test(rows_through_views),
        cmocka_unit_test(split_and_slice_are_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
