/* test_data_paths.c: lists of dumps with patterns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

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
    folder_end(folder);
}

Test(data_paths, refusals) {
    char *folder = FOLDER("a.h5", "b.h5", "x,y.h5");
    expect_refused("a.h5,*.h4", 4, SR_NOINPUT, "*.h4: no file matches");
    expect_refused("nowhere/*.h5", 4, SR_NOINPUT, "nowhere/*.h5: no file matches");
    cr_assert_eq(symlink("itself", "itself"), 0);
    expect_refused("itself/*.h5", 4, SR_NOINPUT, "itself/*.h5: a folder cannot be read: ");
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
