/* SPDX-License-Identifier: Apache-2.0
 * TensorProto to constants: every numeric type, raw bytes and typed fields. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "raw_data is little-endian: this file needs byte swaps on a big-endian host"
#endif

const char *onnx_type_name(int32_t data_type)
{
    static const char *const names[] = {
        "undefined",      "float32",    "uint8",          "int8",       "uint16",   "int16",
        "int32",          "int64",      "string",         "bool",       "float16",  "float64",
        "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3",
        "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};
    return data_type >= 0 && (size_t)data_type < VKB_COUNT(names) ? names[data_type] : "unknown";
}

bool onnx_dtype(int32_t data_type, vki_dtype *dtype)
{
    *dtype = VKI_DT_NONE;
    if (data_type <= 0 || data_type > VKI_BF16 || vki_dtype_size((vki_dtype)data_type) == 0) return false;
    *dtype = (vki_dtype)data_type; /* vki_dtype uses ONNX's numbers */
    return true;
}

/* One tensor being read. */
typedef struct source {
    const Onnx__TensorProto *proto;
    const char *name;
    vki_dtype dtype; /* as stored; bf16: VKI_U16 with bf16 set */
    bool bf16;
    int rank;
    int64_t dims[GR_MAX_RANK];
    uint64_t elements, bytes;
} source;

static vki_status read_shape(onnx_ctx *c, source *s)
{
    const Onnx__TensorProto *t = s->proto;
    if (t->n_dims > GR_MAX_RANK)
        return vkb_fail(c->err, VKI_E_UNSUPPORTED, "constant with %zu dimensions; at most %d can be taken",
                        t->n_dims, GR_MAX_RANK);
    s->rank = (int)t->n_dims;
    s->elements = 1;
    for (int i = 0; i < s->rank; i++) {
        s->dims[i] = t->dims[i];
        if (s->dims[i] < 0 || !vkb_mul_u64(s->elements, (uint64_t)s->dims[i], &s->elements))
            return vkb_fail(c->err, VKI_E_FORMAT, "tensor '%s': dimension %d is %lld", s->name, i,
                            (long long)s->dims[i]);
    }
    if (!vkb_mul_u64(s->elements, vki_dtype_size(s->dtype), &s->bytes) || s->bytes > SIZE_MAX / 4)
        return vkb_fail(c->err, VKI_E_FORMAT, "tensor '%s': %llu elements are more than memory can hold",
                        s->name, (unsigned long long)s->elements);
    return VKI_OK;
}

/* The field that holds the values of a type, when they are not raw. */
static size_t typed_count(const source *s)
{
    const Onnx__TensorProto *t = s->proto;
    switch (s->dtype) {
    case VKI_F32:
        return t->n_float_data;
    case VKI_F64:
        return t->n_double_data;
    case VKI_I64:
        return t->n_int64_data;
    case VKI_U32:
    case VKI_U64:
        return t->n_uint64_data;
    default:
        return t->n_int32_data;
    }
}

static void copy_typed(const source *s, void *out)
{
    const Onnx__TensorProto *t = s->proto;
    for (size_t i = 0; i < (size_t)s->elements; i++) {
        switch (s->dtype) {
        case VKI_F64:
            ((double *)out)[i] = t->double_data[i];
            break;
        case VKI_I64:
            ((int64_t *)out)[i] = t->int64_data[i];
            break;
        case VKI_U64:
            ((uint64_t *)out)[i] = t->uint64_data[i];
            break;
        case VKI_U32:
            ((uint32_t *)out)[i] = (uint32_t)t->uint64_data[i];
            break;
        case VKI_I32:
            ((int32_t *)out)[i] = t->int32_data[i];
            break;
        case VKI_I16:
        case VKI_U16:
        case VKI_F16: /* the bits, in the low half */
            ((uint16_t *)out)[i] = (uint16_t)t->int32_data[i];
            break;
        default:
            ((uint8_t *)out)[i] = (uint8_t)t->int32_data[i];
        }
    }
}

