/* test_trust_isolate_asked.c: what is asked of a reader (--isolate) that is no more, or that ends in the
 * middle, and what it is not asked: each with a reason, which stays the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/data.h"
#include "data/table.h"
#include "tests/failing_memory.h"
#include "tests/puppet.h"

static int take_no_value(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)user;
    (void)values;
    (void)n;
    return sr_fail(err, SR_BUG, "a value came");
}

enum { QUESTIONS = 9 };

/* Every question about something of that name. */
static void ask_all(const struct puppet *p, const char *name, int status[QUESTIONS],
                    struct sr_error err[QUESTIONS]) {
    struct sr_h5_info info;
    struct sr_h5_storage s;
    struct sr_h5_matrix *m;
    char **texts, *value;
    int64_t integer;
    double number;
    size_t n;
    memset(err, 0, QUESTIONS * sizeof *err);
    status[0] = sr_h5_info(p->f, name, &info, &err[0]);
    status[1] = sr_h5_storage(p->f, name, &s, &err[1]);
    status[2] = sr_h5_read_integers(p->f, name, &integer, 1, &err[2]);
    status[3] = sr_h5_read_doubles(p->f, name, &number, 1, &err[3]);
    status[4] = sr_h5_each_double(p->f, name, take_no_value, NULL, &err[4]);
    status[5] = sr_h5_read_texts(p->f, name, &texts, 1, &err[5]);
    status[6] = sr_h5_attribute(p->f, "/", name, &value, &err[6]);
    status[7] = sr_h5_attribute_list(p->f, "/", name, &texts, &n, &err[7]);
    status[8] = sr_h5_matrix_open(&m, p->f, name, SR_FEATURE_HALF, &err[8]);
}

Test(isolate_asked, names_that_are_too_long) {
    static char name[SR_ISOLATE_PATH + 1];
    struct puppet p;
    struct sr_h5 *f;
    struct sr_error err[QUESTIONS];
    int status[QUESTIONS];
    puppet_begin(&p);
    const size_t before = p.requests;
    memset(name, 'a', SR_ISOLATE_PATH);
    ask_all(&p, name, status, err);
    for (size_t i = 0; i < QUESTIONS; i++) {
        cr_expect_eq(status[i], SR_DATA, "%zu: %d", i, status[i]);
        cr_expect(strstr(err[i].text, "too long for --isolate"), "%zu: %s", i, err[i].text);
    }
    cr_expect_eq(sr_h5_open(&f, name, NULL), SR_DATA); /* of what it says the name leaves no more */
    cr_expect_eq(p.requests, before);
    puppet_end(&p);
}

/* It ends while nobody listens: who only wants a yes or no is not told, who looks afterwards is. */
Test(isolate_asked, a_reader_that_is_no_more) {
    static float x[2 * SR_ISOLATE_WINDOW / sizeof(float)];
    struct puppet p;
    struct sr_error why = {0}, err[QUESTIONS];
    struct sr_h5_matrix *m;
    int status[QUESTIONS];
    puppet_begin(&p);
    cr_assert_eq(sr_h5_matrix_open(&m, p.f, "features", SR_FEATURE_HALF, &why), 0, "%s", why.text);
    shutdown(p.ends[1], SHUT_RDWR);
    cr_expect_not(sr_h5_has(p.f, "features"));
    cr_expect_eq(sr_h5_check(p.f, NULL), SR_DATA);
    cr_expect_not(p.channel.told);
    cr_expect_eq(sr_h5_check(p.f, &why), SR_DATA);
    cr_expect(p.channel.told && strstr(why.text, "closed its channel"), "%s", why.text);
    ask_all(&p, "others", status, err);
    for (size_t i = 0; i < QUESTIONS; i++) {
        cr_expect_eq(status[i], SR_DATA, "%zu: %d", i, status[i]);
        cr_expect_str_eq(err[i].text, why.text, "%zu", i);
    }
    cr_expect_eq(sr_h5_matrix_read(m, x, 0, SR_COUNT(x) / WIDTH, SR_FEATURE_FLOAT, err), SR_DATA);
    cr_expect_str_eq(err->text, why.text);
    sr_h5_matrix_close(m);
    puppet_end(&p);
}

