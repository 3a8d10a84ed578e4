/* SPDX-License-Identifier: Apache-2.0
 * Einsum as other operators. Dimensions carry letters; those under an ellipsis get codes below the letters,
 * counted from the last, so that they align as broadcasting wants. Each operand loses its diagonals and the
 * letters that nobody else has; then the operands are contracted from left to right, by MatMul where letters
 * are summed. Shapes need not be known, only the rank of operands with an ellipsis. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum { MOST_OPERANDS = 8, ROW = '0', COLUMN = '1' }; /* placeholders for dimensions of size 1 */

typedef struct term { /* dimensions by letter */
    char letters[GR_MAX_RANK];
    int n, dots; /* dots: where an ellipsis stands, -1 for none */
    gr_id id;    /* of an operand */
} term;

typedef struct equation {
    term in[MOST_OPERANDS], out;
    int n_in;
} equation;

/* ---- the text ---- */

static bool has(const term *t, char letter)
{
    return memchr(t->letters, letter, (size_t)t->n) != NULL;
}

static bool put(term *t, char letter)
{
    if (t->n == GR_MAX_RANK) return false;
    t->letters[t->n++] = letter;
    return true;
}

static int count_of(const equation *e, char letter)
{
    int count = 0;
    for (int i = 0; i < e->n_in; i++)
        for (int k = 0; k < e->in[i].n; k++) count += e->in[i].letters[k] == letter;
    return count;
}

/* Without "->": the ellipsis, then the letters that occur once, in their order. */
static bool implicit_output(equation *e)
{
    for (int i = 0; i < e->n_in; i++)
        if (e->in[i].dots >= 0) e->out.dots = 0;
    for (char letter = 'A'; letter <= 'z'; letter++)
        if (count_of(e, letter) == 1 && !put(&e->out, letter)) return false;
    return true;
}

static bool parse(const char *text, equation *e)
{
    bool arrow = false;
    memset(e, 0, sizeof *e);
    e->n_in = 1;
    for (int i = 0; i < MOST_OPERANDS; i++) e->in[i].dots = -1;
    e->out.dots = -1;
    for (; *text; text++) {
        term *t = arrow ? &e->out : &e->in[e->n_in - 1];
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (*text == ' ') continue;
        if (strncmp(text, "->", 2) == 0 && !arrow) {
            arrow = true;
            text++;
        } else if (*text == ',' && !arrow && e->n_in < MOST_OPERANDS) {
            e->n_in++;
        } else if (strncmp(text, "...", 3) == 0 && t->dots < 0) {
            t->dots = t->n;
            text += 2;
        } else if (!letter || (arrow && has(t, *text)) || !put(t, *text)) {
            return false;
        }
    }
    for (int i = 0; i < e->out.n; i++) /* each output letter must come from somewhere */
        if (!count_of(e, e->out.letters[i])) return false;
    return arrow || implicit_output(e);
}

/* Codes for the `count` dimensions under the ellipsis. */
static bool expand(term *t, int count)
{
    if (t->dots < 0) return true;
    if (t->n + count > GR_MAX_RANK) return false;
    memmove(t->letters + t->dots + count, t->letters + t->dots, (size_t)(t->n - t->dots));
    for (int i = 0; i < count; i++) t->letters[t->dots + i] = (char)(GR_MAX_RANK - count + 1 + i);
    t->n += count;
    return true;
}

static vki_status read_operands(onnx_node *n, equation *e)
{
    int most = 0;
    for (int i = 0; i < e->n_in; i++) {
        term *t = &e->in[i];
        int rank = n->c->g->tensors[n->in[i]].rank, under = rank - t->n;
        t->id = n->in[i];
        if (t->dots >= 0 && rank < 0)
            return onnx_refuse(n, "an ellipsis for an input whose number of dimensions is not known");
        if (rank >= 0 && (under < 0 || (t->dots < 0 && under > 0)))
            return onnx_fail(n, "input %d has %d dimensions, but %d letters", i, rank, t->n);
        if (!expand(t, under)) return onnx_refuse(n, "more than %d dimensions", GR_MAX_RANK);
        if (t->dots >= 0 && under > most) most = under;
    }
    if (!expand(&e->out, most)) return onnx_refuse(n, "more than %d dimensions", GR_MAX_RANK);
    return VKI_OK;
}

/* ---- one operand ---- */

static gr_id reshape_to(onnx_node *n, op_kind op, const char *suffix, gr_id x, const int64_t *values,
                        int count)
{
    return onnx_binary(n, op, suffix, x, onnx_const_ints(n, "dims", values, count));
}

static gr_id sum_dims(onnx_node *n, gr_id x, const int64_t *axes, int count)
{
    if (count == 0) return x;
    return onnx_helper(n, OP_ReduceSum, "sum", 2, (gr_id[]){x, onnx_const_ints(n, "axes", axes, count)},
                       (onnx_set[]){{"keepdims", 0}, {NULL, 0}});
}

