/* copy.h: rows of a dump into a new file, with everything that belongs to them.
 *
 * Every dataset of the root whose first dimension is that of the features is a column of rows (but see
 * members.c): it gets the rows wanted, in their order, with its own type, attributes and fill value, whatever
 * its type and rank. Everything else (/verdict_head, groups, scalars, root attributes) is copied whole. Links
 * and references are refused: they would lead elsewhere. What is not kept: room to grow (maxshape), chunks
 * that are not compressed, the order of creation.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_COPY_H
#define SR_COPY_H

#include "data/data.h"
#include "data/h5_copy.h"

#define SR_COPY_BAND  256                /* rows a chunk, where there are chunks and nothing else is said */
#define SR_COPY_CHUNK ((size_t)32 << 20) /* bytes of a chunk as it is read, at most; fewer rows then */

#define SR_COPY_NAMES 300

/* What somebody might want to know; lists of names with commas, which may be cut, or "". */
struct sr_copied {
    char by_length[SR_COPY_NAMES]; /* rows were picked of these, though nothing but their length says that
                                      they have a value for each row */
    char untouched[SR_COPY_NAMES]; /* layers of features that are not [rows, width] of floats: not retyped */
    /* Values other than 0 that the type made 0: how many, and row and dataset of the first. */
    size_t underflows, underflow_row;
    char underflow_of[100];
};

struct sr_copy {
    const char *features;   /* the dataset whose rows are counted, and get a type */
    size_t width;           /* features a row, where that dataset does not say; 0: not known */
    struct sr_copied *done; /* begins with {0}; or NULL */
    bool uint16_is_bfloat;
    const uint32_t *rows; /* [n], distinct; or NULL: all */
    size_t n;
    int type;     /* enum sr_convert_type of the features and of /features_layer_*; KEEP: as they are */
    int gzip;     /* of all datasets [rows, width]: level 1 to 9, 0: none, SR_H5_GZIP_KEEP: each its own */
    size_t band;  /* rows a chunk of those; 0: SR_COPY_BAND */
    bool chunked; /* these have chunks even where they are not compressed */
    /* NULL-terminated, or NULL: members that are not copied; root attributes that are not; the only members
     * that are (then no root attribute is). */
    const char *const *but, *const *but_attributes, *const *only;
};

/* Memory: about 100 MB for columns of any length, 300 MB where rows are not rising. The same rows give the
 * same bytes. progress (may be NULL) is called with the fraction done. SR_DATA: what cannot be kept, see
 * sr_h5_members; values beyond what the type holds (counted, with the first row), a row of features of which
 * it holds nothing. SR_IO. */
int sr_copy_rows(const struct sr_h5 *to, const struct sr_h5 *from, const struct sr_copy *how,
                 void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

#endif
