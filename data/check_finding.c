/* check_finding.c: findings written down. See check_parts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/check_parts.h"

static bool make_room(struct sr_check_private *c) {
    struct sr_check *check = c->check;
    if (check->findings < c->room)
        return true;
    const size_t room = 2 * c->room + 16;
    struct sr_finding **grown =
        sr_realloc(check->finding, c->room * sizeof *grown, room * sizeof *grown, c->err);
    if (!grown)
        return false;
    check->finding = grown;
    c->room = room;
    return true;
}

struct sr_finding *sr_check_add(struct sr_check_private *c, const char *kind, bool serious,
                                const struct sr_check_file *file) {
    struct sr_finding *f = make_room(c) ? sr_alloc(1, sizeof *f, c->err) : NULL;
    if (f) {
        c->check->finding[c->check->findings++] = f;
    } else {
        c->status = SR_NOMEM;
        f = &c->spare;
        memset(f, 0, sizeof *f);
    }
    f->kind = kind;
    f->serious = serious;
    f->path = file ? file->path : NULL;
    return f;
}

struct sr_finding *sr_check_skip(struct sr_check_private *c, const char *kind,
                                 const struct sr_check_file *file) {
    struct sr_finding *f = sr_check_add(c, kind, false, file);
    f->unchecked = true;
    return f;
}

/* Cuts half a character at the end. */
static void mend_end(char *text) {
    size_t at = 0, n;
    while (text[at]) {
        n = sr_utf8_length(text + at);
        if (n == 0 && strlen(text + at) < 4) {
            text[at] = '\0';
            return;
        }
        at += n ? n : 1;
    }
}

static void put(char text[SR_CHECK_TEXT], const char *format, va_list list) {
    if (vsnprintf(text, SR_CHECK_TEXT, format, list) >= SR_CHECK_TEXT)
        mend_end(text);
}

void sr_check_say(struct sr_finding *f, const char *format, ...) {
    va_list list;
    va_start(list, format);
    put(f->text, format, list);
    va_end(list);
}

void sr_check_advise(struct sr_finding *f, const char *format, ...) {
    va_list list;
    va_start(list, format);
    put(f->advice, format, list);
    va_end(list);
}

void sr_check_number(struct sr_finding *f, const char *name, double value) {
    if (f->numbers == SR_CHECK_NUMBERS)
        return;
    f->number[f->numbers].name = name;
    f->number[f->numbers++].value = value;
}

void sr_check_row(struct sr_finding *f, const struct sr_check_file *file, size_t row) {
    if (f->rows == SR_CHECK_ROWS)
        return;
    f->row[f->rows].path = file->path;
    f->row[f->rows].row = row;
    f->row[f->rows++].id = file->data->id ? file->data->id[row] : NULL;
}

static bool is_power_of_two(size_t n) {
    return (n & (n - 1)) == 0;
}

void sr_check_extra(struct sr_check_private *c, struct sr_finding *f, size_t row) {
    const size_t n = f->extras;
    if (f == &c->spare)
        return;
    if (is_power_of_two(n)) { /* where the block is full, or there is none */
        uint32_t *grown = sr_realloc(f->extra, n * sizeof *grown, (n ? 2 * n : 1) * sizeof *grown, c->err);
        if (!grown) {
            c->status = SR_NOMEM;
            return;
        }
        f->extra = grown;
    }
    f->extra[f->extras++] = (uint32_t)row;
}

void sr_check_finding_free(struct sr_finding *f) {
    sr_free(f->extra);
    sr_free(f);
}

const char *sr_check_id(const struct sr_check *check, const char *path, size_t row) {
    const struct sr_check_private *c = check->in;
    for (size_t i = 0; i < c->files; i++)
        if (strcmp(c->file[i].path, path) == 0)
            return c->file[i].data->id ? c->file[i].data->id[row] : NULL;
    return NULL;
}

void *sr_check_alloc(struct sr_check_private *c, size_t count, size_t size) {
    void *block = sr_alloc(count, size, c->err);
    if (!block)
        c->status = SR_NOMEM;
    return block;
}

const struct sr_check_file *sr_check_near_file(const struct sr_check_private *c, size_t row,
                                               size_t *in_file) {
    size_t s = c->near_sets - 1;
    while (row < c->file[c->near_file[s]].near_first)
        s--;
    const struct sr_check_file *f = &c->file[c->near_file[s]];
    *in_file = row - f->near_first;
    return f;
}

const char *sr_check_contract_value(const struct sr_check_file *f, const char *key) {
    for (size_t i = 0; i < f->data->contract_count; i++)
        if (strcmp(f->data->contract[i].key, key) == 0)
            return f->data->contract[i].value;
    return NULL;
}
