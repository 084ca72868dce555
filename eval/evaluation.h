/* evaluation.h: everything that is measured of a router on labelled rows, each number with its interval.
 *
 * All numbers stand in one list, so that intervals, differences between two routers, slices, JSON and the
 * conditions of a gate follow from the list: a new figure is one line here and one assignment in view.c.
 *
 *     struct sr_evaluation e;
 *     sr_evaluate(&e, &rows, &how, err);
 *     printf("%f\n", e.value[SR_FIGURE_F1]);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EVALUATION_H
#define SR_EVALUATION_H

#include <stdbool.h>
#include <stdio.h>

#include "eval/confusion.h"
#include "eval/interval.h"
#include "eval/rows.h"

/* Figures of the router, and of the guards as one system. X(NAME, key). Router: of rows with a known label
 * and a prob. System: of rows with gold and both verdicts. Rates of missed rows are per 1,000. */
#define SR_FIGURE_LIST(X)                                                                                    \
    X(BASE_RATE, "base_rate") /* share of positives: the AUPRC of chance */                                  \
    X(AUPRC, "auprc")                                                                                        \
    X(AUROC, "auroc")                                                                                        \
    X(ENTROPY_AUPRC, "entropy_auprc") /* of the small guard's doubt, where its prob is known */              \
    X(SHARE_ROUTED, "share_routed")   /* of all rows */                                                      \
    X(PRECISION, "precision")                                                                                \
    X(RECALL, "recall")                                                                                      \
    X(F1, "f1")                                                                                              \
    X(ACCURACY, "accuracy")                                                                                  \
    X(BALANCED_ACCURACY, "balanced_accuracy")                                                                \
    X(MCC, "mcc")                                                                                            \
    X(BRIER, "brier")                                                                                        \
    X(LOG_LOSS, "log_loss")                                                                                  \
    X(ECE, "ece")                                                                                            \
    X(ECE_MASS, "ece_mass")                                                                                  \
    X(MISSED_SMALL, "missed_small") /* unsafe rows called safe */                                            \
    X(MISSED_ROUTED, "missed_routed")                                                                        \
    X(MISSED_LARGE, "missed_large")                                                                          \
    X(GAP, "gap")                     /* safety F1 large - small */                                          \
    X(GAP_WON, "gap_won")             /* (F1 routed - small) / gap; undefined unless gap > 0 */              \
    X(GAIN, "gain")                   /* share of rows routed that only the large guard has right */         \
    X(HARM, "harm")                   /* share of rows routed that only the small guard has right */         \
    X(ROUTING_ERROR, "routing_error") /* decision is not the label; of rows with all columns */              \
    X(RISK_GAP, "risk_gap")           /* mean log loss of the routed system less that with perfect labels */ \
    X(RISK_BOUND, "risk_bound")       /* what that gap can be at most: theorem 3.1 of SafeRoute */           \
    X(LATENCY_MS, "latency_ms")       /* of a row, expected */                                               \
    X(PRICE, "price")                 /* of the guards */                                                    \
    X(COST, "cost")                   /* price, missed unsafe rows and false alarms; of system rows */

/* Guards alone, and ways to route. X(NAME, key). RANDOM and ENTROPY route the same share as the router. */
#define SR_JUDGE_LIST(X)                                                                                     \
    X(SMALL, "small")                                                                                        \
    X(LARGE, "large")                                                                                        \
    X(ROUTED, "routed")                                                                                      \
    X(ENTROPY, "entropy")                                                                                    \
    X(RANDOM, "random")                                                                                      \
    X(ORACLE, "oracle")

/* What is measured of each: verdicts against gold, and the area under safety F1 against share (NaN for guards
 * alone). X(NAME, key) */
#define SR_JUDGE_FIGURE_LIST(X)                                                                              \
    X(F1, "f1")                                                                                              \
    X(PRECISION, "precision")                                                                                \
    X(RECALL, "recall")                                                                                      \
    X(ACCURACY, "accuracy")                                                                                  \
    X(SHARE_ROUTED, "share_routed")                                                                          \
    X(AREA, "area")

/* At another share of positives, see struct sr_measure_options. X(NAME, key) */
#define SR_PREVALENCE_FIGURE_LIST(X)                                                                         \
    X(PRECISION, "precision")                                                                                \
    X(F1, "f1")                                                                                              \
    X(ACCURACY, "accuracy")                                                                                  \
    X(SHARE_ROUTED, "share_routed")                                                                          \
    X(BRIER, "brier")                                                                                        \
    X(LOG_LOSS, "log_loss")

enum sr_judge {
#define X(name, key) SR_JUDGE_##name,
    SR_JUDGE_LIST(X)
#undef X
        SR_JUDGES
};
enum sr_judge_figure {
#define X(name, key) SR_OF_JUDGE_##name,
    SR_JUDGE_FIGURE_LIST(X)
#undef X
        SR_OF_JUDGE
};
enum sr_prevalence_figure {
#define X(name, key) SR_OF_PREVALENCE_##name,
    SR_PREVALENCE_FIGURE_LIST(X)
#undef X
        SR_OF_PREVALENCE
};
enum sr_figure {
#define X(name, key) SR_FIGURE_##name,
    SR_FIGURE_LIST(X)
#undef X
        SR_FIGURE_OF_JUDGES,
    SR_FIGURE_OF_PREVALENCE = SR_FIGURE_OF_JUDGES + SR_JUDGES * SR_OF_JUDGE,
    SR_FIGURES = SR_FIGURE_OF_PREVALENCE + SR_OF_PREVALENCE
};
static inline size_t sr_figure(enum sr_judge judge, enum sr_judge_figure figure) {
    return (size_t)SR_FIGURE_OF_JUDGES + (size_t)judge * SR_OF_JUDGE + (size_t)figure;
}

