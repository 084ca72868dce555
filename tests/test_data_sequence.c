/* test_data_sequence.c: which row comes when: balance, copies, windows, purity, batches.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/sequence.h"
#include "tests/dump_fixture.h"

enum { ROWS = 10007, BAND = 256 };

struct problem {
    uint8_t label[ROWS];
    uint32_t rows[ROWS]; /* participating: all but every seventh, and none of band 3 */
    size_t n;
};

static struct problem *make_problem(void) {
    struct problem *p = sr_alloc(1, sizeof *p, NULL);
    for (uint32_t i = 0; i < ROWS; i++) {
        p->label[i] = i % 6 == 1;
        if (i % 7 != 0 && i / BAND != 3)
            p->rows[p->n++] = i;
    }
    return p;
}

static void begin(struct sr_sequence *s, const struct problem *p, size_t window, size_t batch,
                  uint64_t epoch) {
    struct sr_error err = {0};
    struct sr_loader_options how = {.order = SR_ORDER_BALANCED, .seed = 5, .batch = batch, .window = window};
    cr_assert_eq(sr_sequence_create(s, p->label, NULL, p->rows, p->n, &how, &err), 0, "%s", err.text);
    sr_sequence_start(s, epoch);
}

Test(data_sequence, classes_are_drawn_equally_often) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    begin(&s, p, 2048, 256, 0);
    size_t positives = 0, participating[ROWS] = {0};
    for (size_t i = 0; i < p->n; i++)
        participating[p->rows[i]] = 1;
    for (size_t i = 0; i < p->n; i++) {
        cr_assert(participating[s.draw[i]], "row %u does not take part", s.draw[i]);
        positives += p->label[s.draw[i]];
    }
    /* binomial(n, 1/2): five standard deviations are passed once in two million seeds */
    cr_expect_lt(fabs((double)positives - (double)p->n / 2), 5 * sqrt((double)p->n) / 2, "%zu of %zu",
                 positives, p->n);
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, rows_of_a_class_are_drawn_evenly) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    size_t draws[ROWS] = {0}, positives = 0, drawn = 0, distinct = 0;
    begin(&s, p, 2048, 256, 0);
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        sr_sequence_start(&s, epoch);
        for (size_t i = 0; i < p->n; i++)
            draws[s.draw[i]]++;
    }
    for (size_t i = 0; i < p->n; i++)
        if (p->label[p->rows[i]]) {
            positives++;
            drawn += draws[p->rows[i]];
            distinct += draws[p->rows[i]] > 0;
        }
    double each = (double)drawn / (double)positives, squares = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->label[p->rows[i]])
            squares += pow((double)draws[p->rows[i]] - each, 2) / each;
    cr_expect_eq(distinct, positives, "each is drawn about 60 times");
    /* chi-square with k degrees of freedom is near normal(k, 2k); five deviations either side */
    double k = (double)positives - 1;
    cr_expect_lt(fabs(squares - k), 5 * sqrt(2 * k), "chi-square %g of %g", squares, k);
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, a_window_holds_its_bands_only) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    begin(&s, p, 1000, 256, 3);
    cr_expect_eq(s.bands, 39, "40 bands of which one has no row that takes part");
    cr_expect_eq(s.window_bands, 4, "whole bands until there are 1000 rows");
    cr_expect_eq(s.windows, 10);
    uint8_t used[40] = {0};
    for (size_t w = 0; w < s.windows; w++) {
        uint8_t here[40] = {0};
        for (size_t place = 4 * w; place < 4 * w + 4 && place < s.bands; place++) {
            size_t band = sr_sequence_band(&s, place);
            cr_expect_not(used[band], "band %zu is in two windows", band);
            used[band] = here[band] = 1;
        }
        for (size_t i = s.window_begin[w]; i < s.window_begin[w + 1]; i++)
            cr_assert(here[s.draw[i] / BAND], "row %u is in window %zu", s.draw[i], w);
    }
    cr_expect_eq(s.window_begin[s.windows], p->n, "as many draws as rows");
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, a_window_is_whole_bands) {
    static const size_t window[] = {1, 256, 257, 1024, 1025}, bands[] = {1, 1, 2, 4, 5};
    struct problem *p = make_problem();
    for (size_t i = 0; i < SR_COUNT(window); i++) {
        struct sr_sequence s;
        begin(&s, p, window[i], 256, 0);
        cr_expect_eq(s.window_bands, bands[i], "%zu bands for %zu rows", s.window_bands, window[i]);
        sr_sequence_free(&s);
    }
    sr_free(p);
}

