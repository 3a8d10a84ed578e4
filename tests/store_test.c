/* SPDX-License-Identifier: Apache-2.0
 * Constants that leave memory once they are packed: they come back when they are needed again, and a session
 * of a model's file takes little more than its weights at its peak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/store.h"
#include "common/onnx_build.h"
#include "common/session_check.h"
#include "graph/format/vkm.h"
#include "graph/import/onnx/onnx_import.h"
#include "tools/peak_memory.h"
#include "tools/tool.h"

static char folder[] = "/tmp/vkinfer-store-test-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* ---- the store ---- */

enum { OFFSET = 3, BYTES = 300 << 10 };
static uint8_t expected[BYTES]; /* one for all tests: what the process has counts in the peaks below */

static vkb_store *store_of_noise(const uint8_t **copy)
{
    uint8_t *bytes = malloc(OFFSET + BYTES);
    assert_non_null(bytes);
    for (int i = 0; i < OFFSET + BYTES; i++) bytes[i] = (uint8_t)(i * 7 % 251 + 1);
    vkb_file file;
    assert_int_equal(vkb_file_write(in_folder("noise"), &(vkb_span){bytes, OFFSET + BYTES}, 1, NULL), VKI_OK);
    assert_int_equal(vkb_file_map(&file, in_folder("noise"), NULL), VKI_OK);
    memcpy(expected, bytes + OFFSET, BYTES);
    free(bytes);
    vkb_store *s;
    const uint8_t *mapped = file.data;
    assert_int_equal(vkb_store_create(&vkb_libc_allocator, &file, &s, NULL), VKI_OK);
    assert_null(file.data);
    assert_false(vkb_store_has_copies(s));
    *copy = vkb_store_copy(s, mapped + OFFSET, BYTES);
    assert_non_null(*copy);
    assert_int_equal((uintptr_t)*copy % 64, 0);
    assert_true(vkb_store_has_copies(s));
    return s;
}

static bool is_there(const uint8_t *copy)
{
    return !memcmp(copy, expected, BYTES);
}

/* Emulators may take the advice to drop pages without following it. */
static void assert_left(const uint8_t *copy)
{
#if defined(__x86_64__)
    assert_int_equal(copy[BYTES / 2], 0);
#else
    (void)copy;
#endif
}

static void negate(void *to, const void *from, const void *recipe)
{
    for (int i = 0; i < BYTES; i++)
        ((uint8_t *)to)[i] = (uint8_t)(*(const uint8_t *)recipe - ((const uint8_t *)from)[i]);
}

static void copies_leave_and_come_back(void **state)
{
    (void)state;
    const uint8_t *copy;
    int other = 0;
    vkb_store *s = store_of_noise(&copy);
    assert_true(is_there(copy));
    assert_false(vkb_store_hold(s, &other));
    vkb_store_release(s, &other, sizeof other);
    assert_true(vkb_store_hold(s, copy + 100)); /* an address within will do */
    assert_true(vkb_store_hold(s, copy));
    vkb_store_release(s, copy, BYTES); /* another one holds it */
    assert_true(is_there(copy));
    vkb_store_drop(s, copy);
    vkb_store_release(s, copy, BYTES);
    assert_left(copy);
    vkb_store_drop(s, copy);
    vkb_store_hold(s, copy);
    assert_true(is_there(copy));
    vkb_store_drop(s, copy);
    vkb_store_release_rest(s);
    assert_left(copy);
    vkb_store_hold(s, copy); /* the second time it stays */
    vkb_store_release(s, copy, BYTES);
    assert_true(is_there(copy));
    vkb_store_drop(s, copy);
    vkb_store_destroy(&s);
}

