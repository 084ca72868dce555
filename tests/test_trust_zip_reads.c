/* test_trust_zip_reads.c: an archive whose table claims the same bytes many times does not make the reader
 * read them many times. Counted are the bytes that the process reads (rchar of /proc/self/io), not seconds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdint.h>

#include "data/zip.h"
#include "tests/run_program.h"

#define ENTRIES 4000
#define LOCAL   30
#define CENTRAL 46
#define END     22
#define EXTRA   65531 /* and 4 bytes in front */

static void put(unsigned char **to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        *(*to)++ = (unsigned char)(value >> 8 * i);
}

/* What both headers have from the flags on: nothing inside, a name of 4 bytes, `extra` bytes behind it. */
static void put_common(unsigned char **to, unsigned extra) {
    for (int i = 0; i < 10; i++)
        put(to, i == 3 ? 33 : 0, 2);
    put(to, 4, 2);
    put(to, extra, 2);
}

static void put_local(unsigned char **to, unsigned i, unsigned extra) {
    put(to, 0x04034b50, 4);
    put(to, 20, 2);
    put_common(to, extra);
    *to += sprintf((char *)*to, "%04x", i);
}

static void put_central(unsigned char **to, unsigned i, uint64_t at) {
    put(to, 0x02014b50, 4);
    put(to, 20, 2);
    put(to, 20, 2);
    put_common(to, 0);
    put(to, 0, 6); /* comment, disk, attributes */
    put(to, 0, 4);
    put(to, at, 4);
    *to += sprintf((char *)*to, "%04x", i);
}

/* ENTRIES of one place with a long extra field; or one behind the other, each of which says that it has one.
 */
static size_t build(unsigned char *bytes, bool one_place) {
    unsigned char *to = bytes;
    const unsigned n = one_place ? 1 : ENTRIES;
    for (unsigned i = 0; i < n; i++)
        put_local(&to, i, EXTRA + 4);
    if (one_place) {
        put(&to, 0x9999, 2);
        put(&to, EXTRA, 2);
        memset(to, 0, EXTRA);
        to += EXTRA;
    }
    const size_t directory = (size_t)(to - bytes);
    for (unsigned i = 0; i < ENTRIES; i++)
        put_central(&to, one_place ? 0 : i, one_place ? 0 : i * (LOCAL + 4));
    const size_t length = (size_t)(to - bytes) - directory;
    put(&to, 0x06054b50, 4);
    put(&to, 0, 4);
    put(&to, ENTRIES, 2);
    put(&to, ENTRIES, 2);
    put(&to, length, 4);
    put(&to, directory, 4);
    put(&to, 0, 2);
    return (size_t)(to - bytes);
}

static uint64_t bytes_read(void) {
    unsigned long long n = 0;
    FILE *from = fopen("/proc/self/io", "r");
    if (!from || fscanf(from, "rchar: %llu", &n) != 1)
        cr_skip_test("no /proc/self/io");
    fclose(from);
    return n;
}

static void expect_few(bool one_place) {
    static unsigned char bytes[ENTRIES * (LOCAL + CENTRAL + 8) + EXTRA + 4 + END];
    const size_t size = build(bytes, one_place);
    struct sr_error err = {0};
    struct sr_zip *z = NULL;
    char *folder = folder_begin(), path[64];
    snprintf(path, sizeof path, "%s/m.pt", folder);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
    const int fd = open(path, O_RDONLY);
    cr_assert_geq(fd, 0);
    const uint64_t before = bytes_read();
    cr_expect_eq(sr_zip_open(&z, fd, size, path, &err), SR_DATA);
    const uint64_t read = bytes_read() - before;
    cr_expect(strstr(err.text, "lies partly where another does: they overlap"), "%s", err.text);
    cr_expect_lt(read, 2 * (uint64_t)size, "%llu bytes read of a file of %zu", (unsigned long long)read,
                 size);
    sr_zip_close(z);
    close(fd);
    folder_end(folder);
}

Test(trust_zip_reads, many_entries_of_one_place) {
    expect_few(true);
}

Test(trust_zip_reads, many_entries_that_reach_over_the_next) {
    expect_few(false);
}
