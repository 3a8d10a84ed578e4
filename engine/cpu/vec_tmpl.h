/* SPDX-License-Identifier: Apache-2.0
 * What is made of the vectors' operations, for instruction sets that have nothing better (V8_BY_LANE,
 * V8_CLAMP say that they have). Included after the vectors. */

#ifndef V8_CLAMP
V8_INLINE v8 v8_clamp(v8 x, v8 low, v8 high) /* NaN stays */
{
    return v8_min(high, v8_max(low, x));
}
#endif

#ifndef V8_BY_LANE
/* A few numbers, each of which multiplies a vector once: they stay in memory. */
typedef const float *v8_factors;
V8_INLINE v8_factors v8_factors_load(const float *p, int n)
{
    (void)n;
    return p;
}
V8_INLINE v8 v8_fma_by(v8_factors f, int i, v8 x, v8 sum) /* f[i] x + sum */
{
    return v8_fma(v8_set1(f[i]), x, sum);
}

/* Numbers that multiply many vectors: an array of as many v8_weight, at least, as there are. */
typedef v8 v8_weight;
V8_INLINE void v8_weights_load(v8_weight *w, const float *p, int n)
{
    CPU_UNROLL
    for (int i = 0; i < n; i++) w[i] = v8_set1(p[i]);
}
V8_INLINE v8 v8_fma_weight(const v8_weight *w, int i, v8 x, v8 sum)
{
    return v8_fma(w[i], x, sum);
}
#endif
