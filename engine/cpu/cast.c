/* SPDX-License-Identifier: Apache-2.0
 * What Cast means for every pair of types; see graph/ops/cast.c. */
#include <math.h>
#include <string.h>

#include "cpu/ref.h"

/* Into an integer type: the fraction is dropped, values outside go to the nearest end, NaN is 0. */
static void store_from_float(void *y, vki_dtype to, int64_t i, double v)
{
    static const struct {
        double low, high; /* from here on down, or up, the end of the range */
        int64_t min, max;
    } ranges[] = {
        [VKI_U8] = {-1, 256, 0, UINT8_MAX},
        [VKI_I8] = {-129, 128, INT8_MIN, INT8_MAX},
        [VKI_U16] = {-1, 65536, 0, UINT16_MAX},
        [VKI_I16] = {-32769, 32768, INT16_MIN, INT16_MAX},
        [VKI_I32] = {-2147483649.0, 2147483648.0, INT32_MIN, INT32_MAX},
        [VKI_U32] = {-1, 4294967296.0, 0, UINT32_MAX},
        [VKI_I64] = {-0x1p63, 0x1p63, INT64_MIN, INT64_MAX},
        [VKI_U64] = {-1, 0x1p64, 0, -1 /* all bits */},
    };
    if (to == VKI_BOOL)
        cpu_store_i64(y, to, i, v != 0);
    else if (isnan(v))
        cpu_store_i64(y, to, i, 0);
    else if (v <= ranges[to].low)
        cpu_store_i64(y, to, i, ranges[to].min);
    else if (v >= ranges[to].high)
        cpu_store_i64(y, to, i, ranges[to].max);
    else if (to == VKI_U64)
        ((uint64_t *)y)[i] = (uint64_t)v;
    else
        cpu_store_i64(y, to, i, (int64_t)v);
}

/* Into a float type, rounding once. */
static void store_from_int(void *y, vki_dtype to, int64_t i, int64_t v, bool is_u64)
{
    if (to == VKI_F64)
        ((double *)y)[i] = is_u64 ? (double)(uint64_t)v : (double)v;
    else if (to == VKI_F32)
        ((float *)y)[i] = is_u64 ? (float)(uint64_t)v : (float)v;
    else
        ((uint16_t *)y)[i] = vkb_f32_to_f16(is_u64 ? (float)(uint64_t)v : (float)v);
}

static inline void cast_loop(const void *x, vki_dtype from, void *y, vki_dtype to, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (cpu_is_float(from) && cpu_is_float(to))
            cpu_store(y, to, i, cpu_load(x, from, i));
        else if (cpu_is_float(from))
            store_from_float(y, to, i, cpu_load(x, from, i));
        else if (cpu_is_float(to))
            store_from_int(y, to, i, cpu_load_i64(x, from, i), from == VKI_U64);
        else
            cpu_store_i64(y, to, i, cpu_load_i64(x, from, i));
    }
}

static void cast_reference(const cpu_call *c)
{
    const gr_tensor *x = cpu_in(c, 0), *y = cpu_out(c, 0);
    int64_t n = gr_elements(y);
    if (x->dtype == y->dtype) {
        if (n) memcpy(c->out[0], c->in[0], (size_t)gr_bytes(y));
    } else if (x->dtype == VKI_F32 && y->dtype == VKI_F16) {
        vkb_f32_to_f16_n(c->out[0], c->in[0], (size_t)n);
    } else if (x->dtype == VKI_F16 && y->dtype == VKI_F32) {
        vkb_f16_to_f32_n(c->out[0], c->in[0], (size_t)n);
    } else {
        cast_loop(c->in[0], x->dtype, c->out[0], y->dtype, n);
    }
}

const cpu_op cpu_op_cast = {.reference = cast_reference};
