/* view.c: rows prepared, and every figure measured; see view.h.
 *
 * What is ranked is sorted once, everything else is a byte or a double a row, so a resample costs a few
 * passes over counts. What is not there (no gold, no small_prob, no prevalence) counts no rows, and its
 * figures come out as 0/0 like any other.
 *
 * Theorem 3.1 of SafeRoute (Lee et al. 2025), measured: with t the label, r the decision and l the log loss
 * of a guard, the loss of the routed system less that of perfect routing is the mean of (r - t)(l_large -
 * l_small), and by Cauchy and Schwarz at most sqrt(mean (r - t)^2) sqrt(mean (l_large - l_small)^2).
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>
#include <math.h>

#include "eval/view.h"

/* ---- making ---- */

#define UNKNOWN 255 /* a label */

/* Bits of an outcome: label, decision, or no label or prob to compare. */
enum { OUTCOME_LABEL = 1, OUTCOME_ROUTED = 2, OUTCOME_UNKNOWN = 4, OUTCOMES = 8 };

static void carve(struct sr_arena *arena, struct sr_view *v) {
    v->label = sr_arena_take(arena, v->n, sizeof *v->label);
    v->outcome = sr_arena_take(arena, v->n, sizeof *v->outcome);
    v->kind = sr_arena_take(arena, v->n, sizeof *v->kind);
    v->risk = sr_arena_take(arena, v->n, sizeof *v->risk);
    v->score = sr_arena_take(arena, v->n, sizeof *v->score);
    v->shifted = isnan(v->how.prevalence) ? NULL : sr_arena_take(arena, v->n, sizeof *v->shifted);
}

static int allocate(struct sr_view *v, struct sr_error *err) {
    struct sr_arena arena = {0};
    carve(&arena, v);
    const int status = sr_arena_allocate(&arena, err);
    if (status == 0) {
        v->block = arena.base;
        carve(&arena, v);
    }
    return status;
}

/* Log loss of a guard's probability; clipped as scikit-learn clips float32. */
static double log_loss(float prob, bool unsafe) {
    const double p = fmin(fmax((double)prob, (double)FLT_EPSILON), 1 - (double)FLT_EPSILON);
    return -log(unsafe ? p : 1 - p);
}

static double risk(const struct sr_rows *rows, uint8_t label, size_t i) {
    if (!rows->gold || !rows->small_prob || !rows->large_prob || rows->gold[i] > 1 || label > 1 ||
        isnan(rows->small_prob[i]) || isnan(rows->large_prob[i]))
        return (double)NAN;
    return log_loss(rows->large_prob[i], rows->gold[i]) - log_loss(rows->small_prob[i], rows->gold[i]);
}

static void fill(struct sr_view *v, const struct sr_rows *rows) {
    sr_decide(v->outcome, rows->prob, v->n, v->how.threshold);
    for (size_t i = 0; i < v->n; i++) {
        const uint8_t routed = v->outcome[i];
        v->label[i] = isnan(rows->prob[i]) && !v->ranks_bad ? UNKNOWN : rows->label[i];
        v->outcome[i] =
            (uint8_t)(routed * OUTCOME_ROUTED + (v->label[i] > 1 ? OUTCOME_UNKNOWN : v->label[i]));
        v->kind[i] = rows->gold
                         ? sr_tally_kind(rows->gold[i], rows->small_pred[i], rows->large_pred[i], routed)
                         : SR_KIND_UNKNOWN;
        v->risk[i] = risk(rows, v->label[i], i);
    }
}

static double base_rate(const struct sr_view *v) {
    return (double)v->own.positives / (double)v->own.n;
}

/* Losses of the probs corrected for the prevalence. */
static void shift(struct sr_view *v, const struct sr_rows *rows) {
    const double from = isnan(v->how.train_share) ? base_rate(v) : v->how.train_share;
    for (size_t i = 0; v->shifted && i < v->n; i++) {
        const double prob = sr_prior_shift((double)rows->prob[i], from, v->how.prevalence);
        const double miss = v->label[i] == 1 ? 1 - prob : prob;
        /* cppcheck-suppress ignoredReturnValue ; it is used */
        v->shifted[i] = (struct sr_shifted){miss * miss, -log(fmax(1 - miss, DBL_EPSILON))};
    }
}

static double oracle_score(uint8_t kind) {
    const bool gold = kind & SR_KIND_GOLD, small = kind & SR_KIND_SMALL, large = kind & SR_KIND_LARGE;
    return (large == gold) - (small == gold);
}

/* Doubt that is not known of one row can stand nowhere in the queue without being an assumption. */
static bool has_entropy(const struct sr_view *v, const struct sr_rows *rows) {
    for (size_t i = 0; i < v->n; i++)
        if (!rows->small_prob || (v->kind[i] < SR_KIND_UNKNOWN && isnan(rows->small_prob[i])))
            return false;
    return true;
}

