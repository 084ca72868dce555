/* check.h: what is wrong, or worth knowing, with the rows of some dumps before a router is trained on them.
 *
 * Every file is a part of one problem (training, calibration, test rows); what is looked for is listed in
 * checks.def, one line and one function a kind. Features are read once, all kinds ride on that pass; rows
 * that may be near duplicates are read again.
 *
 *     struct sr_check *check;
 *     sr_check_run(&check, "train.h5,val.h5", &options, progress, user, err);
 *     for (size_t i = 0; i < check->findings; i++)
 *         ... check->finding[i]->text ...
 *     sr_check_free(check);
 *
 * Memory: the columns, and per row what near.h says; never all features.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CHECK_H
#define SR_CHECK_H

#include "data/data.h"

#define SR_CHECK_ROWS    6
#define SR_CHECK_NUMBERS 8
#define SR_CHECK_TEXT    1024
#define SR_CHECK_LETTER  4

struct sr_finding {
    const char *kind;           /* a name of checks.def */
    bool serious;               /* else a remark: it may be meant, or does little harm */
    bool unchecked;             /* neither: the kind could not look, and the text says what it needs */
    const char *path;           /* the file it is about, or NULL: all of them */
    char text[SR_CHECK_TEXT];   /* what was found, with numbers; no full stop; files by letter */
    char advice[SR_CHECK_TEXT]; /* what to do */
    struct {
        const char *name;
        double value;
    } number[SR_CHECK_NUMBERS]; /* those of the text, for programs */
    size_t numbers;
    struct {
        const char *path;
        size_t row;       /* in that file */
        const char *id;   /* or NULL */
    } row[SR_CHECK_ROWS]; /* the first that are concerned; of pairs, the two rows behind each other */
    size_t rows;
    uint32_t *extra; /* [extras] rows of `path`, ascending, that would have to go; NULL: none are named */
    size_t extras;
};

/* What a run's settings do against few positive rows. */
struct sr_check_imbalance {
    bool balanced;     /* classes are drawn alike */
    double alpha;      /* of the focal loss; .5 where there is none */
    double pos_weight; /* 1: none */
};

struct sr_check_options {
    struct sr_data_options data;
    double near;                                /* cosine of near duplicates; 0: exact ones only */
    const struct sr_check_imbalance *imbalance; /* or NULL */
};

/* What texts call a file: A the first, Z the 26th, AA the next. */
struct sr_check_name {
    char letter[SR_CHECK_LETTER];
    const char *path;
};

struct sr_check {
    size_t rows, files;         /* that were looked through */
    struct sr_check_name *name; /* [names]: of all files that were given, also those that cannot be read */
    size_t names;
    struct sr_finding **finding; /* serious ones, remarks, what was not checked; in the order of checks.def */
    size_t findings, serious, unchecked;
    struct sr_check_private *in;
};

/* paths as in sr_data_open, but each file is opened on its own, so that what they disagree about is a
 * finding. So are labels that cannot be read: features are looked at all the same. Errors of opening
 * otherwise. */
int sr_check_run(struct sr_check **out, const char *paths, const struct sr_check_options *how,
                 void (*progress)(void *user, double fraction), void *user, struct sr_error *err);
void sr_check_free(struct sr_check *check);

/* The id of a row of a file by its path, or NULL: it has none. */
const char *sr_check_id(const struct sr_check *check, const char *path, size_t row);

#endif
