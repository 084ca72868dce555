/* staged.h: a new file that is looked at before it gets its name.
 *
 * A router is opened as whoever serves it will open it, and only then called what it shall be called. Until
 * then it lies in a folder beside the target that nobody else may look into (see temporary.h).
 *
 *     struct sr_staged s;
 *     int status = sr_staged_open(&s, "router.safetensors", err);
 *     if (status == 0) status = ...write s.path, open s.path...;
 *     if (status == 0) status = sr_staged_name(&s, err);
 *     return sr_staged_close(&s, status, err);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_STAGED_H
#define SR_STAGED_H

#include <limits.h>

#include "nn/base/error.h"

struct sr_staged {
    char path[PATH_MAX]; /* to be written; of the target's own name */
    const char *target;  /* borrowed */
    char *folder;
    int lock;
};

/* SR_USAGE: the name is too long. SR_IO, SR_NOMEM. After a failure too s is to be closed. */
int sr_staged_open(struct sr_staged *s, const char *target, struct sr_error *err);

/* Gives the file its name. Errors of sr_rename_new: SR_USAGE where there is a file of that name by now. */
int sr_staged_name(struct sr_staged *s, struct sr_error *err);

/* Removes what has not got its name and returns `status`, what has become of it so far: the error of a
 * failure speaks of the target from then on. */
int sr_staged_close(struct sr_staged *s, int status, struct sr_error *err);

#endif
