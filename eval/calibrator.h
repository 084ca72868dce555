/* calibrator.h: what a kind of calibrator is made of; internal to eval.
 *
 * A kind `name` is calibrator_name.c with its sr_calibrator_name, and a line of SR_CALIBRATOR_LIST
 * (calibration.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CALIBRATOR_H
#define SR_CALIBRATOR_H

#include <math.h>

#include "eval/eval.h"

/* So that no logarithm is infinite: to 2^-52 .. 1 - 2^-52. */
static inline double sr_prob_clip(double prob) {
    return fmin(fmax(prob, 0x1p-52), 1 - 0x1p-52);
}

struct sr_calibrator_type {
    const char *const *members; /* of its JSON besides "method", ends with NULL */
    /* Rows of both classes by falling prob. */
    int (*fit)(struct sr_calibrator **out, const struct sr_ranks *rows, const double *prob,
               struct sr_error *err);
    double (*apply)(const struct sr_calibrator *c, double prob); /* never NaN */
    void (*write)(struct sr_json *to, const struct sr_calibrator *c);
    /* All members are there, and no others; what they hold is to be checked. */
    int (*read)(struct sr_calibrator **out, const struct sr_json *from, struct sr_error *err);
};

struct sr_calibrator {
    enum sr_calibrator_kind kind;
    double temperature;        /* of its kind; > 0 */
    size_t knots;              /* of isotonic; at least 1 */
    double *prob, *calibrated; /* [knots]: rising; never falling */
};

/* With room for that many knots, in one block. Free with sr_calibrator_free. */
struct sr_calibrator *sr_calibrator_new(enum sr_calibrator_kind kind, size_t knots, struct sr_error *err);

#define X(NAME, name) extern const struct sr_calibrator_type sr_calibrator_##name;
SR_CALIBRATOR_LIST(X)
#undef X

#endif
