/* SPDX-License-Identifier: Apache-2.0
 * Transcendental functions over v8. Coefficients: least squares fits, reweighted towards the smallest
 * largest error (Lawson), of each function on the interval named, made with double arithmetic. Largest
 * errors measured over all floats of the range are in tests/cpu_kernels_test.c. */

/* exp(x) = 2^n exp(r), r = x - n ln 2 in [-0.347, 0.347]: *n and exp(r) - 1 = r + r^2 Q(r), for |x| < 120. */
V8_INLINE v8 v8_exp_parts(v8 x, v8 *n)
{
    *n = v8_round_small(v8_mul(x, v8_set1(1.44269504f)));
    v8 r = v8_fma(*n, v8_set1(-0.693359375f), x); /* ln 2 in two parts; n times the first is exact */
    r = v8_fma(*n, v8_set1(2.12194440e-4f), r);
    v8 q = v8_set1(1.9790304e-4f);
    q = v8_fma(q, r, v8_set1(1.3944705e-3f));
    q = v8_fma(q, r, v8_set1(8.3334977e-3f));
    q = v8_fma(q, r, v8_set1(4.1666295e-2f));
    q = v8_fma(q, r, v8_set1(0.16666666f));
    q = v8_fma(q, r, v8_set1(0.5f));
    return v8_fma(v8_mul(r, r), q, r);
}

/* Relative error below 1.5e-7; overflows to infinity, underflows to 0, NaN stays NaN. */
V8_INLINE v8 v8_exp(v8 x)
{
    v8 n, y = v8_exp_parts(v8_clamp(x, v8_set1(-105.0f), v8_set1(89.0f)), &n);
    v8 half = v8_round_small(v8_mul(n, v8_set1(0.5f))); /* 2^n in two steps: n leaves the range of floats */
    return v8_mul(v8_mul(v8_add(y, v8_set1(1)), v8_pow2(half)), v8_pow2(v8_sub(n, half)));
}

/* y = exp(-x) + c of n vectors for |x| <= 87, held there; n and c are constants. c = -1 loses nothing by
 * subtracting; with c = 1 a polynomial does whose largest error is 1e-7. The vectors go step by step
 * together: each waits for its last step longer than the steps of one keep the units busy. 2^n needs no
 * second step, and its exponent is made by adding a number so large that the sum's last bits count whole
 * ones; ln 2 is a float but for 2e-9, which serves where products are not rounded. With t = -r, exp(r) - 1 =
 * t (t P(t) - 1), to which 2^n + c is added last. */
V8_INLINE void v8_exp_neg_plus_each(v8 *y, const v8 *x, int n, float c)
{
    static const float q[] = {1.38144669e-3f, -8.36878081e-3f, 4.16683942e-2f, -0.166665201f, 0.499999934f},
                       shorter[] = {0, -8.31250129e-3f, 0.0418903317f, -0.166671154f, 0.499992303f};
    const v8 large = v8_set1(0x1.8p23f + 127);
    v8 sum[2], scale[2], t[2], p[2];
#define EACH                                                                                                 \
    CPU_UNROLL                                                                                               \
    for (int i = 0; i < n; i++)
    EACH t[i] = v8_clamp(x[i], v8_set1(-87), v8_set1(87));
    EACH sum[i] = v8_fma(t[i], v8_set1(-1.44269504f), large);
    EACH p[i] = v8_sub(sum[i], large);
    EACH t[i] = v8_fma(p[i], v8_set1(V8_FMA_ONCE ? 0.693147182f : 0.693359375f), t[i]);
    if (!V8_FMA_ONCE) EACH t[i] = v8_fma(p[i], v8_set1(-2.12194440e-4f), t[i]);
    EACH scale[i] = v8_pow2_of_sum(sum[i]);
    EACH p[i] = v8_set1(c == 1 ? shorter[1] : q[0]);
    CPU_UNROLL
    for (int k = c == 1 ? 2 : 1; k < 5; k++)
        EACH p[i] = v8_fma(p[i], t[i], v8_set1(c == 1 ? shorter[k] : q[k]));
    EACH p[i] = v8_mul(t[i], v8_fma(p[i], t[i], v8_set1(-1)));
    EACH y[i] = v8_fma(p[i], scale[i], v8_add(scale[i], v8_set1(c)));
#undef EACH
}

V8_INLINE v8 v8_exp_neg_plus(v8 x, float c)
{
    v8 y;
    v8_exp_neg_plus_each(&y, &x, 1, c);
    return y;
}

V8_INLINE void v8_sigmoids(v8 *x, int n) /* of n <= 2 vectors in place */
{
    v8 d[2];
    v8_exp_neg_plus_each(d, x, n, 1);
    CPU_UNROLL
    for (int i = 0; i < n; i++) x[i] = v8_div(v8_set1(1), d[i]);
}

V8_INLINE v8 v8_sigmoid(v8 x)
{
    v8_sigmoids(&x, 1);
    return x;
}

V8_INLINE void v8_silus(v8 *x, int n) /* of n <= 2 vectors in place */
{
    v8 d[2];
    v8_exp_neg_plus_each(d, x, n, 1);
    CPU_UNROLL
    for (int i = 0; i < n; i++) x[i] = v8_div(v8_max(v8_set1(-87), x[i]), d[i]);
}

V8_INLINE v8 v8_silu(v8 x)
{
    v8_silus(&x, 1);
    return x;
}

/* -e / (e + 2) with e = exp(-2 x) - 1, of n <= 2 vectors in place */
V8_INLINE void v8_tanhs(v8 *x, int n)
{
    v8 e[2];
    CPU_UNROLL
    for (int i = 0; i < n; i++) x[i] = v8_add(x[i], x[i]);
    v8_exp_neg_plus_each(e, x, n, -1);
    CPU_UNROLL
    for (int i = 0; i < n; i++) x[i] = v8_neg(v8_div(e[i], v8_add(e[i], v8_set1(2))));
}

V8_INLINE v8 v8_tanh(v8 x)
{
    v8_tanhs(&x, 1);
    return x;
}

/* x E(x^2) on |x| < 1, else 1 - exp(L(|x|)) with x's sign, where L fits ln erfc on [1, 4]. */
V8_INLINE v8 v8_erf(v8 x)
{
    v8 z = v8_mul(x, x), e = v8_set1(7.8538578e-5f), a = v8_min(v8_set1(4), v8_abs(x));
    e = v8_fma(e, z, v8_set1(-8.0101925e-4f));
    e = v8_fma(e, z, v8_set1(5.1883277e-3f));
    e = v8_fma(e, z, v8_set1(-2.6853811e-2f));
    e = v8_fma(e, z, v8_set1(0.11283585f));
    e = v8_fma(e, z, v8_set1(-0.37612626f));
    e = v8_fma(e, z, v8_set1(1.12837911f));
    v8 l = v8_set1(1.8638009e-4f);
    l = v8_fma(l, a, v8_set1(-2.9476669e-3f));
    l = v8_fma(l, a, v8_set1(2.1838097e-2f));
    l = v8_fma(l, a, v8_set1(-0.10310682f));
    l = v8_fma(l, a, v8_set1(-0.63814473f));
    l = v8_fma(l, a, v8_set1(-1.12708926f));
    l = v8_fma(l, a, v8_set1(-3.4151258e-4f));
    v8 large = v8_copysign(v8_exp_neg_plus(v8_neg(l), -1), x);
    return v8_select_lt(a, v8_set1(1), v8_mul(x, e), large);
}
