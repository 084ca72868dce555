/* field.h: one column of a dump to be, while it is read from other files.
 *
 * A table (table.h) finds the column in its file and puts value behind value; the field checks each as the
 * column of a dump is checked, so that what is wrong is said with the file and line it stands in. Columns
 * stay in memory, 8 bytes a number; features come band by band and go on to the dump.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FIELD_H
#define SR_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "data/role.h"
#include "data/set.h"

struct sr_table;

struct sr_field {
    enum sr_role role;
    const char *key;     /* its name in the file as the user gave it, or NULL; borrowed */
    bool required;       /* that a file does not have it is an error */
    char *name;          /* in the file, once it was found, else NULL */
    size_t at;           /* where in the file, as its table counts */
    enum sr_dtype dtype; /* of the file's values; F64 for text */
    bool text;           /* the file says that it is text, however it looks */

    size_t rows; /* put so far; of features: in the band */
    /* Features: [band rows, width] of dtype. */
    size_t width; /* 0: not known yet */
    unsigned char *band;
    /* Everything else: one of these. */
    double *number; /* NaN: unknown */
    size_t *begin;  /* of row i's text in bytes */
    char *bytes;
    size_t used, room, bytes_room;
};

static inline enum sr_form sr_field_form(const struct sr_field *f) {
    return sr_roles[f->role].form;
}

/* The contract's name. */
static inline const char *sr_field_role(const struct sr_field *f) {
    return sr_roles[f->role].names[0];
}

static inline bool sr_field_is_text(const struct sr_field *f) {
    return sr_field_form(f) == SR_FORM_TEXT || sr_field_form(f) == SR_FORM_GROUP;
}

void sr_field_free(struct sr_field *f);

/* f->name becomes its key, the contract's name, or an alias, whichever has() knows; stays NULL if it knows
 * none. SR_DATA: it knows two aliases and nothing better. */
int sr_field_choose(struct sr_field *f, const struct sr_table *t,
                    bool (*has)(const struct sr_table *t, const char *name), struct sr_error *err);

/* The next value; t says where it stands. SR_DATA, with the place, if a dump's column may not hold it. */
int sr_field_number(struct sr_field *f, const struct sr_table *t, double value, struct sr_error *err);

/* The next value from text, as CSV files have it: a number, true or false, empty where it is not known,
 * "[1, 2, 3]" for features, and of a column of text any. */
int sr_field_parse(struct sr_field *f, const struct sr_table *t, const char *text, struct sr_error *err);

/* The file has no such value in this row. */
int sr_field_missing(struct sr_field *f, const struct sr_table *t, struct sr_error *err);

/* Features: states the width. SR_DATA if it is none that a dump may have or another was stated before. */
int sr_field_width(struct sr_field *f, const struct sr_table *t, size_t width, struct sr_error *err);

/* Features: where the next row goes in the band, width values of dtype. The caller counts it in f->rows. */
void *sr_field_row(const struct sr_field *f);

/* Row i becomes what row order[i] was, of f->rows; no features. */
int sr_field_reorder(struct sr_field *f, const size_t *order, struct sr_error *err);

/* Text of a row. */
const char *sr_field_at(const struct sr_field *f, size_t row);

#endif
