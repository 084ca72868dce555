/* test_data_amplification.c: bytes read for bytes wanted, of layouts that are known.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/amplification.h"
#include "data/dump_facts.h"
#include "tests/dump_fixture.h"

static struct sr_h5_info matrix(uint64_t rows, uint64_t width, size_t item) {
    return (struct sr_h5_info){.size = item, .rank = 2, .shape = {rows, width, 1, 1}};
}

static struct sr_h5_storage chunks(uint64_t rows, uint64_t columns) {
    return (struct sr_h5_storage){.kind = SR_H5_CHUNKS, .chunk = {rows, columns, 1, 1}};
}

/* What h5py made of 100,000 rows of 2,048 float16 values. */
Test(data_amplification, chunks_that_cut_columns_cost_all_their_rows) {
    const struct sr_h5_info info = matrix(100000, 2048, 2);
    const struct sr_h5_storage s = chunks(782, 32);
    const struct sr_amplification a = sr_amplification_of(&info, &s, 1);
    cr_expect_eq(a.chunks, 64);
    cr_expect_eq(a.wanted, 4096);
    cr_expect_eq(a.bytes, 64. * 782 * 32 * 2);
    cr_expect_eq(a.ratio, 782);
}

/* Chunks of every band, counted one by one; widths that chunks do not divide, last bands that are short. */
Test(data_amplification, bands_are_counted_where_they_lie) {
    static const uint64_t shapes[][4] = {{1000, 48, 100, 48}, {1000, 48, 256, 20}, {5000, 7, 1, 7},
                                         {700, 16, 4096, 16}, {256, 16, 64, 16},   {10000, 33, 300, 32},
                                         {999, 10, 1000, 3}};
    for (size_t i = 0; i < SR_COUNT(shapes); i++) {
        const uint64_t *s = shapes[i], bands = (s[0] + 255) / 256, across = (s[1] + s[3] - 1) / s[3];
        const struct sr_h5_info info = matrix(s[0], s[1], 4);
        const struct sr_h5_storage storage = chunks(s[2], s[3]);
        const struct sr_amplification a = sr_amplification_of(&info, &storage, 256);
        double touched = 0;
        for (uint64_t first = 0; first < s[0]; first += 256)
            for (uint64_t c = 0; c * s[2] < s[0]; c++)
                touched += c * s[2] < first + 256 && (c + 1) * s[2] > first;
        cr_expect_float_eq(a.chunks, touched * (double)across / (double)bands, 1e-9, "layout %zu", i);
        cr_expect_float_eq(a.ratio, a.bytes / a.wanted, 1e-12);
        cr_expect_float_eq(a.wanted * (double)bands, (double)(s[0] * s[1] * 4), 1e-6);
    }
}

Test(data_amplification, one_piece_costs_what_is_wanted) {
    const struct sr_h5_info info = matrix(1000, 48, 2);
    const struct sr_h5_storage s = {.kind = SR_H5_ONE_PIECE, .chunk = {1000, 48, 1, 1}};
    for (uint64_t band = 1; band <= 256; band += 255) {
        const struct sr_amplification a = sr_amplification_of(&info, &s, band);
        cr_expect(a.ratio == 1 && a.chunks == 0 && a.bytes == a.wanted);
    }
}

/* A chunk that HDF5's cache does not hold is not read whole, unless a filter is to be undone. */
Test(data_amplification, of_a_huge_plain_chunk_a_part_is_read) {
    const struct sr_h5_info info = matrix(400000, 2048, 2);
    struct sr_h5_storage s = chunks(400000, 2048);
    struct sr_amplification a = sr_amplification_of(&info, &s, 256);
    cr_expect(a.ratio == 1 && !a.is_kept);
    s.filtered = true;
    a = sr_amplification_of(&info, &s, 256);
    cr_expect_gt(a.ratio, 1500);
    cr_expect_not(a.is_kept);
}

/* A strip of chunks that is kept serves all bands, if it has all rows. */
Test(data_amplification, one_strip_with_all_rows_is_kept) {
    const struct sr_h5_info info = matrix(20000, 2048, 2);
    const struct sr_h5_storage one = chunks(20000, 32), two = chunks(19999, 32);
    cr_expect(sr_amplification_of(&info, &one, 256).is_kept);
    cr_expect_not(sr_amplification_of(&info, &two, 256).is_kept);
}

/* Numbers that a file may claim. */
Test(data_amplification, a_huge_claim_is_a_number_and_takes_no_time) {
    const struct sr_h5_info info = matrix(UINT32_MAX, 65536, 8);
    struct sr_h5_storage s = chunks(UINT64_MAX, 1);
    s.filtered = true;
    const struct sr_amplification a = sr_amplification_of(&info, &s, 256);
    cr_expect_eq(a.chunks, 65536);
    cr_expect(a.ratio > 1e9 && a.ratio < 1e300);
}

Test(data_amplification, storage_is_read_from_the_file) {
    struct sr_h5 *f;
    struct sr_h5_storage s;
    struct sr_error err;
    char text[2048];
    cr_assert_eq(sr_h5_open(&f, fixture_paths(text, "half_chunked"), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_storage(f, "features", &s, &err), 0, "%s", err.text);
    cr_expect_eq(s.kind, SR_H5_CHUNKS);
    cr_expect(s.chunk[0] > 0 && s.chunk[1] > 0 && s.bytes > 0);
    cr_expect_eq(sr_h5_storage(f, "none", &s, &err), SR_DATA);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, fixture_paths(text, "half"), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_storage(f, "features", &s, &err), 0, "%s", err.text);
    cr_expect(s.kind == SR_H5_ONE_PIECE && s.chunk[0] == 12 && s.chunk[1] == 8 && s.bytes == 192);
    cr_expect_str_empty(s.filters);
    sr_h5_close(f, NULL);
}

Test(data_amplification, sizes_are_said_in_three_digits) {
    static const struct {
        double bytes;
        const char *text;
    } cases[] = {{0, "0 bytes"},       {999, "999 bytes"}, {1000, "1.00 kB"},  {4096, "4.10 kB"},
                 {9994, "9.99 kB"},    {9996, "10.0 kB"},  {999400, "999 kB"}, {999600, "1.00 MB"},
                 {1048576, "1.05 MB"}, {3.2e9, "3.20 GB"}, {4e18, "4000 PB"}};
    char text[SR_SIZE_TEXT];
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        cr_expect_str_eq(sr_size_text(text, cases[i].bytes), cases[i].text);
}
