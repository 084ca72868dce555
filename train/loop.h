/* loop.h: the training loop.
 *
 *     sr_feed_open(&feed, &config, ...);
 *     sr_trainer_open(&t, &config, &feed, &run, &identity, &watch, err);
 *     sr_train(&t, err);                       // to the end, or SR_STOPPED with a checkpoint
 *     sr_trainer_close(&t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_LOOP_H
#define SR_LOOP_H

#include <stdbool.h>

#include "train/checkpoint.h"
#include "train/config.h"
#include "infer/infer.h"
#include "train/feed.h"
#include "train/normalize.h"
#include "train/run_folder.h"

struct sr_trainer;

/* Who looks on. Calls come from the training thread, between steps. NULL functions are left out. */
struct sr_watch {
    void *user;
    void (*step)(void *user, const struct sr_trainer *t, double loss); /* after a step */
    void (*epoch)(void *user, const struct sr_trainer *t,
                  bool is_best); /* after an epoch; its row is the last */
    bool (*stop)(void *user);    /* asked after every step */
};

struct sr_trainer {
    const struct sr_config *config;
    const struct sr_run *run;
    struct sr_watch watch;
    struct sr_feed *feed;
    struct sr_identity identity;
    struct sr_provenance provenance, parent_provenance; /* of trained weights; of the parent's */
    struct sr_stats stats; /* of the training rows, measured when weights are first saved */
    struct sr_state state; /* model, moments, position, history */
    struct sr_focal loss;
    struct sr_loader *train_loader, *val_loader;
    struct sr_normalization normalization;
    struct sr_arena arena; /* what follows */
    real *folded;          /* first weight and bias of a model that reads normalized features, as saved */
    float *x;              /* [batch + 1, features]: the batch at hand, of training or validation */
    real *dlogit;          /* [batch + 1] */
    uint8_t *label;        /* [validation rows] */
    float *prob;
    double *score;
    uint8_t *decided;
    double last_checkpoint; /* clock */
    double epoch_seconds,
        rows_per_second; /* of this epoch so far, or of the one just over, in this process */
    double waited;       /* share of that time spent waiting for data */
    struct {
        double seconds, waited; /* waited: seconds too */
        int64_t rows;
    } trained;         /* in all epochs here, without validation; an epoch that was stopped is not counted */
    char warning[256]; /* from resuming; "" if none */
};

/* Makes the model and its optimiser, or takes them from the run's checkpoint if it has one, else the weights
 * from its parent.safetensors if it begins with given ones. Everything passed is borrowed until the trainer is
 * closed. SR_USAGE if the checkpoint is of another identity. Free with sr_trainer_close, also after a
 * failure. */
int sr_trainer_open(struct sr_trainer *t, const struct sr_config *config, struct sr_feed *feed,
                    const struct sr_run *run, const struct sr_identity *identity,
                    const struct sr_watch *watch, struct sr_error *err);
/* Frees the model, its moments and the batches, once training is over; position and history stay. */
void sr_trainer_release(struct sr_trainer *t);
void sr_trainer_close(struct sr_trainer *t);

/* Epoch of the best row so far; 0 also where there is none. */
int64_t sr_best_epoch(const struct sr_position *at, const struct sr_history *h);

/* Trains to the end. SR_STOPPED: asked to stop, and a checkpoint is written. SR_DATA: the loss is no longer
 * finite. A finished run returns SR_OK at once. */
int sr_train(struct sr_trainer *t, struct sr_error *err);

#endif
