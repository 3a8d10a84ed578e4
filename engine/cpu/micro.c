/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/micro.h"

#include "cpu/cpu.h"

const cpu_micro *cpu_micro_get(void)
{
#if defined(__x86_64__)
    const cpu_features *f = cpu_features_get();
    if (f->avx2 && f->fma) return &cpu_micro_avx2;
#elif defined(__aarch64__)
    if (cpu_features_get()->neon) return &cpu_micro_neon;
#endif
    return &cpu_micro_c;
}
