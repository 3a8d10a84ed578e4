/* SPDX-License-Identifier: Apache-2.0
 * Panels of im2col are made in scratch as the GEMM asks for them; the whole matrix never exists. */
#include "cpu/conv2d_gemm.h"

#include "cpu/fast.h"

enum { DIRECT_ROWS = 24 }; /* pointwise with at most this many rows reads B in place: packing would not pay */

bool cpu_conv_fits(const op_window *w)
{
    const int64_t sizes[] = {w->batch,    w->in_c,       w->out_c,      w->in_d,      w->in_h,
                             w->in_w,     w->out_d,      w->out_h,      w->out_w,     w->kernel_d,
                             w->kernel_h, w->kernel_w,   w->stride_d,   w->stride_h,  w->stride_w,
                             w->group,    w->dilation_d, w->dilation_h, w->dilation_w};
    for (size_t i = 0; i < VKB_COUNT(sizes); i++)
        if (sizes[i] < 1 || sizes[i] > INT32_MAX / 16) return false;
    const int64_t limit = INT32_MAX / 16; /* sums of ten such stay in 32 bits */
    if (w->in_h > limit / w->in_w || w->out_h > limit / w->out_w) return false;
    const int64_t plane = w->in_h * w->in_w;
    return w->in_d <= limit / plane && w->out_d <= limit / (w->out_h * w->out_w) &&
           w->kernel_d * w->dilation_d <= limit / plane && w->kernel_h * w->dilation_h < limit / w->in_w &&
           w->kernel_w * w->dilation_w < limit && w->out_d * w->stride_d <= limit / plane &&
           w->out_h * w->stride_h < limit / w->in_w && w->out_w * w->stride_w < limit &&
           vkb_max(w->pad_front, -w->pad_front) < limit / plane &&
           vkb_max(w->pad_top, -w->pad_top) < limit / w->in_w && vkb_max(w->pad_left, -w->pad_left) < limit;
}

bool cpu_conv_direct(const op_window *w)
{
    return op_window_taps(w) == 1 && w->stride_d == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           !w->pad_front && !w->pad_top && !w->pad_left && w->out_d == w->in_d && w->out_h == w->in_h &&
           w->out_w == w->in_w;
}

int64_t cpu_conv_rows_kept(int64_t plane)
{
    int64_t lines = 64 * 8;
    for (int64_t step = plane; step % 32 == 0 && lines > 8; step /= 2) lines /= 2;
    return lines;
}

void cpu_conv_plan(cpu_conv *c, const op_window *w, int threads)
{
    c->w = *w;
    c->direct = cpu_conv_direct(w);
    if (c->direct) {
        c->w.in_w = c->w.out_w = w->in_w * w->in_h * w->in_d;
        c->w.in_d = c->w.out_d = c->w.in_h = c->w.out_h = 1;
    }
    int64_t m = w->out_c / w->group, n = w->out_d * w->out_h * w->out_w;
    int64_t k = w->in_c / w->group * op_window_taps(w);
    cpu_gemm_plan(&c->gemm, m, n, k, w->batch * w->group, threads, false, true);
}

static void conv_job(const void *user, int64_t index, cpu_gemm_job *job)
{
    const cpu_conv_args *a = user;
    const op_window *w = &a->conv->w;
    int64_t group = index % w->group, m = a->conv->gemm.m, pixels = a->conv->gemm.n;
    job->a = a->weights + group * m * a->conv->gemm.k;
    job->c = a->y + index * m * pixels;
    if (a->residual) job->residual = a->residual + index * m * pixels;
    if (a->bias) job->bias_row = a->bias + group * m;
    if (a->conv->direct && m <= DIRECT_ROWS) job->b_rows = a->x + index * (w->in_c / w->group) * pixels;
}

typedef struct columns { /* the input position of each column's first tap; 32 bits suffice: cpu_conv_fits */
    int32_t z[CPU_NR], y[CPU_NR], x[CPU_NR], offset[CPU_NR];
} columns;

static void locate(columns *at, const op_window *w, int64_t col, int cols)
{
    int64_t line = col / w->out_w, ox = col % w->out_w, oy = line % w->out_h, oz = line / w->out_h;
    for (int j = 0; j < CPU_NR; j++) {
        at->z[j] = (int32_t)(oz * w->stride_d - w->pad_front);
        if (j < cols) {
            at->y[j] = (int32_t)(oy * w->stride_h - w->pad_top);
            at->x[j] = (int32_t)(ox * w->stride_w - w->pad_left);
        } else {
            at->y[j] = at->x[j] = INT32_MIN / 2; /* outside the input with any tap */
        }
        at->offset[j] = j < cols ? (at->z[j] * (int32_t)w->in_h + at->y[j]) * (int32_t)w->in_w + at->x[j] : 0;
        if (++ox == w->out_w) {
            ox = 0;
            if (++oy == w->out_h) {
                oy = 0;
                oz++;
            }
        }
    }
}

static void lanes_of(cpu_lanes *lanes, const columns *at, int first, const op_window *w, int64_t tap)
{
    const int64_t line = tap / w->kernel_w;
    const int32_t dz = (int32_t)(line / w->kernel_h * w->dilation_d);
    const int32_t dy = (int32_t)(line % w->kernel_h * w->dilation_h);
    const int32_t dx = (int32_t)(tap % w->kernel_w * w->dilation_w);
    const int32_t in_d = (int32_t)w->in_d, in_h = (int32_t)w->in_h, in_w = (int32_t)w->in_w;
    const int32_t shift = (dz * in_h + dy) * in_w + dx;
    for (int j = 0; j < 8; j++) {
        const int32_t z = at->z[first + j] + dz, y = at->y[first + j] + dy, x = at->x[first + j] + dx;
        const int32_t inside = -((z >= 0) & (z < in_d) & (y >= 0) & (y < in_h) & (x >= 0) & (x < in_w));
        lanes->mask[j] = inside;
        lanes->offset[j] = (at->offset[first + j] + shift) & inside;
    }
}

