/* SPDX-License-Identifier: Apache-2.0
 * The ONNX importer on damaged and hostile files, and with exhausted memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include <stdlib.h>

#include "common/counting.h"
#include "common/onnx_build.h"
#include "graph/import/onnx/onnx_import.h"

/* An exact copy, so that a sanitizer sees any read behind it. */
static vki_status import_copy(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    if (n) memcpy(copy, bytes, n);
    gr_graph g;
    vki_error err = {.text = ""};
    vki_status status = onnx_import(&g, &vkb_libc_allocator, copy, n, NULL, &err);
    free(copy);
    if (status == VKI_OK) {
        assert_int_equal(gr_check(&g, &err), VKI_OK);
        gr_infer(&g, &err); /* may refuse, must not crash */
    } else if (!err.text[0]) {
        fail_msg("%s without a text", vki_status_name(status));
    }
    gr_free(&g);
    return status;
}

static void truncated(void **state)
{
    (void)state;
    ob b;
    size_t n;
    ob_small_model(&b);
    const uint8_t *bytes = ob_pack(&b, &n);
    assert_int_equal(import_copy(bytes, n), VKI_OK);
    for (size_t cut = 0; cut < n; cut++) assert_int_not_equal(import_copy(bytes, cut), VKI_OK);
    ob_end(&b);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void mutated(void **state)
{
    (void)state;
    ob b;
    size_t n;
    ob_small_model(&b);
    const uint8_t *bytes = ob_pack(&b, &n);
    uint8_t *copy = malloc(n);
    uint32_t seed = 1;
    int taken = 0;
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, bytes, n);
        for (uint32_t k = next_random(&seed) % 4 + 1; k; k--)
            copy[next_random(&seed) % n] = (uint8_t)next_random(&seed);
        taken += import_copy(copy, n) == VKI_OK;
    }
    assert_true(taken > 100 && taken < 19000); /* some hit only weights: the test does reach the importer */
    free(copy);
    ob_end(&b);
}

/* Large raw data is not unpacked but referred to: wherever the file is damaged, and where it claims to hold
 * such a reference itself. */
static void large_constants(void **state)
{
    (void)state;
    enum { COUNT = 5000, CUTS = 97 };
    static float values[COUNT];
    ob b;
    size_t n;
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "5000");
    for (int i = 0; i < COUNT; i++) values[i] = (float)i;
    ob_tensor_t *t = ob_initializer(&b, "w", VKI_F32, "5000", values);
    t->has_data_location = 1; /* said, though it is the default */
    ob_node(&b, "Add", "x,w", "y");
    ob_output(&b, "y", VKI_F32, "5000");
    const uint8_t *bytes = ob_pack(&b, &n);
    gr_graph g;
    assert_int_equal(onnx_import(&g, &vkb_libc_allocator, bytes, n, NULL, NULL), VKI_OK);
    assert_memory_equal(g.tensors[gr_find_tensor(&g, "w")].data, values, sizeof values);
    gr_free(&g);
    for (size_t cut = 0; cut < n; cut += cut < 100 ? 1 : CUTS)
        assert_int_not_equal(import_copy(bytes, cut), VKI_OK);
    uint8_t *copy = malloc(n);
    uint32_t seed = 3;
    for (int round = 0; round < 4000; round++) {
        memcpy(copy, bytes, n);
        for (uint32_t k = next_random(&seed) % 3 + 1; k; k--) /* around the values */
            copy[next_random(&seed) % 80 + (next_random(&seed) % 2 ? 0 : n - 80)] =
                (uint8_t)next_random(&seed);
        import_copy(copy, n);
    }
    free(copy);
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    const uint64_t forged[][2] = {{0, 20000}, {UINT64_MAX - 1000, 20000}, {200, UINT64_MAX}, {0, 100}};
    for (size_t i = 0; i < VKB_COUNT(forged); i++) {
        t->raw_data.data = (uint8_t *)(uintptr_t)forged[i];
        t->raw_data.len = sizeof forged[i];
        bytes = ob_pack(&b, &n);
        assert_int_equal(import_copy(bytes, n), VKI_E_FORMAT); /* beyond the file, or of another size */
    }
    ob_end(&b);
}

