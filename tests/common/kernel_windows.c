/* SPDX-License-Identifier: Apache-2.0
 * Pools and transposed convolutions: the C table against their definition, the others against the C table. */
#include "common/kernel_checks.h"

void folds(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        cpu_fold f = {.in_h = pick(1, 6),
                      .in_w = pick(1, 20),
                      .row = pick(0, 3),
                      .rows = pick(1, 9),
                      .kernel_h = pick(1, 4),
                      .kernel_w = pick(1, 9),
                      .stride_h = pick(1, 3),
                      .stride_w = pick(0, 3) ? 2 : pick(1, 3),
                      .dilation_h = pick(1, 2),
                      .dilation_w = pick(0, 3) ? 1 : 2,
                      .pad_top = pick(0, 3),
                      .pad_left = pick(0, 5),
                      .bias = 0.25f};
        f.out_w = pick(1, 45); /* whether or not the input reaches that far */
        const int64_t plane = f.in_h * f.in_w, taps = f.kernel_h * f.kernel_w;
        float *parts = input(taps * plane, -1, 1), *want = input(f.rows * f.out_w, 0, 0);
        outputs o = outputs_make(f.rows * f.out_w);
        f.parts = parts;
        f.y = o.c;
        c_table->fold(&f);
        f.y = o.v;
        m->fold(&f);
        for (int64_t i = 0; i < taps * plane; i++) {
            const int64_t tap = i / plane, y = i % plane / f.in_w, x = i % f.in_w;
            const int64_t row = y * f.stride_h + tap / f.kernel_w * f.dilation_h - f.pad_top - f.row;
            const int64_t col = x * f.stride_w + tap % f.kernel_w * f.dilation_w - f.pad_left;
            if (row >= 0 && row < f.rows && col >= 0 && col < f.out_w) want[row * f.out_w + col] += parts[i];
        }
        for (int64_t i = 0; i < f.rows * f.out_w; i++) assert_true(fabsf(want[i] + f.bias - o.c[i]) < 1e-5f);
        outputs_check(&o, 1e-5, "fold");
        vkb_free(heap, parts);
        vkb_free(heap, want);
    }
}

/* Two rows of blocks that follow each other in the panels of the last of some channels. */
static void karatsuba_sums(const cpu_micro *m)
{
    const int64_t n = pick(1, 40), blocks = (n + 1) / 2, columns = 2 * blocks, k = pick(1, 3);
    const int64_t rest = columns % CPU_NR;
    float *x = input(3 * n, -1, 1);
    cpu_karatsuba_in t = {.v_step = (int64_t)cpu_packed_b_floats(columns, k) + pick(0, 5),
                          .panel_step = CPU_NR * k,
                          .whole = columns - (rest <= 8 ? rest : 0),
                          .n = n};
    outputs o = outputs_make(9 * t.v_step);
    for (int table = 0; table < 2; table++) {
        float *v = table ? o.v : o.c;
        t.v = v + (k - 1) * CPU_NR;
        t.narrow = v + t.whole * k + (k - 1) * cpu_panel_width(rest);
        for (int row = 0; row < 2; row++) {
            t.at = row * blocks;
            t.top = x + row * n;
            t.bottom = row ? NULL : x + 2 * n;
            (table ? m : c_table)->karatsuba_in(&t);
        }
    }
    outputs_check(&o, 1e-6, "karatsuba in");
    vkb_free(heap, x);
}

static void karatsuba_outputs(const cpu_micro *m)
{
    const int64_t n = pick(1, 30), down = pick(0, 1), along = pick(0, 1), kind = pick(0, 2);
    float *own = input(36 * n, -1, 1), *above = input(36 * n, -1, 1);
    int64_t product[4][9];
    for (int i = 0; i < 36; i++) {
        const bool middle = (i / 3 % 3 == 1 && i / 18 < down) || (i % 3 == 1 && i / 9 % 2 < along);
        product[i / 9][i % 9] = middle ? -1 : i * n;
    }
    cpu_karatsuba t = {.own = kind == 1 ? NULL : own, .above = kind == 2 ? NULL : above, .n = n};
    t.product = product;
    t.bias = 0.25f;
    t.y_row = 4 * (n / 8 + 1) * 8;
    outputs o = outputs_make(4 * t.y_row);
    t.y = o.c;
    c_table->karatsuba_out(&t);
    t.y = o.v;
    m->karatsuba_out(&t);
    for (int r = 0; r < 4; r++) /* behind the rows anything may lie */
        for (int64_t i = 4 * (n + 1); i < t.y_row; i++) o.c[r * t.y_row + i] = o.v[r * t.y_row + i];
    outputs_check(&o, 1e-5, "karatsuba out");
    vkb_free(heap, own);
    vkb_free(heap, above);
}

