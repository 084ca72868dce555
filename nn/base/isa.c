/* isa.c: which instruction set this CPU has, asked of the compiler's CPU detection.
 *
 * By itself, because the shipped library needs it and nothing else of cpu.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "nn/base/cpu.h"

static const char *const isa_names[SR_ISA_COUNT] = {"base", "avx2", "avx512", "avx512vnni", "dotprod"};
static enum sr_isa best_isa;

const char *sr_isa_name(enum sr_isa isa) {
    return isa_names[isa];
}

bool sr_isa_known(const char *name) {
    for (int i = 0; i < SR_ISA_COUNT; i++)
        if (strcmp(name, isa_names[i]) == 0)
            return true;
    return false;
}

enum sr_isa sr_isa_cpu(void) {
#ifdef __x86_64__
    unsigned a, b, c = 0, d;
    const bool f16c =
        __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C); /* no name for it in clang's detection */
    __builtin_cpu_init(); /* looks at what the kernel saves on a switch too, not only at the CPU */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !f16c)
        return SR_ISA_BASE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return __builtin_cpu_supports("avx512vnni") ? SR_ISA_AVX512VNNI : SR_ISA_AVX512;
    return SR_ISA_AVX2;
#elif defined(__aarch64__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? SR_ISA_DOTPROD : SR_ISA_BASE;
#else
    return SR_ISA_BASE;
#endif
}

/* Names of other architectures ask for nothing. */
static bool of_this_architecture(enum sr_isa isa) {
#ifdef __x86_64__
    return isa != SR_ISA_DOTPROD;
#else
    return isa == SR_ISA_BASE || isa == SR_ISA_DOTPROD;
#endif
}

static void find_best_isa(void) {
    const char *wanted = getenv("SAFEROUTE_ISA");
    best_isa = sr_isa_cpu();
    for (int i = 0; wanted && i < (int)best_isa; i++)
        if (strcmp(wanted, isa_names[i]) == 0 && of_this_architecture((enum sr_isa)i))
            best_isa = (enum sr_isa)i;
}

enum sr_isa sr_isa_best(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_best_isa);
    return best_isa;
}
