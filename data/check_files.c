/* check_files.c: the files of a check opened one by one, and kind files: those that were not. See checks.def.
 *
 * One bad cell must not hide what the rest of a file says: a column that cannot be read is left out, as if
 * the dump had none, and is told by kind labels.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/check_parts.h"

/* ---- all files ---- */

/* A, B .. Z, AA, AB .. */
static void write_letter(char letter[SR_CHECK_LETTER], size_t i) {
    char turned[SR_CHECK_LETTER];
    size_t n = 0;
    for (i++; i > 0 && n < SR_CHECK_LETTER - 1; i = (i - 1) / 26)
        turned[n++] = (char)('A' + (i - 1) % 26);
    for (size_t k = 0; k < n; k++)
        letter[k] = turned[n - 1 - k];
    letter[n] = '\0';
}

static int name_files(struct sr_check_private *c, struct sr_error *err) {
    struct sr_check *check = c->check;
    size_t room = 1;
    for (const char *p = c->list; *p; p++)
        room += *p == ',';
    c->file = sr_alloc(room, sizeof *c->file, err);
    c->refused = sr_alloc(room, sizeof *c->refused, err);
    check->name = sr_alloc(room, sizeof *check->name, err);
    if (!c->file || !c->refused || !check->name)
        return SR_NOMEM;
    char *rest = c->list;
    for (char *path; (path = strsep(&rest, ","));) {
        write_letter(check->name[check->names].letter, check->names);
        check->name[check->names++].path = path;
    }
    return 0;
}

static int refuse_twice(const struct sr_check *check, size_t n, struct sr_error *err) {
    struct stat a, b;
    if (stat(check->name[n].path, &a) < 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (stat(check->name[i].path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return sr_fail(err, SR_USAGE, "%s and %s are the same file; give it once", check->name[i].path,
                           check->name[n].path);
    return 0;
}

/* As scripts/extract leaves it until the last row: F.h5.part with its notes F.h5.part.json. */
static bool is_unfinished(const char *path) {
    char notes[4096];
    const size_t length = strlen(path);
    if (length < 5 || strcmp(path + length - 5, ".part") != 0)
        return false;
    snprintf(notes, sizeof notes, "%s.json", path);
    return access(notes, F_OK) == 0;
}

static int open_file(struct sr_check_file *f, const struct sr_data_options *how, struct sr_error *why) {
    struct sr_data_options forgiving = *how;
    forgiving.label_optional = true;
    forgiving.troubles = &f->troubles;
    return sr_data_open(&f->data, f->path, &forgiving, why);
}

static int take_file(struct sr_check_private *c, const struct sr_check_name *name, struct sr_error *err) {
    struct sr_check_file *f = &c->file[c->files];
    struct sr_error why = {0};
    f->path = name->path;
    f->letter = name->letter;
    const int status = is_unfinished(f->path)
                           ? sr_fail(&why, SR_DATA,
                                     "%s: an extraction that is not finished: extract_features.py goes on "
                                     "with it where the same command is given again",
                                     f->path)
                           : open_file(f, &c->how->data, &why);
    if (status == SR_DATA) {
        c->refused[c->refusals].file = *f;
        c->refused[c->refusals++].why = why;
        memset(f, 0, sizeof *f);
        return 0;
    }
    if (status < 0)
        return sr_fail(err, status, "%s", why.text);
    f->first = c->check->rows;
    c->check->rows += f->data->rows;
    c->files++;
    return 0;
}

int sr_check_files_open(struct sr_check_private *c, struct sr_error *err) {
    const struct sr_check *check = c->check;
    int status = name_files(c, err);
    for (size_t i = 0; status == 0 && i < check->names; i++) {
        status = refuse_twice(check, i, err);
        if (status == 0)
            status = take_file(c, &check->name[i], err);
    }
    if (status == 0 && c->files == 0)
        status = sr_fail(err, SR_DATA, "%s", c->refused[0].why.text);
    c->check->files = c->files;
    return status;
}

const char *sr_check_without_path(const struct sr_check_file *f, const char *text) {
    const size_t n = strlen(f->path);
    return strncmp(text, f->path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

/* ---- the finding ---- */

/* Of what needs a width, in the files that have another. */
static void note_narrow(struct sr_check_private *c) {
    for (size_t i = 0; c->how->near > 0 && i < c->files; i++)
        if (c->file[i].data->width < SR_NEAR_WIDTH_MIN)
            sr_check_say(sr_check_skip(c, "near_duplicates", &c->file[i]),
                         "needs %d features a row, not %zu; exact duplicates were looked for",
                         SR_NEAR_WIDTH_MIN, c->file[i].data->width);
}

void sr_check_files(struct sr_check_private *c) {
    note_narrow(c);
    for (size_t i = 0; i < c->refusals; i++) {
        const struct sr_check_file *file = &c->refused[i].file;
        struct sr_finding *f = sr_check_add(c, "files", true, file);
        sr_check_say(f, "it was not looked through: %s", sr_check_without_path(file, c->refused[i].why.text));
        sr_check_advise(f, "mend it or leave it out; what is said below is about the other files");
    }
}
