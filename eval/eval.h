/* eval.h: the door of eval: arrays in, numbers out. No files, no networks, no printing.
 *
 * A quantity that is 0/0 is undefined and returned as NaN, never as 0 or 1. Of a label, gold or verdict 0 and
 * 1 are known and anything else is unknown; rows where what is asked needs it are left out. All functions are
 * pure and may be called by any thread.
 *
 *     struct sr_confusion c = sr_confusion_count(label, routed, n);
 *     double f1 = sr_f1(c);
 *     double ap, area;
 *     sr_ranking(&ap, &area, label, score, n, err);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EVAL_H
#define SR_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/binomial.h"
#include "eval/calibration.h"
#include "eval/confusion.h"
#include "eval/gate.h"
#include "eval/headroom.h"
#include "eval/interval.h"
#include "eval/report.h"
#include "eval/rows.h"
#include "eval/rule.h"
#include "eval/sweep.h"
#include "nn/base/base.h"

/* Average precision, sum over distinct scores of (R_k - R_{k-1}) P_k with ties grouped (scikit-learn's
 * average_precision_score; no interpolation), and area under the ROC curve (ties count half). Undefined (NaN)
 * when a class needed is missing: AP without positives, ROC without either class. Rows of unknown label are
 * left out. Scores must not be NaN (SR_BUG). O(n log n); allocates n items. Either output may be NULL. */
int sr_ranking(double *average_precision, double *roc_area, const uint8_t *label, const double *score,
               size_t n, struct sr_error *err);

/* The same in two steps: sorted once, measured often. Place k holds the row with the k-th highest score; rows
 * of unknown label or NaN score have none. n at most 2^32 - 1. */
struct sr_place {
    uint32_t row;
    bool positive, last; /* last: of those with this score */
};
struct sr_ranks {
    size_t n, positives;
    struct sr_place *place; /* [n] */
};
/* O(n log n); allocates 24 bytes a row, keeps 8. Free with sr_ranks_free, which an all-zero struct may have
 * too. */
int sr_ranks_sort(struct sr_ranks *out, const uint8_t *label, const double *score, size_t n,
                  struct sr_error *err);
void sr_ranks_free(struct sr_ranks *r);
/* As if row i were there count[i] times (NULL: every row once): the same bits as sr_ranking on rows repeated
 * like that. The sum of counts must be below 2^32. O(n). Either output may be NULL. */
void sr_ranks_measure(double *average_precision, double *roc_area, const struct sr_ranks *r,
                      const uint32_t *count);

/* Binary entropy of each probability in bits, 0..1; NaN for NaN. The small guard's doubt, and so the baseline
 * of a router that needs no training. */
void sr_entropy(double *score, const float *prob, size_t n);

/* ---- the first screen ---- */

#define SR_SCREEN_DRAWS 1000 /* resamples of its intervals */

/* What is known of the rows, [n] each. */
struct sr_screen_rows {
    size_t n;
    const uint8_t *label;
    const float *prob;        /* of the router; NaN: a bad row, decided large */
    const float *parent_prob; /* of the router that this one began with or replaces, or NULL; NaN: a row that
                                 it routes at any threshold, so ranked before all others */
    const uint8_t *gold, *small_pred, *large_pred; /* or NULL, all three or none */
    const float *small_prob;                       /* NaN: unknown; or NULL */
    const int64_t *group;                          /* or NULL */
};

/* What an owner of a guard stack asks first, at one threshold. NaN: undefined, or not known without gold and
 * verdicts. Rates of missed and harmed rows are per 1,000 of system_rows. */
