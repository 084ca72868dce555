/* text_stream.h: a stream whose text ends up in memory, whole or not at all.
 *
 *     struct sr_text_stream t;
 *     if (sr_text_stream_open(&t, err) < 0) return SR_NOMEM;
 *     fprintf(t.stream, "%d rows", rows);                     // no check
 *     char *text = sr_text_stream_close(&t, err);             // one here: NULL if a byte of it was lost
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEXT_STREAM_H
#define SR_TEXT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "nn/base/error.h"

struct sr_text_stream {
    FILE *stream;
    char *text; /* what has been written out of the stream's buffer */
    size_t size, room;
    bool failed;
};

/* t must stay where it is until it is closed. SR_NOMEM. */
int sr_text_stream_open(struct sr_text_stream *t, struct sr_error *err);

/* Closes the stream. The text with a NUL behind it, free with sr_free; NULL with SR_NOMEM in err if memory
 * was missing for any of it, or t could not be opened. */
char *sr_text_stream_close(struct sr_text_stream *t, struct sr_error *err);

#endif
