/* small_run.h: a training run small enough to be ended often, and what must be the same in the end.
 *
 * Five epochs of 13 steps over two windows, of which some are the best so far and some are not; early
 * stopping off. One thread: which of two ends first is no matter here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_SMALL_RUN_H
#define SR_TEST_SMALL_RUN_H

#include "tests/fault.h"
#include "tests/snapshot.h"

#define SMALL_RUN                                                                                            \
    "--hidden 8,6 --dropout 0.2,0.1 --batch 32 --epochs 5 --patience 0 --lr 0.01 --window 256 --threads 1 "

/* folder/train.h5 and folder/val.h5. */
static inline void small_run_dumps(const char *folder) {
    char line[512];
    snprintf(line, sizeof line, "data synth --out '%s/train.h5' --rows 400 --width 16 --seed 1", folder);
    run_fine(folder, line);
    snprintf(line, sizeof line, "data synth --out '%s/val.h5' --rows 150 --width 16 --seed 2", folder);
    run_fine(folder, line);
}

/* The arguments that begin a run in folder/run. */
static inline const char *small_run_begin(const char *folder, const char *run, const char *more) {
    static char line[2048];
    snprintf(line, sizeof line, "train --train '%s/train.h5' --val '%s/val.h5' --out '%s/%s' " SMALL_RUN "%s",
             folder, folder, folder, run, more);
    return line;
}

/* Those that begin it, or go on with it where there is one. */
static inline const char *small_run_go(const char *folder, const char *run, const char *more) {
    static char line[2048];
    char path[256];
    if (access(fault_path(path, sizeof path, folder, run), F_OK) != 0)
        return small_run_begin(folder, run, more);
    snprintf(line, sizeof line, "train --resume '%s'", path);
    return line;
}

static inline struct snapshot *small_run_look(const char *folder, const char *run) {
    char path[256];
    return snapshot_take(fault_path(path, sizeof path, folder, run));
}

/* Begins or goes on, to the end, which must be a good one. */
static inline void small_run_end(const char *folder, const char *run, const char *more) {
    run_fine(folder, small_run_go(folder, run, more));
}

/* What a run that is never stopped leaves behind. Free with snapshot_free. */
static inline struct snapshot *small_run_whole(const char *folder, const char *more) {
    small_run_end(folder, "whole", more);
    struct snapshot *s = small_run_look(folder, "whole");
    cr_assert(snapshot_find(s, "config.yaml"));
    return s;
}

/* The same files with the same bytes and nothing else; what tells times may be gone with the power, as it is
 * not synced. when: for the message. */
static inline void small_run_same(const char *folder, const char *run, const struct snapshot *whole,
                                  const char *when) {
    struct snapshot *is = small_run_look(folder, run);
    for (size_t i = 0; i < whole->n; i++)
        if (snapshot_named(whole->file[i].name, snapshot_times) && !snapshot_find(is, whole->file[i].name))
            snapshot_more(is, "", whole->file[i].name, false);
    const char *differs = snapshot_differs(whole, is, snapshot_times);
    cr_expect_null(differs, "%s: %s", when, differs);
    snapshot_free(is);
}

static inline void small_run_remove(const char *folder, const char *run) {
    char command[512];
    snprintf(command, sizeof command, "rm -rf '%s/%s' '%s'/.'%s'.*.tmp", folder, run, folder, run);
    cr_assert_eq(system(command), 0);
}

#endif
