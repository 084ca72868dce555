/* test_train_resume.c: runs that are gone on with after something in their folder was damaged, lost or
 * changed: the result is the run's own, or the command says what is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "nn/nn.h"
#include "tests/small_run.h"

/* The first epoch stays the best: nothing is learnt. */
#define STILL "--lr 1e-12 --eta-min 1e-12 "

static void put(const char *path, const char *text) {
    struct sr_error err = {0};
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0, "%s", err.text);
}

static void copy(const char *to, const char *from) {
    struct sr_error err = {0};
    cr_assert_eq(sr_file_copy(to, from, (size_t)1 << 26, &err), 0, "%s", err.text);
}

/* folder/name; four of them at a time. */
static const char *at(const char *folder, const char *name) {
    static char path[4][256];
    static int i;
    return fault_path(path[i = (i + 1) % 4], sizeof path[0], folder, name);
}

static struct run resume(const char *folder, const char *run) {
    return run_program(folder, "train --resume '%s/%s'", folder, run);
}

static void resume_fine(const char *folder, const char *run) {
    struct run r = resume(folder, run);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

/* A run that was told to end behind its second epoch. */
static void stopped_run(const char *folder, const char *run, const char *more) {
    struct faulted f =
        run_faulted(folder, "rename:2:signal=TERM:metrics.csv", "%s", small_run_begin(folder, run, more));
    cr_assert_eq(f.run.status, 75, "%s", f.run.err);
    faulted_end(&f);
}

static bool same_file(const char *a, const char *b) {
    void *bytes[2];
    size_t size[2];
    cr_assert_eq(sr_file_read(&bytes[0], &size[0], a, (size_t)1 << 26, NULL), 0, "%s", a);
    cr_assert_eq(sr_file_read(&bytes[1], &size[1], b, (size_t)1 << 26, NULL), 0, "%s", b);
    const bool same = size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0;
    sr_free(bytes[0]);
    sr_free(bytes[1]);
    return same;
}

/* ---- the result ---- */

Test(train_resume, a_good_router_is_not_replaced_by_garbage, .timeout = 120) {
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "sd", "--seeds 2 --seed 1"));
    copy(at(folder, "good"), at(folder, "sd/best.safetensors"));
    put(at(folder, "sd/seed-1/best.safetensors"), "garbage\n");
    put(at(folder, "sd/seed-2/best.safetensors"), "garbage\n");
    expect_failure(resume(folder, "sd"), 65, "best.safetensors");
    cr_expect(same_file(at(folder, "sd/best.safetensors"), at(folder, "good")));
    folder_end(folder);
}

Test(train_resume, a_finished_run_has_its_result, .timeout = 120) {
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "run", ""));
    run_fine(folder, small_run_begin(folder, "other", "--seed 9"));
    copy(at(folder, "good"), at(folder, "run/best.safetensors"));
    put(at(folder, "run/best.safetensors"), "garbage\n");
    expect_failure(resume(folder, "run"), 65, "best.safetensors");
    copy(at(folder, "run/best.safetensors"), at(folder, "other/best.safetensors"));
    expect_failure(resume(folder, "run"), 65, "another run");
    cr_assert_eq(unlink(at(folder, "run/best.safetensors")), 0);
    expect_failure(resume(folder, "run"), 66, "best.safetensors");
    copy(at(folder, "run/best.safetensors"), at(folder, "good"));
    resume_fine(folder, "run");
    folder_end(folder);
}

Test(train_resume, a_summary_that_is_damaged_is_written_anew, .timeout = 120) {
    static const char *const names[] = {"run/summary.json", "run/summary.txt"};
    static const char *const texts[] = {"", "{\"best_", "[]", "{}", NULL};
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "run", ""));
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        copy(at(folder, "good"), at(folder, names[i]));
        for (size_t k = 0; k < SR_COUNT(texts); k++) {
            if (texts[k])
                put(at(folder, names[i]), texts[k]);
            else
                cr_assert_eq(unlink(at(folder, names[i])), 0);
            resume_fine(folder, "run");
            cr_expect(same_file(at(folder, names[i]), at(folder, "good")), "%s, %s", names[i],
                      texts[k] ? texts[k] : "gone");
        }
    }
    folder_end(folder);
}

