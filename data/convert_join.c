/* convert_join.c: the rows of several files side by side. See convert.h.
 *
 * Files that have ids are joined by them: a folder of hidden states has its rows in the order of its files'
 * names, where req-10 stands before req-2, and a table of labels hardly ever does. The features' order is
 * that of the dump, since they are written while they are read; the columns of other files, which are in
 * memory, are moved. Files without ids are joined row by row, which nothing can check but the number of rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/convert.h"
#include "data/names.h"

/* Ids of one table's rows. */
struct ids {
    const char *path;
    const struct sr_field *of;
};

static bool same_rows(size_t *row, struct ids a, struct ids b) {
    size_t i = 0;
    while (i < a.of->rows && strcmp(sr_field_at(a.of, i), sr_field_at(b.of, i)) == 0)
        i++;
    *row = i;
    return i == a.of->rows;
}

static int fail_twice(struct ids x, size_t row, struct sr_error *err) {
    return sr_fail(err, SR_DATA,
                   "%s: row %zu: the id \"%.60s\" is there twice, so rows cannot be joined by id", x.path,
                   row, sr_field_at(x.of, row));
}

/* order[i]: the row of b that has the id of a's row i. */
static int find_order(size_t *order, struct sr_names *names, struct ids a, struct ids b,
                      struct sr_error *err) {
    int32_t number;
    for (size_t i = 0; i < a.of->rows; i++) {
        if (sr_names_add(names, sr_field_at(a.of, i), &number, err) < 0)
            return SR_NOMEM;
        if ((size_t)number != i)
            return fail_twice(a, i, err);
        order[i] = SIZE_MAX;
    }
    for (size_t i = 0; i < b.of->rows; i++) {
        if (sr_names_add(names, sr_field_at(b.of, i), &number, err) < 0)
            return SR_NOMEM;
        if ((size_t)number >= a.of->rows)
            return sr_fail(
                err, SR_DATA,
                "%s: row %zu: no row of %s has the id \"%.60s\"; columns called id name the same rows "
                "in all files, so give another name to one that does not",
                b.path, i, a.path, sr_field_at(b.of, i));
        if (order[number] != SIZE_MAX)
            return fail_twice(b, i, err);
        order[number] = i;
    }
    return 0;
}

/* Brings the columns of b's table t into the order of a. */
static int reorder(const struct sr_table *t, struct ids a, struct ids b, struct sr_error *err) {
    struct sr_names names = {0};
    size_t *order = sr_alloc(a.of->rows, sizeof *order, err);
    int status = order ? find_order(order, &names, a, b, err) : SR_NOMEM;
    for (size_t i = 0; i < t->fields && status == 0; i++)
        status = sr_field_reorder(t->field[i], order, err);
    sr_names_free(&names);
    sr_free(order);
    return status;
}

static struct ids ids_of(const struct sr_sources *s, size_t table) {
    return (struct ids){s->table[table]->path, &s->id[table]};
}

/* The table whose order the others take: that of the features, or, where it has no ids, the first with some,
 * from which none may differ. */
static size_t find_first(const struct sr_sources *s) {
    size_t first = s->tables;
    for (size_t i = s->tables; i-- > 0;)
        if (s->id[i].name && (first == s->tables || s->table[first] != s->of[SR_ROLE_FEATURES]))
            first = i;
    return first;
}

int sr_sources_join(struct sr_sources *s, const struct sr_table **moved, struct sr_error *err) {
    const struct sr_table *features = s->of[SR_ROLE_FEATURES];
    const size_t first = find_first(s);
    int status = 0;
    for (size_t i = 0; i < s->tables && status == 0; i++) {
        size_t row;
        if (i == first || !s->id[i].name || same_rows(&row, ids_of(s, first), ids_of(s, i)))
            continue;
        if (s->table[first] != features)
            return sr_fail(
                err, SR_DATA,
                "row %zu is \"%.60s\" in %s, but \"%.60s\" in %s, and %s has no ids that say which "
                "is its order; sort both as the features are",
                row, sr_field_at(&s->id[i], row), s->table[i]->path, sr_field_at(&s->id[first], row),
                s->table[first]->path, features->path);
        status = reorder(s->table[i], ids_of(s, first), ids_of(s, i), err);
        *moved = s->table[i];
    }
    return status;
}

const struct sr_table *sr_sources_unjoined(const struct sr_sources *s) {
    if (s->of[SR_ROLE_FEATURES]->ops->names_rows)
        for (size_t i = 0; i < s->tables; i++)
            if (s->table[i] != s->of[SR_ROLE_FEATURES] && !s->id[i].name)
                return s->table[i];
    return NULL;
}
