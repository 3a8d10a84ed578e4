/* SPDX-License-Identifier: Apache-2.0 */
#include "common/small_models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net.h"
#include "graph/format/vkm.h"
#include "graph/ops/attrs.h"

static void require(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "small model: %s failed\n", what);
    exit(2);
}

static gr_id weights(gr_graph *g, const char *name, int rank, const int64_t *dims, uint32_t seed)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)dims[i];
    float *values = malloc(n * sizeof *values);
    require(values != NULL, "malloc");
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = ((float)(seed >> 8) / 16777216.0f - 0.5f) * 0.6f;
    }
    gr_id id = gr_add_const(g, name, VKI_F32, rank, dims, values, true);
    free(values);
    require(id != GR_NONE, "a constant");
    return id;
}

static gr_id unknown(gr_graph *g, const char *name)
{
    return gr_add_tensor(g, name, VKI_DT_NONE, -1, NULL);
}

static gr_id node(gr_graph *g, op_kind op, const char *name, int n_in, const gr_id *in, gr_node **made)
{
    gr_id out = unknown(g, name);
    gr_node *n = gr_add_node(g, op, name, n_in, in, 1, &out);
    require(n != NULL, name);
    if (made) *made = n;
    return out;
}

static void set_ints(op_ints *ints, int count, int64_t value)
{
    ints->count = count;
    for (int i = 0; i < count; i++) ints->v[i] = value;
}

void small_cnn(gr_graph *g, const vki_allocator *a, int64_t size)
{
    gr_init(g, a);
    int64_t height = size > 0 ? size : gr_symbol(g, "H"), width = size > 0 ? size : gr_symbol(g, "W");
    gr_id image = gr_add_tensor(g, "image", VKI_F32, 4, (int64_t[]){1, 3, height, width});
    require(gr_add_input(g, image), "input");
    gr_node *n;
    gr_id conv1 = node(g, OP_Conv, "conv1", 3,
                       (gr_id[]){image, weights(g, "w1", 4, (int64_t[]){8, 3, 3, 3}, 1),
                                 weights(g, "b1", 1, (int64_t[]){8}, 2)},
                       &n);
    set_ints(&((op_conv_attrs *)n->attrs)->pads, 4, 1);
    gr_id relu = node(g, OP_Relu, "relu", 1, &conv1, NULL);
    gr_id pool = node(g, OP_MaxPool, "pool", 1, &relu, &n);
    set_ints(&((op_pool_attrs *)n->attrs)->kernel_shape, 2, 2);
    set_ints(&((op_pool_attrs *)n->attrs)->strides, 2, 2);
    gr_id conv2 =
        node(g, OP_Conv, "conv2", 2, (gr_id[]){pool, weights(g, "w2", 4, (int64_t[]){8, 8, 1, 1}, 3)}, NULL);
    gr_id features = node(g, OP_Add, "features", 2, (gr_id[]){conv2, pool}, NULL);
    gr_id mean = node(g, OP_GlobalAveragePool, "mean", 1, &features, NULL);
    gr_id flat = node(g, OP_Flatten, "flat", 1, &mean, NULL);
    gr_id logits =
        node(g, OP_Gemm, "logits", 2, (gr_id[]){flat, weights(g, "w3", 2, (int64_t[]){8, 5}, 4)}, NULL);
    gr_id scores = node(g, OP_Softmax, "scores", 1, &logits, NULL);
    require(gr_add_output(g, features) && gr_add_output(g, scores), "outputs");
}

const char *small_model_file(const gr_graph *g)
{
    static char path[96];
    snprintf(path, sizeof path, "/tmp/vkinfer-test-%ld.vkm", (long)getpid());
    vki_error err;
    if (vkm_write(g, path, &(vkm_write_options){0}, &err) != VKI_OK) {
        fprintf(stderr, "small model: %s\n", err.text);
        exit(2);
    }
    return path;
}

void small_loop(gr_graph *g)
{
    net_init(g);
    gr_id x = net_input(g, "x", DIMS(gr_symbol(g, "N"), 3)), w = net_random(g, DIMS(3)), in[4];
    require(gr_new_body(g) == 0, "a body");
    gr_graph *body = g->bodies[0].graph;
    for (int i = 0; i < 4; i++) {
        in[i] = unknown(body, NULL);
        require(gr_add_input(body, in[i]), "an input");
    }
    const int64_t three = 3;
    gr_id k = gr_add_const(body, "weights", VKI_F32, 1, &three, g->tensors[w].data, false);
    gr_id moved = net_node(body, OP_Add, IN(in[2], k));
    for (int i = 0; i < 2; i++) {
        require(gr_new_body(body) == i, "a branch");
        gr_graph *branch = body->bodies[i].graph;
        gr_id y = unknown(branch, "y");
        require(gr_add_input(branch, y), "an input");
        net_output(branch, net_unary(branch, i ? OP_Exp : OP_Relu, y));
    }
    gr_id chosen = net_node(body, OP_If, IN(in[1], moved, in[3]));
    *(op_if_attrs *)net_last(body)->attrs = (op_if_attrs){0, 1, 1};
    net_output(body, in[1]);
    net_output(body, chosen);
    gr_id start = net_node(g, OP_Mul, IN(x, w));
    gr_id y = net_node(g, OP_Loop, IN(net_ints(g, 1, &three), GR_NONE, start, x));
    *(op_loop_attrs *)net_last(g)->attrs = (op_loop_attrs){0, 1};
    net_output(g, y);
}
