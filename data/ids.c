/* ids.c: rows of one file found in another by their ids. See ids.h.
 *
 * Every id gets a number in order of first appearance (names.h): a's row i has the number i unless an id of a
 * is there twice, and an id of b has a number below a.rows where a has it too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/ids.h"

#include <stdint.h>
#include <string.h>

#include "data/data.h"
#include "data/names.h"

static const char *column_text(const void *of, size_t row) {
    return ((char *const *)of)[row];
}

struct sr_ids sr_ids_of_column(const char *path, char *const *id, size_t rows) {
    return (struct sr_ids){path, rows, column_text, id, NULL};
}

static const char *data_text(const void *of, size_t row) {
    return ((const struct sr_data *)of)->id[row];
}

static void locate_in_data(const void *of, size_t row, const char **path, size_t *row_in_file) {
    sr_data_locate(of, row, path, row_in_file);
}

struct sr_ids sr_ids_of_data(const struct sr_data *d) {
    return (struct sr_ids){sr_data_path(d, 0), d->rows, data_text, d, locate_in_data};
}

static void locate(struct sr_ids ids, size_t row, const char **path, size_t *row_in_file) {
    *path = ids.path;
    *row_in_file = row;
    if (ids.locate)
        ids.locate(ids.of, row, path, row_in_file);
}

static int fail_twice(struct sr_ids ids, size_t row, struct sr_error *err) {
    const char *path, *first_path;
    size_t at, first_at, first = 0;
    while (strcmp(sr_ids_at(ids, first), sr_ids_at(ids, row)) != 0)
        first++;
    locate(ids, row, &path, &at);
    locate(ids, first, &first_path, &first_at);
    return sr_fail(err, SR_DATA,
                   "%s: row %zu: the id \"%.60s\" is there twice, first in row %zu%s%.80s, so rows cannot be "
                   "joined by id",
                   path, at, sr_ids_at(ids, row), first_at, path == first_path ? "" : " of ",
                   path == first_path ? "" : first_path);
}

static int number_a(struct sr_ids_match *m, struct sr_names *names, struct sr_ids a, struct sr_error *err) {
    int32_t number;
    for (size_t i = 0; i < a.rows; i++) {
        if (sr_names_add(names, sr_ids_at(a, i), &number, err) < 0)
            return SR_NOMEM;
        if ((size_t)number != i)
            return fail_twice(a, i, err);
        m->row[i] = SR_IDS_NONE;
    }
    return 0;
}

static int find_b(struct sr_ids_match *m, struct sr_names *names, struct sr_ids a, struct sr_ids b,
                  struct sr_error *err) {
    int32_t number;
    for (size_t i = 0; i < b.rows; i++) {
        const size_t known = names->count;
        if (sr_names_add(names, sr_ids_at(b, i), &number, err) < 0)
            return SR_NOMEM;
        const bool is_new = names->count > known;
        if (is_new) {
            if (m->only_b++ == 0)
                m->first_only_b = i;
        } else if ((size_t)number >= a.rows || m->row[number] != SR_IDS_NONE) {
            return fail_twice(b, i, err);
        } else {
            m->row[number] = i;
            m->both++;
        }
    }
    return 0;
}

static void count_a(struct sr_ids_match *m, size_t rows) {
    for (size_t i = rows; i-- > 0;)
        if (m->row[i] == SR_IDS_NONE) {
            m->only_a++;
            m->first_only_a = i;
        }
}

int sr_ids_match(struct sr_ids_match *out, struct sr_ids a, struct sr_ids b, struct sr_error *err) {
    struct sr_names names = {0};
    *out = (struct sr_ids_match){.row = sr_alloc(a.rows, sizeof *out->row, err)};
    int status = out->row ? number_a(out, &names, a, err) : SR_NOMEM;
    if (status == 0)
        status = find_b(out, &names, a, b, err);
    if (status == 0)
        count_a(out, a.rows);
    sr_names_free(&names);
    return status;
}

void sr_ids_match_free(struct sr_ids_match *m) {
    sr_free(m->row);
    *m = (struct sr_ids_match){0};
}
