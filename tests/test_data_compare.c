/* test_data_compare.c: two dumps row by row, against sums made one pair at a time; and the command.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/compare.h"
#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/router_fixture.h"
#include "tests/run_program.h"

enum { N_ROWS = 700, N_FEATURES = 24 };

static struct sr_error err;

static float normal(uint64_t stream, size_t i) {
    return (float)sr_random_normal(11, sr_stream(SR_STREAM_TEST, stream, 0), i);
}

/* What a test's dump holds; filled by make and changed before it is written. */
struct rows {
    size_t n;
    float x[N_ROWS][N_FEATURES];
    char *id[N_ROWS];
    float small_prob[N_ROWS], large_prob[N_ROWS];
    uint8_t gold[N_ROWS];
    bool bare;            /* written without what the guards and people say */
    float weight[N_ROWS]; /* written where the first is not 0 */
    const char *model;    /* feature_model, or NULL */
};

static struct rows *make(void) {
    struct rows *r = sr_alloc(1, sizeof *r, NULL);
    r->n = N_ROWS;
    for (size_t i = 0; i < N_ROWS; i++) {
        r->id[i] = sr_alloc(16, 1, NULL);
        snprintf(r->id[i], 16, "id-%zu", i);
        for (size_t k = 0; k < N_FEATURES; k++)
            r->x[i][k] = normal(1, i * N_FEATURES + k);
        r->small_prob[i] = (float)(i % 101) / 101; /* never .5 */
        r->large_prob[i] = (float)(i % 57) / 57;
        r->gold[i] = i % 3 == 0;
    }
    return r;
}

static void rows_free(struct rows *r) {
    for (size_t i = 0; i < N_ROWS; i++)
        sr_free(r->id[i]);
    sr_free(r);
}

/* Row i becomes row (i * 331) % N_ROWS of the file. */
static void permute(struct rows *r) {
    struct rows *from = sr_alloc(1, sizeof *from, NULL);
    *from = *r;
    for (size_t i = 0; i < N_ROWS; i++) {
        const size_t to = i * 331 % N_ROWS;
        memcpy(r->x[to], from->x[i], sizeof r->x[to]);
        r->id[to] = from->id[i];
        r->small_prob[to] = from->small_prob[i];
        r->large_prob[to] = from->large_prob[i];
        r->gold[to] = from->gold[i];
    }
    sr_free(from);
}

