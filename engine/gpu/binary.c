/* SPDX-License-Identifier: Apache-2.0
 * Operators of two operands. The output is in slices of channels where an operand of its shape is so already
 * and the others can be read by sample, channel and position; else in rows. Max and Min of more than two
 * inputs collect in the output. */
#include "gpu/binary.h"
#include "gpu/broadcast.h"
#include "gpu/cast.h"
#include "gpu/texels.h"
#include "gpu/words.h"
#include "graph/ops/schema.h"

/* The order is that of the cases in shaders/lib/binary.glsl. */
static const op_kind functions[] = {OP_Add, OP_Sub, OP_Mul, OP_Div, OP_Pow, OP_Max, OP_Min, OP_PRelu, OP_Mod};

static int function_of(op_kind op)
{
    for (int i = 0; i < (int)VKB_COUNT(functions); i++)
        if (functions[i] == op) return i;
    return -1;
}

typedef struct operand {
    gpu_bind bind;
    bool flat;   /* read where the output is written */
    bool single; /* one element */
    int64_t sample, channel, position;
} operand;

/* ---- how an operand is read ---- */

/* Strides by sample, channel and position; false if only some of the spatial dimensions repeat. */
static bool channel_strides(const gr_tensor *x, const gr_tensor *y, operand *o)
{
    int64_t spatial = 1, own = 1;
    for (int d = 2; d < y->rank; d++) {
        spatial *= y->dims[d];
        own *= gpu_size_at(x, y, d);
    }
    if (y->rank < 2 || (own != 1 && own != spatial)) return false;
    o->flat = false;
    o->position = own != 1;
    o->channel = gpu_size_at(x, y, 1) == 1 ? 0 : own;
    o->sample = gpu_size_at(x, y, 0) == 1 ? 0 : gpu_size_at(x, y, 1) * own;
    return true;
}

static const gr_tensor *tensor_in(const gpu_builder *b, const gr_node *n, int i)
{
    return &b->g->tensors[n->in[i]];
}

static const gr_tensor *tensor_out(const gpu_builder *b, const gr_node *n)
{
    return &b->g->tensors[n->out[0]];
}

static bool fits(const gpu_builder *b, const gr_node *n, const char **why)
{
    const gr_tensor *y = tensor_out(b, n);
    int inputs = op_own_inputs(n);
    *why = "no such function on the GPU";
    if (function_of(n->op) < 0) return false;
    for (int i = 0; i < inputs; i++) {
        const gr_tensor *x = tensor_in(b, n, i);
        *why = "integers and floats together";
        if (!gpu_is_float(x->dtype) && (n->op != OP_Pow || i == 0)) return false;
        *why = "more than six dimensions that are broadcast differently";
        const gr_tensor *other = i == 0   ? tensor_in(b, n, inputs > 1 ? 1 : 0)
                                 : i == 1 ? tensor_in(b, n, 0)
                                          : y;
        if (gpu_rows_of((const gr_tensor *[]){other, x}, 2, y).rank > GPU_ROW_DIMS) return false;
    }
    return true;
}

/* ---- dispatches ---- */

static bool slices_pay(const gpu_builder *b, const gr_node *n)
{
    const gr_tensor *y = tensor_out(b, n);
    bool there = false;
    operand o;
    for (int i = 0; i < op_own_inputs(n); i++) {
        const gr_tensor *x = tensor_in(b, n, i);
        if (!channel_strides(x, y, &o)) return false;
        there = there || (gr_same_shape(x, y) && !x->data && gpu_has_layout(b, n->in[i], GPU_C4));
    }
    return there;
}

static bool rows_agree(const gpu_builder *b, const gr_node *n)
{
    for (int i = 0; i < op_own_inputs(n); i++) {
        const gr_tensor *x = tensor_in(b, n, i);
        if (!gr_same_shape(x, tensor_out(b, n)) && gr_elements(x) != 1) return false;
    }
    return true;
}

static operand read_in(gpu_builder *b, const gr_node *n, int i, gpu_layout layout)
{
    const gr_tensor *x = tensor_in(b, n, i), *y = tensor_out(b, n);
    operand o = {.flat = gr_same_shape(x, y) && gpu_has_layout(b, n->in[i], layout),
                 .single = gr_elements(x) == 1};
    if (layout == GPU_ROW) o.flat = gr_same_shape(x, y);
    if (!o.flat && layout == GPU_C4) channel_strides(x, y, &o);
    bool exponent = !gpu_is_float(x->dtype);
    o.bind = exponent ? gpu_in_as_float(b, n, i) : gpu_in(b, n, i, o.flat ? layout : GPU_ROW);
    return o;
}

