/* test_trust_changing.c: a file that somebody changes between two looks at it. pread is defined here, in the
 * executable, so that the linker finds it first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/syscall.h>

#include "data/h5.h"
#include "tests/hostile.h"

enum { ROWS = 16384, SIZE = 16 }; /* more than HDF5 keeps of a file */

static int reads; /* of the whole column; < 0: not counted */

ssize_t pread(int file, void *to, size_t n, off_t at);
ssize_t pread64(int file, void *to, size_t n, off_t at);

/* The second time the column is full of other bytes. */
ssize_t pread(int file, void *to, size_t n, off_t at) {
    const ssize_t got = (ssize_t)syscall(SYS_pread64, file, to, n, at);
    if (reads >= 0 && n >= (size_t)ROWS * SIZE && ++reads == 2)
        memset(to, 'b', n);
    return got;
}

ssize_t pread64(int file, void *to, size_t n, off_t at) {
    return pread(file, to, n, at);
}

/* There is room for what was measured. */
Test(trust_changing, texts_that_have_grown_since_they_were_measured) {
    static char item[ROWS * SIZE];
    char path[300], *folder = folder_begin(), **out;
    struct sr_error err = {0};
    struct sr_h5 *f = NULL;
    reads = -1;
    for (size_t i = 0; i < ROWS; i++)
        item[i * SIZE] = 'a';
    snprintf(path, sizeof path, "%s/a.h5", folder);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_fixed(f, "id", item, ROWS, SIZE, &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_read_texts(f, "id", &out, ROWS, &err), 0, "%s", err.text);
    cr_expect_str_eq(out[ROWS - 1], "a");
    sr_free(out);
    reads = 0;
    cr_expect_eq(sr_h5_read_texts(f, "id", &out, ROWS, &err), SR_DATA);
    cr_expect(strstr(err.text, "/id changed while it was read"), "%s", err.text);
    cr_expect_eq(reads, 2);
    cr_expect_null(out);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

/* HDF5 forgets its reasons easily, and by them an error is one of the disk or of the data. */
Test(trust_changing, a_column_that_is_cut_off_says_so) {
    static double item[ROWS];
    char path[300], *folder = folder_begin();
    struct sr_error err = {0};
    struct sr_h5 *f = NULL;
    reads = -1;
    snprintf(path, sizeof path, "%s/a.h5", folder);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "small_prob", SR_H5_WRITE_F64, item, ROWS, &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(truncate(path, 4096), 0);
    cr_expect_eq(sr_h5_read_doubles(f, "small_prob", item, ROWS, &err), SR_IO);
    cr_expect(strstr(err.text, "/small_prob cannot be read (HDF5: it became shorter while it was open)"),
              "%s", err.text);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

/* In the first of several bands. */
Test(trust_changing, texts_that_are_cut_off_say_so) {
    enum { MANY = 300000 };
    char path[300], *folder = folder_begin(), **out, *item = calloc(MANY, SIZE);
    struct sr_error err = {0};
    struct sr_h5 *f = NULL;
    reads = -1;
    cr_assert_not_null(item);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_fixed(f, "id", item, MANY, SIZE, &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(truncate(path, 4096), 0);
    cr_expect_eq(sr_h5_read_texts(f, "id", &out, MANY, &err), SR_IO);
    cr_expect(strstr(err.text, "/id cannot be read (HDF5: it became shorter while it was open)"), "%s",
              err.text);
    sr_h5_close(f, NULL);
    free(item);
    folder_end(folder);
}
