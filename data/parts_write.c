/* parts_write.c: the parts of a dump as dumps. See parts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/parts.h"
#include "data/rewrite.h"
#include "data/set.h"
#include "data/table.h"

/* ---- names ---- */

/* The folder without links and dots, and the name: what a file that need not be there yet will be. */
static bool whole_path(char out[PATH_MAX + 256], const char *path) {
    char copy[PATH_MAX], folder[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy || !realpath(dirname(copy), folder))
        return false;
    return snprintf(out, PATH_MAX + 256, "%s/%s", folder, sr_path_name(path)) < PATH_MAX + 256;
}

static bool are_one(const char *a, const char *b) {
    char of_a[PATH_MAX + 256], of_b[PATH_MAX + 256];
    return sr_table_same_file(a, b) ||
           (whole_path(of_a, a) && whole_path(of_b, b) && strcmp(of_a, of_b) == 0);
}

static int check_names(const char *from, const struct sr_parting *how, struct sr_error *err) {
    for (int p = 0; p < SR_PARTS; p++) {
        if (!how->out[p])
            continue;
        if (are_one(how->out[p], from))
            return sr_fail(err, SR_USAGE, "--%s %s is the dump to split; give the part another name",
                           sr_part_name(p), how->out[p]);
        for (int q = 0; q < p; q++)
            if (how->out[q] && are_one(how->out[p], how->out[q]))
                return sr_fail(err, SR_USAGE, "--%s and --%s are the same file, %s", sr_part_name(q),
                               sr_part_name(p), how->out[p]);
    }
    return 0;
}

/* ---- one part ---- */

struct writing {
    struct sr_copied *done; /* of the training rows: the same is to be said of every part */
    const uint8_t *part;
    const struct sr_dump *from;
    const struct sr_parting *how;
    struct sr_rewrite file[SR_PARTS];
    size_t rows, written;
    size_t here; /* rows of the part being written */
    void (*progress)(void *user, double fraction);
    void *user;
};

static void show(void *user, double fraction) {
    const struct writing *w = user;
    if (w->progress)
        w->progress(w->user, ((double)w->written + fraction * (double)w->here) / (double)w->rows);
}

static int stamp(const struct writing *w, int p, struct sr_error *err) {
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)w->how->seed);
    const int status = sr_h5_write_attribute(w->file[p].to, "/", "split", sr_part_name(p), err);
    return status < 0 ? status : sr_h5_write_attribute(w->file[p].to, "/", "split_seed", seed, err);
}

static int write_part(struct writing *w, int p, const struct sr_data_options *options, struct sr_error *err) {
    static const char *const stamps[] = {"split", "split_seed", NULL};
    uint32_t *rows = sr_alloc(w->rows, sizeof *rows, err);
    w->here = 0;
    for (size_t i = 0; rows && i < w->rows; i++)
        if (w->part[i] == p)
            rows[w->here++] = (uint32_t)i;
    const struct sr_copy copy = {.features = w->from->features_name,
                                 .done = p == SR_PART_TRAIN ? w->done : NULL,
                                 .rows = rows,
                                 .n = w->here,
                                 .type = SR_CONVERT_KEEP,
                                 .gzip = SR_H5_GZIP_KEEP,
                                 .but_attributes = stamps};
    int status = rows ? sr_rewrite_begin(&w->file[p], w->how->out[p], w->from->file, err) : SR_NOMEM;
    if (status == 0)
        status = sr_copy_rows(w->file[p].to, w->from->file, &copy, show, w, err);
    if (status == 0)
        status = stamp(w, p, err);
    if (status == 0)
        status = sr_rewrite_check(&w->file[p], options, err);
    w->written += w->here;
    sr_free(rows);
    return status;
}

int sr_parts_write(struct sr_copied *done, const uint8_t *part, struct sr_data *d,
                   const struct sr_parting *how, const struct sr_data_options *options,
                   void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    *done = (struct sr_copied){.underflows = 0};
    struct writing w = {.done = done,
                        .part = part,
                        .from = d->in->dump[0],
                        .how = how,
                        .rows = d->rows,
                        .progress = progress,
                        .user = user};
    int status = check_names(sr_data_path(d, 0), how, err);
    for (int p = 0; p < SR_PARTS && status == 0; p++)
        if (how->out[p])
            status = write_part(&w, p, options, err);
    return sr_rewrite_end_all(w.file, SR_PARTS, status, err);
}
