/* headroom.h: what routing between two guards can win at all, before there is a router.
 *
 * Everything follows from who is right: c right, w wrong, first the small guard. A router can win the wc rows
 * and lose the cw rows; all others come out the same whichever guard judges them.
 *
 *     struct sr_headroom h;
 *     sr_headroom_measure(&h, NULL, NULL, 0, NULL, &rows, &prices, err);
 *     puts(sr_advice_text(h.advice));
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_HEADROOM_H
#define SR_HEADROOM_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/interval.h"
#include "eval/rows.h"

enum sr_advice { SR_ADVICE_ROUTE, SR_ADVICE_ALWAYS_SMALL, SR_ADVICE_ALWAYS_LARGE, SR_ADVICE_TOO_FEW };
const char *sr_advice_text(enum sr_advice advice); /* "route", "always small", ...; static storage */

/* What two guards are held against: the prices given, and what is assumed where there are none. */
struct sr_headroom_terms {
    /* Share of rows routed from which on routing costs no less than the large guard for all, 0..1: 1 - small
     * / large, by cost, else by ms (with the router's). .8, a small guard at a fifth of the price, if neither
     * is known. */
    double break_even;
    const char *by;       /* "cost", "ms" or "assumed"; static storage */
    double missed, alarm; /* what an error counts; 1 each unless both prices are known */
    bool weighed;         /* both are */
    bool in_money;        /* and so are the costs of the guards */
    double large_cost;    /* where in_money */
};
struct sr_headroom_terms sr_headroom_terms(const struct sr_prices *prices);

/* Accuracy that a large guard has to add to be worth it, where prices do not say. */
#define SR_HEADROOM_PAYS .01

struct sr_headroom {
    const char *name;        /* of the slice, borrowed; NULL: all rows */
    uint64_t rows, left_out; /* with gold and both verdicts; without */
    size_t groups;           /* of the rows; as many as rows where there are none */
    uint64_t cc, cw, wc, ww; /* of the rows */
    double gain, harm;       /* wc/n, cw/n */
    double net;              /* gain - harm: accuracy of large less that of small */
    double differ;           /* gain + harm: rows where only one guard is right */
    double worth, needed;    /* of the large guard's verdicts beyond the small one's, a row; see below */
    double profit;           /* worth - needed */
    double best, best_share; /* what a perfect router wins over small alone, as worth is measured (in money:
                                less what it sends costs), and the share of rows that it sends */
    /* Money a row beyond the small guard alone, to be as good as the large one; NaN: not in money. */
    double cost_routed, cost_large;
    struct sr_interval gain_ci, harm_ci, net_ci, profit_ci, best_ci;
    double small_accuracy, large_accuracy, oracle_accuracy; /* oracle: exactly the wc rows are routed */
    double missed_small, missed_large, alarms_small, alarms_large; /* per 1,000 rows */
    enum sr_advice advice;
    /* Of SR_ADVICE_TOO_FEW: about so many rows would tell, were the profit to stay; NaN: no telling. */
    double rows_to_tell;
};

/* The measure is a router that finds the rows where the guards differ and does not know which of them is
 * right: sending all of those it is as good as the large guard, sending a share t of them it wins t * net. A
 * real one misses some and knows a little of who is right, how little nobody can say before it is trained.
 *
 * Worth and needed are in money where all four costs are known: errors avoided, against the cheaper way to
 * avoid them. That is large - small for all rows, or differ * large for routing and what SR_HEADROOM_PAYS of
 * accuracy is worth, by which a real router falls short at least. Else worth is net (with errors weighed, if
 * they are, so that all rows wrong are 1), and SR_HEADROOM_PAYS is needed.
 *
 * So an advice against routing holds unless a router tells which of the two is right; what a perfect one
 * would win is said beside it (best).
 *
 * Advice, by the first that holds:
 *   - less than SR_FEW groups: too few rows to tell;
 *   - profit_ci.high < 0: always small; the large guard is worse, or not so much better that it pays;
 *   - profit_ci.low <= 0 or wc < SR_FEW: too few rows to tell. So nobody is told to route to a guard that may
 *     be the worse one: what is left has net_ci.low > 0, or errors weighed by prices say the same;
 *   - differ < break_even (in money: cost_routed < cost_large): route;
 *   - always large: as good a router costs no less.
 *
 * Intervals: 95 %. Wilson's for gain and harm, or with groups the wider of it and the bootstrap by group at
 * either end, since twins are not independent rows; for net and profit the wider of the bootstrap and one
 * made of Wilson's, since resampling takes what was not seen for what there is not. A pure function of the
 * rows; the same bits for any number of threads.
 *
 * all: of all rows; slice[0..n_slices): of the rows with number[i] = its index, names[i] its name; number may
 * be NULL with n_slices 0. Rows without gold and both verdicts are left out; SR_DATA if none is left. Of rows
 * only gold, verdicts and group are looked at. A million rows take three seconds of a core; 60 bytes a row.
 */
int sr_headroom_measure(struct sr_headroom *all, struct sr_headroom *slice, const char *const *names,
                        size_t n_slices, const int32_t *number, const struct sr_rows *rows,
                        const struct sr_prices *prices, struct sr_error *err);

/* For people: the verdict first, in words and with the numbers it follows from; then what was assumed, the
 * slices that differ from the verdict, and a table of all. heading: "source". labels: where verdicts come
 * from, or NULL. */
void sr_headroom_print(FILE *to, const char *heading, const char *labels, const struct sr_headroom *all,
                       const struct sr_headroom *slice, size_t n_slices, const struct sr_prices *prices);

/* For programs: keys as the fields, intervals `<key>_ci`, table {cc, cw, wc, ww}, advice as text, slices []
 * with a name each (without rows: left out), prices and terms. */
void sr_headroom_json(struct sr_json *to, const struct sr_headroom *all, const struct sr_headroom *slice,
                      size_t n_slices, const struct sr_prices *prices);

#endif
