/* test_data_loader.c: batches: the same bits kept or streamed, from any batch on, in bounded memory.
 *
 * SPDX-License-Identifier: MIT
 */

#include "tests/dump_fixture.h"

enum { WIDTH = 24 };

/* Three files of odd sizes, none a multiple of a band. */
static struct sr_data *open_three(char paths[3][64], const char **all) {
    static char list[256];
    make_synth(paths[0], 1501, WIDTH, 11);
    make_synth(paths[1], 77, WIDTH, 12);
    make_synth(paths[2], 1203, WIDTH, 13);
    snprintf(list, sizeof list, "%s,%s,%s", paths[0], paths[1], paths[2]);
    if (all)
        *all = list;
    return open_paths(list, NULL);
}

static void remove_three(char paths[3][64]) {
    for (int i = 0; i < 3; i++)
        unlink(paths[i]);
}

/* Rows with holes: a stretch of two bands and every fifth row are missing. */
static size_t holes(uint32_t *rows, size_t n) {
    size_t used = 0;
    for (uint32_t i = 0; i < n; i++)
        if (i % 5 != 2 && (i < 600 || i >= 1200))
            rows[used++] = i;
    return used;
}

static struct sr_loader *make_loader_of(struct sr_data *d, const uint32_t *rows, size_t n,
                                        struct sr_loader_options how) {
    struct sr_loader *l;
    struct sr_error err = {0};
    cr_assert_eq(sr_loader_create(&l, d, rows, n, &how, &err), 0, "%s", err.text);
    return l;
}

static struct sr_loader *make_loader(struct sr_data *d, const uint32_t *rows, size_t n, enum sr_order order,
                                     size_t batch, size_t window) {
    return make_loader_of(
        d, rows, n, (struct sr_loader_options){.order = order, .seed = 42, .batch = batch, .window = window});
}

static int start(struct sr_loader *l, uint64_t epoch, size_t first) {
    struct sr_error err = {0};
    int status = sr_loader_start(l, epoch, first, &err);
    cr_assert_eq(status, 0, "%s", err.text);
    return status;
}

static bool next(struct sr_loader *l, struct sr_batch *b) {
    struct sr_error err = {0};
    int got = sr_loader_next(l, b, &err);
    cr_assert_geq(got, 0, "%s", err.text);
    return got;
}

static void expect_same_batch(const struct sr_batch *a, const struct sr_batch *b, size_t width) {
    cr_assert_eq(a->rows, b->rows);
    cr_assert_arr_eq(a->row, b->row, a->rows * sizeof *a->row);
    cr_assert_arr_eq(a->y, b->y, a->rows);
    cr_assert_eq(!a->weight, !b->weight);
    if (a->weight)
        cr_assert_arr_eq(a->weight, b->weight, a->rows * sizeof *a->weight);
    cr_assert_arr_eq(a->x, b->x, a->rows * width * sizeof *a->x);
}

