/* test_data_parts.c: rows into training, calibration and test: shares, groups, seeds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/parts.h"
#include "tests/dump_fixture.h"

enum { ROWS = 6000 };

/* A set of columns only: nothing here reads features. Every fifth row is positive. */
struct columns {
    struct sr_data d;
    uint8_t label[ROWS], part[ROWS];
    int64_t group[ROWS];
    int32_t source[ROWS];
};

static struct columns *make_columns(size_t sources) {
    struct columns *c = sr_alloc(1, sizeof *c, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        c->label[i] = i % 5 == 0;
        c->source[i] = (int32_t)(i * sources / ROWS); /* in order, as files put together are */
        c->group[i] = (int64_t)i;
    }
    c->d = (struct sr_data){
        .rows = ROWS, .label = c->label, .source = c->source, .sources = sources, .group = c->group};
    return c;
}

static void choose(struct columns *c, uint64_t seed) {
    const struct sr_parting how = {.out = {"t", "c", "e"}, .fraction = {.7, .15, .15}, .seed = seed};
    struct sr_error err = {0};
    cr_assert_eq(sr_parts_choose(c->part, &c->d, &how, NULL, NULL, &err), 0, "%s", err.text);
}

static size_t rows_in(const struct columns *c, int part, size_t begin, size_t end) {
    size_t n = 0;
    for (size_t i = begin; i < end; i++)
        n += c->part[i] == part;
    return n;
}

/* With a source a row no source can have its share; the seed alone decides whose rows are taken. 1500 rows at
 * .15 are 225 with a deviation of 13 or less: 5 of them. */
Test(data_parts, rare_sources_are_drawn_from_the_whole_file) {
    struct columns *c = make_columns(ROWS);
    static uint8_t first[ROWS];
    choose(c, 1);
    memcpy(first, c->part, ROWS);
    for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++) {
        cr_expect_eq(rows_in(c, p, 0, ROWS), 900, "%s", sr_part_name(p));
        for (size_t i = 0; i < ROWS; i += 1500) {
            const size_t n = rows_in(c, p, i, i + 1500);
            cr_expect(n > 225 - 65 && n < 225 + 65, "%s: %zu rows from %zu on", sr_part_name(p), n, i);
        }
    }
    choose(c, 2);
    size_t same = 0; /* 900 * 900 / 6000 = 135 by chance, with a deviation of 10 */
    for (size_t i = 0; i < ROWS; i++)
        same += first[i] == SR_PART_CALIBRATION && c->part[i] == SR_PART_CALIBRATION;
    cr_expect(same > 85 && same < 185, "%zu of 900 calibration rows are those of the other seed", same);
    choose(c, 1);
    cr_expect_arr_eq(first, c->part, ROWS);
    sr_free(c);
}

static void expect_source_shares(const struct columns *c, double tolerance) {
    for (size_t s = 0; s < c->d.sources; s++)
        for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++) {
            size_t n = 0, all = 0;
            for (size_t i = 0; i < ROWS; i++) {
                n += c->source[i] == (int32_t)s && c->part[i] == p;
                all += c->source[i] == (int32_t)s;
            }
            cr_expect_float_eq((double)n, .15 * (double)all, tolerance, "%zu of source %zu in %s", n, s,
                               sr_part_name(p));
        }
}

/* A row or two of each of two labels, by rounding. */
Test(data_parts, sources_with_enough_rows_have_their_share) {
    struct columns *c = make_columns(7);
    choose(c, 3);
    expect_source_shares(c, 4);
    sr_free(c);
}

/* Pairs alone, of which one in five has a positive first row: with no row alone that could make up for them,
 * a pair or two of each of three sets of labels may go wrong. By chance it would be 14 rows of deviation. */
Test(data_parts, sources_of_twins_have_their_share) {
    for (uint64_t seed = 1; seed < 6; seed++) {
        struct columns *c = make_columns(7);
        for (size_t i = 0; i < ROWS; i++)
            c->group[i] = (int64_t)i / 2;
        choose(c, seed);
        expect_source_shares(c, 12);
        sr_free(c);
    }
}

