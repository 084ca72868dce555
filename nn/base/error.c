/* error.c: statuses and messages; see error.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nn/base/error.h"

/* Names in a file of strangers are in messages, and must not move the cursor of who reads them. */
static void clean(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

int(sr_fail)(struct sr_error *err, int status, const char *format, ...) {
    if (!err)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    clean(err->text);
    err->status = status;
    return status;
}

void sr_error_rename(struct sr_error *err, const char *from, const char *to) {
    char before[SR_ERROR_TEXT], name[SR_ERROR_TEXT], rest[SR_ERROR_TEXT];
    if (!err || !*from || strlen(from) >= sizeof before)
        return;
    snprintf(before, sizeof before, "%s", from);
    snprintf(name, sizeof name, "%s", to);
    clean(before); /* as it is in the message */
    clean(name);
    for (char *at = err->text; (at = strstr(at, before)); at += strnlen(name, strlen(at))) {
        snprintf(rest, sizeof rest, "%s", at + strlen(before));
        snprintf(at, (size_t)(err->text + sizeof err->text - at), "%s%s", name, rest);
    }
}

static struct sr_error noted; /* written once, under the lock, and never changed after */
static pthread_mutex_t noted_lock = PTHREAD_MUTEX_INITIALIZER;

void sr_error_note(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&noted_lock);
    if (noted.status == 0) {
        noted.status = status;
        vsnprintf(noted.text, sizeof noted.text, format, arguments);
    }
    pthread_mutex_unlock(&noted_lock);
    va_end(arguments);
}

const struct sr_error *sr_error_noted(void) {
    pthread_mutex_lock(&noted_lock);
    const struct sr_error *found = noted.status < 0 ? &noted : NULL;
    pthread_mutex_unlock(&noted_lock);
    return found;
}

int sr_errno_status(int why, int otherwise) {
    return why == ENOMEM ? SR_NOMEM : otherwise;
}

const char *sr_errno_text(int why) {
    return why == ENOMEM ? "out of memory" : strerror(why);
}

int sr_fail_io(struct sr_error *err, const char *what, const char *path) {
    return sr_fail(err, sr_errno_status(errno, SR_IO), "cannot %s %s: %s", what, path,
                   errno ? sr_errno_text(errno) : "an earlier read or write failed; is the disk full?");
}

int sr_status_exit(int status) {
    switch (status) {
#define X(name, value, exit_status, meaning)                                                                 \
    case value:                                                                                              \
        return exit_status;
        SR_STATUS_LIST(X)
#undef X
    default:
        return 70;
    }
}
