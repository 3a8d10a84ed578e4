/* SPDX-License-Identifier: Apache-2.0
 * Einsum as other operators. Two operands with one common letter that is summed become a MatMul, in which the
 * other letters are batches; everything else becomes a product of all operands, broadcast to all letters, and
 * a sum. Shapes need not be known, so diagonals (a letter twice in one operand) and ellipses are refused. */
#include "graph/import/onnx/onnx_internal.h"

#include <string.h>

enum { MOST_OPERANDS = 8 };

typedef struct term { /* dimensions by letter */
    char letters[GR_MAX_RANK + 1];
    int n;
} term;

typedef struct equation {
    term in[MOST_OPERANDS], out;
    int n_in;
} equation;

static bool has(const term *t, char letter)
{
    return memchr(t->letters, letter, (size_t)t->n) != NULL;
}

static bool add(term *t, char letter)
{
    if (t->n == GR_MAX_RANK || has(t, letter)) return false;
    t->letters[t->n++] = letter;
    return true;
}

/* Without "->": the letters that occur once, in their order. */
static bool implicit_output(equation *e)
{
    for (char letter = 'A'; letter <= 'z'; letter++) {
        int count = 0;
        for (int i = 0; i < e->n_in; i++) count += has(&e->in[i], letter);
        if (count == 1 && !add(&e->out, letter)) return false;
    }
    return true;
}

static bool parse(const char *text, equation *e)
{
    bool arrow = false;
    memset(e, 0, sizeof *e);
    e->n_in = 1;
    for (; *text; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (*text == ' ') continue;
        if (text[0] == '-' && text[1] == '>' && !arrow) {
            arrow = true;
            text++;
        } else if (*text == ',' && !arrow && e->n_in < MOST_OPERANDS) {
            e->n_in++;
        } else if (!letter || !add(arrow ? &e->out : &e->in[e->n_in - 1], *text)) {
            return false;
        }
    }
    for (int i = 0; i < e->out.n; i++) { /* each output letter must come from somewhere */
        bool found = false;
        for (int k = 0; k < e->n_in; k++) found = found || has(&e->in[k], e->out.letters[i]);
        if (!found) return false;
    }
    return arrow || implicit_output(e);
}

/* Brings x, whose dimensions are `from`, to the order of `to`, which has all its letters; others get size 1.
 */
static gr_id arrange(onnx_node *n, gr_id x, const term *from, const term *to)
{
    gr_graph *g = n->c->g;
    op_ints perm = {0};
    int64_t missing[GR_MAX_RANK];
    int n_missing = 0;
    bool moved = false;
    for (int i = 0; i < to->n; i++) {
        const char *at = memchr(from->letters, to->letters[i], (size_t)from->n);
        if (!at) {
            missing[n_missing++] = i;
            continue;
        }
        moved = moved || at - from->letters != perm.count;
        perm.v[perm.count++] = at - from->letters;
    }
    if (moved) {
        x = onnx_unary(n, OP_Transpose, "ordered", x);
        if (x == GR_NONE) return GR_NONE;
        gr_node *node = &g->nodes[g->n_nodes - 1];
        bool known;
        ((op_transpose_attrs *)node->attrs)->perm = perm;
        gr_infer_node(g, node, &known, NULL);
    }
    if (n_missing == 0) return x;
    return onnx_binary(n, OP_Unsqueeze, "widened", x, onnx_const_ints(n, "new", missing, n_missing));
}

static vki_status product_and_sum(onnx_node *n, const equation *e)
{
    term all = e->out;
    for (int i = 0; i < e->n_in; i++)
        for (int k = 0; k < e->in[i].n; k++)
            if (!has(&all, e->in[i].letters[k]) && !add(&all, e->in[i].letters[k]))
                return onnx_refuse(n, "more than %d different letters", GR_MAX_RANK);
    gr_id y = arrange(n, n->in[0], &e->in[0], &all);
    for (int i = 1; i < e->n_in; i++)
        y = onnx_binary(n, OP_Mul, "product", y, arrange(n, n->in[i], &e->in[i], &all));
    int64_t axes[GR_MAX_RANK];
    for (int i = e->out.n; i < all.n; i++) axes[i - e->out.n] = i;
    if (all.n > e->out.n)
        y = onnx_helper(n, OP_ReduceSum, "sum", 2,
                        (gr_id[]){y, onnx_const_ints(n, "axes", axes, all.n - e->out.n)},
                        (onnx_set[]){{"keepdims", 0}, {NULL, 0}});
    return onnx_finish(n, OP_Identity, 1, &y);
}

/* The letter that only the two inputs have; 0 if it is not one, or if one input alone has others to sum. */
static char summed_letter(const equation *e)
{
    char found = 0;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < e->in[i].n; k++) {
            char letter = e->in[i].letters[k];
            if (has(&e->out, letter) || letter == found) continue;
            if (found || !has(&e->in[1 - i], letter)) return 0;
            found = letter;
        }
    return found;
}

/* The last output letter that `own` has and `other` lacks, or a placeholder of size 1. */
static char free_letter(const term *out, const term *own, const term *other, char placeholder)
{
    for (int i = out->n - 1; i >= 0; i--)
        if (has(own, out->letters[i]) && !has(other, out->letters[i])) return out->letters[i];
    return placeholder;
}

static vki_status product_of_matrices(onnx_node *n, const equation *e, char k)
{
    char row = free_letter(&e->out, &e->in[0], &e->in[1], '0');
    char column = free_letter(&e->out, &e->in[1], &e->in[0], '1');
    term batch = {.n = 0};
    for (int i = 0; i < e->out.n; i++)
        if (e->out.letters[i] != row && e->out.letters[i] != column) add(&batch, e->out.letters[i]);
    if (batch.n + 2 > GR_MAX_RANK) return product_and_sum(n, e);
    term a = batch, b = batch, y = batch;
    add(&a, row);
    add(&a, k);
    add(&b, k);
    add(&b, column);
    gr_id product = onnx_binary(n, OP_MatMul, "matmul", arrange(n, n->in[0], &e->in[0], &a),
                                arrange(n, n->in[1], &e->in[1], &b));
    int64_t ones[2];
    int n_ones = 0;
    if (row == '0') ones[n_ones++] = batch.n;
    if (column == '1') ones[n_ones++] = batch.n + 1;
    if (row != '0') add(&y, row);
    if (column != '1') add(&y, column);
    if (n_ones)
        product = onnx_binary(n, OP_Squeeze, "narrowed", product, onnx_const_ints(n, "ones", ones, n_ones));
    gr_id out = arrange(n, product, &y, &e->out);
    return onnx_finish(n, OP_Identity, 1, &out);
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
    for (int i = 0; i < e.n_in; i++) { /* or a wrong number would go unnoticed where nothing is moved */
        int rank = n->c->g->tensors[n->in[i]].rank;
        if (rank >= 0 && rank != e.in[i].n)
            return onnx_fail(n, "input %d has %d dimensions, but %d letters", i, rank, e.in[i].n);
    }
    char k = e.n_in == 2 ? summed_letter(&e) : 0;
    return k ? product_of_matrices(n, &e, k) : product_and_sum(n, &e);
}
