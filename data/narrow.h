/* narrow.h: rows of features into another type, and what does not survive it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NARROW_H
#define SR_NARROW_H

#include "data/values.h"

struct sr_narrow {
    enum sr_feature type;
    size_t width, rows; /* seen so far */
    float *scratch;     /* a row */
    size_t bad_rows, first_bad;
    /* Finite values that the type does not hold: how many, the first and its row. */
    size_t overflows, overflow_row;
    double overflow;
    bool float_overflows; /* one of them is beyond float32 too */
    /* Values other than 0 that became 0: how many and the first's row; rows of which nothing else is left. */
    size_t underflows, underflow_row;
    size_t vanished_rows, first_vanished;
};

/* Free with sr_narrow_free, also after a failure. */
int sr_narrow_begin(struct sr_narrow *n, enum sr_feature type, size_t width, struct sr_error *err);
void sr_narrow_free(struct sr_narrow *n);

/* The next rows, raw values of dtype, to out; out may be raw where the type is the same. */
void sr_narrow_rows(struct sr_narrow *n, void *out, const void *raw, size_t rows, enum sr_dtype dtype);

/* After the last row; from: the file, for the message. SR_DATA: there were values that the type does not
 * hold; no row at all; and, of the features of a dump (`features`), a row whose values all became 0, or no
 * good row. */
int sr_narrow_end(const struct sr_narrow *n, bool features, const char *from, struct sr_error *err);

enum sr_dtype sr_narrow_dtype(enum sr_feature type); /* SR_F16 of SR_FEATURE_HALF */

#endif
