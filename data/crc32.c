/* crc32.c: CRC-32 by slices of eight bytes; see crc32.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/crc32.h"

#define POLYNOMIAL 0xedb88320u

void sr_crc32_begin(struct sr_crc32 *c) {
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        c->table[0][b] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int b = 0; b < 256; b++)
            c->table[k][b] = c->table[k - 1][b] >> 8 ^ c->table[0][c->table[k - 1][b] & 255];
}

uint32_t sr_crc32_add(const struct sr_crc32 *c, uint32_t crc, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        const uint32_t low =
            crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        crc = c->table[7][low & 255] ^ c->table[6][low >> 8 & 255] ^ c->table[5][low >> 16 & 255] ^
              c->table[4][low >> 24] ^ c->table[3][p[4]] ^ c->table[2][p[5]] ^ c->table[1][p[6]] ^
              c->table[0][p[7]];
    }
    for (; n > 0; n--, p++)
        crc = crc >> 8 ^ c->table[0][(crc ^ *p) & 255];
    return ~crc;
}
