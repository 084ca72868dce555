/* fold.c: BatchNorm folded into the Linear in front of it.
 *
 * At inference BatchNorm is the fixed map y = (h - mean) * s + beta, s = gamma / sqrt(variance + 1e-5) (Ioffe
 * and Szegedy 2015), and h = w x + bias, so that w' = s w,   bias' = (bias - mean) * s + beta. Computed in
 * double and rounded once to float. This is the only place that folds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "infer/router.h"

int sr_fold_layer(struct sr_router_layer *layer, const struct sr_fold *from, const char *name,
                  struct sr_error *err) {
    const size_t inputs = layer->inputs;
    for (size_t o = 0; o < layer->outputs; o++) {
        const double s = (double)from->gamma[o] / sqrt((double)from->variance[o] + SR_BATCHNORM_EPS);
        const double bias = ((double)from->bias[o] - (double)from->mean[o]) * s + (double)from->beta[o];
        layer->bias[o] = (float)bias;
        bool finite = isfinite(layer->bias[o]);
        for (size_t i = 0; i < inputs; i++) {
            layer->w[o * inputs + i] = (float)(s * (double)from->w[o * inputs + i]);
            finite = finite && isfinite(layer->w[o * inputs + i]);
        }
        if (!finite)
            return sr_fail(err, SR_DATA,
                           "%s: output %zu has weights beyond float32 once its BatchNorm is folded in "
                           "(running_var %g, weight %g): the weights are damaged or their training diverged",
                           name, o, (double)from->variance[o], (double)from->gamma[o]);
    }
    return 0;
}
