/* h5_copy.h: what a file holds, carried over into another one as it is.
 *
 * Rows of a dataset of any type and rank are read and written as the file has them (struct sr_h5_items):
 * nothing is interpreted, so nothing is lost. Everything takes the lock of h5.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_COPY_H
#define SR_H5_COPY_H

#include "data/h5.h"

/* ---- members of the root ---- */

struct sr_h5_member {
    char *name;
    bool by_rows;   /* a dataset whose first dimension is `rows`: it has a value for each row */
    size_t same_as; /* an earlier member that is the same object by another name, else its own number */
};

struct sr_h5_members {
    struct sr_h5_member *item; /* by name */
    size_t n;
};

/* Free with sr_h5_members_free, also after a failure. SR_DATA, saying what and where, for what cannot be
 * carried over: soft and external links, hard links to the root, references, virtual and external datasets,
 * groups nested more than 64 deep or with more than 65536 ways through them, columns whose values are not
 * read (sr_h5_open_values), and, where `some` says that not all rows are wanted, a group with a dataset of
 * `rows` rows, of which nobody knows whether they are the same rows. */
int sr_h5_members(struct sr_h5_members *out, const struct sr_h5 *f, size_t rows, bool some,
                  struct sr_error *err);
void sr_h5_members_free(struct sr_h5_members *m);

/* A member with all that is in it and behind it. */
int sr_h5_copy_whole(const struct sr_h5 *to, const struct sr_h5 *from, const char *name,
                     struct sr_error *err);

/* 1 where both files have an object of that name, and the two are groups with the same members or datasets of
 * one type, shape and values, with the same attributes; 0 where not, or where nobody can say; SR_NOMEM.
 * Values are read whole, so for what is small. */
int sr_h5_same(const struct sr_h5 *a, const struct sr_h5 *b, const char *name, struct sr_error *err);

/* A second name for a member of the file itself. */
int sr_h5_link(const struct sr_h5 *f, const char *existing, const char *name, struct sr_error *err);

/* The attributes of an object (a dataset, or "/") to the same object of `to`, but those of the
 * NULL-terminated list (or NULL). */
int sr_h5_copy_attributes(const struct sr_h5 *to, const struct sr_h5 *from, const char *object,
                          const char *const *but, struct sr_error *err);

/* To an object of another name. */
int sr_h5_copy_attributes_to(const struct sr_h5 *to, const char *target, const struct sr_h5 *from,
                             const char *object, const char *const *but, struct sr_error *err);

/* Names of an object's attributes, rising: one block, free with sr_free(*names). */
int sr_h5_attribute_names(const struct sr_h5 *f, const char *object, char ***names, size_t *n,
                          struct sr_error *err);

/* ---- rows of a dataset as they are ---- */

struct sr_h5_items;

#define SR_H5_GZIP_KEEP (-1)

/* How a dataset of rows is laid out anew. */
struct sr_h5_form {
    bool typed; /* values become `type`; else they stay what they are */
    enum sr_feature type;
    bool laid_out; /* gzip and band hold; else the dataset keeps its own compression, if it has any */
    int gzip;      /* level 1 to 9, with shuffle; 0: none; SR_H5_GZIP_KEEP: the dataset's own level */
    size_t band;   /* rows a chunk; chunks where it is compressed, or `chunked` says so */
    bool chunked;
};

/* SR_DATA: no dataset, of rank 0, or a row of it is more than memory can address. */
int sr_h5_items_open(struct sr_h5_items **out, const struct sr_h5 *f, const char *name, struct sr_error *err);

/* A new dataset of `rows` rows that is like another one but for its form; attributes are not copied. */
int sr_h5_items_create(struct sr_h5_items **out, const struct sr_h5 *to, const char *name,
                       const struct sr_h5_items *like, size_t rows, const struct sr_h5_form *form,
                       struct sr_error *err);
void sr_h5_items_close(struct sr_h5_items *t); /* NULL is fine */

/* True if numbers of the file are in the machine's order. */
bool sr_h5_items_native(const struct sr_h5_items *t);

/* Bytes of a row in memory; 0 where a dimension is 0. */
size_t sr_h5_items_bytes(const struct sr_h5_items *t);

/* True if rows of both have the same type and shape. */
bool sr_h5_items_alike(const struct sr_h5_items *a, const struct sr_h5_items *b);

/* True if rows in memory hold pointers (strings of variable length): what was read is to be released. */
bool sr_h5_items_own(const struct sr_h5_items *t);

/* Rows first .. first+n as the file has them. */
int sr_h5_items_read(struct sr_h5_items *t, void *out, size_t first, size_t n, struct sr_error *err);
int sr_h5_items_write(struct sr_h5_items *t, const void *rows, size_t first, size_t n, struct sr_error *err);

/* Frees what rows[0..n) point to and makes them zero bytes, which point to nothing. */
void sr_h5_items_release(const struct sr_h5_items *t, void *rows, size_t n);

#endif
