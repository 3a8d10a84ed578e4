/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/npy.h"

static const char *temporary(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/npy_test_%ld.npy", (long)getpid());
    return path;
}

/* A version 1 file with this header and `data` zero bytes after it. */
static size_t make(uint8_t *out, const char *header, size_t data)
{
    size_t n = strlen(header);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (uint8_t)(n & 0xff);
    out[9] = (uint8_t)(n >> 8);
    memcpy(out + 10, header, n);
    memset(out + 10 + n, 0, data);
    return 10 + n + data;
}

static vki_status parse(const char *header, size_t data, npy_array *array, vki_error *err)
{
    static uint8_t buffer[4096];
    size_t n = make(buffer, header, data);
    return npy_read(array, buffer, n, "test.npy", err);
}

static void round_trip(void **state)
{
    (void)state;
    static const vki_dtype dtypes[] = {VKI_F32, VKI_F64, VKI_F16, VKI_I8,  VKI_I16, VKI_I32,
                                       VKI_I64, VKI_U8,  VKI_U16, VKI_U32, VKI_U64, VKI_BOOL};
    static const int64_t dims[VKI_MAX_RANK] = {3, 1, 2, 1, 1, 2, 1, 1};
    uint8_t data[12 * 8];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    vki_error err;
    for (size_t t = 0; t < VKB_COUNT(dtypes); t++) {
        for (int rank = 0; rank <= VKI_MAX_RANK; rank++) {
            npy_array a;
            assert_int_equal(npy_save(temporary(), dtypes[t], rank, dims, data, &err), VKI_OK);
            assert_int_equal(npy_load(&a, temporary(), &err), VKI_OK);
            assert_int_equal(a.dtype, dtypes[t]);
            assert_int_equal(a.rank, rank);
            size_t elements = 1;
            for (int i = 0; i < rank; i++) {
                assert_int_equal(a.dims[i], dims[i]);
                elements *= (size_t)dims[i];
            }
            assert_int_equal(a.bytes, elements * vki_dtype_size(dtypes[t]));
            assert_memory_equal(a.data, data, a.bytes);
            npy_free(&a);
        }
    }
    unlink(temporary());
}

static void empty_array(void **state)
{
    (void)state;
    vki_error err;
    npy_array a;
    assert_int_equal(npy_save(temporary(), VKI_F32, 2, (const int64_t[]){0, 4}, NULL, &err), VKI_OK);
    assert_int_equal(npy_load(&a, temporary(), &err), VKI_OK);
    assert_int_equal(a.bytes, 0);
    assert_int_equal(a.dims[1], 4);
    npy_free(&a);
    unlink(temporary());
}

static void header_forms(void **state)
{
    (void)state;
    npy_array a;
    vki_error err;
    static const struct {
        const char *header;
        size_t data;
        vki_status status;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, VKI_OK},
        {"{\"shape\":(6,),\"fortran_order\":False,\"descr\":\"<f4\"}", 24, VKI_OK},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}", 24, VKI_OK},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': ()}", 1, VKI_OK},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 6)}", 24, VKI_OK},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", 24, VKI_E_UNSUPPORTED},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", 24, VKI_E_UNSUPPORTED},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3)}", 48, VKI_E_UNSUPPORTED},
        {"{'descr': '', 'fortran_order': False, 'shape': (2, 3)}", 48, VKI_E_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 23, VKI_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 25, VKI_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", 24, VKI_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4, VKI_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,4294967296,4294967296)}", 0,
         VKI_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999)}", 0, VKI_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False}", 4, VKI_E_FORMAT},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, VKI_E_FORMAT},
        {"", 0, VKI_E_FORMAT},
    };
    for (size_t i = 0; i < VKB_COUNT(cases); i++) {
        vki_status status = parse(cases[i].header, cases[i].data, &a, &err);
        if (status != cases[i].status) fail_msg("%s: %s", cases[i].header, vki_status_name(status));
        if (status != VKI_OK) assert_non_null(strstr(err.text, "test.npy"));
        npy_free(&a);
    }
}

static void damaged(void **state)
{
    (void)state;
    uint8_t whole[256];
    size_t n = make(whole, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24);
    npy_array a;
    vki_error err;
    for (size_t cut = 0; cut < n; cut++) { /* an exact copy, so that a sanitizer sees any read behind it */
        uint8_t *copy = malloc(cut ? cut : 1);
        memcpy(copy, whole, cut);
        assert_int_equal(npy_read(&a, copy, cut, "cut", &err), VKI_E_FORMAT);
        npy_free(&a);
        free(copy);
    }
    uint32_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        uint8_t *copy = malloc(n);
        memcpy(copy, whole, n);
        for (int k = 0; k < 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % n] = (uint8_t)(seed >> 24);
        }
        if (npy_read(&a, copy, n, "mutated", &err) == VKI_OK) assert_true(a.bytes <= n);
        npy_free(&a);
        free(copy);
    }
    assert_int_equal(npy_load(&a, "/nonexistent.npy", &err), VKI_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(empty_array),
        cmocka_unit_test(header_forms),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