/* Each queue and ranking from its score. */
static int sort_all(struct sr_view *v, const struct sr_rows *rows, struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; i < v->n; i++)
        v->score[i] = (double)rows->prob[i];
    if ((status = sr_reliability_create(&v->reliability, v->label, v->score, v->n, err)) < 0 ||
        (status = sr_queue_sort(&v->queue[SR_QUEUE_ROUTED], v->kind, v->score, v->n, err)) < 0)
        return status;
    for (size_t i = 0; i < v->n; i++)
        if (isnan(rows->prob[i])) /* its label is known only where such rows are ranked */
            v->score[i] = (double)INFINITY;
    if ((status = sr_ranks_sort(&v->own, v->label, v->score, v->n, err)) < 0)
        return status;
    for (size_t i = 0; i < v->n; i++)
        v->score[i] = oracle_score(v->kind[i]);
    if ((status = sr_queue_sort(&v->queue[SR_QUEUE_ORACLE], v->kind, v->score, v->n, err)) < 0)
        return status;
    for (size_t i = 0; i < v->n; i++)
        v->score[i] = 0;
    if ((status = sr_queue_sort(&v->queue[SR_QUEUE_RANDOM], v->kind, v->score, v->n, err)) < 0 ||
        !rows->small_prob)
        return status;
    sr_entropy(v->score, rows->small_prob, v->n);
    if (has_entropy(v, rows) &&
        (status = sr_queue_sort(&v->queue[SR_QUEUE_ENTROPY], v->kind, v->score, v->n, err)) < 0)
        return status;
    return sr_ranks_sort(&v->entropy, v->label, v->score, v->n, err);
}

int sr_view_make(struct sr_view *v, const struct sr_rows *rows, const struct sr_measure_options *how,
                 bool ranks_bad, struct sr_error *err) {
    *v = (struct sr_view){.n = rows->n, .how = *how, .ranks_bad = ranks_bad};
    int status = allocate(v, err);
    if (status < 0)
        return status;
    fill(v, rows);
    status = sort_all(v, rows, err);
    if (status == 0)
        shift(v, rows);
    return status;
}

void sr_view_free(struct sr_view *v) {
    sr_ranks_free(&v->own);
    sr_ranks_free(&v->entropy);
    for (size_t q = 0; q < SR_QUEUES; q++)
        sr_queue_free(&v->queue[q]);
    sr_reliability_free(v->reliability);
    sr_free(v->block);
}

/* ---- measuring ---- */

struct outcomes {
    struct sr_confusion label;
    uint64_t rows, routed; /* all */
};

static struct outcomes outcomes_count(const struct sr_view *v, const uint32_t *count) {
    uint64_t n[OUTCOMES] = {0}, rows = 0;
    for (size_t i = 0; i < v->n; i++)
        n[v->outcome[i]] += count ? count[i] : 1;
    for (size_t o = 0; o < OUTCOMES; o++)
        rows += n[o];
    const struct sr_confusion c = {
        .tp = n[OUTCOME_LABEL | OUTCOME_ROUTED], .fp = n[OUTCOME_ROUTED], .tn = n[0], .fn = n[OUTCOME_LABEL]};
    return (struct outcomes){c, rows, c.tp + c.fp + n[OUTCOME_UNKNOWN | OUTCOME_ROUTED]};
}

/* Where a figure's value goes, and the rows it is a proportion of. */
struct sink {
    double *value, *of;
};

static void put(struct sink to, size_t figure, double value) {
    to.value[figure] = value;
}

static void put_part(struct sink to, size_t figure, double part, double whole) {
    to.value[figure] = whole > 0 ? part / whole : (double)NAN;
    if (to.of)
        to.of[figure] = whole;
}

/* `of` is what the proportion TP/(TP+FP+FN) behind F1 is of. */
static void put_f1(struct sink to, size_t figure, double tp, double fp, double fn) {
    to.value[figure] = 2 * tp / (2 * tp + fp + fn);
    if (to.of)
        to.of[figure] = tp + fp + fn;
}

