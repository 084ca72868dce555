/* threads_loader.c: the loader's reading thread, for ThreadSanitizer: features in one piece, in compressed
 * chunks and over several files give the bits of features kept in memory; stopped, sought, freed and failing
 * at any moment.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/data.h"
#include "data/repack.h"
#include "tests/threads.h"

enum { WIDTH = 96, FILES = 3, ROWS_MOST = 3000, EPOCHS = 3, BATCH = 100 };

static char folder[] = "/tmp/sr_threads_XXXXXX";

/* ---- files ---- */

static const char *path_of(char path[128], const char *form, int number) {
    snprintf(path, 128, "%s/%s%d.h5", folder, form, number);
    return path;
}

static void write_files(void) {
    static const size_t rows[FILES] = {ROWS_MOST, 77, 1203};
    for (int i = 0; i < FILES; i++) {
        const struct sr_synth synth = {.rows = rows[i], .width = WIDTH, .seed = (uint64_t)i + 1, .world = 1};
        const struct sr_repack packed = {.type = SR_CONVERT_KEEP, .gzip = 1, .band = 64, .chunked = true};
        struct sr_error err = {0};
        const struct sr_data_options names = {0};
        struct sr_repacked done;
        char plain[128], chunked[128];
        MUST(sr_synth_write(path_of(plain, "plain", i), &synth, &err) == 0, "%s", err.text);
        MUST(sr_repack_write(&done, path_of(chunked, "gzip", i), plain, &packed, &names, NULL, NULL, &err) ==
                 0,
             "%s", err.text);
    }
}

static void remove_files(void) {
    static const char *const forms[] = {"plain", "gzip", "broken"};
    char path[128];
    for (size_t f = 0; f < SR_COUNT(forms); f++)
        for (int i = 0; i < FILES; i++)
            unlink(path_of(path, forms[f], i));
    rmdir(folder);
}

/* What is read, by name: "plain0", or a list. */
static const char *const sets[] = {"plain0", "gzip0", "plain0,plain1,plain2", "gzip0,plain1,gzip2"};

static struct sr_data *open_set(const char *names) {
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    char text[64], paths[512] = "", *rest = text;
    snprintf(text, sizeof text, "%s", names);
    for (char *name; (name = strsep(&rest, ","));) {
        const size_t used = strlen(paths);
        snprintf(paths + used, sizeof paths - used, "%s%s/%s.h5", used ? "," : "", folder, name);
    }
    MUST(sr_data_open(&d, paths, NULL, &err) == 0, "%s", err.text);
    return d;
}

/* ---- loaders ---- */

/* A loader of all rows of a set. */
struct reading {
    struct sr_data *d;
    uint32_t *rows;
    struct sr_loader *loader;
};

static void loader_begin(struct reading *r, struct sr_data *d, enum sr_order order, size_t window) {
    const struct sr_loader_options how = {.order = order, .seed = 7, .batch = BATCH, .window = window};
    struct sr_error err = {0};
    *r = (struct reading){.d = d, .rows = sr_alloc(d->rows, sizeof *r->rows, NULL)};
    MUST(r->rows, "no memory");
    for (size_t i = 0; i < d->rows; i++)
        r->rows[i] = (uint32_t)i;
    MUST(sr_loader_create(&r->loader, d, r->rows, d->rows, &how, &err) == 0, "%s", err.text);
}

static void loader_end(struct reading *r) {
    sr_loader_free(r->loader);
    sr_free(r->rows);
}

static void start(struct reading *r, uint64_t epoch, size_t first) {
    struct sr_error err = {0};
    MUST(sr_loader_start(r->loader, epoch, first, &err) == 0, "%s", err.text);
}

static bool next(struct reading *r, struct sr_batch *b) {
    struct sr_error err = {0};
    const int got = sr_loader_next(r->loader, b, &err);
    MUST(got >= 0, "%s", err.text);
    return got > 0;
}

static bool is_same(const struct sr_batch *a, const struct sr_batch *b) {
    return a->rows == b->rows && memcmp(a->row, b->row, a->rows * sizeof *a->row) == 0 &&
           memcmp(a->y, b->y, a->rows) == 0 && memcmp(a->x, b->x, a->rows * WIDTH * sizeof *a->x) == 0;
}

