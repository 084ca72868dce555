/* test_eval_curves.c: the curves of an evaluation's JSON: every threshold while there are few, exact ones
 * when there are many, and ends that are known.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "eval/eval.h"

enum { FEW = 500, MANY = 30000 };

struct columns {
    uint8_t label[MANY], gold[MANY], small[MANY], large[MANY];
    float prob[MANY], small_prob[MANY];
};

/* Distinct probs in no order (a step coprime to n), and bits that have something to do with them. */
static struct columns *make_columns(size_t n) {
    struct columns *c = sr_alloc(1, sizeof *c, NULL);
    for (size_t i = 0; i < n; i++) {
        const size_t place = i * 7919 % n;
        c->prob[i] = ((float)place + 0.5f) / (float)n;
        c->small_prob[i] = (float)(i * 104729 % n) / (float)n;
        c->gold[i] = i % 5 < 2;
        c->small[i] = c->small_prob[i] > 0.5f;
        c->large[i] = i % 11 ? c->gold[i] : !c->gold[i];
        c->label[i] = c->small[i] != c->gold[i] && c->large[i] == c->gold[i];
    }
    return c;
}

static struct sr_rows rows_of(const struct columns *c, size_t n, bool guards) {
    return (struct sr_rows){.n = n,
                            .label = c->label,
                            .prob = c->prob,
                            .gold = guards ? c->gold : NULL,
                            .small_pred = guards ? c->small : NULL,
                            .large_pred = guards ? c->large : NULL,
                            .small_prob = guards ? c->small_prob : NULL};
}

static struct sr_json *curves(const struct sr_rows *rows, const float *mark, size_t marks,
                              const struct sr_calibrator *calibrator) {
    struct sr_json *o = sr_json_object();
    struct sr_error err = {0};
    cr_assert_eq(sr_curves_json(o, rows, mark, marks, calibrator, &err), 0, "%s", err.text);
    return o;
}

static const struct sr_json *get(const struct sr_json *o, const char *key, const char *sub) {
    const struct sr_json *value = sr_json_get(o, key);
    value = sub ? sr_json_get(value, sub) : value;
    cr_assert_not_null(value, "%s.%s", key, sub ? sub : "");
    return value;
}

/* NaN for null. */
static double at(const struct sr_json *list, size_t i) {
    double value = (double)NAN;
    sr_json_as_number(sr_json_at(list, i), &value);
    return value;
}

static double cell(const struct sr_json *o, const char *column, size_t i) {
    return at(get(o, "sweep", column), i);
}

static void expect_counts(const struct sr_json *o, size_t i, const struct sr_point *p) {
    cr_expect_eq((float)cell(o, "threshold", i), p->threshold);
    cr_expect_eq(cell(o, "routed", i), (double)p->routed);
    cr_expect_eq(cell(o, "tp", i), (double)p->label.tp);
    cr_expect_eq(cell(o, "fp", i), (double)p->label.fp);
    cr_expect_eq(cell(o, "tn", i), (double)p->label.tn);
    cr_expect_eq(cell(o, "fn", i), (double)p->label.fn);
    cr_expect_eq(cell(o, "safety_tp", i), (double)p->safety.tp);
    cr_expect_eq(cell(o, "safety_fp", i), (double)p->safety.fp);
    cr_expect_eq(cell(o, "safety_tn", i), (double)p->safety.tn);
    cr_expect_eq(cell(o, "safety_fn", i), (double)p->safety.fn);
    cr_expect_eq(cell(o, "safety_routed", i), (double)p->safety_routed);
}

static size_t points_in(const struct sr_json *o) {
    return sr_json_size(get(o, "sweep", "threshold"));
}

static void check_sweep(size_t n, const float *mark, size_t marks, size_t least, size_t most) {
    struct columns *c = make_columns(n);
    const struct sr_rows rows = rows_of(c, n, true);
    struct sr_json *o = curves(&rows, mark, marks, NULL);
    struct sr_sweep s;
    int64_t points;
    cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
    const size_t held = points_in(o);
    cr_expect(sr_json_as_integer(get(o, "sweep", "points"), &points) && (size_t)points == s.n);
    cr_expect(held >= least && held <= most, "%zu points", held);
    for (size_t i = 0; i < held; i++)
        expect_counts(o, i, &s.point[sr_sweep_find(&s, (float)cell(o, "threshold", i))]);
    cr_expect_eq(cell(o, "threshold", 0), 0);
    cr_expect_eq(cell(o, "routed", held - 1), 0);
    for (size_t m = 0; m < marks; m++) { /* the last point not above the mark decides like it */
        size_t i = 0;
        while (i + 1 < held && (float)cell(o, "threshold", i + 1) <= mark[m])
            i++;
        expect_counts(o, i, &s.point[sr_sweep_find(&s, mark[m])]);
    }
    sr_sweep_free(&s);
    sr_json_free(o);
    sr_free(c);
}

Test(eval_curves, few_thresholds_are_all_there) {
    check_sweep(FEW, NULL, 0, FEW + 1, FEW + 1);
}

