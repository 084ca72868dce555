/* merge_compare.h: whether a member of two files holds the same values for the same rows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_MERGE_COMPARE_H
#define SR_MERGE_COMPARE_H

#include "data/h5_copy.h"

/* A column of a file, and which of its rows are meant, in which order. */
struct sr_merge_side {
    const struct sr_h5 *file;
    const char *name;
    size_t file_rows;
    const uint32_t *rows; /* [n], distinct */
};

struct sr_merge_difference {
    size_t count, first; /* rows that differ; the first, counted in the order of the sides' rows */
};

/* A column of n rows on both sides. Numbers are compared as numbers, those of the finer of two float types
 * rounded to the other's, NaN being the same as NaN, and of labels and verdicts as -1; strings, and sources
 * with a list of names, as text; anything else bit by bit. SR_DATA: kinds or shapes that cannot be the same.
 */
int sr_merge_compare_rows(struct sr_merge_difference *out, const struct sr_merge_side *a,
                          const struct sr_merge_side *b, size_t n, struct sr_error *err);

/* A member that is no column: 1 where both files have it with the same shape and values (groups: members,
 * types and attributes too), else 0. */
int sr_merge_compare_whole(const char *name, const struct sr_h5 *a, const struct sr_h5 *b,
                           struct sr_error *err);

#endif