static const char *path_in(char path[256], const char *folder, const char *name) {
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static int write_opinions(const struct sr_h5 *f, const struct rows *r) {
    int status = sr_h5_write_column(f, "small_prob", SR_H5_WRITE_F32, r->small_prob, r->n, &err);
    if (status == 0)
        status = sr_h5_write_column(f, "large_prob", SR_H5_WRITE_F32, r->large_prob, r->n, &err);
    return status < 0 ? status : sr_h5_write_column(f, "gold", SR_H5_WRITE_U8, r->gold, r->n, &err);
}

static void write_rows(const char *folder, const char *name, const struct rows *r, enum sr_feature type) {
    const struct sr_h5_layout layout = {.type = type, .rows = r->n, .width = N_FEATURES};
    struct sr_h5 *f;
    char path[256];
    void *raw = sr_alloc(r->n * N_FEATURES, sizeof(float), NULL);
    sr_feature_from_float(raw, r->x[0], r->n * N_FEATURES, type);
    cr_assert_eq(sr_h5_create(&f, path_in(path, folder, name), path, &err), 0, "%s", err.text);
    int status = sr_h5_write_layout(f, "features", &layout, 256, &err);
    status = status < 0 ? status : sr_h5_write_rows(f, "features", raw, 0, r->n, N_FEATURES, &err);
    status = status < 0 ? status : sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, r->id, r->n, &err);
    if (status == 0 && !r->bare)
        status = write_opinions(f, r);
    if (status == 0 && r->weight[0] > 0)
        status = sr_h5_write_column(f, "weight", SR_H5_WRITE_F32, r->weight, r->n, &err);
    if (status == 0 && r->model)
        status = sr_h5_write_attribute(f, "/", "feature_model", r->model, &err);
    cr_assert_eq(status, 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    sr_free(raw);
}

static struct sr_data *open_in(const char *folder, const char *name) {
    char path[256];
    return open_paths(path_in(path, folder, name), NULL);
}

/* ---- pairs of rows ---- */

static void expect_pair(const struct sr_row_difference *got, const float *x, const float *y) {
    double ab = 0, aa = 0, bb = 0, apart = 0, largest = 0;
    for (size_t k = 0; k < N_FEATURES; k++) {
        ab += (double)x[k] * (double)y[k];
        aa += (double)x[k] * (double)x[k];
        bb += (double)y[k] * (double)y[k];
        apart += pow((double)x[k] - (double)y[k], 2);
        largest = fmax(largest, fabs((double)x[k] - (double)y[k]));
    }
    /* sums of 24 doubles in the same order; the others are rounded to float */
    cr_expect_float_eq(got->cosine, ab / sqrt(aa * bb), 1e-14);
    cr_expect_float_eq((double)got->length[0], sqrt(aa), 1e-6);
    cr_expect_float_eq((double)got->length[1], sqrt(bb), 1e-6);
    cr_expect_float_eq((double)got->relative, sqrt(apart / fmax(aa, bb)), 1e-6);
    cr_expect_float_eq((double)got->largest, largest, 1e-6);
    cr_expect_float_eq(fabs((double)x[got->column] - (double)y[got->column]), largest, 1e-6);
}

/* The rows of A in the order of the file, those of B elsewhere, some in one only: every pair is compared
 * once, with its own partner, whether all of B fits into memory or 256 rows at a time. */
Test(data_compare, every_row_meets_its_partner_in_any_memory) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t k = 0; k < N_FEATURES; k++)
            b->x[i][k] = 1.5f * a->x[i][k] + normal(2, i * N_FEATURES + k);
    a->n = N_ROWS - 30; /* the last rows of make are not in A, and ... */
    permute(b);
    b->n = N_ROWS - 100; /* ... others not in B */
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
    struct sr_data *d[2] = {open_in(folder, "a.h5"), open_in(folder, "b.h5")};
    const struct sr_data *const both[2] = {d[0], d[1]};
    struct sr_pairs p;
    cr_assert_eq(sr_pairs_make(&p, both, false, &err), 0, "%s", err.text);
    cr_expect_eq(p.n + p.only[0], N_ROWS - 30);
    cr_expect_eq(p.n + p.only[1], N_ROWS - 100);
    cr_expect_gt(p.only[0], 0);
    struct sr_row_difference *whole = sr_alloc(p.n, sizeof *whole, NULL),
                             *bands = sr_alloc(p.n, sizeof *bands, NULL);
    double unrelated[2];
    cr_assert_eq(sr_compare_features(whole, &unrelated[0], &p, both, (size_t)1 << 30, NULL, NULL, &err), 0);
    cr_assert_eq(sr_compare_features(bands, &unrelated[1], &p, both, 0, NULL, NULL, &err), 0);
    for (size_t i = 0; i < p.n; i++) {
        cr_assert_str_eq(d[0]->id[p.row[0][i]], d[1]->id[p.row[1][i]]);
        expect_pair(&whole[i], a->x[p.row[0][i]], b->x[p.row[1][i]]);
        cr_expect_eq(whole[i].cosine, bands[i].cosine);
        cr_expect(whole[i].relative == bands[i].relative && whole[i].column == bands[i].column);
    }
    cr_expect_eq(unrelated[0], unrelated[1]);
    cr_expect_lt(fabs(unrelated[0]), .3); /* rows of 24 random numbers; those of partners are all alike */
    sr_free(whole);
    sr_free(bands);
    sr_pairs_free(&p);
    sr_data_close(d[0]);
    sr_data_close(d[1]);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, a_summary_is_of_the_good_pairs) {
    struct sr_row_difference row[101];
    struct sr_feature_summary s;
    for (size_t i = 0; i < SR_COUNT(row); i++)
        row[i] = (struct sr_row_difference){
            .cosine = (double)i / 100, .length = {2, 4}, .relative = .5f, .largest = i == 40 ? 3 : 1};
    cr_assert_eq(sr_feature_summary_make(&s, row, SR_COUNT(row), (double)NAN, &err), 0);
    cr_expect_eq(s.n, 101);
    cr_expect_eq(s.cosine_min, 0);
    cr_expect_float_eq(s.cosine_1, .01, 1e-15);
    cr_expect_float_eq(s.cosine_50, .5, 1e-15);
    cr_expect_eq(s.largest_pair, 40);
    cr_expect(s.n_worst == SR_COSINE_WORST && s.worst[0] == 0 && s.worst[4] == 4);
    cr_expect_eq(s.ratio_50, 2);
    cr_expect_eq(s.scale, SR_SCALE_OTHER);
    row[0].bad = 2;
    row[1].bad = 3;
    row[2].cosine = .9;
    cr_assert_eq(sr_feature_summary_make(&s, row, SR_COUNT(row), (double)NAN, &err), 0);
    cr_expect(s.n == 99 && s.bad[2] == 1 && s.bad[3] == 1 && s.bad[1] == 0);
    cr_expect(s.cosine_min == .03 && s.worst[0] == 3);
}