/* *data: the values as stored; valid until the next external tensor or the end of c->scratch. */
static vki_status read_values(onnx_ctx *c, const source *s, const void **data)
{
    const Onnx__TensorProto *t = s->proto;
    uint64_t offset, length;
    if (c->bytes && onnx_reference(t, &offset, &length)) {
        if (length != s->bytes || offset > c->n_bytes || length > c->n_bytes - offset)
            return vkb_fail(c->err, VKI_E_FORMAT,
                            "tensor '%s' holds %llu bytes, but its shape and type need %llu", s->name,
                            (unsigned long long)length, (unsigned long long)s->bytes);
        *data = c->bytes + offset;
        return VKI_OK;
    }
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return onnx_external(c, t, s->name, s->bytes, data);
    if (t->has_raw_data && (t->raw_data.len || !typed_count(s))) {
        if (t->raw_data.len != s->bytes)
            return vkb_fail(c->err, VKI_E_FORMAT,
                            "tensor '%s' holds %zu bytes, but its shape and type need %llu", s->name,
                            t->raw_data.len, (unsigned long long)s->bytes);
        *data = t->raw_data.data;
        return VKI_OK;
    }
    size_t count = typed_count(s);
    if (count != s->elements)
        return vkb_fail(c->err, VKI_E_FORMAT, "tensor '%s' holds %zu values, but its shape needs %llu",
                        s->name, count, (unsigned long long)s->elements);
    if (s->dtype == VKI_F32 && count) {
        *data = t->float_data;
        return VKI_OK;
    }
    void *copy = vkb_arena_alloc(&c->scratch, s->bytes ? (size_t)s->bytes : 1);
    if (!copy) return vkb_nomem(c->err, s->bytes);
    copy_typed(s, copy);
    *data = copy;
    return VKI_OK;
}

/* fp16 and bf16 to fp32; truth values to 0 and 1. `in` may have any alignment. */
static void convert(const source *s, const void *in, void *out)
{
    const uint8_t *bytes = in;
    for (size_t i = 0; i < (size_t)s->elements; i++) {
        if (s->dtype == VKI_BOOL) {
            ((uint8_t *)out)[i] = bytes[i] != 0;
            continue;
        }
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        if (s->bf16) {
            uint32_t bits = (uint32_t)half << 16;
            memcpy((float *)out + i, &bits, sizeof bits);
        } else {
            ((float *)out)[i] = vkb_f16_to_f32(half);
        }
    }
}

static gr_id add_const(onnx_ctx *c, const source *s, const char *name, vki_dtype dtype, const void *data)
{
    const uintptr_t start = (uintptr_t)c->bytes, at = (uintptr_t)data;
    const bool in_file = c->store && at >= start && at - start < c->n_bytes;
    bool lasts = vkb_arena_holds(&c->main->arena, data) && at % 64 == 0;
    if (in_file && s->bytes >= VKB_STORE_LEAST) {
        data = vkb_store_copy(c->store, data, s->bytes);
        if (!data) return GR_NONE;
        lasts = true;
    }
    return gr_add_const(c->g, name, dtype, s->rank, s->dims, data, !lasts);
}

vki_status onnx_tensor(onnx_ctx *c, const Onnx__TensorProto *t, const char *name, bool widen, gr_id *id)
{
    source s = {.proto = t, .name = name};
    *id = GR_NONE;
    int32_t type = t->has_data_type ? t->data_type : 0;
    s.bf16 = type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
    if (s.bf16)
        s.dtype = VKI_U16;
    else if (!onnx_dtype(type, &s.dtype))
        return vkb_fail(c->err, VKI_E_UNSUPPORTED, "constant of type %s", onnx_type_name(type));
    if (t->segment) return vkb_fail(c->err, VKI_E_UNSUPPORTED, "constant stored in segments");
    VKB_TRY(read_shape(c, &s));
    const void *data = NULL;
    VKB_TRY(read_values(c, &s, &data));

    bool to_float = s.bf16 || (widen && s.dtype == VKI_F16);
    vki_dtype dtype = to_float ? VKI_F32 : s.dtype;
    void *converted = NULL;
    if (to_float || s.dtype == VKI_BOOL) {
        size_t bytes = (size_t)s.elements * vki_dtype_size(dtype);
        converted = vkb_alloc(c->g->allocator, bytes);
        if (!converted) return vkb_nomem(c->err, bytes);
        convert(&s, data, converted);
        vkb_store_release(c->store, data, s.bytes);
        data = converted;
    }
    *id = add_const(c, &s, name, dtype, data);
    vkb_free(c->g->allocator, converted);
    return *id == GR_NONE ? vkb_nomem(c->err, s.bytes) : VKI_OK;
}

vki_status onnx_read_tensor(gr_graph *g, const void *bytes, size_t n, gr_id *id, vki_error *err)
{
    vki_error local;
    onnx_ctx c = {.g = g, .main = g, .err = err ? err : &local};
    *id = GR_NONE;
    vkb_arena_init(&c.scratch, g->allocator);
    vki_status status = VKI_OK;
    Onnx__TensorProto *t = (Onnx__TensorProto *)onnx_unpack(&onnx__tensor_proto__descriptor, bytes, n,
                                                            &c.scratch, &g->arena, false, &status, c.err);
    if (t) status = onnx_tensor(&c, t, t->name && t->name[0] ? t->name : NULL, false, id);
    vkb_arena_free(&c.scratch);
    return status;
}
