/* h5.h: HDF5 as the rest of data/ sees it. <hdf5.h> is included by h5*.c alone.
 *
 * The serial HDF5 library may be entered by one thread at a time, but a loader's reading thread and the main
 * thread both read: every function here takes one global, recursive lock. HDF5's own error printing is off;
 * its innermost reason is put behind our message. File locks are not taken, so that dumps on read-only and
 * network file systems open.
 *
 * 16-bit floating point values are always read raw (memory type = file type) and converted by feature.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_H
#define SR_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/feature.h"
#include "nn/base/base.h"

struct sr_h5_ways;

struct sr_h5 {
    const struct sr_h5_ways
        *ways;  /* who reads it: HDF5 in this process, or a process of its own; h5_ways.h */
    int64_t id; /* HDF5's handle; -1 where another process has it */
    char *path; /* as messages name the file */
};

/* SR_NOINPUT: no such file. SR_DATA: a directory, not HDF5, truncated, marked as being written. */
int sr_h5_open(struct sr_h5 **out, const char *path, struct sr_error *err);

/* A new file at path, which messages call `title` (the path it will have after a rename). */
int sr_h5_create(struct sr_h5 **out, const char *path, const char *title, struct sr_error *err);

/* The same, able to hold every attribute that the file `like` (NULL: none) can hold. Not one of a later
 * format than it needs, for older readers. */
int sr_h5_create_like(struct sr_h5 **out, const char *path, const char *title, const struct sr_h5 *like,
                      struct sr_error *err);

/* Frees f (NULL is fine). SR_IO if what was written does not reach the file. */
int sr_h5_close(struct sr_h5 *f, struct sr_error *err);

/* Closes f (NULL is fine), the file behind target's temporary path, and commits target; where status is a
 * failure, or closing is, discards it. Returns the first failure. */
int sr_h5_commit(struct sr_h5 *f, struct sr_atomic_file *target, int status, struct sr_error *err);

/* ---- what is in a file ---- */

enum sr_h5_kind {
    SR_H5_HALF,    /* IEEE binary16 */
    SR_H5_BFLOAT,  /* a 16-bit float type with 8 bits of exponent */
    SR_H5_FLOAT,   /* 4 or 8 bytes */
    SR_H5_INTEGER, /* 1, 2, 4 or 8 bytes; also an enumeration, such as h5py's bool */
    SR_H5_TEXT,    /* strings, fixed or variable */
    SR_H5_OPAQUE,
    SR_H5_OTHER
};

#define SR_H5_RANK 4

struct sr_h5_info {
    enum sr_h5_kind kind;
    size_t size;                /* bytes an item; of a variable string, of its handle */
    int rank;                   /* may be more than SR_H5_RANK */
    uint64_t shape[SR_H5_RANK]; /* the first dimensions, the rest 1 */
    char type[32];              /* "float16", "strings", for messages */
};

/* SR_IO where a read or write of this file has failed since it was opened, SR_DATA where HDF5 could not tell
 * what it was asked for, or another process (--isolate) could not answer: what has no err is not to be
 * believed then. To be called before what follows from it is. */
int sr_h5_check(const struct sr_h5 *f, struct sr_error *err);

/* status; but where that is 0 or SR_DATA, what sr_h5_check says. f NULL is fine. */
int sr_h5_settle(const struct sr_h5 *f, int status, struct sr_error *err);

/* Of the file that is open, whatever has its name by now; 0 where that is not known. */
uint64_t sr_h5_bytes(const struct sr_h5 *f);

/* True too for a link that is not followed: who opens it is told. */
bool sr_h5_has(const struct sr_h5 *f, const char *name);

/* SR_DATA if name is no dataset, is reached through a soft or external link, has its values in other files
 * (virtual, external), or claims far more than the file stores. */
int sr_h5_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err);

enum sr_h5_layout_kind {
    SR_H5_ONE_PIECE, /* contiguous, or within the dataset's header */
    SR_H5_CHUNKS
};

/* How a dataset lies in its file. */
struct sr_h5_storage {
    enum sr_h5_layout_kind kind;
    uint64_t chunk[SR_H5_RANK]; /* the first dimensions, the rest 1; without chunks the shape */
    char filters[64];           /* "shuffle, gzip 4" in the order of writing, cut with "..."; "" for none */
    bool packed;                /* a filter makes it smaller */
    bool filtered;              /* there is a filter, if only a checksum */
    uint64_t bytes;             /* that it takes in the file */
    /* Of what is read as the fill value, mostly 0, without an error. */
    uint64_t unwritten; /* pieces that nobody wrote: chunks, or 1 of a dataset in one piece */
    uint64_t pieces;    /* of how many; 0 where that is not known */
};

/* SR_DATA if name is no dataset. */
int sr_h5_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s, struct sr_error *err);

/* "features [12, 8] float16, label [12] uint8": the root's members into text, cut with "..." where it is
 * full. */
void sr_h5_list(const struct sr_h5 *f, char *text, size_t size);

