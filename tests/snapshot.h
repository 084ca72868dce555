/* snapshot.h: all that lies below a folder, with the bytes of its files: to say later what became of each,
 * and to put it back.
 *
 *     struct snapshot *before = snapshot_take("out");
 *     ...
 *     snapshot_expect(before, "out", NULL, "after a failure");    // nothing has changed
 *     snapshot_restore(before, "out");
 *     snapshot_free(before);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_SNAPSHOT_H
#define SR_TEST_SNAPSHOT_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/base/base.h"

#define SNAPSHOT_FILES 128

/* A folder comes before what lies in it; of one folder by name. */
struct snapshot {
    size_t n;
    struct snapshot_file {
        char name[256]; /* below the folder; folders end in / and have no bytes */
        char *bytes;    /* of sr_alloc */
        size_t size;
    } file[SNAPSHOT_FILES];
};

/* Files of a run folder that tell times, so they differ from run to run. */
static const char *const snapshot_times[] = {"timing.csv", "train.log", NULL};

static inline void snapshot_free(struct snapshot *s) {
    for (size_t i = 0; s && i < s->n; i++)
        sr_free(s->file[i].bytes);
    free(s);
}

/* ---- taken ---- */

static inline struct snapshot_file *snapshot_more(struct snapshot *s, const char *below, const char *name,
                                                  bool is_folder) {
    cr_assert_lt(s->n, (size_t)SNAPSHOT_FILES);
    struct snapshot_file *f = &s->file[s->n++];
    char whole[sizeof f->name]; /* below may be the name of another of them */
    const int n = snprintf(whole, sizeof whole, "%s%s%s", below, name, is_folder ? "/" : "");
    cr_assert(n > 0 && (size_t)n < sizeof whole, "%s%s", below, name);
    memcpy(f->name, whole, sizeof whole);
    return f;
}

static inline void snapshot_add(struct snapshot *s, const char *folder, const char *below) {
    char path[768];
    struct dirent **entry;
    snprintf(path, sizeof path, "%s/%s", folder, below);
    const int n = scandir(path, &entry, NULL, alphasort);
    cr_assert_geq(n, 0, "%s", path);
    for (int i = 0; i < n; free(entry[i++])) {
        const char *name = entry[i]->d_name;
        struct stat st;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s%s", folder, below, name);
        cr_assert_eq(lstat(path, &st), 0, "%s", path);
        cr_assert(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode), "%s", path);
        struct snapshot_file *f = snapshot_more(s, below, name, S_ISDIR(st.st_mode));
        void *bytes;
        if (S_ISDIR(st.st_mode)) {
            snapshot_add(s, folder, f->name);
            continue;
        }
        cr_assert_eq(sr_file_read(&bytes, &f->size, path, (size_t)1 << 28, NULL), 0, "%s", path);
        f->bytes = bytes;
    }
    free(entry);
}

/* Free with snapshot_free. */
static inline struct snapshot *snapshot_take(const char *folder) {
    struct snapshot *s = calloc(1, sizeof *s);
    snapshot_add(s, folder, "");
    return s;
}

/* ---- compared ---- */

static inline const struct snapshot_file *snapshot_find(const struct snapshot *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->file[i].name, name) == 0)
            return &s->file[i];
    return NULL;
}

static inline bool snapshot_same(const struct snapshot_file *a, const struct snapshot_file *b) {
    return a && b && a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* The last part of the name is one of `names`, which end with NULL. */
static inline bool snapshot_named(const char *name, const char *const *names) {
    const char *last = sr_path_name(name);
    while (names && *names && strcmp(*names, last) != 0)
        names++;
    return names && *names;
}

/* The first thing that is other than it was, as a text that lasts until the next call, or NULL. Of files
 * with a name in `but` only that they are there counts. */
static inline const char *snapshot_differs(const struct snapshot *was, const struct snapshot *is,
                                           const char *const *but) {
    static char text[400];
    for (size_t i = 0; i < was->n; i++) {
        const struct snapshot_file *a = &was->file[i], *b = snapshot_find(is, a->name);
        if (b && (snapshot_same(a, b) || snapshot_named(a->name, but)))
            continue;
        snprintf(text, sizeof text, b ? "%s differs (%zu and %zu bytes)" : "%s is missing", a->name, a->size,
                 b ? b->size : 0);
        return text;
    }
    for (size_t i = 0; i < is->n; i++)
        if (!snapshot_find(was, is->file[i].name)) {
            snprintf(text, sizeof text, "%s was left behind", is->file[i].name);
            return text;
        }
    return NULL;
}

/* The folder is as it was, but for those. when: for the message. */
static inline void snapshot_expect(const struct snapshot *was, const char *folder, const char *const *but,
                                   const char *when) {
    struct snapshot *is = snapshot_take(folder);
    const char *differs = snapshot_differs(was, is, but);
    cr_expect_null(differs, "%s: %s", when, differs);
    snapshot_free(is);
}

/* No file in the folder has a temporary name. */
static inline void snapshot_expect_finished(const char *folder, const char *when) {
    struct snapshot *is = snapshot_take(folder);
    for (size_t i = 0; i < is->n; i++)
        cr_expect_null(strstr(is->file[i].name, ".tmp"), "%s: %s was left behind", when, is->file[i].name);
    snapshot_free(is);
}

/* ---- put back ---- */

static inline void snapshot_remove(const struct snapshot *s, const char *folder) {
    for (size_t i = s->n; i-- > 0;) {
        char path[768];
        snprintf(path, sizeof path, "%s/%s", folder, s->file[i].name);
        cr_assert_eq(remove(path), 0, "%s", path);
    }
}

/* Empties the folder. */
static inline void snapshot_clear(const char *folder) {
    struct snapshot *is = snapshot_take(folder);
    snapshot_remove(is, folder);
    snapshot_free(is);
}

static inline void snapshot_write(const struct snapshot_file *f, const char *folder) {
    char path[768];
    snprintf(path, sizeof path, "%s/%s", folder, f->name);
    if (f->name[strlen(f->name) - 1] == '/') {
        cr_assert_eq(mkdir(path, 0777), 0, "%s", path);
        return;
    }
    FILE *to = fopen(path, "wb");
    cr_assert_not_null(to, "%s", path);
    cr_assert_eq(fwrite(f->bytes, 1, f->size, to), f->size, "%s", path);
    cr_assert_eq(fclose(to), 0, "%s", path);
}

/* Makes the folder as it was, or anew. */
static inline void snapshot_restore(const struct snapshot *s, const char *folder) {
    cr_assert(mkdir(folder, 0777) == 0 || errno == EEXIST, "%s", folder);
    struct snapshot *is = snapshot_take(folder);
    if (snapshot_differs(s, is, NULL)) {
        snapshot_remove(is, folder);
        for (size_t i = 0; i < s->n; i++)
            snapshot_write(&s->file[i], folder);
    }
    snapshot_free(is);
}

#endif
