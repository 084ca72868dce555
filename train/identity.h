/* identity.h: what makes two processes work on the same run.
 *
 * Written into data.json when the run's folder is made, and into every checkpoint; whoever resumes the run
 * must agree. With several seeds the folder of them all has the first one's, and each seed its own, in which
 * the seed alone makes the difference.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_IDENTITY_H
#define SR_IDENTITY_H

#include "train/feed.h"
#include "train/run_folder.h"

/* X(field and key, what to say when it differs); each is a SHA-256 in hex, or "" */
#define SR_IDENTITY_LIST(X)                                                                                  \
    X(config, "the settings in config.yaml changed since this run began")                                    \
    X(train_id, "the training data is not the data this run began with")                                     \
    X(val_id, "the validation data is not the data this run began with")                                     \
    X(rows, "the features, groups, weights or verdicts changed since this run began, or other rows train "   \
            "and validate")                                                                                  \
    X(parent, "the weights given as --init are not those this run began with")

struct sr_identity {
#define X(field, complaint) char field[65];
    SR_IDENTITY_LIST(X)
#undef X
    char products[32]; /* sr_matmul_bits; only worth a warning */
};

/* All of it but `config`, which is left empty. parent: the hash of the weights of --init, or "". */
void sr_identity_make(struct sr_identity *id, const struct sr_feed *feed, const struct sr_config *c,
                      const char *parent);

/* Writes data.json unless the run has one. */
int sr_identity_keep(const struct sr_identity *id, const struct sr_feed *feed, const struct sr_run *run,
                     struct sr_error *err);

/* SR_USAGE if the run's data.json is of another identity, SR_DATA if it is damaged. Fine where it is missing.
 */
int sr_identity_agree(const struct sr_identity *now, const struct sr_run *run, struct sr_error *err);

/* get(from, key) is what was written then, or NULL, which is SR_DATA. SR_USAGE with the complaint if it
 * differs; path is for the message. */
int sr_identity_check(const struct sr_identity *now, const char *(*get)(const void *from, const char *key),
                      const void *from, const char *path, struct sr_error *err);

/* The same for the text of a run's data.json, size bytes. SR_DATA: it is no JSON, or lacks a member. */
int sr_identity_check_json(const struct sr_identity *now, const char *text, size_t size, const char *path,
                           struct sr_error *err);

#endif
