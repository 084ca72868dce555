/* sweep_columns.h: a sweep as columns, for programs: JSON and CSV with the same keys.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SWEEP_COLUMNS_H
#define SR_SWEEP_COLUMNS_H

#include <stdio.h>

#include "eval/sweep.h"

/* Counts: threshold, routed, tp, fp, tn, fn, and safety_routed, safety_tp to safety_fn of the system. Ratios,
 * which follow from them: share_routed, precision, recall, f1, safety_precision, safety_recall, safety_f1,
 * latency_ms, price, cost.
 *
 * {key: [one value a point]} of the counts. null in place of a column of which nothing is known (no gold). */
struct sr_json *sr_sweep_json(const struct sr_sweep *s);
/* The same as text, for millions of points: thresholds have 9 digits, which read back as the same float. */
void sr_sweep_print_json(FILE *to, const struct sr_sweep *s);

/* Counts and ratios of one point. */
void sr_point_json(struct sr_json *to, const struct sr_sweep *s, const struct sr_point *p,
                   const struct sr_prices *prices);

/* Counts and ratios of all points with a header line, nothing between two commas where a value is undefined.
 */
void sr_sweep_csv(FILE *to, const struct sr_sweep *s, const struct sr_prices *prices);

#endif
