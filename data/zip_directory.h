/* zip_directory.h: an archive that is being read, and the reading of its tables; private to zip_*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ZIP_DIRECTORY_H
#define SR_ZIP_DIRECTORY_H

#include "data/zip.h"

/* What an entry's header says, and where its parts lie in the file. */
struct sr_zip_place {
    uint64_t at, data_at; /* of its own header; of its content */
    uint64_t packed;      /* bytes of its content as they lie there */
    uint32_t crc;
    uint16_t flags, method;
};

struct sr_zip {
    char *path;
    int fd; /* the caller's */
    uint64_t file_bytes;
    struct sr_zip_entry *entries; /* [count] */
    struct sr_zip_place *place;   /* [count] */
    size_t count;
    size_t *sorted; /* [count] entries by name (sr_zip_folded), once the directory is read */
    bool *checked;  /* [count] its checksum was compared */
    char *names;    /* of all entries, each with its NUL */
    char *folded;   /* the same in lower case */
    char *sought;   /* [longest + 1] a name in lower case while it is looked for */
    size_t longest; /* bytes of a name */
};

/* Fills entries, place, count, sorted and names. SR_DATA: which rule of zip.h is broken, and by which entry.
 */
int sr_zip_directory_read(struct sr_zip *z, struct sr_error *err);

/* Bytes [at, at + n) of the file. SR_IO; SR_DATA if it ends before. */
int sr_zip_bytes(const struct sr_zip *z, uint64_t at, void *out, size_t n, struct sr_error *err);

/* A to Z as a to z, other bytes as they are: how torch compares names. */
char sr_zip_lower(char c);
/* The name of entry i in lower case. */
const char *sr_zip_folded(const struct sr_zip *z, size_t i);

/* "F.pt: its entry 'm/data/0' what": SR_DATA. */
int sr_zip_fail_entry(const struct sr_zip *z, size_t i, const char *what, struct sr_error *err);

#endif
