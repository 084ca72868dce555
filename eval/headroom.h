/* headroom.h: what routing between two guards can win at all, before there is a router.
 *
 * Everything follows from who is right: c right, w wrong, first the small guard. A router can win the wc rows
 * and lose the cw rows; all others come out the same whichever guard judges them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_HEADROOM_H
#define SR_HEADROOM_H

#include <stdio.h>

#include "eval/interval.h"
#include "eval/rows.h"

enum sr_advice { SR_ADVICE_ROUTE, SR_ADVICE_ALWAYS_SMALL, SR_ADVICE_ALWAYS_LARGE, SR_ADVICE_TOO_FEW };
const char *sr_advice_text(enum sr_advice advice); /* "route", "always small", ...; static storage */

struct sr_headroom {
    const char *name; /* of the slice, borrowed; NULL: all rows */
    uint64_t rows, cc, cw, wc, ww;
    double gain, harm; /* wc/n, cw/n, with Wilson intervals */
    struct sr_interval gain_ci, harm_ci;
    double net; /* gain - harm: accuracy of large less that of small; interval: cluster bootstrap by group */
    struct sr_interval net_ci;
    double small_accuracy, large_accuracy, oracle_accuracy;
    enum sr_advice advice;
};

/* Advice: net_ci.low > 0, so that the large guard is better: route, unless even the oracle would send so many
 * rows (gain_ci.low) that small + share * large costs no less than the large guard for all (by cost, else by
 * ms; .8 where neither is given, a small guard at a fifth of the price): always large. net_ci.high < .01:
 * always small, the large guard is at most a point better. Anything else: too few rows to tell.
 *
 * all: of all rows; slice[0..n_slices): of the rows with number[i] = its index, names[i] its name; number may
 * be NULL with n_slices 0. Rows without gold and both verdicts are left out; SR_DATA if none is left. */
int sr_headroom_measure(struct sr_headroom *all, struct sr_headroom *slice, const char *const *names,
                        size_t n_slices, const int32_t *number, const struct sr_rows *rows,
                        const struct sr_prices *prices, struct sr_error *err);

/* For people: the verdict first, in words and with the numbers it follows from; then the table, slices and
 * which of them differ from the verdict. */
void sr_headroom_print(FILE *to, const char *heading, const struct sr_headroom *all,
                       const struct sr_headroom *slice, size_t n_slices);
/* For programs: keys as the fields, intervals `<key>_ci`, "advice" as text, slices []. */
void sr_headroom_json(struct sr_json *to, const struct sr_headroom *all, const struct sr_headroom *slice,
                      size_t n_slices);

#endif
