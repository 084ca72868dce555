/* flips.h: one bit of a file after the other, changed and put back.
 *
 * The long form tries every bit of the first 4 KiB and 10,000 seeded ones of the whole file, the short form a
 * seeded sample of both. A flip is repeated by its number of the bit, which failures name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_FLIPS_H
#define SR_TEST_FLIPS_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/base/philox.h"
#include "tests/trust.h"

/* What is expected of the file at path while its bit is changed. */
typedef void flips_fn(const char *path, size_t bit, void *context);

/* The i-th bit that is tried. */
static inline size_t flips_bit(size_t i, size_t first, size_t bits) {
    const double share = sr_random_uniform(8, sr_stream(SR_STREAM_TEST, 8, 0), i);
    if (trust_long())
        return i < first ? i : (size_t)(share * (double)bits);
    return (size_t)(share * (double)(i % 2 ? bits : first));
}

/* Calls expect once a flip, in the short form `some` times; returns how often. */
static inline size_t flips_each(const char *path, size_t some, flips_fn *expect, void *context) {
    struct stat s;
    const int fd = open(path, O_RDWR);
    cr_assert(fd >= 0 && fstat(fd, &s) == 0, "%s", path);
    const size_t bits = 8 * (size_t)s.st_size, first = bits < 8 * 4096 ? bits : 8 * 4096;
    const size_t n = trust_times(first + 10000, some);
    for (size_t i = 0; i < n; i++) {
        const size_t bit = flips_bit(i, first, bits);
        const off_t at = (off_t)(bit / 8);
        unsigned char was;
        cr_assert_eq(pread(fd, &was, 1, at), 1);
        const unsigned char is = (unsigned char)(was ^ 1 << bit % 8);
        cr_assert_eq(pwrite(fd, &is, 1, at), 1);
        expect(path, bit, context);
        cr_assert_eq(pwrite(fd, &was, 1, at), 1);
    }
    close(fd);
    return n;
}

#endif