static gr_id transpose(onnx_node *n, gr_id x, const op_ints *perm)
{
    gr_graph *g = n->c->g;
    gr_id y = onnx_unary(n, OP_Transpose, "ordered", x);
    if (y == GR_NONE) return GR_NONE;
    gr_node *node = &g->nodes[g->n_nodes - 1];
    bool known;
    ((op_transpose_attrs *)node->attrs)->perm = *perm;
    gr_infer_node(g, node, &known, NULL);
    return y;
}

/* x, whose dimensions are `from`, in the order of `to`, which has all its letters; others get size 1. */
static gr_id arrange(onnx_node *n, const term *from, const term *to)
{
    op_ints perm = {0};
    int64_t missing[GR_MAX_RANK];
    int n_missing = 0;
    bool moved = false;
    gr_id x = from->id;
    for (int i = 0; i < to->n; i++) {
        const char *at = memchr(from->letters, to->letters[i], (size_t)from->n);
        if (!at) {
            missing[n_missing++] = i;
            continue;
        }
        moved = moved || at - from->letters != perm.count;
        perm.v[perm.count++] = at - from->letters;
    }
    if (moved) x = transpose(n, x, &perm);
    return n_missing ? reshape_to(n, OP_Unsqueeze, "widened", x, missing, n_missing) : x;
}

/* The diagonal of dimensions i < k: all else becomes zero, and the sum along k leaves it. */
static gr_id diagonal(onnx_node *n, const term *t, int i, int k)
{
    static const uint64_t nothing = 0;
    int64_t others[GR_MAX_RANK], at = i;
    int count = 0;
    for (int d = 0; d < t->n; d++)
        if (d != i && d != k) others[count++] = d;
    gr_id size = reshape_to(n, OP_Gather, "size", onnx_unary(n, OP_Shape, "shape", t->id), &at, 1);
    gr_id square =
        onnx_helper(n, OP_Concat, "square", 2, (gr_id[]){size, size}, (onnx_set[]){{"axis", 0}, {NULL, 0}});
    gr_id empty =
        onnx_binary(n, OP_ConstantOfShape, "empty", square, onnx_const_floats(n, "0", 0, &(float){0}, 1));
    gr_id mask = onnx_helper(n, OP_EyeLike, "mask", 1, &empty, (onnx_set[]){{"dtype", VKI_BOOL}, {NULL, 0}});
    if (count) mask = reshape_to(n, OP_Unsqueeze, "wide", mask, others, count);
    vki_dtype dtype = n->c->g->tensors[t->id].dtype;
    gr_id zero = gr_add_const(n->c->g, NULL, dtype == VKI_DT_NONE ? VKI_F32 : dtype, 0, NULL, &nothing, true);
    gr_id kept = onnx_helper(n, OP_Where, "diagonal", 3, (gr_id[]){mask, t->id, zero}, NULL);
    return sum_dims(n, kept, (int64_t[]){k}, 1);
}

static void drop(term *t, int at)
{
    memmove(t->letters + at, t->letters + at + 1, (size_t)(t->n - at - 1));
    t->n--;
}

static void take_diagonals(onnx_node *n, term *t)
{
    for (int i = 0; i < t->n; i++)
        for (int k = t->n - 1; k > i; k--) {
            if (t->letters[k] != t->letters[i]) continue;
            t->id = diagonal(n, t, i, k);
            drop(t, k);
        }
}

/* Sums the letters that neither `keep` nor `other` (may be NULL) has. */
static void sum_rest(onnx_node *n, term *t, const term *keep, const term *other)
{
    int64_t axes[GR_MAX_RANK];
    int count = 0;
    term left = {.n = 0};
    for (int i = 0; i < t->n; i++) {
        if (has(keep, t->letters[i]) || (other && has(other, t->letters[i])))
            put(&left, t->letters[i]);
        else
            axes[count++] = i;
    }
    left.id = sum_dims(n, t->id, axes, count);
    *t = left;
}

/* ---- two operands ---- */

static bool unite(term *t, const term *more)
{
    for (int i = 0; i < more->n; i++)
        if (!has(t, more->letters[i]) && !put(t, more->letters[i])) return false;
    return true;
}

/* The product, broadcast to all letters, then the sum: always right, but large. */
static vki_status multiply(onnx_node *n, const term *a, const term *b, const term *keep, term *y)
{
    term all = {.n = 0};
    if (!unite(&all, a) || !unite(&all, b))
        return onnx_refuse(n, "more than %d different letters", GR_MAX_RANK);
    *y = all;
    y->id = onnx_binary(n, OP_Mul, "product", arrange(n, a, &all), arrange(n, b, &all));
    sum_rest(n, y, keep, NULL);
    return VKI_OK;
}

/* The last letter of `keep` that `own` has and `other` lacks, or a placeholder of size 1. */
static char free_letter(const term *keep, const term *own, const term *other, char placeholder)
{
    for (int i = keep->n - 1; i >= 0; i--)
        if (has(own, keep->letters[i]) && !has(other, keep->letters[i])) return keep->letters[i];
    return placeholder;
}

