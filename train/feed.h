/* feed.h: the rows a run trains and validates on: dumps opened, scanned, split, and fed as batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FEED_H
#define SR_FEED_H

#include "data/data.h"
#include "train/config.h"

/* Some rows of a set: those that can be used, whose features are finite and whose label is known. */
struct sr_part {
    struct sr_data *data; /* borrowed */
    const uint64_t *hash; /* [data->rows], of the scan; borrowed */
    uint32_t *row;        /* [n] ascending */
    size_t n, positives;
    size_t unlabelled; /* rows left out for their label alone */
};

struct sr_feed {
    struct sr_data *train_data,
        *val_data; /* val_data is NULL when the validation rows are held out of train_data */
    struct sr_scan train_scan, val_scan; /* val_scan empty in that case */
    struct sr_part train, val;
    struct sr_overlap known; /* validation rows whose features are a training row's */
    char warning[256];       /* "" if there is none */
};

/* Opens, keeps in memory what fits, scans, checks and splits. Errors as in data.h; SR_DATA also for bad rows
 * (unless they are to be skipped), for a part without positives or without negatives, for widths and
 * contracts that differ. progress as in sr_data_scan. Free with sr_feed_close, also after a failure. */
int sr_feed_open(struct sr_feed *f, const struct sr_config *c, void (*progress)(void *user, double fraction),
                 void *user, struct sr_error *err);
void sr_feed_close(struct sr_feed *f);

/* data_id of the validation set: its own, or the training set's when rows are held out of it. */
const char *sr_feed_val_id(const struct sr_feed *f);

/* Hash of everything a result depends on that the data_id does not say: every feature, which rows train and
 * which validate, the training rows' weights, by_file the files they are in, and the validation columns that
 * a summary reports on. */
void sr_feed_rows_hash(const struct sr_feed *f, bool by_file, char hex[65]);

/* What data.json says: rows, bad rows, classes, data_id of both, mean and deviation of the features. The
 * caller frees the tree. */
struct sr_json *sr_feed_json(const struct sr_feed *f);

#endif
