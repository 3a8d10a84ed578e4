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

/* exp(-x) + c for |x| <= 87, held there; c = -1 loses nothing by subtracting. 2^n needs no second step, and
 * its exponent is made by adding a number so large that the sum's last bits count whole ones; with t = -r,
 * exp(r) - 1 = t (t P(t) - 1), to which 2^n + c is added last. */
V8_INLINE v8 v8_exp_neg_plus(v8 x, float c)
{
    const v8 large = v8_set1(0x1.8p23f + 127);
    x = v8_clamp(x, v8_set1(-87), v8_set1(87));
    const v8 sum = v8_fma(x, v8_set1(-1.44269504f), large), n = v8_sub(sum, large),
             scale = v8_pow2_of_sum(sum);
    v8 t = v8_fma(n, v8_set1(0.693359375f), x);
    t = v8_fma(n, v8_set1(-2.12194440e-4f), t);
    v8 p = v8_set1(1.38144669e-3f);
    p = v8_fma(p, t, v8_set1(-8.36878081e-3f));
    p = v8_fma(p, t, v8_set1(4.16683942e-2f));
    p = v8_fma(p, t, v8_set1(-0.166665201f));
    p = v8_fma(p, t, v8_set1(0.499999934f));
    p = v8_mul(t, v8_fma(p, t, v8_set1(-1)));
    return v8_fma(p, scale, v8_add(scale, v8_set1(c)));
}

V8_INLINE v8 v8_sigmoid(v8 x)
{
    return v8_div(v8_set1(1), v8_exp_neg_plus(x, 1));
}

V8_INLINE v8 v8_silu(v8 x)
{
    return v8_div(v8_max(v8_set1(-87), x), v8_exp_neg_plus(x, 1));
}

/* -e / (e + 2) with e = exp(-2 x) - 1 */
V8_INLINE v8 v8_tanh(v8 x)
{
    const v8 e = v8_exp_neg_plus(v8_add(x, x), -1);
    return v8_neg(v8_div(e, v8_add(e, v8_set1(2))));
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
