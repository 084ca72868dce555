/* calibrator_fit.h: what fits each kind of calibrator; internal to eval.
 *
 * Kind `name` is fitted by sr_calibrator_fit_name in calibrator_name.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CALIBRATOR_FIT_H
#define SR_CALIBRATOR_FIT_H

#include "eval/eval.h"

/* To rows of both classes by falling prob; prob as at sr_ranks_sort. Errors: sr_calibrator_fit. */
#define X(NAME, name)                                                                                        \
    int sr_calibrator_fit_##name(struct sr_calibrator **out, const struct sr_ranks *rows,                    \
                                 const double *prob, struct sr_error *err);
SR_CALIBRATOR_LIST(X)
#undef X

#endif
