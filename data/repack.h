/* repack.h: the same rows in another form: type of the features, chunks, compression.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_REPACK_H
#define SR_REPACK_H

#include "data/copy.h"

struct sr_repack {
    int type;     /* enum sr_convert_type; KEEP: as they are */
    int gzip;     /* level 1 to 9; 0: none */
    size_t band;  /* rows a chunk, where there are chunks */
    bool chunked; /* also where nothing is compressed */
};

#define SR_REPACK_FORM 240

struct sr_repacked {
    size_t rows, width;
    uint64_t bytes_before, bytes_after;                 /* of the files */
    char before[SR_REPACK_FORM], after[SR_REPACK_FORM]; /* "float16 in chunks of [256, 2048], gzip 4" */
    struct sr_copied copied;
};

/* Writes the dump at path anew as out, which may be path; options say how its features are found, and nothing
 * else of it is looked at. Atomic. Errors as sr_data_open and sr_copy_rows. */
int sr_repack_write(struct sr_repacked *done, const char *out, const char *path, const struct sr_repack *how,
                    const struct sr_data_options *options, void (*progress)(void *user, double fraction),
                    void *user, struct sr_error *err);

#endif
