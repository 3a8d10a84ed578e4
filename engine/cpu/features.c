/* SPDX-License-Identifier: Apache-2.0
 * What this CPU can do and the operating system has enabled: CPUID and XCR0 on x86, the kernel's capability
 * words on ARM. */
#include "cpu/cpu.h"

#include <pthread.h>
#include <stdio.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__aarch64__)
#define I8MM (1ul << 13) /* HWCAP2_I8MM; not in every <asm/hwcap.h> */
#endif

#if defined(__x86_64__) || defined(__i386__)
enum { FP16 = 1 << 23, BF16 = 1 << 5 }; /* of leaf 7, in edx; of its part 1, in eax: not in every <cpuid.h> */
enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6 }; /* register state the OS saves: SSE+AVX; and the ZMM parts */

static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static void detect(cpu_features *f)
{
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return;
    if (!(ecx & bit_OSXSAVE)) return; /* without XGETBV nothing beyond SSE is usable */
    uint64_t xcr0 = read_xcr0();
    bool avx_state = (xcr0 & XCR0_AVX) == XCR0_AVX, avx512_state = (xcr0 & XCR0_AVX512) == XCR0_AVX512;
    f->fma = avx_state && (ecx & bit_FMA);
    f->f16c = avx_state && (ecx & bit_F16C);
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return;
    f->avx2 = avx_state && (ebx & bit_AVX2);
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    f->avx512 = avx512_state && (ebx & avx512) == avx512;
    f->avx512vnni = f->avx512 && (ecx & bit_AVX512VNNI);
    f->avx512fp16 = f->avx512 && (edx & FP16);
    if (!eax || !__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx)) return; /* eax: the last such leaf */
    f->avx512bf16 = f->avx512 && (eax & BF16);
}
#elif defined(__aarch64__)
static void detect(cpu_features *f)
{
    f->neon = true; /* part of the base architecture */
#if defined(__linux__)
    unsigned long caps = getauxval(AT_HWCAP);
    f->dotprod = (caps & HWCAP_ASIMDDP) != 0;
    f->fp16 = (caps & HWCAP_ASIMDHP) != 0;
    f->i8mm = (getauxval(AT_HWCAP2) & I8MM) != 0;
#endif
}
#else
static void detect(cpu_features *f)
{
    (void)f;
}
#endif

static cpu_features found; /* written once, under `once`; constant for the life of the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void)
{
    detect(&found);
}

const cpu_features *cpu_features_get(void)
{
    pthread_once(&once, find);
    return &found;
}

void cpu_features_text(char *buffer, size_t size)
{
    const cpu_features *f = cpu_features_get();
    const struct {
        bool have;
        const char *name;
    } all[] = {{f->avx2, "avx2"},
               {f->fma, "fma"},
               {f->f16c, "f16c"},
               {f->avx512, "avx512"},
               {f->avx512vnni, "avx512vnni"},
               {f->avx512bf16, "avx512bf16"},
               {f->avx512fp16, "avx512fp16"},
               {f->neon, "neon"},
               {f->dotprod, "dotprod"},
               {f->fp16, "fp16"},
               {f->i8mm, "i8mm"}};
    if (!size) return;
    buffer[0] = '\0';
    size_t used = 0;
    for (size_t i = 0; i < VKB_COUNT(all); i++) {
        if (!all[i].have) continue;
        int n = snprintf(buffer + used, size - used, "%s%s", used ? " " : "", all[i].name);
        if (n < 0 || (size_t)n >= size - used) return;
        used += (size_t)n;
    }
}
