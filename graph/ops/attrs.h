/* SPDX-License-Identifier: Apache-2.0
 * The attribute structs, one a family. Field names are ONNX's. All plain data: they are copied, compared and
 * hashed as bytes. */
#ifndef GRAPH_OPS_ATTRS_H
#define GRAPH_OPS_ATTRS_H

#include <math.h>

#include "graph/ops/op.h"

typedef enum op_auto_pad {
    OP_PAD_NOTSET = 0,
    OP_PAD_SAME_UPPER,
    OP_PAD_SAME_LOWER,
    OP_PAD_VALID
} op_auto_pad;

typedef struct op_conv_attrs { /* Conv and ConvTranspose; inputs X [N,C,spatial...], W, B? */
    op_ints kernel_shape, strides, pads, dilations, output_padding, output_shape;
    int64_t group, auto_pad;
} op_conv_attrs;

typedef struct op_pool_attrs {
    op_ints kernel_shape, strides, pads, dilations;
    int64_t auto_pad, ceil_mode, count_include_pad, storage_order;
    int64_t p; /* LpPool, GlobalLpPool: the exponent */
} op_pool_attrs;
static inline bool op_pool_is_global(op_kind op)
{
    return op == OP_GlobalMaxPool || op == OP_GlobalAveragePool || op == OP_GlobalLpPool;
}

typedef enum op_conv_pool_kind { OP_CONV_POOL_MAX = 0, OP_CONV_POOL_AVERAGE } op_conv_pool_kind;
typedef struct op_conv_pool_attrs { /* ConvPool: X, W, B?; pool(activation(convolution)), without epilogue */
    op_conv_attrs conv;             /* first: the same as Conv's */
    op_ints pool_kernel, pool_strides, pool_pads; /* no kernel: all positions */
    int64_t pool, pool_ceil; /* op_conv_pool_kind; an average is over the positions that there are */
    int64_t activation;      /* gr_act, with alpha and beta */
    float alpha, beta;
} op_conv_pool_attrs;

/* MaxUnpool: X, I, output_shape?; attributes of op_pool_attrs. The spatial shape that the indices count in,
 * [batch, channels, these]; the output has it too unless output_shape is given. false if it does not fit. */
bool op_unpool_shape(const gr_graph *g, const gr_node *n, int64_t spatial[GR_MAX_RANK - 2]);

/* A window operator brought to three spatial dimensions (those it lacks come first, of size 1), all defaults
 * and auto_pad resolved. */
typedef struct op_window {
    int64_t batch, in_c, out_c, in_d, in_h, in_w, out_d, out_h, out_w;
    int64_t kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w, dilation_d, dilation_h, dilation_w;
    int64_t pad_front, pad_top, pad_left, pad_back, pad_bottom, pad_right;
    int64_t group;
} op_window;
/* For every operator of the families conv2d, deconv2d and pool, once shapes are concrete; the global pools
 * come as one row. false if the node has more than three spatial dimensions, or more than 2^31 positions in
 * a window. */
bool op_window_of(const gr_graph *g, const gr_node *n, op_window *w);
/* Of a ConvPool the convolution (which op_window_of gives too) and the pool over what that makes. */
bool op_conv_pool_of(const gr_graph *g, const gr_node *n, op_window *conv, op_window *pool);
/* Whether it has but two: the depth is 1, in and out. */
static inline bool op_window_is_flat(const op_window *w)
{
    return w->in_d == 1 && w->out_d == 1 && w->kernel_d == 1 && w->stride_d == 1 && !w->pad_front &&
           !w->pad_back;
}
static inline int64_t op_window_taps(const op_window *w) /* kernel positions */
{
    return w->kernel_d * w->kernel_h * w->kernel_w;
}
/* op_window_of for kernels of two dimensions: false if there are more. */
static inline bool op_window_2d_of(const gr_graph *g, const gr_node *n, op_window *w)
{
    return op_window_of(g, n, w) && op_window_is_flat(w);
}

typedef struct op_gemm_attrs { /* Gemm: Y = alpha A' B' + beta C; MatMul ignores it */
    float alpha, beta;
    int64_t transA, transB;
} op_gemm_attrs;

