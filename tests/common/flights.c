/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/flights.h"
#include "common/gpu_run.h"
#include "common/net.h"
#include "common/small_models.h"
#include "graph/ops/attrs.h"

const setting settings[] = {
    {"CPU", VKI_BACKEND_CPU, false, false},
    {"Vulkan", VKI_BACKEND_VULKAN, false, false},
    {"Vulkan with staging", VKI_BACKEND_VULKAN, true, false},
    {"Vulkan, profiled", VKI_BACKEND_VULKAN, false, true},
};

const size_t n_settings = VKB_COUNT(settings);

bool available(const setting *w)
{
    return w->backend != VKI_BACKEND_VULKAN || gpu_run_device();
}

vki_model *load(const setting *w, gr_graph *g, const vki_allocator *a)
{
    vki_context *c = NULL;
    vki_model *m = NULL;
    vki_context_options o = {
        .size = sizeof o, .backend = w->backend, .force_staging = w->staging, .allocator = a};
    SESSION_OK(vki_context_create(&o, &c, why));
    SESSION_OK(vki_model_load_file(c, small_model_file(g), &m, why));
    vki_context_destroy(&c);
    return m;
}

vki_session *open_session(vki_model *m, const setting *w, int in_flight, const vki_tie *tie)
{
    vki_session *s = NULL;
    vki_session_options o = {.size = sizeof o,
                             .threads = 2,
                             .profile = w->profile,
                             .runs_in_flight = in_flight,
                             .ties = tie,
                             .tie_count = tie != NULL};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    return s;
}

/* ---- networks ---- */

void net_cnn(gr_graph *g)
{
    small_cnn(g, &vkb_libc_allocator, 12);
}

/* z = cast(double(relu(x + y)) * 2) + y: doubles stay on the CPU, the rest is on the device. */
static void mixed(gr_graph *g)
{
    const double two = 2;
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(3, 5)), y = net_input(g, "y", DIMS(3, 5));
    gr_id wide = net_node(g, OP_Cast, IN(net_unary(g, OP_Relu, net_binary(g, OP_Add, x, y))));
    ((op_cast_attrs *)net_last(g)->attrs)->to = VKI_F64;
    wide = net_binary(g, OP_Mul, wide, gr_add_const(g, "two", VKI_F64, 0, NULL, &two, true));
    gr_id back = net_node(g, OP_Cast, IN(wide));
    ((op_cast_attrs *)net_last(g)->attrs)->to = VKI_F32;
    net_output(g, net_unary(g, OP_Tanh, net_binary(g, OP_Add, back, y)));
}

void net_loop(gr_graph *g)
{
    small_loop(g);
}

/* Where x is positive: the shape depends on the values, so that the sums run in a stage of their own. */
static void staged(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(4, 6));
    gr_id places = net_node(g, OP_Cast, IN(net_node(g, OP_NonZero, IN(net_unary(g, OP_Relu, x)))));
    ((op_cast_attrs *)net_last(g)->attrs)->to = VKI_F32;
    net_output(g, places);
    net_output(g, net_binary(g, OP_Add, net_unary(g, OP_Exp, places), places));
}

/* An input that is an output too. */
static void passing(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(7));
    net_output(g, x);
    net_output(g, net_unary(g, OP_Exp, x));
}

const network networks[] = {net_cnn, mixed, staged, net_loop, passing};
const size_t n_networks = VKB_COUNT(networks);

/* ---- inputs and outputs ---- */

void shape_inputs(vki_session *s)
{
    if (s->plan) return;
    SESSION_OK(vki_session_reshape(s, &(vki_shape){"x", 2, {4, 3}}, 1, why));
}

void write_input(vki_session *s, int input, uint32_t seed)
{
    float x[1024];
    vki_tensor_info info;
    size_t n = 1;
    assert_int_equal(vki_session_input(s, input, &info), VKI_OK);
    for (int d = 0; d < info.rank; d++) n *= (size_t)info.dims[d];
    assert_true(n <= VKB_COUNT(x));
    for (size_t k = 0; k < n; k++) {
        seed = seed * 1664525u + 1013904223u;
        x[k] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
    SESSION_OK(vki_session_write(s, input, x, n * sizeof x[0], why));
}

void write_inputs(vki_session *s, int run)
{
    for (int i = 0; i < vki_model_input_count(s->model); i++)
        if (i == 0 || run % 3 == 0) write_input(s, i, (uint32_t)(100 * i + run));
}

void read_run(vki_session *s, uint64_t ticket, outputs *out)
{
    memset(out, 0, sizeof *out);
    for (int i = 0; i < vki_model_output_count(s->model); i++) {
        vki_tensor_info info;
        if (ticket)
            SESSION_OK(vki_session_read_run(s, ticket, i, &info, NULL, 0, why));
        else
            assert_int_equal(vki_session_output(s, i, &info), VKI_OK);
        out->bytes[i] = vki_dtype_size(info.dtype);
        for (int d = 0; d < info.rank; d++) out->bytes[i] *= (size_t)info.dims[d];
        assert_true(out->bytes[i] <= sizeof out->data[i]);
        if (ticket)
            SESSION_OK(vki_session_read_run(s, ticket, i, NULL, out->data[i], out->bytes[i], why));
        else
            SESSION_OK(vki_session_read(s, i, out->data[i], out->bytes[i], why));
    }
}