Test(data_loader, streamed_and_kept_are_the_same_bits) {
    char paths[3][64];
    const char *list;
    struct sr_error err = {0};
    struct sr_data *streamed = open_three(paths, &list), *kept = open_paths(list, NULL);
    cr_assert_eq(sr_data_keep(kept, SIZE_MAX, &err), 0, "%s", err.text);
    cr_expect_not(sr_data_kept(streamed));
    uint32_t *rows = all_rows(kept->rows);
    static const size_t window[] = {1, 300, 1024, 32768}, batch[] = {256, 700, 37};
    for (size_t w = 0; w < SR_COUNT(window); w++)
        for (size_t k = 0; k < SR_COUNT(batch); k++)
            for (int with_holes = 0; with_holes < 2; with_holes++) {
                size_t n = with_holes ? holes(rows, kept->rows) : kept->rows;
                enum sr_order order = w == 1 && k == 1 ? SR_ORDER_FILE : SR_ORDER_BALANCED;
                struct sr_loader *a = make_loader(kept, rows, n, order, batch[k], window[w]);
                struct sr_loader *b = make_loader(streamed, rows, n, order, batch[k], window[w]);
                for (uint64_t epoch = 0; epoch < 3; epoch++) {
                    struct sr_batch x, y;
                    size_t batches = 0, draws = 0;
                    start(a, epoch, 0);
                    start(b, epoch, 0);
                    for (; next(a, &x); batches++, draws += x.rows) {
                        cr_assert(next(b, &y));
                        expect_same_batch(&x, &y, kept->width);
                    }
                    cr_assert_not(next(b, &y));
                    cr_assert_eq(batches, sr_loader_batches(a));
                    cr_assert_eq(draws, n);
                }
                sr_loader_free(a);
                sr_loader_free(b);
                for (uint32_t i = 0; i < kept->rows; i++)
                    rows[i] = i;
            }
    sr_free(rows);
    sr_data_close(streamed);
    sr_data_close(kept);
    remove_three(paths);
}

Test(data_loader, batches_hold_the_rows_they_name) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    float *x = all_features(d);
    struct sr_loader *l = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 256, 700);
    struct sr_batch b;
    start(l, 1, 0);
    while (next(l, &b))
        for (size_t i = 0; i < b.rows; i++) {
            cr_assert_eq(b.y[i], d->label[b.row[i]]);
            cr_assert_arr_eq(b.x + i * WIDTH, x + b.row[i] * WIDTH, WIDTH * sizeof *x);
        }
    sr_loader_free(l);
    sr_free(x);
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, starting_at_a_batch_is_skipping_to_it) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    struct sr_loader *from_start = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 100, 512);
    struct sr_loader *sought = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 100, 512);
    size_t batches = sr_loader_batches(sought);
    for (size_t first = 0; first <= batches; first += 5) {
        struct sr_batch a, b;
        start(from_start, 6, 0);
        for (size_t i = 0; i < first; i++)
            cr_assert(next(from_start, &a));
        start(sought, 6, first);
        while (next(from_start, &a)) {
            cr_assert(next(sought, &b));
            expect_same_batch(&a, &b, d->width);
        }
        cr_assert_not(next(sought, &b));
    }
    struct sr_error err = {0};
    cr_expect_eq(sr_loader_start(sought, 0, batches + 1, &err), SR_BUG);
    sr_loader_free(from_start);
    sr_loader_free(sought);
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, same_bits_for_any_thread_count) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    struct sr_loader *a = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 256, 512);
    struct sr_loader *b = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 256, 512);
    struct sr_batch x, y;
    start(a, 0, 0);
    start(b, 0, 0);
    for (;;) {
        sr_cpu_threads(1);
        bool more = next(a, &x);
        sr_cpu_threads(3);
        cr_assert_eq(next(b, &y), more);
        if (!more)
            break;
        expect_same_batch(&x, &y, d->width);
    }
    sr_loader_free(a);
    sr_loader_free(b);
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, left_in_the_middle_and_freed_without_a_start) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    struct sr_batch b;
    for (int i = 0; i < 20; i++) {
        struct sr_loader *l = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 256, 512);
        cr_expect_not(next(l, &b), "nothing before a start");
        for (uint64_t epoch = 0; epoch < (uint64_t)i % 4; epoch++) {
            start(l, epoch, 0);
            cr_expect(next(l, &b));
        }
        sr_loader_free(l);
    }
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

