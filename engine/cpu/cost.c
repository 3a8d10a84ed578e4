/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu.h"

/* Cores share the memory: two of them read 1.7 times as much as one, more hardly add to that (Zen 3 and Ice
 * Lake servers, 2026-11). */
static double memory_share(int threads)
{
    return threads > 1 ? 1.7 : 1;
}

cost_rates cpu_rates(int threads)
{
    const cpu_features *f = cpu_features_get();
    cost_rates r = *cost_rates_of(f->avx512           ? "cpu avx512"
                                  : f->avx2 && f->fma ? "cpu avx2"
                                  : f->neon           ? "cpu neon"
                                                      : "cpu c");
    r.macs *= threads;
    r.bytes *= memory_share(threads);
    return r;
}
