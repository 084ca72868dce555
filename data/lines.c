/* lines.c: lines cut from one growing buffer. See lines.h.
 *
 * getline would do, but for its line without an end: a file of gigabytes without a line feed is refused here
 * once it is past SR_LINE_MOST, before memory is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BUFFER ((size_t)1 << 20)

struct sr_lines {
    char *path;
    FILE *from;
    double size, read; /* bytes of the file; of it read into the buffer */
    char *buffer;      /* [room + 1] */
    size_t room, begin, end;
    size_t line; /* number of the next, from 1 */
    bool ended;
};

static int open_file(struct sr_lines *l, struct sr_error *err) {
    uint64_t bytes;
    const int status = sr_file_open_any(&l->from, &bytes, l->path, err);
    if (status < 0)
        return status;
    /* The stream keeps its own buffer: without one, glibc asks a stream of ours for every byte by itself. */
    const bool small = bytes > 0 && bytes < BUFFER; /* else, or where it grows: more by make_room */
    l->size = (double)bytes;
    l->room = small ? (size_t)bytes + 1 : BUFFER;
    l->buffer = sr_alloc(l->room + 1, 1, err);
    return l->buffer ? 0 : SR_NOMEM;
}

int sr_lines_open(struct sr_lines **out, const char *path, struct sr_error *err) {
    struct sr_lines *l = sr_alloc(1, sizeof *l, err);
    if (!l)
        return SR_NOMEM;
    l->line = 1;
    l->path = sr_strdup(path, err);
    int status = l->path ? open_file(l, err) : SR_NOMEM;
    if (status < 0)
        sr_lines_close(l);
    else
        *out = l;
    return status;
}

void sr_lines_close(struct sr_lines *l) {
    if (!l)
        return;
    if (l->from)
        fclose(l->from);
    sr_free(l->path);
    sr_free(l->buffer);
    sr_free(l);
}

/* Room behind what is left of the buffer: by moving it to the front, or by more memory. */
static int make_room(struct sr_lines *l, struct sr_error *err) {
    memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    if (l->end < l->room)
        return 0;
    if (l->room >= SR_LINE_MOST)
        return sr_fail(err, SR_DATA, "%s: line %zu is longer than %zu bytes; is this a text file?", l->path,
                       l->line, SR_LINE_MOST);
    char *grown = sr_realloc(l->buffer, l->room + 1, 2 * l->room + 1, err);
    if (!grown)
        return SR_NOMEM;
    l->buffer = grown;
    l->room *= 2;
    return 0;
}

static int fill(struct sr_lines *l, struct sr_error *err) {
    const int status = make_room(l, err);
    if (status < 0)
        return status;
    const size_t got = fread(l->buffer + l->end, 1, l->room - l->end, l->from);
    if (got == 0 && ferror(l->from))
        return sr_fail(err, SR_IO, "%s: cannot be read: %s", l->path, strerror(errno));
    if (got == 0 && l->read < l->size)
        return sr_fail(err, SR_DATA, "%s became shorter while it was read", l->path);
    l->ended = got == 0;
    l->end += got;
    l->read += (double)got;
    return 0;
}

/* The line [begin, begin + length) of the buffer, to be ended with a NUL. */
static int take(struct sr_lines *l, char **text, size_t length, struct sr_error *err) {
    char *line = l->buffer + l->begin;
    l->begin += length + (l->begin + length < l->end);
    if (memchr(line, '\0', length))
        return sr_fail(err, SR_DATA, "%s: line %zu has a NUL byte; is the file UTF-16? UTF-8 is needed",
                       l->path, l->line);
    length -= length > 0 && line[length - 1] == '\r';
    line[length] = '\0';
    if (l->line++ == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    *text = line;
    return 1;
}

int sr_lines_next(struct sr_lines *l, char **text, struct sr_error *err) {
    size_t looked = 0; /* bytes known to hold no line feed */
    for (;;) {
        const size_t left = l->end - l->begin;
        const char *from = l->buffer + l->begin + looked, *feed = memchr(from, '\n', left - looked);
        if (feed)
            return take(l, text, (size_t)(feed - (l->buffer + l->begin)), err);
        if (l->ended)
            return left > 0 ? take(l, text, left, err) : 0;
        looked = left;
        const int status = fill(l, err);
        if (status < 0)
            return status;
    }
}

double sr_lines_fraction(const struct sr_lines *l) {
    return l->size > 0 ? (l->read - (double)(l->end - l->begin)) / l->size : 1;
}