Test(data_sequence, windows_and_draws_are_shuffled) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    begin(&s, p, 1024, 256, 0);
    size_t rises = 0, in_file_order = 0;
    for (size_t i = 1; i < p->n; i++)
        rises += s.draw[i] > s.draw[i - 1];
    for (size_t place = 1; place < s.bands; place++)
        in_file_order += sr_sequence_band(&s, place) == sr_sequence_band(&s, place - 1) + 1;
    /* rises of a random permutation: n/2 with deviation sqrt(n/12); 300 is ten of them */
    cr_expect_lt(fabs((double)rises - (double)p->n / 2), 300);
    cr_expect_lt(in_file_order, s.bands / 2);
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, one_window_mixes_the_whole_file) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    begin(&s, p, 32768, 256, 0);
    cr_expect_eq(s.windows, 1);
    double mean = 0; /* of the first tenth of the draws; uniform rows would have ROWS/2 */
    for (size_t i = 0; i < p->n / 10; i++)
        mean += (double)s.draw[i] / (double)(p->n / 10);
    /* deviation of the mean: ROWS/sqrt(12)/sqrt(860) = 99; five of them */
    cr_expect_lt(fabs(mean - ROWS / 2.0), 500);
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, pure_function_of_seed_and_epoch) {
    struct problem *p = make_problem();
    struct sr_sequence a, b;
    begin(&a, p, 1024, 256, 0);
    begin(&b, p, 1024, 32, 9);
    cr_expect_arr_neq(a.draw, b.draw, p->n * sizeof *a.draw);
    sr_sequence_start(&b, 0);
    cr_expect_arr_eq(a.draw, b.draw, p->n * sizeof *a.draw);
    b.seed++;
    sr_sequence_start(&b, 0);
    cr_expect_arr_neq(a.draw, b.draw, p->n * sizeof *a.draw);
    sr_sequence_free(&a);
    sr_sequence_free(&b);
    sr_free(p);
}

Test(data_sequence, labels_of_other_rows_have_no_part) {
    struct problem *p = make_problem();
    struct sr_sequence a, b;
    begin(&a, p, 1024, 256, 0);
    for (size_t i = 0; i < ROWS; i += 7)
        p->label[i] ^= 1;
    begin(&b, p, 1024, 256, 0);
    cr_expect_arr_eq(a.draw, b.draw, p->n * sizeof *a.draw);
    sr_sequence_free(&a);
    sr_sequence_free(&b);
    sr_free(p);
}

Test(data_sequence, counts_do_not_depend_on_the_window) {
    struct problem *p = make_problem();
    struct sr_sequence a, b;
    begin(&a, p, 300, 256, 2);
    begin(&b, p, 32768, 256, 2);
    cr_expect_arr_eq(a.count, b.count, p->n * sizeof *a.count);
    sr_sequence_free(&a);
    sr_sequence_free(&b);
    sr_free(p);
}

Test(data_sequence, a_last_batch_of_one_joins_its_neighbour) {
    static const struct {
        size_t n, batch, batches, last;
        enum sr_order order;
    } how[] = {
        {513, 256, 2, 257, SR_ORDER_BALANCED}, {512, 256, 2, 256, SR_ORDER_BALANCED},
        {514, 256, 3, 2, SR_ORDER_BALANCED},   {200, 256, 1, 200, SR_ORDER_BALANCED},
        {5, 1, 5, 1, SR_ORDER_BALANCED},       {513, 256, 3, 1, SR_ORDER_FILE},
        {1, 256, 1, 1, SR_ORDER_FILE},
    };
    struct problem *p = make_problem();
    for (size_t i = 0; i < SR_COUNT(how); i++) {
        struct sr_sequence s;
        struct sr_error err = {0};
        struct sr_loader_options o = {.order = how[i].order, .batch = how[i].batch, .window = 256};
        cr_assert_eq(sr_sequence_create(&s, p->label, NULL, p->rows, how[i].n, &o, &err), 0, "%s", err.text);
        cr_expect_eq(sr_sequence_batches(&s), how[i].batches, "%zu rows by %zu", how[i].n, how[i].batch);
        cr_expect_eq(how[i].n - sr_sequence_begin(&s, how[i].batches - 1), how[i].last);
        cr_expect_eq(sr_sequence_begin(&s, how[i].batches), how[i].n);
        sr_sequence_free(&s);
    }
    sr_free(p);
}

