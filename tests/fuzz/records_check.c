/* records_check.c: a pickle inside of a sound archive: what is behind the container's checksums, which
 * mutated bytes do not get past. The input is data.pkl; beside it are records data/0 to data/3 of 16, 64, 8
 * and 0 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/fuzz/parsers.h"

#define ENTRIES 7

struct archive {
    unsigned char *at;
    size_t size;
};

static void put(struct archive *a, const void *bytes, size_t n) {
    if (n > 0)
        memcpy(a->at + a->size, bytes, n);
    a->size += n;
}

static void put_number(struct archive *a, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        a->at[a->size++] = (unsigned char)(value >> 8 * i);
}

static uint32_t crc_of(const unsigned char *p, size_t n) {
    static uint32_t table[256];
    uint32_t crc = 0xffffffff;
    for (uint32_t i = 0; !table[255] && i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
    }
    for (size_t i = 0; i < n; i++)
        crc = crc >> 8 ^ table[(crc ^ p[i]) & 0xff];
    return ~crc;
}

struct entry {
    const char *name;
    const void *data;
    size_t size, at;
    uint32_t crc;
};

/* What both headers of an entry have. */
static void put_header(struct archive *a, const struct entry *e) {
    put(a, "\0\0\0\0\0\0\0\0", 8); /* no flags, stored, no time */
    put_number(a, e->crc, 4);
    put_number(a, e->size, 4);
    put_number(a, e->size, 4);
    put_number(a, strlen(e->name), 2);
    put_number(a, 0, 2);
}

static void put_archive(struct archive *a, struct entry *e, size_t n) {
    for (size_t i = 0; i < n; i++) {
        e[i].at = a->size;
        e[i].crc = crc_of(e[i].data, e[i].size);
        put(a, "PK\3\4\24\0", 6);
        put_header(a, &e[i]);
        put(a, e[i].name, strlen(e[i].name));
        put(a, e[i].data, e[i].size);
    }
    const size_t directory = a->size;
    for (size_t i = 0; i < n; i++) {
        put(a, "PK\1\2\24\0\24\0", 8);
        put_header(a, &e[i]);
        put(a, "\0\0\0\0\0\0\0\0\0\0", 10);
        put_number(a, e[i].at, 4);
        put(a, e[i].name, strlen(e[i].name));
    }
    const size_t end = a->size;
    put(a, "PK\5\6\0\0\0\0", 8);
    put_number(a, n, 2);
    put_number(a, n, 2);
    put_number(a, end - directory, 4);
    put_number(a, directory, 4);
    put_number(a, 0, 2);
}

void fuzz_records(const uint8_t *data, size_t size) {
    static const float numbers[16] = {1, -2, .5f, 3, 0, 1e-3f, 7, -1};
    struct entry e[ENTRIES] = {{.name = "a/data.pkl", .data = data, .size = size},
                               {.name = "a/byteorder", .data = "little", .size = 6},
                               {.name = "a/data/0", .data = numbers, .size = 16},
                               {.name = "a/data/1", .data = numbers, .size = 64},
                               {.name = "a/data/2", .data = numbers, .size = 8},
                               {.name = "a/data/3", .data = numbers},
                               {.name = "a/version", .data = "3", .size = 1}};
    struct archive a = {.at = sr_alloc(size + 4096, 1, NULL)};
    FUZZ_CHECK(a.at, "out of memory");
    put_archive(&a, e, ENTRIES);
    fuzz_tensors(a.at, a.size);
    sr_free(a.at);
}
