/* test_eval_rules.c: every rule of rules.def against a brute force over all thresholds, what it refuses, and
 * the promise of `risk` on a population whose risk is known exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "eval/eval.h"

enum { MOST = 60 };

struct columns {
    uint8_t label[MOST], gold[MOST], small[MOST], large[MOST];
    float prob[MOST];
};

static uint64_t draw(uint64_t *at, uint64_t n) {
    return sr_random_below(7, sr_stream(SR_STREAM_TEST, 50, 0), (*at)++, n);
}

/* Few levels make ties; some rows have no prob, and some values are unknown. */
static struct sr_rows random_rows(struct columns *c, size_t n, uint64_t *at) {
    const uint64_t levels = 1 + draw(at, 30);
    for (size_t i = 0; i < n; i++) {
        c->label[i] = (uint8_t)(draw(at, 8) ? draw(at, 2) : 255);
        c->gold[i] = (uint8_t)(draw(at, 8) ? draw(at, 2) : 255);
        c->small[i] = (uint8_t)draw(at, 2);
        c->large[i] = (uint8_t)draw(at, 2);
        c->prob[i] = draw(at, 10) ? (float)draw(at, levels + 1) / (float)levels : NAN;
    }
    return (struct sr_rows){.n = n,
                            .label = c->label,
                            .prob = c->prob,
                            .gold = c->gold,
                            .small_pred = c->small,
                            .large_pred = c->large};
}

/* ---- what a threshold does, from the rows themselves ---- */

struct effect {
    double rows, routed;
    struct sr_confusion label, safety;
};

static void count(struct sr_confusion *c, bool truth, bool verdict) {
    c->tp += truth && verdict;
    c->fp += !truth && verdict;
    c->tn += !truth && !verdict;
    c->fn += truth && !verdict;
}

static struct effect effect_of(const struct sr_rows *r, float threshold, double *safety_routed) {
    struct effect e = {.rows = (double)r->n};
    *safety_routed = 0;
    for (size_t i = 0; i < r->n; i++) {
        const bool routed = isnan(r->prob[i]) || r->prob[i] > threshold;
        e.routed += routed;
        if (!isnan(r->prob[i]) && r->label[i] <= 1)
            count(&e.label, r->label[i], routed);
        if (r->gold[i] <= 1) {
            count(&e.safety, r->gold[i], routed ? r->large_pred[i] : r->small_pred[i]);
            *safety_routed += routed;
        }
    }
    return e;
}

/* How good a threshold is for a rule, greater is better; NaN: it is not valid. */
static double worth(const char *rule, const struct sr_rule_request *q, const struct sr_rows *r,
                    float threshold) {
    double safety_routed;
    const struct effect e = effect_of(r, threshold, &safety_routed);
    const double tp = (double)e.label.tp, fp = (double)e.label.fp, fn = (double)e.label.fn;
    if (strcmp(rule, "f1") == 0)
        return 2 * tp / (2 * tp + fp + fn);
    if (strcmp(rule, "system-f1") == 0)
        return sr_f1(e.safety);
    if (strcmp(rule, "budget=0.3") == 0)
        return e.routed / e.rows <= q->target ? e.routed : (double)NAN;
    if (strcmp(rule, "recall=0.8") == 0)
        return tp / (tp + fn) >= q->target ? tp / (tp + fp) : (double)NAN;
    if (strcmp(rule, "precision=0.6") == 0)
        return tp / (tp + fp) >= q->target ? tp / (tp + fn) : (double)NAN;
    if (strcmp(rule, "cost") == 0)
        return -(q->prices.large_cost * safety_routed + q->prices.missed_cost * (double)e.safety.fn +
                 q->prices.alarm_cost * (double)e.safety.fp);
    if (strcmp(rule, "risk=0.05@0.95") == 0)
        return sr_binomial_below(e.label.fn, e.label.tp + e.label.fn, q->target) <= 1 - q->confidence
                   ? -e.routed
                   : (double)NAN;
    cr_assert_fail("rule %s has no brute force: say above what it means", rule);
    return (double)NAN;
}

static struct sr_rule_request request(const char *text) {
    struct sr_rule_request q;
    struct sr_error err;
    cr_assert_eq(sr_rule_parse(&q, text, &err), 0, "%s", err.text);
    q.prices.large_cost = 1;
    q.prices.missed_cost = 7;
    q.prices.alarm_cost = 2;
    return q;
}

/* ---- each rule ---- */