/* Pieces are asked for one after the other; who does not hear of the next one is gone. */
Test(isolate_asked, a_reader_that_goes_between_two_pieces) {
    int64_t out[ROWS];
    struct puppet p;
    struct sr_error err = {0};
    puppet_begin(&p);
    p.said[SR_ISOLATE_INTEGERS] = (struct said){NULL, sizeof out, 16, 0, 1};
    p.deaf = true;
    cr_expect_eq(sr_h5_read_integers(p.f, "label", out, ROWS, &err), SR_DATA);
    cr_expect(strstr(err.text, "closed its channel"), "%s", err.text);
    puppet_end(&p);
}

/* A second answer that cannot be changes nothing of what was said of the first. */
Test(isolate_asked, the_first_reason_stays) {
    struct puppet p;
    struct sr_error err = {0}, again = {0};
    puppet_begin(&p);
    cr_expect_eq(sr_channel_nonsense(&p.channel, "a.h5", &err), SR_DATA);
    cr_expect_eq(sr_channel_nonsense(&p.channel, "b.h5", &again), SR_DATA);
    cr_expect(strstr(err.text, "a.h5"), "%s", err.text);
    cr_expect_str_eq(again.text, err.text);
    puppet_end(&p);
}

/* ---- who asks has not enough ---- */

static int take_any_value(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)values;
    (void)err;
    *(size_t *)user += n;
    return 0;
}

Test(isolate_asked, values_that_there_is_no_memory_for) {
    bool failed = true;
    uint64_t nth = 1;
    for (; failed; nth++) {
        struct puppet p;
        struct sr_error err = {0};
        size_t taken = 0;
        puppet_begin(&p);
        p.said[SR_ISOLATE_EACH_DOUBLE] = (struct said){NULL, ROWS * sizeof(double), 0, 0, 1};
        memory_begin(nth);
        const int status = sr_h5_each_double(p.f, "features", take_any_value, &taken, &err);
        failed = memory_end().failed;
        cr_expect_eq(status, failed ? SR_NOMEM : 0, "%d: %d, %s", (int)nth, status, err.text);
        cr_expect_eq(taken, failed ? 0 : ROWS);
        cr_expect_not(p.channel.failed);
        puppet_end(&p);
    }
    cr_expect_gt(nth, 3);
}

/* ---- more than a dump has ---- */

/* A sparse file may be long enough for them. */
static void puppet_lengthen(struct puppet *p) {
    struct sr_error err = {0};
    p->info.shape[0] = (uint64_t)UINT32_MAX + 1;
    p->said[SR_ISOLATE_HAS].number = 1;
    cr_assert_eq(truncate(p->path, (off_t)1 << 37), 0);
    sr_h5_close(p->f, NULL);
    cr_assert_eq(sr_h5_open(&p->f, p->path, &err), 0, "%s", err.text);
}

Test(isolate_asked, rows_whose_numbers_have_more_than_32_bits) {
    struct puppet p;
    struct sr_error err = {0};
    struct sr_data *d;
    struct sr_table *t;
    struct sr_field features = {.role = SR_ROLE_FEATURES, .required = true};
    puppet_begin(&p);
    puppet_lengthen(&p);
    cr_expect_eq(sr_data_open(&d, p.path, NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, "/features has more than 2^32 - 1 rows"), "%s", err.text);
    cr_assert_eq(sr_table_open(&t, p.path, NULL, &err), 0, "%s", err.text);
    cr_expect_eq(sr_table_bind(t, &features, &err), SR_DATA);
    cr_expect(strstr(err.text, "/features has more than 2^32 - 1 rows"), "%s", err.text);
    sr_field_free(&features);
    sr_table_close(t);
    puppet_end(&p);
}

Test(isolate_asked, features_that_are_too_many) {
    struct puppet p;
    struct sr_error err = {0};
    struct sr_table *t;
    struct sr_field features = {.role = SR_ROLE_FEATURES, .required = true};
    puppet_begin(&p);
    p.info.shape[1] = SR_DATA_WIDTH_MAX + 1;
    p.said[SR_ISOLATE_HAS].number = 1;
    cr_assert_eq(sr_table_open(&t, p.path, NULL, &err), 0, "%s", err.text);
    cr_expect_eq(sr_table_bind(t, &features, &err), SR_DATA);
    cr_expect(strstr(err.text, "65537 features a row; 1 to 65536 are possible"), "%s", err.text);
    sr_table_close(t);
    sr_field_free(&features);
    puppet_end(&p);
}
