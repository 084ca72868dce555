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