/* ---- columns: `rows` items of a dataset whose shape the caller has checked ---- */

/* Integers; unsigned 64-bit values keep their bits. */
int sr_h5_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                        struct sr_error *err);

/* Numbers of any kind as double. */
int sr_h5_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                       struct sr_error *err);

/* Hands the numbers of a column of rank 1 to `take` in their order, a band at a time, so that memory does not
 * grow with the rows; what take returns below 0 ends it. SR_DATA too where the file cannot hold so many rows:
 * a column of a few bytes may claim 2^60 that nobody wrote. */
int sr_h5_each_double(const struct sr_h5 *f, const char *name,
                      int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                      void *user, struct sr_error *err);

/* Strings as they are, but a fixed string that is not printable UTF-8, and opaque values, as hexadecimal
 * digits; integers in decimal. What a row reads as depends on no other row. One block, free with
 * sr_free(*out). */
int sr_h5_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows, struct sr_error *err);

/* Bytes that the texts of a column may come to, by what the file has: many rows may name one string of it. */
uint64_t sr_h5_texts_most(const struct sr_h5 *f);

/* How one item of fixed bytes reads as text. */
struct sr_h5_spelling {
    size_t bytes; /* an item; 0: the column is not one of fixed strings or opaque values */
    bool opaque;
    int pad; /* HDF5's padding of strings */
};

int sr_h5_spelling(struct sr_h5_spelling *how, const struct sr_h5 *f, const char *name, struct sr_error *err);

/* text [2 * bytes + 1] becomes what sr_h5_read_texts reads the item [bytes] as. */
void sr_h5_spell(char *text, const struct sr_h5_spelling *how, const void *item);

/* ---- attributes; object: a dataset, or "/" ---- */

bool sr_h5_has_attribute(const struct sr_h5 *f, const char *object, const char *name);

/* *value becomes the attribute as text (numbers as the shortest decimal of their type; free with sr_free), or
 * NULL if there is none or it is neither one string nor one number. */
int sr_h5_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                    struct sr_error *err);

/* An attribute that is a list of strings: one block, free with sr_free(*values); *values is NULL if there is
 * none. */
int sr_h5_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                         size_t *n, struct sr_error *err);

/* ---- features: a [rows, width] dataset read in blocks of whole rows ---- */

struct sr_h5_matrix;

#define SR_H5_STRIP_MAX                                                                                      \
    ((size_t)64 << 20) /* bytes of a row of chunks that we unpack; beyond that HDF5 does */
#define SR_H5_CACHE_MAX ((size_t)512 << 20) /* bytes of HDF5's chunk cache, where HDF5 reads */

/* type: how values of the file are read (the caller has looked at the kind). SR_DATA: a filter that is not
 * installed; rows said to lie behind the end of the file. */
int sr_h5_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                      enum sr_feature type, struct sr_error *err);
void sr_h5_matrix_close(struct sr_h5_matrix *m);

/* Gives back memory that would save time if reading went on; of a set of many files the one in use keeps it.
 */
void sr_h5_matrix_forget(struct sr_h5_matrix *m);

/* Rows first .. first+rows, at least one, to out, as the type of the file or (wanted SR_FEATURE_FLOAT) as
 * float. Any thread may call it; those of one matrix wait for each other. Reading and unpacking is shared out
 * over the threads that OpenMP gives the caller (sr_cpu_team), so not to be called under the lock. SR_DATA:
 * the file is damaged or was cut short. */
int sr_h5_matrix_read(struct sr_h5_matrix *m, void *out, size_t first, size_t rows, enum sr_feature wanted,
                      struct sr_error *err);

/* "in one piece", "by chunks" or "through HDF5": how it is read; static storage. */
const char *sr_h5_matrix_way(const struct sr_h5_matrix *m);

/* From now on read through HDF5, whatever the way: what the other ways are held to. */
void sr_h5_matrix_through_hdf5(struct sr_h5_matrix *m);

/* ---- writing ---- */

enum sr_h5_type {
    SR_H5_WRITE_U8,
    SR_H5_WRITE_I8,
    SR_H5_WRITE_U32,
    SR_H5_WRITE_I64,
    SR_H5_WRITE_HALF,
    SR_H5_WRITE_BFLOAT,
    SR_H5_WRITE_F32,
    SR_H5_WRITE_F64,
    SR_H5_WRITE_TEXT
};

/* A column; SR_H5_WRITE_TEXT: char *const [rows], variable strings. */
int sr_h5_write_column(const struct sr_h5 *f, const char *name, enum sr_h5_type type, const void *items,
                       size_t rows, struct sr_error *err);

/* A column of strings of one size in bytes, padded with NUL. */
int sr_h5_write_fixed(const struct sr_h5 *f, const char *name, const char *items, size_t rows, size_t size,
                      struct sr_error *err);

#define SR_H5_GROWS SIZE_MAX

struct sr_h5_layout {
    enum sr_feature type;
    size_t rows; /* or SR_H5_GROWS: as many as are written */
    size_t width;
    int gzip; /* level 1 to 9; 0: not compressed */
};

