/* SPDX-License-Identifier: Apache-2.0
 * The program builder: layouts on demand, views, weights, and the checks of what kernels write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/counting.h"
#include "gpu/gpu.h"

typedef struct fixture {
    gr_graph g;
    gpu_builder b;
    gpu_program p;
    vki_error err;
} fixture;

static void open_graph(fixture *f)
{
    memset(f, 0, sizeof *f);
    gr_init(&f->g, &vkb_libc_allocator);
}

static void open_builder(fixture *f, bool half)
{
    assert_int_equal(gpu_builder_init(&f->b, &f->g, &gpu_limits_minimum, half, &f->p, &f->err), VKI_OK);
}

static void close_fixture(fixture *f)
{
    gpu_builder_free(&f->b);
    gpu_program_free(&f->p, f->g.allocator);
    gr_free(&f->g);
}

#define DIMS(...)                                                                                            \
    (int)VKB_COUNT(((const int64_t[]){__VA_ARGS__})), (const int64_t[])                                      \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

static gr_id tensor(fixture *f, int rank, const int64_t *dims)
{
    return gr_add_tensor(&f->g, NULL, VKI_F32, rank, dims);
}

static gr_id node(fixture *f, gr_id in, gr_id out)
{
    assert_non_null(gr_add_node(&f->g, OP_Relu, "some node", 1, &in, 1, &out));
    return f->g.n_nodes - 1;
}

static bool any_fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b, (void)n, (void)why;
    return true;
}

static gpu_layout wanted_in, wanted_out; /* of the kernel below */
static void emit_plain(gpu_builder *b, const gr_node *n)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, layout_row_from_c4));
    gpu_bind_add(d, gpu_in(b, n, 0, wanted_in), GPU_READ);
    gpu_bind_add(d, gpu_out(b, n, 0, wanted_out), GPU_WRITE);
    gpu_grid(b, d, 1, 1, 1, 64, 1, 1);
}
static const gpu_kernel plain = {"plain", any_fits, emit_plain, GPU_FLOATS};
static void emit_view(gpu_builder *b, const gr_node *n)
{
    gpu_alias(b, n);
}
static const gpu_kernel view = {"view", any_fits, emit_view, GPU_FLOATS};

static void emit(fixture *f, gr_id id, const gpu_kernel *k, gpu_layout in, gpu_layout out)
{
    wanted_in = in;
    wanted_out = out;
    if (gpu_emit(&f->b, id, k) != VKI_OK) fail_msg("%s", f->err.text);
}

static void test_conversion_once(void **state)
{
    (void)state;
    fixture f;
    open_graph(&f);
    gr_id x = tensor(&f, DIMS(2, 5, 3, 7)), y = tensor(&f, DIMS(2, 5, 3, 7)),
          z = tensor(&f, DIMS(2, 5, 3, 7));
    gr_id first = node(&f, x, y), second = node(&f, x, z);
    open_builder(&f, true);
    assert_true(gpu_has_layout(&f.b, x, GPU_ROW)); /* comes from the host */
    assert_false(gpu_has_layout(&f.b, x, GPU_C4));
    emit(&f, first, &plain, GPU_C4, GPU_C4);
    emit(&f, second, &plain, GPU_C4, GPU_ROW);
    assert_int_equal(f.p.n_dispatches, 3); /* conversion, kernel, kernel */
    assert_int_equal(f.p.dispatches[0].shader, SH_layout_c4_from_row_f16);
    assert_int_equal(f.p.dispatches[0].node, first);
    assert_int_equal(f.p.dispatches[0].bind[0].index, f.b.row_buf[x]);
    assert_int_equal(f.p.dispatches[0].bind[1].index, f.b.c4_buf[x]);
    assert_int_equal(f.p.dispatches[1].bind[0].index, f.b.c4_buf[x]);
    assert_int_equal(f.p.dispatches[2].bind[0].index, f.b.c4_buf[x]);
    assert_int_equal(f.p.bufs[f.b.row_buf[x]].bytes, 432); /* 2*5*21 halves, up to 16 */
    assert_int_equal(f.p.bufs[f.b.c4_buf[x]].bytes, 2 * 2 * 21 * 4 * 2);
    int32_t row = gpu_tensor_buf(&f.b, y, GPU_ROW);
    assert_int_equal(f.p.n_dispatches, 4);
    assert_int_equal(f.p.dispatches[3].shader, SH_layout_row_from_c4_f16);
    assert_int_equal(f.p.dispatches[3].bind[1].index, row);
    assert_int_equal(gpu_tensor_buf(&f.b, y, GPU_ROW), row);
    assert_int_equal(f.p.n_dispatches, 4);
    close_fixture(&f);
}

