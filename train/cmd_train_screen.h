/* cmd_train_screen.h: everything `saferoute train` shows: plan, progress, epochs, summary.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_TRAIN_SCREEN_H
#define SR_CMD_TRAIN_SCREEN_H

#include "train/loop.h"

/* What the display needs to know between calls. */
struct sr_display {
    double began;    /* clock at the first step here */
    double done;     /* epochs, and part of one, done before that */
    double deadline; /* clock; 0: none */
    double warm;     /* clock when the first WARM_STEPS steps were over */
    int64_t steps;   /* done here */
};

/* True once the deadline is over. */
bool sr_display_time_is_up(const struct sr_display *d);

/* Set to now, before the first step of a run. */
void sr_display_begin(struct sr_display *d, const struct sr_trainer *t);

/* For struct sr_watch; user is a struct sr_display. */
void sr_display_step(void *user, const struct sr_trainer *t, double loss);
void sr_display_epoch(void *user, const struct sr_trainer *t, bool is_best);

/* How fast training was here, and how much of its time it waited for data. */
void sr_display_speed(const struct sr_trainer *t);

/* For sr_feed_open. */
void sr_display_scan(void *user, double fraction);

/* The first line: what of the machine is used, and who says so. Sets the number of threads. */
void sr_display_machine(const struct sr_config *c);

void sr_display_settings(const struct sr_options *o);
void sr_display_plan(const struct sr_trainer *t, const struct sr_options *o);

/* The summary of a run folder on stdout. */
int sr_display_summary(const struct sr_run *run, const struct sr_config *c, struct sr_error *err);

#endif
