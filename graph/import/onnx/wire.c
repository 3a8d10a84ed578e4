/* SPDX-License-Identifier: Apache-2.0
 * From bytes to messages. protobuf-c recurses without a limit and turns two bytes into structs of hundreds,
 * so a first pass over the wire format bounds depth and memory before anything is unpacked. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum {
    DEPTH_MAX = 64,     /* messages within messages; a subgraph takes three */
    FIELD_COST = 48,    /* bytes protobuf-c keeps a field while it scans a message */
    MEMORY_FACTOR = 32, /* unpacked bytes a byte of file: real models stay below 20 */
    MEMORY_FREE = 64 << 20
};

typedef struct scan_state {
    uint64_t memory, limit; /* bytes the unpacked message will take at most */
    uint64_t slim;          /* bytes that slim_message writes at most */
    const char *problem;
} scan_state;

static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t byte = *(*p)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool complain(scan_state *s, const char *problem)
{
    s->problem = problem;
    return false;
}

/* Bytes of a length-delimited field's value when unpacked, but for messages. */
static uint64_t value_cost(const ProtobufCFieldDescriptor *field, uint64_t length)
{
    bool text = !field || field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
    return text ? length + 32 : 8 * length; /* packed numbers: a byte may become eight */
}

/* Where a large constant lies in the bytes, written in its place. No valid file has raw data of a tensor that
 * it declares as external; where a file has it all the same it is checked like any other. */
typedef struct reference {
    uint64_t offset, bytes;
} reference;
enum { PREFIX = 5, REFERENCE = 32 }; /* bytes of a length; of a reference and its tags, and more */

static bool is_large_raw(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
                         uint64_t length)
{
    return type == &onnx__tensor_proto__descriptor && field && length >= ONNX_LARGE &&
           field->offset == offsetof(Onnx__TensorProto, raw_data);
}

static bool scan_message(scan_state *s, const ProtobufCMessageDescriptor *type, const uint8_t *p,
                         const uint8_t *end, int depth)
{
    if (depth > DEPTH_MAX) return complain(s, "messages are nested too deeply");
    uint64_t seen = 0; /* single submessages; protobuf would merge repetitions, at quadratic cost */
    s->memory += vkb_round_up(type->sizeof_message, 16);
    while (p < end) {
        const uint8_t *start = p;
        uint64_t tag, length = 0;
        if (!read_varint(&p, end, &tag)) return complain(s, "a field is cut off");
        s->memory += FIELD_COST;
        if (s->memory > s->limit) return complain(s, "it would unpack to far more than its own size");
        unsigned wire = (unsigned)(tag & 7);
        if (wire == 0) {
            if (!read_varint(&p, end, &length)) return complain(s, "a number is cut off");
            s->slim += (uint64_t)(p - start);
            continue;
        }
        if (wire == 1)
            length = 8;
        else if (wire == 5)
            length = 4;
        else if (wire != 2 || !read_varint(&p, end, &length))
            return complain(s, "a field has an unknown wire type");
        if (length > (uint64_t)(end - p)) return complain(s, "a field is longer than its message");
        s->slim += (uint64_t)(p - start);
        if (wire != 2) {
            p += length;
            s->slim += length;
            continue;
        }
        const ProtobufCFieldDescriptor *field =
            tag >> 3 > INT32_MAX ? NULL : protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
            uint64_t bit = (uint64_t)1 << ((field - type->fields) & 63);
            if (field->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit))
                return complain(s, "a field that may stand once is there twice");
            seen |= bit;
            s->slim += PREFIX;
            if (!scan_message(s, field->descriptor, p, p + length, depth + 1)) return false;
        } else {
            s->memory += value_cost(field, length);
            s->slim += is_large_raw(type, field, length) ? REFERENCE : length;
        }
        p += length;
    }
    return true;
}

/* ---- the same message with references in the place of large constants ---- */

typedef struct slimmer {
    const uint8_t *base; /* of the bytes */
    uint8_t *out;
    size_t at;
} slimmer;

static void put(slimmer *s, const void *bytes, size_t n)
{
    memcpy(s->out + s->at, bytes, n);
    s->at += n;
}

