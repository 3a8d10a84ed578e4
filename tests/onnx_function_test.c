/* SPDX-License-Identifier: Apache-2.0
 * The model's own functions, sequences and optionals: what the importer inlines and resolves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include "common/onnx_expect.h"

/* ---- functions ---- */

/* Scaled(a, b?) { alpha, beta } = alpha a' b' + 1 with transA fixed, as Gemm. */
static void gemm_function(ob *body)
{
    ob_start(body, 13);
    ob_input(body, "a", VKI_F32, NULL);
    ob_input(body, "b", VKI_F32, NULL);
    ob_input(body, "c", VKI_F32, NULL);
    ob_output(body, "out", VKI_F32, NULL);
    ob_node_t *n = ob_node(body, "Gemm", "a,b,c", "out");
    ob_ref(body, n, "alpha", "scale");
    ob_ref(body, n, "transB", "turned"); /* never given: the operator's default */
}

static ob_node_t *call(ob *b, const char *domain, const char *name, const char *inputs, const char *outputs)
{
    ob_node_t *n = ob_node(b, name, inputs, outputs);
    n->domain = vkb_arena_strdup(&b->arena, domain);
    return n;
}

static void attributes_and_absent_inputs(void **state)
{
    (void)state;
    for (int with_c = 0; with_c < 2; with_c++) {
        ob b, body;
        gemm_function(&body);
        ob_start(&b, 13);
        ob_input(&b, "x", VKI_F32, "1,2");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_initializer(&b, "w", VKI_F32, "2,1", X32(1, 10));
        ob_initializer(&b, "k", VKI_F32, "1", X32(1000));
        ob_function(&b, "local", "Scaled", &body);
        ob_node_t *n = call(&b, "local", "Scaled", with_c ? "x,w,k" : "x,w", "y");
        ob_float(&b, n, "scale", 2);
        oe_expect(&b, X32(1, 2), "1,1", X32(with_c ? 1042 : 42), 1);
        ob_end(&body);
    }
}

/* A default of `scale`, as the field that newer files have and the packaged onnx.proto does not know. */
static void defaults(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        ob b, body;
        gemm_function(&body);
        ob_start(&b, 13);
        ob_input(&b, "x", VKI_F32, "1,2");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_initializer(&b, "w", VKI_F32, "2,1", X32(1, 10));
        Onnx__FunctionProto *f = ob_function(&b, "local", "Scaled", &body);
        ob_node_t *n = call(&b, "local", "Scaled", "x,w", "y");
        ob_float(&b, n, "scale", 3);
        uint8_t bytes[64];
        size_t size = onnx__attribute_proto__pack(n->attribute[0], bytes + 1);
        bytes[0] = (uint8_t)size;
        ProtobufCMessageUnknownField field = {11, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, size + 1, bytes};
        f->base.n_unknown_fields = 1;
        f->base.unknown_fields = &field;
        if (given)
            n->attribute[0]->f = 2;
        else
            n->n_attribute = 0;
        oe_expect(&b, X32(1, 2), "1,1", X32(given ? 42 : 63), 1);
        ob_end(&body);
    }
}

/* Twice(x) = Once(Once(x)), Once(x) = 2 x: names repeat in every body. */
static void nested(void **state)
{
    (void)state;
    ob b, once, twice;
    ob_start(&once, 13);
    ob_input(&once, "x", VKI_F32, NULL);
    ob_output(&once, "y", VKI_F32, NULL);
    ob_tensor_attr(&once, ob_node(&once, "Constant", "", "k"), "value",
                   ob_tensor(&once, NULL, VKI_F32, "", X32(2)));
    ob_node(&once, "Mul", "x,k", "y");
    ob_start(&twice, 13);
    ob_input(&twice, "x", VKI_F32, NULL);
    ob_output(&twice, "y", VKI_F32, NULL);
    call(&twice, "local", "Once", "x", "k");
    call(&twice, "local", "Once", "k", "y");
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "2");
    ob_output(&b, "y", VKI_F32, NULL);
    ob_function(&b, "local", "Once", &once);
    ob_function(&b, "local", "Twice", &twice);
    call(&b, "local", "Twice", "x", "k");
    call(&b, "local", "Twice", "k", "y");
    oe_expect(&b, X32(1, -3), "2", X32(16, -48), 2);
    ob_end(&once);
    ob_end(&twice);
}

