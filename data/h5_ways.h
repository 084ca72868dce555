/* h5_ways.h: who does the reading that h5.h offers: HDF5 in this process (h5_*.c), or a process of its own
 * for files that nobody knows (isolate_*.c). For h5*.c and isolate*.c.
 *
 * A file and a matrix carry the table of their own way; what h5.h declares looks it up there (h5_ways.c). The
 * members are what h5.h says of the functions of the same names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_WAYS_H
#define SR_H5_WAYS_H

#include "data/h5.h"

/* What sr_h5_matrix_way says. */
#define SR_H5_IN_ONE_PIECE "in one piece"
#define SR_H5_BY_CHUNKS    "by chunks"
#define SR_H5_THROUGH_HDF5 "through HDF5"

/* What every way's matrix begins with. */
struct sr_h5_matrix {
    const struct sr_h5_ways *ways;
};

struct sr_h5_ways {
    int (*close)(struct sr_h5 *f, struct sr_error *err);
    int (*check)(const struct sr_h5 *f, struct sr_error *err);
    uint64_t (*bytes)(const struct sr_h5 *f);
    bool (*has)(const struct sr_h5 *f, const char *name);
    int (*info)(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err);
    int (*storage)(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s, struct sr_error *err);
    void (*list)(const struct sr_h5 *f, char *text, size_t size);

    int (*read_integers)(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                         struct sr_error *err);
    int (*read_doubles)(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                        struct sr_error *err);
    int (*each_double)(const struct sr_h5 *f, const char *name,
                       int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                       void *user, struct sr_error *err);
    int (*read_texts)(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                      struct sr_error *err);

    bool (*has_attribute)(const struct sr_h5 *f, const char *object, const char *name);
    int (*attribute)(const struct sr_h5 *f, const char *object, const char *name, char **value,
                     struct sr_error *err);
    int (*attribute_list)(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                          size_t *n, struct sr_error *err);

    int (*matrix_open)(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                       enum sr_feature type, struct sr_error *err);
    void (*matrix_close)(struct sr_h5_matrix *m);
    void (*matrix_forget)(struct sr_h5_matrix *m);
    int (*matrix_read)(struct sr_h5_matrix *m, void *out, size_t first, size_t rows, enum sr_feature wanted,
                       struct sr_error *err);
    const char *(*matrix_way)(const struct sr_h5_matrix *m);
    void (*matrix_through_hdf5)(struct sr_h5_matrix *m);
};

extern const struct sr_h5_ways sr_h5_here;

/* What sr_h5_open says of a path before it opens the file. */
int sr_h5_check_path(const char *path, struct sr_error *err);

/* sr_h5_open in this process, whatever was asked for. */
int sr_h5_here_open(struct sr_h5 **out, const char *path, struct sr_error *err);

/* The same of a file that is open; path: for messages. `file` belongs to *out from now on, also after a
 * failure. No other file is ever opened on its behalf. */
int sr_h5_here_open_descriptor(struct sr_h5 **out, int file, const char *path, struct sr_error *err);

/* SR_USAGE, saying what to do, where f is not read in this process: for what copies by HDF5 itself. */
int sr_h5_check_here(const struct sr_h5 *f, struct sr_error *err);

#define SR_H5_LIST_MAX                                                                                       \
    ((size_t)1 << 20) /* strings of an attribute that is a list; no list of names is longer */
#define SR_H5_TEXT_MAX ((uint64_t)16 << 20) /* bytes of them, or of one, without their NULs */

/* The members of sr_h5_here. check: SR_IO where a read or write has failed in the system. */
int sr_h5_here_check(const struct sr_h5 *f, struct sr_error *err);
uint64_t sr_h5_here_bytes(const struct sr_h5 *f);
int sr_h5_here_close(struct sr_h5 *f, struct sr_error *err);
bool sr_h5_here_has(const struct sr_h5 *f, const char *name);
int sr_h5_here_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err);
int sr_h5_here_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s,
                       struct sr_error *err);
void sr_h5_here_list(const struct sr_h5 *f, char *text, size_t size);
int sr_h5_here_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                             struct sr_error *err);
int sr_h5_here_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                            struct sr_error *err);
int sr_h5_here_each_double(const struct sr_h5 *f, const char *name,
                           int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                           void *user, struct sr_error *err);
int sr_h5_here_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                          struct sr_error *err);
bool sr_h5_here_has_attribute(const struct sr_h5 *f, const char *object, const char *name);
int sr_h5_here_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                         struct sr_error *err);
int sr_h5_here_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                              size_t *n, struct sr_error *err);
int sr_h5_here_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                           enum sr_feature type, struct sr_error *err);
void sr_h5_here_matrix_close(struct sr_h5_matrix *m);
void sr_h5_here_matrix_forget(struct sr_h5_matrix *m);
int sr_h5_here_matrix_read(struct sr_h5_matrix *m, void *out, size_t first, size_t rows,
                           enum sr_feature wanted, struct sr_error *err);
const char *sr_h5_here_matrix_way(const struct sr_h5_matrix *m);
void sr_h5_here_matrix_through_hdf5(struct sr_h5_matrix *m);

#endif
