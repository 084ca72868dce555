/* evaluation.c: figures with their intervals, of all rows, of slices, of two routers; see evaluation.h.
 *
 * A bootstrap alone says of 0 errors in 20 rows that there are none, with certainty; Wilson's interval says
 * up to 16 %. Wilson's in turn takes twins for independent rows. So a proportion gets Wilson's, and where
 * there are groups the wider of the two at either end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/group.h"
#include "eval/part.h"
#include "eval/view.h"

#define SEED 0 /* of the draws; the same rows always give the same intervals */

static void statistics(double *value, const uint32_t *count, const void *user) {
    sr_view_measure(value, NULL, user, count);
}

static const struct sr_interval undefined = {(double)NAN, (double)NAN};

static bool is_f1(size_t figure) {
    for (enum sr_judge j = 0; j < SR_JUDGES; j++)
        if (figure == sr_figure(j, SR_OF_JUDGE_F1))
            return true;
    return figure == SR_FIGURE_F1;
}

/* F1 = 2J/(1 + J) rises with J = TP/(TP+FP+FN), which is a proportion of `of` rows. */
static struct sr_interval f1_wilson(double f1, double of) {
    const struct sr_interval j = sr_wilson(f1 / (2 - f1) * of, of);
    return (struct sr_interval){2 * j.low / (1 + j.low), 2 * j.high / (1 + j.high)};
}

/* ci comes as the bootstrap's. */
static void intervals_choose(struct sr_interval *ci, const double *value, const double *of, bool has_groups) {
    for (size_t f = 0; f < SR_FIGURES; f++) {
        if (isnan(value[f])) /* nothing to put an interval around, whatever some draws say */
            ci[f] = undefined;
        else if (of[f] > 0 && is_f1(f))
            ci[f] = sr_interval_hull(ci[f], f1_wilson(value[f], of[f]));
        else if (of[f] > 0)
            ci[f] = has_groups ? sr_interval_hull(ci[f], sr_wilson(value[f] * of[f], of[f]))
                               : sr_wilson(value[f] * of[f], of[f]);
    }
    if (!(ci[SR_FIGURE_GAP].low > 0)) /* a part of what may be nothing */
        ci[SR_FIGURE_GAP_WON] = undefined;
}

static void missing_count(struct sr_evaluation *out, const struct sr_rows *rows) {
    for (size_t i = 0; i < rows->n; i++) {
        out->bad_rows += isnan(rows->prob[i]) != 0;
        out->unlabelled += !isnan(rows->prob[i]) && rows->label[i] > 1;
    }
}

static int resample(struct sr_interval ci[SR_FIGURES], sr_statistic statistic, const void *user,
                    const struct sr_rows *rows, const struct sr_measure_options *how, struct sr_error *err) {
    const struct sr_resampling resampling = {.group = rows->group,
                                             .n = rows->n,
                                             .draws = how->draws,
                                             .seed = SEED,
                                             .progress = how->progress,
                                             .progress_user = how->progress_user};
    return sr_bootstrap(ci, SR_FIGURES, statistic, user, &resampling, err);
}

/* Fills all of out but the intervals. */
static int measure(struct sr_evaluation *out, double *of, const struct sr_view *v, const struct sr_rows *rows,
                   struct sr_error *err) {
    *out = (struct sr_evaluation){0};
    sr_view_count(out, v);
    missing_count(out, rows);
    sr_view_measure(out->value, of, v, NULL);
    for (size_t f = 0; f < SR_FIGURES; f++)
        out->ci[f] = undefined;
    const int status = sr_groups_count(&out->groups, rows->group, rows->n, err);
    out->too_few |= out->groups < SR_FEW;
    return status;
}

