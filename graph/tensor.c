/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

bool gr_is_const(const gr_graph *g, gr_id t)
{
    return t != GR_NONE && g->tensors[t].data;
}

bool gr_is_concrete(const gr_tensor *t)
{
    if (t->dtype == VKI_DT_NONE || t->rank < 0) return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0) return false;
    return true;
}

int64_t gr_elements(const gr_tensor *t)
{
    if (!gr_is_concrete(t)) return -1;
    uint64_t n = 1;
    bool fits = true;
    for (int i = 0; i < t->rank; i++) {
        if (!t->dims[i]) return 0; /* even where the other dimensions overflow */
        fits = fits && vkb_mul_u64(n, (uint64_t)t->dims[i], &n) && n <= INT64_MAX;
    }
    return fits ? (int64_t)n : -1;
}

uint64_t gr_bytes(const gr_tensor *t)
{
    int64_t n = gr_elements(t);
    uint64_t bytes = 0;
    return n > 0 && vkb_mul_u64((uint64_t)n, vki_dtype_size(t->dtype), &bytes) ? bytes : 0;
}

bool gr_same_shape(const gr_tensor *a, const gr_tensor *b)
{
    if (a->rank != b->rank || a->rank < 0) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i] || a->dims[i] == GR_UNKNOWN) return false;
    return true;
}

/* Element i of integer data; false for other types and for values over INT64_MAX. */
static bool read_i64(vki_dtype dtype, const void *data, int64_t i, int64_t *out)
{
    switch (dtype) {
    case VKI_U8:
        *out = ((const uint8_t *)data)[i];
        return true;
    case VKI_I8:
        *out = ((const int8_t *)data)[i];
        return true;
    case VKI_U16:
        *out = ((const uint16_t *)data)[i];
        return true;
    case VKI_I16:
        *out = ((const int16_t *)data)[i];
        return true;
    case VKI_U32:
        *out = ((const uint32_t *)data)[i];
        return true;
    case VKI_I32:
        *out = ((const int32_t *)data)[i];
        return true;
    case VKI_I64:
        *out = ((const int64_t *)data)[i];
        return true;
    case VKI_U64: {
        uint64_t v = ((const uint64_t *)data)[i];
        *out = (int64_t)v;
        return v <= INT64_MAX;
    }
    default:
        return false;
    }
}

bool gr_const_i64(const gr_graph *g, gr_id t, int64_t *out, int capacity, int *count)
{
    *count = 0;
    if (!gr_is_const(g, t)) return false;
    int64_t n = gr_elements(&g->tensors[t]);
    if (n < 0 || n > capacity) return false;
    for (int64_t i = 0; i < n; i++)
        if (!read_i64(g->tensors[t].dtype, g->tensors[t].data, i, &out[i])) return false;
    *count = (int)n;
    return true;
}

bool gr_const_f32(const gr_graph *g, gr_id id, float *out)
{
    if (!gr_is_const(g, id) || gr_elements(&g->tensors[id]) != 1) return false;
    const gr_tensor *t = &g->tensors[id];
    int64_t v;
    switch (t->dtype) {
    case VKI_F32:
        *out = *(const float *)t->data;
        return true;
    case VKI_F16:
        *out = vkb_f16_to_f32(*(const uint16_t *)t->data);
        return true;
    case VKI_F64:
        *out = (float)*(const double *)t->data;
        return true;
    default:
        if (!read_i64(t->dtype, t->data, 0, &v)) return false;
        *out = (float)v;
        return true;
    }
}

const char *gr_shape_text(const gr_graph *g, const gr_tensor *t, char *buffer, size_t size)
{
    char *p = buffer, *end = buffer + size;
    p += snprintf(p, size, "%s[", t->dtype ? vki_dtype_name(t->dtype) : "?");
    if (t->rank < 0 && p < end) p += snprintf(p, (size_t)(end - p), "...");
    for (int i = 0; i < t->rank && p < end; i++) {
        const char *comma = i ? "," : "", *symbol = gr_symbol_name(g, t->dims[i]);
        if (t->dims[i] >= 0)
            p += snprintf(p, (size_t)(end - p), "%s%lld", comma, (long long)t->dims[i]);
        else
            p += snprintf(p, (size_t)(end - p), "%s%s", comma, symbol ? symbol : "?");
    }
    if (p < end) snprintf(p, (size_t)(end - p), "]");
    return buffer;
}
