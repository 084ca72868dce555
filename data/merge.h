/* merge.h: columns of several files side by side, joined by their ids.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_MERGE_H
#define SR_MERGE_H

#include "data/data.h"

#define SR_MERGE_FILES 16

struct sr_merge {
    const char *path[SR_MERGE_FILES];
    size_t files;      /* 2 to SR_MERGE_FILES */
    bool common;       /* rows that are not in all files are left out */
    bool prefer_first; /* where files contradict each other the first that has a value decides */
};

#define SR_MERGE_LIST 1024

struct sr_merged {
    size_t rows;
    size_t left_out[SR_MERGE_FILES];             /* rows of each file */
    char columns[SR_MERGE_FILES][SR_MERGE_LIST]; /* members taken from each, with commas; may be cut */
    size_t overruled;                            /* members and attributes that a later file has otherwise */
    char differs[SR_MERGE_LIST];                 /* their names, with the file */
    char attributes[SR_MERGE_LIST]; /* of the root, not of the contract, that a later file has otherwise */
};

/* Writes out: the rows of the first file in its order, each column from the first file that has it, and
 * whatever else the files hold; not every file needs features. A member that several have must be the same in
 * all, and so must the contract. Root attributes that are no part of it are the first file's. Atomic.
 * SR_USAGE: out is one of the files. SR_DATA: no ids, one twice, ids that a file lacks (counted), columns or
 * contracts that differ (with the count and the first id), no features in any file. SR_NOINPUT, SR_IO. */
int sr_merge_write(struct sr_merged *done, const char *out, const struct sr_merge *how,
                   const struct sr_data_options *options, void (*progress)(void *user, double fraction),
                   void *user, struct sr_error *err);

#endif
