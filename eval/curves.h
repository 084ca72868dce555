/* curves.h: an evaluation's curves as JSON, for whoever draws them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CURVES_H
#define SR_CURVES_H

#include "eval/calibration.h"
#include "eval/rows.h"

/* Sets "sweep" (what every threshold does, at most SR_CURVE_POINTS of them), "curves" (precision and recall,
 * ROC, safety F1 against share for the router and for what it is compared with), "histogram" (rows by prob)
 * and "reliability" ({width, mass} bins; and "calibrated", the same of the calibrator's probabilities, or
 * null). */
int sr_curves_json(struct sr_json *to, const struct sr_rows *rows, const struct sr_calibrator *calibrator,
                   struct sr_error *err);

#define SR_CURVE_POINTS 1001

/* An object of the scores. */
struct sr_json *sr_calibration_json(const struct sr_calibration_scores *s);

/* A reliability table as an array of {low, high, rows, positives, mean_prob}. */
struct sr_json *sr_bins_json(const struct sr_bin bin[SR_BINS]);

#endif
