/* paths.c: lists of dumps with patterns. See data.h.
 *
 * Patterns are those of glob(3), so that a flag in a configuration file means what it means on a command
 * line. Matches are sorted by bytes, whatever the locale: the order of files is the order of rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
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

static bool is_pattern(const char *item) {
    const char *bracket = strchr(item, '[');
    return strpbrk(item, "*?") || (bracket && strchr(bracket, ']'));
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int append_matches(struct list *l, const char *pattern, const glob_t *found, struct sr_error *err) {
    int status = 0;
    qsort(found->gl_pathv, found->gl_pathc, sizeof *found->gl_pathv, compare);
    for (size_t i = 0; i < found->gl_pathc && status == 0; i++)
        if (strchr(found->gl_pathv[i], ','))
            status = sr_fail(err, SR_USAGE,
                             "%s matches %s, but a comma separates the names of a list; rename the file",
                             pattern, found->gl_pathv[i]);
        else
            status = append(l, found->gl_pathv[i], err);
    return status;
}

static _Thread_local int unread; /* an errno: glob(3) hands nothing through */

/* A folder that is not there has no files; of one that cannot be read nobody knows. */
static int note_unread(const char *folder, int why) {
    (void)folder;
    unread = why;
    return why != ENOENT;
}

static int append_pattern(struct list *l, const char *pattern, size_t *matches, struct sr_error *err) {
    glob_t found = {0};
    int status, result = glob(pattern, GLOB_NOSORT, note_unread, &found);
    *matches = found.gl_pathc;
    if (result == GLOB_ABORTED)
        status = sr_fail(err, sr_errno_status(unread, SR_NOINPUT), "%s: a folder cannot be read: %s", pattern,
                         sr_errno_text(unread));
    else if (result == GLOB_NOSPACE)
        status = sr_fail(err, SR_NOMEM, "%s: out of memory while looking for files", pattern);
    else if (result != 0)
        status = sr_fail(err, SR_NOINPUT, "%s: no file matches this pattern", pattern);
    else
        status = append_matches(l, pattern, &found, err);
    globfree(&found);
    return status;
}

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
