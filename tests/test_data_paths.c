/* test_data_paths.c: lists of dumps with patterns.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "nn/base/philox.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

/* ---- a file system that fails ---- */

/* The next call of these fails so, for the library calls these instead of libc's. 0: none does. */
static int opendir_fails, readdir_fails, lstat_fails;

static bool fails(int *how) {
    if (*how == 0)
        return false;
    errno = *how;
    *how = 0;
    return true;
}

DIR *opendir(const char *path) {
    DIR *(*next)(const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "opendir");
    return fails(&opendir_fails) ? NULL : next(path);
}

struct dirent *readdir(DIR *d) {
    struct dirent *(*next)(DIR *);
    *(void **)&next = dlsym(RTLD_NEXT, "readdir");
    return fails(&readdir_fails) ? NULL : next(d);
}

int lstat(const char *restrict path, struct stat *restrict st) {
    return fails(&lstat_fails) ? -1 : fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

/* ---- lists ---- */

/* A folder to work in, with these files, empty but for *.h5, which are dumps. */
static char *folder_with(const char *const *names) {
    char *folder = folder_begin(), from[2048];
    cr_assert_eq(chdir(folder), 0);
    for (; *names; names++) {
        FILE *f = strstr(*names, ".h5") ? NULL : fopen(*names, "w");
        if (f)
            fclose(f);
        else
            cr_assert_eq(symlink(fixture_paths(from, "half"), *names), 0, "%s", *names);
    }
    return folder;
}

static void expect_list(const char *list, const char *want, size_t n, const size_t *counts) {
    char *got = NULL;
    size_t files[4] = {9, 9, 9, 9};
    struct sr_error err = {0};
    cr_assert_eq(sr_data_paths(&got, list, files, 4, &err), 0, "%s", err.text);
    cr_expect_str_eq(got, want);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(files[i], i < n ? counts[i] : 0, "%s: item %zu stands for %zu files", list, i, files[i]);
    sr_free(got);
}

#define EXPECT_LIST(list, want, ...)                                                                         \
    expect_list(list, want, SR_COUNT(((size_t[]){__VA_ARGS__})), (size_t[]){__VA_ARGS__})

static void expect_refused(const char *list, size_t room, int status, const char *word) {
    size_t files[4];
    char *got = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_paths(&got, list, files, room, &err), status, "%s: %s", list, err.text);
    cr_expect(strstr(err.text, word), "%s: no '%s' in: %s", list, word, err.text);
    cr_expect_null(got);
}

#define FOLDER(...) folder_with((const char *const[]){__VA_ARGS__, NULL})

Test(data_paths, patterns_become_their_files_sorted_by_bytes) {
    char *folder = FOLDER("b.h5", "a.h5", "C.h5", "a10.h5", "a2.h5", "note.txt", ".hidden.h5");
    EXPECT_LIST("*.h5", "C.h5,a.h5,a10.h5,a2.h5,b.h5", 5);
    EXPECT_LIST("b.h5,a?.h5", "b.h5,a2.h5", 1, 1);
    EXPECT_LIST("[ab].h5,note.txt,C*", "a.h5,b.h5,note.txt,C.h5", 2, 1, 1);
    folder_end(folder);
}

Test(data_paths, what_is_no_pattern_stays) {
    char *folder = FOLDER("a.h5", "odd[1].h5", "odd1.h5", "what?.h5", "what!.h5");
    EXPECT_LIST("nowhere.h5", "nowhere.h5", 1);
    EXPECT_LIST("nowhere[.h5,a.h5", "nowhere[.h5,a.h5", 1, 1);
    EXPECT_LIST("odd[1].h5,what?.h5", "odd[1].h5,what?.h5", 1, 1);
    EXPECT_LIST("odd[12].h5", "odd1.h5", 1);
    cr_assert_eq(mkdir("odd", 0777), 0);
    EXPECT_LIST("od*/", "odd/", 1);
    folder_end(folder);
}

/* ---- against glob(3) ---- */

static const char *const names[] = {"a",    "b",    ".a",   "a.h5", "b.h5",   "ab.h5",  "a-b",
                                    "a*b",  "[ab]", "d/a",  "d/b",  "d/.c",   "d/e/a",  "d/e/ab",
                                    "da/a", "da/f", "d[/a", "é.h5", "d/é.h5", "da/a.h5"};

static void make_tree(void) {
    static const char *const folders[] = {"d", "d/e", "da", "d["};
    for (size_t i = 0; i < SR_COUNT(folders); i++)
        cr_assert_eq(mkdir(folders[i], 0777), 0);
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        FILE *f = fopen(names[i], "w");
        cr_assert_not_null(f);
        fclose(f);
    }
    cr_assert_eq(symlink("l", "l"), 0);
}

/* Of two slashes in a row glob keeps both; before one at the end it takes some files for folders. */
static void make_pattern(char text[64], uint64_t trial) {
    static const char *const parts[] = {"a",     "b", "d", "e",   ".h5", ".", "*", "*", "?", "[ab]", "[!a]",
                                        "[a-d]", "[", "]", "\\*", "\\a", "/", "/", "é", "-", "l"};
    const uint64_t n = 1 + sr_random_below(9, 1, trial, 7);
    *text = '\0';
    for (uint64_t i = 0; i < n; i++) {
        const char *part = parts[sr_random_below(9, 2 + i, trial, SR_COUNT(parts))];
        const size_t used = strlen(text);
        if (*part != '/' || (used > 0 && text[used - 1] != '/'))
            strcat(text, part);
    }
    if (*text && text[strlen(text) - 1] == '/')
        text[strlen(text) - 1] = '\0';
}

