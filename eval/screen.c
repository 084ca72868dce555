/* screen.c: the numbers an owner of a guard stack asks first, with intervals; the words are in screen_text.c.
 *
 * What is ranked is sorted once, what the guards do is one byte a row; a resample is then a few passes over
 * counts. All statistics of a draw see the same rows, so that the gain over a parent is paired. What is not
 * there (no parent, no gold, no small_prob) ranks no rows and knows no row, and so comes out undefined like
 * any other 0/0.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "eval/tally.h"

#define SEED 0 /* of the draws; the same rows always give the same intervals */

enum { AUPRC, ENTROPY_AUPRC, AUPRC_GAIN, GAP_WON, STATISTICS };

/* The rows as the statistics need them. */
struct view {
    size_t n;
    struct sr_ranks own, entropy, parent;
    uint8_t *kind; /* [n], routed as this router does */
    double *score; /* [n], scratch */
    void *block;
};

static void carve(struct sr_arena *arena, struct view *v) {
    v->kind = sr_arena_take(arena, v->n, sizeof *v->kind);
    v->score = sr_arena_take(arena, v->n, sizeof *v->score);
}

static int view_allocate(struct view *v, struct sr_error *err) {
    struct sr_arena arena = {0};
    carve(&arena, v);
    const int status = sr_arena_allocate(&arena, err);
    if (status == 0) {
        v->block = arena.base;
        carve(&arena, v);
    }
    return status;
}

static void view_free(struct view *v) {
    sr_ranks_free(&v->own);
    sr_ranks_free(&v->entropy);
    sr_ranks_free(&v->parent);
    sr_free(v->block);
}

/* ---- ranking ---- */

/* Sorts by v->score the labelled rows that this router can score. */
static int rank(struct sr_ranks *out, const struct view *v, const struct sr_screen_rows *in,
                struct sr_error *err) {
    for (size_t i = 0; i < v->n; i++)
        if (isnan(in->prob[i]))
            v->score[i] = (double)NAN;
    return sr_ranks_sort(out, in->label, v->score, v->n, err);
}

static int rank_all(struct view *v, const struct sr_screen_rows *in, struct sr_error *err) {
    for (size_t i = 0; i < v->n; i++)
        v->score[i] = (double)in->prob[i];
    int status = rank(&v->own, v, in, err);
    if (status == 0 && in->small_prob) {
        sr_entropy(v->score, in->small_prob, v->n);
        status = rank(&v->entropy, v, in, err);
    }
    if (status == 0 && in->parent_prob) {
        for (size_t i = 0; i < v->n; i++) /* routed at any threshold where it cannot score: first of all */
            v->score[i] = isnan(in->parent_prob[i]) ? (double)INFINITY : (double)in->parent_prob[i];
        status = rank(&v->parent, v, in, err);
    }
    return status;
}

/* ---- the guards together ---- */

/* Fills v->kind as prob and threshold route the rows; returns how many go to the large guard. */
static size_t route(struct view *v, const struct sr_screen_rows *in, const float *prob, float threshold) {
    size_t routed = 0;
    sr_decide(v->kind, prob, v->n, threshold);
    for (size_t i = 0; i < v->n; i++) {
        routed += v->kind[i];
        v->kind[i] = in->gold ? sr_tally_kind(in->gold[i], in->small_pred[i], in->large_pred[i], v->kind[i])
                              : SR_KIND_UNKNOWN;
    }
    return routed;
}

static double f1(const struct sr_tally *t, enum sr_judge judge) {
    return sr_f1(sr_tally_confusion(t, judge));
}

/* Where the large guard is no better there is nothing to win, and a share of that loss would read as a gain.
 */
static double gap_won(const struct sr_tally *t) {
    const double small = f1(t, SR_JUDGE_SMALL), gap = f1(t, SR_JUDGE_LARGE) - small;
    return gap > 0 ? (f1(t, SR_JUDGE_ROUTED) - small) / gap : (double)NAN;
}

static double per_mille(uint64_t rows, const struct sr_tally *t) {
    return 1000 * (double)rows / (double)sr_tally_known(t);
}

static double missed(const struct sr_tally *t, enum sr_judge judge) {
    return per_mille(sr_tally_confusion(t, judge).fn, t);
}

/* ---- the screen ---- */

