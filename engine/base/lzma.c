/* SPDX-License-Identifier: Apache-2.0
 * Expands LZMA2, the data of .xz files. Made for data that is trusted but must not crash if damaged. The
 * format: Igor Pavlov's LZMA specification (2015, public domain) for what is in a chunk, the .xz file
 * format 1.1.0 for the chunks around it. Everything expanded stays where it is, so it is the dictionary. */
#include "base/base.h"

#include <string.h>

enum {
    STATES = 12,
    POSITIONS = 16,
    LITERAL_BITS = 3 /* lc + lp, no preset asks for more */,
    FIRST_MODELLED = 4,
    END_MODELLED = 14
};

typedef uint16_t
    chance; /* that a bit is 0, of 2048; in trees of n bits 2^n of them, of which the first is not used */

typedef struct length_model {
    chance beyond_low, beyond_mid, low[POSITIONS][8], mid[POSITIONS][8], high[256];
} length_model;

typedef struct model {
    chance is_match[STATES][POSITIONS], is_repeat[STATES], is_older[STATES], is_oldest[STATES],
        is_third[STATES];
    chance is_long[STATES][POSITIONS]; /* of the newest distance: more than one byte */
    chance slot[4][64], distance[128 - END_MODELLED + 1], align[16];
    length_model match, repeat;
    chance literal[1 << LITERAL_BITS][3]
                  [256]; /* by the bytes before; [0] plain, the others by the bit expected */
} model;

typedef struct stream {
    const uint8_t *src, *src_end; /* of the chunk */
    uint8_t *begin, *dst, *dst_end;
    uint32_t range, code;
    uint32_t back[4]; /* the last distances, less one, newest first */
    uint32_t state;   /* what the last symbols were: below 7 a literal came last */
    uint32_t lc, lp_mask, pb_mask;
    bool bad; /* once set, bits mean nothing */
    model m;
} stream;

static void fill_range(stream *s)
{
    if (s->range >> 24) return;
    if (s->src == s->src_end) s->bad = true;
    s->range <<= 8;
    s->code = s->code << 8 | (s->bad ? 0u : *s->src++);
}

static inline uint32_t take_bit(stream *s, chance *zero)
{
    fill_range(s);
    uint32_t bound = (s->range >> 11) * *zero;
    if (s->code < bound) {
        s->range = bound;
        *zero = (chance)(*zero + ((2048 - *zero) >> 5));
        return 0;
    }
    s->range -= bound;
    s->code -= bound;
    *zero = (chance)(*zero - (*zero >> 5));
    return 1;
}

static uint32_t take_even_bits(stream *s, uint32_t count)
{
    uint32_t value = 0;
    for (; count; count--) {
        fill_range(s);
        s->range >>= 1;
        uint32_t one = s->code >= s->range;
        if (one) s->code -= s->range;
        value = value << 1 | one;
    }
    return value;
}

static uint32_t take_tree(stream *s, chance *tree, uint32_t bits)
{
    uint32_t at = 1;
    while (at >> bits == 0) at = at << 1 | take_bit(s, &tree[at]);
    return at - (1u << bits);
}

/* The lowest bit first. */
static uint32_t take_reversed(stream *s, chance *tree, uint32_t bits)
{
    uint32_t at = 1, value = 0;
    for (uint32_t i = 0; i < bits; i++) {
        uint32_t bit = take_bit(s, &tree[at]);
        at = at << 1 | bit;
        value |= bit << i;
    }
    return value;
}

static uint32_t take_length(stream *s, length_model *m, uint32_t position)
{
    if (!take_bit(s, &m->beyond_low)) return 2 + take_tree(s, m->low[position], 3);
    if (!take_bit(s, &m->beyond_mid)) return 10 + take_tree(s, m->mid[position], 3);
    return 18 + take_tree(s, m->high, 8);
}

/* Less one. */
static uint32_t take_distance(stream *s, uint32_t length)
{
    uint32_t slot = take_tree(s, s->m.slot[length < 6 ? length - 2 : 3], 6);
    if (slot < FIRST_MODELLED) return slot;
    uint32_t bits = slot / 2 - 1, base = (2 | (slot & 1)) << bits;
    if (slot < END_MODELLED) return base + take_reversed(s, s->m.distance + base - slot, bits);
    base += take_even_bits(s, bits - 4) << 4;
    return base + take_reversed(s, s->m.align, 4);
}

static void expand_literal(stream *s)
{
    size_t at = (size_t)(s->dst - s->begin);
    uint32_t before = at ? s->dst[-1] : 0, symbol = 1;
    chance(*m)[256] = s->m.literal[((at & s->lp_mask) << s->lc) + (before >> (8 - s->lc))];
    if (s->state >=
        7) { /* what follows the match is what did not match: bits as there, up to the first that differs */
        if (s->back[0] >= at) {
            s->bad = true;
            return;
        }
        uint32_t expected = *(s->dst - s->back[0] - 1);
        for (; symbol < 256; expected <<= 1) {
            uint32_t bit = expected >> 7 & 1, taken = take_bit(s, &m[1 + bit][symbol]);
            symbol = symbol << 1 | taken;
            if (taken != bit) break;
        }
    }
    while (symbol < 256) symbol = symbol << 1 | take_bit(s, &m[0][symbol]);
    *s->dst++ = (uint8_t)symbol;
    s->state = s->state < 4 ? 0 : s->state - (s->state < 10 ? 3 : 6);
}