static void test_free_conversions(void **state)
{
    (void)state;
    static const struct {
        int rank;
        int64_t dims[4];
        int to_c4, to_row; /* dispatches */
    } rows[] = {{2, {3, 8}, 0, 0},    {4, {2, 12, 1, 1}, 0, 0}, {4, {1, 10, 1, 1}, 1, 0},
                {2, {1, 1001}, 1, 0}, {4, {2, 10, 1, 1}, 1, 1}, {4, {1, 8, 2, 1}, 1, 1},
                {3, {1, 4, 5}, 1, 1}};
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        fixture f;
        open_graph(&f);
        gr_id x = tensor(&f, rows[i].rank, rows[i].dims), y = tensor(&f, rows[i].rank, rows[i].dims);
        gr_id id = node(&f, x, y);
        open_builder(&f, false);
        assert_int_equal(gpu_has_layout(&f.b, x, GPU_C4), rows[i].to_c4 == 0);
        emit(&f, id, &plain, GPU_C4, GPU_C4);
        assert_int_equal(f.p.n_dispatches, 1 + rows[i].to_c4);
        if (!rows[i].to_c4) assert_int_equal(f.p.bufs[f.b.c4_buf[x]].alias, f.b.row_buf[x]);
        assert_int_equal(gpu_has_layout(&f.b, y, GPU_ROW), rows[i].to_row == 0);
        int32_t row = gpu_tensor_buf(&f.b, y, GPU_ROW);
        assert_int_equal(f.p.n_dispatches, 1 + rows[i].to_c4 + rows[i].to_row);
        if (!rows[i].to_row) {
            assert_int_equal(f.p.bufs[row].alias, f.b.c4_buf[y]);
            assert_true(f.p.bufs[row].bytes <= f.p.bufs[f.b.c4_buf[y]].bytes);
        }
        close_fixture(&f);
    }
}

static void test_views(void **state)
{
    (void)state;
    fixture f;
    open_graph(&f);
    gr_id x = tensor(&f, DIMS(1, 6, 2, 2)), a = tensor(&f, DIMS(1, 24)), b = tensor(&f, DIMS(4, 6)),
          y = tensor(&f, DIMS(4, 6)), wrong = tensor(&f, DIMS(5));
    gr_id n0 = node(&f, x, a), n1 = node(&f, a, b), n2 = node(&f, b, y), n3 = node(&f, y, wrong);
    open_builder(&f, false);
    emit(&f, n0, &view, 0, 0);
    emit(&f, n1, &view, 0, 0);
    emit(&f, n2, &plain, GPU_ROW, GPU_ROW);
    assert_int_equal(f.p.n_dispatches, 1);
    assert_int_equal(f.p.bufs[f.b.row_buf[x]].alias, -1);
    assert_int_equal(f.p.bufs[f.b.row_buf[a]].alias, f.b.row_buf[x]);
    assert_int_equal(f.p.bufs[f.b.row_buf[b]].alias, f.b.row_buf[x]); /* the chain's root */
    gpu_program_lifetimes(&f.p);
    assert_int_equal(f.p.bufs[f.b.row_buf[x]].first, 0);
    assert_int_equal(f.p.bufs[f.b.row_buf[x]].last, 0);
    assert_int_equal(gpu_emit(&f.b, n3, &view), VKI_E_INTERNAL);
    assert_string_equal(f.err.node, "some node");
    assert_string_equal(f.err.op, "Relu");
    close_fixture(&f);
}

/* Conversions asked for while a dispatch is being written come before it. */
static void test_order(void **state)
{
    (void)state;
    fixture f;
    open_graph(&f);
    gr_id x = tensor(&f, DIMS(1, 6, 4, 4)), y = tensor(&f, DIMS(1, 6, 4, 4)),
          z = tensor(&f, DIMS(1, 6, 4, 4));
    gr_id n0 = node(&f, x, y), n1 = node(&f, y, z);
    open_builder(&f, false);
    emit(&f, n0, &plain, GPU_ROW, GPU_C4);
    emit(&f, n1, &plain, GPU_ROW, GPU_C4);
    assert_int_equal(f.p.n_dispatches, 3);
    gpu_program_lifetimes(&f.p);
    assert_int_equal(f.p.bufs[f.b.c4_buf[y]].first, 0); /* written, then converted */
    assert_int_equal(f.p.bufs[f.b.c4_buf[y]].last, 1);
    assert_int_equal(f.p.bufs[f.b.row_buf[y]].first, 1); /* converted, then read */
    assert_int_equal(f.p.bufs[f.b.row_buf[y]].last, 2);
    close_fixture(&f);
}

