/* checkpoint.h: a run on disk: weights to ship, and checkpoints to go on from.
 *
 * Both are safetensors files; see "Files" in the README. They hold no clock, host, path or thread count, so
 * that a run that was interrupted ends in the same bytes as one that was not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CHECKPOINT_H
#define SR_CHECKPOINT_H

#include "nn/nn.h"
#include "train/history.h"
#include "train/identity.h"
#include "train/provenance.h"

/* Where a run is. */
struct sr_position {
    int64_t step;     /* optimiser steps done */
    int64_t epoch;    /* whole epochs done */
    int64_t batch;    /* batches done of the epoch that is running */
    int64_t rows;     /* rows drawn in it */
    int64_t best;     /* row of the history, from 1, that is the best so far; 0: none yet */
    int64_t finished; /* 1: nothing left to do */
    double loss_sum;  /* over those rows */
};

/* Everything that a checkpoint holds; pointers borrowed. */
struct sr_state {
    struct sr_model *model;
    real *exp_avg, *exp_avg_sq; /* [model->n_params] */
    struct sr_position at;
    struct sr_history history;
};

int sr_checkpoint_save(const char *path, const struct sr_state *s, const struct sr_identity *id,
                       struct sr_error *err);

/* Fills s (the model must have the right shape). SR_NOINPUT: no checkpoint. SR_DATA: damaged, or another
 * model. SR_USAGE: other settings or other data than `id`; says which. warning (256 bytes) gets a sentence,
 * or "", if the numbers were made by another BLAS core or instruction set. */
int sr_checkpoint_load(const char *path, struct sr_state *s, const struct sr_identity *id, char warning[256],
                       struct sr_error *err);

/* 1 if the checkpoint is of a finished run, whose position and history are then filled (free the history); 0
 * if it is not finished or there is none; negative if it is damaged. */
int sr_checkpoint_finished(const char *path, struct sr_position *at, struct sr_history *history,
                           struct sr_error *err);

/* Weights: the n tensors of a state dict and the metadata of "Files", with the contract of the training data
 * and the metrics of the given epoch. There is no "threshold" in them: none is chosen yet. */
int sr_weights_save(const char *path, const struct sr_tensor *tensors, size_t n, const struct sr_epoch *epoch,
                    const struct sr_identity *id, const struct sr_provenance *provenance,
                    const struct sr_data *trained_on, struct sr_error *err);

/* 1 if the weights at path were saved with this epoch's metrics, 0 if with others. Errors as in
 * sr_safetensors_open. */
int sr_weights_are(const char *path, const struct sr_epoch *epoch, struct sr_error *err);

/* SR_OK if they are; else an error that says what to do, SR_DATA if they are of another epoch or run. epoch
 * NULL: those of any. */
int sr_weights_need(const char *path, const struct sr_epoch *epoch, struct sr_error *err);

#endif
