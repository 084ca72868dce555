/* convert.h: the parts of a conversion: features and columns on their way into the dump. See convert.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CONVERT_H
#define SR_CONVERT_H

#include "data/h5.h"
#include "data/narrow.h"
#include "data/table.h"

/* Features: band for band into /features. */
struct sr_convert_features {
    const struct sr_h5 *to;
    const char *from; /* the source, for messages */
    void *half;       /* a band as it is written, where it is not as it was read */
    /* Nothing is written after the first value that the type does not hold, but all are counted. */
    struct sr_narrow narrow;
};

/* Creates /features for the field, whose width is known by now, as how says; rows may be SR_ROWS_UNKNOWN.
 * Free with sr_convert_features_free, also after a failure. */
int sr_convert_features_begin(struct sr_convert_features *c, const struct sr_h5 *to, const struct sr_field *f,
                              size_t rows, const struct sr_convert *how, struct sr_error *err);

/* The field's band. */
int sr_convert_features_put(struct sr_convert_features *c, const struct sr_field *f, struct sr_error *err);

/* After the last band. SR_DATA: values that the type does not hold; no good row; no row at all. */
int sr_convert_features_end(const struct sr_convert_features *c, struct sr_error *err);
void sr_convert_features_free(struct sr_convert_features *c);

/* Everything but features, under the contract's name. SR_DATA: a weight that is not there. */
int sr_convert_column(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err);

/* The sources of a conversion, opened and bound. Free with sr_sources_close, also after a failure. */
struct sr_sources {
    struct sr_field field[SR_ROLES];
    struct sr_table *of[SR_ROLES]; /* where it comes from, or NULL */
    struct sr_table *table[SR_ROLES + 1];
    struct sr_field id[SR_ROLES + 1]; /* each table's own, where there are several; without a name: none */
    size_t tables;
    struct sr_table_how how;
};

/* SR_USAGE, SR_NOINPUT, SR_DATA as sr_convert_write. out is not to be one of them, nor the contract's file.
 */
int sr_sources_open(struct sr_sources *s, const char *out, const struct sr_convert *how,
                    struct sr_error *err);

/* The next rows of all. 0 at the end. SR_DATA: one ends before another. */
int sr_sources_read(struct sr_sources *s, struct sr_error *err);
void sr_sources_close(struct sr_sources *s);

/* After the last row: brings the columns of all tables that have ids into the order of the features' ids.
 * *moved becomes a table that was in another order, or stays. SR_DATA: ids that differ and cannot be joined:
 * one is there twice or has no counterpart, or the features have none. */
int sr_sources_join(struct sr_sources *s, const struct sr_table **moved, struct sr_error *err);

/* A table without ids beside features whose order is that of file names, or NULL. */
const struct sr_table *sr_sources_unjoined(const struct sr_sources *s);

/* True if a column of that role was found. */
static inline bool sr_sources_have(const struct sr_sources *s, enum sr_role role) {
    return s->field[role].name != NULL;
}

#endif
