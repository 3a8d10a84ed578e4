/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/pack_conv.h"

#include "graph/ops/schema.h"

#include <assert.h>
#include <string.h>

enum {
    LARGEST_TILE = 4,   /* slices, of those in conv_tile.c */
    MOST_ROUNDS = 32768 /* of the loops of an invocation: see docs/design.md */
};

static void put(void *dst, int64_t at, float value, uint32_t half)
{
    if (half)
        ((uint16_t *)dst)[at] = vkb_f32_to_f16(value);
    else
        ((float *)dst)[at] = value;
}

int32_t gpu_conv_slice0(const gpu_conv_shape *s, int32_t tile)
{
    int32_t first = tile * s->tile_slices * 4 / s->group_out * s->group_in / 4;
    return (int32_t)vkb_min(first, vkb_ceil_div(s->in_c, 4) - s->depth);
}

bool gpu_conv_shape_of(const op_window *w, int32_t tile_slices, bool transposed, gpu_conv_shape *s)
{
    int64_t largest = INT32_MAX / 64;
    if (w->in_c > largest || w->out_c > largest || op_window_taps(w) > largest) return false;
    *s = (gpu_conv_shape){.out_c = (int32_t)w->out_c,
                          .in_c = (int32_t)w->in_c,
                          .group_out = (int32_t)(w->out_c / w->group),
                          .group_in = (int32_t)(w->in_c / w->group),
                          .taps = (int32_t)op_window_taps(w),
                          .tile_slices = tile_slices,
                          .transposed = transposed};
    s->tiles = (int32_t)vkb_ceil_div(w->out_c, tile_slices * 4);
    for (int32_t t = 0; t < s->tiles; t++) {
        int64_t first_group = (int64_t)t * tile_slices * 4 / s->group_out;
        int64_t last_channel = vkb_min((int64_t)(t + 1) * tile_slices * 4, w->out_c) - 1;
        int64_t first = first_group * s->group_in / 4;
        int64_t last = ((last_channel / s->group_out + 1) * s->group_in - 1) / 4;
        s->depth = (int32_t)vkb_max(s->depth, last - first + 1);
    }
    /* slice0's product, tile * 4 tile_slices / group_out * group_in, is at most in_c */
    return true;
}

static uint64_t tile_bytes(const gpu_conv_shape *s, bool half)
{
    return (uint64_t)s->taps * (uint64_t)s->depth * (uint64_t)s->tile_slices * 16 * (half ? 2 : 4);
}

bool gpu_conv_window(const gpu_builder *b, const gr_node *n, op_window *w, const char **why)
{
    *why = "more than three spatial dimensions";
    if (!op_window_of(b->g, n, w)) return false;
    *why = "more channels or kernel positions than 32-bit addresses reach";
    gpu_conv_shape s;
    if (!gpu_conv_shape_of(w, LARGEST_TILE, n->op == OP_ConvTranspose, &s)) return false;
    *why = "more input channels and kernel positions than a shader's loops may have rounds";
    if ((int64_t)s.depth * s.taps > MOST_ROUNDS) return false;
    *why = "the weights of a few output channels are larger than one storage buffer binding of this device";
    return tile_bytes(&s, b->half) <= b->limits->max_range;
}

int32_t gpu_conv_tiles_in_range(gpu_builder *b, const gpu_conv_shape *s)
{
    uint64_t each = tile_bytes(s, b->half);
    if (each > b->limits->max_range) {
        gpu_fail(b, VKI_E_UNSUPPORTED,
                 "the weights of %d output channels take %llu bytes; the device binds at most %llu",
                 s->tile_slices * 4, (unsigned long long)each, (unsigned long long)b->limits->max_range);
        return s->tiles;
    }
    return (int32_t)vkb_min((int64_t)(b->limits->max_range / each), s->tiles);
}

/* Weight of output channel o, input channel i at a tap; 0 between groups and in unused lanes. */
static float conv_weight(const gr_tensor *t, const gpu_conv_shape *s, int64_t o, int64_t i, int64_t tap)
{
    if (o >= s->out_c || i >= s->in_c || o / s->group_out != i / s->group_in) return 0.0f;
    int64_t row = s->transposed ? i * s->group_out + o % s->group_out : o * s->group_in + i % s->group_in;
    return gpu_const_f32(t, row * s->taps + tap);
}

