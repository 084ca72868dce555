/* sweep.h: every threshold there is, and what each one does.
 *
 *     struct sr_sweep s;
 *     sr_sweep_make(&s, &rows, err);
 *     for (size_t i = 0; i < s.n; i++) ... s.point[i].threshold, sr_f1(s.point[i].label) ...
 *     sr_sweep_free(&s);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SWEEP_H
#define SR_SWEEP_H

#include "eval/confusion.h"
#include "eval/rows.h"

/* Rows with prob > threshold are routed, and rows without a prob (NaN). */
struct sr_point {
    float threshold;
    uint64_t routed;            /* of all rows */
    struct sr_confusion label;  /* decision against label, of the rows with a known label and a prob */
    struct sr_confusion safety; /* the routed system's verdict against gold, of the rows with gold and both
                                   verdicts, with or without a prob; all 0 without */
    uint64_t safety_routed;     /* of those rows */
};

/* Points by rising threshold, so by falling `routed`: threshold 0, which routes every row with prob > 0, and
 * each distinct prob, which routes the rows above it; the last routes nothing but rows without a prob. */
struct sr_sweep {
    struct sr_point *point; /* [n] */
    size_t n;
    size_t rows; /* all */
};

/* Probs are 0..1 or NaN; label may be NULL, which is all unknown. O(n log n): a million rows in well under a
 * second; 8 bytes a row and sizeof(struct sr_point) a distinct prob. Free with sr_sweep_free, which an
 * all-zero struct may have too. */
int sr_sweep_make(struct sr_sweep *out, const struct sr_rows *rows, struct sr_error *err);
void sr_sweep_free(struct sr_sweep *s);

/* The point that this threshold, 0..1, decides like: the last one whose threshold is not above it. */
size_t sr_sweep_find(const struct sr_sweep *s, float threshold);

#endif