static void put_reference(slimmer *s, const uint8_t *value, uint64_t length)
{
    enum { RAW_DATA = 9 << 3 | 2, DATA_LOCATION = 14 << 3 }; /* tags */
    const uint8_t head[] = {DATA_LOCATION, ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL, RAW_DATA,
                            sizeof(reference)};
    const reference r = {(uint64_t)(value - s->base), length};
    put(s, head + 2, 2);
    put(s, &r, sizeof r);
    put(s, head, 2);
}

/* Of bytes that scan_message has accepted. */
static void slim_message(slimmer *s, const ProtobufCMessageDescriptor *type, const uint8_t *p,
                         const uint8_t *end)
{
    const uint8_t *large = NULL;
    uint64_t tag, length, large_bytes = 0;
    while (p < end) {
        const uint8_t *start = p;
        read_varint(&p, end, &tag);
        const uint8_t *value = p;
        if ((tag & 7) == 0) {
            read_varint(&p, end, &length);
        } else if ((tag & 7) != 2) {
            p += (tag & 7) == 1 ? 8 : 4;
        } else {
            read_varint(&p, end, &length);
            const uint8_t *content = p;
            p += length;
            const ProtobufCFieldDescriptor *field =
                tag >> 3 > INT32_MAX ? NULL
                                     : protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
            if (is_large_raw(type, field, length)) {
                large = content;
                large_bytes = length;
                continue;
            }
            if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
                put(s, start, (size_t)(value - start));
                uint8_t *prefix = s->out + s->at;
                s->at += PREFIX;
                slim_message(s, field->descriptor, content, p);
                uint64_t written = (uint64_t)(s->out + s->at - prefix) - PREFIX;
                for (int i = 0; i < PREFIX; i++, written >>= 7)
                    prefix[i] = (uint8_t)((written & 0x7f) | (i + 1 < PREFIX ? 0x80 : 0));
                continue;
            }
        }
        put(s, start, (size_t)(p - start));
    }
    if (large) put_reference(s, large, large_bytes); /* at the end: the last value of a field counts */
}

bool onnx_reference(const Onnx__TensorProto *t, uint64_t *offset, uint64_t *bytes)
{
    reference r;
    if (!t->has_raw_data || t->raw_data.len != sizeof r) return false;
    if (t->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) return false;
    memcpy(&r, t->raw_data.data, sizeof r);
    *offset = r.offset;
    *bytes = r.bytes;
    return true;
}

typedef struct arena_user {
    vkb_arena *arena, *large;
    bool exhausted;
} arena_user;

static void *arena_alloc(void *data, size_t size)
{
    arena_user *user = data;
    void *p = vkb_arena_alloc_raw(size >= ONNX_LARGE ? user->large : user->arena, size ? size : 1);
    if (!p)
        user->exhausted = true;
    else
        vkb_prefault(p, size);
    return p;
}

static void arena_release(void *data, void *p) /* all goes with the arena */
{
    (void)data;
    (void)p;
}

ProtobufCMessage *onnx_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t n,
                              vkb_arena *arena, vkb_arena *large, bool refer, vki_status *status,
                              vki_error *err)
{
    scan_state scan = {.limit = (uint64_t)n * MEMORY_FACTOR + MEMORY_FREE};
    const uint8_t *p = bytes;
    if (n == 0 || !scan_message(&scan, type, p, p + n, 1)) {
        *status = vkb_fail(err, VKI_E_FORMAT, "not a valid ONNX file: %s; export or copy it again",
                           n ? scan.problem : "it is empty");
        return NULL;
    }
    if (refer) {
        slimmer slim = {.base = bytes, .out = vkb_arena_alloc_raw(arena, (size_t)scan.slim)};
        if (!slim.out) {
            *status = vkb_nomem(err, scan.slim);
            return NULL;
        }
        slim_message(&slim, type, p, p + n);
        p = slim.out;
        n = slim.at;
    }
    arena_user user = {arena, large, false};
    ProtobufCAllocator allocator = {arena_alloc, arena_release, &user};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, n, p);
    if (message)
        *status = VKI_OK;
    else if (user.exhausted)
        *status = vkb_nomem(err, scan.memory);
    else
        *status = vkb_fail(err, VKI_E_FORMAT,
                           "not a valid ONNX file: a field does not have its type; export or copy it again");
    return message;
}