/* Y[batch] = A[batch] x B[batch or shared]: Gemm and MatMul brought to one form, strides in elements. */
typedef struct op_matmul_dims {
    int64_t batch, m, n, k;
    int64_t a_row, a_col, b_row, b_col; /* strides of A[m][k] and B[k][n] within one matrix */
    int64_t batch_rank, batch_dims[GR_MAX_RANK], a_batch[GR_MAX_RANK],
        b_batch[GR_MAX_RANK]; /* strides; 0: broadcast */
} op_matmul_dims;
bool op_matmul_of(const gr_graph *g, const gr_node *n, op_matmul_dims *d);

typedef struct op_unary_attrs {
    float alpha, beta;   /* LeakyRelu, Elu, Celu, ThresholdedRelu: alpha; HardSigmoid: both; Selu: alpha and
                            gamma; Shrink: lambd and bias */
    int64_t approximate; /* Gelu: 0 by erf, 1 by tanh */
    int64_t detect_negative, detect_positive; /* IsInf */
    int64_t low, high;                        /* FakeQuantize: whole multiples of the scale, which is alpha */
} op_unary_attrs;
enum { OP_LEVELS = 256 }; /* that FakeQuantize may have at most, zero among them or next to them */
/* Both ends of FakeQuantize's levels in one float, exact since low is within +-OP_LEVELS: OP_LEVELS low +
 * (high - low). Shaders and vector kernels take it apart in the same way as op_levels_low and op_levels_high.
 */
static inline float op_levels(int64_t low, int64_t high)
{
    return (float)(OP_LEVELS * low + (high - low));
}
static inline float op_levels_low(float levels)
{
    return floorf(levels / OP_LEVELS);
}
static inline float op_levels_high(float levels)
{
    const float low = op_levels_low(levels);
    return low + (levels - OP_LEVELS * low);
}
/* Clip's limits: inputs 1 and 2 if constant, +-INFINITY if absent. false if they are not constant. */
bool op_clip_range(const gr_graph *g, const gr_node *n, float *low, float *high);

typedef struct op_binary_attrs {
    int64_t fmod;      /* Mod: the remainder has the sign of the dividend, not of the divisor */
    int64_t direction; /* BitShift: op_shift */
} op_binary_attrs;
typedef enum op_shift { OP_SHIFT_LEFT = 0, OP_SHIFT_RIGHT } op_shift;

typedef struct op_norm_attrs { /* BatchNormalization: X scale B mean var; InstanceNormalization: X scale B;
                                  LayerNormalization: X scale B?, normalizes dims axis..;
                                  not centred: the mean stays, and x is divided by its root mean square */
    float epsilon, momentum;
    int64_t axis, training_mode, spatial, stash_type, centred;
    int64_t num_groups; /* GroupNormalization: X scale B; of channels that are brought to mean 0 together */
} op_norm_attrs;
/* Groups of channels with statistics of their own in a sample: those of GroupNormalization; else all. */
int64_t op_norm_groups(const gr_graph *g, const gr_node *n);

typedef struct op_lrn_attrs { /* x / (bias + alpha / size sum of x^2 over `size` channels)^beta */
    float alpha, beta, bias;
    int64_t size;
} op_lrn_attrs;

typedef struct op_attention_attrs {                   /* Q, K, V, mask? */
    int64_t is_causal, q_num_heads, kv_num_heads;     /* heads: of tensors of three dimensions */
    int64_t softmax_precision, qk_matmul_output_mode; /* have no effect here */
    float scale, softcap; /* scale 0: 1 / sqrt(head's elements); softcap 0: none */
} op_attention_attrs;
/* The same with shapes resolved. Query i of a head sees key j with
 *   softmax over j of (softcap tanh(scale q_i . k_j / softcap) + mask_ij), and takes the sum of v_j.
 * A row that sees no key at all gives zeros. Strides in elements; the last dimension is dense. */
typedef struct op_attention {
    int64_t batch, heads, kv_heads, queries, keys, size, value_size; /* sizes: elements of a head */
    int64_t q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row, y_batch, y_head, y_row;
    int64_t mask_batch, mask_head, mask_row, mask_col; /* 0: the same for all */
    bool masked, causal;                               /* causal: query i sees keys 0..i */
    float scale, softcap;
} op_attention;
bool op_attention_of(const gr_graph *g, const gr_node *n, op_attention *a); /* false if shapes do not fit */

typedef struct op_axis_attrs { /* Softmax, LogSoftmax, Concat, Gather, Split, Flatten, Compress */
    int64_t axis, num_outputs;
} op_axis_attrs;