static enum sr_scale scale_of(float (*length)(size_t i, int side)) {
    struct sr_row_difference row[200];
    struct sr_feature_summary s;
    for (size_t i = 0; i < SR_COUNT(row); i++)
        row[i] = (struct sr_row_difference){.cosine = .9999, .length = {length(i, 0), length(i, 1)}};
    cr_assert_eq(sr_feature_summary_make(&s, row, SR_COUNT(row), (double)NAN, &err), 0);
    return s.scale;
}

static float same(size_t i, int side) {
    return (float)(10 + i) * (side ? 1.005f : 1);
}
static float unit_b(size_t i, int side) {
    return side ? 1.002f : (float)(10 + i);
}
static float unit_a(size_t i, int side) {
    return unit_b(i, !side);
}
static float tripled(size_t i, int side) {
    return (float)(10 + i) * (side ? 3 : 1);
}
static float shortened(size_t i, int side) {
    return (float)(10 + i) * (side ? .9f : 1);
}
static float varying(size_t i, int side) {
    return side ? 5 : (float)(10 + i);
}
static float zero(size_t i, int side) {
    (void)i;
    (void)side;
    return 0;
}

Test(data_compare, scales_are_told_apart) {
    cr_expect_eq(scale_of(same), SR_SCALE_SAME);
    cr_expect_eq(scale_of(unit_b), SR_SCALE_UNIT_B);
    cr_expect_eq(scale_of(unit_a), SR_SCALE_UNIT_A);
    cr_expect_eq(scale_of(tripled), SR_SCALE_CONSTANT);
    cr_expect_eq(scale_of(shortened), SR_SCALE_CONSTANT);
    cr_expect_eq(scale_of(varying), SR_SCALE_VARIES);
    cr_expect_eq(scale_of(zero), SR_SCALE_NONE);
}

/* Where all rows look alike a cosine of .998 says nothing. */
Test(data_compare, rows_as_far_as_others_point_elsewhere) {
    struct sr_row_difference row[200];
    struct sr_feature_summary s;
    for (size_t i = 0; i < SR_COUNT(row); i++)
        row[i] = (struct sr_row_difference){.cosine = .998, .length = {1, 2}};
    cr_assert_eq(sr_feature_summary_make(&s, row, SR_COUNT(row), .9981, &err), 0);
    cr_expect_eq(s.scale, SR_SCALE_OTHER);
    cr_assert_eq(sr_feature_summary_make(&s, row, SR_COUNT(row), .2, &err), 0);
    cr_expect_eq(s.scale, SR_SCALE_UNIT_A);
}

/* ---- the command ---- */

static struct sr_json *compare_json(const char *folder, const char *more) {
    struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5 --json %s", folder, folder, more);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out);
    run_end(&r);
    return o;
}

static const char *verdict_of(const struct sr_json *o) {
    return sr_json_as_string(sr_json_get(sr_json_get(o, "verdict"), "verdict"));
}