/* The thread is caught at every stage of reading an epoch's windows when the next begins. */
Test(data_loader, restarted_while_it_reads) {
    char path[64];
    struct sr_data *d = open_paths(make_synth(path, 4000, 1024, 1), NULL);
    uint32_t *rows = all_rows(d->rows);
    float *x = all_features(d);
    struct sr_loader *l = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 256, 1024);
    struct sr_batch b;
    for (uint64_t epoch = 0; epoch < 200; epoch++) {
        start(l, epoch, epoch % 10);
        usleep((useconds_t)(20 * epoch));
        start(l, epoch + 1, epoch % 7);
        cr_assert(next(l, &b));
        for (size_t i = 0; i < b.rows; i++)
            cr_assert_arr_eq(b.x + i * d->width, x + b.row[i] * d->width, d->width * sizeof *x, "row %u",
                             b.row[i]);
    }
    sr_loader_free(l);
    sr_free(x);
    sr_free(rows);
    sr_data_close(d);
    unlink(path);
}

/* Streamed, over windows, passes and epochs that end in the middle of either. */
Test(data_loader, a_step_allocates_nothing) {
    static const enum sr_order order[] = {SR_ORDER_BALANCED, SR_ORDER_SHUFFLED};
    static const size_t length[] = {0, 700, 6000};
    static const int64_t weight[] = {1, 4, 2};
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    float shift[WIDTH] = {1}, scale[WIDTH] = {2};
    for (size_t i = 0; i < SR_COUNT(order) * SR_COUNT(length); i++) {
        struct sr_loader *l = make_loader_of(d, rows, d->rows,
                                             (struct sr_loader_options){.order = order[i % 2],
                                                                        .seed = 42,
                                                                        .batch = 256,
                                                                        .window = 512,
                                                                        .epoch_rows = length[i / 2],
                                                                        .file_weight = weight,
                                                                        .shift = shift,
                                                                        .scale = scale});
        struct sr_batch b;
        uint64_t before = sr_alloc_count();
        for (uint64_t epoch = 0; epoch < 10; epoch++)
            for (start(l, epoch, 0); next(l, &b);)
                ;
        cr_expect_eq(sr_alloc_count(), before);
        sr_loader_free(l);
    }
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, several_loaders_by_turns) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    struct sr_loader *train = make_loader(d, rows, d->rows, SR_ORDER_BALANCED, 64, 256);
    struct sr_loader *val = make_loader(d, rows, 900, SR_ORDER_FILE, 64, 0);
    struct sr_batch b;
    start(train, 0, 0);
    for (size_t step = 0; next(train, &b); step++) {
        size_t seen = 0;
        if (step % 10 != 0)
            continue;
        for (start(val, 0, 0); next(val, &b); seen += b.rows)
            ;
        cr_expect_eq(seen, 900);
    }
    cr_expect_geq(sr_loader_waited(train), 0);
    sr_loader_free(train);
    sr_loader_free(val);
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, rows_beyond_the_data_are_a_bug) {
    struct sr_data *d = open_fixture("half", NULL);
    struct sr_loader *l = NULL;
    struct sr_error err = {0};
    const uint32_t rows[] = {3, 12};
    struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 4};
    cr_expect_eq(sr_loader_create(&l, d, rows, 2, &how, &err), SR_BUG);
    cr_expect_null(l);
    sr_data_close(d);
}

/* Of its own process, as every Criterion test is, so the peak is this test's. */
Test(data_loader, memory_holds_about_two_windows) {
    if (*SR_SANITIZE)
        cr_skip_test("a sanitizer's own memory hides the loader's");
    char path[64];
    const size_t n = 40000, width = 2048, file = n * width * 2; /* 164 MB */
    struct sr_data *d = open_paths(make_synth(path, n, width, 1), NULL);
    struct sr_error err = {0};
    struct sr_batch b;
    cr_assert_eq(sr_data_keep(d, (size_t)64 << 20, &err), 0, "%s", err.text);
    cr_expect_not(sr_data_kept(d));
    uint32_t *rows = all_rows(n);
    struct sr_scan scan;
    cr_assert_eq(sr_data_scan(d, &scan, NULL, NULL, &err), 0, "%s", err.text);
    sr_scan_free(&scan);
    struct sr_loader *l = make_loader(d, rows, n, SR_ORDER_BALANCED, 256, 2048);
    size_t draws = 0;
    for (start(l, 0, 0); next(l, &b); draws += b.rows)
        ;
    cr_expect_eq(draws, n);
    /* two windows of 8 MB, a scan's 13 MB, a batch of 2 MB, the program and its libraries */
    cr_expect_lt(sr_memory_peak(), file / 2, "%zu bytes at the peak for a file of %zu", sr_memory_peak(),
                 file);
    sr_loader_free(l);
    sr_free(rows);
    sr_data_close(d);
    unlink(path);
}

