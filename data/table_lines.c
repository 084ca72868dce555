/* table_lines.c: a text file with a value a line, as numpy.savetxt writes a column, as a table. See table.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/lines.h"
#include "data/table.h"

struct lines_table {
    struct sr_table t;
    struct sr_lines *lines;
};

#define OWN(table) ((struct lines_table *)(table))

static int bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    if (f->role == SR_ROLE_ID && !f->required)
        return 0; /* what has no names has no ids that could be found */
    if (sr_field_form(f) == SR_FORM_MATRIX || f->key || !f->required)
        return sr_fail(err, SR_DATA,
                       "%s: a .txt file is one column without a name, a value a line; it can be no %s",
                       t->path, f->key ? f->key : sr_field_role(f));
    f->dtype = SR_F64;
    f->name = sr_strdup(sr_field_role(f), err);
    return f->name ? 0 : SR_NOMEM;
}

static int read_rows(struct sr_table *t, size_t n, struct sr_error *err) {
    char *text;
    for (size_t i = 0; i < n; i++) {
        int status = sr_lines_next(OWN(t)->lines, &text, err);
        if (status == 0)
            return (int)i;
        t->line++;
        for (size_t k = 0; status >= 0 && k < t->fields; k++)
            status = sr_field_parse(t->field[k], t, text, err);
        if (status < 0)
            return status;
    }
    return (int)n;
}

static double fraction(const struct sr_table *t) {
    return sr_lines_fraction(((const struct lines_table *)t)->lines);
}

static void close_table(struct sr_table *t) {
    sr_lines_close(OWN(t)->lines);
    sr_free(t);
}

int sr_lines_table_open(struct sr_table **out, const char *path, struct sr_error *err) {
    static const struct sr_table_ops ops = {
        .bind = bind, .read = read_rows, .fraction = fraction, .close = close_table};
    struct lines_table *l = sr_alloc(1, sizeof *l, err);
    if (!l)
        return SR_NOMEM;
    int status = sr_table_begin(&l->t, &ops, path, err);
    if (status == 0)
        status = sr_lines_open(&l->lines, path, err);
    if (status < 0)
        sr_table_close(&l->t);
    else
        *out = &l->t;
    return status;
}
