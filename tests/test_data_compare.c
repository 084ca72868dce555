/* test_data_compare.c: two dumps row by row, against sums made one pair at a time; and the command.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/compare.h"
#include "tests/compare_dump.h"
#include "tests/router_fixture.h"

static struct sr_error err;

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
    struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5 %s", folder, folder, more);
    expect_in(r.out, "\nthreshold          0.5 (given)\n");
    run_end(&r);
    r = run_program(folder, "data compare %s/a.h5 %s/b.h5 --model %s", folder, folder, weights);
    expect_in(r.out, "\nthreshold          0.6 (the weights have none: the default)\n");
    run_end(&r);
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