static void test_weights(void **state)
{
    (void)state;
    static const float values[6] = {1, 2, 3, 4, 5, 0.1f};
    fixture f;
    open_graph(&f);
    gr_id c = gr_add_const(&f.g, NULL, VKI_F32, DIMS(1, 3, 2), values, true);
    gr_id same = gr_add_const(&f.g, NULL, VKI_F32, DIMS(1, 3, 2), values, true);
    f.g.tensors[same].const_key = f.g.tensors[c].const_key;
    gr_id scalar = gr_add_const(&f.g, NULL, VKI_F32, 0, NULL, values, true);
    gr_id y = tensor(&f, DIMS(1, 3, 2));
    gr_id ids[] = {node(&f, c, y), node(&f, same, y), node(&f, scalar, y)};
    open_builder(&f, true);
    emit(&f, ids[0], &plain, GPU_ROW, GPU_ROW);
    emit(&f, ids[1], &plain, GPU_ROW, GPU_ROW);
    assert_int_equal(f.p.n_weights, 1);
    emit(&f, ids[0], &plain, GPU_C4, GPU_ROW);
    emit(&f, ids[2], &plain, GPU_ROW, GPU_ROW);
    assert_int_equal(f.p.n_weights, 3);
    assert_int_equal(f.p.n_dispatches, 4);
    assert_int_equal(f.p.dispatches[2].bind[0].space, GPU_SPACE_WEIGHTS);
    assert_int_equal(f.p.dispatches[2].bind[0].index, 1);

    uint16_t row[8], slices[8];
    assert_int_equal(f.p.weights[0].bytes, sizeof row);
    assert_int_equal(f.p.weights[1].bytes, sizeof slices);
    for (int i = 0; i < 2; i++) {
        const gpu_weight *w = &f.p.weights[i];
        memset(i ? slices : row, 0xff, sizeof row);
        w->pack(i ? slices : row, &f.g.tensors[w->tensor], &w->arg);
    }
    static const float in_slices[8] = {1, 3, 5, 0, 2, 4, 0.1f, 0};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(row[i], i < 6 ? vkb_f32_to_f16(values[i]) : 0);
        assert_int_equal(slices[i], vkb_f32_to_f16(in_slices[i]));
    }
    wanted_in = GPU_C4;
    assert_int_equal(gpu_emit(&f.b, ids[2], &plain), VKI_E_UNSUPPORTED); /* a scalar has no slices */
    close_fixture(&f);
}

static void test_other_types(void **state)
{
    (void)state;
    static const uint16_t halves[2] = {0x3c00, 0xc000};
    static const double doubles[2] = {1.0, -2.0};
    float packed[4];
    fixture f;
    open_graph(&f);
    gpu_pack_arg arg = {0};
    gr_id h = gr_add_const(&f.g, NULL, VKI_F16, DIMS(2), halves, true);
    gr_id d = gr_add_const(&f.g, NULL, VKI_F64, DIMS(2), doubles, true);
    for (int i = 0; i < 2; i++) {
        gpu_pack_row(packed, &f.g.tensors[i ? d : h], &arg);
        assert_true(packed[0] == 1.0f && packed[1] == -2.0f && packed[2] == 0.0f && packed[3] == 0.0f);
    }
    static const int8_t small[3] = {-1, 2, 127};
    gr_id w = gr_add_const(&f.g, NULL, VKI_I8, DIMS(3), small, true);
    int32_t words[4];
    gpu_pack_row(words, &f.g.tensors[w], &(gpu_pack_arg){.half = 1}); /* words in half plans too */
    assert_true(words[0] == -1 && words[1] == 2 && words[2] == 127 && words[3] == 0);
    gr_id x = gr_add_tensor(&f.g, "indices", VKI_I64, DIMS(1, 4)), y = tensor(&f, DIMS(4));
    gr_id id = node(&f, x, y);
    open_builder(&f, true);
    assert_false(gpu_has_layout(&f.b, x, GPU_C4));
    wanted_in = GPU_C4;
    assert_int_equal(gpu_emit(&f.b, id, &plain), VKI_E_INTERNAL);
    assert_non_null(strstr(f.err.text, "indices"));
    assert_non_null(strstr(f.err.text, "int64"));
    assert_int_equal(f.p.bufs[f.b.row_buf[x]].bytes, 16);
    close_fixture(&f);
}

