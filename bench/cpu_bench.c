/* SPDX-License-Identifier: Apache-2.0
 * Speed of the CPU's fast kernels with one thread and with two: GFLOP/s as a share of the FMA peak that the
 * same run measures, GB/s of the tensors read and written, and as a share of the bound the time that the
 * peak or the bandwidth of memory, measured too, leaves possible, whichever is longer. Tensors that stay in a
 * cache can beat the latter. cpu_bench [substring of the names to run] */
#include "cpu/cpu.h"
#include "cpu/micro.h"

#include <stdio.h>
#include <string.h>

enum { INPUTS = 4 };

static const vki_allocator *const heap = &vkb_libc_allocator;
static double peak = 1;     /* GFLOP/s of one thread */
static double bandwidth[3]; /* GB/s of reads by so many threads */
static const char *wanted = "";

typedef struct bench { /* a graph of one node */
    char name[64];
    gr_graph g;
    gr_id in[INPUTS];
    int n_in;
    void *data[INPUTS], *out, *weights, *scratch;
    vkb_arena arena;
    const cpu_kernel *kernel;
    cpu_prep prep;
} bench;

static void *values(int64_t n)
{
    float *p = vkb_alloc(heap, (size_t)n * sizeof *p);
    for (int64_t i = 0; p && i < n; i++) p[i] = (float)((uint64_t)i * 2654435761u % 2000) * 1e-3f - 1;
    return p;
}

static void add_input(bench *b, int rank, const int64_t *dims, bool constant)
{
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    void *p = b->data[b->n_in] = values(n);
    b->in[b->n_in++] = constant ? gr_add_const(&b->g, NULL, VKI_F32, rank, dims, p, false)
                                : gr_add_tensor(&b->g, NULL, VKI_F32, rank, dims);
}

static gr_node *add_node(bench *b, op_kind op)
{
    gr_id out = gr_add_tensor(&b->g, "y", VKI_DT_NONE, -1, NULL);
    return gr_add_node(&b->g, op, "node", b->n_in, b->in, 1, &out);
}

static bool prepare(bench *b, int threads)
{
    vki_error err = {0};
    gr_node *n = &b->g.nodes[0];
    if (gr_infer(&b->g, &err) != VKI_OK) {
        fprintf(stderr, "%s: %s\n", b->name, err.text);
        return false;
    }
    for (b->kernel = cpu_op_of(n->op)->kernels; b->kernel->name && !b->kernel->fits(&b->g, n);) b->kernel++;
    if (!b->kernel->name) {
        fprintf(stderr, "%s: no fast kernel fits\n", b->name);
        return false;
    }
    b->prep = (cpu_prep){.g = &b->g, .n = n, .threads = threads, .arena = &b->arena};
    if (b->kernel->prepare(&b->prep, &err) != VKI_OK) return false;
    b->weights = vkb_alloc(heap, b->prep.weight_bytes);
    b->scratch = vkb_alloc(heap, b->prep.scratch_bytes);
    b->out = vkb_calloc(heap, gr_bytes(&b->g.tensors[n->out[0]]), 1);
    if (!b->weights || !b->scratch || !b->out) return false;
    if (b->prep.weight_bytes) b->prep.pack(b->weights, &b->g, n, b->prep.state);
    return true;
}

/* Best of many runs, in milliseconds. */
static double best_ms(bench *b, vkb_pool *pool)
{
    const void *in[INPUTS] = {b->data[0], b->data[1], b->data[2], b->data[3]};
    void *out[] = {b->out};
    const cpu_call call = {.g = &b->g,
                           .n = b->prep.n,
                           .in = in,
                           .out = out,
                           .state = b->prep.state,
                           .weights = b->weights,
                           .scratch = b->scratch,
                           .pool = pool};
    double best = 1e30, end = vkb_now_ms() + 300;
    do {
        double start = vkb_now_ms();
        b->kernel->run(&call);
        double ms = vkb_now_ms() - start;
        if (ms < best) best = ms;
    } while (vkb_now_ms() < end);
    return best;
}

static void print_speed(const op_cost *cost, double ms, int threads)
{
    printf("  %d: %9.3f ms", threads, ms);
    if (cost->macs)
        printf(" %6.1f GFLOP/s %5.1f %%", 2e-6 * (double)cost->macs / ms,
               2e-4 * (double)cost->macs / ms / (peak * threads));
    const double compute = 2e-6 * (double)cost->macs / (peak * threads),
                 memory = 1e-6 * (double)cost->bytes / bandwidth[threads];
    printf(" %5.1f GB/s %5.1f %% of the bound", 1e-6 * (double)cost->bytes / ms,
           100 * (compute > memory ? compute : memory) / ms);
}