/* Nodes with bodies. What a body reads of the graph around it ("captures") are the node's last inputs and the
 * body's last inputs. Bodies are indices of gr_graph.bodies. */
typedef struct op_if_attrs { /* cond, then_inputs captures of then_branch, those of else_branch */
    int64_t then_branch, else_branch, then_inputs;
} op_if_attrs;

typedef struct op_loop_attrs { /* M?, cond?, `carried` values, captures; body: iteration, cond, the same; it
                                  gives cond, the values, scan outputs: the node the values and all scan
                                  outputs stacked */
    int64_t body, carried;
} op_loop_attrs;

typedef struct op_scan_attrs { /* `states` values, num_scan_inputs sequences, captures; body: the same with
                                  elements of the sequences */
    int64_t body, states, num_scan_inputs;
    op_ints scan_input_axes, scan_input_directions, scan_output_axes, scan_output_directions;
} op_scan_attrs;

/* Where the node's attributes hold indices of bodies; their number, 0 to 2. */
int op_bodies_of(gr_node *n, int64_t *out[2]);
/* Whether the node's bodies exist and fit its inputs and outputs; VKI_E_FORMAT. */
vki_status op_check_bodies(const gr_graph *g, const gr_node *n, vki_error *err);
/* Entry i of a list of axes or directions; 0 where it is shorter. */
static inline int64_t op_listed(const op_ints *list, int i)
{
    return i < list->count ? list->v[i] : 0;
}

#define OP_FLATTENED 2147483647 /* Compress: the axis that stands for the flattened input */

typedef struct op_reduce_attrs { /* axes are input 1 */
    int64_t keepdims, noop_with_empty_axes;
} op_reduce_attrs;
/* The reduced dimensions as a mask. false if the axes are not constant. */
bool op_reduce_mask(const gr_graph *g, const gr_node *n, bool mask[GR_MAX_RANK]);

typedef struct op_arg_attrs {
    int64_t axis, keepdims, select_last_index;
} op_arg_attrs;

typedef struct op_topk_attrs { /* X, k */
    int64_t axis, largest, sorted;
} op_topk_attrs;

typedef struct op_cumsum_attrs { /* X, axis */
    int64_t exclusive, reverse;
} op_cumsum_attrs;

typedef struct op_resize_attrs { /* X, roi?, scales?, sizes? */
    int64_t mode, coordinate_transformation_mode, nearest_mode, exclude_outside, antialias,
        keep_aspect_ratio_policy;
    float cubic_coeff_a, extrapolation_value;
    op_ints axes;
} op_resize_attrs;
typedef enum op_resize_mode { OP_RESIZE_NEAREST = 0, OP_RESIZE_LINEAR, OP_RESIZE_CUBIC } op_resize_mode;
typedef enum op_resize_coord {
    OP_COORD_HALF_PIXEL = 0,
    OP_COORD_PYTORCH_HALF_PIXEL,
    OP_COORD_ALIGN_CORNERS,
    OP_COORD_ASYMMETRIC,
    OP_COORD_TF_HALF_PIXEL_FOR_NN,
    OP_COORD_TF_CROP_AND_RESIZE,
    OP_COORD_HALF_PIXEL_SYMMETRIC
} op_resize_coord;
typedef enum op_resize_nearest {
    OP_NEAREST_ROUND_PREFER_FLOOR = 0,
    OP_NEAREST_ROUND_PREFER_CEIL,
    OP_NEAREST_FLOOR,
    OP_NEAREST_CEIL
} op_resize_nearest;

typedef struct op_pad_attrs { /* X, pads, value?, axes? */
    int64_t mode;             /* op_pad_mode */
} op_pad_attrs;
typedef enum op_pad_mode {
    OP_PADDING_CONSTANT = 0,
    OP_PADDING_REFLECT,
    OP_PADDING_EDGE,
    OP_PADDING_WRAP
} op_pad_mode;
/* Elements added (negative: removed) before and after each dimension, and the fill (`value` may be NULL: not
 * asked for). false if not constant. */
bool op_pad_amounts(const gr_graph *g, const gr_node *n, int64_t begin[GR_MAX_RANK], int64_t end[GR_MAX_RANK],
                    float *value);

