/* paths.c: lists of dumps with patterns. See data.h.
 *
 * Patterns are those of glob(3), so that a flag in a configuration file means what it means on a command
 * line. Matches are sorted by bytes, whatever the locale: the order of files is the order of rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/data.h"

struct list {
    char *text;
    size_t used, room;
};

static int append(struct list *l, const char *path, struct sr_error *err) {
    const size_t length = strlen(path), needed = l->used + length + 2; /* comma, NUL */
    if (!l->text || needed > l->room) {
        char *grown = sr_realloc(l->text, l->used, 2 * needed, err);
        if (!grown)
            return SR_NOMEM;
        l->text = grown;
        l->room = 2 * needed;
    }
    if (l->used > 0)
        l->text[l->used++] = ',';
    memcpy(l->text + l->used, path, length + 1);
    l->used += length;
    return 0;
}

/* ---- patterns ---- */

static bool is_pattern(const char *item) {
    const char *bracket = strchr(item, '[');
    return strpbrk(item, "*?") || (bracket && strchr(bracket, ']'));
}

/* Paths that fit the first steps of a pattern, each of sr_alloc. */
struct matches {
    char **path;
    size_t n, room;
};

static void matches_free(struct matches *m) {
    for (size_t i = 0; i < m->n; i++)
        sr_free(m->path[i]);
    sr_free(m->path);
    *m = (struct matches){0};
}

/* The path `before`/`name`. */
static int matches_add(struct matches *m, const char *before, const char *name, struct sr_error *err) {
    const size_t size = strlen(before) + strlen(name) + 2;
    if (m->n == m->room) {
        const size_t room = 2 * m->room + 8;
        char **grown = sr_realloc(m->path, m->n * sizeof *grown, room * sizeof *grown, err);
        if (!grown)
            return SR_NOMEM;
        m->path = grown;
        m->room = room;
    }
    m->path[m->n] = sr_alloc(size, 1, err);
    if (!m->path[m->n])
        return SR_NOMEM;
    const bool joined = !*before || before[strlen(before) - 1] == '/';
    snprintf(m->path[m->n++], size, "%s%s%s", before, joined ? "" : "/", name);
    return 0;
}

/* What is not there has no files; of a folder that cannot be read nobody knows. */
static int unread(const char *path, struct sr_error *err) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
        return 0;
    return sr_fail(err, sr_errno_status(errno, SR_NOINPUT), "%s cannot be searched: %s",
                   *path ? path : "this folder", sr_errno_text(errno));
}

/* What in the folder fits a step. */
static int match_names(struct matches *m, const char *folder, const char *step, struct sr_error *err) {
    DIR *d;
    do
        d = opendir(*folder ? folder : ".");
    while (!d && errno == EINTR);
    if (!d)
        return unread(folder, err);
    int status = 0;
    for (const struct dirent *entry; status == 0;) {
        errno = 0;
        if (!(entry = readdir(d))) {
            status = errno ? unread(folder, err) : 0;
            break;
        }
        if (fnmatch(step, entry->d_name, FNM_PERIOD) == 0)
            status = matches_add(m, folder, entry->d_name, err);
    }
    closedir(d);
    return status;
}

/* A step that is a name fits where there is such a file, as far as anybody may know. */
static int match_step(struct matches *m, const char *before, const char *step, struct sr_error *err) {
    struct stat st;
    if (strpbrk(step, "*?[\\"))
        return match_names(m, before, step, err);
    int status = matches_add(m, before, step, err);
    if (status == 0 && lstat(m->path[m->n - 1], &st) < 0) {
        if (errno == ENOMEM || errno == EIO)
            status = unread(m->path[m->n - 1], err);
        sr_free(m->path[--m->n]);
    }
    return status;
}

/* What glob(3) finds, which frees some twice when memory ends (glibc 2.36). The pattern is cut up. */
static int match_pattern(struct matches *m, char *pattern, struct sr_error *err) {
    int status = matches_add(m, *pattern == '/' ? "/" : "", "", err);
    for (char *step; status == 0 && (step = strsep(&pattern, "/"));) {
        struct matches before = *m;
        if (!*step && pattern) /* behind the last slash it is "", and fits folders */
            continue;
        *m = (struct matches){0};
        for (size_t i = 0; status == 0 && i < before.n; i++)
            status = match_step(m, before.path[i], step, err);
        matches_free(&before);
    }
    return status;
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int append_matches(struct list *l, const char *pattern, const struct matches *m,
                          struct sr_error *err) {
    int status = m->n > 0 ? 0 : sr_fail(err, SR_NOINPUT, "%s: no file matches this pattern", pattern);
    for (size_t i = 0; i < m->n && status == 0; i++)
        if (strchr(m->path[i], ','))
            status = sr_fail(err, SR_USAGE,
                             "%s matches %s, but a comma separates the names of a list; rename the file",
                             pattern, m->path[i]);
        else
            status = append(l, m->path[i], err);
    return status;
}

static int append_pattern(struct list *l, const char *pattern, size_t *matches, struct sr_error *err) {
    struct matches m = {0};
    char *steps = sr_strdup(pattern, err);
    int status = steps ? match_pattern(&m, steps, err) : SR_NOMEM;
    if (status == 0 && m.n > 1)
        qsort(m.path, m.n, sizeof *m.path, compare);
    if (status == 0)
        status = append_matches(l, pattern, &m, err);
    *matches = m.n;
    matches_free(&m);
    sr_free(steps);
    return status;
}

/* ---- lists ---- */

static int append_item(struct list *l, const char *item, size_t *matches, struct sr_error *err) {
    *matches = 1;
    if (!*item)
        return sr_fail(err, SR_USAGE, "a list of dumps has an empty name; write A.h5,B.h5");
    if (access(item, F_OK) == 0 || !is_pattern(item))
        return append(l, item, err);
    return append_pattern(l, item, matches, err);
}

int sr_data_paths(char **out, const char *list, size_t *files, size_t room, struct sr_error *err) {
    struct list l = {0};
    char *copy = sr_strdup(list, err), *rest = copy, *item;
    int status = copy ? 0 : SR_NOMEM;
    if (files)
        memset(files, 0, room * sizeof *files);
    for (size_t i = 0, matches; status == 0 && (item = strsep(&rest, ",")); i++) {
        status = append_item(&l, item, &matches, err);
        if (status == 0 && files && i == room)
            status = sr_fail(err, SR_USAGE, "a list of dumps has more than %zu items: %s", room, list);
        if (status == 0 && files)
            files[i] = matches;
    }
    sr_free(copy);
    if (status < 0)
        sr_free(l.text);
    else
        *out = l.text;
    return status;
}
