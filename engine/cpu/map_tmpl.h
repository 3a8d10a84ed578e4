/* SPDX-License-Identifier: Apache-2.0
 * Elementwise micro-kernels over v8; the rest of a row that fills no vector takes the same arithmetic on a
 * partial one, so that an element's value does not depend on where it stands. */

V8_INLINE v8 hardswish(v8 x)
{
    return v8_mul(x, v8_clamp(v8_fma(x, v8_set1(1.0f / 6), v8_set1(0.5f)), v8_set1(0), v8_set1(1)));
}

V8_INLINE v8 fake_quantize(v8 x, v8 scale, v8 levels) /* NaN becomes the lowest level */
{
    const v8 low = v8_floor(v8_mul(levels, v8_set1(1.0f / OP_LEVELS)));
    const v8 high = v8_fma(low, v8_set1(1 - OP_LEVELS), levels);
    const v8 q = v8_div(x, scale), k = v8_round(v8_min(v8_select_lt(low, q, q, low), high));
    return v8_mul(v8_add(k, v8_set1(0)), scale); /* no negative zero: integers have none */
}

V8_INLINE v8 activate(v8 x, gr_act act, v8 alpha, v8 beta)
{
    const v8 zero = v8_set1(0), one = v8_set1(1);
    switch (act) {
    case GR_ACT_RELU:
        return v8_max(zero, x);
    case GR_ACT_LEAKY:
        return v8_select_lt(x, zero, v8_mul(alpha, x), x);
    case GR_ACT_CLIP:
        return v8_clamp(x, alpha, beta);
    case GR_ACT_SIGMOID:
        return v8_sigmoid(x);
    case GR_ACT_TANH:
        return v8_tanh(x);
    case GR_ACT_HARDSIGMOID:
        return v8_clamp(v8_fma(alpha, x, beta), zero, one);
    case GR_ACT_HARDSWISH:
        return hardswish(x);
    case GR_ACT_SILU:
        return v8_silu(x);
    case GR_ACT_HARDSWISH_AFFINE:
        return v8_fma(alpha, hardswish(x), beta);
    case GR_ACT_FAKE_QUANTIZE:
        return fake_quantize(x, alpha, beta);
    case GR_ACT_NONE:
    case GR_ACT_COUNT:
        break;
    }
    return x;
}

V8_INLINE void epilogue_loop(float *y, const float *x, const float *residual, int64_t n, const gr_epilogue *e,
                             gr_act act)
{
    const v8 alpha = v8_set1(e->alpha), beta = v8_set1(e->beta);
    const bool before = e->residual == GR_RESIDUAL_BEFORE, after = e->residual == GR_RESIDUAL_AFTER;
    const bool exponential = act == GR_ACT_SIGMOID || act == GR_ACT_TANH || act == GR_ACT_SILU;
    const bool pairs = !before && !after && exponential;
    int64_t i = 0;
    for (; pairs && i + 16 <= n; i += 16) { /* see v8_exp_neg_plus_each */
        v8 v[2] = {v8_load(x + i), v8_load(x + i + 8)};
        if (act == GR_ACT_SIGMOID)
            v8_sigmoids(v, 2);
        else if (act == GR_ACT_TANH)
            v8_tanhs(v, 2);
        else
            v8_silus(v, 2);
        v8_store(y + i, v[0]);
        v8_store(y + i + 8, v[1]);
    }
    for (; i + 8 <= n; i += 8) {
        v8 v = v8_load(x + i);
        if (before) v = v8_add(v, v8_load(residual + i));
        v = activate(v, act, alpha, beta);
        if (after) v = v8_add(v, v8_load(residual + i));
        v8_store(y + i, v);
    }
    if (i == n) return;
    const int rest = (int)(n - i);
    v8 v = v8_load_n(x + i, rest);
    if (before) v = v8_add(v, v8_load_n(residual + i, rest));
    v = activate(v, act, alpha, beta);
    if (after) v = v8_add(v, v8_load_n(residual + i, rest));
    v8_store_n(y + i, v, rest);
}

static void epilogue(float *y, const float *x, const float *residual, int64_t n, const gr_epilogue *e)
{
#define CASE(ACT)                                                                                            \
    case ACT:                                                                                                \
        epilogue_loop(y, x, residual, n, e, ACT);                                                            \
        break
    switch (e->act) {
        CASE(GR_ACT_RELU);
        CASE(GR_ACT_LEAKY);
        CASE(GR_ACT_CLIP);
        CASE(GR_ACT_SIGMOID);
        CASE(GR_ACT_TANH);
        CASE(GR_ACT_HARDSIGMOID);
        CASE(GR_ACT_HARDSWISH);
        CASE(GR_ACT_SILU);
        CASE(GR_ACT_HARDSWISH_AFFINE);
        CASE(GR_ACT_FAKE_QUANTIZE);
        CASE(GR_ACT_NONE);
    case GR_ACT_COUNT:
        break;
    }
#undef CASE
}

V8_INLINE v8 unary_one(v8 x, cpu_unary_op op, v8 alpha)
{
    switch (op) {
    case CPU_EXP:
        return v8_exp(x);
    case CPU_ELU:
        return v8_select_lt(x, v8_set1(0), v8_mul(alpha, v8_exp_neg_plus(v8_neg(x), -1)), x);
    case CPU_ERF:
        return v8_erf(x);
    case CPU_SQRT:
        return v8_sqrt(x);
    case CPU_RECIPROCAL:
        return v8_div(v8_set1(1), x);
    case CPU_ABS:
        return v8_abs(x);
    case CPU_NEG:
        return v8_neg(x);
    case CPU_FLOOR:
        return v8_floor(x);
    case CPU_CEIL:
        return v8_ceil(x);
    case CPU_ROUND:
        return v8_round(x);
    case CPU_UNARY_COUNT:
        break;
    }
    return x;
}