/* A function has an operator set of its own, and may be all that the model imports. */
static void operator_sets(void **state)
{
    (void)state;
    for (int opset = 11; opset <= 13; opset += 2) {
        ob b, body;
        ob_start(&body, opset);
        ob_input(&body, "x", VKI_F32, NULL);
        ob_output(&body, "y", VKI_F32, NULL);
        ob_node_t *n = ob_node(&body, "Softmax", "x", "y"); /* before 13: over all axes from `axis` on */
        ob_int(&body, n, "axis", 0);
        ob_start(&b, 13);
        b.model.opset_import[0]->domain = vkb_arena_strdup(&b.arena, "local");
        ob_input(&b, "x", VKI_F32, "2,2");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_function(&b, "local", "F", &body);
        call(&b, "local", "F", "x", "y");
        float part = opset < 13 ? 0.25f : 0.5f;
        oe_expect(&b, X32(3, 3, 3, 3), "2,2", X32(part, part, part, part), 4);
        ob_end(&body);
    }
}

static void wrong_functions(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        ob b, body;
        ob_start(&body, i == 1 ? 99 : 13);
        ob_input(&body, "x", VKI_F32, NULL);
        ob_output(&body, i == 3 ? "nothing" : "y", VKI_F32, NULL);
        if (i == 0)
            call(&body, "local", "F", "x", "y"); /* itself */
        else
            ob_node(&body, "Relu", "x", "y");
        ob_start(&b, 13);
        ob_input(&b, "x", VKI_F32, "2");
        ob_output(&b, "y", VKI_F32, NULL);
        ob_function(&b, "local", "F", &body);
        call(&b, "local", "F", i == 2 ? "x,x" : "x", "y");
        if (i == 0) oe_fails(&b, "32 levels");
        if (i == 1) oe_refuses(&b, "F (node 'F_0': its function uses ONNX operator set 99");
        if (i == 2) oe_fails(&b, "has 2 inputs and 1 outputs, but its function 1 and 1");
        if (i == 3) oe_fails(&b, "no node makes 'nothing'");
        ob_end(&body);
    }
    /* calls that double: 2^20 nodes */
    ob b, bodies[20];
    ob_start(&b, 13);
    ob_input(&b, "x", VKI_F32, "2");
    ob_output(&b, "y", VKI_F32, NULL);
    for (int i = 0; i < 20; i++) {
        char own[8], next[8];
        snprintf(own, sizeof own, "F%d", i);
        snprintf(next, sizeof next, "F%d", i + 1);
        ob_start(&bodies[i], 13);
        ob_input(&bodies[i], "x", VKI_F32, NULL);
        ob_output(&bodies[i], "y", VKI_F32, NULL);
        call(&bodies[i], i < 19 ? "local" : "", i < 19 ? next : "Relu", "x", "k");
        call(&bodies[i], i < 19 ? "local" : "", i < 19 ? next : "Relu", "k", "y");
        ob_function(&b, "local", own, &bodies[i]);
    }
    call(&b, "local", "F0", "x", "y");
    oe_fails(&b, "200000 nodes");
    for (int i = 0; i < 20; i++) ob_end(&bodies[i]);
}

/* ---- sequences ---- */

