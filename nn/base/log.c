/* log.c: lines for people, and the progress bar; see log.h.
 *
 * A bar is one line without a newline; the next line overwrites it. Nothing waits for a slow terminal more
 * often than ten times a second.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "nn/base/alloc.h"
#include "nn/base/log.h"
#include "nn/base/stream.h"
#include "nn/base/utf8.h"

#define LINE_MOST      16384 /* bytes; a list of many files may be long */
#define BAR_WIDTH      20
#define BAR_SECONDS    0.1 /* between two drawings */
#define SETTLE_SECONDS 2   /* before a time left is told */
#define LINE_SECONDS   30  /* between lines of a stage where there is no bar */

static int file = -1;                 /* descriptor */
static char *file_path, trouble[400]; /* trouble: of the first log that could not be written */
static bool bar_drawn;
static double bar_time;

double sr_log_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool sr_log_is_terminal(void) {
    return isatty(STDERR_FILENO) == 1;
}

static bool coloured(void) {
    const char *no = getenv("NO_COLOR");
    return !(no && *no) && sr_log_is_terminal();
}

static void bar_remove(void) {
    if (bar_drawn)
        fputs("\r\033[K", stderr);
    bar_drawn = false;
}

static void stamp(char text[32]) {
    const time_t now = time(NULL);
    struct tm local;
    if (!localtime_r(&now, &local) || !strftime(text, 32, "%Y-%m-%dT%H:%M:%S%z", &local))
        text[0] = '\0';
}

static void file_trouble_note(void) {
    if (!trouble[0])
        snprintf(trouble, sizeof trouble, "%.300s is not whole (all else is): %s", file_path,
                 strerror(errno));
}

static void file_close(void) {
    if (file >= 0 && close(file) < 0 && errno != EINTR)
        file_trouble_note();
    file = -1;
    sr_free(file_path);
    file_path = NULL;
}

int sr_log_file(const char *path, struct sr_error *err) {
    file_close();
    if (!path)
        return SR_OK;
    file_path = sr_strdup(path, err);
    if (!file_path)
        return SR_NOMEM;
    file = sr_stream_descriptor(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK,
                                0666); /* not to wait at a pipe */
    return file < 0 ? sr_fail(err, SR_IO, "cannot write %s: %s", path, strerror(errno)) : SR_OK;
}

int sr_log_end(struct sr_error *err) {
    file_close();
    const int status = trouble[0] ? sr_fail(err, SR_IO, "%s", trouble) : SR_OK;
    trouble[0] = '\0';
    return status;
}

static void file_line(const char *label, const char *text) {
    char when[32], whole[LINE_MOST + 64];
    stamp(when);
    const int n = snprintf(whole, sizeof whole, "%s %s%s\n", when, label, text);
    if (!sr_stream_put(file, whole, (size_t)n))
        file_trouble_note();
}

/* label is what a line begins with, in colour. Names and metadata of strangers go through here: what would
 * steer the terminal becomes '?'. */
static void line(const char *label, const char *colour, const char *format, va_list arguments) {
    char raw[LINE_MOST], text[LINE_MOST];
    vsnprintf(raw, sizeof raw, format, arguments);
    sr_utf8_clean(text, sizeof text, raw);
    bar_remove();
    if (*label)
        fprintf(stderr, coloured() ? "%s%s\033[0m" : "%.0s%s", colour, label);
    fprintf(stderr, "%s\n", text);
    if (file >= 0)
        file_line(label, text);
}

void sr_log_info(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line("", "", format, arguments);
    va_end(arguments);
}

void sr_log_warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line("warning: ", "\033[33m", format, arguments);
    va_end(arguments);
}

void sr_log_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    line("error: ", "\033[31m", format, arguments);
    va_end(arguments);
}

static int terminal_width(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void sr_log_progress(double fraction, const char *format, ...) {
    static const char full[] = "####################", empty[] = "....................";
    const double now = sr_log_clock();
    if (!sr_log_is_terminal() || (bar_drawn && now - bar_time < BAR_SECONDS))
        return;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fraction = fraction > 0 ? fraction < 1 ? fraction : 1 : 0;
    const int done = (int)(fraction * BAR_WIDTH), room = terminal_width() - BAR_WIDTH - 9;
    fprintf(stderr, "\r[%.*s%.*s] %3.0f %% %.*s\033[K", done, full, BAR_WIDTH - done, empty, 100 * fraction,
            room > 0 ? room : 0, text);
    fflush(stderr);
    bar_drawn = true;
    bar_time = now;
}

struct sr_log_stage sr_log_stage_begin(const char *name) {
    const double now = sr_log_clock();
    return (struct sr_log_stage){.name = name, .began = now, .last_line = now};
}

void sr_log_stage_show(void *user, double fraction) {
    struct sr_log_stage *stage = user;
    const double now = sr_log_clock(), left = (now - stage->began) * (1 - fraction) / fraction;
    char text[24];
    sr_log_duration(left, text);
    if (now - stage->began < SETTLE_SECONDS) /* too soon to tell */
        sr_log_progress(fraction, "%s", stage->name);
    else
        sr_log_progress(fraction, "%s, %s left", stage->name, text);
    if (sr_log_is_terminal() || now - stage->last_line < LINE_SECONDS)
        return;
    stage->last_line = now;
    sr_log_info("%s: %.0f %%, %s left", stage->name, 100 * fraction, text);
}

const char *sr_log_duration(double seconds, char text[24]) {
    const double limited = seconds > 0 ? seconds < 3.6e9 ? seconds : 3.6e9 : 0;
    const unsigned s = (unsigned)(limited + 0.5);
    if (s < 60)
        snprintf(text, 24, "%u s", s);
    else if (s < 3600)
        snprintf(text, 24, "%u min %02u s", s / 60, s % 60);
    else
        snprintf(text, 24, "%u h %02u min", s / 3600, s / 60 % 60);
    return text;
}
