/* SPDX-License-Identifier: Apache-2.0
 * Speed of the CPU's fast kernels in GFLOP/s, as a share of the FMA peak measured in the same run. */
#include "cpu/conv2d_gemm.h"

#include <stdio.h>
#include <string.h>

typedef void (*work_fn)(void *arg, vkb_pool *pool);

/* Best of several runs, in milliseconds. */
static double best_ms(work_fn work, void *arg, vkb_pool *pool)
{
    double best = 1e30, end = vkb_now_ms() + 300;
    do {
        double start = vkb_now_ms();
        work(arg, pool);
        double ms = vkb_now_ms() - start;
        if (ms < best) best = ms;
    } while (vkb_now_ms() < end);
    return best;
}

static double peak = 1; /* GFLOP/s of one thread */

static void report(const char *name, double macs, work_fn work, void *arg, vkb_pool *pool)
{
    double one = best_ms(work, arg, NULL), all = best_ms(work, arg, pool);
    int threads = vkb_pool_threads(pool);
    printf("%-28s %9.3f ms %7.1f GFLOP/s %5.1f %%   %d threads %9.3f ms %7.1f GFLOP/s %5.1f %%\n", name, one,
           2e-6 * macs / one, 2e-4 * macs / one / peak, threads, all, 2e-6 * macs / all,
           2e-4 * macs / all / (peak * threads));
}

/* A tile whose operands stay in the first-level cache runs as fast as the FMA units allow. */
typedef struct peak_work {
    float a[CPU_MR * 128], b[CPU_NR * 128], c[CPU_MR * CPU_NR];
} peak_work;

enum { PEAK_TILES = 2000 };

static void run_peak(void *arg, vkb_pool *pool)
{
    peak_work *w = arg;
    const cpu_micro *micro = cpu_micro_get();
    (void)pool;
    cpu_tile t = {.a = w->a,
                  .b = w->b,
                  .k = 128,
                  .b_stride = CPU_NR,
                  .c = w->c,
                  .c_stride = CPU_NR,
                  .rows = CPU_MR,
                  .cols = CPU_NR};
    for (int i = 0; i < PEAK_TILES; i++) micro->gemm(&t);
}

static float *floats(uint64_t n)
{
    float *p = vkb_alloc(&vkb_libc_allocator, n * sizeof *p);
    for (uint64_t i = 0; p && i < n; i++) p[i] = (float)((i * 2654435761u >> 8) % 2000) * 1e-3f - 1;
    return p;
}

typedef struct gemm_work {
    cpu_gemm plan;
    float *a, *b, *c;
    void *scratch;
} gemm_work;

static void gemm_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const gemm_work *w = user;
    (void)index;
    job->a = w->a;
    job->b = w->b;
    job->c = w->c;
}

static void run_gemm(void *arg, vkb_pool *pool)
{
    const gr_epilogue none = {0};
    gemm_work *w = arg;
    cpu_gemm_source s = {.user = w, .epilogue = &none, .job = gemm_job};
    cpu_gemm_run(&w->plan, &s, NULL, pool);
}

static void bench_gemm(int64_t size, vkb_pool *pool)
{
    char name[64];
    uint64_t n = (uint64_t)(size * size);
    gemm_work w = {.a = floats(n), .b = floats(n), .c = floats(n)};
    snprintf(name, sizeof name, "gemm %lld^3", (long long)size);
    cpu_gemm_plan(&w.plan, size, size, size, 1, 2, false, false);
    if (w.a && w.b && w.c) report(name, (double)n * (double)size, run_gemm, &w, pool);
    vkb_free(&vkb_libc_allocator, w.a);
    vkb_free(&vkb_libc_allocator, w.b);
    vkb_free(&vkb_libc_allocator, w.c);
}

typedef struct conv_work {
    cpu_conv conv;
    float *x, *w, *bias, *y;
    void *scratch;
} conv_work;

static void run_conv(void *arg, vkb_pool *pool)
{
    conv_work *w = arg;
    const gr_epilogue relu = {.act = GR_ACT_RELU};
    cpu_conv_args a = {
        .conv = &w->conv, .x = w->x, .weights = w->w, .bias = w->bias, .y = w->y, .epilogue = &relu};
    cpu_conv_run(&a, w->scratch, pool);
}

static void bench_conv(int64_t in_c, int64_t out_c, int64_t size, int64_t kernel, int64_t stride,
                       vkb_pool *pool)
{
    char name[64];
    int64_t pad = kernel / 2, out = (size + 2 * pad - kernel) / stride + 1;
    op_window win = {.batch = 1,
                     .in_c = in_c,
                     .out_c = out_c,
                     .in_h = size,
                     .in_w = size,
                     .out_h = out,
                     .out_w = out,
                     .kernel_h = kernel,
                     .kernel_w = kernel,
                     .stride_h = stride,
                     .stride_w = stride,
                     .dilation_h = 1,
                     .dilation_w = 1,
                     .pad_top = pad,
                     .pad_left = pad,
                     .pad_bottom = pad,
                     .pad_right = pad,
                     .group = 1};
    conv_work w = {.x = floats((uint64_t)(in_c * size * size)),
                   .w = floats(cpu_conv_weight_floats(&win)),
                   .bias = floats((uint64_t)out_c),
                   .y = floats((uint64_t)(out_c * out * out))};
    int threads = vkb_pool_threads(pool);
    cpu_conv_plan(&w.conv, &win, threads);
    w.scratch = vkb_alloc(&vkb_libc_allocator, cpu_gemm_scratch(&w.conv.gemm, threads));
    snprintf(name, sizeof name, "conv %lldx%lld/%lld %lldx%lldx%lld->%lld", (long long)kernel,
             (long long)kernel, (long long)stride, (long long)size, (long long)size, (long long)in_c,
             (long long)out_c);
    if (w.x && w.w && w.bias && w.y && w.scratch)
        report(name, (double)(out * out * out_c) * (double)(in_c * kernel * kernel), run_conv, &w, pool);
    vkb_free(&vkb_libc_allocator, w.x);
    vkb_free(&vkb_libc_allocator, w.w);
    vkb_free(&vkb_libc_allocator, w.bias);
    vkb_free(&vkb_libc_allocator, w.y);
    vkb_free(&vkb_libc_allocator, w.scratch);
}

int main(void)
{
    vkb_pool *pool = NULL;
    static peak_work p;
    if (vkb_pool_create(&vkb_libc_allocator, 2, &pool, NULL) != VKI_OK) return 1;
    peak = 2e-6 * PEAK_TILES * 128 * CPU_MR * CPU_NR / best_ms(run_peak, &p, NULL);
    printf("%s, peak %.1f GFLOP/s a thread\n", cpu_micro_get()->isa, peak);
    bench_gemm(512, pool);
    bench_gemm(1024, pool);
    bench_conv(64, 128, 56, 1, 1, pool);
    bench_conv(512, 512, 14, 1, 1, pool);
    bench_conv(96, 24, 56, 1, 1, pool);
    bench_conv(320, 1280, 7, 1, 1, pool);
    bench_conv(64, 64, 56, 3, 1, pool);
    bench_conv(512, 512, 7, 3, 1, pool);
    bench_conv(256, 256, 14, 3, 1, pool);
    bench_conv(128, 128, 56, 3, 2, pool);
    bench_conv(3, 64, 224, 7, 2, pool);
    bench_conv(3, 32, 224, 3, 2, pool);
    vkb_pool_destroy(&pool);
    return 0;
}
