/* export.c: an export from the staging folder to the files that were asked for; see export.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "infer/export.h"

#define PROBES 64 /* rows that are compared: more than any block of forward.c has */

#define SPARED_MAX ((size_t)16 << 20) /* what is larger is nothing that export writes beside */

static const struct sr_exporter exporters[] = {
#define SR_EXPORT(name, ending, help)                                                                        \
    {#name, ending, help, sr_export_##name##_write, sr_export_##name##_check},
#include "infer/exports.def"
#undef SR_EXPORT
};

const struct sr_exporter *sr_exporters(size_t *n) {
    *n = SR_COUNT(exporters);
    return exporters;
}

const struct sr_exporter *sr_exporter_find(const char *name) {
    for (size_t i = 0; i < SR_COUNT(exporters); i++)
        if (strcmp(exporters[i].name, name) == 0)
            return &exporters[i];
    return NULL;
}

const char *sr_export_path(char path[SR_EXPORT_PATH], const char *folder, const char *name,
                           struct sr_error *err) {
    if (snprintf(path, SR_EXPORT_PATH, "%s/%s", folder, name) < SR_EXPORT_PATH)
        return path;
    sr_fail(err, SR_DATA, "%.100s/%.100s: the path is too long", folder, name);
    return NULL;
}

int sr_export_unrounded(const struct sr_export *e, struct sr_error *err) {
    if (e->router->precision == SAFEROUTE_COMPUTE_FLOAT32)
        return 0;
    return sr_fail(
        err, SR_DATA,
        "these weights are folded and rounded to %s, which this format has no place for: export the float32 "
        "weights that they were made from",
        sr_precision_name(e->router->precision));
}

int sr_export_spare(const struct sr_export *e, const char *name,
                    bool (*is_ours)(const struct sr_export *e, const char *text, size_t size),
                    struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    void *text = NULL;
    size_t size = 0;
    if (!e->target)
        return 0;
    if (!sr_export_path(path, e->target, name, err))
        return SR_DATA;
    const int status = sr_file_read(&text, &size, path, SPARED_MAX, err);
    const bool spare = status == SR_DATA || (status == 0 && !is_ours(e, text, size));
    sr_free(text);
    if (spare)
        return sr_fail(err, SR_USAGE,
                       "%s is there already and is not a file that export wrote for this --out: this format "
                       "writes one of that "
                       "name; choose another folder or name for --out, or move it away",
                       path);
    return status == SR_NOINPUT ? 0 : status;
}

int sr_export_compare(const struct sr_export *e, const char *path, float tolerance,
                      int (*logits)(void *user, float *logit, const float *x, size_t rows,
                                    struct sr_error *err),
                      void *user, struct sr_error *err) {
    const size_t width = sr_router_width(e->router);
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 0, 0);
    float want[PROBES], got[PROBES], *x = sr_alloc(PROBES * width, sizeof *x, err);
    if (!x)
        return SR_NOMEM;
    for (size_t i = 0; i < PROBES * width; i++)
        x[i] = (float)sr_random_normal(1, stream, i);
    sr_router_logits(e->router, want, x, PROBES);
    int status = logits(user, got, x, PROBES, err);
    for (size_t i = 0; status == 0 && i < PROBES; i++)
        if (!(fabsf(got[i] - want[i]) <= tolerance * (1 + fabsf(want[i]))))
            status =
                sr_fail(err, SR_BUG,
                        "%s: read back, it gives the logit %.9g where the router gives %.9g (probe row %zu); "
                        "nothing was kept of it: please report this",
                        path, (double)got[i], (double)want[i], i);
    sr_free(x);
    return status;
}

/* ---- from the staging folder to the target ---- */

struct moving {
    struct sr_renaming names[SR_RENAMINGS];
    char path[SR_RENAMINGS][2][SR_EXPORT_PATH];
    size_t n;
};

static int move_add(struct moving *m, const char *stage, const char *target, const char *name,
                    struct sr_error *err) {
    if (m->n == SR_RENAMINGS)
        return sr_fail(err, SR_BUG, "an export of more than %d files", SR_RENAMINGS);
    char *from = m->path[m->n][0], *to = m->path[m->n][1];
    if (!sr_export_path(from, stage, name, err) || !sr_export_path(to, target, name, err))
        return SR_DATA;
    m->names[m->n++] = (struct sr_renaming){from, to, false};
    return 0;
}

/* All files of the staging folder, or none. */
static int move_files(const char *stage, const char *target, struct sr_error *err) {
    struct moving *m = sr_alloc(1, sizeof *m, err);
    DIR *folder;
    do
        folder = opendir(stage);
    while (!folder && errno == EINTR);
    int status = !m ? SR_NOMEM
                 : folder
                     ? 0
                     : sr_fail(err, sr_errno_status(errno, SR_IO), "%s: %s", stage, sr_errno_text(errno));
    for (struct dirent *d; status == 0 && (d = readdir(folder));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            status = move_add(m, stage, target, d->d_name, err);
    if (folder)
        closedir(folder);
    if (status == 0)
        status = sr_rename_all(m->names, m->n, err);
    sr_free(m);
    return status;
}

static int make_folder(const char *path, bool *made, struct sr_error *err) {
    struct stat st;
    *made = TEMP_FAILURE_RETRY(mkdir(path, 0777)) == 0;
    if (*made)
        return sr_rename_sync(path, err); /* a new name, which must last as well */
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return sr_fail(err, SR_IO, "%s: cannot make this folder: %s", path, strerror(errno));
}

/* out: what the staging folder's own name says it is for. */
static int stage_and_move(const struct sr_export *e, const struct sr_exporter *to, const char *target,
                          const char *out, struct sr_error *err) {
    char *stage;
    int lock, status = sr_temporary_folder(&stage, &lock, out, 0700, err);
    if (status < 0)
        return status;
    status = to->write(e, stage, err);
    if (status == 0)
        status = to->check(e, stage, err);
    if (sr_json_lost()) /* of what was written, or of what was read back, something is missing */
        status = sr_fail(err, SR_NOMEM, "%s: out of memory", out);
    if (status == 0)
        status = move_files(stage, target, err);
    if (status < 0)
        sr_error_rename(err, stage, target);
    sr_temporary_folder_end(stage, lock);
    return status;
}

int sr_export(const struct sr_export *e, const struct sr_exporter *to, const char *out,
              struct sr_error *err) {
    char target[SR_EXPORT_PATH], inside[SR_EXPORT_PATH];
    struct sr_export own = *e;
    if (strlen(out) >= SR_EXPORT_PATH)
        return sr_fail(err, SR_USAGE, "--out %.100s...: the path is too long", out);
    if (strcmp(to->ending, "/") == 0) {
        bool made;
        int status = make_folder(out, &made, err);
        own.target = out;
        if (status == 0)
            status = sr_export_path(inside, out, "export", err) ? stage_and_move(&own, to, out, inside, err)
                                                                : SR_DATA;
        if (status < 0 && made)
            rmdir(out); /* which is empty, unless the files got their names */
        return status;
    }
    if (!sr_ends_in(out, to->ending))
        return sr_fail(err, SR_USAGE, "--out %s: a file of --to %s ends in %s", out, to->name, to->ending);
    sr_path_folder(target, sizeof target, out);
    own.name = sr_path_name(out);
    own.target = target;
    return stage_and_move(&own, to, target, out, err);
}
