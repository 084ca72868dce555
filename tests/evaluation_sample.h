/* evaluation_sample.h: random rows with ties, gaps and groups, and evaluations of them, for tests of figures
 * and of comparisons.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_EVALUATION_SAMPLE_H
#define SR_TEST_EVALUATION_SAMPLE_H

#include <criterion/criterion.h>
#include <math.h>

#include "eval/eval.h"

#define N 60

static const struct sr_measure_options point_only = {
    .threshold = .5f,
    .prices = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
    .prevalence = (double)NAN,
    .train_share = (double)NAN};

static inline struct sr_evaluation evaluate(const struct sr_rows *rows,
                                            const struct sr_measure_options *how) {
    struct sr_evaluation e;
    struct sr_error err;
    cr_assert_eq(sr_evaluate(&e, rows, how, &err), 0, "%s", err.text);
    return e;
}

static inline double of(const struct sr_evaluation *e, enum sr_judge judge, enum sr_judge_figure figure) {
    return e->value[sr_figure(judge, figure)];
}

/* 1e-12: at most some hundred terms, each off by 1e-16; undefined is undefined on both sides */
static inline void expect_same(double got, double want, const char *what) {
    cr_expect((isnan(got) && isnan(want)) || fabs(got - want) <= 1e-12 * fmax(1, fabs(want)),
              "%s: %.17g, not %.17g", what, got, want);
}

struct sample {
    uint8_t label[N], gold[N], small[N], large[N];
    float prob[N], small_prob[N], large_prob[N];
    int64_t group[N];
    struct sr_rows rows;
};

/* Few distinct scores, so that ties are many; every tenth value is not known. */
static inline void sample_draw(struct sample *s, uint64_t seed) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 2, seed);
    uint64_t at = 0;
#define BELOW(n) sr_random_below(3, stream, at++, n)
    for (size_t i = 0; i < N; i++) {
        s->small_prob[i] = BELOW(10) ? (float)BELOW(9) / 8 : NAN;
        s->large_prob[i] = BELOW(10) ? (float)BELOW(9) / 8 : NAN;
        s->gold[i] = BELOW(10) ? (uint8_t)BELOW(2) : 255;
        s->small[i] = isnan(s->small_prob[i]) ? 255 : s->small_prob[i] >= .5f;
        s->large[i] = isnan(s->large_prob[i]) ? 255 : s->large_prob[i] >= .5f;
        s->label[i] = BELOW(10) ? (uint8_t)(BELOW(3) == 0) : 255;
        s->prob[i] = BELOW(20) ? (float)BELOW(6) / 5 : NAN;
        s->group[i] = (int64_t)BELOW(N);
    }
#undef BELOW
    s->rows = (struct sr_rows){.n = N,
                               .label = s->label,
                               .prob = s->prob,
                               .gold = s->gold,
                               .small_pred = s->small,
                               .large_pred = s->large,
                               .small_prob = s->small_prob,
                               .large_prob = s->large_prob,
                               .group = s->group};
}

static inline bool is_known(const struct sample *s, size_t i) {
    return s->gold[i] <= 1 && s->small[i] <= 1 && s->large[i] <= 1;
}

#endif
