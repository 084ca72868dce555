/* rewrite.c: a dump written anew. See rewrite.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/rewrite.h"

int sr_rewrite_begin(struct sr_rewrite *w, const char *out, const struct sr_h5 *like, struct sr_error *err) {
    *w = (struct sr_rewrite){.out = out, .from = like};
    const int status = sr_atomic_file_open_like(&w->target, out, like->path, err);
    return status < 0 ? status : sr_h5_create_like(&w->to, sr_atomic_file_path(w->target), out, like, err);
}

static int close_file(struct sr_rewrite *w, struct sr_error *err) {
    const int status = sr_h5_close(w->to, err);
    w->to = NULL;
    return status;
}

int sr_rewrite_check(struct sr_rewrite *w, const struct sr_data_options *options, struct sr_error *err) {
    struct sr_data_options how = *options;
    struct sr_data *d = NULL;
    int status = close_file(w, err);
    how.one_file = true;
    if (status == 0)
        status = sr_data_open(&d, sr_rewrite_path(w), &how, err);
    sr_data_close(d);
    return status;
}

const char *sr_rewrite_path(const struct sr_rewrite *w) {
    return sr_atomic_file_path(w->target);
}

int sr_rewrite_end_all(struct sr_rewrite *w, size_t n, int status, struct sr_error *err) {
    struct sr_atomic_file *target[SR_RENAMINGS] = {NULL};
    for (size_t i = 0; i < n; i++) {
        status = sr_h5_settle(w[i].to, status, err); /* what looks damaged could not be written */
        const int closed = close_file(&w[i], status < 0 ? NULL : err);
        status = sr_h5_settle(w[i].from, status < 0 ? status : closed, err);
        target[i] = w[i].target;
    }
    if (status == 0)
        return sr_atomic_file_commit_all(target, n, err);
    for (size_t i = 0; i < n; i++) {
        if (target[i])
            sr_error_rename(err, sr_atomic_file_path(target[i]), w[i].out);
        sr_atomic_file_discard(target[i]);
    }
    return status;
}

int sr_rewrite_end(struct sr_rewrite *w, int status, struct sr_error *err) {
    return sr_rewrite_end_all(w, 1, status, err);
}
