/* crc32.h: the checksum of zip entries: CRC-32 of IEEE 802.3, reflected, polynomial 0xedb88320.
 *
 * Finds damage, proves nothing: whoever changes a file can change its CRC too. Eight bytes a step by eight
 * tables, which belong to the caller: no state of the process, no thread. Begin with crc 0 and pass on what
 * is returned.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CRC32_H
#define SR_CRC32_H

#include <stddef.h>
#include <stdint.h>

struct sr_crc32 {
    uint32_t table[8][256]; /* [k][b]: byte b with k bytes of zeros behind it */
};

void sr_crc32_begin(struct sr_crc32 *c);
uint32_t sr_crc32_add(const struct sr_crc32 *c, uint32_t crc, const void *bytes, size_t n);

#endif