/* One row a band and a band a window: a third of the windows have no draw. Bands have 4 MB and steps take as
 * long as parts of reading one, so that the thread is caught reading what is passed over. */
Test(data_loader, windows_without_draws_are_passed_over) {
    enum { BANDS = 12, WIDE = 8192 };
    char path[64];
    struct sr_data *d = open_paths(make_synth(path, BANDS * 256, WIDE, 1), NULL);
    struct sr_batch b;
    uint32_t rows[BANDS];
    float *x = sr_alloc(BANDS, WIDE * sizeof *x, NULL);
    for (uint32_t i = 0; i < BANDS; i++) {
        rows[i] = i * 256 + i;
        d->label[rows[i]] = i % 2;
    }
    struct sr_loader *l = make_loader(d, rows, BANDS, SR_ORDER_FILE, BANDS, 0);
    start(l, 0, 0);
    cr_assert(next(l, &b));
    memcpy(x, b.x, BANDS * WIDE * sizeof *x);
    sr_loader_free(l);
    l = make_loader(d, rows, BANDS, SR_ORDER_BALANCED, 1, 256);
    for (uint64_t epoch = 0; epoch < 100; epoch++)
        for (start(l, epoch, 0); next(l, &b); usleep((useconds_t)(epoch % 10 * 40)))
            for (size_t i = 0; i < b.rows; i++)
                cr_assert_eq(memcmp(b.x + i * WIDE, x + b.row[i] / 256 * WIDE, WIDE * sizeof *x), 0,
                             "row %u of epoch %llu", b.row[i], (unsigned long long)epoch);
    sr_loader_free(l);
    sr_free(x);
    sr_data_close(d);
    unlink(path);
}

static void weigh_rows(struct sr_data *d) {
    d->weight = sr_alloc(d->rows, sizeof *d->weight, NULL);
    for (size_t i = 0; i < d->rows; i++)
        d->weight[i] = (float)(i % 7) / 2;
}

/* Everything at once: weights of files and rows, normalized, epochs shorter and longer than a pass. */
Test(data_loader, epochs_are_the_same_bits_kept_or_streamed_and_from_any_batch) {
    enum { EPOCHS = 4 };
    static const size_t length[] = {333, 8000}; /* a balanced pass has 2781 draws, a shuffled one 4215 */
    static const int64_t weight[] = {1, 4, 2};
    char paths[3][64];
    const char *list;
    struct sr_error err = {0};
    struct sr_data *streamed = open_three(paths, &list), *kept = open_paths(list, NULL);
    cr_assert_eq(sr_data_keep(kept, SIZE_MAX, &err), 0, "%s", err.text);
    weigh_rows(streamed);
    weigh_rows(kept);
    uint32_t *rows = all_rows(kept->rows);
    float shift[WIDTH], scale[WIDTH];
    for (size_t k = 0; k < WIDTH; k++) {
        shift[k] = (float)k / 3;
        scale[k] = 1 + (float)k / 5;
    }
    for (size_t i = 0; i < 4; i++) {
        const struct sr_loader_options how = {.order = i / 2 ? SR_ORDER_SHUFFLED : SR_ORDER_BALANCED,
                                              .seed = 42,
                                              .batch = 100,
                                              .window = 512,
                                              .epoch_rows = length[i % 2],
                                              .file_weight = weight,
                                              .shift = shift,
                                              .scale = scale};
        struct sr_loader *through = make_loader_of(kept, rows, kept->rows, how);
        struct sr_loader *sought = make_loader_of(streamed, rows, kept->rows, how);
        for (uint64_t e = EPOCHS; e-- > 0;) /* backwards, so that nothing is there already */
            for (size_t first = 0; first < sr_loader_batches(sought); first += 41) {
                struct sr_batch a, b;
                start(through, e, 0);
                for (size_t skip = 0; skip < first; skip++)
                    cr_assert(next(through, &a));
                for (start(sought, e, first); next(sought, &b);) {
                    cr_assert(next(through, &a));
                    expect_same_batch(&a, &b, WIDTH);
                }
                cr_assert_not(next(through, &a));
            }
        sr_loader_free(through);
        sr_loader_free(sought);
    }
    sr_free(rows);
    sr_data_close(streamed);
    sr_data_close(kept);
    remove_three(paths);
}