static void emit_too_many(gpu_builder *b, const gr_node *n)
{
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, layout_row_from_c4));
    for (int i = 0; i <= GPU_MAX_BINDINGS; i++) gpu_bind_add(d, gpu_in(b, n, 0, GPU_ROW), GPU_READ);
    gpu_out(b, n, 0, GPU_ROW);
    gpu_grid(b, d, 1, 1, 1, 1, 1, 1);
}
static void emit_big_push(gpu_builder *b, const gr_node *n)
{
    emit_plain(b, n);
    gpu_push(&b->open, 1ll << 31);
}
static void emit_big_grid(gpu_builder *b, const gr_node *n)
{
    emit_plain(b, n);
    gpu_grid(b, &b->open, 65536 * 64, 1, 1, 64, 1, 1);
}
static void emit_big_group(gpu_builder *b, const gr_node *n)
{
    emit_plain(b, n);
    gpu_grid(b, &b->open, 1, 1, 1, 16, 16, 1);
}
static void emit_no_grid(gpu_builder *b, const gr_node *n)
{
    gpu_out(b, n, 0, GPU_ROW);
    gpu_dispatch_begin(b, GPU_SHADER(b, layout_row_from_c4));
}
static void emit_no_output(gpu_builder *b, const gr_node *n)
{
    gpu_in(b, n, 0, GPU_ROW);
}
static void emit_bad_offset(gpu_builder *b, const gr_node *n)
{
    emit_plain(b, n);
    b->open.bind[0].offset = 16; /* the device wants multiples of 256 */
}
static void emit_past_end(gpu_builder *b, const gr_node *n)
{
    emit_plain(b, n);
    b->open.bind[0].bytes = 1 << 20;
}
static void emit_long_binding(gpu_builder *b, const gr_node *n)
{
    gpu_dispatch *d;
    emit_plain(b, n);
    d = gpu_dispatch_begin(b, GPU_SHADER(b, layout_row_from_c4));
    gpu_bind_add(d, gpu_scratch(b, (1u << 27) + 16), GPU_WRITE);
    gpu_grid(b, d, 1, 1, 1, 1, 1, 1);
}
static void emit_missing_input(gpu_builder *b, const gr_node *n)
{
    gpu_in(b, n, 1, GPU_ROW);
}

static void test_bad_kernels(void **state)
{
    (void)state;
    static const struct {
        gpu_kernel kernel;
        vki_status status;
    } rows[] = {
        {{"too_many", any_fits, emit_too_many, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"big_push", any_fits, emit_big_push, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"big_grid", any_fits, emit_big_grid, GPU_FLOATS}, VKI_E_UNSUPPORTED},
        {{"big_group", any_fits, emit_big_group, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"no_grid", any_fits, emit_no_grid, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"no_output", any_fits, emit_no_output, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"bad_offset", any_fits, emit_bad_offset, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"past_end", any_fits, emit_past_end, GPU_FLOATS}, VKI_E_INTERNAL},
        {{"long_binding", any_fits, emit_long_binding, GPU_FLOATS}, VKI_E_UNSUPPORTED},
        {{"missing_input", any_fits, emit_missing_input, GPU_FLOATS}, VKI_E_INTERNAL},
    };
    wanted_in = wanted_out = GPU_ROW;
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        fixture f;
        open_graph(&f);
        gr_id id = node(&f, tensor(&f, DIMS(100)), tensor(&f, DIMS(100)));
        open_builder(&f, false);
        if (gpu_emit(&f.b, id, &rows[i].kernel) != rows[i].status)
            fail_msg("%s: %s", rows[i].kernel.name, f.err.text);
        assert_string_equal(f.err.node, "some node");
        assert_int_equal(gpu_emit(&f.b, id, &plain), rows[i].status); /* sticks */
        close_fixture(&f);
    }
}

