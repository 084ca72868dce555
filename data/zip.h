/* zip.h: a zip archive whose entries are stored as they are, as torch.save writes it: read and written.
 *
 * An archive is refused as a whole unless all its tables (local headers, central directory, descriptors, end
 * records) say the same, its entries fill the file from the first byte to the directory without overlap or
 * gap, and nothing follows its end; and if an entry is encrypted or a symbolic link, has a name that leads
 * elsewhere, or the name of another. Names that differ only in case are the same name: torch takes a record
 * by either. Belongs to one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ZIP_ARCHIVE_H
#define SR_ZIP_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_zip;

struct sr_zip_entry {
    const char *name; /* belongs to the archive */
    uint64_t size;    /* bytes */
    bool stored;      /* as it is; one that is compressed cannot be read */
};

/* Of an open file of that many bytes, which must stay open and whose position is not to be relied on; path is
 * for messages. SR_DATA, SR_IO, SR_NOMEM. *out is NULL after a failure. */
int sr_zip_open(struct sr_zip **out, int fd, uint64_t file_bytes, const char *path, struct sr_error *err);
void sr_zip_close(struct sr_zip *z); /* NULL is fine */

size_t sr_zip_count(const struct sr_zip *z);
const struct sr_zip_entry *sr_zip_at(const struct sr_zip *z, size_t i);
/* The number of the entry of that name, in whatever case it is there, or sr_zip_count. */
size_t sr_zip_find(const struct sr_zip *z, const char *name);

/* SR_DATA, with its name, if an entry is compressed. */
int sr_zip_stored(const struct sr_zip *z, struct sr_error *err);

/* Bytes [at, at + bytes) of a stored entry i (sr_zip_stored), which must be in it and not be none. Before the
 * first bytes of an entry are given out its checksum is compared: SR_DATA. For that an entry that is not read
 * in one piece is read through once more. */
int sr_zip_read(struct sr_zip *z, size_t i, uint64_t at, void *out, size_t bytes, struct sr_error *err);

/* ---- writing ---- */

struct sr_zip_part {
    const char *name; /* UTF-8 */
    const void *bytes;
    size_t size;
};

/* Writes an archive of these entries in this order, atomically and by way of memory; its bytes depend on
 * nothing else: no clock, no user. An entry's bytes begin at a multiple of 64, so that they can be mapped
 * into memory and used where they lie. SR_NOMEM, SR_IO; SR_BUG: a name is there twice. */
int sr_zip_write(const char *path, const struct sr_zip_part *parts, size_t n, struct sr_error *err);

#endif
