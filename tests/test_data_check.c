/* test_data_check.c: every kind of finding where it was planted, and nothing in clean dumps.
 *
 * checks.def makes the list: a new kind without a function plant_NAME here does not link.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/check_dump.h"

/* ---- one plant a kind ---- */

/* No HDF5. */
static void plant_files(struct plan *p) {
    snprintf(p->more, sizeof p->more, ",/tmp/sr_check_%d_no.h5", (int)getpid());
    FILE *f = fopen(p->more + 1, "w");
    fputs("no dump", f);
    fclose(f);
}

static void plant_labels(struct plan *p) {
    for (size_t i = 100; i < 107; i++)
        p->b.label[i] = !p->b.label[i];
}

static void plant_classes(struct plan *p) {
    for (size_t i = 0; i < p->b.rows; i++) {
        p->b.large_prob[i] = p->b.gold[i] ? 0.f : 1.f; /* always wrong: nothing is ever worth routing */
        check_label(&p->b, i);
    }
    p->also = "guards,rates";
}

static void plant_unknown(struct plan *p) {
    p->serious = false;
    for (size_t i = 0; i < p->b.rows; i += 20) {
        p->b.gold[i] = 255;
        p->b.label[i] = 255;
    }
}

/* Verdicts of the small guard the wrong way round. */
static void plant_guards(struct plan *p) {
    p->b.head_width = 0;
    for (size_t i = 0; i < p->b.rows; i++) {
        p->b.small_prob[i] = 1 - p->b.small_prob[i];
        check_label(&p->b, i);
    }
    p->also = "rates"; /* where it is wrong so often many rows are worth routing */
}

static void plant_rates(struct plan *p) {
    p->serious = false;
    for (size_t i = 0; i < p->b.rows; i++)
        if (p->b.label[i] && i % 4 == 0) {
            p->b.gold[i] = !p->b.gold[i];
            check_label(&p->b, i);
        }
}

static void plant_positives(struct plan *p) {
    p->serious = false;
    p->a.rows = p->b.rows = 240; /* with a fifth of them positive */
}

static void plant_imbalance(struct plan *p) {
    p->imbalance = (struct sr_check_imbalance){.balanced = true, .alpha = .75, .pos_weight = 1};
    p->how.imbalance = &p->imbalance;
    p->a.weight = sr_alloc(p->a.rows, sizeof(float), NULL);
    for (size_t i = 0; i < p->a.rows; i++)
        p->a.weight[i] = p->a.label[i] ? 4 : 1;
}

static void plant_contract(struct plan *p) {
    p->b.attribute[5].value = "another template";
}

static void make_unit(struct check_dump *d) {
    d->head_width = 0; /* which would say so, too */
    for (size_t i = 0; i < d->rows; i++) {
        double squares = 0;
        for (size_t k = 0; k < CHECK_WIDTH; k++)
            squares += (double)d->x[i * CHECK_WIDTH + k] * (double)d->x[i * CHECK_WIDTH + k];
        for (size_t k = 0; k < CHECK_WIDTH; k++)
            d->x[i * CHECK_WIDTH + k] /= (float)sqrt(squares);
    }
}

/* Of length 1, but said to be post. */
static void plant_norm(struct plan *p) {
    make_unit(&p->a);
    make_unit(&p->b);
}

static void plant_verdict_head(struct plan *p) {
    for (size_t k = 0; k < CHECK_WIDTH; k++) {
        const float safe = p->b.head[k];
        p->b.head[k] = p->b.head[CHECK_WIDTH + k];
        p->b.head[CHECK_WIDTH + k] = safe;
    }
}

static void plant_bad_rows(struct plan *p) {
    p->b.x[17 * CHECK_WIDTH + 3] = NAN;
    p->b.x[400 * CHECK_WIDTH + 63] = INFINITY;
}

/* A column that is dead here, but lives in the other file. */
static void plant_columns(struct plan *p) {
    p->a.head_width = p->b.head_width = 0;
    for (size_t i = 0; i < p->b.rows; i++)
        p->b.x[i * CHECK_WIDTH + 9] = 0;
    p->b.attribute[3].value = p->a.attribute[3].value = "pre-and-post"; /* no claim that this breaks */
    p->also = "contract";
}

