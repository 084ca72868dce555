/* loss_focal.c: focal loss on the logit, value and derivative (Lin et al. 2017, eq. 5).
 *
 * With s = logit for a positive and -logit for a negative row, q = 1 - p_t = sigmoid(-s) and ce = log(1 +
 * exp(-s)): loss = alpha_t q^gamma ce,  dloss/ds = -alpha_t q^gamma (gamma (1 - q) ce + q). With gamma 0 this
 * is weighted cross-entropy. Computed in double whatever the real type: a batch has few logits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/nn.h"

/* Loss against a hard label. */
static double hard(double logit, int label, const struct sr_focal *f, double *dlogit) {
    const double s = label ? logit : -logit;
    const double alpha = label ? f->positive : f->negative;
    const double e = exp(-fabs(s));
    const double q = s > 0 ? e / (1 + e) : 1 / (1 + e);
    const double p = s > 0 ? 1 / (1 + e) : e / (1 + e);
    const double ce = log1p(e) + (s > 0 ? 0 : -s);
    const double weight = alpha * pow(q, f->gamma);
    const double ds = -weight * (f->gamma * p * ce + q);
    *dlogit = label ? ds : -ds;
    return weight * ce;
}

double sr_focal(double logit, int label, const struct sr_focal *f, double *dlogit) {
    const double other = f->smoothing / 2;
    double d, loss = hard(logit, label, f, &d);
    if (other > 0) {
        double d_other;
        loss = (1 - other) * loss + other * hard(logit, !label, f, &d_other);
        d = (1 - other) * d + other * d_other;
    }
    if (dlogit)
        *dlogit = d;
    return loss;
}

double sr_focal_mean(real *dlogit, const real *logit, const uint8_t *label, const float *weight, size_t rows,
                     const struct sr_focal *f) {
    double sum = 0;
    for (size_t r = 0; r < rows; r++) {
        const double w = weight ? (double)weight[r] : 1;
        double d;
        sum += w * sr_focal((double)logit[r], label[r], f, &d);
        if (dlogit)
            dlogit[r] = (real)(w * d / (double)rows);
    }
    return sum / (double)rows;
}
