/* calibration.h: are probabilities what they say? Scores of calibration, the reliability table, and
 * fitting calibrators (nn/base/calibrator.h).
 *
 * Thresholds are always on the raw prob: a calibrator adds a number to read and moves no decision.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CALIBRATION_H
#define SR_CALIBRATION_H

#include "nn/base/base.h"

#define SR_BINS 15 /* of reliability and ECE, as in Guo et al. 2017 */

/* One bin of the reliability table. */
struct sr_bin {
    double low, high; /* probs of its rows, low <= prob < high (equal width; the last with its end), or the
                         least and the greatest there is (equal mass; NaN without rows) */
    double rows;      /* weighted by count */
    double positives;
    double mean_prob; /* NaN without rows */
};

/* Rows prepared once, measured often: each row as often as count says. prob in 0..1; rows of unknown label or
 * NaN prob are left out. O(n log n); memory of 28 bytes a row, 20 of them kept. n at most 2^32 - 1. */
struct sr_reliability;
int sr_reliability_create(struct sr_reliability **out, const uint8_t *label, const double *prob, size_t n,
                          struct sr_error *err);
void sr_reliability_free(struct sr_reliability *r);

/* X(key) */
#define SR_CALIBRATION_SCORE_LIST(X)                                                                         \
    X(brier)    /* mean (prob - label)^2 */                                                                  \
    X(log_loss) /* mean -ln P(label), natural; prob clipped to [2^-52, 1 - 2^-52] as scikit-learn does */    \
    X(ece)      /* sum over bins of rows/n |positives/rows - mean_prob|, SR_BINS of equal width */           \
    X(ece_mass) /* the same over SR_BINS of equal mass: rows in order of prob, cut where numpy.array_split   \
                   cuts them, but ties stay together in the lower bin; bins of the rows as they are,         \
                   whatever count says */
struct sr_calibration_scores {
#define X(key) double key;
    SR_CALIBRATION_SCORE_LIST(X)
#undef X
};
#define SR_CALIBRATION_SCORES (sizeof(struct sr_calibration_scores) / sizeof(double))
const char *sr_calibration_key(size_t score); /* "brier", of the score with that number; static storage */
/* count[i], [n], of the rows given at creation; NULL: every row once. NaN without rows. O(n), allocates
 * nothing, any thread, the same bits in each; with NULL, whatever the order of the rows was. */
void sr_reliability_measure(struct sr_calibration_scores *out, const struct sr_reliability *r,
                            const uint32_t *count);
void sr_reliability_bins(struct sr_bin width[SR_BINS], struct sr_bin mass[SR_BINS],
                         const struct sr_reliability *r);

/* Odds times (to / (1 - to)) / (from / (1 - from)): prob of a model that saw a share `from` of positives,
 * where their share is `to` (Saerens et al. 2002, eq. 4). Both strictly between 0 and 1. */
double sr_prior_shift(double prob, double from, double to);

/* ---- calibrators ---- */

/* Temperature: the T that minimises log loss (Guo et al. 2017). Isotonic: the non-decreasing step values of
 * least squares (pool adjacent violators), as scikit-learn's IsotonicRegression(out_of_bounds="clip"). Free
 * with sr_calibrator_free. Rows of unknown label or NaN prob are left out, and the order of rows is no
 * matter, to the bit. O(n log n), with memory of 48 bytes a row. SR_DATA without rows of both classes, or
 * where no T > 0 is the best: log loss falls as long as T rises (prob tells less than 0.5 for every row
 * would) or as long as it falls (0.5 parts the classes without an error). */
int sr_calibrator_fit(struct sr_calibrator **out, enum sr_calibrator_kind kind, const uint8_t *label,
                      const float *prob, size_t n, struct sr_error *err);
/* sr_reliability_create of the probs as c gives them; NULL: as they are. 8 bytes a row more while it runs. */
int sr_calibrator_reliability(struct sr_reliability **out, const struct sr_calibrator *c,
                              const uint8_t *label, const float *prob, size_t n, struct sr_error *err);

#endif