static void karatsuba_conv_values(const cpu_micro *m)
{
    const int64_t x_step = pick(5, 60), n = 4 * x_step + 5 + pick(0, 100);
    float *x = input(n, -1, 1);
    outputs o = outputs_make(24 * 9 + 8);
    int64_t place[25];
    int32_t offset[8];
    for (int i = 0; i < 25; i++) place[i] = 9 * (i * 7 % 25);
    for (int i = 0; i < 8; i++) offset[i] = (int32_t)pick(0, n - 4 * x_step - 5);
    c_table->karatsuba_conv_in(o.c, place, x, x_step, offset);
    m->karatsuba_conv_in(o.v, place, x, x_step, offset);
    outputs_check(&o, 1e-6, "karatsuba conv in");
    vkb_free(heap, x);
}

static void karatsuba_conv_outputs(const cpu_micro *m)
{
    const int64_t n = 8 * pick(1, 5), m_step = n + pick(0, 9), y_step = 2 * n + pick(0, 9);
    float *x = input(8 * m_step + n, -1, 1);
    outputs o = outputs_make(y_step + 2 * n);
    c_table->karatsuba_conv_out(o.c, y_step, x, m_step, n, 0.25f);
    m->karatsuba_conv_out(o.v, y_step, x, m_step, n, 0.25f);
    outputs_check(&o, 1e-5, "karatsuba conv out");
    vkb_free(heap, x);
}

void karatsuba(const cpu_micro *m)
{
    for (int round = 0; round < ROUNDS; round++) {
        karatsuba_conv_values(m);
        karatsuba_conv_outputs(m);
        karatsuba_sums(m);
        karatsuba_outputs(m);
    }
}

static cpu_pool random_pool(void)
{
    cpu_pool p = {.planes = pick(1, 3),
                  .in_h = pick(1, 20),
                  .in_w = pick(1, 45),
                  .out_w = pick(1, 40), /* whether or not the windows reach that far */
                  .row = pick(0, 3),
                  .rows = pick(1, 9),
                  .stride = (int)pick(1, 2),
                  .max = pick(0, 1),
                  .floor = pick(0, 1) ? -INFINITY : 0};
    p.size = p.stride == 1 ? 3 : 2;
    if (p.max && pick(0, 1)) p.size = p.stride == 1 ? 5 : 3;
    p.pad_top = pick(0, p.size - 1);
    p.pad_left = pick(0, p.size - 1);
    p.x_row = p.in_w + pick(0, 3);
    p.x_plane = p.in_h * p.x_row;
    p.y_plane = p.rows * p.out_w + pick(0, 9);
    return p;
}

/* By definition; the sum's order is another one. */
static float pooled(const cpu_pool *p, const float *x, int64_t row, int64_t col)
{
    float r = p->max ? p->floor : 0;
    for (int64_t i = 0; i < p->size * p->size; i++) {
        const int64_t y = row * p->stride - p->pad_top + i / p->size;
        const int64_t at = col * p->stride - p->pad_left + i % p->size;
        if (y < 0 || y >= p->in_h || at < 0 || at >= p->in_w) continue;
        const float v = x[y * p->x_row + at];
        r = p->max ? fmaxf(r, v) : r + v;
    }
    return r;
}

void pools(const cpu_micro *m)
{
    for (int round = 0; round < 2 * ROUNDS; round++) {
        cpu_pool p = random_pool();
        const int64_t n = p.planes * p.x_plane, out = p.rows * p.out_w;
        float *x = input(n, -1, 1);
        for (int64_t i = 0; p.max && i < n / 9; i++) x[pick(0, n - 1)] = pick(0, 1) ? NAN : -INFINITY;
        outputs o = outputs_make((p.planes - 1) * p.y_plane + out);
        p.x = x;
        p.y = o.c;
        c_table->pool(&p);
        p.y = o.v;
        m->pool(&p);
        for (int64_t i = 0; i < p.planes * out; i++) {
            const float got = o.c[i / out * p.y_plane + i % out];
            const float want =
                pooled(&p, x + i / out * p.x_plane, p.row + i % out / p.out_w, i % out % p.out_w);
            assert_true(p.max ? got == want : fabsf(got - want) < 1e-5f);
        }
        outputs_check(&o, p.max ? 0 : 1e-5, "pool");
        vkb_free(heap, x);
    }
}