/* x [3,2] in rows a, b, c, edited by up to two operators, then the row at `at`. */
static void edits(void **state)
{
    (void)state;
    static const struct {
        const char *op[2];
        int64_t position[2]; /* 99: none */
        int64_t at, want;    /* want: row, 0 to 2; -1: a failure */
    } cases[] = {
        {{"SequenceErase", NULL}, {0, 0}, 0, 1},
        {{"SequenceErase", NULL}, {99, 0}, -1, 1},
        {{"SequenceErase", NULL}, {-2, 0}, 1, 2},
        {{"SequenceErase", NULL}, {3, 0}, 0, -1},
        {{"SequenceInsert", NULL}, {0, 0}, 0, 1}, /* inserts b */
        {{"SequenceInsert", NULL}, {99, 0}, 3, 1},
        {{"SequenceInsert", NULL}, {3, 0}, -1, 1},
        {{"SequenceInsert", NULL}, {-1, 0}, 2, 1},
        {{"SequenceInsert", NULL}, {-1, 0}, 3, 2},
        {{"SequenceInsert", NULL}, {-4, 0}, 0, -1},
        {{"SequenceInsert", NULL}, {4, 0}, 0, -1},
        {{"SequenceErase", "SequenceInsert"}, {1, 1}, 1, 1},
        {{"SequenceErase", "SequenceErase"}, {0, 0}, 0, 2},
        {{NULL, NULL}, {0, 0}, -3, 0},
        {{NULL, NULL}, {0, 0}, 3, -1},
    };
    for (int i = 0; i < LEN(cases); i++) {
        ob b;
        ob_node_t *n = oe_start(&b, 13, "SplitToSequence", "3,2");
        ob_outputs(&b, n, "s");
        ob_initializer(&b, "one", VKI_I64, "", I64(1));
        ob_node(&b, "SequenceAt", "s,one", "row");
        const char *last = "s";
        for (int k = 0; k < 2 && cases[i].op[k]; k++) {
            char in[64], out[8], pos[8];
            bool inserts = strcmp(cases[i].op[k], "SequenceInsert") == 0, given = cases[i].position[k] != 99;
            snprintf(pos, sizeof pos, "p%d", k);
            snprintf(out, sizeof out, "e%d", k);
            snprintf(in, sizeof in, "%s%s%s%s", last, inserts ? ",row" : "", given ? "," : "",
                     given ? pos : "");
            ob_initializer(&b, pos, VKI_I64, "", &cases[i].position[k]);
            ob_node(&b, cases[i].op[k], in, out);
            last = b.graph.node[b.graph.n_node - 1]->output[0];
        }
        char in[16];
        snprintf(in, sizeof in, "%s,at", last);
        ob_initializer(&b, "at", VKI_I64, "", &cases[i].at);
        ob_node(&b, "SequenceAt", in, "y");
        const float rows[] = {1, 2, 3, 4, 5, 6};
        if (cases[i].want < 0)
            oe_fails(&b, "position");
        else
            oe_expect(&b, rows, "1,2", rows + 2 * cases[i].want, 2);
    }
}

static void to_and_from_tensors(void **state)
{
    (void)state;
    static const struct {
        int64_t axis, keep, split, new_axis; /* split: 0 none, -1 the list 1,2 */
        const char *shape;
        float want[6];
        int64_t length;
    } cases[] = {
        {0, 1, 0, 0, "3,2", {1, 2, 3, 4, 5, 6}, 3},   {0, 0, 0, 0, "6", {1, 2, 3, 4, 5, 6}, 3},
        {-2, 0, 0, 1, "3,2", {1, 2, 3, 4, 5, 6}, 3},  {1, 0, 0, 1, "2,3", {1, 3, 5, 2, 4, 6}, 2},
        {0, 0, 2, 0, "3,2", {1, 2, 3, 4, 5, 6}, 2},   {0, 1, -1, 0, "3,2", {1, 2, 3, 4, 5, 6}, 2},
        {1, 1, 0, 1, "2,3,1", {1, 3, 5, 2, 4, 6}, 2},
    };
    for (int i = 0; i < 2 * LEN(cases); i++) {
        ob b;
        ob_node_t *n = oe_start(&b, 11, "SplitToSequence", "3,2");
        bool count = i >= LEN(cases);
        int k = i % LEN(cases);
        ob_outputs(&b, n, "s");
        ob_int(&b, n, "axis", cases[k].axis);
        ob_int(&b, n, "keepdims", cases[k].keep);
        ob_initializer(&b, "size", VKI_I64, "", &cases[k].split);
        ob_initializer(&b, "sizes", VKI_I64, "2", I64(1, 2));
        if (cases[k].split) ob_inputs(&b, n, cases[k].split > 0 ? "x,size" : "x,sizes");
        const float x[] = {1, 2, 3, 4, 5, 6};
        if (count) {
            ob_node(&b, "SequenceLength", "s", "y");
            b.graph.output[0]->type->tensor_type->elem_type = VKI_I64;
            oe_expect_ints(&b, x, VKI_I64, "", &cases[k].length, 1);
        } else {
            n = ob_node(&b, "ConcatFromSequence", "s", "y");
            ob_int(&b, n, "axis", 0);
            ob_int(&b, n, "new_axis", cases[k].new_axis);
            oe_expect(&b, x, cases[k].shape, cases[k].want, 6);
        }
    }
}