/* No threshold on a fine grid, and none at or beside a prob, is worth more than the one chosen. */
static void check_best(const char *text, const struct sr_rule_request *q, const struct sr_rows *r,
                       const struct sr_sweep *s, bool *found) {
    struct sr_error err = {0};
    size_t point = s->n;
    const int status = q->rule->choose(&point, s, q, &err);
    const double best = status == 0 ? worth(q->rule->example, q, r, s->point[point].threshold) : (double)NAN;
    cr_assert(status == 0 || ((status == SR_NO || status == SR_DATA) && err.text[0]), "%s: status %d", text,
              status);
    cr_assert(status < 0 || !isnan(best), "%s: the threshold chosen is not valid", text);
    for (size_t i = 0; i <= 2 * s->n && status != SR_DATA; i++) {
        const float t =
            i < s->n ? s->point[i].threshold : (float)(i - s->n) / (float)s->n; /* also between the points */
        const double w = worth(q->rule->example, q, r, t);
        cr_assert(isnan(w) || status == 0, "%s: %g is valid, but none was found", text, (double)t);
        cr_assert(isnan(w) || w <= best + 1e-12, /* rounding of ratios */
                  "%s: %g is worth %g, but %g was chosen, worth %g", text, (double)t, w,
                  (double)s->point[point].threshold, best);
        if (i < s->n && i > point)
            cr_assert(isnan(w) || w < best, "%s: %g does as well and routes less", text, (double)t);
    }
    *found |= status == 0;
}

/* examples and other numbers, so that each finds a threshold at times, and at times none. */
static const char *const requests[] = {"f1",         "system-f1",      "budget=0.3",    "budget=0",
                                       "recall=0.8", "recall=1",       "precision=0.6", "precision=1",
                                       "cost",       "risk=0.05@0.95", "risk=0.5@0.5",  "risk=0.3@0.8"};

Test(rules, each_agrees_with_a_brute_force) {
    bool found[SR_COUNT(requests)] = {0};
    for (size_t q = 0; q < SR_COUNT(requests); q++)
        for (uint64_t round = 0, at = 1000 * q; round < 60; round++) {
            struct columns c;
            struct sr_sweep s;
            struct sr_error err;
            const struct sr_rows r = random_rows(&c, 1 + draw(&at, MOST), &at);
            const struct sr_rule_request asked = request(requests[q]);
            cr_assert_eq(sr_sweep_make(&s, &r, &err), 0);
            check_best(requests[q], &asked, &r, &s, &found[q]);
            sr_sweep_free(&s);
        }
    for (size_t q = 0; q < SR_COUNT(requests); q++)
        cr_expect(found[q] || strcmp(requests[q], "risk=0.05@0.95") == 0, "%s was never found", requests[q]);
}

/* A rule added to rules.def is one of the requests above. */
Test(rules, all_are_tested) {
    for (const struct sr_rule *r = sr_rules; r->example; r++) {
        bool tested = false;
        for (size_t q = 0; q < SR_COUNT(requests); q++)
            tested |= strcmp(requests[q], r->example) == 0;
        cr_expect(tested, "%s", r->example);
        cr_expect(r->help && r->help[0]);
    }
}

/* ---- what is refused ---- */

static void expect_refused(const char *text, const char *word) {
    struct sr_rule_request q;
    struct sr_error err = {0};
    cr_expect_eq(sr_rule_parse(&q, text, &err), SR_USAGE, "%s", text);
    cr_expect(strstr(err.text, word), "%s: '%s' is not in: %s", text, word, err.text);
}

Test(rules, what_is_no_rule_is_refused) {
    expect_refused("", "no rule is called ''");
    expect_refused("f2", "did you mean f1?");
    expect_refused("system_f1", "did you mean system-f1?");
    expect_refused("f1=0.3", "takes no number");
    expect_refused("budget", "lacks its number: it is written budget=0.3");
    expect_refused("budget=", "from 0 to 1");
    expect_refused("budget=30", "from 0 to 1");
    expect_refused("budget=-0.1", "from 0 to 1");
    expect_refused("budget=0.3x", "from 0 to 1");
    expect_refused("budget= 0.3", "from 0 to 1");
    expect_refused("budget=nan", "from 0 to 1");
    expect_refused("budget=0.3@0.9", "takes no confidence");
    expect_refused("risk=0.05@1", "above 0 and below 1");
    expect_refused("risk=0.05@", "above 0 and below 1");
    expect_refused("risk@0.95", "lacks its number");
    const struct sr_rule_request q = request("risk=.1");
    cr_expect_eq(q.target, .1);
    cr_expect_eq(q.confidence, .95, "unless it is given");
}

static void expect_status(const char *text, const struct sr_rows *r, int status, const char *word) {
    struct sr_rule_request q = request(text);
    struct sr_sweep s;
    struct sr_error err = {0};
    size_t point;
    cr_assert_eq(sr_sweep_make(&s, r, &err), 0);
    if (strcmp(word, "--missed-cost") == 0)
        q.prices.missed_cost = (double)NAN;
    cr_expect_eq(q.rule->choose(&point, &s, &q, &err), status, "%s", text);
    cr_expect(strstr(err.text, word), "%s: '%s' is not in: %s", text, word, err.text);
    sr_sweep_free(&s);
}

