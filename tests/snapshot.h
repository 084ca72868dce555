/* snapshot.h: all files below a folder with their bytes, to say afterwards what became of each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_SNAPSHOT_H
#define SR_TEST_SNAPSHOT_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/base/base.h"

#define SNAPSHOT_FILES 128

struct snapshot {
    size_t n;
    struct snapshot_file {
        char name[256]; /* below the folder; folders end in / and have no bytes */
        char *bytes;
        size_t size;
    } file[SNAPSHOT_FILES];
};

static inline void snapshot_add(struct snapshot *s, const char *folder, const char *below) {
    char path[768];
    snprintf(path, sizeof path, "%s/%s", folder, below);
    DIR *d = opendir(path);
    cr_assert_not_null(d, "%s", path);
    for (const struct dirent *entry; (entry = readdir(d));) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        cr_assert_lt(s->n, (size_t)SNAPSHOT_FILES);
        struct snapshot_file *f = &s->file[s->n++];
        cr_assert_lt(snprintf(f->name, sizeof f->name, "%s%s", below, entry->d_name),
                     (int)sizeof f->name - 1);
        snprintf(path, sizeof path, "%s/%s", folder, f->name);
        cr_assert_eq(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            strcat(f->name, "/");
            snapshot_add(s, folder, f->name);
            continue;
        }
        void *bytes;
        cr_assert_eq(sr_file_read(&bytes, &f->size, path, (size_t)1 << 28, NULL), 0);
        f->bytes = bytes;
    }
    closedir(d);
}

/* Free with snapshot_free. */
static inline struct snapshot *snapshot_take(const char *folder) {
    struct snapshot *s = calloc(1, sizeof *s);
    snapshot_add(s, folder, "");
    return s;
}

static inline void snapshot_free(struct snapshot *s) {
    for (size_t i = 0; s && i < s->n; i++)
        sr_free(s->file[i].bytes);
    free(s);
}

static inline const struct snapshot_file *snapshot_find(const struct snapshot *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->file[i].name, name) == 0)
            return &s->file[i];
    return NULL;
}

static inline bool snapshot_same(const struct snapshot_file *a, const struct snapshot_file *b) {
    return a && b && a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* Makes the folder anew as it was. */
static inline void snapshot_restore(const struct snapshot *s, const char *folder) {
    char command[1024], path[768];
    snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", folder, folder);
    cr_assert_eq(system(command), 0);
    for (size_t i = 0; i < s->n; i++) {
        const struct snapshot_file *f = &s->file[i];
        snprintf(path, sizeof path, "%s/%s", folder, f->name);
        if (f->name[strlen(f->name) - 1] == '/') {
            cr_assert_eq(mkdir(path, 0777), 0);
            continue;
        }
        FILE *to = fopen(path, "wb");
        cr_assert_not_null(to);
        cr_assert_eq(fwrite(f->bytes, 1, f->size, to), f->size);
        cr_assert_eq(fclose(to), 0);
    }
}

#endif
