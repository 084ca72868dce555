/* csv.c: records of a CSV file; see csv.h.
 *
 * One pass, byte by byte through stdio's buffer, into one block that holds a record: about 2 ns a byte. What
 * RFC 4180 leaves open is refused rather than guessed at, since a field taken for another is a wrong number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/csv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define END 256 /* behind the last byte; no byte and no status */

struct sr_csv {
    char *path;
    FILE *from;
    size_t line, first_line;  /* where the reader stands; where the record began */
    char *text;               /* [room] fields of the record, each with its NUL */
    size_t room, room_fields; /* SR_CSV_BYTES and SR_CSV_FIELDS, or what a smaller file can have */
    size_t used;              /* bytes of text; may pass room, but nothing is stored there */
    uint32_t *begin;          /* [room_fields] where each begins */
    size_t fields, columns;   /* of this record; of the first, 0 before it */
    uint64_t bytes;           /* of the file; 0: nobody knows */
};

static int fail(const struct sr_csv *c, struct sr_error *err, const char *what) {
    return sr_fail(err, SR_DATA, "%s: line %zu: %s", c->path, c->first_line, what);
}

static int next_byte(struct sr_csv *c) {
    const int byte = getc_unlocked(c->from);
    c->line += byte == '\n';
    return byte == EOF ? END : byte;
}

static void put(struct sr_csv *c, int byte) {
    if (c->used < c->room)
        c->text[c->used] = (char)byte;
    c->used++;
}

/* Behind an opening quote. Returns the byte behind the closing one. */
static int read_quoted(struct sr_csv *c, struct sr_error *err) {
    for (int byte; (byte = next_byte(c)) != END && byte != '\0';) {
        if (byte == '"' && (byte = next_byte(c)) != '"')
            return byte;
        put(c, byte);
    }
    return fail(c, err, "a quote is opened and not closed");
}

/* A field whose first byte is given. Returns the byte behind it. */
static int read_plain(struct sr_csv *c, int byte) {
    for (; byte != ',' && byte != '\n' && byte != '\r' && byte != '"' && byte != '\0' && byte != END;
         byte = next_byte(c))
        put(c, byte);
    return byte;
}

/* One field. Returns what ends it: ',', '\n', END, or a negative status. */
static int read_field(struct sr_csv *c, struct sr_error *err) {
    if (c->fields == c->room_fields)
        return fail(c, err, "more fields than any table has");
    c->begin[c->fields++] = (uint32_t)c->used;
    int byte = next_byte(c);
    const bool quoted = byte == '"';
    byte = quoted ? read_quoted(c, err) : read_plain(c, byte);
    if (byte == '\r' && (byte = next_byte(c)) != '\n')
        return fail(c, err, "a carriage return without a line feed behind it");
    put(c, '\0');
    if (c->used > c->room)
        return fail(c, err, "a record of more than a megabyte; is a quote not closed?");
    if (byte < 0 || byte == ',' || byte == '\n' || byte == END)
        return byte;
    if (byte == '\0')
        return fail(c, err, "a NUL byte; is the file UTF-16? UTF-8 is needed");
    return fail(c, err,
                quoted ? "a closing quote with more of the field behind it"
                       : "a quote inside a field that does not begin with one");
}

/* A file that somebody cuts off at the end of a line looks whole, with fewer rows. */
static int check_end(const struct sr_csv *c, struct sr_error *err) {
    if ((uint64_t)ftello(c->from) < c->bytes) /* -1 is not */
        return sr_fail(err, SR_DATA, "%s became shorter while it was read", c->path);
    return 0;
}

static int read_record(struct sr_csv *c, struct sr_error *err) {
    int end;
    c->first_line = c->line;
    c->used = c->fields = 0;
    do
        end = read_field(c, err);
    while (end == ',');
    if (ferror(c->from))
        return sr_fail(err, SR_IO, "%s: cannot be read: %s", c->path, strerror(errno));
    if (end == END && check_end(c, err) < 0)
        return SR_DATA;
    if (end < 0)
        return end;
    if (c->columns == 0)
        c->columns = c->fields;
    if (c->fields != c->columns)
        return sr_fail(err, SR_DATA, "%s: line %zu has %zu fields, but the first line has %zu", c->path,
                       c->first_line, c->fields, c->columns);
    return 1;
}

int sr_csv_next(struct sr_csv *c, struct sr_error *err) {
    const int byte = getc_unlocked(c->from);
    if (byte == EOF && !ferror(c->from))
        return check_end(c, err);
    ungetc(byte, c->from);
    return read_record(c, err);
}

static void skip_byte_order_mark(FILE *from) {
    char mark[3];
    if (fread(mark, 1, 3, from) != 3 || memcmp(mark, "\xef\xbb\xbf", 3) != 0)
        rewind(from);
}

/* A small file cannot hold a long record: each of its bytes, and its end, is a byte of a field or ends one.
 */
static int make_room(struct sr_csv *c, struct sr_error *err) {
    const bool small = c->bytes > 0 && c->bytes < SR_CSV_BYTES;
    const size_t most = small ? (size_t)c->bytes + 1 : SR_CSV_BYTES;
    c->room = most;
    c->room_fields = most < SR_CSV_FIELDS ? most : SR_CSV_FIELDS;
    c->text = sr_alloc(c->room, 1, err);
    c->begin = sr_alloc(c->room_fields, sizeof *c->begin, err);
    return c->text && c->begin ? 0 : SR_NOMEM;
}

int sr_csv_open(struct sr_csv **out, const char *path, struct sr_error *err) {
    struct sr_csv *c = sr_alloc(1, sizeof *c, err);
    if (!c)
        return SR_NOMEM;
    c->line = 1;
    c->path = sr_strdup(path, err);
    int status = c->path ? sr_file_open_any(&c->from, &c->bytes, path, err) : SR_NOMEM;
    if (status == 0)
        status = make_room(c, err);
    if (status < 0) {
        sr_csv_close(c);
        return status;
    }
    skip_byte_order_mark(c->from);
    *out = c;
    return 0;
}

void sr_csv_close(struct sr_csv *c) {
    if (!c)
        return;
    if (c->from)
        fclose(c->from);
    sr_free(c->path);
    sr_free(c->text);
    sr_free(c->begin);
    sr_free(c);
}

size_t sr_csv_fields(const struct sr_csv *c) {
    return c->fields;
}

size_t sr_csv_line(const struct sr_csv *c) {
    return c->first_line;
}

const char *sr_csv_field(const struct sr_csv *c, size_t index) {
    return c->text + c->begin[index];
}

int sr_csv_column(size_t *index, const struct sr_csv *c, const char *name, struct sr_error *err) {
    *index = SR_CSV_NONE;
    for (size_t i = 0; i < c->fields; i++) {
        if (strcmp(sr_csv_field(c, i), name) != 0)
            continue;
        if (*index != SR_CSV_NONE)
            return sr_fail(err, SR_DATA, "%s: line %zu: two columns are called %s", c->path, c->first_line,
                           name);
        *index = i;
    }
    return 0;
}

double sr_csv_fraction(const struct sr_csv *c) {
    return c->bytes > 0 ? (double)ftello(c->from) / (double)c->bytes : 1;
}
