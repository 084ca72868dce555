/* test_data_reader.c: what is read when: each band once where two windows hold them all, and ahead of its
 * use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/reader.h"
#include "data/set.h"
#include "tests/dump_fixture.h"

enum { WIDTH = 24, ROWS = 2500, BANDS = 10, PASSES = 5 };

struct streamed {
    char path[64];
    struct sr_data *d;
    uint32_t *rows;
    unsigned char *all; /* raw features, as sr_set_read gives them */
    struct sr_sequence s;
    struct sr_reader *r;
};

static void open_streamed(struct streamed *t, enum sr_order order, size_t window) {
    struct sr_error err = {0};
    const struct sr_loader_options how = {.order = order, .seed = 3, .batch = 64, .window = window};
    t->d = open_paths(make_synth(t->path, ROWS, WIDTH, 1), NULL);
    t->rows = all_rows(ROWS);
    t->all = sr_alloc(ROWS, t->d->in->row_bytes, NULL);
    cr_assert_eq(sr_set_read(t->d, t->all, 0, ROWS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_sequence_create(&t->s, t->d->label, NULL, t->rows, ROWS, &how, &err), 0, "%s", err.text);
    cr_assert_eq(sr_reader_create(&t->r, t->d, &t->s, &err), 0, "%s", err.text);
}

static void close_streamed(struct streamed *t) {
    sr_reader_free(t->r);
    sr_sequence_free(&t->s);
    sr_free(t->all);
    sr_free(t->rows);
    sr_data_close(t->d);
    unlink(t->path);
}

/* Every row of the window is what the file has; then the window goes. Returns how many bands had been read
 * when it was there. */
static uint64_t use_window(struct streamed *t, size_t window) {
    const size_t size = t->d->in->row_bytes;
    struct sr_error err = {0};
    cr_assert_eq(sr_reader_need(t->r, &err), 0, "%s", err.text);
    const uint64_t bands = sr_reader_bands(t->r);
    for (size_t i = t->s.window_begin[window]; i < t->s.window_begin[window + 1]; i++)
        cr_assert_arr_eq(sr_reader_row(t->r, t->s.draw[i]), t->all + t->s.draw[i] * size, size, "row %u",
                         t->s.draw[i]);
    sr_reader_release(t->r);
    return bands;
}

static void use_passes(struct streamed *t) {
    sr_reader_seek(t->r, 0, 0);
    for (uint64_t pass = 0; pass < PASSES; pass++) {
        sr_sequence_start(&t->s, pass);
        for (size_t w = 0; w < t->s.windows; w++)
            use_window(t, w);
    }
}

Test(data_reader, bands_that_two_windows_hold_are_read_once) {
    static const size_t window[] = {ROWS, 5 * SR_BAND_ROWS, 7 * SR_BAND_ROWS};
    for (size_t i = 0; i < SR_COUNT(window); i++) {
        struct streamed t;
        open_streamed(&t, i % 2 ? SR_ORDER_SHUFFLED : SR_ORDER_BALANCED, window[i]);
        use_passes(&t);
        cr_expect_eq(sr_reader_bands(t.r), BANDS, "window %zu: %llu bands were read", window[i],
                     (unsigned long long)sr_reader_bands(t.r));
        close_streamed(&t);
    }
}

/* More windows than two: what is there when a pass begins is not read again, and nothing more often than once
 * a pass. The two windows ahead belong to the next pass. */
Test(data_reader, other_bands_are_read_once_a_pass) {
    struct streamed t;
    open_streamed(&t, SR_ORDER_SHUFFLED, 3 * SR_BAND_ROWS);
    cr_assert_eq(t.s.windows, 4);
    use_passes(&t);
    cr_expect_leq(sr_reader_bands(t.r), PASSES * BANDS + 2 * 3);
    cr_expect_gt(sr_reader_bands(t.r), BANDS, "all of it can hardly be in memory");
    close_streamed(&t);
}

/* Nobody asks for the next pass, and yet some of it is read. Whether the thread reads ahead depends on who is
 * faster, so the user takes a millisecond for each window, and one pass of many is enough. */
Test(data_reader, the_next_pass_is_read_before_it_is_needed) {
    struct streamed t;
    bool seen = false;
    open_streamed(&t, SR_ORDER_SHUFFLED, SR_BAND_ROWS);
    sr_reader_seek(t.r, 0, 0);
    for (uint64_t pass = 0; pass < 50 && !seen; pass++) {
        uint64_t read = 0;
        sr_sequence_start(&t.s, pass);
        for (size_t w = 0; w < t.s.windows; w++) {
            usleep(1000);
            read = use_window(&t, w);
        }
        for (int i = 0; i < 200 && !seen; i++) {
            usleep(1000);
            seen = sr_reader_bands(t.r) > read;
        }
    }
    cr_expect(seen, "50 passes began without a band in memory");
    close_streamed(&t);
}

/* infer and eval read a file once. */
Test(data_reader, file_order_ends_with_the_file) {
    struct streamed t;
    open_streamed(&t, SR_ORDER_FILE, 0);
    cr_assert_eq(t.s.windows, 2);
    use_passes(&t); /* but goes on where a second pass is wanted */
    cr_expect_eq(sr_reader_bands(t.r), BANDS);
    close_streamed(&t);
}

Test(data_reader, the_bands_of_a_pass_are_those_of_the_sequence) {
    struct streamed t;
    open_streamed(&t, SR_ORDER_SHUFFLED, 3 * SR_BAND_ROWS);
    for (uint64_t pass = 0; pass < PASSES; pass++) {
        uint32_t band[BANDS];
        sr_sequence_bands(&t.s, pass, band);
        sr_sequence_start(&t.s, pass);
        for (size_t place = 0; place < BANDS; place++)
            cr_assert_eq(band[place], sr_sequence_band(&t.s, place));
    }
    close_streamed(&t);
}