int sr_evaluate(struct sr_evaluation *out, const struct sr_rows *rows, const struct sr_measure_options *how,
                struct sr_error *err) {
    struct sr_view v;
    double of[SR_FIGURES];
    int status = sr_view_make(&v, rows, how, false, err);
    if (status == 0)
        status = measure(out, of, &v, rows, err);
    const bool sure = how->draws > 0 && (out->groups >= SR_FEW || out->groups == rows->n);
    if (status == 0 && sure && out->groups >= SR_FEW)
        status = resample(out->ci, statistics, &v, rows, how, err);
    if (status == 0 && sure)
        intervals_choose(out->ci, out->value, of, out->groups < rows->n);
    sr_view_free(&v);
    return status;
}

/* ---- two routers ---- */

struct pair {
    struct sr_view now, old;
};

static void differences(double *value, const uint32_t *count, const void *user) {
    const struct pair *p = user;
    double old[SR_FIGURES];
    sr_view_measure(value, NULL, &p->now, count);
    sr_view_measure(old, NULL, &p->old, count);
    for (size_t f = 0; f < SR_FIGURES; f++)
        value[f] -= old[f];
}

/* The rows as the old router sees them: labels only where the new one has a prob, so that both are measured
 * on the same rows. */
static uint8_t *old_labels(const struct sr_rows *rows, struct sr_error *err) {
    uint8_t *label = sr_alloc(rows->n, sizeof *label, err);
    for (size_t i = 0; label && i < rows->n; i++)
        label[i] = isnan(rows->prob[i]) ? UINT8_MAX : rows->label[i];
    return label;
}

/* Right: the verdict is gold's or, for rows without gold, the decision the label's. -1: not known. */
static int is_right(const struct sr_rows *rows, size_t i, bool routed) {
    if (rows->gold) {
        if (rows->gold[i] > 1 || rows->small_pred[i] > 1 || rows->large_pred[i] > 1)
            return -1;
        return (routed ? rows->large_pred[i] : rows->small_pred[i]) == rows->gold[i];
    }
    return rows->label[i] > 1 ? -1 : rows->label[i] == routed;
}

/* lead[g]: rows of group g that only the new one has right, less those that only the old one has. */
static double groups_mcnemar(const int64_t *lead, size_t groups) {
    uint64_t won = 0, lost = 0;
    for (size_t g = 0; g < groups; g++) {
        won += lead[g] > 0;
        lost += lead[g] < 0;
    }
    return sr_mcnemar(won, lost);
}

static void changes_add(struct sr_comparison *out, int64_t *lead, const uint32_t *group, const struct pair *p,
                        const struct sr_rows *rows, const float *old_prob) {
    const float threshold = p->now.how.threshold, old_threshold = p->old.how.threshold;
    for (size_t i = 0; i < rows->n; i++) {
        const bool now = sr_is_routed(rows->prob[i], threshold),
                   old = sr_is_routed(old_prob[i], old_threshold);
        const int now_right = is_right(rows, i, now), old_right = is_right(rows, i, old);
        const bool won = now_right == 1 && old_right == 0, lost = now_right == 0 && old_right == 1;
        out->to_large += now && !old;
        out->to_small += old && !now;
        out->only_new_right += won;
        out->only_old_right += lost;
        lead[group[i]] += won - lost;
    }
}

static int changes_count(struct sr_comparison *out, const struct pair *p, const struct sr_rows *rows,
                         const float *old_prob, struct sr_error *err) {
    uint32_t *group = sr_alloc(rows->n, sizeof *group, err);
    int64_t *lead = sr_alloc(rows->n, sizeof *lead, err);
    size_t groups;
    int status = group && lead ? sr_groups_number(group, &groups, rows->group, rows->n, err) : SR_NOMEM;
    if (status == 0) {
        changes_add(out, lead, group, p, rows, old_prob);
        out->p_value = groups_mcnemar(lead, groups);
    }
    sr_free(group);
    sr_free(lead);
    return status;
}

static int compare(struct sr_comparison *out, const struct pair *p, const struct sr_rows *rows,
                   const struct sr_measure_options *how, struct sr_error *err) {
    int status = 0;
    differences(out->delta, NULL, p);
    for (size_t f = 0; f < SR_FIGURES; f++)
        out->ci[f] = undefined;
    if (how->draws > 0 && out->old.groups >= SR_FEW)
        status = resample(out->ci, differences, p, rows, how, err);
    for (size_t f = 0; f < SR_FIGURES; f++)
        if (isnan(out->delta[f]))
            out->ci[f] = undefined;
    return status;
}

