/* check_parts.h: what the kinds of check.h share: the files, and how a finding is written down.
 *
 * A kind is a function sr_check_NAME(c) that looks at c->file[] after the pass over the features, and adds
 * what it finds; it cannot fail: where memory runs out, c->status says so and the run ends with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CHECK_PARTS_H
#define SR_CHECK_PARTS_H

#include "data/check.h"
#include "data/near.h"
#include "data/set.h"

#define SR_CHECK_BLOCK ((size_t)1024) /* rows whose results a visitor has at hand at a time */

/* What row lengths say; see check_norm.c. */
struct sr_check_lengths {
    size_t rows; /* good ones */
    double least, most, sum, squares;
    size_t every;  /* of how many rows one is sampled; 0: none is */
    float *sample; /* [room, width] squares of features */
    size_t room, sampled;
    double spread; /* relative deviation of the best weighted sum of squares, on rows it was not fitted to */
    double alone;  /* what it would be if columns had nothing to do with each other; both NaN: not fitted */
};

/* What the output head says; see check_head.c. */
struct sr_check_head {
    float *row;                    /* [2, width], or NULL */
    char wrong[256];               /* why it could not be used, or "" */
    size_t compared;               /* rows */
    size_t telling;                /* of them, those whose probability depends on the features visibly */
    size_t off, far;               /* rows beyond rounding of the sum, and beyond that of 16-bit logits */
    size_t swapped;                /* rows of `far` that would be right with the two rows exchanged */
    double largest;                /* difference of probabilities */
    size_t far_row[SR_CHECK_ROWS]; /* the first of them, in the file */
};

/* What columns are besides mean and deviation; see check_features.c. */
struct sr_check_columns {
    uint32_t *nonzero; /* [width]: rows in which they are not zero */
};

struct sr_check_file {
    struct sr_data *data;
    const char *path;
    const char *letter;          /* what texts call it */
    size_t first;                /* its first row among those of all files */
    struct sr_troubles troubles; /* of opening it: columns left out, labels that the verdicts contradict */
    struct sr_scan scan;
    size_t near_first; /* its first row in near */
    struct sr_check_lengths lengths;
    struct sr_check_head head;
    struct sr_check_columns columns;
};

struct sr_check_refused {
    struct sr_check_file file; /* not open: only its names */
    struct sr_error why;
};

struct sr_check_private {
    const struct sr_check_options *how;
    char *list; /* of paths, cut at its commas */
    struct sr_check_file *file;
    size_t files;
    struct sr_check_refused *refused;
    size_t refusals;
    struct sr_near *near;
    struct sr_data **near_set; /* [files] */
    uint32_t *near_file;       /* [files]: number of near's set i */
    size_t near_sets;
    struct sr_check *check; /* takes the findings */
    size_t room;
    struct sr_finding spare; /* written to where memory ran out */
    struct sr_error *err;
    int status;
};

#define X(name, what) void sr_check_##name(struct sr_check_private *c);
#include "data/checks.def"
#undef X

/* A new finding of a kind, about one file or (NULL) about all. Valid until the run ends. */
struct sr_finding *sr_check_add(struct sr_check_private *c, const char *kind, bool serious,
                                const struct sr_check_file *file);
/* Not a finding: what a kind would need to look. */
struct sr_finding *sr_check_skip(struct sr_check_private *c, const char *kind,
                                 const struct sr_check_file *file);
/* Text is cut between characters where it is too long. */
void sr_check_say(struct sr_finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sr_check_advise(struct sr_finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sr_check_number(struct sr_finding *f, const char *name, double value); /* name: static storage */
void sr_check_row(struct sr_finding *f, const struct sr_check_file *file, size_t row);

/* Notes that a row of the finding's file would have to go. */
void sr_check_extra(struct sr_check_private *c, struct sr_finding *f, size_t row);
void sr_check_finding_free(struct sr_finding *f);

/* A block for a kind's work; NULL sets c->status. */
void *sr_check_alloc(struct sr_check_private *c, size_t count, size_t size);

/* The file that row `row` of near is in, and the row in that file. */
const struct sr_check_file *sr_check_near_file(const struct sr_check_private *c, size_t row, size_t *in_file);

/* Opens the files of c->list, and gives them their letters. SR_DATA where none can be read. */
int sr_check_files_open(struct sr_check_private *c, struct sr_error *err);

/* The text of an error of the file, without the file's name in front. */
const char *sr_check_without_path(const struct sr_check_file *f, const char *text);

/* Value of a key of a file's contract, or NULL. */
const char *sr_check_contract_value(const struct sr_check_file *f, const char *key);

/* Parts that ride on the pass over the features: begin before, add each block, finish behind the file's last
 * row. */
int sr_check_lengths_begin(struct sr_check_file *f, struct sr_error *err);
void sr_check_lengths_add(struct sr_check_file *f, const struct sr_scan_block *block);
int sr_check_lengths_finish(struct sr_check_file *f, struct sr_error *err);

int sr_check_head_begin(struct sr_check_file *f, struct sr_error *err);
void sr_check_head_add(struct sr_check_file *f, const struct sr_scan_block *block);

int sr_check_columns_begin(struct sr_check_file *f, struct sr_error *err);
void sr_check_columns_add(struct sr_check_file *f, const struct sr_scan_block *block);

#endif