static void run(bench *b)
{
    vkb_pool *pool = NULL;
    if (prepare(b, 1)) {
        op_cost cost;
        op_cost_of(&b->g, b->prep.n, &cost);
        printf("%-30s %-17s", b->name, b->kernel->name);
        print_speed(&cost, best_ms(b, NULL), 1);
        vkb_free(heap, b->scratch);
        vkb_free(heap, b->weights);
        vkb_free(heap, b->out);
        if (prepare(b, 2) && vkb_pool_create(heap, 2, &pool, NULL) == VKI_OK)
            print_speed(&cost, best_ms(b, pool), 2);
        printf("\n");
    }
    vkb_pool_destroy(&pool);
    vkb_free(heap, b->scratch);
    vkb_free(heap, b->weights);
    vkb_free(heap, b->out);
    for (int i = 0; i < b->n_in; i++) vkb_free(heap, b->data[i]);
    vkb_arena_free(&b->arena);
    gr_free(&b->g);
}

static bool begin(bench *b, const char *name)
{
    memset(b, 0, sizeof *b);
    if (!strstr(name, wanted)) return false;
    snprintf(b->name, sizeof b->name, "%s", name);
    gr_init(&b->g, heap);
    vkb_arena_init(&b->arena, heap);
    return true;
}

static void conv(int64_t in_c, int64_t out_c, int64_t size, int64_t kernel, int64_t stride, int64_t group)
{
    bench b;
    char name[64];
    snprintf(name, sizeof name, "%s %lldx%lld/%lld %lldx%lldx%lld->%lld", group > 1 ? "depthwise" : "conv",
             (long long)kernel, (long long)kernel, (long long)stride, (long long)size, (long long)size,
             (long long)in_c, (long long)out_c);
    if (!begin(&b, name)) return;
    int64_t pad = kernel / 2;
    add_input(&b, 4, (int64_t[]){1, in_c, size, size}, false);
    add_input(&b, 4, (int64_t[]){out_c, in_c / group, kernel, kernel}, true);
    add_input(&b, 1, &out_c, true);
    gr_node *n = add_node(&b, OP_Conv);
    op_conv_attrs *a = n->attrs;
    a->group = group;
    a->strides = (op_ints){2, {stride, stride}};
    a->pads = (op_ints){4, {pad, pad, pad, pad}};
    n->epilogue.act = GR_ACT_RELU;
    run(&b);
}

static void deconv(int64_t in_c, int64_t out_c, int64_t size, int64_t kernel, int64_t stride, int64_t pad)
{
    bench b;
    char name[64];
    snprintf(name, sizeof name, "deconv %lldx%lld/%lld %lldx%lldx%lld->%lld", (long long)kernel,
             (long long)kernel, (long long)stride, (long long)size, (long long)size, (long long)in_c,
             (long long)out_c);
    if (!begin(&b, name)) return;
    add_input(&b, 4, (int64_t[]){1, in_c, size, size}, false);
    add_input(&b, 4, (int64_t[]){in_c, out_c, kernel, kernel}, true);
    op_conv_attrs *a = add_node(&b, OP_ConvTranspose)->attrs;
    a->strides = (op_ints){2, {stride, stride}};
    a->pads = (op_ints){4, {pad, pad, pad, pad}};
    run(&b);
}

static void matmul(int64_t m, int64_t n, int64_t k, bool constant)
{
    bench b;
    char name[64];
    snprintf(name, sizeof name, "matmul %lldx%lldx%lld%s", (long long)m, (long long)n, (long long)k,
             constant ? "" : " dynamic");
    if (!begin(&b, name)) return;
    add_input(&b, 2, (int64_t[]){m, k}, false);
    add_input(&b, 2, (int64_t[]){k, n}, constant);
    add_node(&b, OP_MatMul);
    run(&b);
}

static void pool(op_kind op, const char *name, int64_t channels, int64_t size, int64_t kernel, int64_t stride)
{
    bench b;
    if (!begin(&b, name)) return;
    int64_t pad = kernel / 2;
    add_input(&b, 4, (int64_t[]){1, channels, size, size}, false);
    gr_node *n = add_node(&b, op);
    if (op == OP_MaxPool || op == OP_AveragePool) {
        op_pool_attrs *a = n->attrs;
        a->kernel_shape = (op_ints){2, {kernel, kernel}};
        a->strides = (op_ints){2, {stride, stride}};
        a->pads = (op_ints){4, {pad, pad, pad, pad}};
    }
    run(&b);
}

/* `parameters` vectors of the last dimension follow the first input. */
static void rows(op_kind op, const char *name, int64_t count, int64_t size, int parameters)
{
    bench b;
    if (!begin(&b, name)) return;
    add_input(&b, 2, (int64_t[]){count, size}, false);
    for (int i = 0; i < parameters; i++) add_input(&b, 1, &size, true);
    add_node(&b, op);
    run(&b);
}

