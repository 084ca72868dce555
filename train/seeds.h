/* seeds.h: several runs that differ in their seed only, and what they say together.
 *
 * The result is the median run by validation AUPRC (of two in the middle the lower one), not the best: the
 * best of several seeds is luck that other rows do not repeat.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SEEDS_H
#define SR_SEEDS_H

#include "train/history.h"

#define SR_SEEDS_JSON "seeds.json"

struct sr_seeds {
    size_t n;
    int64_t *seed;         /* [n] */
    struct sr_epoch *best; /* [n]: the best epoch's row of each run */
    size_t median;         /* index of the run that is the result */
    struct sr_epoch mean,
        deviation; /* of every column; deviation of a sample (divides by n - 1), NaN for n = 1 */
};

/* Fills median, mean and deviation. */
void sr_seeds_measure(struct sr_seeds *s);

/* A table for people, and the object of seeds.json. */
void sr_seeds_print(FILE *to, const struct sr_seeds *s);
struct sr_json *sr_seeds_json(const struct sr_seeds *s);

#endif
