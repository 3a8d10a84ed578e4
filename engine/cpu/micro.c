/* SPDX-License-Identifier: Apache-2.0
 * Which tables there are, and which of them this CPU can run. */
#include "cpu/micro.h"

#include <pthread.h>

#include "cpu/cpu.h"

enum { MOST_TABLES = 6 };

static cpu_micro tables[MOST_TABLES]; /* written once, under `once`; constant for the life of the process */
static int count;
static const cpu_micro *forced;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A table that replaces entries of the one before it. */
#if defined(__x86_64__) || defined(__aarch64__)
static void add(bool have, void (*replace)(cpu_micro *m))
{
    if (!have) return;
    tables[count] = tables[count - 1];
    replace(&tables[count++]);
}
#endif

static void fill(void)
{
    tables[count++] = cpu_micro_c;
#if defined(__x86_64__)
    const cpu_features *f = cpu_features_get();
    if (!f->avx2 || !f->fma || !f->f16c) return; /* who has the first has all */
    tables[count++] = cpu_micro_avx2;
    add(f->avx512, cpu_micro_avx512);
    add(f->avx512 && f->avx512vnni, cpu_micro_avx512vnni);
    add(f->avx512 && f->avx512bf16, cpu_micro_avx512bf16);
#ifdef CPU_AVX512FP16 /* the compiler knows it */
    add(f->avx512 && f->avx512fp16, cpu_micro_avx512fp16);
#endif
#elif defined(__aarch64__)
    const cpu_features *f = cpu_features_get();
    if (!f->neon) return;
    tables[count++] = cpu_micro_neon;
    add(f->fp16, cpu_micro_fp16);
    add(f->dotprod, cpu_micro_dotprod);
    add(f->dotprod && f->i8mm, cpu_micro_i8mm);
#endif
}

const cpu_micro *cpu_micro_get(void)
{
    pthread_once(&once, fill);
    return forced ? forced : &tables[count - 1];
}

void cpu_micro_force(const cpu_micro *m)
{
    forced = m;
}

const cpu_micro *cpu_micro_at(int level)
{
    pthread_once(&once, fill);
    return level < count ? &tables[level] : NULL;
}
