/* row_name.c: a row by name. See row_name.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/row_name.h"

#include <stdio.h>
#include <string.h>

#define HEAD 12 /* bytes kept of the two ends of what is too long */
#define TAIL 25
#define LONG (HEAD + TAIL + 3)

/* Where a character begins: the first from `at` on. */
static size_t next_character(const char *text, size_t at) {
    while (((unsigned char)text[at] & 0xc0) == 0x80)
        at++;
    return at;
}

static size_t last_character(const char *text, size_t at) {
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

/* "transformers...-row-000417" */
static const char *shorten(char to[LONG + 1], const char *text) {
    const size_t n = strlen(text);
    if (n <= LONG)
        snprintf(to, LONG + 1, "%s", text);
    else
        snprintf(to, LONG + 1, "%.*s...%s", (int)last_character(text, HEAD), text,
                 text + next_character(text, n - TAIL));
    return to;
}

const char *sr_row_name(char text[SR_ROW_NAME], const struct sr_data *d, size_t row) {
    char id[LONG + 1] = "", file[LONG + 1], place[LONG + 48] = "";
    if (d->id)
        shorten(id, d->id[row]);
    if (d->files > 1) {
        const char *path;
        size_t at;
        sr_data_locate(d, row, &path, &at);
        snprintf(place, sizeof place, "%srow %zu of %s", *id ? "; " : "", at, shorten(file, path));
    }
    if (*id || *place)
        snprintf(text, SR_ROW_NAME, "%zu (%s%s)", row, id, place);
    else
        snprintf(text, SR_ROW_NAME, "%zu", row);
    return text;
}

struct sr_json *sr_row_value(const struct sr_data *d, size_t row) {
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "row", sr_json_integer((int64_t)row));
    sr_json_set(value, "id", sr_json_string(d->id ? d->id[row] : NULL));
    if (d->files > 1) {
        const char *path;
        size_t at;
        sr_data_locate(d, row, &path, &at);
        sr_json_set(value, "file", sr_json_string(path));
        sr_json_set(value, "row_in_file", sr_json_integer((int64_t)at));
    }
    return value;
}