static uint32_t mode_of(const operand *o) /* MODE_A, MODE_B */
{
    return o->flat ? 0 : o->single ? 2 : 1;
}

static void emit_vec4(gpu_builder *b, const gr_node *n, op_kind op, const operand *x, const operand *y,
                      gpu_layout layout)
{
    const gr_tensor *t = tensor_out(b, n);
    int64_t batch, channels = 4, slices = 1, spatial = vkb_ceil_div(gr_elements(t), 4), count = spatial;
    if (layout == GPU_C4) {
        gpu_c4_dims(t, &batch, &channels, &slices, &spatial);
        count = batch * slices * spatial;
    }
    uint8_t access = gpu_read_access_of(b, gpu_layout_bytes(t, layout, b->half)); /* no operand is larger */
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER_FOR(b, access, binary_vec4));
    gpu_grid_flat(b, d, count);
    const operand *const in[] = {x, x, y,
                                 y}; /* as vectors, and as elements, which flat ones are not read by */
    for (int i = 0; i < 4; i++)
        gpu_bind_add(d, in[i]->bind, (i % 2 ? GPU_READ : access) | (in[i]->flat ? GPU_SAME : 0));
    const int64_t words[] = {count,      channels,    slices,    spatial,    channels % 4 != 0, x->sample,
                             x->channel, x->position, y->sample, y->channel, y->position};
    for (size_t i = 0; i < VKB_COUNT(words); i++) gpu_push(d, words[i]);
    gpu_epilogue_as(b, d, n, layout, x->bind, access);
    gpu_spec(d, (uint32_t)function_of(op));
    gpu_spec(d, mode_of(x));
    gpu_spec(d, mode_of(y));
    gpu_bind_add(d, gpu_out(b, n, 0, layout), GPU_WRITE);
}

static void emit_row(gpu_builder *b, const gr_node *n, gpu_bind x, gpu_bind y, const gpu_rows *p)
{
    int64_t count = gr_elements(tensor_out(b, n));
    gpu_dispatch *d = gpu_dispatch_begin(b, GPU_SHADER(b, binary_row));
    gpu_grid_flat(b, d, count);
    gpu_bind_add(d, x, gpu_row_access(p, 0));
    gpu_bind_add(d, y, gpu_row_access(p, 1));
    gpu_push(d, count);
    gpu_push_rows(d, p, 2);
    gpu_epilogue(b, d, n, GPU_ROW, x);
    gpu_spec(d, (uint32_t)function_of(n->op));
    gpu_spec(d, (uint32_t)p->rank);
    gpu_bind_add(d, gpu_out(b, n, 0, GPU_ROW), GPU_WRITE);
}

static void emit(gpu_builder *b, const gr_node *n)
{
    const gr_tensor *y = tensor_out(b, n);
    int inputs = op_own_inputs(n);
    gpu_layout layout = slices_pay(b, n) ? GPU_C4 : GPU_ROW;
    bool vec4 = layout == GPU_C4 || rows_agree(b, n);
    operand so_far = read_in(b, n, 0, layout);
    const gr_tensor *shape = tensor_in(b, n, 0);
    for (int i = inputs > 1 ? 1 : 0; i < inputs; i++) { /* a single input is taken twice */
        operand next = read_in(b, n, i, layout);
        if (vec4) {
            emit_vec4(b, n, n->op, &so_far, &next, layout);
        } else {
            gpu_rows p = gpu_rows_of((const gr_tensor *[]){shape, tensor_in(b, n, i)}, 2, y);
            emit_row(b, n, so_far.bind, next.bind, &p);
        }
        so_far = (operand){.bind = gpu_out(b, n, 0, layout), .flat = true};
        shape = y;
    }
}

void gpu_emit_with_scalar(gpu_builder *b, const gr_node *n, op_kind op, gpu_bind x, int i, gpu_layout layout)
{
    operand whole = {.bind = x, .flat = true}, one = {.bind = gpu_in(b, n, i, GPU_ROW), .single = true};
    emit_vec4(b, n, op, &whole, &one, layout);
}

static const gpu_kernel kernels[] = {
    {"binary_broadcast", fits, emit, GPU_ANY},
    {"binary_words", gpu_words_fit, gpu_words_emit, GPU_INTEGERS},
    {0},
};
const gpu_op gpu_op_binary = {kernels};