typedef struct op_transpose_attrs {
    op_ints perm; /* resolved: never empty after inference */
} op_transpose_attrs;
static inline bool
op_swaps_groups(const gr_node *n) /* a Transpose of dimensions 1 and 2 alone: channel shuffle */
{
    const op_ints *perm = &((const op_transpose_attrs *)n->attrs)->perm;
    if (perm->count < 3 || perm->v[1] != 2 || perm->v[2] != 1) return false;
    for (int d = 0; d < perm->count; d++)
        if (d != 1 && d != 2 && perm->v[d] != d) return false;
    return true;
}

/* Slice: X, starts, ends, axes?, steps?. Start and step of every dimension, clamped as ONNX says. */
bool op_slice_of(const gr_graph *g, const gr_node *n, int64_t start[GR_MAX_RANK], int64_t step[GR_MAX_RANK]);

typedef struct op_view_attrs { /* Reshape: X, shape; Flatten: axis; Squeeze, Unsqueeze: X, axes */
    int64_t allowzero, axis;
} op_view_attrs;

typedef enum op_depth_mode { OP_DEPTH_DCR = 0, OP_DEPTH_CRD } op_depth_mode;
typedef struct op_depth_attrs { /* DepthToSpace, SpaceToDepth (DCR) */
    int64_t blocksize, mode; /* DCR: a block's position is the slower part of the channel; CRD: the faster */
} op_depth_attrs;

typedef struct op_gather_nd_attrs {
    int64_t batch_dims;
} op_gather_nd_attrs;

typedef enum op_scatter_reduction {
    OP_SCATTER_NONE = 0,
    OP_SCATTER_ADD,
    OP_SCATTER_MUL,
    OP_SCATTER_MAX,
    OP_SCATTER_MIN
} op_scatter_reduction;
typedef struct op_scatter_attrs { /* ScatterElements, ScatterND: data, indices, updates */
    int64_t axis, reduction;
} op_scatter_attrs;

typedef struct op_trilu_attrs { /* X, k? */
    int64_t upper;
} op_trilu_attrs;

typedef struct op_eye_attrs {
    int64_t dtype, k; /* dtype: vki_dtype, 0: the input's */
} op_eye_attrs;

enum { OP_DET_MAX = 96 }; /* rows of a matrix that Det takes: they are worked on where they are copied to */

typedef enum op_tfidf_mode { OP_TFIDF_TF = 0, OP_TFIDF_IDF, OP_TFIDF_TFIDF } op_tfidf_mode;
typedef struct op_tfidf_attrs { /* X, pool, where the n-grams of each length start in it, their places,
                                   weights? */
    int64_t max_gram_length, min_gram_length, max_skip_count, mode;
} op_tfidf_attrs;

typedef struct op_reverse_attrs { /* X, lengths */
    int64_t batch_axis, time_axis;
} op_reverse_attrs;

typedef struct op_quantize_attrs { /* X, scale, zero point? */
    int64_t axis, block_size, saturate, output_dtype;
} op_quantize_attrs;
/* Element [o][i][k] of X as [outer][dim][inner] has scale 0 if there is one, scale i, or (blocked) scale
 * [o][i / block][k] of [outer][scales][inner]. */
typedef struct op_quantize_dims {
    int64_t dim, inner, scales, block;
    bool blocked;
} op_quantize_dims;
/* false if the scales do not fit. */
bool op_quantize_of(const gr_graph *g, const gr_node *n, op_quantize_dims *d);

typedef struct op_cast_attrs {
    int64_t to, saturate; /* to: vki_dtype; 0 until inference, if input 1 gives the type */
} op_cast_attrs;

typedef enum op_rnn_act { /* in the order of the attribute's names; alpha and beta as in ONNX */
                          OP_RNN_RELU = 0,
                          OP_RNN_TANH,
                          OP_RNN_SIGMOID,
                          OP_RNN_AFFINE,           /* alpha x + beta */
                          OP_RNN_LEAKY_RELU,       /* x < 0 ? alpha x : x */
                          OP_RNN_THRESHOLDED_RELU, /* x < alpha ? 0 : x */
                          OP_RNN_SCALED_TANH,      /* alpha tanh(beta x) */
                          OP_RNN_HARD_SIGMOID,     /* max(0, min(1, alpha x + beta)) */
                          OP_RNN_ELU,              /* x < 0 ? alpha (exp(x) - 1) : x */
                          OP_RNN_SOFTSIGN,         /* x / (1 + |x|) */
                          OP_RNN_SOFTPLUS          /* log(1 + exp(x)) */
} op_rnn_act;

