/* test_data_check_norm.c: what data check says of the side of the norm, from row lengths and from the output
 * head.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/check_dump.h"

/* ---- lengths ---- */

/* Features times the row's own factor: the residual stream before the norm. */
static void unnormalise(struct check_dump *d) {
    for (size_t i = 0; i < d->rows; i++)
        for (size_t k = 0; k < CHECK_WIDTH; k++)
            d->x[i * CHECK_WIDTH + k] *= (float)exp(.2 * check_normal(3, 8, i));
    d->head_width = 0;
}

static void expect_norm(const char *said, bool pre, bool found, bool serious) {
    struct plan p;
    plan_begin(&p);
    p.a.head_width = p.b.head_width = 0;
    p.a.attribute[3].value = p.b.attribute[3].value = said;
    if (pre) {
        unnormalise(&p.a);
        unnormalise(&p.b);
    }
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "norm");
    cr_expect_eq(f != NULL, found, "said %s, is %s", said ? said : "nothing", pre ? "pre" : "post");
    cr_expect(!f || f->serious == serious);
    plan_end(&p, check);
}

Test(data_check_norm, what_lengths_say_of_the_norm) {
    expect_norm("post", false, false, false);
    expect_norm("post", true, true, false); /* a LayerNorm's would be found, too */
    expect_norm("pre", false, true, true);
    expect_norm("pre", true, false, false);
    expect_norm("unit", false, true, true);
    expect_norm("unit", true, true, true);
    expect_norm(NULL, false, true, false);
    expect_norm(NULL, true, false, false);
}

/* Features of a made anew by a function of row and feature, said to be `said`. The norm's finding, or NULL.
 */
static const struct sr_finding *norm_of(struct plan *p, struct sr_check **check, const char *said,
                                        double (*make)(size_t row, size_t k)) {
    plan_begin(p);
    p->a.head_width = p->b.head_width = 0;
    p->a.attribute[3].value = p->b.attribute[3].value = said;
    for (size_t i = 0; i < p->a.rows; i++)
        for (size_t k = 0; k < CHECK_WIDTH; k++) {
            p->a.x[i * CHECK_WIDTH + k] = (float)make(i, k);
            p->b.x[i * CHECK_WIDTH + k] = (float)make(i + p->a.rows, k);
        }
    *check = plan_run(p);
    return check_find(*check, "norm");
}

static double make_pre(size_t row, size_t k) {
    return exp(.3 * check_normal(5, 1, row)) * check_normal(5, 2, row * CHECK_WIDTH + k);
}

/* One feature is 4 but for a thousandth: a fit of lengths could do with that one alone. */
static double make_nearly_constant(size_t row, size_t k) {
    return k == 3 ? 4 + .004 * check_normal(5, 3, row) : make_pre(row, k);
}

static double make_massive(size_t row, size_t k) {
    return k == 3 ? 900 : make_pre(row, k);
}

/* Lengths that hardly vary, of features that have nothing to do with each other. */
static double make_shifted(size_t row, size_t k) {
    return 60 + check_normal(5, 4, row * CHECK_WIDTH + k);
}

/* An RMSNorm's, one of whose channels takes most of the length and hardly varies. */
static double make_post_massive(size_t row, size_t k) {
    const double massive = 24 + .1 * check_normal(5, 5, row);
    double squares = massive * massive;
    for (size_t i = 0; i < CHECK_WIDTH; i++)
        if (i != 3)
            squares += pow(check_normal(5, 6, row * CHECK_WIDTH + i), 2);
    return (k == 3 ? massive : check_normal(5, 6, row * CHECK_WIDTH + k)) * sqrt(CHECK_WIDTH / squares);
}

Test(data_check_norm, no_verdict_from_one_column_or_from_concentration) {
    static const struct {
        const char *name, *said;
        double (*make)(size_t row, size_t k);
        bool found;
    } cases[] = {
        {"nearly constant", "pre", make_nearly_constant, false},
        {"nearly constant", "post", make_nearly_constant, true},
        {"massive", "pre", make_massive, false},
        {"massive", "post", make_massive, true},
        {"shifted", "pre", make_shifted, false},
        {"post, massive", "post", make_post_massive, false},
    };
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct plan p;
        struct sr_check *check;
        const struct sr_finding *f = norm_of(&p, &check, cases[i].said, cases[i].make);
        cr_expect_eq(f != NULL, cases[i].found, "%s said to be %s: %s", cases[i].name, cases[i].said,
                     f ? f->text : "nothing");
        cr_expect(!f || !f->serious);
        plan_end(&p, check);
    }
}

Test(data_check_norm, too_few_rows_are_told) {
    struct plan p;
    plan_begin(&p);
    p.b.rows = 150;
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "norm");
    cr_assert(f && f->unchecked && !f->serious);
    cr_expect(strstr(f->text, "needs 192 rows"), "%s", f->text);
    cr_expect_eq(check->unchecked, 1);
    plan_end(&p, check);
}

/* ---- the output head ---- */

static const struct sr_finding *head_finding(struct plan *p, struct sr_check **check) {
    *check = plan_run(p);
    return check_find(*check, "verdict_head");
}

Test(data_check_norm, head_of_the_wrong_width) {
    struct plan p;
    struct sr_check *check;
    plan_begin(&p);
    p.b.head_width = CHECK_WIDTH / 2;
    const struct sr_finding *f = head_finding(&p, &check);
    cr_assert(f && f->serious);
    cr_expect(strstr(f->text, "[2, 32]"), "%s", f->text);
    plan_end(&p, check);
}