/* Whether MatMul can sum the letter: sizes that are known must be equal (1 is broadcast) and not 0. */
static bool sizes_agree(const onnx_node *n, const term *a, const term *b, char letter)
{
    const gr_tensor *x = &n->c->g->tensors[a->id], *y = &n->c->g->tensors[b->id];
    if (x->rank != a->n || y->rank != b->n) return true;
    int64_t p = x->dims[(const char *)memchr(a->letters, letter, (size_t)a->n) - a->letters];
    int64_t q = y->dims[(const char *)memchr(b->letters, letter, (size_t)b->n) - b->letters];
    return p < 0 || q < 0 ? p != 1 && q != 1 : p == q && p > 0;
}

/* x as [batch, own, summed], all of `summed` in one dimension. */
static gr_id as_matrices(onnx_node *n, const term *x, const term *batch, char own, const term *summed)
{
    term order = *batch;
    put(&order, own);
    unite(&order, summed);
    gr_id y = arrange(n, x, &order);
    if (summed->n == 1) return y;
    int64_t dims[GR_MAX_RANK] = {0};
    dims[batch->n + 1] = -1;
    return reshape_to(n, OP_Reshape, "merged", y, dims, batch->n + 2);
}

static gr_id swap_last(onnx_node *n, gr_id x, int rank)
{
    op_ints perm = {.count = rank};
    for (int i = 0; i < rank; i++) perm.v[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return transpose(n, x, &perm);
}

/* a x b summed over `summed`; a free letter of each is the row and the column, all others are batches. */
static void matmul(onnx_node *n, const term *a, const term *b, const term *batch, char row, char column,
                   const term *summed, term *y)
{
    gr_id left = as_matrices(n, a, batch, row, summed), right;
    if (summed->n == 1) {
        term order = *batch;
        unite(&order, summed);
        put(&order, column);
        right = arrange(n, b, &order);
    } else {
        right = swap_last(n, as_matrices(n, b, batch, column, summed), batch->n + 2);
    }
    *y = *batch;
    y->id = onnx_binary(n, OP_MatMul, "matmul", left, right);
    int64_t ones[2];
    int n_ones = 0;
    if (row == ROW)
        ones[n_ones++] = batch->n;
    else
        put(y, row);
    if (column == COLUMN)
        ones[n_ones++] = batch->n + 1;
    else
        put(y, column);
    if (n_ones) y->id = reshape_to(n, OP_Squeeze, "narrowed", y->id, ones, n_ones);
}

/* Contracts a and b: y has the letters of both that are in `keep`. */
static vki_status contract(onnx_node *n, term *a, term *b, const term *keep, term *y)
{
    term summed = {.n = 0}, batch = {.n = 0};
    sum_rest(n, a, keep, b);
    sum_rest(n, b, keep, a);
    bool matrices = true;
    for (int i = 0; i < a->n; i++) {
        if (has(keep, a->letters[i])) continue;
        put(&summed, a->letters[i]);
        matrices = matrices && sizes_agree(n, a, b, a->letters[i]);
    }
    char row = free_letter(keep, a, b, ROW), column = free_letter(keep, b, a, COLUMN);
    for (int i = 0; i < keep->n; i++) {
        char letter = keep->letters[i];
        if (letter != row && letter != column && (has(a, letter) || has(b, letter))) put(&batch, letter);
    }
    if (summed.n == 0 || !matrices || batch.n + 1 + (summed.n > 1 ? summed.n : 1) > GR_MAX_RANK)
        return multiply(n, a, b, keep, y);
    matmul(n, a, b, &batch, row, column, &summed, y);
    return VKI_OK;
}

vki_status lift_einsum(onnx_node *n)
{
    equation e;
    char text[128] = "";
    const Onnx__AttributeProto *a = onnx_attr(n, "equation");
    if (!a || a->s.len >= sizeof text) return onnx_refuse(n, "its equation is missing or too long");
    VKB_TRY(onnx_attr_text(n, "equation", text, sizeof text));
    if (!parse(text, &e)) return onnx_refuse(n, "equation = '%s'", text);
    VKB_TRY(onnx_require_inputs(n, e.n_in));
    if (n->n_in != e.n_in) return onnx_fail(n, "has %d inputs, but its equation %d", n->n_in, e.n_in);
    n->op = OP_Identity; /* which onnx_refuse takes back */
    VKB_TRY(read_operands(n, &e));
    if (n->op == OP_NONE) return VKI_OK;
    for (int i = 0; i < e.n_in; i++) take_diagonals(n, &e.in[i]);
    term y = e.in[0];
    for (int i = 1; i < e.n_in; i++) {
        term left = y, keep = e.out; /* what the result and the operands that follow still need */
        for (int k = i + 1; k < e.n_in; k++)
            if (!unite(&keep, &e.in[k])) return onnx_refuse(n, "more than %d different letters", GR_MAX_RANK);
        VKB_TRY(contract(n, &left, &e.in[i], &keep, &y));
        if (n->op == OP_NONE) return VKI_OK;
    }
    sum_rest(n, &y, &e.out, NULL);
    gr_id out = arrange(n, &y, &e.out);
    return onnx_finish(n, OP_Identity, 1, &out);
}
