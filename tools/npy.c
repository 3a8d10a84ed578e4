/* SPDX-License-Identifier: Apache-2.0 */
#include "npy.h"

#include <stdio.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    vki_dtype dtype;
    char text[3]; /* kind and size, as in 'descr' after the byte order */
} types[] = {{VKI_F32, "f4"}, {VKI_F64, "f8"}, {VKI_F16, "f2"}, {VKI_I8, "i1"},
             {VKI_I16, "i2"}, {VKI_I32, "i4"}, {VKI_I64, "i8"}, {VKI_U8, "u1"},
             {VKI_U16, "u2"}, {VKI_U32, "u4"}, {VKI_U64, "u8"}, {VKI_BOOL, "b1"}};

/* ---- the header: a Python dictionary with the keys descr, fortran_order and shape ---- */

typedef struct scanner {
    const char *p, *end;
} scanner;

static void skip_space(scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t')) s->p++;
}

static bool take(scanner *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static bool take_word(scanner *s, const char *word)
{
    skip_space(s);
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return false;
    s->p += n;
    return true;
}

static bool take_string(scanner *s, char *buffer, size_t size)
{
    skip_space(s);
    if (s->p == s->end || (*s->p != '\'' && *s->p != '"')) return false;
    char quote = *s->p++;
    size_t n = 0;
    while (s->p < s->end && *s->p != quote && n + 1 < size) buffer[n++] = *s->p++;
    buffer[n] = 0;
    return take(s, quote);
}

static bool take_number(scanner *s, int64_t *value)
{
    skip_space(s);
    const char *start = s->p;
    *value = 0;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++) {
        if (*value > INT64_MAX / 16) return false;
        *value = *value * 10 + (*s->p - '0');
    }
    if (s->p < s->end && *s->p == 'L') s->p++; /* written by Python 2 */
    return s->p > start;
}

static bool take_shape(scanner *s, npy_array *array)
{
    if (!take(s, '(')) return false;
    for (array->rank = 0; !take(s, ')'); array->rank++) {
        if (array->rank == VKI_MAX_RANK || !take_number(s, &array->dims[array->rank])) return false;
        if (!take(s, ',')) {
            array->rank++;
            return take(s, ')');
        }
    }
    return true;
}

typedef struct header {
    char descr[16];
    bool fortran, has_descr, has_order, has_shape;
} header;

static bool take_entry(scanner *s, header *h, npy_array *array)
{
    char key[24];
    if (!take_string(s, key, sizeof key) || !take(s, ':')) return false;
    if (strcmp(key, "descr") == 0) return h->has_descr = take_string(s, h->descr, sizeof h->descr);
    if (strcmp(key, "shape") == 0) return h->has_shape = take_shape(s, array);
    if (strcmp(key, "fortran_order") != 0) return false;
    h->fortran = take_word(s, "True");
    return h->has_order = h->fortran || take_word(s, "False");
}

static bool parse_header(scanner *s, header *h, npy_array *array)
{
    if (!take(s, '{')) return false;
    while (!take(s, '}')) {
        if (!take_entry(s, h, array)) return false;
        if (!take(s, ',')) {
            if (!take(s, '}')) return false;
            break;
        }
    }
    return h->has_descr && h->has_order && h->has_shape;
}

static vki_status read_type(const header *h, npy_array *array, const char *name, vki_error *err)
{
    const char *type = strchr("<|=", h->descr[0]) ? h->descr + 1 : "";
    if (!h->descr[0]) type = "";
    for (size_t i = 0; i < VKB_COUNT(types); i++)
        if (strcmp(type, types[i].text) == 0) array->dtype = types[i].dtype;
    if (array->dtype == VKI_DT_NONE)
        return vkb_fail(
            err, VKI_E_UNSUPPORTED,
            "%s holds elements of type '%s'; little-endian f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 can be read",
            name, h->descr);
    int long_dims = 0;
    for (int i = 0; i < array->rank; i++) long_dims += array->dims[i] != 1;
    if (h->fortran && long_dims > 1)
        return vkb_fail(err, VKI_E_UNSUPPORTED,
                        "%s is in Fortran order: save it again as numpy.ascontiguousarray(a)", name);
    return VKI_OK;
}

