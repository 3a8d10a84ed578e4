/* SPDX-License-Identifier: Apache-2.0
 * Casts whose result has the same bits on the device are views: floats of every type are stored alike (the
 * value keeps the precision that the storage gives), and so are integers in a wider type or one of the same
 * width. */
#include "gpu/cast.h"

#include "gpu/words.h"

/* The order is that of the constants in shaders/cast_words.comp. */
enum { CONVERT, TRUTH, IS_NAN, IS_INF };

typedef struct ends { /* of an integer type, for floats; as C converts what lies between low and high */
    float low, high;
    int32_t least, most; /* uint32's as its bits */
} ends;

static ends ends_of(vki_dtype dtype)
{
    uint32_t bits = gpu_bits_of(dtype);
    if (dtype == VKI_U32) return (ends){-1.0f, 0x1p32f, 0, -1};
    if (bits >= 32) return (ends){-0x1p31f, 0x1p31f, INT32_MIN, INT32_MAX};
    int32_t span = (int32_t)1 << bits, least = gpu_kind_of(dtype) == GPU_UNSIGNED ? 0 : -span / 2;
    int32_t most = least + span - 1;
    return (ends){(float)(least - 1), (float)(most + 1), least, most};
}

/* Whether `to` holds every value of `from`'s words with the same bits. */
static bool same_bits(vki_dtype from, vki_dtype to)
{
    if (gpu_is_float(from) || gpu_is_float(to)) return gpu_is_float(from) && gpu_is_float(to);
    uint32_t narrow = gpu_bits_of(from), wide = gpu_bits_of(to);
    if (to == VKI_BOOL) return from == VKI_BOOL;
    if (from == VKI_BOOL || wide >= 32) return true; /* a word has all there is of both */
    return from == to || (narrow < wide && gpu_kind_of(from) == GPU_UNSIGNED);
}

static void emit_cast(gpu_builder *b, gpu_bind x, vki_dtype from, gpu_bind y, vki_dtype to, int64_t count,
                      uint32_t function, int signs)
{
    bool half_in = b->half && gpu_is_float(from), half_out = b->half && gpu_is_float(to);
    ends e = gpu_is_float(to) ? (ends){0} : ends_of(to);
    gpu_dispatch *d = gpu_dispatch_begin(b, half_in    ? SH_cast_words_from_f16
                                            : half_out ? SH_cast_words_to_f16
                                                       : SH_cast_words_f32);
    gpu_grid_flat(b, d, count);
    gpu_spec(d, gpu_kind_of(to));
    gpu_spec(d, gpu_bits_of(to));
    gpu_spec(d, gpu_kind_of(from));
    gpu_spec(d, function);
    gpu_bind_add(d, x, GPU_READ | GPU_SAME); /* of equal size if of equal width */
    gpu_bind_add(d, y, GPU_WRITE);
    gpu_push(d, count);
    gpu_push_f32(d, e.low);
    gpu_push_f32(d, e.high);
    gpu_push(d, e.least);
    gpu_push(d, e.most);
    gpu_push(d, signs);
}

static void pack_as_float(void *dst, const gr_tensor *source, const gpu_pack_arg *arg)
{
    for (int64_t i = 0; i < gr_elements(source); i++) {
        float v = (float)gpu_const_i64(source, i);
        if (arg->half)
            ((uint16_t *)dst)[i] = vkb_f32_to_f16(v);
        else
            ((float *)dst)[i] = v;
    }
}

gpu_bind gpu_in_as_float(gpu_builder *b, const gr_node *n, int i)
{
    const gr_tensor *t = &b->g->tensors[n->in[i]];
    const uint64_t bytes = vkb_round_up((uint64_t)gr_elements(t) * gpu_element_bytes(VKI_F32, b->half), 16);
    gpu_pack_arg arg = {.half = b->half, .v = {(int32_t)t->dtype}};
    if (gr_is_const(b->g, n->in[i])) return gpu_pack(b, n->in[i], pack_as_float, arg, bytes);
    gpu_bind x = gpu_in(b, n, i, GPU_ROW), y = gpu_scratch(b, bytes);
    emit_cast(b, x, t->dtype, y, VKI_F32, gr_elements(t), CONVERT, 0);
    return y;
}

/* ---- Cast ---- */

static bool fits_view(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "the elements change their bits";
    return same_bits(b->g->tensors[n->in[0]].dtype, b->g->tensors[n->out[0]].dtype);
}

static bool fits_words(const gpu_builder *b, const gr_node *n, const char **why)
{
    *why = "a cast between floats is a view";
    return !same_bits(b->g->tensors[n->in[0]].dtype, b->g->tensors[n->out[0]].dtype);
}

static void emit_words(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *x = &b->g->tensors[n->in[0]], *y = &b->g->tensors[n->out[0]];
    emit_cast(b, gpu_in(b, n, 0, GPU_ROW), x->dtype, gpu_out(b, n, 0, GPU_ROW), y->dtype, gr_elements(y),
              y->dtype == VKI_BOOL ? TRUTH : CONVERT, 0);
}

/* ---- IsNaN, IsInf ---- */

bool gpu_tests_fit(const gpu_builder *b, const gr_node *n, const char **why)
{
    (void)b;
    *why = "no such function on the GPU";
    return n->op == OP_IsNaN || n->op == OP_IsInf;
}

void gpu_tests_emit(gpu_builder *b, const gr_node *n)
{
    const op_unary_attrs *a = n->attrs; /* NULL: IsNaN */
    int64_t count = gr_elements(&b->g->tensors[n->out[0]]);
    int signs = a ? (a->detect_positive ? 1 : 0) | (a->detect_negative ? 2 : 0) : 0;
    emit_cast(b, gpu_in(b, n, 0, GPU_ROW), VKI_F32, gpu_out(b, n, 0, GPU_ROW), VKI_BOOL, count,
              n->op == OP_IsNaN ? IS_NAN : IS_INF, signs);
}

static const gpu_kernel kernels[] = {
    {"cast_view", fits_view, gpu_alias, GPU_ANY},
    {"cast_words", fits_words, emit_words, GPU_ANY},
    {0},
};
const gpu_op gpu_op_cast = {kernels};
