/* loss_bce.c: binary cross-entropy on the logit, the unweighted measure that validation reports beside the
 * loss.
 *
 * log(1 + exp(-s)), s = logit for a positive and -logit for a negative row, written so that exp never
 * overflows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/nn.h"

double sr_bce(double logit, int label) {
    const double s = label ? logit : -logit;
    return log1p(exp(-fabs(s))) + (s > 0 ? 0 : -s);
}
