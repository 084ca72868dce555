/* fault.h: the program run with a fault in its n-th file operation (fault_shim.c says which there are).
 *
 *     for (size_t n = 1;; n++) {
 *         struct faulted f = run_faulted(folder, fault_text("write:%zu:ENOSPC:router.c", n), "export ...");
 *         const bool over = f.fired == 0;                    // it makes fewer than n such calls
 *         ...
 *         faulted_end(&f);
 *         if (over) break;
 *     }
 *
 * The log lies in folder/fault.log, of the last run only. A folder serves one process at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_FAULT_H
#define SR_TEST_FAULT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/run_program.h"

/* What became of a run: its status is -1 where a signal ended it, and that is `signal`. fired: how many calls
 * the fault came to; counted: how many were of the asked kinds and path, those among them. */
struct faulted {
    struct run run;
    int signal;
    size_t fired, counted;
};

/* Leaves the test, aloud, where the shim cannot work. */
static inline void fault_need(void) {
#ifndef __x86_64__
    cr_skip_test("the fault shim is for x86-64 only");
#endif
}

__attribute__((format(printf, 1, 2))) static inline const char *fault_text(const char *format, ...) {
    static char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return text;
}

static inline const char *fault_path(char *to, size_t size, const char *folder, const char *name) {
    snprintf(to, size, "%s/%s", folder, name);
    return to;
}

/* Begins saferoute with arguments as a shell reads them; fault: SR_FAULT, or NULL for the log alone; prefix:
 * more assignments ("SR_FAULT_DATA=x OMP_NUM_THREADS=1"), or NULL. Returns the process, to be given to
 * fault_wait, or stopped, killed and waited for by hand. */
__attribute__((format(printf, 4, 5))) static inline pid_t
fault_start(const char *folder, const char *fault, const char *prefix, const char *format, ...) {
    extern char **environ;
    char arguments[2048], command[8192], log[256];
    char shell[] = "/bin/sh", c[] = "-c", *argv[] = {shell, c, command, NULL};
    va_list list;
    pid_t pid;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    unlink(fault_path(log, sizeof log, folder, "fault.log"));
    /* The sanitizer of gcc wants to be the first library; the shim needs nothing of it. */
    snprintf(command, sizeof command,
             "exec env %s%s%s ASAN_OPTIONS=\"${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0\" "
             "SR_FAULT_LOG='%s' LD_PRELOAD='%s' %s '%s' %s >'%s/stdout' 2>'%s/stderr' </dev/null",
             fault ? "SR_FAULT='" : "", fault ? fault : "", fault ? "'" : "", log, SR_FAULT_SHIM,
             prefix ? prefix : "", SR_PROGRAM, arguments, folder, folder);
    cr_assert_eq(posix_spawn(&pid, shell, NULL, NULL, argv, environ), 0);
    return pid;
}

/* Lines of the log with that mark. */
static inline size_t fault_marked(const char *folder, char mark) {
    char path[256], *line = NULL, found;
    size_t room = 0, n = 0;
    FILE *from = fopen(fault_path(path, sizeof path, folder, "fault.log"), "r");
    while (from && getline(&line, &room, from) > 0)
        n += sscanf(line, "%*s %*d %*d %*d %*d %c", &found) == 1 && found == mark;
    free(line);
    if (from)
        fclose(from);
    return n;
}

/* Waits for the end. A shim that could not be set up (status 99) fails the test. */
static inline struct faulted fault_wait(pid_t pid, const char *folder) {
    char out[256], err[256];
    int raw;
    while (waitpid(pid, &raw, 0) < 0)
        cr_assert_eq(errno, EINTR);
    struct faulted f = {
        .run = {.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1,
                .out = slurp(fault_path(out, sizeof out, folder, "stdout")),
                .err = slurp(fault_path(err, sizeof err, folder, "stderr"))},
        .signal = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0,
        .fired = fault_marked(folder, '!'),
    };
    f.counted = f.fired + fault_marked(folder, '+');
    cr_assert_neq(f.run.status, 99, "%s", f.run.err);
    cr_assert_neq(f.signal, SIGSYS, "a call was trapped where SIGSYS is blocked");
    return f;
}

/* Both at once. */
#define run_faulted(folder, fault, ...) fault_wait(fault_start(folder, fault, NULL, __VA_ARGS__), folder)

static inline void faulted_end(struct faulted *f) {
    run_end(&f->run);
}

/* How many calls of these kinds on such paths a whole run makes: what n may be. The run must end well. */
#define fault_count(folder, kinds, pattern, ...)                                                             \
    fault_count_of(run_faulted(folder, fault_text("%s:1000000000:EIO:%s", kinds, pattern), __VA_ARGS__))

static inline size_t fault_count_of(struct faulted f) {
    cr_assert_eq(f.run.status, 0, "%s", f.run.err);
    faulted_end(&f);
    return f.counted;
}

#endif