static void statistics(double *value, const uint32_t *count, const void *user) {
    const struct view *v = user;
    const struct sr_tally t = sr_tally_count(v->kind, count, v->n);
    double parent;
    sr_ranks_measure(&value[AUPRC], NULL, &v->own, count);
    sr_ranks_measure(&value[ENTROPY_AUPRC], NULL, &v->entropy, count);
    sr_ranks_measure(&parent, NULL, &v->parent, count);
    value[AUPRC_GAIN] = value[AUPRC] - parent;
    value[GAP_WON] = gap_won(&t);
}

static void measure_rows(struct sr_screen *out, const struct view *v, const struct sr_screen_rows *in) {
    out->rows = v->n;
    for (size_t i = 0; i < v->n; i++) {
        out->bad_rows += isnan(in->prob[i]) != 0;
        out->unlabelled += !isnan(in->prob[i]) && in->label[i] > 1;
    }
    out->ranked = v->own.n;
    out->positives = v->own.positives;
    out->base_rate = (double)out->positives / (double)out->ranked;
    sr_ranks_measure(&out->auprc, &out->auroc, &v->own, NULL);
    sr_ranks_measure(&out->entropy_auprc, NULL, &v->entropy, NULL);
    out->entropy_rows = v->entropy.n;
}

/* Leaves this router's routing in v->kind. */
static void measure_routing(struct sr_screen *out, struct view *v, const struct sr_screen_rows *in,
                            float threshold, float parent_threshold) {
    struct sr_tally t;
    out->has_parent = in->parent_prob != NULL;
    sr_ranks_measure(&out->parent_auprc, NULL, &v->parent, NULL);
    out->parent_share_routed = out->parent_missed_routed = (double)NAN;
    if (out->has_parent) {
        out->parent_share_routed = (double)route(v, in, in->parent_prob, parent_threshold) / (double)v->n;
        t = sr_tally_count(v->kind, NULL, v->n);
        out->parent_missed_routed = missed(&t, SR_JUDGE_ROUTED);
    }
    out->routed = route(v, in, in->prob, threshold);
    out->share_routed = (double)out->routed / (double)v->n;
    t = sr_tally_count(v->kind, NULL, v->n);
    out->system_rows = sr_tally_known(&t);
    out->missed_small = missed(&t, SR_JUDGE_SMALL);
    out->missed_routed = missed(&t, SR_JUDGE_ROUTED);
    out->missed_large = missed(&t, SR_JUDGE_LARGE);
    out->f1_small = f1(&t, SR_JUDGE_SMALL);
    out->f1_routed = f1(&t, SR_JUDGE_ROUTED);
    out->f1_large = f1(&t, SR_JUDGE_LARGE);
    out->gap_won = gap_won(&t);
    out->harmed = per_mille(sr_tally_right(&t, true, false, true), &t);
}

static int measure_intervals(struct sr_screen *out, const struct view *v, const struct sr_screen_rows *in,
                             struct sr_error *err) {
    struct sr_interval ci[STATISTICS];
    double value[STATISTICS];
    statistics(value, NULL, v);
    const int status =
        sr_bootstrap(ci, STATISTICS, statistics, v, in->group, v->n, SR_SCREEN_DRAWS, SEED, err);
    if (status < 0)
        return status;
    for (size_t s = 0; s < STATISTICS; s++)
        if (isnan(value[s])) /* nothing to put an interval around, whatever some draws say */
            ci[s] = (struct sr_interval){(double)NAN, (double)NAN};
    out->auprc_ci = ci[AUPRC];
    out->entropy_auprc_ci = ci[ENTROPY_AUPRC];
    out->auprc_gain_ci = ci[AUPRC_GAIN];
    out->gap_won_ci = ci[GAP_WON];
    return 0;
}

int sr_screen_measure(struct sr_screen *out, const struct sr_screen_rows *in, float threshold,
                      float parent_threshold, struct sr_error *err) {
    struct view v = {.n = in->n};
    *out = (struct sr_screen){0};
    int status = view_allocate(&v, err);
    if (status == 0)
        status = rank_all(&v, in, err);
    if (status == 0) {
        measure_rows(out, &v, in);
        measure_routing(out, &v, in, threshold, parent_threshold);
        status = measure_intervals(out, &v, in, err);
    }
    view_free(&v);
    return status;
}
