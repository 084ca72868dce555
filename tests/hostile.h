/* hostile.h: the malformed files of tests/hostile and what is expected of each.
 *
 * tests/hostile/FORMAT holds the files and tests/hostile/FORMAT.tsv a line for each:
 *
 *     FILE <tab> EXIT STATUS <tab> COMMANDS <tab> MESSAGE
 *
 * MESSAGE is a part of what is said that no other fault of such a file would say; EXIT STATUS is the
 * program's; 0: the file is read, and the line in front of it that begins with # says why that is right.
 * COMMANDS are names, joined by commas, of what the program is run with besides (hostile_command), "-" for
 * none. Made by scripts/make_hostile_files.py, files and tables.
 *
 *     ParameterizedTestParameters(hostile, pt) { return hostile_parameters("pt"); }
 *     ParameterizedTest(struct hostile *h, hostile, pt) { hostile_expect(h, parse(h->path, &err), &err); }
 *
 * Each case is a process of its own, so that a crash names its file, and has a limit of memory that a bomb
 * would not keep.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_HOSTILE_H
#define SR_TEST_HOSTILE_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "data/h5.h"
#include "nn/base/base.h"
#include "tests/run_program.h"
#include "tests/trust.h"

#define HOSTILE_MOST   1024
#define HOSTILE_MEMORY ((size_t)512 << 20) /* bytes that a small file may take, above what there is */

struct hostile {
    char file[96], commands[64], message[200], path[300];
    int status; /* exit status of the program */
};

static inline const char *hostile_path(char path[300], const char *name) {
    snprintf(path, 300, "%s/tests/hostile/%s", SR_SOURCE_DIR, name);
    return path;
}

/* A stored dump that opens; close it with sr_h5_close. */
static inline struct sr_h5 *hostile_open(const char *name) {
    char path[300];
    struct sr_h5 *f;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, name), &err), 0, "%s", err.text);
    return f;
}

/* For what runs before the tests do, where an assertion of Criterion's would wait for ever. */
static inline void hostile_must(bool good, const char *what, const char *of) {
    if (good)
        return;
    fprintf(stderr, "tests/hostile: %s: %s\n", of, what);
    exit(1);
}

static inline void hostile_copy(char *to, size_t size, const char *from) {
    const size_t n = strlen(from);
    hostile_must(n < size, "a field is too long", from);
    memcpy(to, from, n + 1);
}

/* A line of a table; false for an empty one or a remark. */
static inline bool hostile_line(struct hostile *h, char *line, const char *format) {
    char *field[4] = {line, NULL, NULL, NULL};
    char name[200];
    line[strcspn(line, "\n")] = '\0';
    if (*line == '#' || *line == '\0')
        return false;
    for (int i = 0; i < 3; i++) {
        char *tab = strchr(field[i], '\t');
        hostile_must(tab, "a line without four fields", line);
        *tab = '\0';
        field[i + 1] = tab + 1;
    }
    hostile_copy(h->file, sizeof h->file, field[0]);
    hostile_copy(h->commands, sizeof h->commands, field[2]);
    hostile_copy(h->message, sizeof h->message, field[3]);
    snprintf(name, sizeof name, "%s/%s", format, h->file);
    hostile_path(h->path, name);
    h->status = atoi(field[1]);
    return true;
}

/* All cases of a format into list, which has room for HOSTILE_MOST. */
static inline size_t hostile_load(struct hostile *list, const char *format) {
    char path[300], name[64];
    char line[512];
    size_t n = 0;
    snprintf(name, sizeof name, "%s.tsv", format);
    FILE *from = fopen(hostile_path(path, name), "r");
    hostile_must(from, "no such table", path);
    while (fgets(line, sizeof line, from)) {
        hostile_must(n < HOSTILE_MOST, "more cases than there is room for", format);
        n += hostile_line(&list[n], line, format);
    }
    fclose(from);
    return n;
}

