/* atomic_file.h: a file that is either the old one or the whole new one.
 *
 * Bytes go to a temporary file beside the target; commit does fsync, rename over the target, fsync of the
 * folder. Until then, and after any failure, the target is untouched and the temporary file is removed. (A
 * process that is killed leaves its temporary file behind, for the next writer of the target to remove; see
 * temporary.h, also for what a signal's handler can do.) A file that is replaced keeps its mode. A symbolic
 * link stays one and its destination is replaced; a link that leads nowhere and what is no regular file (a
 * folder, a device) are refused.
 *
 *     struct sr_atomic_file *f;
 *     if (sr_atomic_file_open(&f, "out.csv", err) < 0) return err->status;
 *     fprintf(sr_atomic_file_stream(f), "...");
 *     return sr_atomic_file_commit(f, err);         // frees f, whether it succeeds or not
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ATOMIC_FILE_H
#define SR_ATOMIC_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nn/base/error.h"

struct sr_atomic_file;

int sr_atomic_file_open(struct sr_atomic_file **out, const char *path, struct sr_error *err);

/* The same; a file that is new may be read by no more people than the file `like` (NULL: the umask decides).
 */
int sr_atomic_file_open_like(struct sr_atomic_file **out, const char *path, const char *like,
                             struct sr_error *err);

/* Whether that could be done now, as far as rights tell (not: a full disk, a sticky folder): its folder is
 * there and may be written to. For what works for long before it writes. Of a path that is a folder: files in
 * it. SR_IO, SR_NOMEM. */
int sr_atomic_file_possible(const char *path, struct sr_error *err);

/* The stream to write to. Write errors need not be checked one by one: commit does. */
FILE *sr_atomic_file_stream(struct sr_atomic_file *f);

/* The temporary file's path, for libraries that write by name (HDF5). Close their handle before commit. */
const char *sr_atomic_file_path(const struct sr_atomic_file *f);

/* Makes the target the new file and frees f. SR_IO on any failure, with the target as it was; only if nothing
 * but the last fsync, that of the folder, meets a disk error (EIO, ENOSPC, EDQUOT) it is the new one already,
 * and the message says so. A file system that does not offer fsync on folders, or a folder that may not be
 * opened, is no failure, see sr_atomic_file_unsynced. */
int sr_atomic_file_commit(struct sr_atomic_file *f, struct sr_error *err);

/* Does now what commit would do first: all bytes are on disk, and the stream is gone. What is left can still
 * fail, but seldom does: of several files all are sealed before the first is committed. SR_IO; discard f. */
int sr_atomic_file_seal(struct sr_atomic_file *f, struct sr_error *err);

/* Commits several, NULLs among them left out: all targets are new, or after a failure all as they were, where
 * the file system can exchange two files at once (RENAME_EXCHANGE; nearly all of Linux), but for a failure to
 * sync their folder, behind which all are new. Frees all. */
int sr_atomic_file_commit_all(struct sr_atomic_file **f, size_t n, struct sr_error *err);

/* Makes a rename to path last, as commit does for its own. SR_IO as there. */
int sr_rename_sync(const char *path, struct sr_error *err);

/* Gives the file `from` the name `to` unless there is a file of that name: of two that want it one gets it.
 * SR_USAGE where there is one; `from` may be left then, and after other failures. Synced like sr_rename_sync.
 */
int sr_rename_new(const char *from, const char *to, struct sr_error *err);

/* The first folder of this process that could not be synced, and why ("/mnt/x: Invalid argument"), or NULL:
 * what was written there is whole, but a power failure soon after may bring the old files back. Any thread.
 */
const char *sr_atomic_file_unsynced(void);

/* Removes the temporary file and frees f. NULL is fine. */
void sr_atomic_file_discard(struct sr_atomic_file *f);

/* The common case: the file's whole content in one buffer. */
int sr_atomic_file_write(const char *path, const void *bytes, size_t size, struct sr_error *err);

#endif