static void expect_verdict(const char *folder, const struct rows *a, enum sr_feature type_a,
                           const struct rows *b, enum sr_feature type_b, const char *verdict) {
    write_rows(folder, "a.h5", a, type_a);
    write_rows(folder, "b.h5", b, type_b);
    struct sr_json *o = compare_json(folder, "");
    cr_expect_str_eq(verdict_of(o), verdict);
    cr_expect_eq(sr_json_size(sr_json_get(sr_json_get(o, "verdict"), "reasons")) > 0,
                 strcmp(verdict, "differ") == 0);
    sr_json_free(o);
}

Test(data_compare, the_verdict_follows_its_rule) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    permute(b);
    expect_verdict(folder, a, SR_FEATURE_FLOAT, b, SR_FEATURE_FLOAT, "same");
    expect_verdict(folder, a, SR_FEATURE_FLOAT, b, SR_FEATURE_HALF, "rounding");
    expect_verdict(folder, a, SR_FEATURE_HALF, b, SR_FEATURE_BFLOAT, "rounding");
    b->small_prob[7] += 5e-4f;
    expect_verdict(folder, a, SR_FEATURE_FLOAT, b, SR_FEATURE_FLOAT, "rounding");
    b->small_prob[7] += 2e-3f;
    expect_verdict(folder, a, SR_FEATURE_FLOAT, b, SR_FEATURE_FLOAT, "differ");
    b->small_prob[7] -= 2.5e-3f;
    /* 2^-9 of a row is beyond float16's rounding of two numbers, 2^-10 */
    for (size_t k = 0; k < N_FEATURES; k++)
        b->x[9][k] *= 1 + 0x1p-9f;
    expect_verdict(folder, a, SR_FEATURE_HALF, b, SR_FEATURE_HALF, "differ");
    expect_verdict(folder, a, SR_FEATURE_HALF, b, SR_FEATURE_BFLOAT, "rounding");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, changes_of_columns_are_counted_and_named) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    b->small_prob[3] = .75f;  /* from 3/101: safe to unsafe */
    b->small_prob[90] = .25f; /* from 90/101 */
    b->gold[4] = 1;
    permute(b);
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
    struct sr_json *o = compare_json(folder, "");
    cr_expect_eq(number(o, "columns.small_verdict.to_one"), 1);
    cr_expect_eq(number(o, "columns.small_verdict.to_zero"), 1);
    cr_expect_eq(number(o, "columns.small_prob.rows"), N_ROWS);
    cr_expect_eq(number(o, "columns.small_prob.largest.row"), 3);
    cr_expect_float_eq(number(o, "columns.small_prob.largest.value"), .75 - 3. / 101, 1e-7);
    cr_expect_float_eq(number(o, "columns.small_prob.mean_change"),
                       (.75 - 3. / 101 + 90. / 101 - .25) / N_ROWS, 1e-9);
    cr_expect_eq(number(o, "columns.gold.to_one"), 1);
    cr_expect_eq(number(o, "columns.large_verdict.to_one"), 0);
    sr_json_free(o);
    struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5", folder, folder);
    expect_in(r.out, "\nsmall_verdict      2 of 700 change: 1 to unsafe, 1 to safe\n");
    expect_in(r.out, "at most, row 3 (id-3)\n");
    expect_in(r.out, "\nlarge_prob         the same in all 700 rows that have it in both\n");
    expect_in(r.out, "\nverdict            differ: small_prob is off by up to 0.72; ");
    run_end(&r);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, the_gate_says_no_with_status_1) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t k = 0; k < N_FEATURES; k++)
        b->x[5][k] = -b->x[5][k];
    b->small_prob[3] = .75f;
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
    static const struct {
        const char *gate;
        int status;
        const char *word;
    } cases[] = {{"", 0, ""},
                 {"--min-cosine -1", 0, ""},
                 {"--min-cosine 0.5", 1, "-1 is below 0.5"},
                 {"--max-flips 1", 0, ""},
                 {"--max-flips 0", 1, "1 rows have another"}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5 %s", folder, folder, cases[i].gate);
        cr_expect_eq(r.status, cases[i].status, "%s: %d", cases[i].gate, r.status);
        expect_in(r.err, cases[i].word);
        expect_in(r.out, "\nlowest_cosines     -1.000000 row 5 (id-5)\n");
        run_end(&r);
    }
    b->x[8][2] = NAN;
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
    struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5 --min-cosine -1", folder, folder);
    cr_expect_eq(r.status, 1);
    expect_in(r.err, "have no cosine; 0 in A alone, 1 in B alone, 0 in both");
    expect_in(
        r.out,
        "\nbad_rows           NaN or infinity: 0 in A alone, 1 in B alone, 0 in both (0 of them the same)\n");
    run_end(&r);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