Test(data_loader, short_epochs_of_a_shuffled_pass_repeat_no_row) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows), *seen = sr_alloc(d->rows, sizeof *seen, NULL);
    const struct sr_loader_options how = {
        .order = SR_ORDER_SHUFFLED, .seed = 42, .batch = 64, .window = 512, .epoch_rows = 309};
    struct sr_loader *l = make_loader_of(d, rows, d->rows, how);
    struct sr_batch b;
    for (uint64_t epoch = 0; epoch < 27; epoch++) /* 2781 rows are 9 epochs: three passes */
        for (start(l, epoch, 0); next(l, &b);)
            for (size_t i = 0; i < b.rows; i++)
                cr_assert_eq(seen[b.row[i]]++, epoch / 9, "row %u in epoch %llu", b.row[i],
                             (unsigned long long)epoch);
    for (size_t i = 0; i < d->rows; i++)
        cr_assert_eq(seen[i], 3);
    sr_loader_free(l);
    sr_free(seen);
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, epochs_of_one_row_over_end_in_a_batch_of_one_more) {
    char paths[3][64];
    struct sr_data *d = open_three(paths, NULL);
    uint32_t *rows = all_rows(d->rows);
    struct sr_loader_options how = {
        .order = SR_ORDER_SHUFFLED, .seed = 42, .batch = 100, .window = 512, .epoch_rows = 401};
    struct sr_loader *l = make_loader_of(d, rows, d->rows, how);
    struct sr_batch b;
    for (uint64_t epoch = 0; epoch < 20; epoch++) { /* the border of two passes falls in several of them */
        size_t batches = 0;
        for (start(l, epoch, 0); next(l, &b); batches++)
            cr_assert_eq(b.rows, batches == 3 ? 101 : 100);
        cr_assert_eq(batches, 4);
    }
    cr_expect_eq(sr_loader_batches(l), 4);
    cr_expect_eq(sr_loader_rows(l), 401);
    sr_loader_free(l);
    sr_free(rows);
    sr_data_close(d);
    remove_three(paths);
}

Test(data_loader, an_epoch_out_of_range_is_refused) {
    struct sr_data *d = open_fixture("half", NULL);
    uint32_t *rows = all_rows(d->rows);
    const struct sr_loader_options how = {
        .order = SR_ORDER_SHUFFLED, .batch = 4, .window = 256, .epoch_rows = 1000};
    struct sr_loader *l = make_loader_of(d, rows, d->rows, how);
    struct sr_error err = {0};
    struct sr_batch b;
    cr_expect_eq(sr_loader_start(l, UINT64_MAX, 0, &err), SR_USAGE);
    cr_expect_eq(sr_loader_start(l, UINT64_MAX / 1000, 0, &err), SR_USAGE);
    start(l, UINT64_MAX / 1000 - 1, 0);
    cr_expect(next(l, &b));
    sr_loader_free(l);
    sr_free(rows);
    sr_data_close(d);
}