/* The peak: a tile whose operands stay in the first-level cache. */
static double measure_peak(void)
{
    enum { K = 128, TILES = 200, ROUNDS = 2000, MOST_ROWS = 16 };
    static float a[MOST_ROWS * K], x[CPU_NR * K], y[MOST_ROWS * CPU_NR];
    const cpu_micro *micro = cpu_micro_get();
    const cpu_tile t = {.a = a,
                        .b = x,
                        .k = K,
                        .b_stride = CPU_NR,
                        .c = y,
                        .c_stride = CPU_NR,
                        .rows = micro->mr,
                        .cols = CPU_NR};
    double best = 1e30;
    for (int round = 0; round < ROUNDS; round++) {
        double start = vkb_now_ms();
        for (int i = 0; i < TILES; i++) micro->gemm(&t);
        double ms = vkb_now_ms() - start;
        if (ms < best) best = ms;
    }
    return 2e-6 * TILES * K * micro->mr * CPU_NR / best;
}

static void on_floats(void *arg, int64_t begin, int64_t end, int thread)
{
    volatile float *const sums = arg; /* of each thread; the floats follow */
    sums[thread] = cpu_micro_get()->sum((const float *)arg + 16 + begin, end - begin);
}

/* Of sums over much more than the caches hold; none where memory or threads lack. */
static double measure_bandwidth(int threads)
{
    enum { FLOATS = 64 << 20, ROUNDS = 5 };
    vkb_pool *pool = NULL;
    float *x = vkb_calloc(heap, FLOATS + 16, sizeof *x);
    double best = 0;
    for (int64_t i = 0; x && i < FLOATS + 16; i += 1024) x[i] = 1; /* pages of their own */
    if (x && (threads == 1 || vkb_pool_create(heap, threads, &pool, NULL) == VKI_OK))
        for (int round = 0; round < ROUNDS; round++) {
            const double start = vkb_now_ms();
            vkb_parallel_for(pool, FLOATS, FLOATS / 64, on_floats, x);
            const double ms = vkb_now_ms() - start;
            if (best == 0 || ms < best) best = ms;
        }
    vkb_pool_destroy(&pool);
    vkb_free(heap, x);
    return 1e-6 * FLOATS * sizeof *x / best; /* infinite if nothing was measured */
}

int main(int argc, char **argv)
{
    if (argc > 1) wanted = argv[1];
    peak = measure_peak();
    for (int threads = 1; threads <= 2; threads++) bandwidth[threads] = measure_bandwidth(threads);
    printf("%s, peak %.1f GFLOP/s a thread; memory %.1f GB/s, with two threads %.1f\n", cpu_micro_get()->isa,
           peak, bandwidth[1], bandwidth[2]);
    matmul(512, 512, 512, true);
    matmul(1024, 1024, 1024, true);
    matmul(128, 768, 768, true);
    matmul(128, 128, 64, false);
    matmul(4, 1000, 1280, true);
    matmul(1, 1000, 1280, true);
    matmul(1, 4096, 9216, true);
    conv(64, 128, 56, 1, 1, 1);
    conv(512, 512, 14, 1, 1, 1);
    conv(1024, 256, 14, 1, 1, 1);
    conv(96, 24, 56, 1, 1, 1);
    conv(16, 96, 112, 1, 1, 1);
    conv(32, 16, 112, 1, 1, 1);
    conv(96, 576, 14, 1, 1, 1);
    conv(576, 96, 14, 1, 1, 1);
    conv(160, 960, 7, 1, 1, 1);
    conv(960, 160, 7, 1, 1, 1);
    conv(320, 1280, 7, 1, 1, 1);
    conv(256, 512, 56, 1, 2, 1);
    conv(64, 64, 56, 3, 1, 1);
    conv(256, 256, 14, 3, 1, 1);
    conv(512, 512, 7, 3, 1, 1);
    conv(128, 128, 56, 3, 2, 1);
    conv(3, 64, 224, 7, 2, 1);
    conv(3, 32, 224, 3, 2, 1);
    conv(3, 64, 224, 11, 4, 1);
    conv(32, 3, 128, 9, 1, 1);
    conv(32, 32, 112, 3, 1, 32);
    conv(96, 96, 112, 3, 2, 96);
    conv(576, 576, 14, 3, 1, 576);
    conv(960, 960, 7, 5, 1, 960);
    conv(128, 128, 28, 3, 1, 128);
    conv(144, 144, 56, 5, 2, 144);
    deconv(512, 256, 8, 4, 2, 1);
    deconv(64, 21, 32, 2, 2, 0);
    pool(OP_MaxPool, "max pool 3x3/2 112x112x64", 64, 112, 3, 2);
    pool(OP_AveragePool, "average pool 3x3/1 35x35x192", 192, 35, 3, 1);
    pool(OP_GlobalAveragePool, "global average 14x14x512", 512, 14, 0, 0);
    rows(OP_Relu, "relu 1M", 1024, 1024, 0);
    rows(OP_HardSwish, "hardswish 1M", 1024, 1024, 0);
    rows(OP_Silu, "silu 1M", 1024, 1024, 0);
    rows(OP_Tanh, "tanh 1M", 1024, 1024, 0);
    rows(OP_Add, "add row 1M", 1024, 1024, 1);
    rows(OP_Softmax, "softmax 1024x1024", 1024, 1024, 0);
    rows(OP_LayerNormalization, "layer norm 1024x1024", 1024, 1024, 2);
    return 0;
}