/* Weights as other programs leave them: the numbers are those of a run, but nothing says so. */
static void figures_remove(const char *to, const char *from) {
    struct sr_safetensors *s;
    struct sr_error err = {0};
    cr_assert_eq(sr_safetensors_open(&s, from, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(to, s, &(const struct sr_pair){"metrics", NULL}, 1, &err), 0, "%s",
                 err.text);
    sr_safetensors_close(s);
}

/* A best epoch that stays the best is written once, before the run was stopped. */
Test(train_resume, a_stopped_run_needs_its_best_router, .timeout = 120) {
    fault_need();
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "other", STILL "--seed 9"));
    stopped_run(folder, "run", STILL);
    copy(at(folder, "good"), at(folder, "run/best.safetensors"));
    cr_assert_eq(unlink(at(folder, "run/best.safetensors")), 0);
    expect_failure(resume(folder, "run"), 66, "best.safetensors");
    put(at(folder, "run/best.safetensors"), "garbage\n");
    expect_failure(resume(folder, "run"), 65, "best.safetensors");
    copy(at(folder, "run/best.safetensors"), at(folder, "other/best.safetensors"));
    expect_failure(resume(folder, "run"), 65, "another run");
    cr_expect_neq(access(at(folder, "run/summary.json"), F_OK), 0, "figures of another run are claimed");
    figures_remove(at(folder, "run/best.safetensors"), at(folder, "good"));
    expect_failure(resume(folder, "run"), 65, "another run");
    copy(at(folder, "run/best.safetensors"), at(folder, "good"));
    resume_fine(folder, "run");
    folder_end(folder);
}

/* ---- the checkpoint ---- */

/* A number of run.position, in a file whose sums are right. */
static void position_set(const char *path, size_t index, int64_t value) {
    struct sr_safetensors *s;
    struct sr_error err = {0};
    cr_assert_eq(sr_safetensors_open(&s, path, &err), 0, "%s", err.text);
    memcpy((char *)sr_safetensors_find(s, "run.position")->data + index * sizeof value, &value, sizeof value);
    cr_assert_eq(sr_safetensors_rewrite(path, s, NULL, 0, &err), 0, "%s", err.text);
    sr_safetensors_close(s);
}

Test(train_resume, positions_that_cannot_be, .timeout = 120) {
    static const struct {
        size_t index;
        int64_t value;
    } cases[] = {{0, INT64_MAX}, {0, ((int64_t)1 << 53) + 1}, {0, 0},
                 {3, INT64_MAX}, {3, ((int64_t)1 << 53) + 1}, {5, 2},
                 {5, -1}};
    fault_need();
    char *folder = folder_begin();
    small_run_dumps(folder);
    stopped_run(folder, "run", "");
    copy(at(folder, "good"), at(folder, "run/checkpoint.safetensors"));
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        copy(at(folder, "run/checkpoint.safetensors"), at(folder, "good"));
        position_set(at(folder, "run/checkpoint.safetensors"), cases[i].index, cases[i].value);
        struct run r = resume(folder, "run");
        cr_expect(r.status == 65 && strstr(r.err, "run.position"), "number %zu is %lld: status %d: %s",
                  cases[i].index, (long long)cases[i].value, r.status, r.err);
        run_end(&r);
    }
    copy(at(folder, "run/checkpoint.safetensors"), at(folder, "good"));
    resume_fine(folder, "run");
    folder_end(folder);
}

Test(train_resume, a_lost_checkpoint_is_told, .timeout = 120) {
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "run", ""));
    cr_assert_eq(unlink(at(folder, "run/checkpoint.safetensors")), 0);
    expect_failure(resume(folder, "run"), 66, "checkpoint.safetensors");
    cr_assert_eq(unlink(at(folder, "run/metrics.csv")), 0);
    cr_assert_eq(symlink("/nowhere/at/all", at(folder, "run/checkpoint.safetensors")), 0);
    expect_failure(resume(folder, "run"), 66, "checkpoint.safetensors");
    cr_assert_eq(unlink(at(folder, "run/checkpoint.safetensors")), 0);
    cr_assert_eq(mkdir(at(folder, "run/checkpoint.safetensors"), 0777), 0);
    expect_failure(resume(folder, "run"), 66, "checkpoint.safetensors");
    cr_assert_eq(rmdir(at(folder, "run/checkpoint.safetensors")), 0);
    cr_assert_eq(mkfifo(at(folder, "run/checkpoint.safetensors"), 0666), 0);
    expect_failure(resume(folder, "run"), 66, "checkpoint.safetensors");
    cr_assert_eq(unlink(at(folder, "run/checkpoint.safetensors")), 0);
    resume_fine(folder, "run"); /* as one that was killed before the first */
    folder_end(folder);
}

/* ---- other files of the folder ---- */

