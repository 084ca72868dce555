/* cmd_rows.h: what the commands that measure scored rows have in common; internal to them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_ROWS_H
#define SR_CMD_ROWS_H

#include "data/data.h"
#include "eval/eval.h"
#include "infer/infer.h"

/* clang-format off */
#define SR_BAD_ROW_OPTION(type, member) \
    {"on_bad_row", SR_OPTION_CHOICE, offsetof(type, member), .fallback = "error", .choices = "error|skip", \
     .help = "rows that cannot be scored (NaN, infinity): stop, or leave them out and count them"}
/* clang-format on */
enum sr_on_bad_row { SR_ON_BAD_ROW_STOP, SR_ON_BAD_ROW_LEAVE_OUT };

/* Rows without a score are SR_DATA, with the first of them and why; or, left out, a warning. */
int sr_rows_check(const struct sr_scoring *s, int on_bad_row, struct sr_error *err);

/* The columns of the dump and the scores, borrowed; guards where all three columns are there. */
struct sr_rows sr_rows_of(const struct sr_scoring *s);

/* What the rows scored were used for on the way to a router's weights, with a warning for each use up to the
 * last of interest. weights: "the weights"; so_what: what follows. router may be NULL. */
int sr_rows_used(struct sr_overlap used[SR_USES], const struct sr_router *router, const char *path,
                 const struct sr_scores *scores, enum sr_use last, const char *weights, const char *so_what,
                 struct sr_error *err);

#define SR_SLICES_MOST 1000 /* each is measured by itself */
/* The slices to measure: d's sources; 0, with a warning, where they are too many. */
size_t sr_rows_slices(const struct sr_data *d);

/* Scores an unlabelled dump of what is served with the router of s, with a progress bar; free with
 * sr_scores_free. data_id [65] (may be NULL) is the dump's, which takes another look through it. */
int sr_rows_traffic(struct sr_scores *out, char *data_id, const struct sr_scoring *s, const char *paths,
                    const struct sr_data_options *how, struct sr_error *err);

/* Sets "model" and "data" to the names of the files, without their folders: the same elsewhere is the same
 * text. model may be NULL. */
void sr_rows_files_json(struct sr_json *to, const char *model, const struct sr_data *d);

/* Sets "labels", where they come from, and where the verdicts of guards were cut. */
void sr_rows_labels_json(struct sr_json *to, const struct sr_data *d);
const char *sr_slices_by(const struct sr_data_options *how); /* the dataset that slices are of: "source" */

/* To stdout, with a newline behind it. */
int sr_json_print(const struct sr_json *tree, int indent, struct sr_error *err);

#endif