static void mapped(void **state)
{
    (void)state;
    ob b, body; /* e * w + k, with k from the graph around */
    ob_start(&body, 17);
    ob_input(&body, "e", VKI_F32, NULL);
    ob_input(&body, "w", VKI_F32, NULL);
    ob_output(&body, "r", VKI_F32, NULL);
    ob_node(&body, "Mul", "e,w", "p");
    ob_node(&body, "Add", "p,k", "r");
    ob_node_t *n = oe_start(&b, 17, "SplitToSequence", "2,2");
    ob_outputs(&b, n, "s");
    ob_initializer(&b, "k", VKI_F32, "", X32(100));
    ob_initializer(&b, "weights", VKI_F32, "2", X32(1, 10));
    n = ob_node(&b, "SequenceMap", "s,weights", "m");
    ob_graph_attr(&b, n, "body", &body);
    ob_int(&b, ob_node(&b, "ConcatFromSequence", "m", "y"), "axis", 0);
    oe_expect(&b, X32(1, 2, 3, 4), "2,2", X32(101, 120, 103, 140), 4);
    ob_end(&body);
}

static void optionals(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        ob b;
        ob_node_t *n = oe_start(&b, 18, "Optional", "2");
        ob_outputs(&b, n, "o");
        if (empty) ob_inputs(&b, n, "");
        ob_node(&b, "OptionalHasElement", "o", "y");
        b.graph.output[0]->type->tensor_type->elem_type = VKI_BOOL;
        oe_expect_ints(&b, X32(1, 2), VKI_BOOL, "", I64(!empty), 1);
    }
    ob b;
    ob_node_t *n = oe_start(&b, 18, "Optional", "2");
    ob_outputs(&b, n, "o");
    ob_node(&b, "Identity", "o", "same");
    ob_node(&b, "OptionalGetElement", "same", "y");
    oe_expect(&b, X32(1, 2), "2", X32(1, 2), 2);
}

static void refused(void **state)
{
    (void)state;
    ob b;
    ob_node_t *n = oe_start(&b, 13, "SplitToSequence", "N,2");
    ob_outputs(&b, n, "s");
    ob_node(&b, "SequenceLength", "s", "y");
    oe_refuses(&b, "SplitToSequence (node 'SplitToSequence_0': of a dimension whose size is not known)");
    static const char *const makers[] = {"SequenceConstruct", "SplitToSequence"};
    for (int i = 0; i < LEN(makers); i++) { /* no sequences of sequences */
        n = oe_start(&b, 13, "SequenceConstruct", "2");
        ob_outputs(&b, n, "s");
        ob_outputs(&b, ob_node(&b, makers[i], "s", ""), "t");
        ob_node(&b, "SequenceLength", "t", "y");
        oe_fails(&b, "an input is no tensor");
    }
    n = oe_start(&b, 13, "SequenceConstruct", "2");
    ob_outputs(&b, n, "s");
    ob_node(&b, "Relu", "s", "y");
    oe_refuses(&b, "Relu (node 'Relu_1': of a sequence or optional value)");
    oe_start(&b, 13, "SequenceConstruct", "2");
    oe_refuses(&b, "output 'y': a sequence");
    n = oe_start(&b, 13, "SequenceConstruct", "2");
    b.graph.output[0]->type->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    b.graph.output[0]->type->sequence_type = vkb_arena_alloc(&b.arena, sizeof(Onnx__TypeProto__Sequence));
    onnx__type_proto__sequence__init(b.graph.output[0]->type->sequence_type);
    oe_refuses(&b, "output 'y': a sequence, made by SequenceConstruct 'SequenceConstruct_0'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_and_absent_inputs),
        cmocka_unit_test(defaults),
        cmocka_unit_test(nested),
        cmocka_unit_test(operator_sets),
        cmocka_unit_test(wrong_functions),
        cmocka_unit_test(edits),
        cmocka_unit_test(to_and_from_tensors),
        cmocka_unit_test(mapped),
        cmocka_unit_test(optionals),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    puts("skipped: built without the ONNX importer");
    return 0;
}
#endif