static void measure_router(struct sink to, const struct sr_view *v, const struct outcomes *o,
                           const uint32_t *count) {
    const struct sr_confusion c = o->label;
    const double tp = (double)c.tp, fp = (double)c.fp, tn = (double)c.tn, fn = (double)c.fn;
    struct sr_calibration_scores s;
    put_part(to, SR_FIGURE_BASE_RATE, tp + fn, tp + fp + tn + fn);
    sr_ranks_measure(&to.value[SR_FIGURE_AUPRC], &to.value[SR_FIGURE_AUROC], &v->own, count);
    sr_ranks_measure(&to.value[SR_FIGURE_ENTROPY_AUPRC], NULL, &v->entropy, count);
    put_part(to, SR_FIGURE_SHARE_ROUTED, (double)o->routed, (double)o->rows);
    put_part(to, SR_FIGURE_PRECISION, tp, tp + fp);
    put_part(to, SR_FIGURE_RECALL, tp, tp + fn);
    put_f1(to, SR_FIGURE_F1, tp, fp, fn);
    put_part(to, SR_FIGURE_ACCURACY, tp + tn, tp + fp + tn + fn);
    put(to, SR_FIGURE_BALANCED_ACCURACY, sr_balanced_accuracy(c));
    put(to, SR_FIGURE_MCC, sr_mcc(c));
    sr_reliability_measure(&s, v->reliability, count);
    put(to, SR_FIGURE_BRIER, s.brier);
    put(to, SR_FIGURE_LOG_LOSS, s.log_loss);
    put(to, SR_FIGURE_ECE, s.ece);
    put(to, SR_FIGURE_ECE_MASS, s.ece_mass);
}

static struct sr_mass mass_of(struct sr_confusion c) {
    return (struct sr_mass){(double)c.tp, (double)c.fp, (double)c.tn, (double)c.fn};
}

static void measure_judge(struct sink to, enum sr_judge judge, struct sr_mass m, double routed, double rows,
                          double area) {
    put_f1(to, sr_figure(judge, SR_OF_JUDGE_F1), m.tp, m.fp, m.fn);
    put_part(to, sr_figure(judge, SR_OF_JUDGE_PRECISION), m.tp, m.tp + m.fp);
    put_part(to, sr_figure(judge, SR_OF_JUDGE_RECALL), m.tp, m.tp + m.fn);
    put_part(to, sr_figure(judge, SR_OF_JUDGE_ACCURACY), m.tp + m.tn, m.tp + m.fp + m.tn + m.fn);
    put_part(to, sr_figure(judge, SR_OF_JUDGE_SHARE_ROUTED), routed, rows);
    put(to, sr_figure(judge, SR_OF_JUDGE_AREA), area);
}

/* Without one row of known kind everything here is 0/0. */
static void measure_system(struct sink to, const struct sr_view *v, const uint32_t *count) {
    const struct sr_tally t = sr_tally_count(v->kind, count, v->n);
    const double rows = (double)sr_tally_known(&t), routed = (double)sr_tally_routed(&t);
    const double wc =
        (double)(sr_tally_right(&t, false, true, true) + sr_tally_right(&t, false, true, false));
    const struct sr_mass small = mass_of(sr_tally_confusion(&t, SR_JUDGE_SMALL)),
                         large = mass_of(sr_tally_confusion(&t, SR_JUDGE_LARGE)),
                         own = mass_of(sr_tally_confusion(&t, SR_JUDGE_ROUTED));
    double area[SR_QUEUES];
    struct sr_mass at[SR_QUEUES];
    for (size_t q = 0; q < SR_QUEUES; q++)
        at[q] = sr_queue_measure(&area[q], &v->queue[q], routed, count);
    measure_judge(to, SR_JUDGE_SMALL, small, 0, rows, (double)NAN);
    measure_judge(to, SR_JUDGE_LARGE, large, rows, rows, (double)NAN);
    measure_judge(to, SR_JUDGE_ROUTED, own, routed, rows, area[SR_QUEUE_ROUTED]);
    measure_judge(to, SR_JUDGE_ENTROPY, at[SR_QUEUE_ENTROPY], routed, v->queue[SR_QUEUE_ENTROPY].n ? rows : 0,
                  area[SR_QUEUE_ENTROPY]);
    measure_judge(to, SR_JUDGE_RANDOM, at[SR_QUEUE_RANDOM], routed, rows, area[SR_QUEUE_RANDOM]);
    measure_judge(to, SR_JUDGE_ORACLE, mass_of(sr_tally_confusion(&t, SR_JUDGE_ORACLE)), wc, rows,
                  area[SR_QUEUE_ORACLE]);
    put(to, SR_FIGURE_MISSED_SMALL, 1000 * small.fn / rows);
    put(to, SR_FIGURE_MISSED_ROUTED, 1000 * own.fn / rows);
    put(to, SR_FIGURE_MISSED_LARGE, 1000 * large.fn / rows);
    /* Where the large guard is no better there is nothing to win, and a share of that loss would read as a
     * gain. */
    const double gap = sr_mass_f1(large) - sr_mass_f1(small);
    put(to, SR_FIGURE_GAP, gap);
    put(to, SR_FIGURE_GAP_WON, gap > 0 ? (sr_mass_f1(own) - sr_mass_f1(small)) / gap : (double)NAN);
    put_part(to, SR_FIGURE_GAIN, (double)sr_tally_right(&t, false, true, true), rows);
    put_part(to, SR_FIGURE_HARM, (double)sr_tally_right(&t, true, false, true), rows);
    put(to, SR_FIGURE_COST, sr_prices_cost(&v->how.prices, routed / rows, own.fn / rows, own.fp / rows));
}

