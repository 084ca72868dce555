/* test_trust_isolate_command.c: --isolate as a user gives it: the same results, the same reasons, and what is
 * said where it cannot be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <glob.h>

#include "tests/run_program.h"

static const char *const dumps = SR_SOURCE_DIR "/tests/dumps/";

static void expect_same(const char *folder, const char *command, const char *path) {
    struct run here = run_program(folder, "%s '%s'", command, path);
    struct run away = run_program(folder, "%s --isolate '%s'", command, path);
    cr_expect_eq(away.status, here.status, "%s %s: %s", command, path, away.err);
    cr_expect_str_eq(away.out, here.out, "%s %s", command, path);
    cr_expect_str_eq(away.err, here.err, "%s %s", command, path);
    run_end(&here);
    run_end(&away);
}

/* Good ones and bad ones: what is read, and why not. */
Test(trust_isolate_command, every_dump_reads_the_same, .timeout = 600) {
    char *folder = folder_begin(), pattern[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s*.h5", dumps);
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        expect_same(folder, "data inspect", found.gl_pathv[i]);
        expect_same(folder, "data check", found.gl_pathv[i]);
    }
    cr_expect_gt(found.gl_pathc, 80);
    globfree(&found);
    folder_end(folder);
}

Test(trust_isolate_command, a_dump_is_made_clean) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "data convert --dtype keep %sfull.h5 --out %s/a.h5", dumps, folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "data convert --isolate --dtype keep %sfull.h5 --out %s/b.h5", dumps, folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "data compare --isolate %s/b.h5 %sfull.h5 --min-cosine 1 --max-flips 0", folder,
                    dumps);
    expect_in(r.out, "the same: every number is");
    run_end(&r);
    char command[512];
    snprintf(command, sizeof command, "cmp '%s/a.h5' '%s/b.h5'", folder, folder);
    cr_expect_eq(system(command), 0);
    folder_end(folder);
}

Test(trust_isolate_command, what_copies_with_hdf5_says_what_to_do) {
    char *folder = folder_begin();
    expect_failure(run_program(folder, "data repack --isolate %sfull.h5 --out %s/o.h5", dumps, folder), 2,
                   "saferoute data convert --isolate");
    expect_failure(run_program(folder, "data label --isolate %sfull.h5 --out %s/o.h5", dumps, folder), 2,
                   "saferoute data convert --isolate");
    expect_failure(run_program(folder, "data synth --isolate --out %s/o.h5", folder), 2, "unknown option");
    folder_end(folder);
}

/* Bits of full.h5, in a list of lengths, in the sizes of a heap's strings and of the heap itself. With one of
 * them flipped HDF5 1.10.8 reads or writes where it may not, or takes minutes or all memory.
 * (Another version may well be better, and so may another machine's malloc.) */
static const size_t not_survived[] = {16127, 16287, 16382, 49344, 49384, 49407, 50499,
                                      50504, 50510, 50728, 50747, 51500, 51846};

/* full.h5 to folder/x.h5, with a bit flipped (SIZE_MAX: none). */
static void flip(const char *folder, size_t bit) {
    char path[512];
    struct sr_error err;
    void *bytes;
    size_t size;
    snprintf(path, sizeof path, "%sfull.h5", dumps);
    cr_assert_eq(sr_file_read(&bytes, &size, path, 1 << 20, &err), 0, "%s", err.text);
    if (bit < 8 * size)
        ((unsigned char *)bytes)[bit / 8] ^= (unsigned char)(1u << bit % 8);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    cr_assert_eq(sr_atomic_file_write(path, bytes, size, &err), 0, "%s", err.text);
    sr_free(bytes);
}

Test(trust_isolate_command, what_hdf5_does_not_survive_is_refused, .timeout = 600) {
    char *folder = folder_begin(), compare[512], out[256];
    size_t died = 0;
    snprintf(compare, sizeof compare, "cmp '%s/good.h5' '%s/out.h5'", folder, folder);
    snprintf(out, sizeof out, "%s/out.h5", folder);
    flip(folder, SIZE_MAX);
    struct run r = run_program(folder, "data convert --dtype keep %s/x.h5 --out %s/good.h5", folder, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    for (size_t i = 0; i < SR_COUNT(not_survived); i++) {
        flip(folder, not_survived[i]);
        r = run_program(folder, "data convert --isolate --dtype keep %s/x.h5 --out %s", folder, out);
        cr_expect(r.status == 65 || r.status == 0, "bit %zu: %d: %s", not_survived[i], r.status, r.err);
        if (r.status == 0)
            cr_expect_eq(system(compare), 0, "bit %zu is read, as something else", not_survived[i]);
        else
            cr_expect(strstr(r.err, "x.h5: ") && access(out, F_OK) != 0, "bit %zu: %s", not_survived[i],
                      r.err);
        died += strstr(r.err, "its reader (--isolate)") != NULL;
        run_end(&r);
        unlink(out);
    }
    cr_log_info("of %zu dumps %zu were the end of their reader", SR_COUNT(not_survived), died);
    folder_end(folder);
}

/* The reader of a training run is killed from outside; the run ends with a reason, and can be resumed. */
Test(trust_isolate_command, a_reader_that_dies_in_training_is_told, .timeout = 300) {
    char *folder = folder_begin(), command[2048];
    snprintf(command, sizeof command, "data synth --rows 3000 --width 32 --seed 1 --out %s/t.h5", folder);
    run_fine(folder, command);
    snprintf(command, sizeof command,
             "'%s' train --isolate --memory 1K --train '%s/t.h5' --val-fraction .2 --epochs 100000 "
             "--patience 100000 "
             "--hidden 8 --checkpoint-seconds 0 --out '%s/run' >/dev/null 2>'%s/said' & p=$!; "
             "while ! [ -f '%s/run/checkpoint.safetensors' ]; do kill -0 $p || exit 9; sleep .05; done; "
             "kill -KILL $(cat /proc/$p/task/$p/children); wait $p",
             SR_PROGRAM, folder, folder, folder, folder);
    const int raw = system(command);
    char path[256];
    snprintf(path, sizeof path, "%s/said", folder);
    char *said = slurp(path);
    cr_expect(WIFEXITED(raw) && WEXITSTATUS(raw) == 65, "wait status %x: %s", (unsigned)raw, said);
    expect_in(said, "died of signal 9");
    sr_free(said);
    struct run r = run_program(folder, "inspect %s/run/checkpoint.safetensors", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    folder_end(folder);
}