/* The two rows of b's head change places; probabilities are off by as much as those of 16-bit logits. */
static const struct sr_finding *head_exchanged(struct plan *p, struct sr_check **check, float off) {
    plan_begin(p);
    for (size_t k = 0; k < CHECK_WIDTH; k++) {
        const float safe = p->b.head[k];
        p->b.head[k] = p->b.head[CHECK_WIDTH + k];
        p->b.head[CHECK_WIDTH + k] = safe;
    }
    for (size_t i = 0; i < p->b.rows; i++)
        if (fabsf(p->b.small_prob[i] - .5f) > .03f && p->b.small_prob[i] < .97f)
            p->b.small_prob[i] += off;
    const struct sr_finding *f = head_finding(p, check);
    cr_assert(f, "exchanged rows were not found");
    return f;
}

Test(data_check_norm, head_rows_exchanged_are_told) {
    struct plan p;
    struct sr_check *check;
    const struct sr_finding *f = head_exchanged(&p, &check, 0);
    cr_expect(strstr(f->advice, "exchanged"), "%s", f->advice);
    cr_expect_gt(check_number(f, "far"), CHECK_ROWS / 2);
    plan_end(&p, check);
    f = head_exchanged(&p, &check, .02f);
    cr_expect(strstr(f->advice, "exchanged"), "%s", f->advice);
    plan_end(&p, check);
}

/* A few probabilities that the head does not give, and all of them rounded as 16-bit logits are. */
Test(data_check_norm, head_differences_by_size) {
    struct plan p;
    struct sr_check *check;
    plan_begin(&p);
    p.b.small_prob[9] = p.b.small_prob[9] > .5f ? p.b.small_prob[9] - .1f : p.b.small_prob[9] + .1f;
    p.b.label[9] = p.b.gold[9] = 255;
    const struct sr_finding *f = head_finding(&p, &check);
    cr_assert(f && f->serious);
    cr_expect_eq(check_number(f, "far"), 1);
    cr_expect_float_eq(check_number(f, "largest"), .1, 1e-5); /* float32 probabilities */
    cr_expect_eq(f->row[0].row, 9);
    plan_end(&p, check);

    plan_begin(&p);
    for (size_t i = 0; i < p.b.rows; i++)
        if (fabsf(p.b.small_prob[i] - .5f) > .02f && p.b.small_prob[i] < .98f)
            p.b.small_prob[i] += .01f;
    f = head_finding(&p, &check);
    cr_assert(f);
    cr_expect(!f->serious);
    cr_expect_eq(check_number(f, "far"), 0);
    plan_end(&p, check);
}

Test(data_check_norm, head_that_fits_contradicts_pre) {
    struct plan p;
    struct sr_check *check;
    plan_begin(&p);
    p.a.attribute[3].value = p.b.attribute[3].value = "pre";
    const struct sr_finding *f = head_finding(&p, &check);
    cr_assert(f && f->serious);
    cr_expect(strstr(f->advice, "'post'"), "%s", f->advice);
    plan_end(&p, check);
}

/* A head in 16 bits is a head. */
Test(data_check_norm, head_of_16_bits) {
    static const enum sr_feature types[] = {SR_FEATURE_HALF, SR_FEATURE_BFLOAT};
    for (size_t t = 0; t < SR_COUNT(types); t++) {
        struct plan p;
        struct sr_check *check;
        uint16_t raw[2 * CHECK_WIDTH];
        plan_begin(&p);
        p.b.head_type = types[t];
        sr_feature_from_float(raw, p.b.head, 2 * CHECK_WIDTH, types[t]);
        sr_feature_to_float(p.b.head, raw, 2 * CHECK_WIDTH, types[t]);
        check_dump_fill(&p.b, 2);
        const struct sr_finding *f = head_finding(&p, &check);
        cr_expect_not(f, "%s", f ? f->text : "");
        plan_end(&p, check);
    }
}

/* Where the guard is sure of every row, features before the norm give the same probabilities. */
Test(data_check_norm, head_that_is_sure_proves_nothing) {
    struct plan p;
    struct sr_check *check;
    plan_begin(&p);
    p.a.attribute[3].value = p.b.attribute[3].value = "pre";
    p.a.head_width = 0;
    for (size_t k = 0; k < CHECK_WIDTH; k++)
        p.b.head[k] += 40 * p.b.x[k] / (float)CHECK_WIDTH;
    for (size_t k = 0; k < 2 * CHECK_WIDTH; k++)
        p.b.head[k] *= 1e5f;
    for (size_t i = 0; i < p.b.rows; i++) {
        p.b.small_prob[i] = check_prob(&p.b, p.b.x + i * CHECK_WIDTH);
        check_label(&p.b, i);
    }
    const struct sr_finding *f = head_finding(&p, &check);
    cr_expect_not(f, "%s", f ? f->text : "");
    plan_end(&p, check);
}

/* What an extraction with the small guard alone leaves. */
Test(data_check_norm, head_without_the_large_guard) {
    struct plan p;
    struct sr_check *check;
    plan_begin(&p);
    p.b.no_large = p.b.no_label = true;
    p.b.small_prob[9] = p.b.small_prob[9] > .5f ? .1f : .9f;
    const struct sr_finding *f = head_finding(&p, &check);
    cr_assert(f, "the head was not looked at");
    cr_expect_eq(check_number(f, "compared"), CHECK_ROWS);
    f = check_find(check, "labels");
    cr_assert(f && !f->serious);
    cr_expect(strstr(f->text, "missing large_prob"), "%s", f->text);
    plan_end(&p, check);
}