/* Takes one of the last distances to the front. */
static void take_back(stream *s)
{
    uint32_t which = 1;
    if (take_bit(s, &s->m.is_oldest[s->state])) which = 2 + take_bit(s, &s->m.is_third[s->state]);
    uint32_t distance = s->back[which];
    memmove(s->back + 1, s->back, which * sizeof s->back[0]);
    s->back[0] = distance;
}

/* The length; the distance is then the newest. */
static uint32_t take_match(stream *s, uint32_t position)
{
    const uint32_t state = s->state, after = state < 7 ? 7 : 10;
    if (!take_bit(s, &s->m.is_repeat[state])) {
        uint32_t length = take_length(s, &s->m.match, position);
        memmove(s->back + 1, s->back, 3 * sizeof s->back[0]);
        s->back[0] = take_distance(s, length);
        s->state = after;
        return length;
    }
    if (take_bit(s, &s->m.is_older[state]))
        take_back(s);
    else if (!take_bit(s, &s->m.is_long[state][position])) {
        s->state = state < 7 ? 9 : 11;
        return 1;
    }
    s->state = state < 7 ? 8 : 11;
    return take_length(s, &s->m.repeat, position);
}

static void expand_symbols(stream *s, uint8_t *end)
{
    while (s->dst < end && !s->bad) {
        size_t at = (size_t)(s->dst - s->begin);
        uint32_t position = (uint32_t)at & s->pb_mask;
        if (!take_bit(s, &s->m.is_match[s->state][position])) {
            expand_literal(s);
            continue;
        }
        size_t length = take_match(s, position);
        if (s->back[0] >= at || length > (size_t)(end - s->dst)) s->bad = true;
        if (s->bad) return;
        for (const uint8_t *from = s->dst - s->back[0] - 1; length; length--)
            *s->dst++ = *from++; /* may overlap */
    }
    fill_range(s);
}

static void reset(stream *s)
{
    chance *all = (chance *)&s->m;
    for (size_t i = 0; i < sizeof s->m / sizeof *all; i++) all[i] = 1024;
    memset(s->back, 0, sizeof s->back);
    s->state = 0;
}

/* What a byte says about the bits of positions and bytes before that choose models. */
static bool set_bits(stream *s, uint32_t byte)
{
    uint32_t lc = byte % 9, lp = byte / 9 % 5, pb = byte / 45;
    if (pb > 4 || lc + lp > LITERAL_BITS) return false;
    s->lc = lc;
    s->lp_mask = (1u << lp) - 1;
    s->pb_mask = (1u << pb) - 1;
    return true;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* A chunk of symbols; the rest of the source, or NULL if it is damaged. */
static const uint8_t *expand_chunk(stream *s, const uint8_t *src, const uint8_t *end)
{
    const uint32_t control = src[0],
                   resets = control >> 5 & 3; /* 0 nothing, 1 the model, 2 the bits too, 3 all */
    const size_t head = resets >= 2 ? 6 : 5;
    if ((size_t)(end - src) < head + 5) return NULL;
    size_t expanded = ((control & 31) << 16 | big_endian(src + 1)) + 1u, packed = big_endian(src + 3) + 1u;
    if (resets >= 2 && !set_bits(s, src[5])) return NULL;
    src += head;
    if (expanded > (size_t)(s->dst_end - s->dst) || packed > (size_t)(end - src) || packed < 5) return NULL;
    if (resets) reset(s);
    s->range = UINT32_MAX;
    s->code = big_endian(src + 1) << 16 | big_endian(src + 3); /* the first of five bytes is 0 */
    s->src = src + 5;
    s->src_end = src + packed;
    if (src[0]) return NULL;
    expand_symbols(s, s->dst + expanded);
    if (s->bad || s->code || s->src != s->src_end) return NULL; /* the encoder leaves nothing of its code */
    return s->src;
}

static const uint8_t *copy_chunk(stream *s, const uint8_t *src, const uint8_t *end)
{
    if (end - src < 3) return NULL;
    size_t bytes = big_endian(src + 1) + 1u;
    src += 3;
    if (bytes > (size_t)(end - src) || bytes > (size_t)(s->dst_end - s->dst)) return NULL;
    memcpy(s->dst, src, bytes);
    s->dst += bytes;
    return src + bytes;
}

bool vkb_expand_lzma2(void *dst, size_t dst_bytes, const void *src, size_t src_bytes)
{
    stream s = {.dst = dst};
    const uint8_t *at = src, *end = at + src_bytes;
    s.dst_end = s.dst + dst_bytes;
    reset(&s);
    while (at && at < end && *at) {                   /* 0: the end */
        if (*at == 1 || *at >= 0xe0) s.begin = s.dst; /* matches reach no further back */
        if (!s.begin) return false;
        if (*at >= 0x80)
            at = expand_chunk(&s, at, end);
        else
            at = *at <= 2 ? copy_chunk(&s, at, end) : NULL;
    }
    return at && at < end && s.dst == s.dst_end;
}
