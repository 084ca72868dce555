/* column.c: columns of a dump. See column.h.
 *
 * Nothing is guessed: a dataset goes by the contract's name, an alias, or the name the caller gives, and two
 * aliases at once are refused. Numbers are read as double, which holds every float, 0, 1 and -1 of every
 * integer type as they are, while the largest unsigned integers stay apart from -1.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/column.h"

#include <math.h>
#include <string.h>

#include "data/role.h"

int sr_column_missing(const struct sr_dump *d, const char *name, const char *also, struct sr_error *err) {
    char there[200];
    sr_h5_list(d->file, there, sizeof there);
    return sr_fail(err, SR_DATA, "%s: no dataset /%s%s; the file holds: %s", d->path, name, also, there);
}

int sr_column_kind(const struct sr_dump *d, const char *name, const struct sr_h5_info *info,
                   const char *wanted, struct sr_error *err) {
    return sr_fail(err, SR_DATA, "%s: /%s holds %s, but %s are needed", d->path, name, info->type, wanted);
}

int sr_column_named(const struct sr_dump *d, const char *given, struct sr_error *err) {
    return given && !sr_h5_has(d->file, given) ? sr_column_missing(d, given, "", err) : 0;
}

int sr_column_dataset(const char **found, const struct sr_dump *d, const char *given,
                      const char *const *names, struct sr_error *err) {
    *found = NULL;
    if (given) {
        *found = given;
        return sr_column_named(d, given, err);
    }
    if (sr_h5_has(d->file, names[0])) {
        *found = names[0];
        return 0;
    }
    for (const char *const *name = names + 1; *name; name++) {
        if (!sr_h5_has(d->file, *name))
            continue;
        if (*found)
            return sr_fail(err, SR_DATA, "%s: both /%s and /%s could be the %s; say which with --%s NAME",
                           d->path, *found, *name, names[0], names[0]);
        *found = *name;
    }
    return 0;
}

int sr_column_find(struct sr_column *c, const struct sr_dump *d, const char *given, const char *name,
                   struct sr_error *err) {
    const char *const names[] = {name, NULL};
    int status = sr_column_dataset(&c->name, d, given, names, err);
    if (status == 0 && c->name)
        status = sr_h5_info(d->file, c->name, &c->info, err);
    if (status < 0 || !c->name)
        return status;
    const struct sr_h5_info *info = &c->info;
    if (info->rank != 1 && !(info->rank == 2 && info->shape[1] == 1))
        return sr_fail(err, SR_DATA, "%s: /%s has rank %d, but a column has one value a row (rank 1)",
                       d->path, c->name, info->rank);
    if (info->shape[0] != d->rows)
        return sr_fail(err, SR_DATA,
                       "%s: /%s has %llu rows, the features have %zu; they must be the same rows", d->path,
                       c->name, (unsigned long long)info->shape[0], d->rows);
    return 0;
}

int sr_column_numbers(double **out, const struct sr_dump *d, const struct sr_column *c, bool integers,
                      const char *wanted, struct sr_error *err) {
    const enum sr_h5_kind kind = c->info.kind;
    bool fits = kind == SR_H5_HALF || kind == SR_H5_BFLOAT || kind == SR_H5_FLOAT ||
                (kind == SR_H5_INTEGER && integers);
    if (!fits)
        return sr_column_kind(d, c->name, &c->info, wanted, err);
    *out = sr_alloc(d->rows, sizeof **out, err);
    return *out ? sr_h5_read_doubles(d->file, c->name, *out, d->rows, err) : SR_NOMEM;
}

static int to_binary(uint8_t *out, const double *value, const struct sr_dump *d, const char *name,
                     struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    for (size_t i = 0; i < d->rows; i++) {
        bool unknown = isnan(value[i]) || value[i] == -1;
        if (!unknown && value[i] != 0 && value[i] != 1)
            return sr_fail(err, SR_DATA,
                           "%s: /%s row %zu is %s; only 0, 1 and, where it is not known, -1 or NaN are "
                           "allowed",
                           d->path, name, i, sr_decimal(text, value[i]));
        out[i] = unknown ? SR_UNKNOWN : value[i] == 1;
    }
    return 0;
}

int sr_column_binary(uint8_t **out, const struct sr_dump *d, const char *given, const char *name,
                     struct sr_error *err) {
    struct sr_column c;
    double *value = NULL;
    int status = sr_column_find(&c, d, given, name, err);
    if (status < 0 || !c.name)
        return status;
    status = sr_column_numbers(&value, d, &c, true, "integers, bools or floats 0 and 1", err);
    if (status == 0) {
        *out = sr_alloc(d->rows, 1, err);
        status = *out ? to_binary(*out, value, d, c.name, err) : SR_NOMEM;
    }
    sr_free(value);
    return status;
}
