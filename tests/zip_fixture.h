/* zip_fixture.h: zip archives made byte by byte, so that a test can make them lie.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_ZIP_FIXTURE_H
#define SR_TEST_ZIP_FIXTURE_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

#include "nn/base/base.h"

/* An entry: its content, and what the headers say of it. */
struct zip_entry {
    const char *name;
    const void *data;
    size_t size;
    int method, flags; /* 0 stored; flag 1 encrypted */
    bool overlaps;     /* the central directory points to the entry before */
    bool bad_crc;
    size_t inside; /* > 0: has no bytes of its own; its local header is there in the content of the entry
                      before */
};

struct zip_bytes {
    unsigned char at[8192];
    size_t size;
};

static inline void zip_put(struct zip_bytes *z, uint32_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        z->at[z->size++] = (unsigned char)(value >> 8 * i);
}

static inline void zip_put_bytes(struct zip_bytes *z, const void *bytes, size_t n) {
    cr_assert_lt(z->size + n, sizeof z->at);
    if (n > 0)
        memcpy(z->at + z->size, bytes, n);
    z->size += n;
}

static inline uint32_t zip_crc(const unsigned char *p, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* What the local and the central header have in common. */
static inline void zip_put_header(struct zip_bytes *z, const struct zip_entry *e) {
    zip_put(z, (uint32_t)e->flags, 2);
    zip_put(z, (uint32_t)e->method, 2);
    zip_put(z, 0, 4);
    zip_put(z, zip_crc(e->data, e->size) ^ e->bad_crc, 4);
    zip_put(z, (uint32_t)e->size, 4);
    zip_put(z, (uint32_t)e->size, 4);
    zip_put(z, (uint32_t)strlen(e->name), 2);
    zip_put(z, 0, 2);
}

static inline void zip_make(struct zip_bytes *z, const struct zip_entry *e, size_t n) {
    uint32_t offset[16];
    size_t content = 0;
    z->size = 0;
    for (size_t i = 0; i < n; i++) {
        offset[i] = (uint32_t)(e[i].inside ? content + e[i].inside : z->size);
        if (e[i].inside)
            continue;
        zip_put_bytes(z, "PK\3\4\24\0", 6);
        zip_put_header(z, &e[i]);
        zip_put_bytes(z, e[i].name, strlen(e[i].name));
        content = z->size;
        zip_put_bytes(z, e[i].data, e[i].size);
    }
    const uint32_t directory = (uint32_t)z->size;
    for (size_t i = 0; i < n; i++) {
        zip_put_bytes(z, "PK\1\2\24\0\24\0", 8);
        zip_put_header(z, &e[i]);
        zip_put_bytes(z, "\0\0\0\0\0\0\0\0\0\0", 10);
        zip_put(z, offset[e[i].overlaps ? i - 1 : i], 4);
        zip_put_bytes(z, e[i].name, strlen(e[i].name));
    }
    const uint32_t end = (uint32_t)z->size;
    zip_put_bytes(z, "PK\5\6\0\0\0\0", 8);
    zip_put(z, (uint32_t)n, 2);
    zip_put(z, (uint32_t)n, 2);
    zip_put(z, end - directory, 4);
    zip_put(z, directory, 4);
    zip_put(z, 0, 2);
}

#endif