Test(train_resume, data_json_that_is_damaged, .timeout = 120) {
    static const char *const texts[] = {"", "[]", "{}", "{\"identity\": {}}",
                                        "{\"identity\": {\"config\": 1}}"};
    fault_need();
    char *folder = folder_begin();
    small_run_dumps(folder);
    stopped_run(folder, "run", "");
    copy(at(folder, "good"), at(folder, "run/data.json"));
    for (size_t i = 0; i < SR_COUNT(texts); i++) {
        put(at(folder, "run/data.json"), texts[i]);
        expect_failure(resume(folder, "run"), 65, texts[i][0] ? "damaged" : "data.json");
    }
    cr_assert_eq(unlink(at(folder, "run/data.json")), 0);
    cr_assert_eq(symlink("data.json", at(folder, "run/data.json")), 0); /* which leads nowhere, for ever */
    expect_failure(resume(folder, "run"), 74, "data.json");
    cr_assert_eq(unlink(at(folder, "run/data.json")), 0);
    copy(at(folder, "run/data.json"), at(folder, "good"));
    resume_fine(folder, "run");
    folder_end(folder);
}

/* Nobody writes to them and nobody reads: whoever opens one as a file waits for ever. */
Test(train_resume, pipes_among_the_files, .timeout = 600) {
    static const char *const of_stopped[] = {"data.json", "train.log", "timing.csv", "metrics.csv"};
    static const char *const of_finished[] = {"summary.txt", "summary.json", "metrics.jsonl"};
    char name[64], command[2048], *folder = folder_begin();
    fault_need();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "done", ""));
    stopped_run(folder, "run", "");
    for (size_t i = 0; i < SR_COUNT(of_stopped) + SR_COUNT(of_finished); i++) {
        const bool stopped = i < SR_COUNT(of_stopped);
        const char *file = stopped ? of_stopped[i] : of_finished[i - SR_COUNT(of_stopped)];
        snprintf(name, sizeof name, "%s/%s", stopped ? "run" : "done", file);
        cr_assert_eq(rename(at(folder, name), at(folder, "kept")), 0, "%s", name);
        cr_assert_eq(mkfifo(at(folder, name), 0666), 0);
        snprintf(command, sizeof command,
                 "timeout -s KILL 60 '%s' train --resume '%s/%s' >/dev/null 2>'%s/stderr' </dev/null",
                 SR_PROGRAM, folder, stopped ? "run" : "done", folder);
        const int raw = system(command);
        char *text = slurp(at(folder, "stderr"));
        cr_expect(WIFEXITED(raw) && WEXITSTATUS(raw) == 74, "%s is a pipe: %x: %s", name, (unsigned)raw,
                  text);
        expect_in(text, file);
        sr_free(text);
        cr_assert_eq(rename(at(folder, "kept"), at(folder, name)), 0);
    }
    folder_end(folder);
}

/* Only temporary files of the run's own names, and only of writers that are no more. */
Test(train_resume, files_of_others_are_left_alone, .timeout = 120) {
    static const char *const kept[] = {"run/.notes.tmp", "run/.scores.csv.1234567.1a.tmp",
                                       "run/.best.safetensors.tmp", "run/.best.safetensors.12x.1a.tmp",
                                       "run/.metrics.csv.1234567.1b.tmp"};
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "run", ""));
    for (size_t i = 0; i < SR_COUNT(kept); i++)
        put(at(folder, kept[i]), "x");
    put(at(folder, "run/.metrics.csv.1234567.1c.tmp"), "x");
    cr_assert_eq(mkdir(at(folder, "run/.best.safetensors.1234567.1d.tmp"), 0777), 0);
    put(at(folder, "run/.best.safetensors.1234567.1d.tmp/router"), "x");
    const int fd = open(at(folder, kept[SR_COUNT(kept) - 1]), O_RDWR | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET}), 0);
    resume_fine(folder, "run");
    for (size_t i = 0; i < SR_COUNT(kept); i++)
        cr_expect_eq(access(at(folder, kept[i]), F_OK), 0, "%s is gone", kept[i]);
    cr_expect_neq(access(at(folder, "run/.metrics.csv.1234567.1c.tmp"), F_OK), 0, "a dead one is left");
    cr_expect_neq(access(at(folder, "run/.best.safetensors.1234567.1d.tmp"), F_OK), 0, "a folder is left");
    close(fd);
    folder_end(folder);
}

/* ---- runs that can never be ---- */

Test(train_resume, layers_no_router_has_leave_no_folder) {
    char *folder = folder_begin();
    small_run_dumps(folder);
    expect_failure(run_program(folder, "%s", small_run_begin(folder, "run", "--hidden 8192,8192")), 2,
                   "hidden");
    cr_expect_neq(access(at(folder, "run"), F_OK), 0, "the folder is there");
    folder_end(folder);
}
