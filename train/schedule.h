/* schedule.h: the learning rate of an epoch: cosine with warm restarts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SCHEDULE_H
#define SR_SCHEDULE_H

#include <stdint.h>

struct sr_schedule {
    double lr, eta_min; /* highest and lowest */
    uint64_t t0;        /* epochs of the first cycle, >= 1 */
    uint64_t t_mult;    /* each cycle is this many times as long as the one before, >= 1 */
};

/* Learning rate of epoch 0, 1, ... */
double sr_schedule_lr(const struct sr_schedule *s, uint64_t epoch);

#endif
