/* test_base_cpu.c: what the floor says about this machine, as far as it can be known otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nn/base/base.h"

Test(cpu, best_isa_has_kernels) {
    cr_expect_lt(sr_isa_best(), SR_ISA_COUNT);
    cr_assert_not_null(sr_vec());
    cr_expect_str_eq(sr_isa_name(sr_vec()->isa), sr_isa_name(sr_isa_best()));
    cr_expect_str_eq(sr_isa_name(SR_ISA_AVX512), "avx512");
    cr_expect_str_eq(sr_isa_name(SR_ISA_AVX512VNNI), "avx512vnni");
}

/* Each test is a process of its own, so that "read once" begins anew. */
Test(cpu, environment_lowers_the_isa) {
    setenv("SAFEROUTE_ISA", "base", 1);
    cr_expect_eq(sr_isa_best(), SR_ISA_BASE);
    setenv("SAFEROUTE_ISA", "avx512", 1);
    cr_expect_eq(sr_isa_best(), SR_ISA_BASE); /* read once */
}

Test(cpu, environment_cannot_raise_the_isa) {
    enum sr_isa cpu = SR_ISA_BASE;
    if (strstr(sr_cpu_features(), "avx2") && strstr(sr_cpu_features(), "fma") &&
        strstr(sr_cpu_features(), "f16c"))
        cpu = SR_ISA_AVX2;
    if (strstr(sr_cpu_features(), "avx512vl") && strstr(sr_cpu_features(), "avx512dq"))
        cpu = SR_ISA_AVX512;
    if (cpu == SR_ISA_AVX512 && strstr(sr_cpu_features(), "avx512_vnni"))
        cpu = SR_ISA_AVX512VNNI;
    if (strstr(sr_cpu_features(), "asimddp"))
        cpu = SR_ISA_DOTPROD;
    setenv("SAFEROUTE_ISA", cpu == SR_ISA_DOTPROD ? "dotprod" : "avx512vnni", 1);
    cr_expect_eq(sr_isa_best(), cpu, "%s, but the CPU has: %s", sr_isa_name(sr_isa_best()),
                 sr_cpu_features());
}

Test(cpu, isa_names_of_other_architectures_ask_for_nothing) {
#ifdef __x86_64__
    setenv("SAFEROUTE_ISA", "dotprod", 1);
#else
    setenv("SAFEROUTE_ISA", "avx2", 1);
#endif
    cr_expect_eq(sr_isa_best(), sr_isa_cpu());
}

Test(cpu, isa_names_are_known) {
    for (int i = 0; i < SR_ISA_COUNT; i++)
        cr_expect(sr_isa_known(sr_isa_name((enum sr_isa)i)));
    cr_expect_not(sr_isa_known("avx1024"));
    cr_expect_not(sr_isa_known(""));
}

Test(cpu, unknown_isa_names_are_ignored) {
    setenv("SAFEROUTE_ISA", "avx1024", 1);
    const enum sr_isa best = sr_isa_best();
    cr_expect_eq(best, sr_vec()->isa);
    cr_expect(best > SR_ISA_BASE || !strstr(sr_cpu_features(), "avx2"));
}

Test(cpu, name_and_features_are_single_words_in_one_line) {
    cr_expect_gt(strlen(sr_cpu_name()), 0);
    cr_expect_null(strchr(sr_cpu_name(), '\n'));
    cr_expect_null(strstr(sr_cpu_features(), "  "));
    cr_expect_eq(sr_cpu_features(), sr_cpu_features());
}

Test(cpu, count_follows_the_affinity_mask) {
    cpu_set_t all, one;
    const char *source;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    const int count = sr_cpu_count(&source);
    if (strcmp(source, "cgroup limit") == 0) /* these tests may run in a container with a quota */
        cr_expect(count >= 1 && count < CPU_COUNT(&all), "%d", count);
    else
        cr_expect_eq(count, CPU_COUNT(&all), "%d, %s", count, source);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && CPU_COUNT(&one) == 0)
            CPU_SET(i, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_expect_eq(sr_cpu_count(NULL), 1);
    cr_expect_eq(sr_cpu_threads(0), 1);
}

Test(cpu, threads_are_what_was_asked_for) {
#ifdef _OPENMP
    int seen = 0;
    cr_expect_eq(sr_cpu_threads(3), 3);
#pragma omp parallel reduction(+ : seen)
    seen++;
    cr_expect_eq(seen, 3);
#else
    cr_expect_eq(sr_cpu_threads(3), 1);
#endif
}

Test(cpu, memory_is_within_the_machine) {
    const size_t total = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    cr_expect_gt(sr_memory_available(NULL), 1 << 20);
    const char *source = "";
    cr_expect_leq(sr_memory_available(&source), total);
    cr_expect(strcmp(source, "free memory") == 0 || strcmp(source, "cgroup limit") == 0, "%s", source);
}

Test(cpu, memory_peak_grows_with_use) {
    const size_t before = sr_memory_peak(), size = (size_t)64 << 20;
    cr_expect_gt(before, 1 << 19);
    void *p = sr_alloc(size, 1, NULL); /* zeroed, hence resident */
    cr_expect_geq(sr_memory_peak(), before + size / 2);
    sr_free(p);
    cr_expect_geq(sr_memory_peak(), before + size / 2); /* it is the largest so far */
}
