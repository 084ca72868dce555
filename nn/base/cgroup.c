/* cgroup.c: limits of control groups; see cgroup.h.
 *
 * /proc/self/cgroup names the process' group in each hierarchy, "4:memory:/path" in v1 and "0::/path" in v2
 * (cgroups(7)). A v2 group is the folder /sys/fs/cgroup/path, a v1 group /sys/fs/cgroup/memory/path. Inside a
 * container the path may be that of the host and lead nowhere; the mount's root, which is looked at last, is
 * then the container's own group. The two versions name their files differently, so in each folder both are
 * tried. Mounts elsewhere than under /sys/fs/cgroup are not looked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/cgroup.h"
#include "nn/base/kernel_file.h"

/* What the group of one folder allows. */
typedef uint64_t limit_of(const char *folder);

/* ---- one group ---- */

static int numbers_in(int64_t numbers[2], const char *folder, const char *file, const char *key) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return sr_kernel_file_numbers(numbers, path, key);
}

static uint64_t memory_of(const char *folder) {
    static const struct {
        const char *limit, *usage,
            *cache; /* cache: key in memory.stat of page cache that can be given back */
    } versions[] = {{"memory.max", "memory.current", "inactive_file "},
                    {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "}};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        int64_t limit[2], usage[2], cache[2];
        if (!numbers_in(limit, folder, versions[i].limit, "") ||
            !numbers_in(usage, folder, versions[i].usage, "") || limit[0] < 0)
            continue;
        if (!numbers_in(cache, folder, "memory.stat", versions[i].cache) || cache[0] > usage[0])
            cache[0] = 0;
        const int64_t held = usage[0] - cache[0];
        return limit[0] > held ? (uint64_t)(limit[0] - held) : 0;
    }
    return SR_CGROUP_UNLIMITED;
}

/* v2: "QUOTA PERIOD" or "max PERIOD" in one file; v1: a file for each, the quota -1 where there is none. */
static uint64_t processors_of(const char *folder) {
    int64_t v[2], period[2];
    if (numbers_in(v, folder, "cpu.max", "") < 2) {
        if (!numbers_in(v, folder, "cpu.cfs_quota_us", "") ||
            !numbers_in(period, folder, "cpu.cfs_period_us", ""))
            return SR_CGROUP_UNLIMITED;
        v[1] = period[0];
    }
    return v[0] >= 0 && v[1] > 0 ? (uint64_t)(v[0] / v[1]) : SR_CGROUP_UNLIMITED;
}

/* ---- all groups ---- */

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The tightest of a group and all above it, up to the mount's root. */
static uint64_t tightest_up_from(const char *root, const char *mount, const char *group, limit_of *limit) {
    char folder[PATH_MAX];
    const int base = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s", root, *mount ? "/" : "", mount);
    uint64_t room = SR_CGROUP_UNLIMITED;
    if (base < 0 || base + strlen(group) >= sizeof folder)
        return room;
    /* measured above. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy) */
    strcpy(folder + base, group);
    for (;;) {
        room = least(room, limit(folder));
        char *slash = strrchr(folder + base, '/');
        if (!slash)
            return room;
        *slash = '\0';
    }
}

/* "cpu,cpuacct" has "cpu"; "cpuset" has not. */
static bool has_controller(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (;; list++) {
        const size_t n = strcspn(list, ",");
        if (n == length && strncmp(list, name, n) == 0)
            return true;
        list += n;
        if (!*list)
            return false;
    }
}

/* One line of /proc/self/cgroup. Controllers mounted together lie in "cpu,cpuacct", mostly with a link "cpu"
 * to it; without the link the folder is found under the list's own name. */
static uint64_t tightest_in(const char *root, char *line, const char *controller, limit_of *limit) {
    strsep(&line, ":");
    const char *controllers = strsep(&line, ":"), *group = line;
    if (!group)
        return SR_CGROUP_UNLIMITED;
    line[strcspn(line, "\n")] = '\0';
    if (!*controllers)
        return tightest_up_from(root, "", group, limit);
    if (!has_controller(controllers, controller))
        return SR_CGROUP_UNLIMITED;
    return least(tightest_up_from(root, controller, group, limit),
                 tightest_up_from(root, controllers, group, limit));
}

static uint64_t tightest(const char *root, const char *controller, limit_of *limit) {
    char path[PATH_MAX], *line = NULL;
    size_t room_for_line = 0;
    uint64_t room = SR_CGROUP_UNLIMITED;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *from = fopen(path, "re");
    while (from && getline(&line, &room_for_line, from) > 0)
        room = least(room, tightest_in(root, line, controller, limit));
    free(line);
    if (from)
        fclose(from);
    return room;
}

uint64_t sr_cgroup_memory(const char *root) {
    return tightest(root, "memory", memory_of);
}

uint64_t sr_cgroup_processors(const char *root) {
    return tightest(root, "cpu", processors_of);
}