/* Half of the rows are twins: groups of 2 to 6 rows, the rest alone. */
static void pair_up(struct columns *c) {
    for (size_t i = 0, size = 2; i + size < ROWS; size = size == 6 ? 2 : size + 1) {
        for (size_t k = 0; k < size; k++)
            c->group[i + k] = -(int64_t)i - 10;
        i += 2 * size; /* as many rows alone */
    }
}

static size_t twins_in(const struct columns *c, int part) {
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        n += c->group[i] < 0 && (part == SR_PARTS || c->part[i] == part);
    return n;
}

/* Whatever the number of sources, a part has as many twins as the whole: a part with fewer would be easier
 * than traffic. 15 % of 3000 are 450; a group more or less of each size and set of labels is allowed. */
Test(data_parts, every_part_has_its_share_of_twins) {
    const size_t sources[] = {1, 7, 300, ROWS};
    for (size_t s = 0; s < SR_COUNT(sources); s++) {
        struct columns *c = make_columns(sources[s]);
        pair_up(c);
        choose(c, 4);
        const double share = .15 * (double)twins_in(c, SR_PARTS);
        for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++) {
            cr_expect_float_eq((double)twins_in(c, p), share, 20, "%zu sources: %zu twins in %s, not %g",
                               sources[s], twins_in(c, p), sr_part_name(p), share);
            cr_expect_eq(rows_in(c, p, 0, ROWS), 900, "%zu sources: %zu rows in %s", sources[s],
                         rows_in(c, p, 0, ROWS), sr_part_name(p));
        }
        for (size_t i = 1; i < ROWS; i++)
            cr_expect(c->group[i] != c->group[i - 1] || c->part[i] == c->part[i - 1], "row %zu", i);
        sr_free(c);
    }
}

/* Random labels (unknown ones too), sources and groups: whatever comes, groups stay whole and no part but
 * training has more of a label than its share, rounded. */
Test(data_parts, no_part_has_more_than_its_share) {
    struct columns *c = make_columns(ROWS);
    for (uint64_t seed = 0; seed < 60; seed++) {
        const uint64_t sources = 1 + sr_random_below(seed, sr_stream(SR_STREAM_TEST, 0, 0), 0, seed * 40 + 1);
        const uint64_t groups = 1 + sr_random_below(seed, sr_stream(SR_STREAM_TEST, 1, 0), 0, ROWS);
        size_t all[256] = {0}, n[SR_PARTS][256] = {{0}};
        static uint8_t part_of[ROWS];
        for (size_t i = 0; i < ROWS; i++) {
            const uint64_t draw = sr_random_below(seed, sr_stream(SR_STREAM_TEST, 2, 0), i, 9);
            c->label[i] = draw == 0 ? SR_UNKNOWN : draw < 3;
            c->source[i] = (int32_t)sr_random_below(seed, sr_stream(SR_STREAM_TEST, 3, 0), i, sources);
            c->group[i] = (int64_t)sr_random_below(seed, sr_stream(SR_STREAM_TEST, 4, 0), i, groups);
            all[c->label[i]]++;
        }
        c->d.sources = sources;
        choose(c, seed);
        memset(part_of, SR_PARTS, sizeof part_of);
        for (size_t i = 0; i < ROWS; i++) {
            uint8_t *of = &part_of[c->group[i]];
            cr_assert(*of == SR_PARTS || *of == c->part[i], "seed %d, row %zu", (int)seed, i);
            *of = c->part[i];
            n[c->part[i]][c->label[i]]++;
        }
        const uint8_t labels[] = {0, 1, SR_UNKNOWN};
        for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++)
            for (size_t k = 0; k < SR_COUNT(labels); k++)
                cr_expect_leq((double)n[p][labels[k]], .15 * (double)all[labels[k]] + .5,
                              "seed %d: %zu of %zu", (int)seed, n[p][labels[k]], all[labels[k]]);
    }
    sr_free(c);
}

/* One group of most rows fits nowhere but in training. */
Test(data_parts, a_group_too_large_for_the_small_parts_is_trained_on) {
    struct columns *c = make_columns(3);
    for (size_t i = 0; i < ROWS / 2; i++)
        c->group[i] = -7;
    choose(c, 1);
    cr_expect_eq(rows_in(c, SR_PART_TRAIN, 0, ROWS / 2), ROWS / 2);
    cr_expect_eq(rows_in(c, SR_PART_CALIBRATION, 0, ROWS), 900);
    sr_free(c);
}