static void parts_leave_and_come_back(void **state)
{
    (void)state;
    const uint8_t *copy, *made;
    vkb_store *s = store_of_noise(&copy);
    made = vkb_store_make(s, copy, BYTES, negate, &(uint8_t){7}, 1);
    assert_true(vkb_store_hold(s, copy) && vkb_store_hold(s, made));
    vkb_store_release(s, made, BYTES / 2); /* it would have to be made as a whole: it stays */
    assert_int_equal(made[BYTES / 4], (uint8_t)(7 - expected[BYTES / 4]));
    vkb_store_release(s, made, BYTES);
    for (int i = 1; i <= 3; i++) {
        vkb_store_release(s, copy, (uint64_t)i * BYTES / 4);
        assert_left(copy - BYTES / 2 + (2 * i - 1) * BYTES / 8);
        assert_memory_equal(copy + i * BYTES / 4, expected + i * BYTES / 4, (size_t)(4 - i) * BYTES / 4);
    }
    vkb_store_drop(s, made);
    assert_true(vkb_store_hold(s, made)); /* what it is made of comes back for that, and leaves again */
    assert_int_equal(made[BYTES / 4], (uint8_t)(7 - expected[BYTES / 4]));
    assert_left(copy - BYTES / 4);
    assert_memory_equal(copy + 3 * BYTES / 4, expected + 3 * BYTES / 4, BYTES / 4);
    assert_true(vkb_store_hold(s, copy));
    assert_true(is_there(copy));
    vkb_store_destroy(&s);
}

static void what_is_kept_stays(void **state)
{
    (void)state;
    const uint8_t *copy;
    vkb_store *s = store_of_noise(&copy);
    vkb_store_hold(s, copy);
    vkb_store_keep(s, copy);
    vkb_store_release(s, copy, BYTES);
    vkb_store_drop(s, copy);
    vkb_store_release_rest(s);
    assert_true(is_there(copy));
    vkb_store_destroy(&s);
}

/* Twice over: what is made of a constant that was made. */
static void what_is_made_is_made_again(void **state)
{
    (void)state;
    const uint8_t *copy, *made, *again;
    int other = 0;
    vkb_store *s = store_of_noise(&copy);
    assert_null(vkb_store_make(s, &other, BYTES, negate, &(uint8_t){7}, 1));
    made = vkb_store_make(s, copy, BYTES, negate, &(uint8_t){7}, 1);
    again = vkb_store_make(s, made, BYTES, negate, &(uint8_t){7}, 1);
    assert_non_null(made);
    assert_non_null(again);
    assert_true(is_there(again) && made[5] == (uint8_t)(7 - copy[5]));
    vkb_store_release_rest(s);
    assert_left(copy);
    assert_left(made);
    assert_left(again);
    assert_true(vkb_store_hold(s, again));
    assert_true(is_there(again));
    assert_left(made); /* nobody holds them */
    assert_left(copy);
    assert_true(vkb_store_hold(s, made));
    assert_true(made[5] == (uint8_t)(7 - expected[5]));
    vkb_store_drop(s, made);
    vkb_store_drop(s, again);
    vkb_store_destroy(&s);
}

/* ---- models ---- */

#ifdef VKI_HAVE_ONNX
enum { LAYERS = 16, ALIKE = 3 }; /* ALIKE: layers that share weights */

typedef struct net { /* of convolutions of `taps` x `taps` */
    int64_t channels, taps;
    int layers;
    bool scaled;    /* each by factors of its own, which go into its weights */
    bool connected; /* but of one fully connected layer behind a ReLU, to twice as many outputs */
} net;

static const float *noise(size_t n, uint32_t seed)
{
    float *v = malloc(n * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = ((float)(seed >> 8) / 16777216.0F - 0.5F) * 0.1F;
    }
    return v;
}

/* Multiplies `in`, which becomes the name of the result. */
static void add_scale(ob *b, int64_t channels, int layer, const char *format, char *in, size_t size)
{
    char dims[32], factors[16], inputs[64];
    float *data = malloc((size_t)channels * sizeof *data);
    assert_non_null(data);
    for (int64_t c = 0; c < channels; c++) data[c] = 0.75F + 0.5F * (float)(c % 2) + 0.01F * (float)layer;
    snprintf(dims, sizeof dims, "1,%lld,1,1", (long long)channels);
    snprintf(factors, sizeof factors, "f%d", layer);
    ob_initializer(b, factors, VKI_F32, dims, data);
    free(data);
    snprintf(inputs, sizeof inputs, "%s,%s", in, factors);
    snprintf(in, size, format, layer);
    ob_node(b, "Mul", inputs, in);
}

static void write_built(ob *b, const char *path)
{
    size_t n;
    uint8_t *bytes = ob_pack(b, &n);
    assert_int_equal(vkb_file_write(path, &(vkb_span){bytes, n}, 1, NULL), VKI_OK);
    ob_end(b);
}

