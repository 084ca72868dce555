/* screen.h: a dozen lines that an owner of a guard stack reads first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SCREEN_H
#define SR_SCREEN_H

#include "eval/evaluation.h"

/* The words around the numbers; NULL where there is nothing to say. */
struct sr_screen_words {
    const char *threshold_origin; /* "unset in the weights, so this is used" */
    const char *labels;           /* "as stored", "derived from gold and verdicts" */
    const char *against;          /* what it is compared with: "parent" */
    int64_t best_epoch, epochs;   /* epochs 0: not said */
};

/* The threshold first, since nothing below it holds at another one. c may be NULL. */
void sr_screen_print(FILE *to, const struct sr_evaluation *e, const struct sr_comparison *c,
                     const struct sr_screen_words *words);

#endif