/* Both from where they stand to the end of the epoch. */
static void expect_same_rest(struct reading *kept, struct reading *streamed) {
    struct sr_batch a, b;
    while (next(kept, &a)) {
        const bool more = next(streamed, &b);
        CHECK(more && is_same(&a, &b), "the batch of row %u is another", a.row[0]);
        if (!more)
            return;
    }
    CHECK(!next(streamed, &b), "more batches than there are");
}

/* Data and loaders, the features kept and streamed. */
struct pair {
    struct sr_data *kept_data, *streamed_data;
    struct reading kept, streamed;
};

static void pair_begin(struct pair *p, const char *set, enum sr_order order, size_t window) {
    struct sr_error err = {0};
    p->kept_data = open_set(set);
    p->streamed_data = open_set(set);
    MUST(sr_data_keep(p->kept_data, SIZE_MAX, &err) == 0, "%s", err.text);
    CHECK(sr_data_kept(p->kept_data) && !sr_data_kept(p->streamed_data), "%s", set);
    loader_begin(&p->kept, p->kept_data, order, window);
    loader_begin(&p->streamed, p->streamed_data, order, window);
}

static void pair_end(struct pair *p) {
    loader_end(&p->kept);
    loader_end(&p->streamed);
    sr_data_close(p->kept_data);
    sr_data_close(p->streamed_data);
}

/* ---- cases ---- */

static void streamed_is_kept(void) {
    static const size_t windows[] = {256, 700, 100000};
    for (size_t s = 0; s < SR_COUNT(sets); s++)
        for (size_t w = 0; w < SR_COUNT(windows); w++) {
            struct pair p;
            pair_begin(&p, sets[s], w == 1 ? SR_ORDER_SHUFFLED : SR_ORDER_BALANCED, windows[w]);
            for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
                start(&p.kept, epoch, 0);
                start(&p.streamed, epoch, 0);
                expect_same_rest(&p.kept, &p.streamed);
            }
            pair_end(&p);
        }
}

/* The thread is caught at other stages of reading each time. */
static void sought_while_it_reads(void) {
    for (size_t s = 0; s < SR_COUNT(sets); s++) {
        struct pair p;
        pair_begin(&p, sets[s], SR_ORDER_BALANCED, 256);
        for (uint64_t turn = 0; turn < 24; turn++) {
            struct sr_batch a, b;
            start(&p.streamed, turn, turn % 10);
            usleep((useconds_t)(100 * turn));
            start(&p.streamed, turn + 1, turn % 7);
            start(&p.kept, turn + 1, turn % 7);
            CHECK(next(&p.streamed, &b) && next(&p.kept, &a) && is_same(&a, &b), "turn %d of %s", (int)turn,
                  sets[s]);
        }
        pair_end(&p);
    }
}

/* Never started, just started, in the middle, at the end. */
static void freed_at_any_moment(void) {
    for (size_t s = 0; s < SR_COUNT(sets); s++)
        for (size_t turn = 0; turn < 16; turn++) {
            struct sr_data *d = open_set(sets[s]);
            struct reading r;
            struct sr_batch b;
            loader_begin(&r, d, SR_ORDER_BALANCED, 256);
            if (turn % 4 > 0)
                start(&r, turn, 0);
            for (size_t i = 0; turn % 4 > 1 && i < turn; i++)
                CHECK(next(&r, &b), "the epoch ends before batch %zu", i);
            usleep((useconds_t)(150 * turn));
            loader_end(&r);
            sr_data_close(d);
        }
}

