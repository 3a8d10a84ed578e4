/* SPDX-License-Identifier: Apache-2.0
 * Expands raw deflate streams, as RFC 1951 describes them. Made for small data that is trusted but must not
 * crash if damaged; symbols are decoded bit by bit, which needs no tables but the code lengths. */
#include "base/base.h"

#include <string.h>

enum { MAX_BITS = 15, MAX_LITERALS = 288, MAX_DISTANCES = 30 };

typedef struct stream {
    const uint8_t *src, *src_end;
    uint8_t *dst_begin, *dst, *dst_end;
    uint32_t hold; /* bits read and not used yet, lowest first */
    int n_hold;
    bool bad; /* once set, bits are zeros */
} stream;

/* A canonical Huffman code: symbols ordered by length, then by value (RFC 1951, 3.2.2). */
typedef struct code {
    uint16_t count[MAX_BITS + 1]; /* symbols of each length */
    uint16_t symbol[MAX_LITERALS];
} code;

static uint32_t take_bits(stream *s, int n)
{
    while (s->n_hold < n) {
        if (s->src == s->src_end) {
            s->bad = true;
            return 0;
        }
        s->hold |= (uint32_t)*s->src++ << s->n_hold;
        s->n_hold += 8;
    }
    uint32_t value = s->hold & ((1u << n) - 1);
    s->hold >>= n;
    s->n_hold -= n;
    return value;
}

/* false: more codes than the lengths have room for. Codes that leave room are fine: one distance may be. */
static bool make_code(code *c, const uint8_t *lengths, int n)
{
    int offset[MAX_BITS + 2] = {0}, room = 1;
    memset(c, 0, sizeof *c);
    for (int i = 0; i < n; i++) c->count[lengths[i]]++;
    c->count[0] = 0;
    for (int bits = 1; bits <= MAX_BITS; bits++) {
        room = room * 2 - c->count[bits];
        if (room < 0) return false;
        offset[bits + 1] = offset[bits] + c->count[bits];
    }
    for (int i = 0; i < n; i++)
        if (lengths[i]) c->symbol[offset[lengths[i]]++] = (uint16_t)i;
    return true;
}

/* -1: not a code */
static int take_symbol(stream *s, const code *c)
{
    int value = 0, first = 0, index = 0; /* the first code of a length, and its symbol's place */
    for (int bits = 1; bits <= MAX_BITS && !s->bad; bits++) {
        value |= (int)take_bits(s, 1);
        if (value - first < c->count[bits]) return c->symbol[index + value - first];
        index += c->count[bits];
        first = (first + c->count[bits]) * 2;
        value *= 2;
    }
    s->bad = true;
    return -1;
}

static void copy_match(stream *s, size_t length, size_t distance)
{
    if (distance > (size_t)(s->dst - s->dst_begin) || length > (size_t)(s->dst_end - s->dst)) {
        s->bad = true;
        return;
    }
    for (const uint8_t *from = s->dst - distance; length; length--) *s->dst++ = *from++; /* may overlap */
}

static void expand_codes(stream *s, const code *literals, const code *distances)
{
    static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                             31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                             2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[30] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                               33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                               1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    for (;;) {
        int symbol = take_symbol(s, literals);
        if (s->bad || symbol == 256) return;
        if (symbol < 256) {
            if (s->dst == s->dst_end) s->bad = true;
            if (!s->bad) *s->dst++ = (uint8_t)symbol;
            continue;
        }
        symbol -= 257;
        if (symbol >= (int)VKB_COUNT(length_base)) break;
        size_t length = length_base[symbol] + take_bits(s, length_extra[symbol]);
        symbol = take_symbol(s, distances);
        if (s->bad || symbol >= (int)VKB_COUNT(distance_base)) break;
        copy_match(s, length, distance_base[symbol] + take_bits(s, symbol < 4 ? 0 : symbol / 2 - 1));
    }
    s->bad = true;
}

static void expand_stored(stream *s)
{
    s->hold = 0; /* blocks of this kind begin at a byte; fewer than 8 bits are held here */
    s->n_hold = 0;
    if (s->src_end - s->src < 4) {
        s->bad = true;
        return;
    }
    size_t length = (size_t)(s->src[0] | s->src[1] << 8), check = (size_t)(s->src[2] | s->src[3] << 8);
    s->src += 4;
    if (length != (check ^ 0xffff) || length > (size_t)(s->src_end - s->src) ||
        length > (size_t)(s->dst_end - s->dst)) {
        s->bad = true;
        return;
    }
    memcpy(s->dst, s->src, length);
    s->src += length;
    s->dst += length;
}

static void expand_fixed(stream *s)
{
    uint8_t lengths[MAX_LITERALS];
    code literals, distances;
    for (int i = 0; i < MAX_LITERALS; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    make_code(&literals, lengths, MAX_LITERALS);
    memset(lengths, 5, MAX_DISTANCES);
    make_code(&distances, lengths, MAX_DISTANCES);
    expand_codes(s, &literals, &distances);
}

/* Code lengths, themselves run-length and Huffman coded (3.2.7). */
static bool take_lengths(stream *s, const code *c, uint8_t *lengths, int total)
{
    for (int n = 0; n < total;) {
        int symbol = take_symbol(s, c), repeat = 1;
        uint8_t value = 0;
        if (s->bad || (symbol == 16 && n == 0)) return false;
        if (symbol < 16) value = (uint8_t)symbol;
        if (symbol == 16) value = lengths[n - 1], repeat = 3 + (int)take_bits(s, 2);
        if (symbol == 17) repeat = 3 + (int)take_bits(s, 3);
        if (symbol == 18) repeat = 11 + (int)take_bits(s, 7);
        if (repeat > total - n) return false;
        memset(lengths + n, value, (size_t)repeat);
        n += repeat;
    }
    return true;
}

static void expand_dynamic(stream *s)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[MAX_LITERALS + 32] = {0};
    code literals, distances;
    int n_literals = 257 + (int)take_bits(s, 5), n_distances = 1 + (int)take_bits(s, 5),
        n_lengths = 4 + (int)take_bits(s, 4);
    for (int i = 0; i < n_lengths; i++) lengths[order[i]] = (uint8_t)take_bits(s, 3);
    if (s->bad || n_literals > MAX_LITERALS || !make_code(&literals, lengths, 19) ||
        !take_lengths(s, &literals, lengths, n_literals + n_distances) ||
        !make_code(&distances, lengths + n_literals, n_distances) ||
        !make_code(&literals, lengths, n_literals))
        s->bad = true;
    else
        expand_codes(s, &literals, &distances);
}

bool vkb_inflate(void *dst, size_t dst_bytes, const void *src, size_t src_bytes)
{
    stream s = {.src = src, .dst_begin = dst, .dst = dst};
    s.src_end = s.src + src_bytes;
    s.dst_end = s.dst + dst_bytes;
    for (bool last = false; !last && !s.bad;) {
        last = take_bits(&s, 1);
        uint32_t kind = take_bits(&s, 2);
        if (s.bad) break;
        if (kind == 0)
            expand_stored(&s);
        else if (kind == 1)
            expand_fixed(&s);
        else if (kind == 2)
            expand_dynamic(&s);
        else
            s.bad = true;
    }
    return !s.bad && s.dst == s.dst_end;
}
