/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/cost.h"

#include <string.h>

/* CPUs, of one thread: sixty percent of the peak of multiply-accumulates, as our GEMM reaches (avx2: Zen 3,
 * 50e3 a microsecond at its peak, squeezenet1_1 at 3.5e4, 2026-11; avx512: Ice Lake server, 85e3 at its peak;
 * neon: of Cortex-A76 at 2.4 GHz by its data sheet, not measured; c: what compilers make of SSE2, an
 * estimate), and memory as one core reads it. GPUs: a quarter of the peak of fp32 multiply-accumulates and
 * two thirds of the peak of memory in the makers' data sheets, for a device in the middle of the class
 * (sheets as of 2026-11; not measured by us): adreno  Adreno 660: 1.7 TFLOP/s, LPDDR5 51 GB/s mali    G610
 * MP4 at 0.85 GHz: 0.44 TFLOP/s, LPDDR4X 34 GB/s nvidia  Jetson Orin Nano: 1.3 TFLOP/s, LPDDR5 68 GB/s
 *   minimum what any Vulkan 1.1 device should reach: G52 MP2, 0.054 TFLOP/s, LPDDR4 15 GB/s
 * Launches and submits there are orders of magnitude from public issue threads (2020 to 2026).
 * lavapipe: 22.3 on 2 cores of Zen 3, measured (squeezenet1_1: 72 ms estimated, 75 to 96 measured; 2026-11).
 */
static const cost_rates classes[] = {
    {"cpu c", 2e3, 4e3, 1, 0, 0, 1},
    {"cpu neon", 1.1e4, 6e3, 1, 0, 0, 1},
    {"cpu avx2", 3e4, 9e3, 1, 0, 0, 1},
    {"cpu avx512", 5e4, 9e3, 1, 0, 0, 1},
    {"minimum", 7e3, 1e4, 30, 500, 2e3, 256},
    {"adreno", 2.1e5, 3.4e4, 15, 150, 4e3, 8192},
    {"mali", 5.5e4, 2.2e4, 25, 250, 4e3, 2048},
    {"nvidia", 1.6e5, 4.5e4, 6, 40, 8e3, 16384},
    {"lavapipe", 5e3, 2e3, 25, 60, 4e3, 64},
};

const cost_rates *cost_rates_of(const char *name)
{
    for (size_t i = 0; i < VKB_COUNT(classes); i++)
        if (!strcmp(classes[i].name, name)) return &classes[i];
    return NULL;
}

double cost_us(const cost_rates *r, const cost_work *w)
{
    double share = w->lanes && w->lanes < r->lanes ? (double)w->lanes / r->lanes : 1;
    double arithmetic = (double)w->macs / r->macs, memory = (double)(w->read + w->written) / r->bytes;
    return r->launch_us + (arithmetic > memory ? arithmetic : memory) / share;
}
