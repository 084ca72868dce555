/* parent.h: the weights that training begins with (--init).
 *
 * A copy lies in the run folder as parent.safetensors, so that the run can be resumed and compared with them
 * whatever becomes of the original.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PARENT_H
#define SR_PARENT_H

#include "nn/nn.h"
#include "train/run_folder.h"

#define SR_PARENT_FILE "parent.safetensors"

/* The widths of the hidden layers as a setting, "1024,512,256", after checking that the weights are a
 * router's. Errors as sr_router_open. */
int sr_parent_hidden(char *text, size_t size, const char *path, struct sr_error *err);

/* SR_DATA if the weights at path do not read `width` features. */
int sr_parent_fits(const char *path, size_t width, struct sr_error *err);

/* SR_USAGE if the file at `now` holds other weights than the run's copy: a result would be compared with
 * weights that are not meant. Fine where either is missing. */
int sr_parent_same(const struct sr_run *run, const char *now, struct sr_error *err);

/* The weights an open run begins with, as `path`: its copy, or where it has none those at `from`; of a run
 * that is not open, not made yet, too. Returns path. */
const char *sr_parent_path(const struct sr_run *run, const char *from, char path[SR_RUN_PATH]);

/* The hash of the weights at path. Errors as sr_safetensors_open. */
int sr_parent_hash(char hex[65], const char *path, struct sr_error *err);

/* Copies the weights at `from`, which have that hash, into the run folder unless it has a copy. SR_USAGE if
 * that is of other weights, SR_DATA if those at `from` have changed. */
int sr_parent_keep(const struct sr_run *run, const char *from, const char *hash, struct sr_error *err);

/* Opens the copy. Close with sr_safetensors_close. */
int sr_parent_open(struct sr_safetensors **out, const struct sr_run *run, struct sr_error *err);

#endif
