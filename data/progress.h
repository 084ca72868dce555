/* progress.h: a part of the way, from..to, of somebody's progress.
 *
 *     struct sr_progress_part first = {progress, user, 0, .8}, second = {progress, user, .8, 1};
 *     work(..., sr_progress_part_show, &first); ...
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PROGRESS_H
#define SR_PROGRESS_H

struct sr_progress_part {
    void (*progress)(void *user, double fraction); /* or NULL: nobody looks */
    void *user;
    double from, to;
};

/* fraction: of the part. user: a struct sr_progress_part. */
static inline void sr_progress_part_show(void *user, double fraction) {
    const struct sr_progress_part *p = user;
    if (p->progress)
        p->progress(p->user, p->from + fraction * (p->to - p->from));
}

#endif