Test(rules, why_there_is_no_threshold_is_said) {
    const uint8_t label[] = {0, 1, 0, 1}, positive[] = {1, 1, 1, 1}, safe[] = {0, 0, 0, 0};
    const float prob[] = {.9f, .6f, .5f, 0}, bad[] = {NAN, NAN, .5f, .2f};
    struct sr_rows r = {.n = 4, .label = label, .prob = prob};
    expect_status("precision=0.9", &r, SR_NO, "the best precision is 0.5, at threshold 0.5");
    expect_status("recall=0.8", &r, SR_NO, "recall is 0.5 at threshold 0");
    expect_status("risk=0.05@0.95", &r, SR_NO, "it takes 59");
    expect_status("risk=0@0.95", &r, SR_NO, "cannot be shown by any number");
    expect_status("risk=0.9@0.5", &r, 0, ""); /* one of two may be missed */
    expect_status("system-f1", &r, SR_DATA, "gold");
    expect_status("cost", &r, SR_USAGE, "--missed-cost");
    r.prob = bad;
    expect_status("budget=0.3", &r, SR_NO, "50 % of the rows cannot be scored");
    r.prob = prob;
    r.label = positive;
    expect_status("f1", &r, SR_DATA, "4 are positive and 0 negative");
    r.label = label;
    r.gold = r.small_pred = r.large_pred = safe;
    expect_status("system-f1", &r, SR_DATA, "no row is unsafe");
}

/* ---- the promise of risk ---- */

/* Hard rows have the probs 1/LEVELS .. 1, each as likely as any other, so that the risk of a threshold, the
 * share of the levels that are not above it, is known exactly. */
enum { LEVELS = 1000, REDRAWS = 1000 };

struct guarantee {
    double risk, confidence;
    size_t positives;
};

static double true_risk(float threshold) {
    size_t missed = 0;
    for (size_t k = 1; k <= LEVELS; k++)
        missed += (float)k / LEVELS <= threshold;
    return (double)missed / LEVELS;
}

/* The highest threshold whose share missed in the sample is not above the target. */
static float naive_threshold(const struct sr_sweep *s, double risk) {
    size_t i = 0;
    while (i + 1 < s->n && 1 - sr_recall(s->point[i + 1].label) <= risk)
        i++;
    return s->point[i].threshold;
}

static void redraw(uint8_t *label, float *prob, size_t positives, uint64_t sample) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 51, sample);
    for (size_t i = 0; i < 2 * positives; i++) {
        label[i] = i < positives;
        prob[i] = (float)(1 + sr_random_below(3, stream, i, LEVELS)) / LEVELS;
    }
}

static void count_violations(const struct guarantee *g, size_t *rule, size_t *naive, double *mean_risk) {
    struct sr_rule_request q = request("risk=0.05");
    uint8_t *label = sr_alloc(2 * g->positives, 1, NULL);
    float *prob = sr_alloc(2 * g->positives, sizeof *prob, NULL);
    q.target = g->risk;
    q.confidence = g->confidence;
    *rule = *naive = 0;
    *mean_risk = 0;
    for (uint64_t sample = 0; sample < REDRAWS; sample++) {
        struct sr_sweep s;
        struct sr_error err;
        size_t point;
        redraw(label, prob, g->positives, sample);
        cr_assert_eq(
            sr_sweep_make(&s, &(struct sr_rows){.n = 2 * g->positives, .label = label, .prob = prob}, &err),
            0);
        cr_assert_eq(q.rule->choose(&point, &s, &q, &err), 0, "%s", err.text);
        const double risk = true_risk(s.point[point].threshold);
        *rule += risk > g->risk;
        *mean_risk += risk / REDRAWS;
        *naive += true_risk(naive_threshold(&s, g->risk)) > g->risk;
        sr_sweep_free(&s);
    }
    sr_free(label);
    sr_free(prob);
}

/* The greatest count of misses whose exact test rejects; by adding up from 0. */
static double misses_allowed(const struct guarantee *g) {
    uint64_t k = 0;
    while (sr_binomial_below(k, g->positives, g->risk) <= 1 - g->confidence)
        k++;
    return (double)k - 1;
}

/* Allowed: the expected number of violations and three standard deviations of it, 70 for the first case. Nor
 * is the rule more careful than it must be: it uses up the misses that its test allows, on average between k
 * - 1 and k + 1 of them, as the next one is what stops it. */
Test(rules, a_risk_is_kept_and_a_naive_rule_does_not_keep_it) {
    const struct guarantee cases[] = {{.05, .95, 300}, {.2, .9, 100}, {.01, .99, 2000}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        const double p = 1 - cases[i].confidence, most = REDRAWS * p + 3 * sqrt(REDRAWS * p * (1 - p));
        size_t rule, naive;
        double mean;
        count_violations(&cases[i], &rule, &naive, &mean);
        cr_expect_leq((double)rule, floor(most), "risk %g@%g: %zu violations", cases[i].risk,
                      cases[i].confidence, rule);
        cr_expect_gt((double)naive, most, "the naive rule would pass: %zu violations", naive);
        cr_expect_float_eq(mean * (double)cases[i].positives, misses_allowed(&cases[i]), 1,
                           "risk %g@%g: %g of the rows are missed", cases[i].risk, cases[i].confidence, mean);
    }
}