static inline struct criterion_test_params hostile_parameters(const char *format) {
    struct hostile *list = cr_malloc(HOSTILE_MOST * sizeof *list);
    return cr_make_param_array(struct hostile, list, hostile_load(list, format));
}

/* Every line has its file, every file its line, and no file has two. */
static inline void hostile_check_table(const char *format, size_t least) {
    struct hostile *list = malloc(HOSTILE_MOST * sizeof *list);
    char path[300];
    size_t files = 0;
    cr_assert_not_null(list);
    const size_t n = hostile_load(list, format);
    cr_expect_geq(n, least, "%s.tsv has %zu lines", format, n);
    for (size_t i = 0; i < n; i++) {
        cr_expect_eq(access(list[i].path, R_OK), 0, "%s.tsv: no file %s", format, list[i].file);
        for (size_t k = 0; k < i; k++)
            cr_expect_str_neq(list[i].file, list[k].file, "%s.tsv: two lines for %s", format, list[i].file);
    }
    DIR *folder = opendir(hostile_path(path, format));
    cr_assert_not_null(folder, "%s", path);
    for (const struct dirent *e; (e = readdir(folder));) {
        size_t i = 0;
        if (e->d_name[0] == '.')
            continue;
        while (i < n && strcmp(list[i].file, e->d_name) != 0)
            i++;
        cr_expect_lt(i, n, "tests/hostile/%s/%s has no line in %s.tsv", format, e->d_name, format);
        files++;
    }
    closedir(folder);
    cr_expect_eq(files, n);
    free(list);
}

/* ---- limits ---- */

static inline double hostile_cpu(void) {
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Address space: what there is and HOSTILE_MEMORY. Not where a sanitizer has reserved terabytes. */
static inline void hostile_limit_memory(void) {
    unsigned long pages = 0;
    FILE *from = fopen("/proc/self/statm", "r");
    if (*SR_SANITIZE || !from || fscanf(from, "%lu", &pages) != 1)
        pages = 0;
    if (from)
        fclose(from);
    const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + HOSTILE_MEMORY;
    const struct rlimit limit = {most, most};
    if (pages > 0)
        cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
}

/* ---- expectations ---- */

/* A parser returned status, with err where that is negative, after seconds of CPU time. */
static inline void hostile_expect(const struct hostile *h, int status, const struct sr_error *err,
                                  double seconds) {
    const int exit_status = sr_status_exit(status < 0 ? status : 0);
    char text[SR_ERROR_TEXT]; /* as the program shows it */
    sr_utf8_clean(text, sizeof text, status < 0 ? err->text : "");
    cr_expect_eq(exit_status, h->status, "%s: exit status %d, not %d: %s", h->file, exit_status, h->status,
                 text);
    cr_expect(strstr(text, h->message), "%s: \"%s\" is not in: %s", h->file, h->message, text);
    cr_expect_lt(seconds, trust_seconds(), "%s: %g s of CPU", h->file, seconds);
}

static inline bool hostile_runs(const struct hostile *h, const char *command) {
    const size_t n = strlen(command);
    for (const char *at = h->commands; (at = strstr(at, command)); at += n)
        if ((at == h->commands || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

/* The program was run with the file: it must say the same and print nothing on stdout. */
static inline void hostile_expect_run(const struct hostile *h, const char *command, struct run r) {
    cr_expect_eq(r.status, h->status, "%s %s: exit status %d, not %d: %s", command, h->file, r.status,
                 h->status, r.err);
    cr_expect(strstr(r.err, h->message), "%s %s: \"%s\" is not in: %s", command, h->file, h->message, r.err);
    for (const char *c = r.err; *c; c++)
        cr_expect(*c == '\n' || (unsigned char)*c >= ' ', "%s %s: prints the byte %d", command, h->file, *c);
    if (h->status != 0)
        cr_expect_str_empty(r.out, "%s %s printed: %s", command, h->file, r.out);
    run_end(&r);
}

#endif
