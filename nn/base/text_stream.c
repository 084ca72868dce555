/* text_stream.c: a stream into memory; see text_stream.h.
 *
 * Instead of open_memstream, which (glibc 2.36) loses what it finds no memory for without setting the
 * stream's error, and whose fclose then returns 0 with the text NULL: a text with a hole would be taken for a
 * whole one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/types.h>

#include "nn/base/text_stream.h"

#include "nn/base/alloc.h"

#define FIRST_ROOM 1024

static ssize_t take(void *user, const char *bytes, size_t size) {
    struct sr_text_stream *t = user;
    size_t room = t->room ? t->room : FIRST_ROOM;
    while (room <= t->size + size)
        room *= 2;
    if (room > t->room) {
        char *grown = sr_realloc(t->text, t->size, room, NULL);
        if (!grown) {
            t->failed = true;
            return 0; /* which stdio takes for an error */
        }
        t->text = grown;
        t->room = room;
    }
    memcpy(t->text + t->size, bytes, size);
    t->size += size;
    return (ssize_t)size;
}

/* ftell asks; nobody moves. */
static int place(void *user, off64_t *at, int from) {
    const struct sr_text_stream *t = user;
    if (from != SEEK_CUR || *at != 0)
        return -1;
    *at = (off64_t)t->size;
    return 0;
}

int sr_text_stream_open(struct sr_text_stream *t, struct sr_error *err) {
    *t = (struct sr_text_stream){0};
    t->stream = fopencookie(t, "w", (cookie_io_functions_t){.write = take, .seek = place});
    return t->stream ? SR_OK : sr_fail(err, SR_NOMEM, "out of memory for a text");
}

char *sr_text_stream_close(struct sr_text_stream *t, struct sr_error *err) {
    const bool opened = t->stream, written = opened && fputc('\0', t->stream) != EOF,
               closed = opened && fclose(t->stream) == 0;
    char *text = t->text;
    const bool whole = written && closed && !t->failed;
    *t = (struct sr_text_stream){0};
    if (whole)
        return text;
    sr_free(text);
    sr_fail(err, SR_NOMEM, "out of memory for a text");
    return NULL;
}