static void test_choose(void **state)
{
    (void)state;
    fixture f;
    open_graph(&f);
    const float one = 1;
    gr_id c = gr_add_const(&f.g, NULL, VKI_F32, DIMS(1), &one, true);
    gr_id integers = gr_add_tensor(&f.g, NULL, VKI_I32, DIMS(4)), empty = tensor(&f, DIMS(0, 4)),
          large = tensor(&f, DIMS(1, 1, 8192, 8192)), y = tensor(&f, DIMS(4));
    const struct {
        gr_id in;
        const char *why;
    } rows[] = {{integers, "types"}, {empty, "empty"}, {large, "larger"}, {c, "constant"}};
    for (size_t i = 0; i < VKB_COUNT(rows); i++) {
        gr_node n = {
            .op = OP_MaxPool, .name = "n", .n_in = 1, .n_out = 1, .in = (gr_id[]){rows[i].in}, .out = &y};
        gpu_builder b = {.g = &f.g, .limits = &gpu_limits_minimum};
        const char *why = NULL;
        assert_null(gpu_choose(&b, &n, &why));
        assert_non_null(strstr(why, rows[i].why));
    }
    gr_free(&f.g);
}

/* Every allocation may fail: the builder reports it once and leaks nothing. */
static void test_out_of_memory(void **state)
{
    (void)state;
    counting c = {0};
    vki_allocator a = counting_allocator(&c);
    vki_status status = VKI_E_NOMEM;
    long long at = 1;
    for (; status != VKI_OK; at++) {
        fixture f = {0};
        gr_init(&f.g, &a);
        gr_id x = tensor(&f, DIMS(1, 5, 2, 2)), y = tensor(&f, DIMS(1, 5, 2, 2));
        gr_id id = node(&f, x, y);
        c.fail_at = c.calls + at;
        c.fail_on = false;
        wanted_in = wanted_out = GPU_C4;
        status = gpu_builder_init(&f.b, &f.g, &gpu_limits_minimum, false, &f.p, &f.err);
        if (status == VKI_OK) status = gpu_emit(&f.b, id, &plain);
        assert_true(status == VKI_OK || status == VKI_E_NOMEM);
        c.fail_at = 0;
        close_fixture(&f);
        assert_int_equal(c.live, 0);
    }
    assert_true(at > 4); /* maps, buffers, dispatches */
}

/* An LSTM over X [steps, 1, 4]; how many dispatches it takes. activations: of six, or none. */
static int recurrent_dispatches(int64_t steps, int64_t hidden, const op_ints *activations)
{
    fixture f;
    const char *why = "";
    open_graph(&f);
    const int64_t w_dims[] = {2, 4 * hidden, 4}, r_dims[] = {2, 4 * hidden, hidden};
    gr_id x = tensor(&f, DIMS(steps, 1, 4)), y = tensor(&f, DIMS(steps, 2, 1, hidden));
    void *zeros = gr_const_alloc(&f.g, (uint64_t)(2 * 4 * hidden * (hidden + 4)) * sizeof(float));
    gr_id w = gr_add_const(&f.g, "w", VKI_F32, 3, w_dims, zeros, false);
    gr_id r = gr_add_const(&f.g, "r", VKI_F32, 3, r_dims, zeros, false);
    gr_node *n = gr_add_node(&f.g, OP_LSTM, "layer", 3, (gr_id[]){x, w, r}, 1, &y);
    op_recurrent_attrs *a = n->attrs;
    a->direction = 2;
    if (activations) a->activations = *activations;
    open_builder(&f, false);
    const gpu_kernel *kernel = gpu_choose(&f.b, n, &why);
    if (!kernel) fail_msg("%s", why);
    assert_int_equal(gpu_emit(&f.b, 0, kernel), VKI_OK);
    int count = f.p.n_dispatches;
    close_fixture(&f);
    return count;
}

static void test_recurrent_dispatches(void **state)
{
    (void)state;
    const op_ints differ = {
        6, {OP_RNN_SIGMOID, OP_RNN_TANH, OP_RNN_TANH, OP_RNN_SIGMOID, OP_RNN_TANH, OP_RNN_RELU}};
    assert_int_equal(recurrent_dispatches(200, 128, NULL), 2); /* even within the guaranteed limits */
    assert_int_equal(recurrent_dispatches(20, 16, NULL), 2);
    assert_int_equal(recurrent_dispatches(20, 16, &differ), 3);
    assert_true(recurrent_dispatches(20000, 16, NULL) > 2); /* in parts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversion_once), cmocka_unit_test(test_free_conversions),
        cmocka_unit_test(test_views),           cmocka_unit_test(test_order),
        cmocka_unit_test(test_weights),         cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_bad_kernels),     cmocka_unit_test(test_choose),
        cmocka_unit_test(test_out_of_memory),   cmocka_unit_test(test_recurrent_dispatches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
