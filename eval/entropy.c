/* entropy.c: how much a guard doubts its own verdict: binary entropy of its probability.
 *
 * H(p) = -p log2 p - (1-p) log2 (1-p), with 0 log 0 = 0 (Cover and Thomas, Elements of Information Theory,
 * section 2.1). Largest, 1 bit, at p = .5. In double, where 1-p of a float is exact down to p = 2^-29.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/eval.h"

static double term(double p) {
    return p == 0 ? 0 : -p * log2(p);
}

void sr_entropy(double *score, const float *prob, size_t n) {
    for (size_t i = 0; i < n; i++)
        score[i] = term((double)prob[i]) + term(1 - (double)prob[i]);
}
