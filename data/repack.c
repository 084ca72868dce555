/* repack.c: a dump in another form. See repack.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/repack.h"

#include <stdio.h>
#include <sys/stat.h>

#include "data/rewrite.h"

/* "float16 in chunks of [256, 2048], shuffle, gzip 4" */
static int describe_form(char text[SR_REPACK_FORM], const struct sr_h5 *f, const char *name,
                         struct sr_error *err) {
    struct sr_h5_info info;
    struct sr_h5_storage s;
    int status = sr_h5_info(f, name, &info, err);
    if (status == 0)
        status = sr_h5_storage(f, name, &s, err);
    if (status != 0)
        return status;
    if (s.kind == SR_H5_CHUNKS)
        snprintf(text, SR_REPACK_FORM, "%s in chunks of [%llu, %llu]%s%s", info.type,
                 (unsigned long long)s.chunk[0], (unsigned long long)s.chunk[1], *s.filters ? ", " : "",
                 s.filters);
    else
        snprintf(text, SR_REPACK_FORM, "%s in one piece", info.type);
    return 0;
}

static int write_rows(struct sr_rewrite *w, struct sr_repacked *done, const struct sr_dump *d,
                      const struct sr_repack *how, const struct sr_data_options *options,
                      void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const struct sr_copy copy = {.features = d->features_name,
                                 .done = &done->copied,
                                 .uint16_is_bfloat = options->uint16_is_bfloat,
                                 .type = how->type,
                                 .gzip = how->gzip,
                                 .band = how->band,
                                 .chunked = how->chunked};
    int status = sr_copy_rows(w->to, d->file, &copy, progress, user, err);
    if (status == 0)
        status = describe_form(done->after, w->to, d->features_name, err);
    return status;
}

int sr_repack_write(struct sr_repacked *done, const char *out, const char *path, const struct sr_repack *how,
                    const struct sr_data_options *options, void (*progress)(void *user, double fraction),
                    void *user, struct sr_error *err) {
    struct sr_data_options looks = *options;
    struct sr_rewrite w = {0};
    struct sr_dump *d;
    struct stat st;
    looks.features_only = true;
    int status = sr_dump_open(&d, path, &looks, err);
    if (status < 0)
        return status;
    *done = (struct sr_repacked){.rows = d->rows, .width = d->width, .bytes_before = sr_h5_bytes(d->file)};
    status = describe_form(done->before, d->file, d->features_name, err);
    if (status == 0)
        status = sr_rewrite_begin(&w, out, d->file, err);
    if (status == 0)
        status = write_rows(&w, done, d, how, options, progress, user, err);
    if (status == 0)
        status = sr_rewrite_check(&w, &looks, err);
    if (status == 0 && stat(sr_rewrite_path(&w), &st) == 0)
        done->bytes_after = (uint64_t)st.st_size;
    status = sr_rewrite_end(&w, status, err);
    sr_dump_close(d);
    return status;
}
