/* part.h: rows in parts (slices by source, files), and one part as rows of its own; internal to eval.
 *
 *     struct sr_parts parts;
 *     int status = sr_parts_sort(&parts, n, number, rows->n, err);
 *     for (size_t s = 0; status == 0 && s < n; s++) {
 *         struct sr_part p;
 *         status = sr_part_take(&p, &parts, s, rows, NULL, err);
 *         ... p.rows ...
 *         sr_part_free(&p);
 *     }
 *     sr_parts_free(&parts);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PART_H
#define SR_PART_H

#include "eval/rows.h"
#include "nn/base/base.h"

/* Row numbers part by part, ascending in each: those of part s at row[start[s]] .. row[start[s + 1]]. */
struct sr_parts {
    size_t *start; /* [n + 2] */
    uint32_t *row; /* [rows] */
};

/* number[i] is the part of row i, below n, or negative: of none. O(rows + n). Free after a failure too. */
int sr_parts_sort(struct sr_parts *out, size_t n, const int32_t *number, size_t rows, struct sr_error *err);
void sr_parts_free(struct sr_parts *p);

/* Some rows, as a set of their own; with the prob of an old router if there is one. */
struct sr_part {
    struct sr_rows rows;
    const float *old_prob;
    struct sr_arena arena;
};

/* Copies the rows of part s; a column that is NULL in `from` stays NULL, and old_prob may be NULL. Free after
 * a failure too. */
int sr_part_take(struct sr_part *p, const struct sr_parts *parts, size_t s, const struct sr_rows *from,
                 const float *old_prob, struct sr_error *err);
void sr_part_free(struct sr_part *p);

#endif
