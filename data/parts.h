/* parts.h: the rows of a dump as training, calibration and test rows, each a dump of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PARTS_H
#define SR_PARTS_H

#include "data/copy.h"

enum sr_part { SR_PART_TRAIN, SR_PART_CALIBRATION, SR_PART_TEST, SR_PARTS };

const char *sr_part_name(int part); /* "train" */

struct sr_parting {
    const char *out[SR_PARTS]; /* dumps to write; NULL: no such part. Training rows there always are */
    /* Of each part with a name; they add up to 1. With hold_out they are of the rows not held out, and that
     * of test counts for nothing. */
    double fraction[SR_PARTS];
    uint64_t seed;
    const char *hold_out; /* comma-separated sources whose rows are the test rows, or NULL */
    double near;          /* rows whose features have this cosine are twins; 0: not looked at */
};

/* part[row] of every row: rows of one group, and (near) of one cluster of the near-duplicates that are found
 * (near.h), in one part; shares by label, by size of group, and where groups allow it by source. A pure
 * function of columns, features where near asks for them, and how. SR_USAGE: fractions that do not add up, a
 * source that is not there. SR_DATA: a part would be empty. */
int sr_parts_choose(uint8_t *part, struct sr_data *d, const struct sr_parting *how,
                    void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

/* Writes the parts of a set of one file, each with the root attributes split ("train", ...) and split_seed.
 * All of them are complete before the first gets its name. *done: what there is to say of what was copied.
 * SR_USAGE: two of the files are one, or one is the
 * dump read. */
int sr_parts_write(struct sr_copied *done, const uint8_t *part, struct sr_data *d,
                   const struct sr_parting *how, const struct sr_data_options *options,
                   void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

#endif