void cpu_conv_columns(float *dst, int64_t step, const float *x, const op_window *w, int64_t k0, int64_t kc,
                      int64_t col, int cols, int width)
{
    const int64_t channels = w->in_c / w->group, plane = w->in_d * w->in_h * w->in_w;
    columns at;
    locate(&at, w, col, cols);
    for (int64_t k = 0; k < kc;) {
        int64_t tap = (k0 + k) / channels, channel = (k0 + k) % channels;
        int64_t count = vkb_min(channels - channel, kc - k);
        for (int first = 0; first < width; first += 8) {
            cpu_lanes lanes;
            lanes_of(&lanes, &at, first, w, tap);
            cpu_micro_get()->gather(dst + k * step + first, step, x + channel * plane, plane, count, &lanes);
        }
        k += count;
    }
}

static void pack_im2col(const void *user, int64_t job, float *dst, int64_t k0, int64_t kc, int64_t col,
                        int cols, int width)
{
    const cpu_conv_args *a = user;
    const op_window *w = &a->conv->w;
    const int64_t image = w->in_c / w->group * w->in_d * w->in_h * w->in_w;
    cpu_conv_columns(dst, width, a->x + job * image, w, k0, kc, col, cols, width);
}

void cpu_conv_run(const cpu_conv_args *a, void *scratch, vkb_pool *pool)
{
    const cpu_gemm_source source = {
        .user = a, .epilogue = a->epilogue, .form = a->form, .job = conv_job, .pack_b = pack_im2col};
    cpu_gemm_run(&a->conv->gemm, &source, scratch, pool);
}

void cpu_conv_pack(float *dst, const float *src, const op_window *w)
{
    const int64_t m = w->out_c / w->group, channels = w->in_c / w->group, taps = op_window_taps(w);
    const int mr = cpu_micro_get()->mr;
    for (int64_t group = 0; group < w->group; group++)
        for (int64_t p = 0; p < cpu_panels(m, mr); p++) {
            const int64_t row = cpu_panel_row(m, mr, p), end = cpu_panel_row(m, mr, p + 1);
            for (int64_t tap = 0; tap < taps; tap++, dst += channels * (end - row))
                cpu_pack_a_panel(dst, src + (group * m + row) * channels * taps + tap, channels * taps, taps,
                                 channels, (int)(end - row));
        }
}

/* ---- the kernel of Conv ---- */

bool cpu_conv2d_gemm_fits(const gr_graph *g, const gr_node *n)
{
    op_window w;
    return cpu_all_f32(g, n) && op_window_of(g, n, &w) && cpu_conv_fits(&w);
}

uint64_t cpu_prepare_weights(cpu_prep *p, uint64_t bytes,
                             void (*pack)(void *dst, const gr_graph *g, const gr_node *n, const void *state),
                             uint64_t key)
{
    if (!gr_is_const(p->g, p->n->in[1])) return vkb_round_up(bytes, 64);
    p->weight_bytes = bytes;
    p->pack = pack;
    p->spent[0] = &p->g->tensors[p->n->in[1]];
    p->pack_key = key;
    return 0;
}

typedef struct gemm_state {
    cpu_conv conv;
    uint64_t
        packed_bytes; /* of weights that are packed at each run: they are no constant. Before the scratch */
} gemm_state;

static void pack(void *dst, const gr_graph *g, const gr_node *n, const void *state)
{
    cpu_conv_pack(dst, g->tensors[n->in[1]].data, &((const gemm_state *)state)->conv.w);
}

vki_status cpu_conv2d_gemm_prepare(cpu_prep *p, vki_error *err)
{
    gemm_state *s = vkb_arena_alloc(p->arena, sizeof *s);
    op_window w;
    if (!s) return vkb_nomem(err, sizeof *s);
    if (!op_window_of(p->g, p->n, &w)) return vkb_fail(err, VKI_E_INTERNAL, "a window lost its shape");
    cpu_conv_plan(&s->conv, &w, p->threads);
    p->state = s;
    s->packed_bytes = cpu_prepare_weights(
        p, cpu_conv_weight_floats(&w) * sizeof(float), pack,
        cpu_pack_key("conv2d", (int64_t[]){w.out_c, w.in_c, w.group, op_window_taps(&w)}, 4));
    p->scratch_bytes = s->packed_bytes + cpu_gemm_scratch(&s->conv.gemm, p->threads);
    return VKI_OK;
}

void cpu_conv2d_gemm_run(const cpu_call *c)
{
    const gemm_state *s = c->state;
    const cpu_conv_args args = {.conv = &s->conv,
                                .x = c->in[0],
                                .weights = s->packed_bytes ? c->scratch : c->weights,
                                .bias = cpu_own_input(c, 2),
                                .residual = cpu_residual(c),
                                .y = c->out[0],
                                .epilogue = &c->n->epilogue};
    if (s->packed_bytes) cpu_conv_pack(c->scratch, c->in[1], &s->conv.w);
    cpu_conv_run(&args, (char *)c->scratch + s->packed_bytes, c->pool);
}
