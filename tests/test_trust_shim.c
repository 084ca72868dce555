/* test_trust_shim.c: the fault shim counts what the program does to a file, and every fault comes.
 *
 * What the shim must see is known without it: `data synth` writes its dump through a temporary file, once
 * created, written, synced, renamed, and the folder synced. That nothing is missed is checked by bytes: the
 * writes of the log, put where they say, must make the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fault.h"

static const char synth[] = "data synth --rows 300 --width 16 --seed 3 --out '%s/a.h5'";

static size_t count(const char *folder, const char *kinds, const char *pattern) {
    const size_t n = fault_count(folder, kinds, pattern, synth, folder);
    char path[256];
    unlink(fault_path(path, sizeof path, folder, "a.h5"));
    return n;
}

Test(shim, counts) {
    fault_need();
    char *folder = folder_begin();
    cr_expect_eq(count(folder, "rename", "a.h5"), 1);
    cr_expect_eq(count(folder, "fsync", "a.h5"), 1);
    cr_expect_eq(count(folder, "fsync", folder), 2, "the file and its folder");
    cr_expect_eq(count(folder, "mkdir,rmdir,link,unlink", folder), 0);
    cr_expect_geq(count(folder, "write", "a.h5"), 2);
    cr_expect_eq(count(folder, "write", "stdout") + count(folder, "write", "stderr"), 1);
    cr_expect_eq(count(folder, "any", "no such file"), 0);
    folder_end(folder);
}

/* The writes of the log make the file. */
Test(shim, misses_nothing) {
    fault_need();
    char *folder = folder_begin(), prefix[256], path[256], line[1024], kind[16], name[512];
    long long result, offset;
    snprintf(prefix, sizeof prefix, "SR_FAULT_DATA='%s/data'", folder);
    struct faulted f = fault_wait(fault_start(folder, NULL, prefix, synth, folder), folder);
    cr_assert_eq(f.run.status, 0, "%s", f.run.err);
    faulted_end(&f);
    char *file = slurp(fault_path(path, sizeof path, folder, "a.h5"));
    char *data = slurp(fault_path(path, sizeof path, folder, "data")), *at = data;
    char *made = calloc(1 << 20, 1);
    size_t size = 0;
    FILE *log = fopen(fault_path(path, sizeof path, folder, "fault.log"), "r");
    while (fgets(line, sizeof line, log)) {
        cr_assert_eq(sscanf(line, "%15s %lld %lld %*d %*d %*c %511s", kind, &result, &offset, name), 4, "%s",
                     line);
        if (strcmp(kind, "write") != 0 || result <= 0)
            continue;
        if (strstr(name, "a.h5")) {
            cr_assert_leq((size_t)(offset + result), (size_t)1 << 20);
            memcpy(made + offset, at, (size_t)result);
            size = (size_t)(offset + result) > size ? (size_t)(offset + result) : size;
        }
        at += result;
    }
    fclose(log);
    void *bytes;
    size_t whole;
    cr_assert_eq(sr_file_read(&bytes, &whole, fault_path(path, sizeof path, folder, "a.h5"), 1 << 24, NULL),
                 0);
    cr_expect_eq(size, whole);
    cr_expect_arr_eq(made, bytes, whole);
    free(made);
    sr_free(bytes);
    sr_free(data);
    sr_free(file);
    folder_end(folder);
}

Test(shim, kills) {
    fault_need();
    char *folder = folder_begin(), path[256];
    struct faulted f = run_faulted(folder, "rename:1:kill:a.h5", synth, folder);
    cr_expect_eq(f.signal, SIGKILL);
    cr_expect_eq(f.fired, 1);
    cr_expect_neq(access(fault_path(path, sizeof path, folder, "a.h5"), F_OK), 0, "not yet");
    faulted_end(&f);
    f = run_faulted(folder, "rename:1:kill_after:a.h5", synth, folder);
    cr_expect_eq(f.signal, SIGKILL);
    cr_expect_eq(access(path, F_OK), 0, "renamed already");
    faulted_end(&f);
    folder_end(folder);
}

Test(shim, fails) {
    fault_need();
    char *folder = folder_begin();
    struct faulted f = run_faulted(folder, "fsync:1:ENOSPC:a.h5", synth, folder);
    cr_expect_eq(f.run.status, 74, "%d %s", f.run.status, f.run.err);
    cr_expect(strstr(f.run.err, "No space"), "%s", f.run.err);
    faulted_end(&f);
    f = run_faulted(folder, "write:1+:short:a.h5", synth, folder);
    cr_expect_eq(f.run.status, 0, "%s", f.run.err);
    cr_expect_gt(f.fired, 2);
    faulted_end(&f);
    f = run_faulted(folder, "write:1:signal=TERM:a.h5", "%s",
                    "data synth --rows 300 --width 16 --out /tmp/none/a.h5");
    cr_expect_eq(f.fired, 0, "no such call");
    faulted_end(&f);
    f = run_faulted(folder, "rename:1:signal=TERM:b.h5", "data synth --rows 300 --width 16 --out '%s/b.h5'",
                    folder);
    cr_expect_eq(f.signal, SIGTERM);
    faulted_end(&f);
    folder_end(folder);
}
