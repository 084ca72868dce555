/* test_base_cgroup.c: limits of control groups, read from trees built as the kernel would show them.
 *
 * Only a machine with such limits could show the real ones; a folder of files is the same to the code.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "nn/base/cgroup.h"
#include "tests/run_program.h"

#define NONE SR_CGROUP_UNLIMITED

static char *root;

static void begin(void) {
    root = folder_begin();
}

static void end(void) {
    folder_end(root);
}

TestSuite(cgroup, .init = begin, .fini = end);

/* A file of the tree with its folders. */
static void put(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        mkdir(path, 0755);
    }
    FILE *to = fopen(path, "w");
    cr_assert_not_null(to, "%s", path);
    fputs(text, to);
    fclose(to);
}

#define GROUPS "proc/self/cgroup"
#define FS     "sys/fs/cgroup/"

static void expect_processors(uint64_t wanted) {
    cr_expect_eq(sr_cgroup_processors(root), wanted, "%llu processors, not %llu",
                 (unsigned long long)sr_cgroup_processors(root), (unsigned long long)wanted);
}

static void expect_memory(uint64_t wanted) {
    cr_expect_eq(sr_cgroup_memory(root), wanted, "%llu bytes, not %llu",
                 (unsigned long long)sr_cgroup_memory(root), (unsigned long long)wanted);
}

Test(cgroup, nothing_there_limits_nothing) {
    expect_processors(NONE);
    expect_memory(NONE);
    put(GROUPS, "0::/user.slice/a\n");
    expect_processors(NONE);
    expect_memory(NONE);
}

Test(cgroup, v2_quota_is_rounded_down) {
    put(GROUPS, "0::/job\n");
    put(FS "job/cpu.max", "250000 100000\n");
    expect_processors(2);
    put(FS "job/cpu.max", "199999 100000\n");
    expect_processors(1);
    put(FS "job/cpu.max", "50000 100000\n");
    expect_processors(0);
    put(FS "job/cpu.max", "600000 200000\n");
    expect_processors(3);
    put(FS "job/cpu.max", "max 100000\n");
    expect_processors(NONE);
}

/* The tightest counts, wherever it stands: the group itself, its parent, the root. */
Test(cgroup, v2_groups_above_bind_too) {
    put(GROUPS, "0::/kube/pod/box\n");
    put(FS "kube/pod/box/cpu.max", "800000 100000\n");
    put(FS "kube/pod/cpu.max", "max 100000\n");
    put(FS "kube/cpu.max", "400000 100000\n");
    expect_processors(4);
    put(FS "kube/pod/box/cpu.max", "300000 100000\n");
    expect_processors(3);
    put(FS "cpu.max", "100000 100000\n");
    expect_processors(1);
    put(FS "kube/pod/box/sibling/cpu.max", "0 100000\n");
    put(FS "kube/other/cpu.max", "0 100000\n");
    expect_processors(1);
}

Test(cgroup, v2_in_a_container_is_the_root) {
    put(GROUPS, "0::/\n");
    put(FS "cpu.max", "200000 100000\n");
    put(FS "memory.max", "1000\n");
    put(FS "memory.current", "300\n");
    expect_processors(2);
    expect_memory(700);
}

/* Without a namespace of its own a container sees the host's path, which is not there. */
Test(cgroup, v2_path_of_the_host_ends_at_the_root) {
    put(GROUPS, "0::/system.slice/docker-0123.scope\n");
    put(FS "cpu.max", "200000 100000\n");
    expect_processors(2);
}

Test(cgroup, v2_memory_counts_cache_as_free) {
    put(GROUPS, "0::/a/b\n");
    put(FS "a/b/memory.max", "1000\n");
    put(FS "a/b/memory.current", "900\n");
    expect_memory(100);
    put(FS "a/b/memory.stat", "anon 5\ninactive_file 600\ntotal_inactive_file 1\n");
    expect_memory(700);
    put(FS "a/memory.max", "2000\n");
    put(FS "a/memory.current", "1950\n");
    expect_memory(50);
    put(FS "a/memory.current", "2050\n");
    expect_memory(0);
    put(FS "a/memory.max", "max\n");
    put(FS "a/b/memory.max", "max\n");
    expect_memory(NONE);
}

