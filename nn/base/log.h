/* log.h: lines for people, on stderr, and a progress bar.
 *
 * Only commands (cmd_*.c) call this; libraries report through return values and callbacks. Results go to
 * stdout by printf; progress, warnings and errors go here. NO_COLOR and a stderr that is not a terminal
 * switch colour off; a progress bar is drawn on a terminal only; elsewhere commands log plain lines now and
 * then. Calls from one thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_LOG_H
#define SR_LOG_H

#include <stdbool.h>

#include "nn/base/error.h"

/* Also appends every later line, with a time stamp, to the file at path; NULL closes it. */
int sr_log_file(const char *path, struct sr_error *err);

/* Closes it. SR_IO if a line could not be written into it, or into one before: that stops nothing when it
 * happens, for a run of hours is worth more than its log. */
int sr_log_end(struct sr_error *err);

void sr_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sr_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));  /* "warning: ..." */
void sr_log_error(const char *format, ...) __attribute__((format(printf, 1, 2))); /* "error: ..." */

/* True if stderr is a terminal, so that a bar can be drawn. */
bool sr_log_is_terminal(void);

/* Draws or redraws the bar: fraction in 0..1 and a short text behind it. At most ten times a second; nothing
 * if stderr is not a terminal. The next line logged removes it. */
void sr_log_progress(double fraction, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A stage of a command's work: the `progress` of a library, with the time left. A bar on a terminal, else a
 * line every half minute.
 *
 *     struct sr_log_stage stage = sr_log_stage_begin("scoring");
 *     sr_score_data(&scores, router, data, sr_log_stage_show, &stage, err);
 */
struct sr_log_stage {
    const char *name; /* borrowed */
    double began, last_line;
};
struct sr_log_stage sr_log_stage_begin(const char *name);
void sr_log_stage_show(void *stage, double fraction);

/* "3 s", "2 min 05 s", "1 h 10 min" into text. Returns text. */
const char *sr_log_duration(double seconds, char text[24]);

/* Seconds of a clock that never goes back. Logs nothing: any thread of any library may call it. */
double sr_log_clock(void);

#endif