/* What the command says of a.h5 and b.h5, and its status. */
static void expect_compared(const char *folder, const char *more, int status, const char *out,
                            const char *message) {
    struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5 %s", folder, folder, more);
    cr_expect_eq(r.status, status, "%s: %d %s", more, r.status, r.err);
    expect_in(r.out, out);
    expect_in(r.err, message);
    run_end(&r);
}

static void write_both(const char *folder, const struct rows *a, const struct rows *b) {
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
}

/* Rounding of cosines must not make a dump another than itself. */
Test(data_compare, a_dump_holds_every_gate_against_itself) {
    char *folder = folder_begin();
    struct rows *a = make();
    write_both(folder, a, a);
    expect_compared(folder, "--min-cosine 1 --max-flips 0 --max-missing 0", 0,
                    "\nverdict            the same: every number is, as float32\n", "");
    rows_free(a);
    folder_end(folder);
}

Test(data_compare, rows_bad_in_both_are_the_same_only_by_their_bits) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        a->x[i][3] = b->x[i][3] = NAN;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nverdict            the same: ", "");
    expect_compared(folder, "--min-cosine -1", 1, " 700 in both (700 of them the same)\n",
                    "0 in A alone, 0 in B alone, 700 in both");
    b->x[9][4] = 7;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nverdict            differ: 1 rows have a NaN or an infinity in both ",
                    "");
    for (size_t i = 0; i < N_ROWS; i++)
        b->x[i][3] = INFINITY;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "differ: 700 rows have a NaN or an infinity in both dumps and are not",
                    "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, what_one_dump_does_not_know_is_a_difference) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    b->small_prob[5] = b->small_prob[6] = NAN;
    write_both(folder, a, b);
    expect_compared(folder, "", 0,
                    "\nsmall_prob         the same in all 698 rows that have it in both; 2 known", "");
    expect_compared(folder, "", 0, "\nverdict            differ: 2 values of small_prob are known in one ",
                    "");
    expect_compared(folder, "--max-flips 1", 1, "none of 698 changes; 2 known in one only\n", "2 rows have");
    b->bare = true;
    write_both(folder, a, b);
    expect_compared(folder, "--min-cosine 1", 0, "\nsmall_prob         in A only\n", "");
    expect_compared(folder, "", 0, "\nverdict            differ: in A only: label, gold, small_prob, ", "");
    expect_compared(folder, "--max-flips 700", 1, "", "nothing was compared");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, rows_in_one_dump_only_fail_a_gate) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    b->n = N_ROWS - 3;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nverdict            differ: 3 rows are in one dump only\n", "");
    expect_compared(folder, "", 0, "\nrows_in_both       the same: every number is, as float32 of 697 rows\n",
                    "");
    expect_compared(folder, "--max-flips 0", 1, "", "3 rows are in A only, 0 in B only");
    expect_compared(folder, "--min-cosine .5", 1, "", "--max-missing does not hold");
    expect_compared(folder, "--max-missing 2", 1, "", "--max-missing does not hold");
    expect_compared(folder, "--min-cosine 1 --max-flips 0 --max-missing 3", 0, "", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, weights_and_the_contract_are_compared_too) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        a->weight[i] = b->weight[i] = 2;
    a->model = b->model = "guard";
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nweight             none of 700 changes\n", "");
    expect_compared(folder, "", 0, "\ncontract           3 keys the same, 7 unknown to both\n", "");
    b->weight[4] = 3;
    b->model = "another";
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nweight             1 of 700 change, the first is row 4 (id-4)\n", "");
    expect_compared(folder, "", 0, "\nfeature_model      guard -> another\n", "");
    expect_compared(folder, "", 0, "\nverdict            differ: 1 weights change\n", "");
    expect_compared(folder, "", 0, "\nbut_contract       1 key of the contract differs\n", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, by_number_ids_that_do_not_agree_are_said) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    snprintf(b->id[8], 16, "stranger");
    write_both(folder, a, b);
    expect_compared(folder, "--by-row", 0, "\nother_ids          1 pairs ", "");
    expect_compared(folder, "--by-row", 0, "(stranger)", "");
    expect_compared(folder, "--by-row", 0, "differ: 1 pairs of rows have ids that are not the same\n", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

/* Numbers below 2^-14 are rounded to multiples of 2^-24 as float16, however short the row is. */
Test(data_compare, rounding_of_the_smallest_float16_is_rounding) {
    char *folder = folder_begin();
    struct rows *a = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t k = 0; k < N_FEATURES; k++)
            a->x[i][k] *= 0x1p-20f;
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", a, SR_FEATURE_HALF);
    expect_compared(folder, "", 0, "\nverdict            the same to rounding\n", "");
    a->x[11][2] += 0x1p-20f;
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    expect_compared(folder, "", 0, "\nverdict            differ: ", "");
    rows_free(a);
    folder_end(folder);
}

