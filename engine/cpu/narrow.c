/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/narrow.h"

#include <math.h>
#include <string.h>

#include "cpu/gemm.h"

static uint64_t scale_bytes(int64_t n)
{
    return vkb_round_up((uint64_t)n, CPU_NR) * sizeof(float); /* a multiple of 64 */
}

static size_t element_bytes(vki_weights storage)
{
    return storage == VKI_WEIGHTS_FP16 ? sizeof(uint16_t) : sizeof(int8_t);
}

uint64_t cpu_narrow_bytes(vki_weights storage, int64_t n, int64_t k)
{
    return scale_bytes(n) + vkb_round_up(cpu_packed_b_floats(n, k) * element_bytes(storage), 64);
}

/* Of the largest magnitude in a column; what is not finite stays so. */
static float scale_of(vki_weights storage, float largest)
{
    int exponent;
    if (largest == 0) return 1;
    if (storage == VKI_WEIGHTS_INT8 || !isfinite(largest)) return largest / 127;
    frexpf(largest, &exponent);
    return ldexpf(1, exponent < -120 ? -120 : exponent);
}

typedef struct panel_source { /* of `cols` columns */
    const float *src;
    int64_t row, col, k;
    int cols;
    float factor;
} panel_source;

static void find_scales(const panel_source *p, vki_weights storage, float *scales)
{
    float largest[CPU_NR] = {0};
    for (int64_t i = 0; i < p->k; i++)
        for (int j = 0; j < p->cols; j++) {
            const float v = fabsf(p->src[i * p->row + j * p->col] * p->factor);
            if (!(v <= largest[j])) largest[j] = v; /* a NaN, too */
        }
    for (int j = 0; j < p->cols; j++) scales[j] = scale_of(storage, largest[j]);
}

enum { CHUNK = 128 };

/* Rows i..i+n of a column over its scale. */
static void narrow_column(const cpu_micro *m, const panel_source *p, vki_weights storage, int j, float scale,
                          int64_t i, int n, uint16_t *halves, uint8_t *bytes)
{
    float values[CHUNK];
    const float factor = p->factor / (storage == VKI_WEIGHTS_FP16 ? scale : 1); /* a power of two: exact */
    for (int r = 0; r < n; r++) values[r] = p->src[(i + r) * p->row + j * p->col] * factor;
    if (storage == VKI_WEIGHTS_FP16)
        m->to_f16(halves, values, n);
    else
        m->quantize(bytes, values, n, scale, (cpu_bytes){0x80, 0x80});
}

static void pack_panel(uint8_t *dst, const panel_source *p, vki_weights storage, const float *scales)
{
    const cpu_micro *m = cpu_micro_get();
    const int width = cpu_panel_width(p->cols);
    uint16_t halves[CHUNK], *half_to = (uint16_t *)(void *)dst;
    uint8_t bytes[CHUNK];
    memset(dst, 0, (size_t)p->k * (size_t)width * element_bytes(storage));
    for (int64_t i = 0; i < p->k; i += CHUNK) {
        const int n = (int)vkb_min(CHUNK, p->k - i);
        for (int j = 0; j < p->cols; j++) {
            narrow_column(m, p, storage, j, scales[j], i, n, halves, bytes);
            for (int r = 0; r < n && storage == VKI_WEIGHTS_FP16; r++)
                half_to[(i + r) * width + j] = halves[r];
            for (int r = 0; r < n && storage == VKI_WEIGHTS_INT8; r++) dst[(i + r) * width + j] = bytes[r];
        }
    }
}

void cpu_narrow_pack(void *dst, vki_weights storage, const float *src, int64_t row, int64_t col, int64_t k,
                     int64_t n, float scale)
{
    float *scales = dst;
    uint8_t *panels = (uint8_t *)dst + scale_bytes(n);
    memset(dst, 0, (size_t)scale_bytes(n));
    for (int64_t j = 0; j < n; j += CPU_NR) {
        const panel_source p = {src + j * col, row, col, k, (int)vkb_min(CPU_NR, n - j), scale};
        find_scales(&p, storage, scales + j);
        pack_panel(panels + (uint64_t)(j * k) * element_bytes(storage), &p, storage, scales + j);
    }
}

void cpu_narrow_row(const cpu_micro *m, vki_weights storage, float *y, const float *x, const void *packed,
                    int64_t n, int64_t k, int64_t panel)
{
    const int64_t j = panel * CPU_NR;
    const int cols = (int)vkb_min(CPU_NR, n - j);
    const float *scales = (const float *)packed + j;
    const uint8_t *data =
        (const uint8_t *)packed + scale_bytes(n) + (uint64_t)(j * k) * element_bytes(storage);
    if (storage == VKI_WEIGHTS_FP16)
        m->row_panel_f16(y, x, (const uint16_t *)(const void *)data, scales, k, cols);
    else
        m->row_panel_i8(y, x, (const int8_t *)data, scales, k, cols);
}
