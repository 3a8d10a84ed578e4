/* SPDX-License-Identifier: Apache-2.0
 * From bytes to messages. protobuf-c recurses without a limit and turns two bytes into structs of hundreds,
 * so a first pass over the wire format bounds depth and memory before anything is unpacked. */
#include "graph/import/onnx/onnx_internal.h"

enum {
    DEPTH_MAX = 64,     /* messages within messages; a subgraph takes three */
    FIELD_COST = 48,    /* bytes protobuf-c keeps a field while it scans a message */
    MEMORY_FACTOR = 32, /* unpacked bytes a byte of file: real models stay below 20 */
    MEMORY_FREE = 64 << 20
};

typedef struct scan_state {
    uint64_t memory, limit; /* bytes the unpacked message will take at most */
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

static bool scan_message(scan_state *s, const ProtobufCMessageDescriptor *type, const uint8_t *p,
                         const uint8_t *end, int depth)
{
    if (depth > DEPTH_MAX) return complain(s, "messages are nested too deeply");
    uint64_t seen = 0; /* single submessages; protobuf would merge repetitions, at quadratic cost */
    s->memory += vkb_round_up(type->sizeof_message, 16);
    while (p < end) {
        uint64_t tag, length = 0;
        if (!read_varint(&p, end, &tag)) return complain(s, "a field is cut off");
        s->memory += FIELD_COST;
        if (s->memory > s->limit) return complain(s, "it would unpack to far more than its own size");
        unsigned wire = (unsigned)(tag & 7);
        if (wire == 0) {
            if (!read_varint(&p, end, &length)) return complain(s, "a number is cut off");
            continue;
        }
        if (wire == 1)
            length = 8;
        else if (wire == 5)
            length = 4;
        else if (wire != 2 || !read_varint(&p, end, &length))
            return complain(s, "a field has an unknown wire type");
        if (length > (uint64_t)(end - p)) return complain(s, "a field is longer than its message");
        if (wire != 2) {
            p += length;
            continue;
        }
        const ProtobufCFieldDescriptor *field =
            tag >> 3 > INT32_MAX ? NULL : protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
            uint64_t bit = (uint64_t)1 << ((field - type->fields) & 63);
            if (field->label != PROTOBUF_C_LABEL_REPEATED && (seen & bit))
                return complain(s, "a field that may stand once is there twice");
            seen |= bit;
            if (!scan_message(s, field->descriptor, p, p + length, depth + 1)) return false;
        } else {
            s->memory += value_cost(field, length);
        }
        p += length;
    }
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
                              vkb_arena *arena, vkb_arena *large, vki_status *status, vki_error *err)
{
    scan_state scan = {0, (uint64_t)n * MEMORY_FACTOR + MEMORY_FREE, NULL};
    const uint8_t *p = bytes;
    if (n == 0 || !scan_message(&scan, type, p, p + n, 1)) {
        *status = vkb_fail(err, VKI_E_FORMAT, "not a valid ONNX file: %s; export or copy it again",
                           n ? scan.problem : "it is empty");
        return NULL;
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
