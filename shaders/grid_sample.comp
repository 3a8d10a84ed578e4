//! variant f32
//! variant f16 STORE_F16=1
/* SPDX-License-Identifier: Apache-2.0
 * GridSample, as engine/cpu/grid_sample.c says it: one invocation a point of the grid and four channels.
 */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/flat.glsl"

layout(constant_id = 3) const int RANK = 2;    /* spatial dimensions */
layout(constant_id = 4) const int MODE = 0;    /* op_grid_mode */
layout(constant_id = 5) const int PADDING = 0; /* op_grid_padding */
layout(constant_id = 6) const int ALIGN = 0;
const int LINEAR = 0, NEAREST = 1, CUBIC = 2, ZEROS = 0, BORDER = 1, REFLECTION = 2;
const int CHANNELS = 4;

BUFFER_IN(0, x);
BUFFER_IN(1, grid);
BUFFER_OUT(2, y);

layout(push_constant) uniform Push
{
    int units, points, channels;
    int size[3];
};

const int TAPS = MODE == CUBIC ? 4 : MODE == LINEAR ? 2 : 1;
int tap_at[3][4]; /* elements along each axis; -1: a zero */
float tap_weight[3][4];

/* Mirrors v at the borders as often as needed. */
float reflect_at(float v, float low, float high)
{
    float range = high - low, over = v < low ? low - v : v - high;
    if (!(range > 0.0)) return low;
    if (v >= low && v <= high) return v;
    float times = floor(over / range), rest = over - times * range;
    if (rest < 0.0) { /* the quotient was rounded over a whole number */
        times -= 1.0;
        rest += range;
    }
    bool back = times - 2.0 * floor(times * 0.5) != 0.0;
    return clamp((v < low) != back ? low + rest : high - rest, low, high);
}

int element(float v, int n, float low, float high)
{
    if (PADDING == REFLECTION) v = reflect_at(v, low, high);
    int i = int(v);
    if (PADDING == ZEROS) return i >= 0 && i < n && v >= 0.0 ? i : -1;
    return clamp(i, 0, n - 1);
}

float cubic_weight(float d)
{
    const float a = -0.75;
    return d <= 1.0 ? ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0 : ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a;
}

void find_taps(int axis, float g)
{
    int n = size[axis];
    float low = ALIGN == 1 ? 0.0 : -0.5, high = float(n) - (ALIGN == 1 ? 1.0 : 0.5);
    precise float one = g + 1.0, scaled = ALIGN == 1 ? one * 0.5 * (float(n) - 1.0) : one * float(n);
    precise float v = ALIGN == 1 ? scaled : (scaled - 1.0) * 0.5;
    v = v > -1073741824.0 ? min(v, 1073741824.0) : -1073741824.0; /* NaN lies far outside */
    if (MODE == NEAREST) v = roundEven(v);
    if (PADDING == BORDER && MODE != CUBIC) v = clamp(v, 0.0, float(n - 1));
    if ((v < low || v > high) && PADDING == REFLECTION) v = reflect_at(v, low, high);
    float whole = floor(v), first = MODE == CUBIC ? whole - 1.0 : whole, t = v - whole;
    for (int i = 0; i < TAPS; i++) {
        tap_at[axis][i] = element(first + float(i), n, low, high);
        tap_weight[axis][i] = MODE == CUBIC    ? cubic_weight(abs(t + 1.0 - float(i)))
                              : MODE == LINEAR ? (i == 0 ? 1.0 - t : t)
                                               : 1.0;
    }
}

float read(int plane)
{
    float sum = 0.0;
    for (int d = 0; d < (RANK > 2 ? TAPS : 1); d++)
        for (int h = 0; h < (RANK > 1 ? TAPS : 1); h++)
            for (int w = 0; w < TAPS; w++) {
                int i = tap_at[0][d], j = tap_at[1][h], k = tap_at[2][w];
                float v = i < 0 || j < 0 || k < 0 ? 0.0 : LD(x, ((plane * size[0] + i) * size[1] + j) * size[2] + k);
                sum += tap_weight[0][d] * tap_weight[1][h] * tap_weight[2][w] * v;
            }
    return sum;
}

void main()
{
    int i = int(flat_index());
    if (i < 0 || i >= units) return;
    int chunks = (channels + CHANNELS - 1) / CHANNELS, rest = i / points, point = i - rest * points;
    int batch = rest / chunks, first = (rest - batch * chunks) * CHANNELS;
    for (int axis = 0; axis < 3; axis++) {
        tap_at[axis][0] = 0;
        tap_weight[axis][0] = 1.0;
        if (axis >= 3 - RANK) find_taps(axis, LD(grid, (batch * points + point) * RANK + 2 - axis));
    }
    for (int c = first; c < min(first + CHANNELS, channels); c++) {
        int plane = batch * channels + c;
        ST(y, plane * points + point, read(plane));
    }
}
