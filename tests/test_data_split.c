/* test_data_split.c: rows into training and validation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/dump_fixture.h"

enum { ROWS = 3000 };

/* A set of columns only: a split reads no features. Every fifth row is positive; groups of up to 1 + twins
 * rows. */
struct columns {
    struct sr_data d;
    uint8_t label[ROWS];
    int64_t group[ROWS];
    uint32_t rows[ROWS];
};

static struct columns *make_columns(int64_t twins) {
    struct columns *c = sr_alloc(1, sizeof *c, NULL);
    for (uint32_t i = 0; i < ROWS; i++) {
        c->label[i] = i % 5 == 0;
        c->group[i] = 1000003 * ((int64_t)i / (1 + twins));
        c->rows[i] = i;
    }
    c->d = (struct sr_data){.rows = ROWS, .label = c->label, .group = c->group};
    return c;
}

struct halves {
    uint32_t *train, *val;
    size_t n_train, n_val;
};

static struct halves split(const struct columns *c, size_t n, double fraction, uint64_t seed) {
    struct halves h;
    struct sr_error err = {0};
    cr_assert_eq(
        sr_data_split(&c->d, c->rows, n, fraction, seed, &h.train, &h.n_train, &h.val, &h.n_val, &err), 0,
        "%s", err.text);
    return h;
}

static void free_halves(struct halves h) {
    sr_free(h.train);
    sr_free(h.val);
}

Test(data_split, every_row_once_ascending_stratified) {
    struct columns *c = make_columns(0);
    struct halves h = split(c, ROWS, .2, 7);
    uint8_t seen[ROWS] = {0};
    size_t positives = 0;
    cr_assert_eq(h.n_train + h.n_val, ROWS);
    for (size_t i = 0; i < h.n_train; i++) {
        seen[h.train[i]]++;
        cr_expect(i == 0 || h.train[i] > h.train[i - 1]);
    }
    for (size_t i = 0; i < h.n_val; i++) {
        seen[h.val[i]]++;
        positives += c->label[h.val[i]];
        cr_expect(i == 0 || h.val[i] > h.val[i - 1]);
    }
    for (size_t i = 0; i < ROWS; i++)
        cr_expect_eq(seen[i], 1, "row %zu", i);
    cr_expect_eq(h.n_val, 600);
    cr_expect_eq(positives, 120);
    free_halves(h);
    sr_free(c);
}

Test(data_split, groups_stay_together) {
    struct columns *c = make_columns(6);
    struct halves h = split(c, ROWS, .2, 7);
    size_t at = 0;
    for (size_t i = 0; i < h.n_train; i++) {
        while (at < h.n_val && h.val[at] < h.train[i])
            at++;
        if (at < h.n_val)
            cr_expect_neq(c->group[h.val[at]], c->group[h.train[i]], "rows %u and %u", h.val[at], h.train[i]);
        if (at > 0)
            cr_expect_neq(c->group[h.val[at - 1]], c->group[h.train[i]], "rows %u and %u", h.val[at - 1],
                          h.train[i]);
    }
    /* greedy filling misses the share by less than one group of seven a class */
    cr_expect_geq(h.n_val, 600 - 14);
    cr_expect_leq(h.n_val, 600);
    free_halves(h);
    sr_free(c);
}

Test(data_split, pure_function_of_its_seed) {
    struct columns *c = make_columns(1);
    struct halves a = split(c, ROWS, .3, 7), b = split(c, ROWS, .3, 7), other = split(c, ROWS, .3, 8);
    cr_assert_eq(a.n_val, b.n_val);
    cr_expect_arr_eq(a.val, b.val, a.n_val * sizeof *a.val);
    cr_expect(other.n_val != a.n_val || memcmp(other.val, a.val, a.n_val * sizeof *a.val) != 0);
    free_halves(a);
    free_halves(b);
    free_halves(other);
    sr_free(c);
}

Test(data_split, only_the_given_rows) {
    struct columns *c = make_columns(0);
    for (size_t i = 0; i < 1000; i++)
        c->rows[i] = (uint32_t)(3 * i);
    struct halves h = split(c, 1000, .1, 1);
    cr_assert_eq(h.n_train + h.n_val, 1000);
    for (size_t i = 0; i < h.n_val; i++)
        cr_expect_eq(h.val[i] % 3, 0);
    free_halves(h);
    sr_free(c);
}

Test(data_split, impossible_splits_are_refused) {
    struct columns *c = make_columns(0);
    struct halves h;
    struct sr_error err = {0};
    memset(c->label, 0, ROWS);
    cr_expect_eq(sr_data_split(&c->d, c->rows, ROWS, .2, 1, &h.train, &h.n_train, &h.val, &h.n_val, &err),
                 SR_DATA);
    cr_expect(strstr(err.text, "0 of 3000 rows have label 1"), "%s", err.text);
    for (size_t i = 0; i < ROWS; i++) {
        c->label[i] = i % 2;
        c->group[i] = 1; /* one group of all rows fits nowhere */
    }
    cr_expect_eq(sr_data_split(&c->d, c->rows, ROWS, .2, 1, &h.train, &h.n_train, &h.val, &h.n_val, &err),
                 SR_DATA);
    cr_expect_eq(sr_data_split(&c->d, c->rows, ROWS, 1.5, 1, &h.train, &h.n_train, &h.val, &h.n_val, &err),
                 SR_USAGE);
    c->d.label = NULL;
    cr_expect_eq(sr_data_split(&c->d, c->rows, ROWS, .2, 1, &h.train, &h.n_train, &h.val, &h.n_val, &err),
                 SR_DATA);
    sr_free(c);
}

Test(data_split, unknown_labels_are_the_callers_to_leave_out) {
    struct columns *c = make_columns(0);
    struct halves h;
    struct sr_error err = {0};
    c->label[17] = SR_UNKNOWN;
    cr_expect_eq(sr_data_split(&c->d, c->rows, ROWS, .2, 1, &h.train, &h.n_train, &h.val, &h.n_val, &err),
                 SR_BUG);
    cr_expect(strstr(err.text, "row 17 "), "%s", err.text);
    h = split(c, 17, .2, 1); /* the rows before it */
    cr_expect_eq(h.n_train + h.n_val, 17);
    free_halves(h);
    sr_free(c);
}