Test(data_sequence, file_order_is_every_row_once) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    struct sr_error err = {0};
    struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 64};
    cr_assert_eq(sr_sequence_create(&s, NULL, NULL, p->rows, p->n, &how, &err), 0, "%s", err.text);
    sr_sequence_start(&s, 4);
    cr_expect_arr_eq(s.draw, p->rows, p->n * sizeof *p->rows);
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, what_cannot_be_drawn_is_refused) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    struct sr_error err = {0};
    struct sr_loader_options how = {.order = SR_ORDER_BALANCED, .batch = 64, .window = 1024};
    memset(p->label, 0, sizeof p->label);
    cr_expect_eq(sr_sequence_create(&s, p->label, NULL, p->rows, p->n, &how, &err), SR_DATA);
    cr_expect(strstr(err.text, "label 1"), "%s", err.text);
    sr_sequence_free(&s);
    cr_expect_eq(sr_sequence_create(&s, NULL, NULL, p->rows, p->n, &how, &err), SR_DATA);
    sr_sequence_free(&s);
    cr_expect_eq(sr_sequence_create(&s, p->label, NULL, p->rows, 0, &how, &err), SR_DATA);
    sr_sequence_free(&s);
    p->rows[4] = p->rows[5];
    cr_expect_eq(sr_sequence_create(&s, p->label, NULL, p->rows, p->n, &how, &err), SR_BUG);
    sr_sequence_free(&s);
    sr_free(p);
}

/* Of the draws of one pass, as they were before there were passes, weights and other orders; a run that is
 * resumed or repeated by a later program depends on it. */
Test(data_sequence, balanced_draws_stay_what_they_were) {
    static const struct {
        uint64_t seed, pass;
        size_t window;
        const char *sha256;
    } was[] = {
        {5, 0, 1024, "71a0a873854810f1d05929d8a03f317609484296f0bb2829b3bfa571eb792415"},
        {5, 17, 32768, "d07a6e063ef92565876f174d5da6bbd113fd1633d17f0daba523ba8f66ec2214"},
        {42, 1, 1024, "0a01c8e439ea6b805a687813d0931467a6f3ab730c4e65a215a9cfbb73b732ae"},
        {42, 17, 32768, "955e617897d636c972bca212b16fbcb7afff3675a40284d37cf5a80b6b670193"},
    };
    struct problem *p = make_problem();
    uint8_t once[ROWS];
    memset(once, 1, sizeof once);
    for (size_t i = 0; i < 2 * SR_COUNT(was); i++) {
        const size_t k = i / 2;
        struct sr_sequence s;
        struct sr_error err = {0};
        struct sr_sha256 sha;
        char hex[65];
        const struct sr_loader_options how = {
            .order = SR_ORDER_BALANCED, .seed = was[k].seed, .batch = 64, .window = was[k].window};
        cr_assert_eq(sr_sequence_create(&s, p->label, i % 2 ? once : NULL, p->rows, p->n, &how, &err), 0);
        sr_sequence_start(&s, was[k].pass);
        sr_sha256_begin(&sha);
        sr_sha256_add(&sha, s.draw, s.draws * sizeof *s.draw);
        sr_sha256_end(&sha, hex);
        cr_expect_str_eq(hex, was[k].sha256, "seed %llu, pass %llu", (unsigned long long)was[k].seed,
                         (unsigned long long)was[k].pass);
        sr_sequence_free(&s);
    }
    sr_free(p);
}

static void copies_by_item(uint8_t *copies, size_t n) {
    for (size_t i = 0; i < n; i++)
        copies[i] = (uint8_t)(1 + i % 3 * 49); /* 1, 50, 99 */
}

