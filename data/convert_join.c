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
#include "data/ids.h"

static const char *field_text(const void *of, size_t row) {
    return sr_field_at(of, row);
}

static struct sr_ids ids_of(const struct sr_sources *s, size_t table) {
    return (struct sr_ids){s->table[table]->path, s->id[table].rows, field_text, &s->id[table], NULL};
}

static bool same_rows(size_t *row, struct sr_ids a, struct sr_ids b) {
    size_t i = 0;
    while (i < a.rows && strcmp(sr_ids_at(a, i), sr_ids_at(b, i)) == 0)
        i++;
    *row = i;
    return i == a.rows;
}

/* Brings the columns of b's table t into the order of a. */
static int reorder(const struct sr_table *t, struct sr_ids a, struct sr_ids b, struct sr_error *err) {
    struct sr_ids_match m;
    int status = sr_ids_match(&m, a, b, err);
    if (status == 0 && m.only_b > 0)
        status =
            sr_fail(err, SR_DATA,
                    "%s: row %zu: no row of %s has the id \"%.60s\"; columns called id name the same rows "
                    "in all files, so give another name to one that does not",
                    b.path, m.first_only_b, a.path, sr_ids_at(b, m.first_only_b));
    for (size_t i = 0; i < t->fields && status == 0; i++)
        status = sr_field_reorder(t->field[i], m.row, err);
    sr_ids_match_free(&m);
    return status;
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
