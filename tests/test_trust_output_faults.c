/* test_trust_output_faults.c: no output is lost or left half-written, whatever its n-th file operation says.
 *
 * Every command that writes is run with a fault in the first, second, ... operation on what it writes, until
 * it makes fewer. Interruptions and short writes must not be noticed; of any other fault the status is 74,
 * the message says the reason, and the targets are the same bytes as before, or all of them the new ones
 * where the program says so (only the folder's fsync failed) or failed at looking at what it had written.
 * Nothing else is left, except what a fault in the removal itself left. SR_TRUST_ONLY=NAME runs the commands
 * whose name has that in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fault.h"
#include "tests/trust.h"
#include "tests/trust_commands.h"
#include "tests/trust_folder.h"

static const struct what {
    const char *name;
    int number; /* 0: is ridden out */
} whats[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EDQUOT", EDQUOT},
             {"EROFS", EROFS},   {"EINTR", 0}, {"short", 0}};

struct trial {
    const char *folder;
    const struct trust_command *command;
    struct tree before, after;
    struct run fine; /* the run without a fault */
    size_t tried;
};

/* The call that the fault came to, of the log: its kind and path. */
struct struck {
    char kind[16], path[512];
};

static struct struck struck_read(const char *folder) {
    char path[256], line[2048], mark;
    struct struck s = {.kind = "none"};
    FILE *from = fopen(fault_path(path, sizeof path, folder, "fault.log"), "r");
    cr_assert_not_null(from);
    while (fgets(line, sizeof line, from))
        if (sscanf(line, "%*s %*d %*d %*d %*d %c", &mark) == 1 && mark == '!') {
            sscanf(line, "%15s %*d %*d %*d %*d %*c %511s", s.kind, s.path);
            break;
        }
    fclose(from);
    return s;
}

static bool is_train(const struct trial *t) {
    return strncmp(t->command->command, "train", 5) == 0;
}

/* A run folder is written step by step: what is there must lead to the same result. */
static const char *resumes(const struct trial *t) {
    static char text[600];
    struct tree now;
    struct stat st;
    if (stat("out/run", &st) < 0)
        return NULL;
    struct run r = run_program(t->folder, "train --resume out/run");
    snprintf(text, sizeof text, "--resume ends with %d: %.400s", r.status, r.err);
    const bool fine = r.status == 0;
    run_end(&r);
    tree_take(&now, "out");
    const char *differs = tree_differs(&now, &t->after, trust_clocks);
    tree_free(&now);
    return fine ? differs : text;
}

static bool left_is_allowed(const struct struck *s) {
    return strcmp(s->kind, "unlink") == 0 || strcmp(s->kind, "rmdir") == 0;
}

/* What is wrong with the state of out/ after a run, or NULL. */
static const char *state_wrong(const struct trial *t, const struct faulted *f, const struct struck *s,
                               const struct tree *now) {
    const char *from_old = tree_differs(now, &t->before, NULL),
               *from_new = tree_differs(now, &t->after, trust_clocks);
    if (f->run.status == 0)
        return left_is_allowed(s) ? NULL : from_new;
    if (is_train(t))
        return resumes(t);
    const bool looked = strcmp(s->kind, "read") == 0 || strcmp(s->kind, "open") == 0;
    if (!from_old || left_is_allowed(s))
        return NULL;
    if (!from_new && (strstr(f->run.err, "it is written") || (looked && !strstr(s->path, ".tmp"))))
        return NULL;
    return from_old;
}

static void judge(struct trial *t, const struct what *what, const char *fault, struct faulted *f) {
    const struct struck s = struck_read(t->folder);
    struct tree now;
    tree_take(&now, "out");
    const bool same = f->run.status == t->fine.status;
    cr_expect(same || (what->number && f->run.status == 74),
              "%s, SR_FAULT=%s at %s %s: status %d, signal %d: %s", t->command->name, fault, s.kind, s.path,
              f->run.status, f->signal, f->run.err);
    if (!same)
        cr_expect(strstr(f->run.err, strerror(what->number)), "%s, SR_FAULT=%s at %s %s: no reason in: %s",
                  t->command->name, fault, s.kind, s.path, f->run.err);
    if (!same)
        cr_expect(strstr(f->run.err, "out"), "%s, SR_FAULT=%s at %s %s: no name in: %s", t->command->name,
                  fault, s.kind, s.path, f->run.err);
    f->run.status = same ? 0 : f->run.status;
    const char *wrong = state_wrong(t, f, &s, &now);
    cr_expect(!wrong, "%s, SR_FAULT=%s at %s %s: status %d, but %s (%s)", t->command->name, fault, s.kind,
              s.path, f->run.status, wrong, f->run.err);
    tree_free(&now);
    tree_take(&now, "out");
    tree_restore(&t->before, &now);
    tree_free(&now);
}

