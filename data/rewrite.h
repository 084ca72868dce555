/* rewrite.h: a dump written anew: under a passing name until it is complete and was opened as a dump.
 *
 *     struct sr_rewrite w;
 *     int status = sr_rewrite_begin(&w, out, from, err);
 *     if (status == 0) status = sr_copy_rows(w.to, ...);
 *     if (status == 0) status = sr_rewrite_check(&w, &options, err);
 *     return sr_rewrite_end(&w, status, err);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_REWRITE_H
#define SR_REWRITE_H

#include "data/copy.h"
#include "data/dump.h"

struct sr_rewrite {
    const char *out;               /* borrowed */
    struct sr_atomic_file *target; /* NULL after a failure */
    struct sr_h5 *to;              /* NULL once it is closed */
    const struct sr_h5 *from;      /* borrowed until the end */
};

/* A new file may be read by no more people than the file `like`, which rows come from, and can hold all its
 * attributes. */
int sr_rewrite_begin(struct sr_rewrite *w, const char *out, const struct sr_h5 *like, struct sr_error *err);

/* Closes what was written, and opens it as every command would. SR_DATA: what is wrong with it, under the
 * name it would have. SR_IO. */
int sr_rewrite_check(struct sr_rewrite *w, const struct sr_data_options *options, struct sr_error *err);

/* Path of what was written, once it is closed. */
const char *sr_rewrite_path(const struct sr_rewrite *w);

/* Gives the file its name where status is 0, else removes it, and what the error says of it it says of `out`.
 * Returns status, or why that failed. Of {0}, which was never begun: nothing. */
int sr_rewrite_end(struct sr_rewrite *w, int status, struct sr_error *err);

/* The same of n at once: all get their names or none does. */
int sr_rewrite_end_all(struct sr_rewrite *w, size_t n, int status, struct sr_error *err);

#endif