/* Rows of a list of files are named as they are in theirs. */
Test(data_compare, of_several_files_a_row_is_named_with_its_file) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < 20; i++)
        snprintf(b->id[i], 16, "other-%zu", i);
    b->n = 20;
    b->small_prob[4] = .9f;
    write_both(folder, a, b);
    struct run r = run_program(folder, "data compare %s/a.h5,%s/b.h5 %s/a.h5", folder, folder, folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "\nonly_a             20, the first is row 700 (other-0; row 0 of ");
    run_end(&r);
    snprintf(b->id[7], 16, "id-3");
    write_both(folder, a, b);
    r = run_program(folder, "data compare %s/a.h5,%s/b.h5 %s/a.h5", folder, folder, folder);
    cr_expect_eq(r.status, 65);
    expect_in(r.err, "/b.h5: row 7: the id \"id-3\" is there twice, first in row 3 of ");
    run_end(&r);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, long_ids_keep_their_ends) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (int side = 0; side < 2; side++) {
            char **id = &(side ? b : a)->id[i];
            sr_free(*id);
            *id = sr_alloc(80, 1, NULL);
            snprintf(*id, 80, "a-path-that-all-of-the-rows-have-in-common/and/more/row-%zu", i);
        }
    b->small_prob[431] += .4f;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "(a-path-that-...", "");
    expect_compared(folder, "", 0, "/row-431)", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, the_number_of_threads_changes_nothing) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t k = 0; k < N_FEATURES; k++)
            b->x[i][k] += .1f * normal(4, i * N_FEATURES + k);
    permute(b);
    write_both(folder, a, b);
    struct run one = run_program(folder, "data compare %s/a.h5 %s/b.h5 --json --threads 1", folder, folder);
    struct run three =
        run_program(folder, "data compare %s/a.h5 %s/b.h5 --json --threads 3 --memory 0", folder, folder);
    cr_expect_eq(one.status, 0, "%s", one.err);
    cr_expect_str_eq(one.out, three.out);
    run_end(&one);
    run_end(&three);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

/* The decision on one row, by the library that ships. */
static struct saferoute_decision decide(const struct sr_router *router, const float *x) {
    struct saferoute_decision decision;
    const struct saferoute_rows row = {
        .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = N_FEATURES};
    saferoute_decide(sr_router_shipped(router), &decision, &row, NULL);
    return decision;
}

static bool is_out(struct saferoute_decision decision) {
    return decision.reason == SAFEROUTE_REASON_OUT_OF_RANGE;
}

