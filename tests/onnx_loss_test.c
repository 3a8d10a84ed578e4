/* SPDX-License-Identifier: Apache-2.0
 * The loss operators by value, against plain loops over their definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#ifdef VKI_HAVE_ONNX
#include <math.h>

#include "common/onnx_expect.h"

enum { N = 2, C = 3, D = 2 };
static const float scores[N * C * D] = {0.5f, -1, 2, 0.25f, -0.75f, 1, 3, -2, 0.125f, 0, -1.5f, 1.25f};
static const float class_weights[C] = {0.5f, 2, 1.25f};

typedef struct setting {
    const char *reduction; /* NULL: left out, the mean */
    bool softmax, weighted, ignores;
    int64_t labels[N * D], ignored;
} setting;

static float log_softmax(int n, int c, int d)
{
    float sum = 0;
    for (int k = 0; k < C; k++) sum += expf(scores[(n * C + k) * D + d]);
    return scores[(n * C + c) * D + d] - logf(sum);
}

/* The values and their number. */
static int expected(const setting *s, float *out)
{
    float sum = 0, weights = 0;
    for (int n = 0; n < N; n++)
        for (int d = 0; d < D; d++) {
            int64_t label = s->labels[n * D + d];
            bool skip = s->ignores && label == s->ignored;
            float w = skip ? 0 : s->weighted ? class_weights[label] : 1;
            float p = skip ? 0 : s->softmax ? log_softmax(n, (int)label, d) : scores[(n * C + label) * D + d];
            out[n * D + d] = skip ? 0 : -p * w;
            sum += out[n * D + d];
            weights += w;
        }
    if (s->reduction && s->reduction[0] == 'n') return N * D;
    out[0] = s->reduction && s->reduction[0] == 's' ? sum : sum / weights;
    return 1;
}

static void build(ob *b, const setting *s, vki_dtype label_type)
{
    static const char *const inputs[] = {"x,labels", "x,labels,weights"};
    int32_t narrow[N * D];
    for (int i = 0; i < N * D; i++) narrow[i] = (int32_t)s->labels[i];
    const void *labels = label_type == VKI_I64 ? (const void *)s->labels : narrow;
    const char *op = s->softmax ? "SoftmaxCrossEntropyLoss" : "NegativeLogLikelihoodLoss";
    ob_node_t *n = oe_start(b, 13, op, "2,3,2");
    ob_initializer(b, "labels", label_type, "2,2", labels);
    ob_initializer(b, "weights", VKI_F32, "3", class_weights);
    ob_inputs(b, n, inputs[s->weighted]);
    if (s->reduction) ob_text(b, n, "reduction", s->reduction);
    if (s->ignores) ob_int(b, n, "ignore_index", s->ignored);
}

static void all_settings(void **state)
{
    (void)state;
    static const char *const reductions[] = {NULL, "mean", "sum", "none"};
    static const int64_t labels[3][N * D] = {{0, 2, 1, 2}, {0, -5, 1, 2}, {1, 1, 2, 0}};
    static const int64_t ignored[3] = {0, -5, 1}; /* -5 and 10 are no classes */
    for (int i = 0; i < 4 * 2 * 2 * 4; i++) {
        int form = i / 16;
        setting s = {.reduction = reductions[i % 4], .softmax = i / 4 % 2, .weighted = i / 8 % 2};
        s.ignores = form > 0;
        for (int k = 0; k < N * D; k++) s.labels[k] = labels[form % 3][k];
        s.ignored = form == 3 ? 10 : ignored[form % 3];
        float want[N * D];
        int count = expected(&s, want);
        ob b;
        build(&b, &s, i % 3 ? VKI_I64 : VKI_I32);
        oe_expect(&b, scores, count == 1 ? "" : "2,2", want, count);
    }
}

static void logarithms_as_an_output(void **state)
{
    (void)state;
    setting s = {.softmax = true, .labels = {0, 1, 2, 0}};
    float want[N * C * D];
    for (int i = 0; i < N * C * D; i++) want[i] = log_softmax(i / (C * D), i / D % C, i % D);
    ob b;
    build(&b, &s, VKI_I64);
    ob_outputs(&b, b.graph.node[0], "loss,y");
    oe_expect(&b, scores, "2,3,2", want, N * C * D);
}

static void wrong(void **state)
{
    (void)state;
    setting s = {.reduction = "product", .labels = {0, 1, 2, 0}};
    ob b;
    build(&b, &s, VKI_I64);
    oe_fails(&b, "reduction = 'product'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_settings),
        cmocka_unit_test(logarithms_as_an_output),
        cmocka_unit_test(wrong),
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