Test(data_sequence, a_shuffled_pass_has_every_copy) {
    struct problem *p = make_problem();
    uint8_t copies[ROWS];
    copies_by_item(copies, p->n);
    struct sr_sequence s;
    struct sr_error err = {0};
    const struct sr_loader_options how = {.order = SR_ORDER_SHUFFLED, .seed = 5, .batch = 64, .window = 1024};
    cr_assert_eq(sr_sequence_create(&s, NULL, copies, p->rows, p->n, &how, &err), 0, "%s", err.text);
    for (uint64_t pass = 0; pass < 3; pass++) {
        size_t times[ROWS] = {0};
        sr_sequence_start(&s, pass);
        cr_expect_eq(s.window_begin[s.windows], s.draws);
        for (size_t i = 0; i < s.draws; i++)
            times[s.draw[i]]++;
        for (size_t i = 0; i < p->n; i++)
            cr_assert_eq(times[p->rows[i]], copies[i], "row %u", p->rows[i]);
    }
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, a_shuffled_pass_is_shuffled_anew) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    struct sr_error err = {0};
    uint32_t first[ROWS];
    const struct sr_loader_options how = {.order = SR_ORDER_SHUFFLED, .seed = 5, .batch = 64, .window = 1024};
    cr_assert_eq(sr_sequence_create(&s, NULL, NULL, p->rows, p->n, &how, &err), 0, "%s", err.text);
    sr_sequence_start(&s, 0);
    memcpy(first, s.draw, s.draws * sizeof *first);
    size_t rises = 0, same = 0;
    for (size_t i = 1; i < s.draws; i++)
        rises += first[i] > first[i - 1];
    /* rises of a random permutation: n/2 with deviation sqrt(n/12) = 27; 300 is eleven of them */
    cr_expect_lt(fabs((double)rises - (double)s.draws / 2), 300);
    sr_sequence_start(&s, 1);
    for (size_t i = 0; i < s.draws; i++)
        same += s.draw[i] == first[i];
    cr_expect_lt(same, 30, "%zu draws are at the same place; of two permutations that is 1 on average", same);
    sr_sequence_free(&s);
    sr_free(p);
}

Test(data_sequence, epochs_have_their_own_length) {
    static const struct {
        size_t epoch_rows, batches;
        enum sr_order order;
    } how[] = {
        {1, 1, SR_ORDER_SHUFFLED},        {256, 1, SR_ORDER_SHUFFLED}, {257, 1, SR_ORDER_SHUFFLED},
        {258, 2, SR_ORDER_BALANCED},      {513, 2, SR_ORDER_BALANCED}, {100000, 391, SR_ORDER_BALANCED},
        {100000, 391, SR_ORDER_SHUFFLED}, {100000, 3, SR_ORDER_FILE},  {0, 2, SR_ORDER_SHUFFLED},
    };
    struct problem *p = make_problem();
    for (size_t i = 0; i < SR_COUNT(how); i++) {
        struct sr_sequence s;
        struct sr_error err = {0};
        const struct sr_loader_options o = {
            .order = how[i].order, .batch = 256, .window = 256, .epoch_rows = how[i].epoch_rows};
        cr_assert_eq(sr_sequence_create(&s, p->label, NULL, p->rows, 513, &o, &err), 0, "%s", err.text);
        cr_expect_eq(s.draws, 513);
        cr_expect_eq(sr_sequence_batches(&s), how[i].batches, "%zu batches of %zu rows",
                     sr_sequence_batches(&s), how[i].epoch_rows);
        cr_expect_eq(sr_sequence_begin(&s, how[i].batches), s.epoch_rows);
        sr_sequence_free(&s);
    }
    sr_free(p);
}

/* 2^32 draws take 43 million rows of weight 100: too much to allocate in a test for the draws themselves, not
 * for the rows. */
Test(data_sequence, a_pass_of_too_many_draws_is_refused) {
    enum { MANY = 42949673 }; /* ceil(2^32 / 100) */
    uint32_t *rows = all_rows(MANY);
    uint8_t *copies = sr_alloc(MANY, 1, NULL);
    memset(copies, 100, MANY);
    struct sr_sequence s;
    struct sr_error err = {0};
    const struct sr_loader_options how = {.order = SR_ORDER_SHUFFLED, .batch = 64, .window = 1024};
    cr_expect_eq(sr_sequence_create(&s, NULL, copies, rows, MANY, &how, &err), SR_USAGE);
    cr_expect(strstr(err.text, "4294967300"), "%s", err.text);
    sr_sequence_free(&s);
    sr_free(copies);
    sr_free(rows);
}

Test(data_sequence, an_unknown_label_is_a_bug) {
    struct problem *p = make_problem();
    struct sr_sequence s;
    struct sr_error err = {0};
    const struct sr_loader_options how = {.order = SR_ORDER_BALANCED, .batch = 64, .window = 1024};
    p->label[0] = SR_UNKNOWN; /* does not take part */
    cr_expect_eq(sr_sequence_create(&s, p->label, NULL, p->rows, p->n, &how, &err), 0, "%s", err.text);
    sr_sequence_free(&s);
    p->label[p->rows[9]] = SR_UNKNOWN;
    cr_expect_eq(sr_sequence_create(&s, p->label, NULL, p->rows, p->n, &how, &err), SR_BUG);
    sr_sequence_free(&s);
    sr_free(p);
}
