/* near.h: rows that are nearly the same, within one set of rows and across several.
 *
 * Hidden states share a large common part and have columns of very different spread, so what is compared is
 * z = (x - mean) / deviation, column by column, within six deviations, with mean and deviation of a sample of
 * the rows of the set; two rows are near duplicates where the cosine of their z is at least the given one,
 * rows of two sets where it is by the mean of either. The deviation is at least 1/256 of the mean (the step
 * of bfloat16) unless that is most columns' case.
 *
 * Exact duplicates, whatever their cosine, are rows with the same features: in all bits, or after rounding to
 * float16 where one of the two is stored so.
 *
 *     sr_near_begin(&near, sets, n, cosine, err);            // reads the sample
 *     sr_scan_visit(sets[i], &scan, sr_near_visitor(near, i), 1, ...);   // for each set: the one pass
 *     sr_near_finish(near, progress, user, err);             // candidates; those are read again and compared
 *     ... sr_near_pairs(near, &count), sr_near_root(near) ...
 *
 * Memory: about 55 bytes a row, 160 more while candidates are looked for (95 with one set), then 12 for each
 * of at most 2 SR_NEAR_KEPT candidates a row (SR_NEAR_KEPT with one set), and SR_NEAR_BYTES for rows that are
 * read again, whatever the width. Time: candidates are read again, those of different bands once for each
 * SR_NEAR_BYTES of first rows of pairs; a file that is all crowds is so read several times.
 * The same result for any number of threads, and for features kept or streamed.
 *
 * What is found: every exact duplicate. Of isolated pairs at a cosine of .95, where that is asked for, 98.5 %
 * among 13,000 rows and 97.5 % among a million are expected, at .975 99.9 % (signatures differ in a random
 * number of bits; the formula is in near_tables.c). Where .8 is asked for, 97 and 65 % at .8. Of rows that
 * have many near duplicates each keeps the SR_NEAR_KEPT that look nearest in its set and as many in others,
 * one of each set at least where there are that few; of rows that have more, up to 64 of those connected are
 * looked at again, until nothing is left to connect. Nothing is reported that was not compared exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NEAR_H
#define SR_NEAR_H

#include "data/scan.h"

/* The default cosine. Among the 13,319 rows of the guard data we have (18 public sources of moderation
 * texts, the groups of twins marked by text) 143 of the 275 pairs that share a group are at least as near; of
 * the 89 million pairs of different groups 36 are, and the nearest of 200,000 pairs drawn at random has .72.
 * At .90 it would be 184 and 95 pairs, at .98 98 and 10 (all by brute force in NumPy, mean and deviation of
 * all rows). */
#define SR_NEAR_COSINE     .95
#define SR_NEAR_COSINE_MIN .8

/* From here on two rows are one text: what bfloat16 arithmetic in another order of the batch leaves. */
#define SR_NEAR_TWIN .999

/* With fewer features rows that have nothing to do with each other come near by chance, so that only exact
 * duplicates are looked for. */
#define SR_NEAR_WIDTH_MIN 64

#define SR_NEAR_KEPT  8
#define SR_NEAR_BYTES ((size_t)384 << 20)

struct sr_near;

struct sr_near_pair {
    uint32_t a, b; /* a < b; rows counted through all sets, in the order of the sets */
    float cosine;  /* of a and b, at least the given one */
};

/* Sets have, in all, at most 2^32 - 1 rows (else SR_DATA); they and the array are borrowed until
 * sr_near_free. Rows of sets of different widths are never near. cosine: SR_NEAR_COSINE_MIN to 1, or 0: exact
 * duplicates only. */
int sr_near_begin(struct sr_near **out, struct sr_data *const *sets, size_t n, double cosine,
                  struct sr_error *err);

/* Takes the rows of set i from a scan. Lives as long as near. */
const struct sr_scan_visitor *sr_near_visitor(struct sr_near *near, size_t i);

/* After the scans of all sets. progress may be NULL. Errors of reading. */
int sr_near_finish(struct sr_near *near, void (*progress)(void *user, double fraction), void *user,
                   struct sr_error *err);

/* Near pairs, ascending by a, then b. Of exact duplicates only the first row takes part. */
const struct sr_near_pair *sr_near_pairs(const struct sr_near *near, size_t *count);

/* [rows of all sets]: the first row of those that it is connected to through near and exact duplicates. */
const uint32_t *sr_near_root(const struct sr_near *near);

/* [rows of all sets]: the first row that is exactly the same, often the row itself. Rows with a NaN or an
 * infinity are the same as no other. */
const uint32_t *sr_near_same(const struct sr_near *near);

/* [rows of all sets]: the first row of those that it is connected to through exact duplicates and pairs from
 * SR_NEAR_TWIN on: the same row but for rounding. */
const uint32_t *sr_near_twin(const struct sr_near *near);

void sr_near_free(struct sr_near *near);

/* Groups of rows that ought to stay together: those connected by near or exact duplicates or by a group of d.
 * group[d->rows] gets a number for each row, the first row of its group. Reads the features once, and those
 * of candidates again. cosine as in sr_near_begin. progress (may be NULL) as in sr_data_scan. */
int sr_near_groups(int64_t *group, struct sr_data *d, double cosine,
                   void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

#endif
