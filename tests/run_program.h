/* run_program.h: the program run as a user would, for tests of commands.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_RUN_PROGRAM_H
#define SR_TEST_RUN_PROGRAM_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nn/base/base.h"

/* What one run printed, and its exit status (-1: it died by a signal). Free with run_end. */
struct run {
    int status;
    char *out, *err;
};

/* A new folder for a test's files; free the name with folder_end, which removes the folder too. */
static inline char *folder_begin(void) {
    char *name = strdup("/tmp/sr_test_XXXXXX");
    cr_assert_not_null(mkdtemp(name));
    return name;
}

static inline void folder_end(char *name) {
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", name);
    cr_expect_eq(system(command), 0);
    free(name);
}

static inline char *slurp(const char *path) {
    struct sr_error err;
    void *bytes;
    size_t size;
    cr_assert_eq(sr_file_read(&bytes, &size, path, (size_t)1 << 26, &err), 0, "%s", err.text);
    return bytes;
}

/* Runs saferoute with arguments as a shell reads them; folder takes what it prints. */
__attribute__((format(printf, 2, 3))) static inline struct run run_program(const char *folder,
                                                                           const char *format, ...) {
    char arguments[2048], command[4096], out[256], err[256];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(out, sizeof out, "%s/stdout", folder);
    snprintf(err, sizeof err, "%s/stderr", folder);
    snprintf(command, sizeof command, "'%s' %s >'%s' 2>'%s' </dev/null", SR_PROGRAM, arguments, out, err);
    const int raw = system(command);
    return (struct run){
        .status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1, .out = slurp(out), .err = slurp(err)};
}

static inline void run_end(struct run *r) {
    sr_free(r->out);
    sr_free(r->err);
}

/* A run that must end well, whatever it prints. */
static inline void run_fine(const char *folder, const char *arguments) {
    struct run r = run_program(folder, "%s", arguments);
    cr_assert_eq(r.status, 0, "%s: %s", arguments, r.err);
    run_end(&r);
}

/* The run must have ended with that status and, on stderr, that word. */
static inline void expect_failure(struct run r, int status, const char *word) {
    cr_expect_eq(r.status, status, "exit status %d, not %d: %s", r.status, status, r.err);
    cr_expect(strstr(r.err, word), "\"%s\" is not in: %s", word, r.err);
    cr_expect_str_empty(r.out);
    run_end(&r);
}

static inline void expect_in(const char *text, const char *word) {
    cr_expect(strstr(text, word), "\"%s\" is not in: %s", word, text);
}

/* ---- JSON that a run printed ---- */

static inline struct sr_json *parse(const char *text) {
    struct sr_json *o = NULL;
    struct sr_error err;
    cr_assert_eq(sr_json_parse(&o, text, strlen(text), &err), 0, "%s in: %s", err.text, text);
    return o;
}

/* The number at "delta.auprc". */
static inline double number(const struct sr_json *o, const char *path) {
    char copy[64], *rest = copy;
    double value = 0;
    snprintf(copy, sizeof copy, "%s", path);
    for (char *key; (key = strsep(&rest, "."));)
        o = sr_json_get(o, key);
    cr_assert(sr_json_as_number(o, &value), "%s", path);
    return value;
}

#endif