/* LSTM, GRU, RNN: X, W, R, B?, sequence_lens?, initial_h?, and LSTM's initial_c?, P?; outputs Y?, Y_h?, Y_c?
 */
typedef struct op_recurrent_attrs {
    op_ints activations; /* op_rnn_act, direction by direction */
    op_floats activation_alpha, activation_beta;
    float clip; /* of the inputs of the gates' activations; 0: none */
    int64_t direction, hidden_size, layout;
    int64_t input_forget;        /* LSTM: the forget gate is 1 - the input gate */
    int64_t linear_before_reset; /* GRU: the reset gate comes after the product with R */
} op_recurrent_attrs;

typedef struct op_recurrent_act {
    op_rnn_act kind;
    float alpha, beta;
} op_recurrent_act;

/* The same with shapes, defaults and layout resolved. A step of one sequence in one direction: */
typedef struct op_recurrent {
    int64_t steps, batch, input, hidden;
    int64_t directions, gates; /* 1 or 2; LSTM 4 (i o f c), GRU 3 (z r h), RNN 1 */
    bool reverse;              /* of direction 0; direction 1 is reverse */
    int64_t x_step, x_batch;   /* strides in elements: X, Y, and Y_h, Y_c, initial_h, initial_c */
    int64_t y_step, y_direction, y_batch, h_direction, h_batch;
    op_recurrent_act act[2][3]; /* by direction: f, g, h */
} op_recurrent;
bool op_recurrent_of(const gr_graph *g, const gr_node *n, op_recurrent *r); /* false if shapes do not fit */
static inline bool op_recurrent_reverse(const op_recurrent *r, int64_t direction)
{
    return direction == 1 || r->reverse;
}

typedef struct op_shape_attrs { /* Shape: start, end; ConstantOfShape: value (always carried as input 1) */
    int64_t start, end;
} op_shape_attrs;

typedef struct op_signal_attrs { /* HannWindow, HammingWindow, BlackmanWindow: size; MelWeightMatrix: five
                                    scalars */
    int64_t periodic, output_datatype; /* output_datatype: vki_dtype */
} op_signal_attrs;

typedef struct op_dft_attrs { /* DFT: X, length?, axis?; STFT: X, frame_step, window?, frame_length? */
    int64_t inverse, onesided;
} op_dft_attrs;

typedef enum op_grid_mode { OP_GRID_LINEAR = 0, OP_GRID_NEAREST, OP_GRID_CUBIC } op_grid_mode;
typedef enum op_grid_padding { OP_GRID_ZEROS = 0, OP_GRID_BORDER, OP_GRID_REFLECTION } op_grid_padding;
typedef struct op_grid_attrs { /* GridSample: X, grid; AffineGrid: theta, size (align_corners only) */
    int64_t mode, padding_mode, align_corners;
} op_grid_attrs;

typedef struct op_nms_attrs { /* NonMaxSuppression: boxes, scores, most?, iou_threshold?, score_threshold? */
    int64_t
        center_point_box; /* boxes are [x centre, y centre, width, height], not two corners [y, x, y, x] */
} op_nms_attrs;

typedef struct op_unique_attrs {
    int64_t axis; /* OP_FLATTENED: of the elements */
    int64_t sorted;
} op_unique_attrs;

typedef enum op_roi_mode { OP_ROI_AVERAGE = 0, OP_ROI_MAX } op_roi_mode;
typedef struct op_roi_attrs { /* RoiAlign: X, rois [n, 4], batch numbers [n]; MaxRoiPool: X, rois [n, 5] */
    int64_t mode, coordinate_transformation_mode; /* the latter: 0 half_pixel, 1 output_half_pixel */
    int64_t output_height, output_width;
    int64_t sampling_ratio; /* samples of a bin along each axis; 0: as many as it has elements */
    op_ints pooled_shape;   /* MaxRoiPool */
    float spatial_scale;
} op_roi_attrs;

typedef struct op_col2im_attrs { /* X [N, C block, places], image shape, block shape */
    op_ints dilations, pads, strides;
} op_col2im_attrs;

typedef struct op_deform_attrs { /* X, W, offset, B?, mask? */
    op_ints kernel_shape, strides, pads, dilations;
    int64_t group, offset_group;
} op_deform_attrs;

#endif