V8_INLINE void unary_loop(float *y, const float *x, int64_t n, cpu_unary_op op, float alpha)
{
    const v8 a = v8_set1(alpha);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) v8_store(y + i, unary_one(v8_load(x + i), op, a));
    if (i < n) v8_store_n(y + i, unary_one(v8_load_n(x + i, (int)(n - i)), op, a), (int)(n - i));
}

static void unary(float *y, const float *x, int64_t n, cpu_unary_op op, float alpha)
{
#define CASE(OP)                                                                                             \
    case OP:                                                                                                 \
        unary_loop(y, x, n, OP, alpha);                                                                      \
        break
    switch (op) {
        CASE(CPU_EXP);
        CASE(CPU_ELU);
        CASE(CPU_ERF);
        CASE(CPU_SQRT);
        CASE(CPU_RECIPROCAL);
        CASE(CPU_ABS);
        CASE(CPU_NEG);
        CASE(CPU_FLOOR);
        CASE(CPU_CEIL);
        CASE(CPU_ROUND);
    case CPU_UNARY_COUNT:
        break;
    }
#undef CASE
}

V8_INLINE v8 binary_one(v8 a, v8 b, cpu_binary_op op)
{
    switch (op) {
    case CPU_ADD:
        return v8_add(a, b);
    case CPU_SUB:
        return v8_sub(a, b);
    case CPU_MUL:
        return v8_mul(a, b);
    case CPU_DIV:
        return v8_div(a, b);
    case CPU_MAX:
        return v8_if_nan(a, v8_max(a, b));
    case CPU_MIN:
        return v8_if_nan(a, v8_min(a, b));
    case CPU_PRELU:
        return v8_select_lt(a, v8_set1(0), v8_mul(a, b), a);
    case CPU_BINARY_COUNT:
        break;
    }
    return a;
}

V8_INLINE v8 operand(const float *p, int step, int64_t i, v8 one)
{
    return step ? v8_load(p + i) : one;
}

V8_INLINE void binary_loop(float *y, const float *a, int a_step, const float *b, int b_step, int64_t n,
                           cpu_binary_op op)
{
    const v8 a1 = v8_set1(a[0]), b1 = v8_set1(b[0]);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        v8_store(y + i, binary_one(operand(a, a_step, i, a1), operand(b, b_step, i, b1), op));
    if (i == n) return;
    const int rest = (int)(n - i);
    v8 va = a_step ? v8_load_n(a + i, rest) : a1, vb = b_step ? v8_load_n(b + i, rest) : b1;
    v8_store_n(y + i, binary_one(va, vb, op), rest);
}

static void binary(float *y, const float *a, int a_step, const float *b, int b_step, int64_t n,
                   cpu_binary_op op)
{
    if (n <= 0) return;
#define CASE(OP)                                                                                             \
    case OP:                                                                                                 \
        if (a_step && b_step)                                                                                \
            binary_loop(y, a, 1, b, 1, n, OP);                                                               \
        else if (a_step)                                                                                     \
            binary_loop(y, a, 1, b, 0, n, OP);                                                               \
        else                                                                                                 \
            binary_loop(y, a, 0, b, 1, n, OP);                                                               \
        break
    switch (op) {
        CASE(CPU_ADD);
        CASE(CPU_SUB);
        CASE(CPU_MUL);
        CASE(CPU_DIV);
        CASE(CPU_MAX);
        CASE(CPU_MIN);
        CASE(CPU_PRELU);
    case CPU_BINARY_COUNT:
        break;
    }
#undef CASE
}

static void scale_shift(float *y, const float *x, int64_t n, float scale, float shift)
{
    const v8 s = v8_set1(scale), h = v8_set1(shift);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) v8_store(y + i, v8_fma(v8_load(x + i), s, h));
    if (i < n) v8_store_n(y + i, v8_fma(v8_load_n(x + i, (int)(n - i)), s, h), (int)(n - i));
}

/* Vectors of a row may reach into the next, which is written later. */
static void scale_rows(float *y, const float *x, const float *scale, int64_t rows, int64_t cols)
{
    const int64_t all = rows * cols;
    for (int64_t r = 0, at = 0; r < rows; r++) {
        const v8 s = v8_set1(scale[r]);
        const int64_t end = at + cols;
        for (; at < end && at + 8 <= all; at += 8) v8_store(y + at, v8_mul(v8_load(x + at), s));
        for (; at < end; at++) y[at] = x[at] * scale[r];
        at = end;
    }
}

static void normalize(float *y, const float *x, int64_t n, float scale, float shift, const float *gamma,
                      const float *beta)
{
    const v8 s = v8_set1(scale), h = v8_set1(shift), zero = v8_set1(0);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        v8 v = v8_fma(v8_load(x + i), s, h);
        v8_store(y + i, v8_fma(v, v8_load(gamma + i), beta ? v8_load(beta + i) : zero));
    }
    if (i == n) return;
    const int rest = (int)(n - i);
    v8 v = v8_fma(v8_load_n(x + i, rest), s, h);
    v8_store_n(y + i, v8_fma(v, v8_load_n(gamma + i, rest), beta ? v8_load_n(beta + i, rest) : zero), rest);
}