/* Cache grows between the reading of two files; more of it than is used must not become free memory. */
Test(cgroup, cache_beyond_usage_is_not_believed) {
    put(GROUPS, "0::/\n");
    put(FS "memory.max", "1000\n");
    put(FS "memory.current", "400\n");
    put(FS "memory.stat", "inactive_file 401\n");
    expect_memory(600);
}

Test(cgroup, v1_with_controllers_mounted_together) {
    put(GROUPS, "12:cpuset:/box\n4:cpu,cpuacct:/box\n3:memory:/box\n1:name=systemd:/box\n0::/box\n");
    put(FS "cpu,cpuacct/box/cpu.cfs_quota_us", "350000\n");
    put(FS "cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    put(FS "cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put(FS "cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    expect_processors(3);
    put(FS "memory/box/memory.limit_in_bytes", "1000\n");
    put(FS "memory/box/memory.usage_in_bytes", "600\n");
    put(FS "memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n");
    put(FS "memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(FS "memory/memory.usage_in_bytes", "5000\n");
    expect_memory(500);
}

/* The kernel says "cpuacct,cpu" where the mount is "cpu,cpuacct" with a link "cpu" to it. */
Test(cgroup, v1_in_the_folder_of_one_controller) {
    put(GROUPS, "4:cpuacct,cpu:/a/b\n");
    put(FS "cpu/a/b/cpu.cfs_quota_us", "-1\n");
    put(FS "cpu/a/b/cpu.cfs_period_us", "100000\n");
    expect_processors(NONE);
    put(FS "cpu/a/cpu.cfs_quota_us", "200000\n");
    put(FS "cpu/a/cpu.cfs_period_us", "100000\n");
    expect_processors(2);
}

Test(cgroup, other_controllers_are_not_mistaken) {
    put(GROUPS, "2:cpuset:/x\n3:cpuacct:/x\n5:name=memory:/x\n");
    put(FS "cpu/x/cpu.cfs_quota_us", "100000\n");
    put(FS "cpu/x/cpu.cfs_period_us", "100000\n");
    put(FS "memory/x/memory.limit_in_bytes", "1\n");
    put(FS "memory/x/memory.usage_in_bytes", "1\n");
    expect_processors(NONE);
    expect_memory(NONE);
}

Test(cgroup, garbage_limits_nothing) {
    static const char *const quotas[] = {"",           "\n",          "lots 100000\n",    "100000\n",
                                         "100000 0\n", "-5 100000\n", "100000 -100000\n", "100000 x\n"};
    put(GROUPS, "0::/a\n");
    for (size_t i = 0; i < SR_COUNT(quotas); i++) {
        put(FS "a/cpu.max", quotas[i]);
        expect_processors(NONE);
    }
    put(FS "a/memory.max", "1000\n"); /* without its usage nothing can be said */
    expect_memory(NONE);
    put(FS "a/memory.max", "-1\n");
    put(FS "a/memory.current", "1\n");
    expect_memory(NONE);
    put(FS "cpu.max", "100000 100000\n");
    static const char *const lines[] = {"", "\n", ":\n", "::\n", "0:\n", "nonsense\n", "4:cpu\n"};
    for (size_t i = 0; i < SR_COUNT(lines); i++) {
        put(GROUPS, lines[i]);
        expect_processors(strcmp(lines[i], "::\n") == 0 ? 1 : NONE); /* that one is the root of v2 */
    }
}

/* A path longer than any file name can be is refused whole; it does not become a shorter one. */
Test(cgroup, a_path_that_is_too_long_is_left_out) {
    static char line[6000];
    memset(line, 'a', sizeof line - 1);
    memcpy(line, "0::/", 4);
    put(GROUPS, line);
    put(FS "cpu.max", "100000 100000\n");
    expect_processors(NONE);
}