/* False once the command makes fewer calls than n. */
static bool try(struct trial *t, const char *kinds, size_t n, const char *more, const struct what *what) {
    char fault[256];
    snprintf(fault, sizeof fault, "%s:%zu%s:%s:%s/out/", kinds, n, more, what->name, t->folder);
    struct faulted f = run_faulted(t->folder, fault, "%s", t->command->command);
    const bool came = f.fired > 0;
    t->tried += came;
    judge(t, what, fault, &f);
    faulted_end(&f);
    return came;
}

static void trial_begin(struct trial *t, const char *folder, const struct trust_command *c) {
    *t = (struct trial){.folder = folder, .command = c};
    if (c->before)
        run_fine(folder, c->before);
    tree_take(&t->before, "out");
    t->fine = run_program(folder, "%s", c->command);
    cr_assert_leq(t->fine.status, 1, "%s: %s", c->command, t->fine.err);
    tree_take(&t->after, "out");
    cr_assert(tree_differs(&t->before, &t->after, NULL), "%s writes nothing", c->name);
    tree_restore(&t->before, &t->after);
}

static void trial_end(struct trial *t) {
    struct tree now;
    tree_take(&now, "out");
    for (size_t i = now.n; i-- > 1;)
        remove(now.at[i].path);
    tree_free(&now);
    tree_free(&t->before);
    tree_free(&t->after);
    run_end(&t->fine);
}

#define KINDS  "any,close"
#define FILLED "open,write,fsync,rename,link,mkdir,truncate" /* a full disk lets files be removed */

/* Every fault, at all calls in the long form, else at some of them, others for each fault. */
static void each_fault(struct trial *t, const char *pattern_kinds) {
    char none[256];
    snprintf(none, sizeof none, "%s:1000000000:EIO:%s/out/", pattern_kinds, t->folder);
    struct faulted f = run_faulted(t->folder, none, "%s", t->command->command);
    const size_t calls = f.counted;
    faulted_end(&f);
    struct tree now;
    tree_take(&now, "out");
    tree_restore(&t->before, &now);
    tree_free(&now);
    cr_assert_gt(calls, 0);
    const size_t times = trust_times(calls, calls < 3 ? calls : 3);
    for (size_t w = 0; w < SR_COUNT(whats); w++)
        for (size_t i = 0; i < times; i++) {
            const uint64_t stream = sr_stream(SR_STREAM_TEST, w, calls);
            const size_t n = times == calls ? i + 1 : 1 + sr_random_below(8, stream, i, calls);
            try(t, pattern_kinds, n, "", &whats[w]);
        }
    if (times == calls)
        cr_assert_not(try(t, pattern_kinds, calls + 1, "", &whats[1]));
}

/* Where a later one of several targets cannot be replaced, those before it are put back. */
Test(output_faults, all_targets_or_none) {
    fault_need();
    static const char *const several[] = {"split", "export pt", "export c", "export hf"};
    char *folder = trust_begin();
    for (size_t k = 0; k < SR_COUNT(several); k++)
        for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
            struct trial t;
            if (strcmp(trust_written[i].name, several[k]) != 0)
                continue;
            trial_begin(&t, folder, &trust_written[i]);
            size_t n = 1;
            while (try(&t, "rename", n, "", &whats[1]))
                n++;
            cr_expect_gt(n, 2, "%s renames %zu times", several[k], n - 1);
            trial_end(&t);
        }
    trust_end(folder);
}

Test(output_faults, each_command, .timeout = 3000) {
    fault_need();
    char *folder = trust_begin();
    size_t tried = 0;
    const char *only = getenv("SR_TRUST_ONLY");
    for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
        struct trial t;
        if (only && !strstr(trust_written[i].name, only))
            continue;
        trial_begin(&t, folder, &trust_written[i]);
        each_fault(&t, KINDS);
        tried += t.tried;
        trial_end(&t);
    }
    cr_log_info("%zu faults", tried);
    trust_end(folder);
}
