/* sha256.h: SHA-256 (FIPS 180-4), incremental.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SHA256_H
#define SR_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sr_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
};

void sr_sha256_begin(struct sr_sha256 *s);
void sr_sha256_add(struct sr_sha256 *s, const void *bytes, size_t size);
void sr_sha256_end(struct sr_sha256 *s, char hex[65]);        /* 64 lower-case digits and NUL */
void sr_sha256(const void *bytes, size_t size, char hex[65]); /* all three, of one block */

#endif
