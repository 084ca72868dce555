/* test_data_check_duplicates.c: `data check` on rows that are the same or nearly so: which are counted, for
 * which pair of files, and which would have to go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/check_dump.h"

/* The finding of a kind about a file, or NULL. */
static const struct sr_finding *find(const struct sr_check *check, const char *kind, const char *path) {
    for (size_t i = 0; i < check->findings; i++)
        if (strcmp(check->finding[i]->kind, kind) == 0 && strcmp(check->finding[i]->path, path) == 0)
            return check->finding[i];
    return NULL;
}

static double number_of(const struct sr_finding *f, const char *name) {
    for (size_t i = 0; i < f->numbers; i++)
        if (strcmp(f->number[i].name, name) == 0)
            return f->number[i].value;
    return (double)NAN;
}

static void add_noise(struct check_dump *d, size_t row, double noise) {
    for (size_t k = 0; k < CHECK_WIDTH; k++)
        d->x[row * CHECK_WIDTH + k] += (float)(noise * check_normal(9, 7, row * CHECK_WIDTH + k));
}

static void expect_extra(const struct sr_check *check, const struct sr_finding *f, size_t first, size_t n) {
    cr_assert_eq(f->extras, n);
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(f->extra[i], first + i);
    cr_expect_str_eq(sr_check_id(check, f->path, f->extra[0]), f->row[1].id);
}

/* Only the first of rows that are the same is compared; the others are as near. */
Test(data_check_duplicates, copies_of_a_near_twin_count_each) {
    struct plan p;
    plan_begin(&p);
    check_copy(&p.b, 300, &p.a, 40);
    add_noise(&p.b, 300, .05);
    for (size_t i = 301; i < 340; i++)
        check_copy(&p.b, i, &p.b, 300);
    p.b.head_width = 0;
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = find(check, "near_duplicates", p.b.path);
    cr_assert(f);
    cr_expect(f->serious);
    cr_expect_eq(number_of(f, "rows"), 40);
    cr_expect(f->row[0].row == 40 && f->row[1].row == 300);
    expect_extra(check, f, 300, 40);
    f = find(check, "duplicates", p.b.path);
    cr_assert(f);
    cr_expect(!f->serious);
    cr_expect_eq(number_of(f, "rows"), 39);
    expect_extra(check, f, 301, 39);
    plan_end(&p, check);
}

/* .002 of a deviation of about 1 is a cosine of .99999: another order of the sums, the same text. */
Test(data_check_duplicates, rounding_is_no_difference_across_files) {
    struct plan p;
    plan_begin(&p);
    for (size_t i = 300; i < 305; i++) {
        check_copy(&p.b, i, &p.a, i);
        add_noise(&p.b, i, .002);
    }
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = find(check, "duplicates", p.b.path);
    cr_assert(f);
    cr_expect(f->serious);
    cr_expect_eq(number_of(f, "rows"), 5);
    cr_expect_eq(number_of(f, "rounded"), 5);
    cr_expect(!find(check, "near_duplicates", p.b.path));
    expect_extra(check, f, 300, 5);
    plan_end(&p, check);
}

/* 1 row of the third file is in the first, 50 are in the second: two findings, each with its file. */
Test(data_check_duplicates, each_pair_of_files_is_counted) {
    struct plan p;
    struct check_dump c;
    struct sr_error err = {0};
    struct sr_check *check;
    char paths[240];
    plan_begin(&p);
    check_dump_begin(&c, "c", 3);
    check_copy(&c, 0, &p.a, 7);
    for (size_t i = 1; i <= 50; i++)
        check_copy(&c, i, &p.b, i);
    snprintf(paths, sizeof paths, "%s,%s,%s", check_dump_write(&p.a), check_dump_write(&p.b),
             check_dump_write(&c));
    cr_assert_eq(sr_check_run(&check, paths, &p.how, NULL, NULL, &err), 0, "%s", err.text);
    double rows[2] = {0, 0};
    for (size_t i = 0; i < check->findings; i++) {
        const struct sr_finding *f = check->finding[i];
        if (strcmp(f->kind, "duplicates") == 0)
            rows[strcmp(f->row[0].path, p.b.path) == 0] += number_of(f, "rows");
    }
    cr_expect_eq(rows[0], 1);
    cr_expect_eq(rows[1], 50);
    check_dump_end(&c);
    plan_end(&p, check);
}

/* A crowd is more pairs than are compared; all of its rows but the first would have to go. */
Test(data_check_duplicates, a_crowd_is_counted_whole) {
    struct plan p;
    plan_begin(&p);
    for (size_t i = 101; i < 400; i++) {
        check_copy(&p.a, i, &p.a, 100);
        add_noise(&p.a, i, .05);
    }
    p.a.head_width = 0;
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = find(check, "near_duplicates", p.a.path);
    cr_assert(f);
    cr_expect_eq(number_of(f, "rows"), 299);
    cr_expect_eq(f->extras, 299);
    plan_end(&p, check);
}
