/* binomial.c: exact tests and intervals of counts; see binomial.h.
 *
 * A tail is its greatest term times a sum of ratios of neighbouring terms, all positive, so that nothing
 * cancels. The term is Loader's saddle-point form (Loader 2000, "Fast and accurate computation of binomial
 * probabilities"): with logarithms of factorials 2^32 trials would leave five digits. The distance of k from
 * its mean is taken once, by fma, without the rounding of n p.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/binomial.h"

#define TWO_PI 6.283185307179586

/* ln n! less Stirling's (n + 1/2) ln n - n + ln(2 pi) / 2; n >= 1. The series (DLMF 5.11.1) is good to 1e-16
 * from 16 on; below, the difference itself is good to 1e-14. */
static double stirling_error(double n) {
    if (n < 16)
        return lgamma(n + 1) - (n + .5) * log(n) + n - log(TWO_PI) / 2;
    const double s = 1 / (n * n);
    return (1. / 12 - (1. / 360 - (1. / 1260 - (1. / 1680 - s / 1188) * s) * s) * s) / n;
}

/* x ln(x / mean) + mean - x, where off = x - mean; x > 0. Near the mean by its series (Loader 2000, bd0). */
static double deviance(double x, double off) {
    const double mean = x - off, v = off / (x + mean);
    if (fabs(v) >= .1)
        return x * log(x / mean) - off;
    double sum = off * v, term = 2 * x * v, last;
    int j = 1;
    do {
        last = sum;
        term *= v * v;
        sum += term / (2 * j++ + 1);
    } while (sum != last);
    return sum;
}

/* P(X = k), q = 1 - p, off = k - n p; 0 <= k < n. */
static double term_at(double k, double n, double p, double q, double off) {
    if (k == 0)
        return exp(n * (p < .5 ? log1p(-p) : log(q)));
    const double error = stirling_error(n) - stirling_error(k) - stirling_error(n - k);
    return sqrt(n / (TWO_PI * k * (n - k))) * exp(error - deviance(k, off) - deviance(n - k, -off));
}

/* P(X <= k) where k is below the mean, so that terms fall; 0 <= k < n. */
static double lower_tail(double k, double n, double p, double q, double off) {
    double sum = 1, term = 1;
    /* whole numbers below 2^53, exact. NOLINTNEXTLINE(cert-flp30-c) */
    for (double j = k; j > 0 && term > sum * 0x1p-60; j--) {
        term *= j * q / ((n - j + 1) * p);
        sum += term;
    }
    return term_at(k, n, p, q, off) * sum;
}

double sr_binomial_below(uint64_t k, uint64_t n, double p) {
    const double below = (double)k, trials = (double)n, q = 1 - p;
    if (k >= n || p <= 0)
        return 1;
    if (p >= 1)
        return 0;
    if (below < trials * p)
        return lower_tail(below, trials, p, q, fma(-trials, p, below));
    const double above = fma(-trials, p, below + 1); /* the failures are at most n - k - 1 */
    return 1 - lower_tail(trials - below - 1, trials, q, p, -above);
}

double sr_mcnemar(uint64_t b, uint64_t c) {
    return fmin(1, 2 * sr_binomial_below(b < c ? b : c, b + c, .5));
}

struct sr_interval sr_wilson(double k, double n) {
    const double z = 1.959963984540054; /* 97.5 % point of the standard normal */
    const double centre = k + z * z / 2, half = z * sqrt(k * (n - k) / n + z * z / 4), all = n + z * z;
    if (!(n > 0))
        return (struct sr_interval){(double)NAN, (double)NAN};
    return (struct sr_interval){k > 0 ? (centre - half) / all : 0, k < n ? (centre + half) / all : 1};
}
