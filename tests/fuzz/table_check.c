/* table_check.c: a file of rows bound to the columns of a dump and read to its end, as `data convert` does.
 * What was accepted has in every column as many values as there are rows, each one that a dump may hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

#include <math.h>
#include <string.h>

#include "data/data.h"
#include "data/role.h"
#include "data/table.h"

#define ROWS_MOST 4096 /* a file of few bytes does not have more that are worth reading */

static bool may_hold(enum sr_form form, double x) {
    if (form == SR_FORM_WEIGHT)
        return isfinite(x) && x >= 0;
    if (form == SR_FORM_BINARY)
        return isnan(x) || x == 0 || x == 1;
    return isnan(x) || (x >= 0 && x <= 1);
}

static void check_column(const struct sr_field *f, size_t rows) {
    const enum sr_form form = sr_field_form(f);
    FUZZ_CHECK(f->rows == rows, "%s has %zu values, the file %zu rows", sr_field_role(f), f->rows, rows);
    for (size_t i = 0; i < rows; i++)
        if (sr_field_is_text(f))
            FUZZ_CHECK(f->begin[i] + strlen(sr_field_at(f, i)) < f->used, "%s of row %zu is not in its block",
                       sr_field_role(f), i);
        else
            FUZZ_CHECK(may_hold(form, f->number[i]), "%s of row %zu is %g", sr_field_role(f), i,
                       f->number[i]);
}

static int bind_columns(struct sr_table *t, struct sr_field *f, int only, struct sr_error *err) {
    int status = 0;
    for (int role = 0; role < SR_ROLES && status == 0; role++) {
        f[role].role = (enum sr_role)role;
        f[role].required = role == only;
        if (only == SR_ROLES || role == only)
            status = sr_table_bind(t, &f[role], err);
    }
    return status;
}

static int read_all(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    int got = 0;
    size_t rows = 0;
    char left[SR_CONVERT_LEFT];
    while (rows < ROWS_MOST && (got = sr_table_read(t, 100, err)) > 0) {
        const struct sr_field *x = &f[SR_ROLE_FEATURES];
        FUZZ_CHECK(got <= 100, "%d rows, asked for 100", got);
        FUZZ_CHECK(!x->name || x->rows == (size_t)got, "features have %zu rows of %d", x->rows, got);
        FUZZ_CHECK(!x->name || (x->width > 0 && x->width <= SR_DATA_WIDTH_MAX), "width %zu", x->width);
        rows += (size_t)got;
    }
    if (got < 0)
        return got;
    FUZZ_CHECK(t->taken == rows, "%zu rows taken, %zu given", t->taken, rows);
    for (int role = 0; role < SR_ROLES; role++)
        if (role != SR_ROLE_FEATURES && f[role].name)
            check_column(&f[role], rows);
    if (t->ops->left) {
        const int status = t->ops->left(t, left, sizeof left, err);
        if (status < 0)
            return status;
        FUZZ_CHECK(memchr(left, '\0', sizeof left), "what is left has no end");
    }
    FUZZ_CHECK(!(sr_table_fraction(t) < 0), "a fraction below 0");
    return 0;
}

/* Every column that the file has, or the one of a role alone, which it must have (SR_ROLES: every one). */
static void read_table(const char *path, int role) {
    static const struct sr_table_how how = {.feature_prefix = "f"};
    struct sr_error err = {0};
    struct sr_table *t = NULL;
    struct sr_field f[SR_ROLES];
    memset(f, 0, sizeof f);
    int status = sr_table_open(&t, path, &how, &err);
    if (status == 0)
        status = bind_columns(t, f, role, &err);
    if (status == 0)
        status = read_all(t, f, &err);
    fuzz_accepted(status, &err);
    sr_table_close(t);
    for (size_t i = 0; i < SR_ROLES; i++)
        sr_field_free(&f[i]);
}

void fuzz_rows(const char *path) {
    read_table(path, SR_ROLES);
}

void fuzz_csv(const uint8_t *data, size_t size) {
    read_table(fuzz_file_named(data, size, ".csv"), SR_ROLES);
}

void fuzz_jsonl(const uint8_t *data, size_t size) {
    read_table(fuzz_file_named(data, size, ".jsonl"), SR_ROLES);
}

void fuzz_lines(const uint8_t *data, size_t size) {
    const char *path = fuzz_file_named(data, size, ".txt");
    read_table(path, SR_ROLE_SOURCE);
    read_table(path, SR_ROLE_LABEL);
}

/* Dumps are left to fuzz_h5. */
void fuzz_columns(const uint8_t *data, size_t size) {
    if (memmem(data, size, SR_HDF5_MAGIC, 8))
        return;
    read_table(fuzz_file_named(data, size, ".safetensors"), SR_ROLES);
    read_table(fuzz_folder(), SR_ROLES); /* the hidden states of a request */
}
