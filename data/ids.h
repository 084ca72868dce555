/* ids.h: rows of one file found in another by their ids.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_IDS_H
#define SR_IDS_H

#include <stddef.h>

#include "nn/base/base.h"

/* The ids of a file's rows, borrowed: text(of, row) for row < rows. */
struct sr_ids {
    const char *path; /* as messages name the file */
    size_t rows;
    const char *(*text)(const void *of, size_t row);
    const void *of;
    /* Where a row of several files lies; NULL: all are of `path`. */
    void (*locate)(const void *of, size_t row, const char **path, size_t *row_in_file);
};

/* Of a column of strings, such as the member id of struct sr_data. */
struct sr_ids sr_ids_of_column(const char *path, char *const *id, size_t rows);

/* Of a set that has ids. */
struct sr_data;
struct sr_ids sr_ids_of_data(const struct sr_data *d);

static inline const char *sr_ids_at(struct sr_ids ids, size_t row) {
    return ids.text(ids.of, row);
}

#define SR_IDS_NONE SIZE_MAX

struct sr_ids_match {
    size_t *row;                       /* [a.rows]: the row of b that has a's id, or SR_IDS_NONE */
    size_t both, only_a, only_b;       /* ids */
    size_t first_only_a, first_only_b; /* the first row of each, where there are any */
};

/* Finds the rows of a in b. Free with sr_ids_match_free, also after a failure. SR_DATA: an id is there twice
 * in one file (named, with both rows), so that rows cannot be joined by it. Takes about 30 bytes of memory an
 * id, and its text. */
int sr_ids_match(struct sr_ids_match *out, struct sr_ids a, struct sr_ids b, struct sr_error *err);
void sr_ids_match_free(struct sr_ids_match *m);

#endif
