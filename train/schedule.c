/* schedule.c: SGDR (Loshchilov and Hutter 2017, eq. 5), stepped once per epoch.
 *
 *     lr = eta_min + (lr0 - eta_min) (1 + cos(pi T_cur / T_i)) / 2
 * T_cur epochs since the last restart, T_i the length of this cycle: t0, t0*t_mult, t0*t_mult^2, ...
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "train/schedule.h"

double sr_schedule_lr(const struct sr_schedule *s, uint64_t epoch) {
    const double pi = 3.14159265358979323846;
    uint64_t since = epoch, length = s->t0;
    if (s->t_mult == 1)
        since %= length;
    while (since >= length) {
        since -= length;
        length *= s->t_mult;
    }
    return s->eta_min + (s->lr - s->eta_min) * (1 + cos(pi * (double)since / (double)length)) / 2;
}