Test(eval_curves, of_many_thresholds_some_are_there_and_marks_are_exact) {
    const float mark[] = {0, 0.123456f, 0.6f, 0.60001f, 1};
    check_sweep(MANY, mark, SR_COUNT(mark), SR_CURVE_POINTS, SR_CURVE_POINTS + SR_COUNT(mark));
}

Test(eval_curves, quality_ends_at_the_guards_alone) {
    struct columns *c = make_columns(FEW);
    const struct sr_rows rows = rows_of(c, FEW, true);
    struct sr_json *o = curves(&rows, NULL, 0, NULL);
    const double small = sr_f1(sr_confusion_count(c->gold, c->small, FEW)),
                 large = sr_f1(sr_confusion_count(c->gold, c->large, FEW));
    static const char *const keys[] = {"router", "entropy", "random", "oracle"};
    const struct sr_json *share = get(o, "quality", "share");
    const size_t last = sr_json_size(share) - 1;
    cr_expect_eq(at(share, 0), 0);
    cr_expect_eq(at(share, last), 1);
    for (size_t k = 0; k < SR_COUNT(keys); k++) {
        const struct sr_json *f1 = get(o, "quality", keys[k]);
        cr_assert_eq(sr_json_size(f1), last + 1);
        cr_expect_float_eq(at(f1, 0), small, 1e-12, "%s", keys[k]);
        cr_expect_float_eq(at(f1, last), large, 1e-12, "%s", keys[k]);
    }
    sr_json_free(o);
    sr_free(c);
}

Test(eval_curves, without_guards_there_is_no_safety) {
    struct columns *c = make_columns(FEW);
    const struct sr_rows rows = rows_of(c, FEW, false);
    struct sr_json *o = curves(&rows, NULL, 0, NULL);
    cr_expect(sr_json_is_null(get(o, "quality", NULL)));
    cr_expect(sr_json_is_null(get(o, "sweep", "safety_tp")));
    cr_expect_eq(points_in(o), FEW + 1);
    sr_json_free(o);
    sr_free(c);
}

/* Rows of class k (2: unlabelled) that bin b holds, low <= prob < high, the last with its end. */
static double rows_inside(const struct columns *c, uint8_t k, double low, double high) {
    double n = 0;
    for (size_t i = 0; i < FEW; i++) {
        const double prob = (double)c->prob[i];
        const bool inside = prob >= low && (prob < high || (prob == 1 && high == 1));
        n += inside && (c->label[i] > 1 ? 2 : c->label[i]) == k;
    }
    return n;
}

Test(eval_curves, histogram_counts_each_row_with_a_prob_once) {
    static const char *const keys[] = {"negative", "positive", "unlabelled"};
    struct columns *c = make_columns(FEW);
    const struct sr_rows rows = rows_of(c, FEW, true);
    double total = 0;
    c->prob[0] = NAN;
    c->prob[1] = 1;
    c->prob[2] = 0;
    c->label[3] = 255;
    struct sr_json *o = curves(&rows, NULL, 0, NULL);
    const struct sr_json *low = get(o, "histogram", "low"), *high = get(o, "histogram", "high");
    for (size_t b = 0; b < sr_json_size(low); b++)
        for (uint8_t k = 0; k < 3; k++) {
            const double n = at(get(o, "histogram", keys[k]), b);
            cr_expect_eq(n, rows_inside(c, k, at(low, b), at(high, b)), "bin %zu of %s", b, keys[k]);
            total += n;
        }
    cr_expect_eq(total, FEW - 1);
    sr_json_free(o);
    sr_free(c);
}

/* Temperature 2 makes p 1 / (1 + sqrt((1 - p) / p)); so many of each fifteenth are counted here. */
Test(eval_curves, calibrated_bins_are_there_with_a_calibrator) {
    static const char text[] = "{\"method\":\"temperature\",\"temperature\":2.0}";
    struct columns *c = make_columns(FEW);
    const struct sr_rows rows = rows_of(c, FEW, true);
    struct sr_calibrator *calibrator;
    double want[SR_BINS] = {0};
    cr_assert_eq(sr_calibrator_parse(&calibrator, text, NULL), 0);
    struct sr_json *with = curves(&rows, NULL, 0, calibrator), *without = curves(&rows, NULL, 0, NULL);
    cr_expect(sr_json_is_null(get(without, "reliability", "calibrated")));
    for (size_t i = 0; i < FEW; i++)
        want[(size_t)(SR_BINS / (1 + sqrt((1 - (double)c->prob[i]) / (double)c->prob[i])))]++;
    const struct sr_json *bins = sr_json_get(get(with, "reliability", "calibrated"), "width");
    cr_assert_eq(sr_json_size(bins), SR_BINS);
    for (size_t b = 0; b < SR_BINS; b++) {
        double rows_in = (double)NAN;
        cr_expect(sr_json_as_number(sr_json_get(sr_json_at(bins, b), "rows"), &rows_in));
        cr_expect_eq(rows_in, want[b], "bin %zu: %g rows, not %g", b, rows_in, want[b]);
    }
    sr_json_free(with);
    sr_json_free(without);
    sr_calibrator_free(calibrator);
    sr_free(c);
}