static void pack_conv(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    gpu_conv_shape s;
    memcpy(&s, arg->v, sizeof s);
    int64_t at = 0;
    for (int32_t tile = s.first_tile; tile < s.first_tile + s.tiles; tile++) {
        int64_t slice0 = gpu_conv_slice0(&s, tile);
        for (int64_t tap = 0; tap < s.taps; tap++)
            for (int64_t block = 0; block < (int64_t)s.depth * s.tile_slices; block++) {
                int64_t i = (slice0 + block / s.tile_slices) * 4;
                int64_t o = ((int64_t)tile * s.tile_slices + block % s.tile_slices) * 4;
                for (int64_t lane = 0; lane < 16; lane++)
                    put(dst, at++, conv_weight(source, &s, o + lane % 4, i + lane / 4, tap), arg->half);
            }
    }
}

/* The same on the device, of weights that are computed at run time: before the dispatch that is open. */
static gpu_bind pack_there(gpu_builder *b, gr_id tensor, bool by_channel, int64_t vectors, int64_t out_c,
                           int64_t taps, const gpu_conv_shape *s)
{
    int32_t source = gpu_tensor_buf(b, tensor, GPU_ROW);
    gpu_bind packed = gpu_scratch(b, (uint64_t)vectors * (b->half ? 8 : 16));
    gpu_dispatch made = {.node = b->node, .shader = (uint16_t)GPU_SHADER(b, pack_conv)}, *d = &made;
    const int64_t words[] = {vectors,     out_c,          taps,     s->in_c,       s->group_out,
                             s->group_in, s->tile_slices, s->depth, s->first_tile, s->transposed};
    gpu_bind_add(d, (gpu_bind){GPU_SPACE_ARENA, 0, source, 0, 0}, GPU_READ);
    gpu_bind_add(d, packed, GPU_WRITE);
    gpu_grid_flat(b, d, vectors);
    gpu_spec(d, by_channel);
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_dispatch_append(b, d);
    return packed;
}

static gpu_bind pack_channels_there(gpu_builder *b, gr_id tensor, int64_t slices, int64_t channels,
                                    int64_t taps)
{
    return pack_there(b, tensor, true, slices * taps, channels, taps, &(gpu_conv_shape){0});
}

gpu_bind gpu_pack_conv(gpu_builder *b, gr_id weights, const gpu_conv_shape *s)
{
    if (!gr_is_const(b->g, weights)) {
        int64_t vectors = (int64_t)s->tiles * s->taps * s->depth * s->tile_slices * 4;
        return pack_there(b, weights, false, vectors, s->out_c, s->taps, s);
    }
    gpu_pack_arg arg = {.half = b->half};
    static_assert(sizeof *s <= sizeof arg.v, "the shape is the pack function's argument");
    memcpy(arg.v, s, sizeof *s);
    return gpu_pack(b, weights, pack_conv, arg, (uint64_t)s->tiles * tile_bytes(s, b->half));
}

static void pack_depthwise(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t channels = arg->v[0], taps = arg->v[1], at = 0;
    for (int64_t slice = 0; slice < vkb_ceil_div(channels, 4); slice++)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = slice * 4; c < slice * 4 + 4; c++)
                put(dst, at++, c < channels ? gpu_const_f32(source, c * taps + tap) : 0.0f, arg->half);
}

gpu_bind gpu_pack_depthwise(gpu_builder *b, gr_id weights, int32_t channels, int32_t taps)
{
    if (!gr_is_const(b->g, weights))
        return pack_channels_there(b, weights, vkb_ceil_div(channels, 4), channels, taps);
    gpu_pack_arg arg = {.half = b->half, .v = {channels, taps}};
    uint64_t vectors = (uint64_t)vkb_ceil_div(channels, 4) * (uint64_t)taps;
    return gpu_pack(b, weights, pack_depthwise, arg, vectors * (b->half ? 8 : 16));
}

static void pack_bias(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    int64_t padded = arg->v[0], present = arg->v[1];
    for (int64_t i = 0; i < padded; i++)
        put(dst, i, i < present ? gpu_const_f32(source, i) : 0.0f, arg->half);
}

gpu_bind gpu_pack_bias(gpu_builder *b, const gr_node *n, int64_t slices)
{
    bool present = op_has_own(n, 2);
    gr_id source = n->in[present ? 2 : 1]; /* zeros need a name: the weights' */
    int32_t count = present ? (int32_t)gr_elements(&b->g->tensors[source]) : 0;
    if (!gr_is_const(b->g, source)) return pack_channels_there(b, source, slices, count, 1);
    gpu_pack_arg arg = {.half = b->half, .v = {(int32_t)slices * 4, count}};
    return gpu_pack(b, source, pack_bias, arg, (uint64_t)slices * (b->half ? 8 : 16));
}
