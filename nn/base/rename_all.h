/* rename_all.h: several files get their names, or none does.
 *
 * A split's training and test rows, or a router and its config.json, belong together: one of them new and the
 * other old is worse than both old. Each name is at any moment that of an old or of a new file; a process
 * that is killed between two renames still leaves some new and some old.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_RENAME_ALL_H
#define SR_RENAME_ALL_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/base/error.h"

#define SR_RENAMINGS 32 /* at most at a time */

struct sr_renaming {
    const char *from, *to; /* in one file system */
    bool exchanged;        /* own */
};

/* Renames and syncs the folders. After success nothing is left under the names `from`; after a failure,
 * SR_IO, the files that were to be renamed are there again, or lost. Where the file system cannot exchange
 * two files (RENAME_EXCHANGE), what was replaced before the failure is not put back. */
int sr_rename_all(struct sr_renaming *r, size_t n, struct sr_error *err);

#endif