int sr_compare(struct sr_comparison *out, const struct sr_rows *rows, const struct sr_measure_options *how,
               const float *old_prob, float old_threshold, struct sr_error *err) {
    uint8_t *label = old_labels(rows, err);
    struct sr_measure_options old_how = *how;
    struct sr_rows old = *rows;
    struct pair p = {0};
    int status = label ? 0 : SR_NOMEM;
    *out = (struct sr_comparison){0};
    old_how.threshold = old_threshold;
    old.label = label;
    old.prob = old_prob;
    if (status == 0 && (status = sr_view_make(&p.now, rows, how, false, err)) == 0 &&
        (status = sr_view_make(&p.old, &old, &old_how, true, err)) == 0 &&
        (status = measure(&out->old, NULL, &p.old, &old, err)) == 0 &&
        (status = changes_count(out, &p, rows, old_prob, err)) == 0)
        status = compare(out, &p, rows, how, err);
    sr_view_free(&p.now);
    sr_view_free(&p.old);
    sr_free(label);
    return status;
}

/* ---- slices ---- */

/* A slice's piece of the bar over all of them, as long as it has rows. */
struct piece {
    const struct sr_measure_options *whole;
    double begin, length;
};

static void piece_show(void *user, double fraction) {
    const struct piece *p = user;
    p->whole->progress(p->whole->progress_user, p->begin + fraction * p->length);
}

static struct sr_measure_options piece_options(struct piece *p, const struct sr_measure_options *whole,
                                               const struct sr_parts *parts, size_t s, size_t rows) {
    struct sr_measure_options how = *whole;
    *p = (struct piece){.whole = whole,
                        .begin = (double)parts->start[s] / (double)rows,
                        .length = (double)(parts->start[s + 1] - parts->start[s]) / (double)rows};
    how.progress = whole->progress ? piece_show : NULL;
    how.progress_user = p;
    return how;
}

int sr_evaluate_slices(struct sr_evaluation *out, size_t n, const int32_t *number, const struct sr_rows *rows,
                       const struct sr_measure_options *how, struct sr_error *err) {
    struct sr_parts parts;
    int status = sr_parts_sort(&parts, n, number, rows->n, err);
    for (size_t s = 0; status == 0 && s < n; s++) {
        struct sr_part p;
        struct piece piece;
        const struct sr_measure_options one = piece_options(&piece, how, &parts, s, rows->n);
        status = sr_part_take(&p, &parts, s, rows, NULL, err);
        if (status == 0)
            status = sr_evaluate(&out[s], &p.rows, &one, err);
        sr_part_free(&p);
    }
    sr_parts_free(&parts);
    return status;
}

int sr_compare_slices(struct sr_comparison *out, size_t n, const int32_t *number, const struct sr_rows *rows,
                      const struct sr_measure_options *how, const float *old_prob, float old_threshold,
                      struct sr_error *err) {
    struct sr_parts parts;
    int status = sr_parts_sort(&parts, n, number, rows->n, err);
    for (size_t s = 0; status == 0 && s < n; s++) {
        struct sr_part p;
        struct piece piece;
        const struct sr_measure_options one = piece_options(&piece, how, &parts, s, rows->n);
        status = sr_part_take(&p, &parts, s, rows, old_prob, err);
        if (status == 0)
            status = sr_compare(&out[s], &p.rows, &one, p.old_prob, old_threshold, err);
        sr_part_free(&p);
    }
    sr_parts_free(&parts);
    return status;
}

size_t sr_worst_slice(const struct sr_evaluation *slice, size_t n, size_t figure) {
    size_t worst = n;
    for (size_t s = 0; s < n; s++)
        if (!slice[s].too_few && !isnan(slice[s].value[figure]) &&
            (worst == n || slice[s].value[figure] < slice[worst].value[figure]))
            worst = s;
    return worst;
}
