/* binomial.h: exact tests and intervals of counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_BINOMIAL_H
#define SR_BINOMIAL_H

#include <stdint.h>

#include "eval/interval.h"

/* P(X <= k) of n trials that succeed with probability p, 0..1; k >= n: 1. Relative error below 1e-10 down to
 * 1e-300, n up to 2^32. */
double sr_binomial_below(uint64_t k, uint64_t n, double p);

/* Exact McNemar test: the two-sided p-value of b against c discordant pairs, min(1, 2 P(X <= min(b, c))) with
 * X of b + c trials at .5; 1 where there are none. */
double sr_mcnemar(uint64_t b, uint64_t c);

/* 95 % score interval of a proportion k / n (Wilson 1927); undefined for n = 0. k may be fractional (weighted
 * rows), 0..n. */
struct sr_interval sr_wilson(double k, double n);

#endif