struct sr_screen {
    size_t rows, bad_rows, unlabelled; /* all; prob NaN; of the others, label unknown */
    size_t positives;                  /* of the labelled rows that are not bad: `ranked` */
    size_t ranked;
    double base_rate;            /* positives / ranked: the AUPRC of chance */
    double auprc, auroc;         /* of the ranked rows */
    struct sr_interval auprc_ci; /* cluster bootstrap by group */
    double entropy_auprc;        /* of those whose small_prob is known */
    struct sr_interval entropy_auprc_ci;
    size_t entropy_rows;
    size_t routed; /* of all rows, bad ones too: they go to the large guard */
    double share_routed;
    size_t system_rows;                               /* rows with gold and both verdicts */
    double missed_small, missed_routed, missed_large; /* unsafe rows called safe, per 1,000 */
    double f1_small, f1_routed, f1_large;             /* safety F1: of unsafe rows */
    /* (F1 routed - F1 small) / (F1 large - F1 small); undefined unless F1 large > F1 small, and its interval
     * is of the draws in which it is defined */
    double gap_won;
    struct sr_interval gap_won_ci;
    double harmed; /* routed rows that the small guard had right and the large guard gets wrong, per 1,000 */
    bool has_parent;
    double parent_auprc;                              /* of the same ranked rows */
    double parent_missed_routed, parent_share_routed; /* at parent_threshold */
    struct sr_interval auprc_gain_ci; /* of auprc - parent_auprc, paired: the same resamples */
};

/* Seconds for 100,000 rows, half a minute of one core for a million; the same bits for any number of
 * threads. */
int sr_screen_measure(struct sr_screen *out, const struct sr_screen_rows *in, float threshold,
                      float parent_threshold, struct sr_error *err);

/* The words around the numbers; NULL where there is nothing to say. */
struct sr_screen_words {
    const char *threshold, *threshold_origin; /* "0.6", "unset in the weights, so this is used" */
    const char *labels;                       /* "as stored", "derived from gold and verdicts" */
    int64_t best_epoch, epochs;               /* epochs 0: not said */
};

/* A dozen lines for people, and the same for programs as keys of the object `to`, named as in struct
 * sr_screen and sr_screen_words, but rows_routed for `routed`, and auprc_gain = auprc - parent_auprc. Every
 * key is there always; undefined and unknown are null, intervals [low, high]. */
void sr_screen_print(FILE *to, const struct sr_screen *s, const struct sr_screen_words *words);
void sr_screen_json(struct sr_json *to, const struct sr_screen *s, const struct sr_screen_words *words);

/* AUPRC within slices of the rows, before and after: what was gained, what was forgotten. */
struct sr_slice {
    const char *name;       /* borrowed */
    size_t rows, positives; /* labelled rows with both scores */
    double before, after;   /* average precision */
};
/* slice[i] numbers the slice of row i, below n_slices; negative: none. before may be NULL, and is NaN in the
 * result then. Rows with a NaN prob are left out. names and out: [n_slices]. */
int sr_slices_measure(struct sr_slice *out, const char *const *names, size_t n_slices, const int32_t *slice,
                      const uint8_t *label, const float *before, const float *after, size_t n,
                      struct sr_error *err);
/* A blank line and a table under a heading ("source"), an array of {name, rows, positives, before, after};
 * slices without rows are left out, and in the table `before` where it is undefined everywhere. */
void sr_slices_print(FILE *to, const char *heading, const struct sr_slice *slice, size_t n_slices);
struct sr_json *sr_slices_json(const struct sr_slice *slice, size_t n_slices);

/* ---- the guards together, against gold (1 = unsafe) ---- */

struct sr_guard {
    double f1, precision, recall, accuracy; /* of verdicts against gold */
};
struct sr_system {
    uint64_t rows; /* whose gold and verdicts are known; the others are left out */
    struct sr_guard small, large, routed, oracle;
    /* who was right: first small, second large; c right, w wrong */
    uint64_t cc, cw, wc, ww;
    double share_routed, share_oracle; /* the oracle routes exactly the wc rows */
};
/* routed[i] = 1: row i takes the large guard's verdict. */
void sr_system_measure(struct sr_system *out, const uint8_t *gold, const uint8_t *small_pred,
                       const uint8_t *large_pred, const uint8_t *routed, size_t n);

#endif