/* *header_bytes: all that comes before the data. */
static vki_status read_preamble(const uint8_t *p, size_t n, scanner *s, size_t *header_bytes,
                                const char *name, vki_error *err)
{
    if (n < 10 || memcmp(p, magic, sizeof magic) != 0)
        return vkb_fail(err, VKI_E_FORMAT, "%s is no .npy file", name);
    if (p[6] < 1 || p[6] > 3)
        return vkb_fail(err, VKI_E_UNSUPPORTED, "%s has the .npy version %d; 1 to 3 can be read", name, p[6]);
    size_t length = (size_t)p[8] | (size_t)p[9] << 8, start = 10;
    if (p[6] > 1) {
        if (n < 12) return vkb_fail(err, VKI_E_FORMAT, "%s is cut off in its header", name);
        length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
        start = 12;
    }
    if (length > n - start) return vkb_fail(err, VKI_E_FORMAT, "%s is cut off in its header", name);
    *s = (scanner){(const char *)p + start, (const char *)p + start + length};
    *header_bytes = start + length;
    return VKI_OK;
}

vki_status npy_read(npy_array *array, const void *bytes, size_t n, const char *name, vki_error *err)
{
    *array = (npy_array){.dtype = VKI_DT_NONE};
    scanner s = {NULL, NULL};
    size_t start = 0;
    header h = {.fortran = false};
    VKB_TRY(read_preamble(bytes, n, &s, &start, name, err));
    if (!parse_header(&s, &h, array))
        return vkb_fail(err, VKI_E_FORMAT, "%s: its header is damaged, or has more than %d dimensions", name,
                        VKI_MAX_RANK);
    VKB_TRY(read_type(&h, array, name, err));
    uint64_t need = vki_dtype_size(array->dtype);
    for (int i = 0; i < array->rank; i++)
        if (!vkb_mul_u64(need, (uint64_t)array->dims[i], &need))
            return vkb_fail(err, VKI_E_FORMAT, "%s claims more elements than can exist", name);
    if (need != n - start)
        return vkb_fail(err, VKI_E_FORMAT, "%s holds %zu bytes of data, but its shape and type need %llu",
                        name, n - start, (unsigned long long)need);
    array->bytes = (size_t)need;
    array->data = vkb_alloc(&vkb_libc_allocator, array->bytes);
    if (!array->data) return vkb_nomem(err, need);
    if (need) memcpy(array->data, (const uint8_t *)bytes + start, array->bytes);
    return VKI_OK;
}

vki_status npy_load(npy_array *array, const char *path, vki_error *err)
{
    vkb_file file;
    *array = (npy_array){.dtype = VKI_DT_NONE};
    VKB_TRY(vkb_file_map(&file, path, err));
    vki_status status = npy_read(array, file.data, file.bytes, path, err);
    vkb_file_unmap(&file);
    return status;
}

void npy_free(npy_array *array)
{
    vkb_free(&vkb_libc_allocator, array->data);
    *array = (npy_array){.dtype = VKI_DT_NONE};
}

/* ---- writing ---- */

vki_status npy_save(const char *path, vki_dtype dtype, int rank, const int64_t *dims, const void *data,
                    vki_error *err)
{
    const char *type = NULL;
    for (size_t i = 0; i < VKB_COUNT(types); i++)
        if (types[i].dtype == dtype) type = types[i].text;
    if (!type || rank < 0 || rank > VKI_MAX_RANK)
        return vkb_fail(err, VKI_E_ARG, "cannot write %s: type %s, %d dimensions", path,
                        vki_dtype_name(dtype), rank);
    char text[320] = {0}; /* 8 dimensions of up to 20 characters */
    uint64_t bytes = vki_dtype_size(dtype);
    int n = snprintf(text + 10, sizeof text - 10, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     vki_dtype_size(dtype) == 1 ? '|' : '<', type);
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0 || !vkb_mul_u64(bytes, (uint64_t)dims[i], &bytes))
            return vkb_fail(err, VKI_E_ARG, "cannot write %s: dimension %d is %lld", path, i,
                            (long long)dims[i]);
        n += snprintf(text + 10 + n, sizeof text - 10 - (size_t)n, "%lld%s", (long long)dims[i],
                      i + 1 < rank ? ", "
                      : rank == 1  ? ","
                                   : "");
    }
    n += snprintf(text + 10 + n, sizeof text - 10 - (size_t)n, "), }");
    size_t total = (size_t)vkb_round_up((uint64_t)n + 11, 64); /* data starts at a multiple of 64 */
    memset(text + 10 + n, ' ', total - 10 - (size_t)n);
    text[total - 1] = '\n';
    memcpy(text, magic, sizeof magic);
    text[6] = 1;
    text[8] = (char)((total - 10) & 0xff);
    text[9] = (char)((total - 10) >> 8);
    vkb_span parts[2] = {{text, total}, {data, (size_t)bytes}};
    return vkb_file_write(path, parts, 2, err);
}
