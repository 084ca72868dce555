/* temporary.h: the temporary files of a process, so that none is left where it ends before its time.
 *
 * A dump's rows may be somebody's texts: half of a file must not lie about under a hidden name because
 * somebody pressed Ctrl-C. Names are .NAME.PID.xxx.tmp beside the target. A process that is killed outright
 * (SIGKILL, a power failure) still leaves its file; the next writer of the same target removes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEMPORARY_H
#define SR_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/base/error.h"

/* Creates a new file beside target and locks it; *name (free with sr_free) and *fd are its. mode as open(2)
 * takes it. -1 with errno; then *name may be NULL (SR_NOMEM in err). */
int sr_temporary_create(char **name, int *fd, const char *target, unsigned mode, struct sr_error *err);

/* The same for a folder, for what is made of several files or looked at before it gets its name; those of
 * writers that are no more are swept first. *fd is open and holds its lock. Ended by sr_temporary_folder_end,
 * or where it has become the target by forgetting it, free and close. SR_IO or SR_NOMEM with a message. */
int sr_temporary_folder(char **name, int *fd, const char *target, unsigned mode, struct sr_error *err);

/* True for a path whose last name is that of a temporary file or folder of this process, not forgotten. */
bool sr_temporary_is(const char *path);

/* To be called once the file or folder has another name or is gone. Any thread. */
void sr_temporary_forget(const char *name);

/* Removes the folder and the files in it, closes fd, frees name. A name of NULL is fine. */
void sr_temporary_folder_end(char *name, int fd);

/* Removes all that is created and not forgotten: for a signal's handler, which may call what this calls. At
 * most 32 are known at a time; more would be left. */
void sr_temporary_remove_all(void);

/* Removes what writers of this target that are no more have left: names of its own pattern, whose process is
 * gone and whose lock is free, so that a writer in another container or on another machine is left alone. */
void sr_temporary_sweep(const char *target);

/* The same for n names of a folder whose writers hold its lock, which is the caller's now: whether a process
 * of that number lives is no matter, the lock of the file alone is. */
void sr_temporary_sweep_names(const char *folder, const char *const *names, size_t n);

#endif
