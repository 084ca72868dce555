/* table.h: a file of rows, whatever its format, read from front to back.
 *
 * What a `data convert` reads is a table whose named columns are the columns of a dump: a CSV file, an object
 * a line, a line a value, tensors whose first axis is the row, another dump, or a folder with a file a row.
 * One vtable for all of them, so that every column may come from every format.
 *
 *     sr_table_open(&t, "train.jsonl", &how, err);
 *     sr_table_bind(t, &features, err);              // which columns are wanted
 *     sr_table_bind(t, &label, err);
 *     while ((got = sr_table_read(t, 256, err)) > 0)
 *         ... got more rows are in the fields ...
 *     sr_table_close(t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TABLE_H
#define SR_TABLE_H

#include "data/field.h"

/* How files are read where that is not plain from them. */
struct sr_table_how {
    const char *feature_prefix; /* CSV: features are columns PREFIX0, PREFIX1, ... */
    bool layer_given;
    int64_t layer; /* of features with three axes: which of the middle one; below 0 counts from the end */
    bool mean;     /* files of hidden states: the mean over the tokens, not the last token */
};

#define SR_ROWS_UNKNOWN SIZE_MAX /* until the file was read to its end */

struct sr_table {
    const struct sr_table_ops *ops;
    const struct sr_table_how *how; /* borrowed */
    char *path;
    size_t rows;                          /* or SR_ROWS_UNKNOWN */
    size_t taken;                         /* rows read */
    size_t line;                          /* of a text file: where the row being read begins; else 0 */
    struct sr_field *field[SR_ROLES + 1]; /* bound, borrowed; a format may look at them in any order */
    size_t fields;                        /* one of each role, and ids a second time to tell rows by */
};

struct sr_table_ops {
    /* Finds the field and fills name, at, dtype and, where they are known, width and t->rows. name stays NULL
     * if the file has no such column. A file that shows its columns only row by row (may_appear) finds it
     * then. */
    int (*bind)(struct sr_table *t, struct sr_field *f, struct sr_error *err);
    bool may_appear;
    bool names_rows; /* its own ids go with its features, without being asked for */
    /* The next n rows (at least one, at most SR_BAND_ROWS), fewer where the file ends, into the fields.
     * Returns how many. */
    int (*read)(struct sr_table *t, size_t n, struct sr_error *err);
    double (*fraction)(const struct sr_table *t);                       /* read so far; NULL: by rows */
    const char *(*metadata)(const struct sr_table *t, const char *key); /* or NULL; may be NULL */
    const char *(*file)(const struct sr_table *t, size_t i);            /* the i-th; NULL: path alone */
    /* What the file has that no field takes, cut to size; "": nothing; NULL: not known. */
    int (*left)(const struct sr_table *t, char *text, size_t size, struct sr_error *err);
    void (*close)(struct sr_table *t);
};

/* The format goes by the ending for .csv, .jsonl, .ndjson and .txt, else by the content; a pattern or a
 * folder is one of files of hidden states. SR_NOINPUT: no such file. SR_DATA: none of the formats, damaged.
 */
int sr_table_open(struct sr_table **out, const char *path, const struct sr_table_how *how,
                  struct sr_error *err);
void sr_table_close(struct sr_table *t); /* NULL is fine */

/* f stays bound, and is written to, until t is closed. A field that is not required and that the file does
 * not have is not bound: its name is NULL. SR_DATA: a required one is missing (with what there is),
 * ambiguous, of another shape or type. */
int sr_table_bind(struct sr_table *t, struct sr_field *f, struct sr_error *err);

/* 0 at the end, else how many rows more were read, fewer than n at the end only; or a status. Features of the
 * rows before are overwritten. Without fields rows are only counted. */
int sr_table_read(struct sr_table *t, size_t n, struct sr_error *err);

double sr_table_fraction(const struct sr_table *t);

/* What the file says of itself under that key, or NULL. */
const char *sr_table_metadata(const struct sr_table *t, const char *key);

/* True if path is a file that the table is read from, under whatever name. */
bool sr_table_reads(const struct sr_table *t, const char *path);

/* True if both are there and are one file. */
bool sr_table_same_file(const char *a, const char *b);

/* "F.csv: line 7", "F.pt: row 3" of the row being read, for messages. */
#define SR_PLACE 300
const char *sr_table_place(char text[SR_PLACE], const struct sr_table *t);

/* ---- for table_*.c ---- */

/* The format's own struct begins with a struct sr_table; this fills it. On failure the caller frees. */
int sr_table_begin(struct sr_table *t, const struct sr_table_ops *ops, const char *path,
                   struct sr_error *err);

/* Which of the middle axis of features with three axes, `count` long. SR_DATA: --layer has to say; SR_USAGE:
 * it says one that is not there; both "path: what: ...". */
int sr_table_layer(uint64_t *layer, const struct sr_table_how *how, uint64_t count, const char *path,
                   const char *what, struct sr_error *err);

int sr_csv_table_open(struct sr_table **out, const char *path, struct sr_error *err);
int sr_jsonl_table_open(struct sr_table **out, const char *path, struct sr_error *err);
int sr_lines_table_open(struct sr_table **out, const char *path, struct sr_error *err);
int sr_tensors_table_open(struct sr_table **out, const char *path, struct sr_error *err);
int sr_dump_table_open(struct sr_table **out, const char *path, struct sr_error *err);
int sr_hidden_table_open(struct sr_table **out, const char *path, struct sr_error *err);

#endif
