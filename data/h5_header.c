/* h5_header.c: messages of an object's header, as the format's two versions have them. See h5_header.h.
 *
 * A header is pieces of messages, each a kind, a size and so many bytes; a message of one kind names a
 * further piece. Pieces that name each other would come to more than the file has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_header.h"

#include <hdf5.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_disk.h"
#include "data/h5_superblock.h"
#include "nn/base/sizes.h"

#define LAYOUT    8 /* the kind of message that tells where values are */
#define ATTRIBUTE 12
#define MORE      16 /* that which names a further piece */
#define SHARED    2  /* a flag: the message itself is elsewhere */
#define VIRTUAL   3  /* what the second byte of a layout is then, from version 3 on */
#define PIECES    4096
#define MESSAGES  ((size_t)1 << 17) /* the older version counts them in 16 bits */
#define CHECKSUM  ((uint64_t)4)

struct piece {
    uint64_t at, bytes; /* of messages */
};

struct header {
    int64_t handle; /* of the file */
    int file;
    uint64_t bytes; /* of the file */
    struct sr_h5_superblock superblock;
    size_t message; /* bytes of a message's head */
    bool new;       /* version 2 */
    uint64_t seen;  /* bytes of pieces */
    size_t messages;
    bool lost; /* there are more than are looked at, or one cannot be read */
    size_t n;  /* pieces */
    struct piece piece[PIECES];
};

static bool get(struct header *h, unsigned char *to, size_t n, uint64_t at) {
    if (!sr_size_within(at, n, h->bytes))
        return false;
    const int why = sr_stream_get(h->file, to, n, at);
    if (why) {
        h->lost = true;
        sr_h5_disk_failed(h->handle, why);
    }
    return !why;
}

static void add_piece(struct header *h, uint64_t at, uint64_t bytes) {
    h->seen = sr_size_sum(h->seen, bytes);
    if (!sr_size_within(at, bytes, h->bytes))
        return;
    if (h->n < PIECES && h->seen <= h->bytes)
        h->piece[h->n++] = (struct piece){at, bytes};
    else
        h->lost = true;
}

/* Version 1: 16 bytes, of which 4 are the size of the first piece. */
static void begin_old(struct header *h, const unsigned char *head, uint64_t at) {
    h->message = 8;
    add_piece(h, sr_size_sum(at, 16), sr_little_endian(head + 8, 4));
}

/* Version 2: "OHDR", its version, bits that say what is there and in how many bytes the size is. */
static void begin_new(struct header *h, const unsigned char *head, uint64_t at) {
    const unsigned bits = head[5];
    const size_t size = (size_t)1 << (bits & 3),
                 before = (size_t)6 + (bits & 0x20 ? 16 : 0) + (bits & 0x10 ? 4 : 0);
    h->new = true;
    h->message = bits & 4 ? 6 : 4;
    add_piece(h, sr_size_sum(at, before + size), sr_little_endian(head + before, size));
}

static void begin(struct header *h, const unsigned char *head, uint64_t at) {
    if (memcmp(head, "OHDR\2", 5) == 0)
        begin_new(h, head, at);
    else if (head[0] == 1)
        begin_old(h, head, at);
}

static void take_more(struct header *h, const unsigned char *data, size_t n) {
    const size_t place_bytes = h->superblock.place_bytes, size_bytes = h->superblock.size_bytes;
    if (n < place_bytes + size_bytes)
        return;
    const uint64_t at = sr_size_sum(h->superblock.base, sr_little_endian(data, place_bytes)),
                   bytes = sr_little_endian(data + place_bytes, size_bytes);
    if (!h->new)
        add_piece(h, at, bytes);
    else if (bytes >= 2 * CHECKSUM) /* "OCHK" comes before */
        add_piece(h, sr_size_sum(at, 4), bytes - 2 * CHECKSUM);
}

/* Whether name, type and shape of an attribute lie in its message of `size` bytes: version, flags, the bytes
 * of each, in version 3 an encoding, and then they, in version 1 filled up to 8. */
static bool attribute_fits(const unsigned char data[16], uint64_t size) {
    const uint64_t unit = data[0] == 1 ? 8 : 1;
    uint64_t used = data[0] == 3 ? 9 : 8;
    for (size_t i = 2; i < 8; i += 2)
        used = sr_size_sum(used, sr_size_times(unit, sr_size_pieces(sr_little_endian(data + i, 2), unit)));
    return used <= size;
}

static enum sr_h5_header look_at_piece(struct header *h, struct piece p) {
    unsigned char head[8], data[16];
    while (p.bytes >= h->message && get(h, head, h->message, p.at)) {
        if (++h->messages > MESSAGES)
            return SR_H5_HEADER_DAMAGED;
        const uint64_t kind = sr_little_endian(head, h->new ? 1 : 2),
                       size = sr_little_endian(head + (h->new ? 1 : 2), 2);
        const unsigned flags = head[h->new ? 3 : 4];
        const size_t n = size < sizeof data ? (size_t)size : sizeof data;
        memset(data, 0, sizeof data);
        p.at += h->message;
        p.bytes -= h->message;
        if (size > p.bytes ||
            ((kind == LAYOUT || kind == MORE || kind == ATTRIBUTE) && !get(h, data, n, p.at)))
            return SR_H5_HEADER_FINE;
        if (kind == LAYOUT && data[0] > 2 && data[1] == VIRTUAL)
            return SR_H5_HEADER_VIRTUAL;
        if (kind == ATTRIBUTE && !(flags & SHARED) && !attribute_fits(data, size))
            return SR_H5_HEADER_DAMAGED;
        if (kind == MORE)
            take_more(h, data, n);
        p.at += size;
        p.bytes -= size;
    }
    return SR_H5_HEADER_FINE;
}

enum sr_h5_header sr_h5_header(int64_t file, uint64_t place) {
    struct header h = {.handle = file, .file = sr_h5_disk_descriptor(file), .bytes = sr_h5_disk_bytes(file)};
    unsigned char head[34] = {0}; /* of version 2 the longest */
    if (h.file < 0 || sr_h5_superblock(&h.superblock, file, NULL) < 0)
        return SR_H5_HEADER_DAMAGED;
    const uint64_t at = sr_size_sum(h.superblock.base, place);
    const size_t left = at < h.bytes && h.bytes - at < sizeof head ? (size_t)(h.bytes - at) : sizeof head;
    if (get(&h, head, left, at))
        begin(&h, head, at);
    for (size_t i = 0; i < h.n; i++) {
        const enum sr_h5_header found = look_at_piece(&h, h.piece[i]);
        if (found != SR_H5_HEADER_FINE)
            return found;
    }
    return h.lost ? SR_H5_HEADER_DAMAGED : SR_H5_HEADER_FINE;
}