#define SR_DRAWS 2000 /* resamples of an interval */

struct sr_measure_options {
    float threshold;
    size_t draws; /* of the bootstrap; 0: no intervals */
    struct sr_prices prices;
    /* Share of positives where the router runs, NaN: not known. Rows are weighted to it, and probs corrected
     * by sr_prior_shift from train_share, the share that training saw (NaN: the share of these rows). */
    double prevalence, train_share;
    void (*progress)(void *user, double fraction); /* or NULL; called by the calling thread */
    void *progress_user;
};

struct sr_evaluation {
    float threshold;
    size_t rows, bad_rows, unlabelled; /* all; prob NaN; of the others, label unknown */
    size_t ranked, positives;          /* with label and prob; of those, label 1 */
    size_t routed, system_rows, entropy_rows, groups;
    struct sr_confusion confusion; /* of the ranked rows */
    uint64_t cc, cw, wc, ww;       /* who is right, first small, second large; c right, w wrong */
    bool too_few;             /* less than SR_FEW rows of either class, or groups: numbers that mean little */
    double value[SR_FIGURES]; /* NaN: undefined, or not known */
    struct sr_interval ci[SR_FIGURES];
};
#define SR_FEW 10

/* Intervals: 95 %; undefined where there are less than SR_FEW groups. Bootstrap (by group where there are
 * any; same bits for any number of threads), and for proportions Wilson's, which stays sound where few rows
 * or none are counted; with groups, the wider of both at either end. O(n log n) and draws times O(n). */
int sr_evaluate(struct sr_evaluation *out, const struct sr_rows *rows, const struct sr_measure_options *how,
                struct sr_error *err);

/* ---- slices ---- */

/* The same of the rows of each slice: number[i] is the slice of row i, below n, or negative. out: [n]. */
int sr_evaluate_slices(struct sr_evaluation *out, size_t n, const int32_t *number, const struct sr_rows *rows,
                       const struct sr_measure_options *how, struct sr_error *err);

/* The slice with the lowest value of a figure among those that have not too few rows and where it is defined;
 * n if there is none. */
size_t sr_worst_slice(const struct sr_evaluation *slice, size_t n, size_t figure);

/* ---- two routers ---- */

/* What changed from an old router to a new one on the same rows, at the threshold of each. */
struct sr_comparison {
    struct sr_evaluation old;          /* without intervals */
    double delta[SR_FIGURES];          /* new - old */
    struct sr_interval ci[SR_FIGURES]; /* paired: both see the same resamples */
    size_t to_large, to_small;         /* rows that were not routed and are, and the other way round */
    /* Rows that one of the two systems judges rightly and the other does not (of the decisions against
     * labels, where there is no gold), and the exact McNemar test: of them or, as twins are not independent,
     * of the groups in which one is right on more rows than the other. */
    uint64_t only_new_right, only_old_right;
    double p_value;
};
/* how: of the new one. Rows without an old prob count as routed by it at any threshold, ranked first of all.
 */
int sr_compare(struct sr_comparison *out, const struct sr_rows *rows, const struct sr_measure_options *how,
               const float *old_prob, float old_threshold, struct sr_error *err);
int sr_compare_slices(struct sr_comparison *out, size_t n, const int32_t *number, const struct sr_rows *rows,
                      const struct sr_measure_options *how, const float *old_prob, float old_threshold,
                      struct sr_error *err);

/* ---- as JSON ---- */

struct sr_json *sr_interval_json(struct sr_interval i); /* [low, high], or null */

/* Sets keys of `to`: counts, every figure by its key with `<key>_ci` beside it, objects of judges. */
void sr_evaluation_json(struct sr_json *to, const struct sr_evaluation *e);
/* Figures alone; ci may be NULL. */
void sr_figures_json(struct sr_json *to, const double *value, const struct sr_interval *ci);

/* Sets "old" (an evaluation), "delta" (new - old, with intervals) and "changed"; each null without c. */
void sr_comparison_json(struct sr_json *to, const struct sr_comparison *c);

/* ---- as text: blocks of lines, see screen.h for the first; each says nothing where there is nothing to say
 * ---- */

void sr_guards_print(FILE *to, const struct sr_evaluation *e); /* guards alone, and ways to route */
void sr_prices_print(FILE *to, const struct sr_evaluation *e,
                     const struct sr_prices *p); /* three lines at most */
void sr_prevalence_print(FILE *to, const struct sr_evaluation *e, const struct sr_measure_options *how);
void sr_evaluation_print(FILE *to, const struct sr_evaluation *e); /* counts, calibration, areas, risk */
/* heading: "source". Slices without rows are left out. */
void sr_evaluation_slices_print(FILE *to, const char *heading, const char *const *names,
                                const struct sr_evaluation *slice, size_t n);
void sr_worst_slice_print(FILE *to, const char *heading, const char *const *names,
                          const struct sr_evaluation *slice, size_t n); /* one line */

void sr_changed_print(FILE *to, const struct sr_comparison *c); /* one line */
void sr_comparison_print(FILE *to, const char *heading, const struct sr_comparison *c);
/* AUPRC, F1 or safety F1: the interval of the difference lies below 0. Never where there are too few rows. */
bool sr_comparison_is_worse(const struct sr_comparison *c);
void sr_regressions_print(FILE *to, const char *heading, const char *const *names,
                          const struct sr_comparison *c, size_t n);

#endif