Test(data_loader, unknown_labels_pass_in_file_order_and_are_a_bug_in_balanced) {
    struct sr_data *d = open_fixture("half", NULL);
    uint32_t *rows = all_rows(d->rows);
    d->label[7] = SR_UNKNOWN;
    struct sr_loader *l = make_loader(d, rows, d->rows, SR_ORDER_FILE, 12, 0);
    struct sr_batch b;
    start(l, 0, 0);
    cr_assert(next(l, &b));
    cr_expect_arr_eq(b.y, d->label, d->rows);
    cr_expect_eq(b.y[7], SR_UNKNOWN);
    sr_loader_free(l);
    struct sr_error err = {0};
    struct sr_loader_options how = {.order = SR_ORDER_BALANCED, .batch = 4, .window = 256};
    cr_expect_eq(sr_loader_create(&l, d, rows, d->rows, &how, &err), SR_BUG);
    cr_expect(strstr(err.text, "row 7"), "%s", err.text);
    sr_free(rows);
    sr_data_close(d);
}

Test(data_loader, a_shift_needs_a_scale) {
    struct sr_data *d = open_fixture("half", NULL);
    uint32_t *rows = all_rows(d->rows);
    const float column[FIXTURE_WIDTH] = {0};
    struct sr_loader *l = NULL;
    struct sr_error err = {0};
    struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 4, .shift = column};
    cr_expect_eq(sr_loader_create(&l, d, rows, d->rows, &how, &err), SR_BUG);
    how = (struct sr_loader_options){.order = SR_ORDER_FILE, .batch = 4, .scale = column};
    cr_expect_eq(sr_loader_create(&l, d, rows, d->rows, &how, &err), SR_BUG);
    sr_free(rows);
    sr_data_close(d);
}

/* The compressed chunks of half_chunked.h5, of zlib's level 4, begin with the bytes 78 5e. */
static size_t spoil_chunks(unsigned char *bytes, size_t size) {
    size_t chunks = 0;
    for (size_t i = 0; i + 6 < size; i++)
        if (bytes[i] == 0x78 && bytes[i + 1] == 0x5e) {
            memset(bytes + i, 0xff, 6);
            chunks++;
        }
    return chunks;
}

static void write_bytes(const char *path, const void *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    cr_assert(f);
    cr_assert_eq(fwrite(bytes, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

/* Storage that comes back, say: what failed is not remembered. */
Test(data_loader, a_start_after_a_failure_reads_again) {
    unsigned char good[16384], bad[sizeof good];
    char text[2048], path[64];
    FILE *f = fopen(fixture_paths(text, "half_chunked"), "rb");
    cr_assert(f);
    const size_t size = fread(good, 1, sizeof good, f);
    cr_assert_lt(size, sizeof good);
    fclose(f);
    memcpy(bad, good, size);
    cr_assert_gt(spoil_chunks(bad, size), 0);
    snprintf(path, sizeof path, "/tmp/sr_test_%d_again.h5", (int)getpid());
    write_bytes(path, bad, size);
    struct sr_data *d = open_paths(path, NULL);
    uint32_t *rows = all_rows(d->rows);
    struct sr_loader *l = make_loader(d, rows, d->rows, SR_ORDER_FILE, 5, 0);
    struct sr_batch b;
    struct sr_error err = {0};
    start(l, 0, 0);
    cr_expect_eq(sr_loader_next(l, &b, &err), SR_DATA);
    cr_expect_eq(sr_loader_next(l, &b, &err), SR_DATA, "not before the next start");
    write_bytes(path, good, size);
    start(l, 0, 0);
    cr_assert(next(l, &b));
    cr_expect_eq(b.x[FIXTURE_WIDTH], fixture_value(1, 0));
    sr_loader_free(l);
    sr_free(rows);
    sr_data_close(d);
    unlink(path);
}