/* Where the decision differs from the label, r - t is 1 or -1. */
static void measure_risk(struct sink to, const struct sr_view *v, const uint32_t *count) {
    double rows = 0, errors = 0, gap = 0, squares = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (isnan(v->risk[i]))
            continue;
        const double times = count ? (double)count[i] : 1;
        const bool routed = v->outcome[i] & OUTCOME_ROUTED, label = v->outcome[i] & OUTCOME_LABEL;
        rows += times;
        errors += times * (routed != label);
        gap += times * (routed - label) * v->risk[i];
        squares += times * v->risk[i] * v->risk[i];
    }
    put_part(to, SR_FIGURE_ROUTING_ERROR, errors, rows);
    put(to, SR_FIGURE_RISK_GAP, gap / rows);
    put(to, SR_FIGURE_RISK_BOUND, sqrt(errors / rows) * sqrt(squares / rows));
}

/* The rows of a class weighted so that positives are the share p. */
static void measure_prevalence(struct sink to, const struct sr_view *v, struct sr_confusion c,
                               const uint32_t *count) {
    const double p = v->how.prevalence, positives = (double)(c.tp + c.fn), negatives = (double)(c.tn + c.fp);
    const double tp = p * (double)c.tp / positives, fp = (1 - p) * (double)c.fp / negatives;
    double brier[2] = {0}, loss[2] = {0};
    for (size_t i = 0; v->shifted && i < v->n; i++) {
        if (v->outcome[i] & OUTCOME_UNKNOWN)
            continue;
        const int label = v->outcome[i] & OUTCOME_LABEL;
        const double times = count ? (double)count[i] : 1;
        brier[label] += times * v->shifted[i].brier;
        loss[label] += times * v->shifted[i].log_loss;
    }
    const size_t first = SR_FIGURE_OF_PREVALENCE;
    put(to, first + SR_OF_PREVALENCE_PRECISION, tp / (tp + fp));
    put(to, first + SR_OF_PREVALENCE_F1, 2 * tp / (tp + fp + p));
    put(to, first + SR_OF_PREVALENCE_ACCURACY, tp + (1 - p) - fp);
    put(to, first + SR_OF_PREVALENCE_SHARE_ROUTED, tp + fp);
    put(to, first + SR_OF_PREVALENCE_BRIER, p * brier[1] / positives + (1 - p) * brier[0] / negatives);
    put(to, first + SR_OF_PREVALENCE_LOG_LOSS, p * loss[1] / positives + (1 - p) * loss[0] / negatives);
}

void sr_view_measure(double value[SR_FIGURES], double of[SR_FIGURES], const struct sr_view *v,
                     const uint32_t *count) {
    const struct sink to = {value, of};
    const struct outcomes o = outcomes_count(v, count);
    for (size_t f = 0; of && f < SR_FIGURES; f++)
        of[f] = 0;
    measure_router(to, v, &o, count);
    measure_system(to, v, count);
    measure_risk(to, v, count);
    measure_prevalence(to, v, o.label, count);
    put(to, SR_FIGURE_LATENCY_MS, sr_prices_latency(&v->how.prices, value[SR_FIGURE_SHARE_ROUTED]));
    put(to, SR_FIGURE_PRICE, sr_prices_price(&v->how.prices, value[SR_FIGURE_SHARE_ROUTED]));
}

void sr_view_count(struct sr_evaluation *out, const struct sr_view *v) {
    const struct outcomes o = outcomes_count(v, NULL);
    const struct sr_tally t = sr_tally_count(v->kind, NULL, v->n);
    out->threshold = v->how.threshold;
    out->rows = v->n;
    out->ranked = v->own.n;
    out->positives = v->own.positives;
    out->routed = o.routed;
    out->system_rows = sr_tally_known(&t);
    out->entropy_rows = v->entropy.n;
    out->confusion = o.label;
    out->cc = sr_tally_right(&t, true, true, false) + sr_tally_right(&t, true, true, true);
    out->cw = sr_tally_right(&t, true, false, false) + sr_tally_right(&t, true, false, true);
    out->wc = sr_tally_right(&t, false, true, false) + sr_tally_right(&t, false, true, true);
    out->ww = sr_tally_right(&t, false, false, false) + sr_tally_right(&t, false, false, true);
    out->too_few = out->positives < SR_FEW || out->ranked - out->positives < SR_FEW;
}
