/* normalize.h: features shifted and scaled to mean 0 and deviation 1 for training, and the weights that undo
 * it.
 *
 * A model that reads z = (x - shift) * scale is the same function of x with another first Linear:
 *     w z + b = (w * scale) x + (b - sum (w * scale) shift)
 * so weights are folded when they are saved, and unfolded when training begins with saved ones.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NORMALIZE_H
#define SR_NORMALIZE_H

#include "nn/nn.h"
#include "train/feed.h"

struct sr_normalization {
    size_t width;
    float *shift, *scale; /* [width]; scale is 1 for a column that does not vary. NULL: no normalization */
};

/* Mean and 1/deviation (population) of the training rows. Free also after a failure. */
int sr_normalization_measure(struct sr_normalization *out, const struct sr_feed *f, struct sr_error *err);
void sr_normalization_free(struct sr_normalization *n);

/* weight [out, width], bias [out] of a model of z into those of a model of x, and back. In place is fine.
 * Sums in double, rounded once. */
void sr_normalization_fold(real *weight_x, real *bias_x, const real *weight_z, const real *bias_z, size_t out,
                           const struct sr_normalization *n);
void sr_normalization_unfold(real *weight_z, real *bias_z, const real *weight_x, const real *bias_x,
                             size_t out, const struct sr_normalization *n);

#endif
