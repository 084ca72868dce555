/* summary.h: what a finished training has to say: the first screen, and what was gained and forgotten.
 *
 * The best weights are scored on the validation rows by the code that ships, beside the weights training
 * began with where there are any. The result is kept in the run folder as summary.txt and summary.json, so
 * that a finished run needs its data no more. Nothing in them depends on a clock, a path or the number of
 * threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SUMMARY_H
#define SR_SUMMARY_H

#include "train/checkpoint.h"
#include "train/config.h"
#include "train/feed.h"
#include "train/run_folder.h"

#define SR_SUMMARY_TEXT "summary.txt"
#define SR_SUMMARY_JSON "summary.json"

#define SR_SUMMARY_BYTES ((size_t)64 << 20) /* neither is larger */

/* Line of summary.txt behind which the less important part begins, with the ends of lines around it. */
#define SR_SUMMARY_MORE "\n---\n"

/* Scores and writes both files, summary.json last: where it is, both are. history holds the row of the best
 * epoch. */
int sr_summary_write(const struct sr_run *run, const struct sr_config *c, struct sr_feed *feed,
                     const struct sr_position *at, const struct sr_history *history, struct sr_error *err);

/* 1 if both files are there, whole, and of that best epoch; 0 if they are to be written anew. SR_IO,
 * SR_NOMEM. */
int sr_summary_look(const struct sr_run *run, const struct sr_epoch *best, struct sr_error *err);

/* Removes both files. */
void sr_summary_remove(const struct sr_run *run);

#endif
