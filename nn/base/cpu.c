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
#ifdef __x86_64__
#include <cpuid.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#include "nn/base/cpu.h"

/* ---- instruction set ---- */

static const char *const isa_names[SR_ISA_COUNT] = {"base", "avx2", "avx512"};
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
    if (!__builtin_cpu_supports("avx2") || !f16c)
        return SR_ISA_BASE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return SR_ISA_AVX512;
    return SR_ISA_AVX2;
#else
    return SR_ISA_BASE;
#endif
}

static void find_best_isa(void) {
    const char *wanted = getenv("SAFEROUTE_ISA");
    best_isa = sr_isa_cpu();
    for (int i = 0; wanted && i < (int)best_isa; i++)
        if (strcmp(wanted, isa_names[i]) == 0)
            best_isa = (enum sr_isa)i;
}

enum sr_isa sr_isa_best(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_best_isa);
    return best_isa;
}

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
                strcat(cpu_features, " ");
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

int sr_cpu_count(const char **source) {
    if (source)
        *source = "affinity mask";
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
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

/* ---- memory ---- */

/* The number behind `key` at the start of a line of a file ("" is the first line), times unit. UINT64_MAX if
 * there is none, as in cgroup v2's "max". */
static uint64_t number_in(const char *path, const char *key, uint64_t unit) {
    FILE *from = fopen(path, "re");
    char line[256];
    unsigned long long value;
    bool found = false;
    while (from && !found && fgets(line, sizeof line, from))
        found = strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), " %llu", &value) == 1;
    if (from)
        fclose(from);
    return found ? value * unit : UINT64_MAX;
}

struct cgroup_files {
    const char *root, *limit, *usage,
        *cache; /* cache: key in memory.stat of page cache that can be given back */
};
static const struct cgroup_files cgroup_v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                              "memory.usage_in_bytes", "total_inactive_file "};
static const struct cgroup_files cgroup_v2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                                              "inactive_file "};

static uint64_t number_of(const struct cgroup_files *c, const char *group, const char *file,
                          const char *key) {
    char path[1024];
    snprintf(path, sizeof path, "%s%.700s/%s", c->root, group, file);
    return number_in(path, key, 1);
}

/* What one group lets its members still have. */
static uint64_t room_in(const struct cgroup_files *c, const char *group) {
    const uint64_t limit = number_of(c, group, c->limit, ""), usage = number_of(c, group, c->usage, "");
    const uint64_t cache = number_of(c, group, "memory.stat", c->cache);
    if (limit == UINT64_MAX || usage == UINT64_MAX)
        return UINT64_MAX;
    const uint64_t held = cache < usage ? usage - cache : usage;
    return limit > held ? limit - held : 0;
}

/* The tightest of a group and all above it. Inside a container the group's path may not be visible; its root
 * is. */
static uint64_t room_up_from(const struct cgroup_files *c, char *group) {
    uint64_t room = UINT64_MAX;
    for (;;) {
        const uint64_t here = room_in(c, group);
        room = here < room ? here : room;
        char *slash = strrchr(group, '/');
        if (!slash)
            return room;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup is "4:memory:/path" (v1) or "0::/path" (v2). */
static uint64_t room_in_cgroups(void) {
    FILE *from = fopen("/proc/self/cgroup", "re");
    uint64_t room = UINT64_MAX;
    char line[1024];
    while (from && fgets(line, sizeof line, from)) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        const bool v1 = strstr(controllers, "memory") != NULL, v2 = controllers[1] == '\0';
        const uint64_t here = v1 || v2 ? room_up_from(v1 ? &cgroup_v1 : &cgroup_v2, group) : UINT64_MAX;
        room = here < room ? here : room;
    }
    if (from)
        fclose(from);
    return room;
}

size_t sr_memory_available(const char **source) {
    const uint64_t machine = number_in("/proc/meminfo", "MemAvailable:", 1024), group = room_in_cgroups();
    const uint64_t least = machine < group ? machine : group;
    if (source)
        *source = machine <= group ? "free memory" : "cgroup limit";
    return least == UINT64_MAX ? 0 : (size_t)least;
}

size_t sr_memory_peak(void) {
    const uint64_t peak = number_in("/proc/self/status", "VmHWM:", 1024);
    return peak == UINT64_MAX ? 0 : (size_t)peak;
}
