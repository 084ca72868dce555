/* headroom_sample.h: rows of gold and two verdicts, drawn at random or made from a table of who is right, for
 * tests of what routing can win.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_HEADROOM_SAMPLE_H
#define SR_TEST_HEADROOM_SAMPLE_H

#include <criterion/criterion.h>
#include <math.h>

#include "eval/eval.h"

#define NOT_GIVEN ((double)NAN)

enum { N_MAX = 2000, SLICES = 3 };

struct sample {
    size_t n;
    uint8_t gold[N_MAX], small[N_MAX], large[N_MAX];
    int64_t group[N_MAX];
    int32_t slice[N_MAX];
    struct sr_rows rows;
};

static inline struct sr_headroom measure(const struct sr_rows *rows, const struct sr_prices *prices) {
    struct sr_headroom h;
    struct sr_error err = {0};
    cr_assert_eq(sr_headroom_measure(&h, NULL, NULL, 0, NULL, rows, prices, &err), 0, "%s", err.text);
    return h;
}

static inline const struct sr_prices *money(struct sr_prices *p, double small, double large, double missed,
                                            double alarm) {
    *p = sr_prices_unknown;
    p->small_cost = small;
    p->large_cost = large;
    p->missed_cost = missed;
    p->alarm_cost = alarm;
    return p;
}

static inline void rows_of(struct sample *s, bool groups) {
    s->rows = (struct sr_rows){.n = s->n,
                               .gold = s->gold,
                               .small_pred = s->small,
                               .large_pred = s->large,
                               .group = groups ? s->group : NULL};
}

/* Every tenth value is not known; twins share a group. */
static inline void sample_draw(struct sample *s, size_t n, uint64_t seed) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 0, seed);
    uint64_t at = 0;
#define BELOW(k) sr_random_below(4, stream, at++, k)
    const uint64_t small = 2 + BELOW(8), large = 2 + BELOW(8);
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        s->gold[i] = BELOW(10) ? (uint8_t)BELOW(2) : 255;
        s->small[i] = BELOW(10) ? (uint8_t)((s->gold[i] & 1) ^ (BELOW(small) == 0)) : 255;
        s->large[i] = BELOW(10) ? (uint8_t)((s->gold[i] & 1) ^ (BELOW(large) == 0)) : 255;
        s->group[i] = (int64_t)BELOW(n) - 5;
        s->slice[i] = (int32_t)BELOW(SLICES + 1) - 1;
    }
#undef BELOW
    rows_of(s, seed % 3 > 0);
}

/* Rows by who is right, unsafe and safe ones by turns within each kind. */
static inline void sample_fill(struct sample *s, size_t cc, size_t cw, size_t wc, size_t ww) {
    s->n = cc + cw + wc + ww;
    cr_assert_leq(s->n, N_MAX);
    for (size_t i = 0; i < s->n; i++) {
        s->gold[i] = (uint8_t)(i % 2);
        s->small[i] = s->gold[i] ^ (i >= cc + cw);
        s->large[i] = s->gold[i] ^ ((i >= cc && i < cc + cw) || i >= cc + cw + wc);
        s->group[i] = (int64_t)i;
    }
    rows_of(s, false);
}

/* 1e-12: sums of at most N_MAX terms in another order */
static inline void expect_near(double got, double want, const char *what) {
    cr_expect((isnan(got) && isnan(want)) || fabs(got - want) <= 1e-12 * fmax(1, fabs(want)),
              "%s: %.17g, not %.17g", what, got, want);
}

static inline void expect_interval(struct sr_interval got, struct sr_interval want, const char *what) {
    expect_near(got.low, want.low, what);
    expect_near(got.high, want.high, what);
}

#endif
