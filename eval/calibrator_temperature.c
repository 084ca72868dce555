/* calibrator_temperature.c: one number divides the logit (Guo, Pleiss, Sun and Weinberger, "On calibration of
 * modern neural networks", ICML 2017, section 4.2).
 *
 * With b = 1/T and a row's margin m, its logit or, of a negative row, minus its logit, log loss is the sum of
 * ln(1 + exp(-b m)), convex in b. Its derivative, the sum of -m / (1 + exp(b m)), is concave for b > 0: each
 * term of the second one, m^2 s (1 - s), falls as |b m| rises. So Newton's method from b = 0 climbs to the
 * root from below, never past it, and needs no bracket.
 *
 * A root there is if log loss falls at b = 0 (sum of m > 0) and does not fall for ever (some m < 0).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/calibrator_fit.h"

#define BLOCK      1024 /* terms summed by themselves: rounding errors of equal terms do not pile up */
#define STEPS_MOST 1000 /* ten or so are needed; far from the root a step gains a factor e */

/* First and second derivative of log loss by b. */
struct slope {
    double first, second;
};

static struct slope block_slope(const double *margin, size_t n, double b) {
    struct slope s = {0};
    for (size_t i = 0; i < n; i++) {
        const double m = margin[i], doubt = 1 / (1 + exp(b * m));
        s.first -= m * doubt;
        s.second += m * m * doubt * (1 - doubt);
    }
    return s;
}

static struct slope slope_at(const double *margin, size_t n, double b) {
    struct slope sum = {0};
    for (size_t i = 0; i < n; i += BLOCK) {
        const struct slope s = block_slope(margin + i, n - i < BLOCK ? n - i : BLOCK, b);
        sum.first += s.first;
        sum.second += s.second;
    }
    return sum;
}

/* Ends where rounding does: with a step back, or one of a few units in the last place. */
static double best_inverse(const double *margin, size_t n) {
    double b = 0;
    for (int steps = 0; steps < STEPS_MOST; steps++) {
        const struct slope s = slope_at(margin, n, b);
        const double step = -s.first / s.second;
        if (!(step > 1e-15 * b))
            break;
        b += step;
    }
    return b;
}

static int check_margins(const double *margin, size_t n, struct sr_error *err) {
    bool wrong = false;
    for (size_t i = 0; i < n; i++)
        wrong |= margin[i] < 0;
    if (!(slope_at(margin, n, 0).first < 0))
        return sr_fail(
            err, SR_DATA,
            "no temperature fits: at every one the labels are less likely than at prob 0.5 for all "
            "rows, so prob says nothing of them as it is; isotonic calibration needs no such thing");
    if (!wrong)
        return sr_fail(
            err, SR_DATA,
            "no temperature is best: prob 0.5 parts the classes without an error, so the lower the "
            "temperature the better; calibrate on more rows, or on rows not trained on");
    return 0;
}

int sr_calibrator_fit_temperature(struct sr_calibrator **out, const struct sr_ranks *rows, const double *prob,
                                  struct sr_error *err) {
    double *margin = sr_alloc(rows->n, sizeof *margin, err);
    if (!margin)
        return SR_NOMEM;
    for (size_t k = 0; k < rows->n; k++) {
        const double z = sr_prob_logit(prob[rows->place[k].row]);
        margin[k] = rows->place[k].positive ? z : -z;
    }
    int status = check_margins(margin, rows->n, err);
    if (status == 0 && !(*out = sr_calibrator_new(SR_CALIBRATOR_TEMPERATURE, 0, err)))
        status = SR_NOMEM;
    if (status == 0)
        (*out)->temperature = 1 / best_inverse(margin, rows->n);
    sr_free(margin);
    return status;
}
