/* error.h: how everything here fails.
 *
 * A function that can fail returns 0 or a negative status of the list below, and takes a struct sr_error as
 * its last parameter (NULL if the caller does not want the text). The message is made once, where the fault
 * is found, with its numbers: what, where, why, what to do. Callers pass it up unchanged. Only the program
 * turns a status into an exit status. No thread-local state: every thread brings its own struct.
 *
 *     struct sr_error err;
 *     if (sr_thing_open(&thing, path, &err) < 0)
 *         fprintf(stderr, "%s\n", err.text);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ERROR_H
#define SR_ERROR_H

/* X(name, value returned, exit status of the program, meaning) */
#define SR_STATUS_LIST(X)                                                                                    \
    X(OK, 0, 0, "done")                                                                                      \
    X(NO, -1, 1, "a check said no")                                                                          \
    X(USAGE, -2, 2, "wrong usage or configuration")                                                          \
    X(DATA, -3, 65, "bad data")                                                                              \
    X(NOINPUT, -4, 66, "no such input")                                                                      \
    X(BUG, -5, 70, "a bug in this program")                                                                  \
    X(NOMEM, -6, 71, "out of memory")                                                                        \
    X(IO, -7, 74, "input/output error")                                                                      \
    X(STOPPED, -8, 75, "stopped by a signal, with a checkpoint to resume from")

enum sr_status {
#define X(name, value, exit_status, meaning) SR_##name = (value),
    SR_STATUS_LIST(X)
#undef X
};

#define SR_ERROR_TEXT 512

struct sr_error {
    int status;               /* of the list above */
    char text[SR_ERROR_TEXT]; /* one line without control characters; cut at the end if it is longer */
};

/* Fills err (if not NULL) and returns status, so that "return sr_fail(err, SR_DATA, ...)" is one line. */
int sr_fail(struct sr_error *err, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What analysers (clang-tidy; gcc -fanalyzer, see scripts/analyse.sh) cannot see from another file: it is a
 * failure that is given back, so that what comes after a test for one has not failed. */
#if defined(__clang_analyzer__) || defined(SR_ANALYSE)
static inline int sr_fail_is_negative(int status) {
    if (status >= 0)
        __builtin_unreachable();
    return status;
}
#define sr_fail(...) sr_fail_is_negative(sr_fail(__VA_ARGS__))
#endif

/* What the message says of the file or folder `from` it says of `to`: of a file under a passing name, by its
 * own. err may be NULL. */
void sr_error_rename(struct sr_error *err, const char *from, const char *to);

/* A failure (SR_IO, SR_DATA) that is found where nothing can be returned any more, as when an input is
 * closed. A command that would else end well says it and ends with it. The first of the process is kept. Any
 * thread.
 */
void sr_error_note(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What was noted, or NULL. */
const struct sr_error *sr_error_noted(void);

/* Where a system call failed and errno says why: SR_NOMEM of ENOMEM, else `otherwise`; and the reason in
 * words. */
int sr_errno_status(int why, int otherwise);
const char *sr_errno_text(int why);

/* "cannot WHAT PATH: " and what errno says; SR_IO or SR_NOMEM. An errno of 0 is a failure of a stream before.
 */
int sr_fail_io(struct sr_error *err, const char *what, const char *path);

/* The program's exit status (0, 1, 2, 65, ...) for a returned status; 70 for one that is not in the list. */
int sr_status_exit(int status);

#endif