/* x [1, channels, H, W] through convolutions, the last of which takes every other pixel. */
static void write_model(const char *path, const net *of)
{
    const int64_t channels = of->channels, pad = of->taps / 2, pads[] = {pad, pad, pad, pad};
    const int layers = of->layers;
    ob b;
    char dims[32], name[16], in[32] = "x", w[16];
    ob_start(&b, 13);
    snprintf(dims, sizeof dims, "1,%lld,H,W", (long long)channels);
    ob_input(&b, "x", VKI_F32, dims);
    snprintf(dims, sizeof dims, "%lld,%lld,%d,%d", (long long)channels, (long long)channels, (int)of->taps,
             (int)of->taps);
    for (int i = 0; i < layers; i++) {
        snprintf(w, sizeof w, "w%d", i < layers - ALIKE ? i : layers - ALIKE);
        if (i <= layers - ALIKE) {
            const float *data = noise((size_t)(channels * channels * of->taps * of->taps), (uint32_t)i + 1);
            ob_initializer(&b, w, VKI_F32, dims, data);
            free((void *)(uintptr_t)data);
        }
        snprintf(name, sizeof name, i + 1 < layers ? "y%d" : "y", i);
        char inputs[64];
        snprintf(inputs, sizeof inputs, "%s,%s", in, w);
        ob_node_t *n = ob_node(&b, "Conv", inputs, name);
        ob_ints(&b, n, "pads", 4, pads);
        if (i == layers - 1) ob_ints(&b, n, "strides", 2, (const int64_t[]){2, 2}); /* another kernel */
        snprintf(in, sizeof in, "%s", name);
        if (of->scaled) add_scale(&b, channels, i, i + 1 < layers ? "z%d" : "z", in, sizeof in);
    }
    ob_output(&b, in, VKI_F32, NULL);
    write_built(&b, path);
}

static void write_connected(const char *path, int64_t channels)
{
    ob b;
    char dims[32];
    ob_start(&b, 13);
    snprintf(dims, sizeof dims, "1,%lld,H,W", (long long)channels);
    ob_input(&b, "x", VKI_F32, dims);
    ob_node(&b, "Relu", "x", "positive");
    ob_node(&b, "Flatten", "positive", "row");
    const float *data = noise((size_t)(2 * channels * channels), 1);
    snprintf(dims, sizeof dims, "%lld,%lld", (long long)(2 * channels), (long long)channels);
    ob_initializer(&b, "w", VKI_F32, dims, data);
    free((void *)(uintptr_t)data);
    ob_int(&b, ob_node(&b, "Gemm", "row,w", "y"), "transB", 1);
    ob_output(&b, "y", VKI_F32, NULL);
    write_built(&b, path);
}