Test(data_compare, decisions_that_flip_are_those_of_the_router) {
    char *folder = folder_begin(), weights[256], more[320];
    struct rows *a = make(), *b = make();
    struct network n;
    network_begin(&n, (const size_t[]){N_FEATURES, 8, 1}, 2, 2);
    network_write(&n, path_in(weights, folder, "w.safetensors"));
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t k = 0; k < N_FEATURES; k++)
            b->x[i][k] = (i % 50 == 0 ? 9 : 1) * b->x[i][k] + .3f * normal(3, i * N_FEATURES + k);
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
    struct sr_router *router;
    cr_assert_eq(sr_router_open(&router, weights, &err), 0, "%s", err.text);
    size_t to_large = 0, to_small = 0, out[2] = {0};
    double largest = 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        const struct saferoute_decision one = decide(router, a->x[i]), other = decide(router, b->x[i]);
        const bool large[2] = {is_out(one) || one.prob > .5f, is_out(other) || other.prob > .5f};
        out[0] += is_out(one);
        out[1] += is_out(other);
        to_large += !large[0] && large[1];
        to_small += large[0] && !large[1];
        largest = fmax(largest, fabs((double)one.prob - (double)other.prob));
    }
    cr_assert(to_large > 0 && to_small > 0 && out[1] > out[0]);
    sr_router_close(router);
    snprintf(more, sizeof more, "--model %s --threshold 0.5", weights);
    struct sr_json *o = compare_json(folder, more);
    const struct sr_json *beyond = sr_json_get(sr_json_get(o, "router"), "out_of_range");
    for (size_t side = 0; side < 2; side++) {
        double rows = -1;
        cr_expect(sr_json_as_number(sr_json_at(beyond, side), &rows));
        cr_expect_eq(rows, (double)out[side]);
    }
    cr_expect_eq(number(o, "router.decision.to_one"), (double)to_large);
    cr_expect_eq(number(o, "router.decision.to_zero"), (double)to_small);
    cr_expect_float_eq(number(o, "router.prob.largest.value"), largest, 1e-7);
    cr_expect_eq(number(o, "verdict.flips"), (double)(to_large + to_small));
    sr_json_free(o);
    network_end(&n);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, what_cannot_be_joined_is_refused) {
    char *folder = folder_begin(), half[2048], full[2048], other[2048];
    fixture_paths(half, "half");
    fixture_paths(full, "full");
    fixture_paths(other, "full_other_sources");
    expect_failure(run_program(folder, "data compare"), 2, "two dumps are needed");
    expect_failure(run_program(folder, "data compare %s", half), 2, "two dumps are needed");
    expect_failure(run_program(folder, "data compare %s %s", full, half), 65, "no dataset /id");
    expect_failure(run_program(folder, "data compare %s %s --by-row --threshold .5", half, half), 2,
                   "--model names the router");
    expect_failure(run_program(folder, "data compare %s %s --max-flips -1", half, half), 2, "--max-flips: ");
    expect_failure(run_program(folder, "data compare %s %s", full, other), 65, "no id in common");
    expect_failure(run_program(folder, "data compare %s /nowhere.h5", half), 66, "/nowhere.h5");
    struct rows *a = make();
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    expect_failure(run_program(folder, "data compare %s/a.h5 %s --by-row", folder, half), 65, "700 rows");
    snprintf(a->id[9], 16, "id-3");
    write_rows(folder, "b.h5", a, SR_FEATURE_FLOAT);
    expect_failure(run_program(folder, "data compare %s/a.h5 %s/b.h5", folder, folder), 65, "id-3");
    rows_free(a);
    folder_end(folder);
}

Test(data_compare, of_two_widths_the_columns_are_compared) {
    char *folder = folder_begin(), half[2048], wide[2048];
    struct run r = run_program(folder, "data compare %s %s --by-row", fixture_paths(half, "half"),
                               fixture_paths(wide, "bad_width"));
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, ": features cannot be compared\n");
    expect_in(r.out, "\nlabel              none of 12 changes\n");
    expect_in(r.out, "\nverdict            differ: rows of ");
    run_end(&r);
    folder_end(folder);
}
