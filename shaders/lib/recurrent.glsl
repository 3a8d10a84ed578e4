/* SPDX-License-Identifier: Apache-2.0
 * What the kernels of recurrent layers share: cells, activations (enum op_rnn_act; Relu and Tanh go as LeakyRelu and
 * ScaledTanh) and the flags of their push constants. Needs lib/types.glsl and lib/elementary.glsl. */
const int RNN = 0, GRU = 1, GRU_LINEAR = 2, LSTM = 3; /* linear: the reset gate comes after the product */
const int START_H = 1, START_C = 2, EXTRA = 4, WRITE_Y = 8, FORGET_BY_INPUT = 16, LENGTHS = 32;

float elu(float x, float alpha)
{
    return x < 0.0 ? alpha * accurate_expm1(x) : x;
}

vec4 activate(int kind, vec4 v, float alpha, float beta)
{
    switch (kind) {
    case 2: return math_sigmoid(v);
    case 3: return alpha * v + beta;
    case 4: return mix(v, alpha * v, lessThan(v, vec4(0.0)));
    case 5: return mix(v, vec4(0.0), lessThan(v, vec4(alpha)));
    case 6: return alpha * math_tanh(beta * v);
    case 7: return clamp(alpha * v + beta, 0.0, 1.0);
    case 8: return vec4(elu(v.x, alpha), elu(v.y, alpha), elu(v.z, alpha), elu(v.w, alpha));
    case 10: return vec4(softplus(v.x), softplus(v.y), softplus(v.z), softplus(v.w));
    default: return v / (1.0 + abs(v));
    }
}