/* In a process of its own, whose memory does not count as that of the next ones. */
static void write_model_apart(const char *path, const net *of)
{
    int status = 1;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        if (of->connected)
            write_connected(path, of->channels);
        else
            write_model(path, of);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static vki_session *open_session(vki_model *m, int64_t channels, int64_t side, bool reference)
{
    vki_session *s = NULL;
    const vki_shape shape = {.input = "x", .rank = 4, .dims = {1, channels, side, side}};
    const vki_session_options o = {
        .size = sizeof o, .threads = 1, .reference = reference, .shapes = &shape, .shape_count = 1};
    SESSION_OK(vki_session_create(m, &o, &s, why));
    return s;
}

static void compare(vki_model *a, vki_model *b, int64_t channels, int64_t side, bool reference, float within)
{
    vki_session *s = open_session(a, channels, side, false), *t = open_session(b, channels, side, reference);
    static float x[4096], y[2][4096];
    const size_t in = (size_t)(channels * side * side),
                 out = (size_t)(channels * ((side + 1) / 2) * ((side + 1) / 2));
    assert_true(in <= VKB_COUNT(x) && out <= VKB_COUNT(y[0]));
    for (size_t i = 0; i < in; i++) x[i] = (float)((int)(i * 31 % 17) - 8);
    for (int k = 0; k < 2; k++) {
        SESSION_OK(vki_session_write(k ? t : s, 0, x, in * sizeof *x, why));
        SESSION_OK(vki_session_run(k ? t : s, 0, why));
        SESSION_OK(vki_session_read(k ? t : s, 0, y[k], out * sizeof *y[k], why));
    }
    for (size_t i = 0; i < out; i++)
        if (!(y[0][i] - y[1][i] <= within && y[1][i] - y[0][i] <= within))
            fail_msg("side %d, element %zu: %g, not %g", (int)side, i, (double)y[0][i], (double)y[1][i]);
    vki_session_destroy(&s);
    vki_session_destroy(&t);
}

/* What the first session's plan packed is there for those that follow, and for the reference. */
static void find_weights(bool scaled)
{
    enum { FEW = 160 };
    const char *path = in_folder("small.onnx");
    write_model(path, &(net){FEW, 1, 5, scaled, false});
    vki_context *c = NULL;
    vki_model *file = NULL, *memory = NULL;
    vkb_file bytes;
    SESSION_OK(vki_context_create(
        &(vki_context_options){.size = sizeof(vki_context_options), .backend = VKI_BACKEND_CPU}, &c, why));
    SESSION_OK(vki_model_load_file(c, path, &file, why));
    assert_int_equal(vkb_file_map(&bytes, path, NULL), VKI_OK);
    SESSION_OK(vki_model_load_memory(c, bytes.data, bytes.bytes, &memory, why)); /* all of it stays */
    vkb_file_unmap(&bytes);
    for (int64_t side = 1; side <= 5; side++) {
        compare(file, memory, FEW, side, false, 0);
        compare(memory, file, FEW, side, true, 1e-4F);
    }
    vki_model_destroy(&file);
    vki_model_destroy(&memory);
    vki_context_destroy(&c);
}

static void later_plans_find_their_weights(void **state)
{
    (void)state;
    find_weights(false);
}

static void later_plans_find_scaled_weights(void **state)
{
    (void)state;
    find_weights(true);
}

/* The command compares what it wrote with the original. */
static void converted_files_have_scaled_weights(void **state)
{
    (void)state;
    char command[] = "convert", option[] = "-o", in[256], out[256];
    snprintf(in, sizeof in, "%s", in_folder("scaled.onnx"));
    snprintf(out, sizeof out, "%s", in_folder("scaled.vkm"));
    write_model(in, &(net){160, 1, 5, true, false});
    assert_int_equal(cmd_convert(4, (char *[]){command, in, option, out, NULL}), TOOL_OK);
    unlink(in);
    unlink(out);
}

typedef struct taken { /* by a process; 0: not known */
    uint64_t peak, weights, activations;
} taken;

static taken peak_of_a_run(const char *path, int64_t channels, int64_t side, int percent)
{
    taken t = {0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        vki_context *c = NULL;
        vki_model *m = NULL;
        vki_session *s = NULL;
        const vki_shape shape = {.input = "x", .rank = 4, .dims = {1, channels, side, side}};
        const vki_session_options o = {
            .size = sizeof o, .threads = 1, .shapes = &shape, .shape_count = 1, .packed_percent = percent};
        bool good = vki_context_create(&(vki_context_options){.size = sizeof(vki_context_options),
                                                              .backend = VKI_BACKEND_CPU},
                                       &c, NULL) == VKI_OK &&
                    vki_model_load_file(c, path, &m, NULL) == VKI_OK &&
                    vki_session_create(m, &o, &s, NULL) == VKI_OK;
        const size_t count = (size_t)(channels * side * side);
        float *x = calloc(count, sizeof *x);
        good = good && x && vki_session_write(s, 0, x, count * sizeof *x, NULL) == VKI_OK &&
               vki_session_run(s, 0, NULL) == VKI_OK;
        vki_session_stats stats = {.size = sizeof stats};
        if (good && vki_session_stats_get(s, &stats) == VKI_OK)
            t = (taken){peak_memory(), stats.weight_bytes, stats.activation_bytes};
        _exit(write(ends[1], &t, sizeof t) == (ssize_t)sizeof t ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &t, sizeof t) != (ssize_t)sizeof t) t = (taken){0};
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return t;
}

/* Sanitizers and emulators have memory of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
#define PEAK_IS_KNOWN 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PEAK_IS_KNOWN 0
#endif
#endif
#ifndef PEAK_IS_KNOWN
#define PEAK_IS_KNOWN 1
#endif

/* Between bytes, activations not counted. */
static taken peak_within(const char *path, const net *of, int64_t side, int percent, uint64_t floor,
                         uint64_t limit)
{
    const taken t = peak_of_a_run(path, of->channels, side, percent);
    if (t.peak > limit + t.activations || t.peak < floor)
        fail_msg("%s: peak %.1f MB, activations %.1f, not in %.1f..%.1f", path, (double)t.peak / 1e6,
                 (double)t.activations / 1e6, (double)floor / 1e6, (double)limit / 1e6);
    return t;
}

/* Weights and activations, half as much again, and 10 MB. */
static void the_peak_is_near_the_weights(void **state)
{
    (void)state;
    if (!PEAK_IS_KNOWN) skip();
    const net of = {1024, 1, LAYERS, false, false};
    const uint64_t weights = (uint64_t)((LAYERS - ALIKE + 1) * of.channels * of.channels) * sizeof(float);
    const uint64_t limit = weights * 3 / 2 + 10000000;
    const char *path = in_folder("large.onnx");
    write_model_apart(path, &of);
    peak_within(path, &of, 4, 0, weights, limit);
    vkb_file file;
    gr_graph g;
    assert_int_equal(vkb_file_map(&file, path, NULL), VKI_OK);
    assert_int_equal(onnx_import(&g, &vkb_libc_allocator, file.data, file.bytes, NULL, NULL), VKI_OK);
    vkb_file_unmap(&file);
    unlink(path);
    path = in_folder("large.vkm");
    assert_int_equal(vkm_write(&g, path, &(vkm_write_options){0}, NULL), VKI_OK);
    gr_free(&g);
    peak_within(path, &of, 4, 0, weights, limit);
    unlink(path);
}

/* Scaled weights stand for those that they are made of, but for those of the layers that are alike. */
static void so_it_is_with_scaled_weights(void **state)
{
    (void)state;
    if (!PEAK_IS_KNOWN) skip();
    const net of = {1024, 1, LAYERS, true, false};
    const uint64_t weights = (uint64_t)(LAYERS * of.channels * of.channels) * sizeof(float);
    const char *path = in_folder("large.onnx");
    write_model_apart(path, &of);
    peak_within(path, &of, 4, 0, weights, weights * 5 / 4 + 10000000);
    unlink(path);
}

/* A constant leaves memory while it is packed. */
static void so_it_is_with_a_single_one(void **state)
{
    (void)state;
    if (!PEAK_IS_KNOWN) skip();
    const net of = {.channels = 4096, .connected = true};
    const uint64_t weights = (uint64_t)(2 * of.channels * of.channels) * sizeof(float);
    const char *path = in_folder("large.onnx");
    write_model_apart(path, &of);
    peak_within(path, &of, 1, 0, weights, weights * 3 / 2 + 10000000);
    unlink(path);
}

/* Filters that Winograd's algorithm transforms take four times their bytes, where the session allows that. */
static void so_it_is_with_transformed_filters(void **state)
{
    (void)state;
    if (!PEAK_IS_KNOWN) skip();
    enum { SIDE = 14 };
    const net of = {128, 3, 42, false, false};
    const uint64_t weights =
        (uint64_t)((of.layers - ALIKE + 1) * of.channels * of.channels * 9) * sizeof(float);
    const char *path = in_folder("large.onnx");
    write_model_apart(path, &of);
    taken t = peak_within(path, &of, SIDE, 0, weights, weights * 3 / 2 + 10000000);
    assert_in_range(t.weights, weights, weights * 3 / 2 + (4 << 20));
    t = peak_within(path, &of, SIDE, 100, weights, weights * 3 / 2 + 10000000);
    assert_in_range(t.weights, weights, weights + (4 << 20));
    t = peak_within(path, &of, SIDE, 1000, 3 * weights, 5 * weights);
    assert_in_range(t.weights, 3 * weights, 5 * weights);
    unlink(path);
}
#endif

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(in_folder("noise"));
    unlink(in_folder("small.onnx"));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_leave_and_come_back),
        cmocka_unit_test(parts_leave_and_come_back),
        cmocka_unit_test(what_is_kept_stays),
        cmocka_unit_test(what_is_made_is_made_again),
#ifdef VKI_HAVE_ONNX
        cmocka_unit_test(later_plans_find_their_weights),
        cmocka_unit_test(later_plans_find_scaled_weights),
        cmocka_unit_test(converted_files_have_scaled_weights),
        cmocka_unit_test(the_peak_is_near_the_weights),
        cmocka_unit_test(so_it_is_with_scaled_weights),
        cmocka_unit_test(so_it_is_with_a_single_one),
        cmocka_unit_test(so_it_is_with_transformed_filters),
#endif
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
