/* zip_check.c: the zip container of .pt files (data/zip.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "data/zip.h"
#include "tests/fuzz/parsers.h"

/* An entry is the same bytes in one piece and in two, or fails both times. */
static void check_entry(struct sr_zip *z, size_t i) {
    const struct sr_zip_entry *e = sr_zip_at(z, i);
    const size_t size = (size_t)e->size, half = size / 2;
    struct sr_error err = {0}, again = {0};
    unsigned char *whole = sr_alloc(2, size, NULL), *parts = whole + size;
    FUZZ_CHECK(whole, "no memory for an entry of %zu bytes", size);
    const int status = sr_zip_read(z, i, 0, whole, size, &err);
    int pieces = sr_zip_read(z, i, half, parts + half, size - half, &again);
    if (pieces == SR_OK && half > 0)
        pieces = sr_zip_read(z, i, 0, parts, half, &again);
    FUZZ_CHECK(status == pieces, "in one piece %d (%s), in two %d (%s)", status, err.text, pieces,
               again.text);
    if (fuzz_accepted(status, &err))
        FUZZ_CHECK(memcmp(whole, parts, size) == 0, "an entry of %zu bytes reads differently in parts", size);
    sr_free(whole);
}

static void check_archive(struct sr_zip *z, size_t size) {
    uint64_t total = 0;
    for (size_t i = 0; i < sr_zip_count(z); i++) {
        const struct sr_zip_entry *e = sr_zip_at(z, i);
        FUZZ_CHECK(sr_zip_find(z, e->name) == i, "entry %zu is not found by its name", i);
        FUZZ_CHECK(!e->stored || e->size <= size - total, "the entries are larger than the file");
        total += e->stored ? e->size : 0;
        if (e->stored && e->size > 0)
            check_entry(z, i);
    }
}

void fuzz_zip(const uint8_t *data, size_t size) {
    struct sr_error err = {0};
    struct sr_zip *z = NULL;
    const int fd = open(fuzz_file(0, data, size), O_RDONLY | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0, "the file cannot be opened");
    if (fuzz_accepted(sr_zip_open(&z, fd, size, "f.zip", &err), &err))
        check_archive(z, size);
    else
        FUZZ_CHECK(!z, "a refused archive is there");
    sr_zip_close(z);
    close(fd);
}
