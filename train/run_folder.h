/* run_folder.h: the folder of a run.
 *
 * It appears whole, with the settings, data and weights it begins with said in it, or not at all, and is
 * locked while a process works on it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_RUN_FOLDER_H
#define SR_RUN_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/base/base.h"

#define SR_RUN_PATH 4096

struct sr_run {
    char folder[SR_RUN_PATH];
    int lock; /* file descriptor of the folder */
};

/* SR_USAGE if there is something at that path already: asked early, before a long look through the data. */
int sr_run_absent(const char *folder, struct sr_error *err);

/* Makes the folder (and its parents) with what fill(user, run, err) puts into it, which is config.yaml at
 * least; meanwhile run->folder has a temporary name. SR_USAGE if it exists already. */
int sr_run_create(struct sr_run *run, const char *folder,
                  int (*fill)(void *user, const struct sr_run *run, struct sr_error *err), void *user,
                  struct sr_error *err);

/* Opens an existing one and removes temporary files of a killed process. SR_NOINPUT: no such run. SR_USAGE:
 * another process works on it. */
int sr_run_open(struct sr_run *run, const char *folder, struct sr_error *err);
void sr_run_close(struct sr_run *run);

/* The files of a run, and of the folder above the runs of several seeds. */
#define SR_RUN_FILES 13
extern const char *const sr_run_files[SR_RUN_FILES];

/* FOLDER/name into path. Returns path. */
const char *sr_run_file(const struct sr_run *run, const char *name, char path[SR_RUN_PATH]);

/* No checkpoint was ever written, as far as the folder tells: nothing has its name, nor is there what is
 * written behind the first one. */
bool sr_run_unsaved(const struct sr_run *run);

/* The file's whole content, atomically; one that holds these bytes already is left as it is, so that a
 * finished run asks for nothing but to be read. */
int sr_run_write(const struct sr_run *run, const char *name, const void *bytes, size_t size,
                 struct sr_error *err);

/* Appends a line to timing.csv (with a header if it is new). */
int sr_run_timing(const struct sr_run *run, long long epoch, double seconds, double rows_per_second,
                  double waited, struct sr_error *err);

#endif
