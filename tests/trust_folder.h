/* trust_folder.h: what lies in a folder, to be compared with what lay there, and put back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_TRUST_FOLDER_H
#define SR_TEST_TRUST_FOLDER_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/base/base.h"

#define TREE_MOST 96

/* Files and folders (bytes NULL) below a folder, sorted by path. */
struct tree {
    size_t n;
    struct {
        char path[256]; /* with the folder's own */
        char *bytes;
        size_t size;
    } at[TREE_MOST];
};

static inline void tree_free(struct tree *t) {
    for (size_t i = 0; i < t->n; i++)
        sr_free(t->at[i].bytes);
    t->n = 0;
}

static inline void tree_add(struct tree *t, const char *path) {
    struct sr_error err;
    struct stat st;
    void *bytes = NULL;
    size_t size = 0;
    cr_assert_lt(t->n, (size_t)TREE_MOST);
    cr_assert_eq(lstat(path, &st), 0, "%s", path);
    if (S_ISREG(st.st_mode))
        cr_assert_eq(sr_file_read(&bytes, &size, path, (size_t)1 << 26, &err), 0, "%s", err.text);
    snprintf(t->at[t->n].path, sizeof t->at[t->n].path, "%s", path);
    t->at[t->n].bytes = bytes;
    t->at[t->n++].size = size;
    if (!S_ISDIR(st.st_mode))
        return;
    struct dirent **list;
    const int n = scandir(path, &list, NULL, alphasort);
    cr_assert_geq(n, 0);
    for (int i = 0; i < n; i++) {
        char below[512];
        snprintf(below, sizeof below, "%s/%s", path, list[i]->d_name);
        if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
            tree_add(t, below);
        free(list[i]);
    }
    free(list);
}

static inline void tree_take(struct tree *t, const char *folder) {
    t->n = 0;
    tree_add(t, folder);
}

/* The first difference, as a text that lasts until the next call, or NULL. Of files of the names in `but`
 * only that they are there counts. */
static inline const char *tree_differs(const struct tree *a, const struct tree *b, const char *const *but) {
    static char text[600];
    for (size_t i = 0; i < a->n || i < b->n; i++) {
        const int order = i == a->n ? 1 : i == b->n ? -1 : strcmp(a->at[i].path, b->at[i].path);
        if (order != 0) {
            snprintf(text, sizeof text, "%s is only in the %s", order < 0 ? a->at[i].path : b->at[i].path,
                     order < 0 ? "first" : "second");
            return text;
        }
        const char *name = strrchr(a->at[i].path, '/');
        bool skip = false;
        for (const char *const *p = but; p && *p && name; p++)
            skip |= strcmp(name + 1, *p) == 0;
        const bool same = !a->at[i].bytes == !b->at[i].bytes && a->at[i].size == b->at[i].size &&
                          (!a->at[i].bytes || memcmp(a->at[i].bytes, b->at[i].bytes, a->at[i].size) == 0);
        if (!same && !skip) {
            snprintf(text, sizeof text, "%s differs (%zu and %zu bytes)", a->at[i].path, a->at[i].size,
                     b->at[i].size);
            return text;
        }
    }
    return NULL;
}

/* Where it is not the bytes that count: they hold times, and where a setting came from. */
static const char *const trust_clocks[] = {"timing.csv", "train.log", "config.yaml", NULL};

/* Makes the folder what t says; `is`: what is there now. */
static inline void tree_restore(const struct tree *t, const struct tree *is) {
    if (!tree_differs(t, is, NULL))
        return;
    for (size_t i = is->n; i-- > 0;)
        remove(is->at[i].path);
    for (size_t i = 0; i < t->n; i++) {
        if (!t->at[i].bytes) {
            cr_assert_eq(mkdir(t->at[i].path, 0777), 0, "%s", t->at[i].path);
            continue;
        }
        FILE *f = fopen(t->at[i].path, "wb");
        cr_assert_not_null(f);
        cr_assert_eq(fwrite(t->at[i].bytes, 1, t->at[i].size, f), t->at[i].size);
        cr_assert_eq(fclose(f), 0);
    }
}

#endif
