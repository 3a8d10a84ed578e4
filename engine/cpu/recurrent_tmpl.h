/* SPDX-License-Identifier: Apache-2.0
 * One pass over the gates of a recurrent step: nothing of them goes through memory between the activations.
 */

/* sigmoid(x) tanh(y) with one division; absolute error below 3e-7. tanh is -1 long before 2y = -20; beyond,
 * the product of both exponentials would leave the range of floats while sigmoid(x) still counts. */
V8_INLINE v8 gate_times_tanh(v8 x, v8 y)
{
    const v8 e = v8_exp_neg_plus(v8_max(v8_set1(-20), v8_add(y, y)), -1);
    return v8_div(v8_neg(e), v8_mul(v8_exp_neg_plus(x, 1), v8_add(e, v8_set1(2))));
}

V8_INLINE void lstm_unit(v8 *h, v8 *cell, v8 i, v8 o, v8 f, v8 c)
{
    *cell = v8_add(v8_div(*cell, v8_exp_neg_plus(f, 1)), gate_times_tanh(i, c));
    *h = gate_times_tanh(o, *cell);
}

static void lstm_gates(float *h, float *cell, const float *gates, int64_t n)
{
    int64_t j = 0;
    v8 state, c;
    for (; j + 8 <= n; j += 8) {
        const float *g = gates + j;
        c = v8_load(cell + j);
        lstm_unit(&state, &c, v8_load(g), v8_load(g + n), v8_load(g + 2 * n), v8_load(g + 3 * n));
        v8_store(cell + j, c);
        v8_store(h + j, state);
    }
    if (j == n) return;
    const int rest = (int)(n - j);
    const float *g = gates + j;
    c = v8_load_n(cell + j, rest);
    lstm_unit(&state, &c, v8_load_n(g, rest), v8_load_n(g + n, rest), v8_load_n(g + 2 * n, rest),
              v8_load_n(g + 3 * n, rest));
    v8_store_n(cell + j, c, rest);
    v8_store_n(h + j, state, rest);
}

V8_INLINE v8 gru_unit(v8 h, v8 z, v8 r, v8 x, v8 own)
{
    const v8 n = v8_tanh(v8_add(x, v8_div(own, v8_exp_neg_plus(r, 1))));
    return v8_add(n, v8_div(v8_sub(h, n), v8_exp_neg_plus(z, 1)));
}

static void gru_gates(float *h, const float *gates, const float *own, int64_t n)
{
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
        const float *g = gates + j;
        v8_store(h + j,
                 gru_unit(v8_load(h + j), v8_load(g), v8_load(g + n), v8_load(g + 2 * n), v8_load(own + j)));
    }
    if (j == n) return;
    const int rest = (int)(n - j);
    const float *g = gates + j;
    v8_store_n(h + j,
               gru_unit(v8_load_n(h + j, rest), v8_load_n(g, rest), v8_load_n(g + n, rest),
                        v8_load_n(g + 2 * n, rest), v8_load_n(own + j, rest)),
               rest);
}
