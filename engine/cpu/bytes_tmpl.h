/* SPDX-License-Identifier: Apache-2.0
 * Rows of 8-bit integers: plain loops that compilers turn into vectors of any instruction set. Rounding adds
 * 1.5 2^23, which leaves no bits for a fraction: exact, halves to even, for magnitudes below 2^22. */

static void pair_bytes(int32_t *pairs, const uint8_t *first, const uint8_t *second, int64_t n, cpu_bytes b)
{
    if (!second) {
        for (int64_t i = 0; i < n; i++) pairs[i] = ((first[i] ^ b.flip) - b.zero) & 0xffff;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const uint32_t low = (uint32_t)((first[i] ^ b.flip) - b.zero);
        const uint32_t high = (uint32_t)((second[i] ^ b.flip) - b.zero);
        pairs[i] = (int32_t)((low & 0xffffu) | high << 16);
    }
}

static void quad_bytes(int32_t *quads, const uint8_t *const x[4], int64_t n, uint8_t flip)
{
    const uint32_t flips = flip * 0x01010101u;
    const uint8_t *x0 = x[0], *x1 = x[1] ? x[1] : x0, *x2 = x[2] ? x[2] : x0, *x3 = x[3] ? x[3] : x0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t low = (uint32_t)x0[i] | (uint32_t)x1[i] << 8;
        const uint32_t high = (uint32_t)x2[i] | (uint32_t)x3[i] << 8;
        quads[i] = (int32_t)((low | high << 16) ^ flips);
    }
}

/* v rounded, plus the zero point, as an unsigned byte. */
V8_INLINE uint8_t saturated(float v, int32_t zero, uint8_t flip)
{
    const float least = (float)-zero, most = (float)(255 - zero), magic = 12582912.0f;
    v = v > least ? v : least; /* NaN too */
    v = v < most ? v : most;
    v = (v + magic) - magic;
    return (uint8_t)(((int32_t)v + zero) ^ flip);
}

static void requantize(uint8_t *y, const int32_t *sums, int64_t n, const float *scale, int scale_step,
                       cpu_bytes b)
{
    if (scale_step) {
        for (int64_t i = 0; i < n; i++) y[i] = saturated((float)sums[i] * scale[i], b.zero, b.flip);
        return;
    }
    const float s = *scale;
    for (int64_t i = 0; i < n; i++) y[i] = saturated((float)sums[i] * s, b.zero, b.flip);
}

static void quantize(uint8_t *y, const float *x, int64_t n, float scale, cpu_bytes b)
{
    for (int64_t i = 0; i < n; i++) y[i] = saturated(x[i] / scale, b.zero, b.flip);
}

static void dequantize(float *y, const uint8_t *x, int64_t n, float scale, cpu_bytes b)
{
    for (int64_t i = 0; i < n; i++) y[i] = (float)((x[i] ^ b.flip) - b.zero) * scale;
}
