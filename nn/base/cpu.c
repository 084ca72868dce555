/* cpu.c: what this machine is, asked of the compiler's CPU detection, the kernel and /proc.
 *
 * What /proc does not tell (another kernel, a locked-down sandbox) is "unknown", "" or 0, never a failure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "nn/base/cgroup.h"
#include "nn/base/cpu.h"
#include "nn/base/kernel_file.h"

/* ---- name and features ---- */

static char cpu_name[128] = "unknown", cpu_features[512];

static bool has_word(const char *text, const char *word) {
    const size_t n = strlen(word);
    for (const char *p = text; (p = strstr(p, word)); p += n)
        if ((p == text || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static void keep_features(const char *flags) {
    static const char *const matter[] = {"avx",         "avx2",     "fma",      "f16c",        "avx512f",
                                         "avx512bw",    "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16",
                                         "avx512_fp16", "avx_vnni", "amx_tile", "amx_int8",    "amx_bf16",
                                         "asimd",       "fphp",     "asimdhp",  "asimddp",     "bf16",
                                         "i8mm",        "sve",      "sve2"};
    for (size_t i = 0; i < sizeof matter / sizeof *matter; i++)
        if (has_word(flags, matter[i])) {
            if (cpu_features[0])
                /* room for all of them. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy) */
                strcat(cpu_features, " ");
            /* room for all of them. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy) */
            strcat(cpu_features, matter[i]);
        }
}

/* The first processor of /proc/cpuinfo speaks for all. */
static void read_cpuinfo(void) {
    FILE *from = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t room = 0;
    while (from && getline(&line, &room, from) > 1) {
        char *value = strstr(line, ": ");
        if (!value)
            continue;
        value += 2;
        value[strcspn(value, "\n")] = '\0';
        if (strncmp(line, "model name", 10) == 0)
            snprintf(cpu_name, sizeof cpu_name, "%s", value);
        if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0)
            keep_features(value);
    }
    free(line);
    if (from)
        fclose(from);
}

static void cpuinfo_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_cpuinfo);
}

const char *sr_cpu_name(void) {
    cpuinfo_once();
    return cpu_name;
}

const char *sr_cpu_features(void) {
    cpuinfo_once();
    return cpu_features;
}

/* ---- processors ---- */

static int affinity_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* Threads beyond a quota would only be stopped in the middle of a parallel region, and the others wait. */
int sr_cpu_count(const char **source) {
    const int mask = affinity_count();
    const uint64_t quota = sr_cgroup_processors("");
    const bool limited = quota < (uint64_t)mask;
    if (source)
        *source = limited ? "cgroup limit" : "affinity mask";
    if (!limited)
        return mask;
    return quota > 0 ? (int)quota : 1;
}

/* OpenMP may be told to give fewer threads than asked for (OMP_THREAD_LIMIT, OMP_DYNAMIC,
 * OMP_MAX_ACTIVE_LEVELS). A team of one under a setting of more is not a parallel region to OpenBLAS, which
 * then starts threads of its own and waits for ever; so what is set is what a region really gets. */
int sr_cpu_threads(int wanted) {
    int n = 1;
#ifdef _OPENMP
    omp_set_dynamic(0);
    if (wanted > 0 || !getenv("OMP_NUM_THREADS"))
        omp_set_num_threads(wanted > 0 ? wanted : sr_cpu_count(NULL));
#pragma omp parallel
#pragma omp single
    n = omp_get_num_threads();
    omp_set_num_threads(n);
#else
    (void)wanted;
#endif
    return n;
}

int sr_cpu_team(int wanted) {
    int before = 1;
#ifdef _OPENMP
    before = omp_get_max_threads();
    if (wanted > 0)
        omp_set_num_threads(wanted);
#else
    (void)wanted;
#endif
    return before;
}

/* ---- memory ---- */

/* A line of /proc in kB, as bytes; UINT64_MAX if there is none. */
static uint64_t bytes_in(const char *path, const char *key) {
    int64_t kilobytes[2];
    return sr_kernel_file_numbers(kilobytes, path, key) ? (uint64_t)kilobytes[0] * 1024 : UINT64_MAX;
}

size_t sr_memory_available(const char **source) {
    const uint64_t machine = bytes_in("/proc/meminfo", "MemAvailable:"), group = sr_cgroup_memory("");
    const bool limited = group < machine, known = limited || machine < UINT64_MAX;
    if (source)
        *source = limited ? "cgroup limit" : known ? "free memory" : "unknown";
    return limited ? (size_t)group : known ? (size_t)machine : 0;
}

size_t sr_memory_peak(void) {
    const uint64_t peak = bytes_in("/proc/self/status", "VmHWM:");
    return peak == UINT64_MAX ? 0 : (size_t)peak;
}