/* Of a folder that cannot be read nobody knows. */
static int abort_unread(const char *path, int why) {
    (void)path;
    return why != ENOENT && why != ENOTDIR && why != ELOOP;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Not what would leave the folder: a step that ".." may fit. */
static bool is_searched_for(const char *text) {
    const char *bracket = strchr(text, '[');
    for (const char *step = text; strchr(step, '/'); step = strchr(step, '/') + 1)
        if (*step == '.')
            return false;
    return access(text, F_OK) != 0 && (strpbrk(text, "*?") || (bracket && strchr(bracket, ']')));
}

Test(data_paths, patterns_find_what_glob_finds) {
    char *folder = FOLDER("x"), text[64], want[4096];
    size_t found = 0;
    make_tree();
    for (uint64_t trial = 0; trial < 20000; trial++) {
        glob_t g = {0};
        char *got = NULL;
        make_pattern(text, trial);
        if (!is_searched_for(text))
            continue;
        const int result = glob(text, GLOB_NOSORT, abort_unread, &g);
        const int status = sr_data_paths(&got, text, NULL, 0, NULL);
        if (result == 0)
            qsort(g.gl_pathv, g.gl_pathc, sizeof *g.gl_pathv, by_bytes);
        *want = '\0';
        for (size_t i = 0; result == 0 && i < g.gl_pathc; i++)
            snprintf(want + strlen(want), sizeof want - strlen(want), "%s%s", i ? "," : "", g.gl_pathv[i]);
        cr_expect_eq(status, result == 0 ? 0 : SR_NOINPUT, "%s: %d", text, status);
        cr_expect_str_eq(got ? got : "", want, "%s", text);
        found += result == 0;
        sr_free(got);
        globfree(&g);
    }
    cr_expect(found > 1000, "%zu patterns find something", found);
    folder_end(folder);
}

Test(data_paths, refusals) {
    char *folder = FOLDER("a.h5", "b.h5", "x,y.h5");
    expect_refused("a.h5,*.h4", 4, SR_NOINPUT, "*.h4: no file matches");
    expect_refused("nowhere/*.h5", 4, SR_NOINPUT, "nowhere/*.h5: no file matches");
    cr_assert_eq(symlink("itself", "itself"), 0);
    expect_refused("itself/*.h5", 4, SR_NOINPUT, "itself/*.h5: no file matches");
    cr_assert_eq(symlink("nothing", "dangling"), 0);
    expect_refused("dangling/*.h5", 4, SR_NOINPUT, "dangling/*.h5: no file matches");
    expect_refused("", 4, SR_USAGE, "empty name");
    expect_refused("a.h5,,b.h5", 4, SR_USAGE, "empty name");
    expect_refused("a.h5,", 4, SR_USAGE, "empty name");
    expect_refused("a.h5,b.h5,a.h5", 2, SR_USAGE, "more than 2 items");
    expect_refused("x*", 4, SR_USAGE, "x,y.h5");
    char *got = NULL;
    cr_expect_eq(sr_data_paths(&got, "a.h5,a.h5,a.h5", NULL, 0, NULL), 0, "no counts wanted, any length");
    sr_free(got);
    folder_end(folder);
}

/* By whoever is not the superuser. */
Test(data_paths, a_folder_that_may_not_be_read) {
    char *folder = FOLDER("a.h5"), *got = NULL;
    cr_assert(chmod(folder, 0755) == 0 && mkdir("closed", 0) == 0 && mkdir("open", 0755) == 0);
    cr_assert_eq(symlink("../a.h5", "open/a.h5"), 0);
    const bool root = geteuid() == 0;
    if (root)
        cr_assert_eq(seteuid(65534), 0);
    expect_refused("*/*.h5", 4, SR_NOINPUT, "closed cannot be searched: Permission denied");
    cr_expect_eq(sr_data_paths(&got, "*/a.h5", NULL, 0, NULL), 0);
    cr_expect_str_eq(got, "open/a.h5");
    sr_free(got);
    if (root)
        cr_assert_eq(seteuid(0), 0);
    folder_end(folder);
}

/* A failure is no absence. */
Test(data_paths, a_file_system_that_fails) {
    char *folder = FOLDER("a.h5");
    opendir_fails = EINTR;
    EXPECT_LIST("*.h5", "a.h5", 1);
    opendir_fails = EIO;
    expect_refused("*.h5", 4, SR_NOINPUT, "this folder cannot be searched: Input/output error");
    readdir_fails = EIO;
    expect_refused("./*.h5", 4, SR_NOINPUT, ". cannot be searched: Input/output error");
    lstat_fails = EIO;
    expect_refused("a.h5/*", 4, SR_NOINPUT, "a.h5 cannot be searched: Input/output error");
    lstat_fails = ENOMEM;
    expect_refused("a.h5/*", 4, SR_NOMEM, "a.h5 cannot be searched");
    lstat_fails = EACCES;
    expect_refused("a.h5/*", 4, SR_NOINPUT, "a.h5/*: no file matches");
    folder_end(folder);
}

Test(data_paths, a_set_opens_patterns) {
    char *folder = FOLDER("part-2.h5", "part-1.h5");
    const char *path;
    size_t row;
    struct sr_data *d = open_paths("part-*.h5", NULL);
    cr_expect_eq(d->files, 2);
    cr_expect_eq(d->rows, 2 * FIXTURE_ROWS);
    sr_data_locate(d, FIXTURE_ROWS, &path, &row);
    cr_expect_str_eq(path, "part-2.h5");
    sr_data_close(d);
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, "part-[3-9].h5", NULL, &err), SR_NOINPUT);
    cr_expect(strstr(err.text, "part-[3-9].h5"), "%s", err.text);
    folder_end(folder);
}
