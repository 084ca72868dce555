/* test_trust_h5_reads.c: all that can be asked of an HDF5 file, with a call of the system failing. pread,
 * pwrite, close and ftruncate are defined here, in the executable, so that the linker finds them first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/syscall.h>

#include "tests/h5_everything.h"

static size_t reads, failing; /* the read of that number fails; 0: none */
static int cutting;           /* errno of the next ftruncate, likewise */
static int closing;           /* errno of the next close; 0: it succeeds */
static bool full;             /* the next pwrite takes nothing */

ssize_t pread(int file, void *to, size_t n, off_t at);
ssize_t pread64(int file, void *to, size_t n, off_t at);
ssize_t pwrite(int file, const void *from, size_t n, off_t at);
ssize_t pwrite64(int file, const void *from, size_t n, off_t at);

ssize_t pread(int file, void *to, size_t n, off_t at) {
    if (failing > 0 && ++reads == failing) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)syscall(SYS_pread64, file, to, n, at);
}

ssize_t pread64(int file, void *to, size_t n, off_t at) {
    return pread(file, to, n, at);
}

ssize_t pwrite(int file, const void *from, size_t n, off_t at) {
    const bool nothing = full;
    full = false;
    return nothing ? 0 : (ssize_t)syscall(SYS_pwrite64, file, from, n, at);
}

ssize_t pwrite64(int file, const void *from, size_t n, off_t at) {
    return pwrite(file, from, n, at);
}

int close(int file) {
    const int status = (int)syscall(SYS_close, file), why = closing;
    closing = 0;
    errno = why ? why : errno;
    return why ? -1 : status;
}

int ftruncate(int file, off_t n) {
    const int why = cutting;
    cutting = 0;
    errno = why;
    return why ? -1 : (int)syscall(SYS_ftruncate, file, n);
}

/* HDF5 reads again, or does without, what it could not read: then the answers are right. */
static void expect_right_or_refused(const char *name, bool is_virtual) {
    char path[300];
    const char *file = hostile_path(path, name);
    uint64_t fine = 0, now = 0;
    size_t refused = 0;
    struct sr_error err = {0};
    const int whole = everything_of(&fine, file, &err);
    cr_assert_eq(whole, is_virtual ? SR_DATA : 0, "%s: %d: %s", name, whole, err.text);
    for (failing = 1;; failing++) {
        reads = 0;
        err = (struct sr_error){0};
        const int status = everything_of(&now, file, &err);
        if (reads < failing)
            break;
        refused += status < 0;
        cr_expect(status == SR_IO || (status == SR_DATA && is_virtual) ||
                      (status == 0 && !is_virtual && now == fine),
                  "%s: read %zu: %d: %s", name, failing, status, err.text);
        cr_expect(status == 0 || err.text[0], "%s: read %zu: no reason", name, failing);
    }
    cr_expect_gt(refused, 3, "%s: %zu of %zu", name, refused, failing);
    failing = 0;
}

Test(trust_h5_reads, every_read, .timeout = 600) {
    sr_cpu_threads(1);
    for (size_t i = 0; i < SR_COUNT(everything_files); i++)
        expect_right_or_refused(everything_files[i], false);
}

/* Its header is looked at before HDF5 opens it; should that fail, what it is is seen afterwards. */
Test(trust_h5_reads, a_virtual_dataset_is_one_whatever_fails) {
    expect_right_or_refused("hdf5/virtual_features.h5", true);
    expect_right_or_refused("hdf5/virtual_ordered.h5", true);
}

/* ---- closing ---- */

/* What is written last waits for the end. */
static struct sr_h5 *begin_writing(const char *path, struct sr_error *err) {
    static const uint16_t x[8] = {0x3c00};
    struct sr_h5 *f = NULL;
    cr_assert_eq(sr_h5_create(&f, path, path, err), 0, "%s", err->text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", 1, 8, err), 0, "%s", err->text);
    cr_assert_eq(sr_h5_write_rows(f, "features", x, 0, 1, 8, err), 0, "%s", err->text);
    return f;
}

static void expect_written(const char *path, int why, int status) {
    struct sr_error err = {0};
    struct sr_h5 *f = begin_writing(path, &err);
    closing = why;
    cr_expect_eq(sr_h5_close(f, &err), status, "%d: %s", why, err.text);
    cr_expect(status == 0 || strstr(err.text, strerror(why)), "%s", err.text);
    cr_expect_eq(closing, 0);
}

/* A signal is no failure. */
Test(trust_h5_reads, the_end_of_writing) {
    char path[300], *folder = folder_begin();
    uint64_t answers;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/a.h5", folder);
    expect_written(path, EIO, SR_IO);
    expect_written(path, EINTR, 0);
    cr_expect_eq(everything_of(&answers, path, &err), 0, "%s", err.text);
    folder_end(folder);
}

Test(trust_h5_reads, a_disk_that_takes_nothing) {
    char path[300], *folder = folder_begin();
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/a.h5", folder);
    struct sr_h5 *f = begin_writing(path, &err);
    full = true;
    cr_expect_eq(sr_h5_close(f, &err), SR_IO, "%s", err.text);
    cr_expect(!full && strstr(err.text, strerror(ENOSPC)), "%s", err.text);
    folder_end(folder);
}

/* Rows that nobody has written yet: the file is made as long as it says. */
static void expect_length(const char *path, int why, int status) {
    char stored[300];
    struct sr_h5 *from = NULL, *to = NULL;
    struct sr_h5_items *old = NULL, *new = NULL;
    struct sr_error err = {0};
    const struct sr_h5_form kept = {0};
    cr_assert_eq(sr_h5_open(&from, hostile_path(stored, "hdf5/cycle.h5"), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_create(&to, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_open(&old, from, "label", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_create(&new, to, "label", old, 12, &kept, &err), 0, "%s", err.text);
    sr_h5_items_close(old);
    sr_h5_items_close(new);
    sr_h5_close(from, NULL);
    cutting = why;
    cr_expect_eq(sr_h5_close(to, &err), status, "%d: %s", why, err.text);
    cr_expect(status == 0 || strstr(err.text, strerror(why)), "%s", err.text);
    cr_expect_eq(cutting, 0);
}

Test(trust_h5_reads, the_length_of_a_file) {
    char path[300], *folder = folder_begin();
    snprintf(path, sizeof path, "%s/a.h5", folder);
    expect_length(path, EIO, SR_IO);
    expect_length(path, EINTR, 0);
    folder_end(folder);
}