static void plant_contradictions(struct plan *p) {
    check_copy(&p->a, 500, &p->a, 20);
    p->a.gold[500] = !p->a.gold[20];
    check_label(&p->a, 500);
    p->also = "duplicates";
}

static void plant_duplicates(struct plan *p) {
    for (size_t i = 0; i < 5; i++)
        check_copy(&p->b, 300 + i, &p->a, 40 + i);
}

/* A little noise on standardised rows: cosine about .99. */
static void plant_near_duplicates(struct plan *p) {
    for (size_t i = 0; i < 30; i++) {
        check_copy(&p->b, 300 + i, &p->a, 40 + i);
        for (size_t k = 0; k < CHECK_WIDTH; k++)
            p->b.x[(300 + i) * CHECK_WIDTH + k] += (float)(.05 * check_normal(9, 7, i * CHECK_WIDTH + k));
    }
    p->b.head_width = 0;
}

static void plant_groups(struct plan *p) {
    p->b.group[77] = p->b.group[78] = p->a.group[5];
}

static void plant_ids(struct plan *p) {
    memcpy(p->b.id[60], p->a.id[7], sizeof p->b.id[0]);
}

#define X(name, what) {#name, plant_##name},
static const struct {
    const char *name;
    void (*plant)(struct plan *p);
} plants[] = {
#include "data/checks.def"
};
#undef X

/* ---- all kinds ---- */

Test(data_check, nothing_in_clean_dumps) {
    struct plan p;
    plan_begin(&p);
    struct sr_check *check = plan_run(&p);
    for (size_t i = 0; i < check->findings; i++)
        cr_expect_fail("%s: %s", check->finding[i]->kind, check->finding[i]->text);
    cr_expect_eq(check->rows, 2 * CHECK_ROWS);
    cr_expect_eq(check->files, 2);
    plan_end(&p, check);
}

/* What was planted is found, as serious as it is, and nothing else but what follows from it. */
Test(data_check, every_kind_is_found_where_it_was_planted) {
    for (size_t k = 0; k < SR_COUNT(plants); k++) {
        struct plan p;
        plan_begin(&p);
        plants[k].plant(&p);
        struct sr_check *check = plan_run(&p);
        const struct sr_finding *f = check_find(check, plants[k].name);
        cr_expect(f, "%s was not found", plants[k].name);
        cr_expect(!f || f->serious == p.serious, "%s: %s", plants[k].name, f ? f->text : "");
        cr_expect(!f || (f->text[0] && f->advice[0]), "%s", plants[k].name);
        for (size_t i = 0; i < check->findings; i++) {
            const char *kind = check->finding[i]->kind;
            cr_expect(strcmp(kind, plants[k].name) == 0 || (p.also && strstr(p.also, kind)),
                      "%s was planted, %s found: %s", plants[k].name, kind, check->finding[i]->text);
        }
        plan_end(&p, check);
    }
}

/* ---- numbers and rows ---- */

static const struct sr_finding *planted(struct plan *p, struct sr_check **check, void (*plant)(struct plan *),
                                        const char *kind) {
    plan_begin(p);
    plant(p);
    *check = plan_run(p);
    const struct sr_finding *f = check_find(*check, kind);
    cr_assert(f, "%s was not found", kind);
    return f;
}

Test(data_check, labels_are_counted_and_shown) {
    struct plan p;
    struct sr_check *check;
    const struct sr_finding *f = planted(&p, &check, plant_labels, "labels");
    cr_expect_eq(check_number(f, "rows"), 7);
    cr_expect_eq(check_number(f, "compared"), CHECK_ROWS);
    cr_expect_eq(f->rows, SR_CHECK_ROWS);
    cr_expect_eq(f->row[0].row, 100);
    cr_expect_str_eq(f->row[0].id, "2-100");
    cr_expect_str_eq(f->row[0].path, p.b.path);
    plan_end(&p, check);
}

/* Two of three rows that are one text say the opposite of the third; serious where they are the same to the
 * bit, for texts that differ in a word may come as near as rounding. */
