/* test_train_other_data.c: a run goes on only with the data that it began with, whichever value of it
 * changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "data/sketch.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

enum { ROWS = 2500, WIDTH = 8, CHANGED = 1 }; /* a data_id looks at 1024 rows of 2500, not at row 1 */

#define TRAINS "--hidden 4 --dropout 0 --batch 64 --epochs 2 --threads 1"

/* The least significant bit of the first feature of a row, in the file itself. */
static void change_bit(const char *path, size_t row) {
    struct sr_data *d = open_paths(path, &(struct sr_data_options){.one_file = true, .label_optional = true});
    float *x = all_features(d);
    uint16_t half[WIDTH];
    struct stat st;
    sr_vec()->float_to_half(half, x + row * WIDTH, WIDTH);
    sr_data_close(d);
    sr_free(x);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(file >= 0 && fstat(file, &st) == 0);
    const size_t n = (size_t)st.st_size;
    unsigned char *bytes = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    cr_assert_neq(bytes, MAP_FAILED);
    unsigned char *at = memmem(bytes, n, half, sizeof half);
    cr_assert_not_null(at, "%s: row %zu is not there", path, row);
    *at ^= 1;
    munmap(bytes, n);
    close(file);
}

/* In the folder, whose dumps are train.h5 and val.h5. */
static struct run train(const char *folder, const char *run, const char *more) {
    return run_program(folder, "train --train %s/train.h5 --val %s/val.h5 --out %s/%s " TRAINS " %s", folder,
                       folder, folder, run, more);
}

static void expect_status(struct run r, int status) {
    cr_assert_eq(r.status, status, "%d: %s", r.status, r.err);
    run_end(&r);
}

static char *runs_begin(void) {
    char *folder = folder_begin();
    expect_status(run_program(folder, "data synth --out %s/train.h5 --rows 2500 --width 8 --seed 1", folder),
                  0);
    expect_status(run_program(folder, "data synth --out %s/val.h5 --rows 2500 --width 8 --seed 2", folder),
                  0);
    expect_status(train(folder, "stopped", "--max-minutes 1e-6"), 75);
    expect_status(train(folder, "done", ""), 0);
    return folder;
}

static void expect_refused(const char *which) {
    char *folder = runs_begin(), path[256];
    snprintf(path, sizeof path, "%s/%s", folder, which);
    change_bit(path, CHANGED);
    expect_failure(run_program(folder, "train --resume %s/stopped", folder), 2, "the features, ");
    expect_failure(train(folder, "done", "--resume auto"), 2, "the features, ");
    change_bit(path, CHANGED); /* as it was */
    expect_status(run_program(folder, "train --resume %s/stopped --max-minutes 0", folder), 0);
    expect_status(train(folder, "done", "--resume auto"), 0);
    folder_end(folder);
}

Test(train_other_data, one_bit_of_a_training_row) {
    expect_refused("train.h5");
}

Test(train_other_data, one_bit_of_a_validation_row) {
    expect_refused("val.h5");
}

/* ---- the hash ---- */

Test(train_other_data, every_bit_of_a_row_counts) {
    enum { WIDE = 259, BITS = 32 * WIDE };
    static float x[WIDE];
    static uint64_t hash[BITS + 1];
    for (size_t k = 0; k < WIDE; k++)
        x[k] = (float)sr_random_normal(3, sr_stream(SR_STREAM_TEST, 2, 0), k);
    for (size_t i = 0; i <= BITS; i++) { /* the last one: as it is */
        uint32_t bits, bit = (uint32_t)1 << (i % 32);
        memcpy(&bits, &x[i / 32 % WIDE], sizeof bits);
        bits ^= i < BITS ? bit : 0;
        float *at = &x[i / 32 % WIDE], kept = *at;
        memcpy(at, &bits, sizeof bits);
        hash[i] = sr_row_bits(x, WIDE);
        *at = kept;
    }
    for (size_t i = 0; i < BITS; i++)
        cr_expect_neq(hash[i], hash[BITS], "bit %zu", i);
    cr_expect_eq(sr_row_bits(x, WIDE), hash[BITS]);
    cr_expect_neq(sr_row_bits(x, WIDE - 1), hash[BITS]);
}