/* A [rows, width] dataset, to be filled by blocks of rows of raw values: in one piece, which is read fastest,
 * or in chunks of `band` whole rows where it is compressed or grows. */
int sr_h5_write_layout(const struct sr_h5 *f, const char *name, const struct sr_h5_layout *layout,
                       size_t band, struct sr_error *err);

/* The plain case: rows that are known, float16, in one piece. */
int sr_h5_write_matrix(const struct sr_h5 *f, const char *name, size_t rows, size_t width,
                       struct sr_error *err);
int sr_h5_write_rows(const struct sr_h5 *f, const char *name, const void *values, size_t first, size_t rows,
                     size_t width, struct sr_error *err);

int sr_h5_write_attribute(const struct sr_h5 *f, const char *object, const char *name, const char *value,
                          struct sr_error *err);
int sr_h5_write_attribute_integer(const struct sr_h5 *f, const char *object, const char *name, int32_t value,
                                  struct sr_error *err);
int sr_h5_write_attribute_list(const struct sr_h5 *f, const char *object, const char *name,
                               const char *const *values, size_t n, struct sr_error *err);

/* ---- for h5*.c ---- */

void sr_h5_lock(void);
void sr_h5_unlock(void);

/* The type that features of that kind have in a file, a new handle. */
int64_t sr_h5_feature_type(enum sr_feature type);

/* A dataset's handle, opened with that access list, or a negative status: SR_DATA as of sr_h5_info. Under the
 * lock, like what follows. */
int64_t sr_h5_open_dataset(const struct sr_h5 *f, const char *name, int64_t access_list,
                           struct sr_error *err);

/* The same for one whose values are read: SR_DATA too for a filter that this HDF5 lacks (h5py's lzf, blosc,
 * zstd ...), that is there twice, or that HDF5 does not undo safely (szip, nbit, scaleoffset), and for chunks
 * that overlap, lie behind the end of the file, or have another size than their values. */
int64_t sr_h5_open_values(const struct sr_h5 *f, const char *name, struct sr_error *err);

/* The same for a column, with all its chunks looked at (h5_sound.h) and, where they are packed, room in the
 * cache for one of them: bands smaller than that would unpack it again and again. */
int64_t sr_h5_open_column(const struct sr_h5 *f, const char *name, struct sr_error *err);

/* The dataset `name`, closed and opened again with a chunk cache for so many rows of chunks, up to
 * SR_H5_CACHE_MAX; where its chunks are not packed it stays as it is, without one (h5_cache.c). A negative
 * status, as of sr_h5_open_dataset: it is closed. */
int64_t sr_h5_reopen_cached(const struct sr_h5 *f, const char *name, int64_t dataset, unsigned strips,
                            struct sr_error *err);

/* A handle of "/" or of what name says, reached by hard links alone, or SR_DATA. */
int64_t sr_h5_open_object(const struct sr_h5 *f, const char *name, struct sr_error *err);

/* SR_DATA where a hard link of f by that name, which leads to `place`, is one to a virtual dataset: before
 * HDF5 opens it (h5_header.h). */
int sr_h5_check_link(const struct sr_h5 *f, const char *name, uint64_t place, struct sr_error *err);

/* SR_DATA where the values of a dataset (its handle) lie in other files. where: "file.h5: /name". */
int sr_h5_check_place(int64_t dataset, const char *where, struct sr_error *err);

/* True if a dataset claims more bytes of values than one may that has so many stored: some may be the fill
 * value, and gzip makes at most 1032 bytes of one. */
bool sr_h5_is_bomb(uint64_t bytes, uint64_t stored);

/* True if values of a type hold strings or lists of variable length, also inside of compound ones and arrays.
 */
bool sr_h5_is_variable(int64_t type);

/* Bytes of a value of a dataset in the file; 0 where nobody says: variable parts in compound values. */
uint64_t sr_h5_item_bytes(int64_t dataset);

/* Of a dataset (its handle) all that sr_h5_open_values refuses but for the path to it. */
int sr_h5_check_values(int64_t dataset, const char *where, struct sr_error *err);

#define SR_H5_INDEX_MAX ((uint64_t)2048) /* chunks that are asked for their places: 60 ms, by its square */

#define SR_H5_CLEAN 112
#define SR_H5_WHERE (4096 + 128)

/* A name of a file, fit to show, cut where it is long; "file.h5: /name". */
const char *sr_h5_clean(char to[SR_H5_CLEAN], const char *name);
const char *sr_h5_where(char to[SR_H5_WHERE], const struct sr_h5 *f, const char *name);

/* sr_fail with HDF5's innermost reason behind the message; SR_IO whatever the status where that is an error
 * of the system. Call before anything else enters HDF5. */
int sr_h5_fail(struct sr_error *err, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef sr_fail /* analysers are told the same of it, see error.h */
#define sr_h5_fail(...) sr_fail_is_negative(sr_h5_fail(__VA_ARGS__))
#endif

#endif
