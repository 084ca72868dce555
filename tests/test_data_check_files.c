/* test_data_check_files.c: data check where files, columns or widths are not as they should be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/check_dump.h"

static void name_third(struct plan *p, const char *name) {
    snprintf(p->more, sizeof p->more, ",/tmp/sr_check_%d_%s", (int)getpid(), name);
}

Test(data_check_files, one_that_cannot_be_read_hides_no_other) {
    struct plan p;
    struct sr_h5 *h5;
    plan_begin(&p);
    name_third(&p, "flat.h5");
    cr_assert_eq(sr_h5_create(&h5, p.more + 1, p.more + 1, NULL), 0);
    cr_assert_eq(sr_h5_write_column(h5, "features", SR_H5_WRITE_F32, p.a.x, 12, NULL), 0);
    cr_assert_eq(sr_h5_close(h5, NULL), 0);
    p.b.group[77] = p.a.group[5];
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "files");
    cr_assert(f && f->serious);
    cr_expect(strstr(f->text, "rank 1"), "%s", f->text);
    cr_expect_str_eq(f->path, p.more + 1);
    cr_expect(check_find(check, "groups"));
    cr_expect_eq(check->files, 2);
    cr_expect_eq(check->names, 3);
    cr_expect_str_eq(check->name[2].letter, "C");
    plan_end(&p, check);
}

Test(data_check_files, an_unfinished_extraction) {
    struct plan p;
    char notes[128];
    plan_begin(&p);
    name_third(&p, "c.h5.part");
    struct check_dump c;
    check_dump_begin(&c, "c", 3);
    snprintf(c.path, sizeof c.path, "%.60s", p.more + 1);
    check_dump_write(&c);
    struct sr_check *check = plan_run(&p); /* a dump of that name, and no more */
    cr_expect_not(check_find(check, "files"));
    sr_check_free(check);
    snprintf(notes, sizeof notes, "%s.json", c.path);
    fclose(fopen(notes, "w"));
    check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "files");
    cr_assert(f && f->serious);
    cr_expect(strstr(f->text, "not finished"), "%s", f->text);
    cr_expect_eq(check->findings, 1);
    unlink(notes);
    check_dump_end(&c);
    plan_end(&p, check);
}

Test(data_check_files, the_same_file_twice) {
    struct plan p;
    char paths[200];
    struct sr_check *check;
    struct sr_error err = {0};
    plan_begin(&p);
    check_dump_write(&p.a);
    snprintf(paths, sizeof paths, "%s,/tmp/../%s", p.a.path, p.a.path);
    cr_expect_eq(sr_check_run(&check, paths, &p.how, NULL, NULL, &err), SR_USAGE);
    cr_expect(strstr(err.text, "same file"), "%s", err.text);
    check_dump_end(&p.a);
    check_dump_end(&p.b);
}

/* One bad cell takes its column, and no other. */
Test(data_check_files, a_column_that_cannot_be_read) {
    struct plan p;
    plan_begin(&p);
    p.b.weight = sr_alloc(p.b.rows, sizeof(float), NULL);
    p.b.weight[7] = -1;
    p.b.large_prob[5] = 2;
    for (size_t i = 0; i < p.b.rows; i++) /* the small guard the wrong way round */
        p.b.small_prob[i] = 1 - p.b.small_prob[i];
    p.b.head_width = 0;
    struct sr_check *check = plan_run(&p);
    size_t told = 0;
    for (size_t i = 0; i < check->findings; i++) {
        const struct sr_finding *f = check->finding[i];
        if (strcmp(f->kind, "labels") == 0) {
            cr_expect(f->serious && strstr(f->text, told ? "/weight row 7" : "/large_prob row 5"), "%s",
                      f->text);
            cr_expect_not(strstr(f->text, p.b.path));
            told++;
        }
    }
    cr_expect_eq(told, 2);
    cr_expect(check_find(check, "guards"));
    plan_end(&p, check);
}

/* Files of each width are looked through for duplicates. */
Test(data_check_files, duplicates_of_every_width) {
    struct plan p;
    struct sr_h5 *h5;
    float x[20 * 8];
    plan_begin(&p);
    for (size_t i = 0; i < SR_COUNT(x); i++)
        x[i] = (float)check_normal(7, 1, i);
    memcpy(x + 9 * 8, x + 4 * 8, 8 * sizeof *x);
    name_third(&p, "narrow.h5");
    cr_assert_eq(sr_h5_create(&h5, p.more + 1, p.more + 1, NULL), 0);
    check_dump_matrix(h5, "features", x, 20, 8, SR_FEATURE_FLOAT);
    cr_assert_eq(sr_h5_close(h5, NULL), 0);
    check_copy(&p.b, 300, &p.a, 40);
    struct sr_check *check = plan_run(&p);
    size_t rows = 0, narrow = 0;
    for (size_t i = 0; i < check->findings; i++) {
        const struct sr_finding *f = check->finding[i];
        if (strcmp(f->kind, "duplicates") == 0) {
            rows += (size_t)check_number(f, "rows");
            narrow += strcmp(f->path, p.more + 1) == 0 && f->row[0].row == 4 && f->row[1].row == 9;
        }
    }
    cr_expect_eq(rows, 2);
    cr_expect_eq(narrow, 1);
    const struct sr_finding *f = check_find(check, "near_duplicates");
    cr_assert(f && f->unchecked);
    cr_expect(strstr(f->text, "64 features"), "%s", f->text);
    plan_end(&p, check);
}

/* Groups counted from 0 in each file are the likelier cause where nearly all are shared. */
Test(data_check_files, groups_counted_in_every_file) {
    struct plan p;
    plan_begin(&p);
    for (size_t i = 0; i < p.a.rows; i++)
        p.a.group[i] = p.b.group[i] = (int64_t)i;
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "groups");
    cr_assert(f);
    cr_expect(strstr(f->advice, "counted from 0"), "%s", f->advice);
    plan_end(&p, check);
}

/* Long values are cut between characters. */
Test(data_check_files, a_long_value_of_the_contract) {
    struct plan p;
    char value[401] = "";
    for (size_t i = 0; i < 200; i++)
        strcat(value, "\xc3\xa4");
    plan_begin(&p);
    p.b.attribute[5].value = value;
    struct sr_check *check = plan_run(&p);
    const struct sr_finding *f = check_find(check, "contract");
    cr_assert(f);
    for (const char *c = f->text; *c; c += sr_utf8_length(c))
        cr_assert(sr_utf8_length(c), "%s", f->text);
    cr_expect(strstr(f->text, "' in A"), "%s", f->text);
    plan_end(&p, check);
}