Test(data_check, contradictions_are_pairs) {
    for (int exact = 0; exact < 2; exact++) {
        struct plan p;
        plan_begin(&p);
        for (size_t i = 0; i < 2; i++) {
            check_copy(&p.b, 300 + i, &p.a, 20);
            p.b.gold[300 + i] = i ? !p.a.gold[20] : p.a.gold[20];
            p.b.x[(300 + i) * CHECK_WIDTH] += exact ? 0 : .004f * (float)(i + 1);
            check_label(&p.b, 300 + i);
        }
        struct sr_check *check = plan_run(&p);
        const struct sr_finding *f = check_find(check, "contradictions");
        cr_assert(f);
        cr_expect_eq(f->serious, exact == 1);
        cr_expect_eq(f->rows, 2);
        cr_expect(f->row[0].row == 20 && f->row[1].row == 301);
        cr_expect_str_eq(f->row[0].path, p.a.path);
        cr_expect_str_eq(f->row[1].path, p.b.path);
        cr_expect_eq(check_number(f, "rows"), 3);
        plan_end(&p, check);
    }
}

Test(data_check, duplicates_name_both_rows) {
    struct plan p;
    struct sr_check *check;
    const struct sr_finding *f = planted(&p, &check, plant_duplicates, "duplicates");
    cr_expect_eq(check_number(f, "rows"), 5);
    cr_expect_str_eq(f->path, p.b.path);
    cr_expect(f->row[0].row == 40 && f->row[1].row == 300);
    cr_expect_str_eq(f->row[0].path, p.a.path);
    cr_expect_str_eq(f->row[1].path, p.b.path);
    plan_end(&p, check);
}

Test(data_check, near_duplicates_are_counted) {
    struct plan p;
    struct sr_check *check;
    const struct sr_finding *f = planted(&p, &check, plant_near_duplicates, "near_duplicates");
    cr_expect_eq(check_number(f, "rows"), 30);
    cr_expect_gt(check_number(f, "nearest"), .98);
    cr_expect_lt(check_number(f, "nearest"), 1);
    plan_end(&p, check);
}

Test(data_check, near_zero_looks_for_exact_duplicates_only) {
    struct plan p;
    plan_begin(&p);
    plant_near_duplicates(&p);
    p.how.near = 0;
    struct sr_check *check = plan_run(&p);
    cr_expect_eq(check->findings, 0);
    plan_end(&p, check);
}

/* Twins that share a group stay together in every split: nothing to say. */
Test(data_check, near_duplicates_of_one_group_are_known) {
    for (int grouped = 0; grouped < 2; grouped++) {
        struct plan p;
        plan_begin(&p);
        check_copy(&p.a, 300, &p.a, 40);
        p.a.x[300 * CHECK_WIDTH] += .02f;
        p.a.group[300] = grouped ? p.a.group[40] : p.a.group[300];
        struct sr_check *check = plan_run(&p);
        cr_expect_eq(check->findings, grouped ? 0 : 1);
        cr_expect_eq(check->serious, 0);
        cr_expect(grouped || check_find(check, "near_duplicates"));
        plan_end(&p, check);
    }
}

/* Rows without a group get one each when a file is opened: of two files they are not the same. */
Test(data_check, rows_without_a_group_are_in_no_group) {
    struct plan p;
    plan_begin(&p);
    struct sr_check *check = NULL;
    p.a.group[3] = p.b.group[3] = (int64_t)0xcbf29ce484222325u; /* hash of "", no group */
    check = plan_run(&p);
    cr_expect_eq(check->findings, 0);
    plan_end(&p, check);
}

Test(data_check, bad_rows_are_shown) {
    struct plan p;
    struct sr_check *check;
    const struct sr_finding *f = planted(&p, &check, plant_bad_rows, "bad_rows");
    cr_expect_eq(check_number(f, "rows"), 2);
    cr_expect(f->rows == 2 && f->row[0].row == 17 && f->row[1].row == 400);
    plan_end(&p, check);
}

Test(data_check, unreadable_labels_leave_features_to_look_at) {
    struct plan p;
    plan_begin(&p);
    p.b.gold[5] = 7; /* neither 0, 1 nor unknown */
    plant_bad_rows(&p);
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "labels");
    cr_assert(f);
    cr_expect(f->serious);
    cr_expect(strstr(f->text, "gold"), "%s", f->text);
    cr_expect(check_find(check, "bad_rows"));
    plan_end(&p, check);
}
