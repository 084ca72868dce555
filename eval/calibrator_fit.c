/* calibrator_fit.c: a calibrator and labelled rows: fitting one to them, and the reliability of the probs
 * that one gives them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/calibrator_fit.h"

typedef int fit_rows(struct sr_calibrator **out, const struct sr_ranks *rows, const double *prob,
                     struct sr_error *err);

static fit_rows *const fits[] = {
#define X(NAME, name) [SR_CALIBRATOR_##NAME] = sr_calibrator_fit_##name,
    SR_CALIBRATOR_LIST(X)
#undef X
};

/* The probs as doubles, as c gives them (NULL: as they are). Free with sr_free. */
static double *widen(const struct sr_calibrator *c, const float *prob, size_t n, struct sr_error *err) {
    double *wide = sr_alloc(n, sizeof *wide, err);
    for (size_t i = 0; wide && i < n; i++)
        wide[i] = c ? sr_calibrator_apply(c, (double)prob[i]) : (double)prob[i];
    return wide;
}

int sr_calibrator_reliability(struct sr_reliability **out, const struct sr_calibrator *c,
                              const uint8_t *label, const float *prob, size_t n, struct sr_error *err) {
    double *wide = widen(c, prob, n, err);
    *out = NULL;
    const int status = wide ? sr_reliability_create(out, label, wide, n, err) : SR_NOMEM;
    sr_free(wide);
    return status;
}

static int fit_sorted(struct sr_calibrator **out, enum sr_calibrator_kind kind, const uint8_t *label,
                      const double *prob, size_t n, struct sr_error *err) {
    struct sr_ranks rows;
    int status = sr_ranks_sort(&rows, label, prob, n, err);
    if (status < 0)
        return status;
    if (rows.positives == 0 || rows.positives == rows.n)
        status = sr_fail(err, SR_DATA,
                         "calibration needs rows of both classes that have a prob: there are %zu positive "
                         "and %zu negative ones",
                         rows.positives, rows.n - rows.positives);
    else
        status = fits[kind](out, &rows, prob, err);
    sr_ranks_free(&rows);
    return status;
}

int sr_calibrator_fit(struct sr_calibrator **out, enum sr_calibrator_kind kind, const uint8_t *label,
                      const float *prob, size_t n, struct sr_error *err) {
    double *wide = widen(NULL, prob, n, err);
    *out = NULL;
    const int status = wide ? fit_sorted(out, kind, label, wide, n, err) : SR_NOMEM;
    sr_free(wide);
    return status;
}
