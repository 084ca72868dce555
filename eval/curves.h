/* curves.h: an evaluation's curves as JSON, for whoever draws them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CURVES_H
#define SR_CURVES_H

#include "eval/calibration.h"
#include "eval/rows.h"

#define SR_CURVE_POINTS 10001 /* of a sweep; 60 bytes of JSON each */

/* Sets "sweep" (counts at every threshold; above SR_CURVE_POINTS of them only at that many, and at those that
 * decide like a mark; "points" says how many there are), "quality" (safety F1 of the router and of what it is
 * compared with, at each share routed; null without gold and verdicts), "histogram" (rows by prob) and
 * "reliability" ({width, mass} bins; and "calibrated", the same of the calibrator's probabilities, or null).
 * mark: [marks], thresholds that must be exact. */
int sr_curves_json(struct sr_json *to, const struct sr_rows *rows, const float *mark, size_t marks,
                   const struct sr_calibrator *calibrator, struct sr_error *err);

/* An object of the scores. */
struct sr_json *sr_calibration_json(const struct sr_calibration_scores *s);

/* A reliability table as an array of {low, high, rows, positives, mean_prob}. */
struct sr_json *sr_bins_json(const struct sr_bin bin[SR_BINS]);

#endif
