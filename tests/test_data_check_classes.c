/* test_data_check_classes.c: what data check says of rates, weights, guards and of settings held against
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/check_dump.h"

/* One row in `every` is positive (0: none); else the small guard is right, the large one always. */
static void set_rate(struct check_dump *d, size_t every) {
    d->head_width = 0;
    for (size_t i = 0; i < d->rows; i++) {
        const bool wrong = every && i % every == 0;
        d->large_prob[i] = d->gold[i] ? .9f : .1f;
        d->small_prob[i] = (d->gold[i] == 1) != wrong ? .8f : .2f;
        check_label(d, i);
    }
}

/* 10 and 1 %: Cohen's h is .4 only. */
Test(data_check_classes, rare_rates_go_by_their_ratio) {
    struct plan p;
    plan_begin(&p);
    set_rate(&p.a, 10);
    set_rate(&p.b, 100);
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "rates");
    cr_assert(f && f->serious);
    cr_expect_lt(check_number(f, "effect"), .5);
    cr_expect(check_number(f, "ratio") > 3 && check_number(f, "ratio") < 10, "%g", check_number(f, "ratio"));
    plan_end(&p, check);
}

/* 10 and 8 %: both chance and ratio say nothing. */
Test(data_check_classes, rates_that_differ_a_little) {
    struct plan p;
    plan_begin(&p);
    set_rate(&p.a, 10);
    set_rate(&p.b, 12);
    struct sr_check *check = plan_run(&p);
    cr_expect_not(check_find(check, "rates"));
    plan_end(&p, check);
}

/* What a file measures is asked of files that measure, and of both classes. */
Test(data_check_classes, few_rows_of_a_class) {
    struct plan p;
    plan_begin(&p);
    set_rate(&p.a, 100); /* to train on */
    set_rate(&p.b, 4);
    struct sr_check *check = plan_run(&p);
    cr_expect_not(check_find(check, "positives"));
    plan_end(&p, check);

    plan_begin(&p);
    set_rate(&p.a, 1);
    set_rate(&p.b, 1);
    for (size_t i = 0; i < 3; i++) {
        p.a.large_prob[i] = 1 - p.a.large_prob[i];
        p.b.large_prob[i] = 1 - p.b.large_prob[i];
        check_label(&p.a, i);
        check_label(&p.b, i);
    }
    check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "positives");
    cr_assert(f);
    cr_expect_eq(check_number(f, "negatives"), 3);
    cr_expect_str_eq(f->path, p.b.path);
    plan_end(&p, check);
}

Test(data_check_classes, weights_that_are_zero) {
    for (int one = 0; one < 2; one++) {
        struct plan p;
        plan_begin(&p);
        p.a.weight = sr_alloc(p.a.rows, sizeof(float), NULL);
        for (size_t i = 0; one && i < p.a.rows; i++)
            p.a.weight[i] = p.a.label[i] ? 0 : 1;
        struct sr_check *check = plan_run(&p);
        const struct sr_finding *f = check_find(check, "classes");
        cr_assert(f && f->serious);
        cr_expect(strstr(f->text, one ? "all rows of label 1" : "in all rows"), "%s", f->text);
        plan_end(&p, check);
    }
}

/* A guard that never says unsafe where next to nothing is unsafe: no worse than chance. */
Test(data_check_classes, guards_go_by_both_classes) {
    struct plan p;
    plan_begin(&p);
    p.b.head_width = 0;
    for (size_t i = 0; i < p.b.rows; i++) {
        p.b.gold[i] = i % 200 == 0;
        p.b.small_prob[i] = i % 50 == 1 ? .9f : .1f;
        p.b.large_prob[i] = p.b.gold[i] ? .9f : .1f;
        check_label(&p.b, i);
    }
    struct sr_check *check = plan_run(&p);
    cr_expect_not(check_find(check, "guards"));
    plan_end(&p, check);
}

/* Balanced draws favour the negative rows where these are the fewer. */
Test(data_check_classes, balanced_draws_of_many_positive_rows) {
    for (int few = 0; few < 2; few++) {
        struct plan p;
        plan_begin(&p);
        p.imbalance = (struct sr_check_imbalance){.balanced = true, .alpha = .75, .pos_weight = 3};
        p.how.imbalance = &p.imbalance;
        set_rate(&p.a, few ? 4 : 1);
        for (size_t i = 0; !few && i < p.a.rows; i += 5) {
            p.a.large_prob[i] = 1 - p.a.large_prob[i];
            check_label(&p.a, i);
        }
        struct sr_check *check = plan_run(&p);
        cr_expect_eq(check_find(check, "imbalance") != NULL, few == 1);
        plan_end(&p, check);
    }
}

/* Twice is what the published recipe does. */
Test(data_check_classes, the_published_recipe_is_nothing_to_say) {
    struct plan p;
    plan_begin(&p);
    p.imbalance = (struct sr_check_imbalance){.balanced = true, .alpha = .75, .pos_weight = 1};
    p.how.imbalance = &p.imbalance;
    struct sr_check *check = plan_run(&p);
    cr_expect_eq(check->findings, 0);
    plan_end(&p, check);
}

/* ---- columns ---- */

/* Feature 9 of a is other than zero in one row of `every`, in b never. */
static const struct sr_finding *rare_column(struct plan *p, struct sr_check **check, size_t every) {
    plan_begin(p);
    p->a.head_width = p->b.head_width = 0;
    p->b.rows = 400;
    for (size_t i = 0; i < p->a.rows; i++) {
        p->a.x[i * CHECK_WIDTH + 9] = i % every == 0 ? 1.f + .001f * (float)i : 0;
        p->b.x[i * CHECK_WIDTH + 9] = 0;
    }
    *check = plan_run(p);
    const struct sr_finding *f = check_find(*check, "columns");
    cr_assert(f, "a column that is zero was not found");
    return f;
}

/* At one in 200, 400 rows without are chance (13 %), at one in 20 they are not (1e-9). */
Test(data_check_classes, a_rare_feature_is_silent_by_chance) {
    struct plan p;
    struct sr_check *check;
    cr_expect_not(rare_column(&p, &check, 200)->serious);
    plan_end(&p, check);
    cr_expect(rare_column(&p, &check, 20)->serious);
    plan_end(&p, check);
}

/* All rows are one text but for rounding. */
Test(data_check_classes, rows_that_are_all_nearly_the_same) {
    struct plan p;
    plan_begin(&p);
    p.a.head_width = p.b.head_width = 0;
    p.how.near = 0;
    for (size_t i = 0; i < p.b.rows; i++)
        for (size_t k = 0; k < CHECK_WIDTH; k++)
            p.b.x[i * CHECK_WIDTH + k] =
                (float)(3 * check_normal(6, 1, k) * (1 + .003 * check_normal(6, 2, i * CHECK_WIDTH + k)));
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "columns");
    cr_assert(f && f->serious);
    cr_expect(strstr(f->text, "all nearly the same"), "%s", f->text);
    plan_end(&p, check);
}
