/* calibrator.h: a calibrator: what it is, applying it, as text and back.
 *
 * It corrects a prob to be read as a probability and moves no decision: thresholds are on the raw prob. It is
 * in the floor because eval fits it and what deploys a router only applies it. Immutable once made, so that
 * any number of threads may apply one at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CALIBRATOR_H
#define SR_CALIBRATOR_H

#include <stddef.h>

#include "nn/base/error.h"

/* X(NAME, name): used as calibrator.c says, fitted by eval/calibrator_name.c. Temperature:
 * 1/(1+exp(-logit/T)). Isotonic: a never falling function of prob, linear between knots and constant outside
 * them. */
#define SR_CALIBRATOR_LIST(X)                                                                                \
    X(TEMPERATURE, temperature)                                                                              \
    X(ISOTONIC, isotonic)

enum sr_calibrator_kind {
#define X(NAME, name) SR_CALIBRATOR_##NAME,
    SR_CALIBRATOR_LIST(X)
#undef X
};

struct sr_calibrator {
    enum sr_calibrator_kind kind;
    double temperature;        /* of its kind; > 0 */
    size_t knots;              /* of isotonic; at least 1 */
    double *prob, *calibrated; /* [knots], both in 0..1: rising; never falling */
};

/* With room for that many knots, in one block, for whoever fits one; NULL with SR_NOMEM in err. Free with
 * sr_calibrator_free. */
struct sr_calibrator *sr_calibrator_new(enum sr_calibrator_kind kind, size_t knots, struct sr_error *err);
void sr_calibrator_free(struct sr_calibrator *c);                       /* NULL is fine */
double sr_calibrator_apply(const struct sr_calibrator *c, double prob); /* NaN for NaN; any thread */
const char *sr_calibrator_method(const struct sr_calibrator *c);        /* "temperature"; static storage */

/* As one line of JSON for the weights' metadata "calibration": {"method":"temperature","temperature":1.3} or
 * {"method":"isotonic","prob":[...],"calibrated":[...]}, knots with prob rising and calibrated never falling,
 * both in 0..1; free with sr_free. And back, bit by bit: SR_DATA, with what is wrong, for members that are
 * missing, unknown or hold anything else. */
char *sr_calibrator_text(const struct sr_calibrator *c, struct sr_error *err);
int sr_calibrator_parse(struct sr_calibrator **out, const char *text, struct sr_error *err);
/* The calibrator of the weights file at path, whose metadata "calibration" is text; *out is NULL where text
 * is NULL or "". SR_DATA as above, and names the file. */
int sr_calibrator_of_weights(struct sr_calibrator **out, const char *path, const char *text,
                             struct sr_error *err);

/* So that no logarithm is infinite: to 2^-52 .. 1 - 2^-52. */
double sr_prob_clip(double prob);
/* ln(p / (1 - p)) of the clipped prob: what a temperature divides. */
double sr_prob_logit(double prob);

#endif