/* Puts a field around the n bytes: tag and length in front. Returns the new size. */
static size_t wrap(uint8_t *bytes, size_t n, uint8_t tag)
{
    uint8_t head[11] = {tag};
    size_t used = 1;
    for (size_t length = n; used == 1 || length; length >>= 7)
        head[used++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    memmove(bytes + used, bytes, n);
    memcpy(bytes, head, used);
    return n + used;
}

static void expect_format(const uint8_t *bytes, size_t n, const char *part)
{
    gr_graph g;
    vki_error err = {.text = ""};
    assert_int_equal(onnx_import(&g, &vkb_libc_allocator, bytes, n, NULL, &err), VKI_E_FORMAT);
    if (!strstr(err.text, part)) fail_msg("no '%s' in: %s", part, err.text);
}

/* Field numbers and wire type 2, from onnx.proto. */
enum {
    MODEL_GRAPH = 0x3a,
    GRAPH_NODE = 0x0a,
    GRAPH_INITIALIZER = 0x2a,
    NODE_ATTRIBUTE = 0x2a,
    ATTRIBUTE_G = 0x32
};

static void nested_too_deeply(void **state)
{
    (void)state;
    enum { LEVELS = 5000 };
    uint8_t *bytes = malloc(LEVELS * 3 * 6);
    assert_non_null(bytes);
    size_t n = 0;
    for (int i = 0; i < LEVELS; i++) {
        n = wrap(bytes, n, ATTRIBUTE_G);
        n = wrap(bytes, n, NODE_ATTRIBUTE);
        n = wrap(bytes, n, GRAPH_NODE);
    }
    n = wrap(bytes, n, MODEL_GRAPH);
    expect_format(bytes, n, "nested");
    free(bytes);
}

/* Two bytes a tensor, of which each would unpack to hundreds. */
static void far_larger_than_its_file(void **state)
{
    (void)state;
    enum { BYTES = 4 << 20 };
    uint8_t *bytes = malloc(BYTES + 16);
    assert_non_null(bytes);
    for (size_t i = 0; i < BYTES; i += 2) {
        bytes[i] = GRAPH_INITIALIZER;
        bytes[i + 1] = 0;
    }
    expect_format(bytes, wrap(bytes, BYTES, MODEL_GRAPH), "far more");
    free(bytes);
}

/* The same single field again and again: protobuf would merge, each time copying what is there. */
static void merged_again_and_again(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = MODEL_GRAPH;
        bytes[i + 1] = 0;
    }
    expect_format(bytes, sizeof bytes, "twice");
}

static void exhausted_memory(void **state)
{
    (void)state;
    ob b;
    size_t n;
    ob_small_model(&b);
    ob_int(&b, ob_node(&b, "Softmax", "x", "s"), "axis", 0);
    b.model.opset_import[0]->version = 11;
    const uint8_t *bytes = ob_pack(&b, &n);
    for (int at = 1;; at++) {
        counting count = {.calls = 0, .fail_at = at, .fail_on = true};
        vki_allocator a = counting_allocator(&count);
        gr_graph g;
        vki_error err;
        vki_status status = onnx_import(&g, &a, bytes, n, NULL, &err);
        gr_free(&g);
        assert_int_equal(count.live, 0);
        if (status == VKI_OK) {
            assert_true(at > 5);
            break;
        }
        assert_int_equal(status, VKI_E_NOMEM);
    }
    ob_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated),
        cmocka_unit_test(mutated),
        cmocka_unit_test(large_constants),
        cmocka_unit_test(nested_too_deeply),
        cmocka_unit_test(far_larger_than_its_file),
        cmocka_unit_test(merged_again_and_again),
        cmocka_unit_test(exhausted_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    puts("skipped: built without the ONNX importer");
    return 0;
}
#endif
