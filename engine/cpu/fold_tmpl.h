/* SPDX-License-Identifier: Apache-2.0
 * Rows of a transposed convolution from what each pixel adds through each tap. By a stride of two, even and
 * odd outputs are sums of neighbours each: eight of both at a time, in registers, are joined at the end. */

/* The first n < 16 of them. Apart: inlined, -O3 makes a version of all around it for every n. */
__attribute__((noinline)) static void store_pairs(float *y, const v8 x[2], int n)
{
    if (n < 8) {
        v8_store_n(y, x[0], n);
        return;
    }
    v8_store(y, x[0]);
    if (n > 8) v8_store_n(y + 8, x[1], n - 8);
}

static void join_pairs(float *y, const float *even, const float *odd, int64_t n)
{
    v8 x[2];
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        v8_zip(x, v8_load(even + i), v8_load(odd + i));
        v8_store(y + 2 * i, x[0]);
        v8_store(y + 2 * i + 8, x[1]);
    }
    if (i == n) return;
    v8_zip(x, v8_load_n(even + i, (int)(n - i)), v8_load_n(odd + i, (int)(n - i)));
    store_pairs(y + 2 * i, x, 2 * (int)(n - i));
}

#if V8_TILE_VECS == 1 /* plain C: any stride and dilation */
/* y[i stride + at] += part[i] for all i that fall within the row */
static void fold_part(float *y, int64_t out_w, const float *part, int64_t in_w, int64_t stride, int64_t at)
{
    const int64_t first = at < 0 ? vkb_ceil_div(-at, stride) : 0;
    const int64_t end = at < out_w ? vkb_min(in_w, vkb_ceil_div(out_w - at, stride)) : 0;
    for (int64_t i = first; i < end; i++) y[i * stride + at] += part[i];
}

static void fold_row(const cpu_fold *t, float *y, int64_t row)
{
    for (int64_t i = 0; i < t->out_w; i++) y[i] = t->bias;
    for (int64_t ky = 0; ky < t->kernel_h; ky++) {
        const int64_t from = row + t->pad_top - ky * t->dilation_h, at = from / t->stride_h;
        if (from < 0 || from % t->stride_h || at >= t->in_h) continue;
        for (int64_t kx = 0; kx < t->kernel_w; kx++)
            fold_part(y, t->out_w, t->parts + ((ky * t->kernel_w + kx) * t->in_h + at) * t->in_w, t->in_w,
                      t->stride_w, kx * t->dilation_w - t->pad_left);
    }
}

static void fold(const cpu_fold *t)
{
    for (int64_t r = 0; r < t->rows; r++) fold_row(t, t->y + r * t->out_w, t->row + r);
}

#else
enum { FOLD_TAPS = 4 };

/* Outputs 2 j .. 2 j + 15 of each row. */
static void fold_pairs(const cpu_fold *t, int64_t j)
{
    const int64_t pad = t->pad_left, n = t->out_w - 2 * j, out_w = t->out_w, rows = t->rows;
    const int64_t stride = t->stride_h, in_h = t->in_h, in_w = t->in_w, kernel_h = t->kernel_h;
    const int64_t plane = in_h * in_w, row_of_taps = t->kernel_w * plane;
    int64_t at[FOLD_TAPS]; /* of the first of eight parts, from the start of their row of the first tap */
    v8_window w[FOLD_TAPS];
    for (int s = 0; s < FOLD_TAPS; s++) { /* even ones reach even outputs, odd ones odd outputs */
        const int64_t kx = s ^ (pad & 1), i = kx < t->kernel_w ? j + (s % 2 + pad - kx) / 2 : in_w;
        w[s] = v8_window_of(i, in_w); /* of a tap that there is not: nothing */
        at[s] = kx < t->kernel_w ? i + kx * plane : i;
    }
    int64_t first = (t->row + t->pad_top) % stride, top = (t->row + t->pad_top) / stride;
    float *y = t->y + 2 * j;
    for (int64_t r = 0; r < rows; r++, y += out_w) {
        v8 sums[2], x[2];
        sums[0] = sums[1] = v8_set1(t->bias);
        for (int64_t ky = first, from = top; ky < kernel_h; ky += stride, from--) {
            if (from < 0 || from >= in_h) continue;
            const float *line = t->parts + ky * row_of_taps + from * in_w;
            CPU_UNROLL
            for (int s = 0; s < FOLD_TAPS; s++)
                sums[s % 2] = v8_add(sums[s % 2], v8_load_window(line + at[s], w[s]));
        }
        if (++first == stride) { /* input row `top` reaches the next one through row `first` of taps */
            first = 0;
            top++;
        }
        v8_zip(x, sums[0], sums[1]);
        if (n >= 16) {
            v8_store(y, x[0]);
            v8_store(y + 8, x[1]);
        } else {
            store_pairs(y, x, (int)n);
        }
    }
}

static void fold(const cpu_fold *t)
{
    if (t->stride_w != 2 || t->dilation_w > 1 || t->dilation_h > 1 || t->kernel_w > FOLD_TAPS)
        cpu_micro_c.fold(t);
    else
        for (int64_t j = 0; 2 * j < t->out_w; j += 8) fold_pairs(t, j);
}
#endif