/* By turns, as train and validation have it: both threads read at once. */
static void two_loaders_on_one_data(void) {
    for (size_t s = 0; s < SR_COUNT(sets); s++) {
        struct pair p;
        struct reading other_kept, other_streamed;
        struct sr_batch a, b;
        pair_begin(&p, sets[s], SR_ORDER_BALANCED, 256);
        loader_begin(&other_kept, p.kept_data, SR_ORDER_FILE, 0);
        loader_begin(&other_streamed, p.streamed_data, SR_ORDER_FILE, 0);
        start(&p.kept, 0, 0);
        start(&p.streamed, 0, 0);
        start(&other_kept, 0, 0);
        start(&other_streamed, 0, 0);
        while (next(&p.kept, &a)) {
            CHECK(next(&p.streamed, &b) && is_same(&a, &b), "%s, the first loader", sets[s]);
            if (!next(&other_kept, &a))
                break;
            CHECK(next(&other_streamed, &b) && is_same(&a, &b), "%s, the second loader", sets[s]);
        }
        loader_end(&other_kept);
        loader_end(&other_streamed);
        pair_end(&p);
    }
}

/* Sets of their own in threads of their own, over the same files: HDF5 has one lock for the whole process. */
static void read_alone(size_t number, void *shared) {
    struct pair p;
    (void)shared;
    pair_begin(&p, sets[number % SR_COUNT(sets)], SR_ORDER_SHUFFLED, 512);
    start(&p.kept, number, 0);
    start(&p.streamed, number, 0);
    expect_same_rest(&p.kept, &p.streamed);
    pair_end(&p);
}

static void sets_in_threads(void) {
    threads_run(4, read_alone, NULL);
}

/* ---- files that end while they are read ---- */

static void copy_file(const char *to, const char *from) {
    void *bytes;
    size_t size;
    struct sr_error err = {0};
    MUST(sr_file_read(&bytes, &size, from, (size_t)1 << 26, &err) == 0, "%s", err.text);
    MUST(sr_atomic_file_write(to, bytes, size, &err) == 0, "%s", err.text);
    sr_free(bytes);
}

/* The file is cut after `cut` batches: at once an error or none where the rest is in memory, and no other
 * rows. */
static void read_cut_file(const char *form, size_t cut) {
    char whole[128], broken[128];
    struct sr_data *d, *good;
    struct reading r, want;
    struct sr_batch a, b;
    struct sr_error err = {0};
    int got = 1;
    copy_file(path_of(broken, "broken", 0), path_of(whole, form, 0));
    d = open_set("broken0");
    good = open_set("plain0");
    loader_begin(&r, d, SR_ORDER_SHUFFLED, 256);
    loader_begin(&want, good, SR_ORDER_SHUFFLED, 256);
    start(&r, 0, 0);
    start(&want, 0, 0);
    for (size_t i = 0; got > 0 && next(&want, &a); i++) {
        struct stat is;
        if (i == cut)
            MUST(stat(broken, &is) == 0 && truncate(broken, is.st_size / 3) == 0, "%s", broken);
        got = sr_loader_next(r.loader, &b, &err);
        CHECK(got < 0 || (got > 0 && is_same(&a, &b)), "%s, batch %zu: other rows", form, i);
    }
    CHECK(got < 0 && strstr(err.text, "broken0.h5"), "%s, cut at %zu: %d, %s", form, cut, got, err.text);
    CHECK(sr_loader_next(r.loader, &b, &err) == got, "the failure does not last");
    CHECK(sr_loader_start(r.loader, 0, 0, &err) == 0, "%s", err.text); /* and is tried again */
    loader_end(&r);
    loader_end(&want);
    sr_data_close(d);
    sr_data_close(good);
}

static void cut_while_it_reads(void) {
    for (size_t cut = 0; cut < 8; cut += 2) {
        read_cut_file("plain", cut);
        read_cut_file("gzip", cut);
    }
}

static const struct threads_case cases[] = {
    {"streamed features have the bits of those kept in memory", streamed_is_kept},
    {"the reading thread is sent elsewhere while it reads", sought_while_it_reads},
    {"loaders are freed at any moment", freed_at_any_moment},
    {"two loaders on one data", two_loaders_on_one_data},
    {"sets of their own in threads of their own", sets_in_threads},
    {"files that end while they are read", cut_while_it_reads},
};

int main(void) {
    MUST(mkdtemp(folder), "%s", folder);
    write_files();
    const int status = threads_cases(cases, SR_COUNT(cases));
    remove_files();
    return status;
}
