/* check_rows.c: kinds groups and ids: rows that belong together by what the columns say. See checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "data/check_parts.h"
#include "data/names.h"

#define COUNTED_SHARE .3 /* of all groups in more than one file: hardly by chance */

/* A row of any file under a key: its group, or the hash of its id. */
struct keyed {
    uint64_t key;
    uint32_t file, row;
};

static int compare(const void *pa, const void *pb) {
    const struct keyed *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static size_t key_end(const struct keyed *k, size_t begin, size_t n) {
    size_t end = begin + 1;
    while (end < n && k[end].key == k[begin].key)
        end++;
    return end;
}

/* ---- groups ---- */

static size_t key_groups(struct keyed *k, const struct sr_check_private *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_data *d = c->file[i].data;
        for (size_t row = 0; d->group && row < d->rows; row++)
            if (d->group[row] != sr_set_lone_group(row))
                k[n++] = (struct keyed){(uint64_t)d->group[row], (uint32_t)i, (uint32_t)row};
    }
    qsort(k, n, sizeof *k, compare);
    return n;
}

/* One row of each file that the group is in. */
static size_t show_spread(const struct sr_check_private *c, struct sr_finding *found, const struct keyed *k,
                          size_t n) {
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || k[i].file != k[i - 1].file)
            sr_check_row(found, &c->file[k[i].file], k[i].row);
        rows += k[i].file != k[0].file;
    }
    return rows;
}

struct shared {
    size_t groups, spread; /* all, and those in more than one file */
    size_t rows;           /* of the latter, beyond the first file */
    bool counted;          /* all are numbers that rows could be counted with */
};

static void say_shared(struct sr_finding *f, const struct shared *n) {
    sr_check_say(f, "%zu of %zu groups %s rows in more than one file, %zu of them beyond the first",
                 n->spread, n->groups, n->spread == 1 ? "has" : "have", n->rows);
    if (n->counted && (double)n->spread >= COUNTED_SHARE * (double)n->groups)
        sr_check_advise(f,
                        "were groups counted from 0 in every file? then a number is another group in each: "
                        "make them unique; else they are twins of training rows, which measure nothing: "
                        "split the dump they come from anew (saferoute data split)");
    else
        sr_check_advise(f, "twins of training rows measure nothing: split the dump they come from anew by "
                           "group (saferoute data split)");
    sr_check_number(f, "groups", (double)n->spread);
    sr_check_number(f, "rows", (double)n->rows);
}

void sr_check_groups(struct sr_check_private *c) {
    struct keyed *k = sr_check_alloc(c, c->check->rows, sizeof *k);
    struct sr_finding *found = NULL;
    struct shared count = {.counted = true};
    const size_t n = k ? key_groups(k, c) : 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        end = key_end(k, begin, n);
        count.groups++;
        count.counted = count.counted && k[begin].key < c->check->rows;
        if (k[begin].file == k[end - 1].file)
            continue;
        found = found ? found : sr_check_add(c, "groups", true, NULL);
        count.spread++;
        count.rows += show_spread(c, found, k + begin, end - begin);
    }
    sr_free(k);
    if (found)
        say_shared(found, &count);
}

/* ---- ids ---- */

static size_t key_ids(struct keyed *k, const struct sr_check_private *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_data *d = c->file[i].data;
        for (size_t row = 0; d->id && row < d->rows; row++)
            if (*d->id[row])
                k[n++] = (struct keyed){sr_names_hash(d->id[row]), (uint32_t)i, (uint32_t)row};
    }
    qsort(k, n, sizeof *k, compare);
    return n;
}

static const char *id_of(const struct sr_check_private *c, const struct keyed *k) {
    return c->file[k->file].data->id[k->row];
}

/* The first of `before` rows behind k[at] that has its id, or at. Rows of one hash nearly always have. */
static size_t find_twin(const struct sr_check_private *c, const struct keyed *k, size_t begin, size_t at) {
    for (size_t i = begin; i < at; i++)
        if (strcmp(id_of(c, &k[i]), id_of(c, &k[at])) == 0)
            return i;
    return at;
}

struct id_findings {
    struct sr_finding *within, *across;
    size_t n_within, n_across;
};

static void look_at_ids(struct sr_check_private *c, struct id_findings *f, const struct keyed *k,
                        size_t begin, size_t end) {
    for (size_t i = begin + 1; i < end; i++) {
        const size_t twin = find_twin(c, k, begin, i);
        if (twin == i)
            continue;
        const bool across = k[twin].file != k[i].file;
        struct sr_finding **found = across ? &f->across : &f->within;
        if (!*found)
            *found = sr_check_add(c, "ids", true, across ? NULL : &c->file[k[i].file]);
        else if (!across && (*found)->path != c->file[k[i].file].path)
            (*found)->path = NULL;
        sr_check_row(*found, &c->file[k[twin].file], k[twin].row);
        sr_check_row(*found, &c->file[k[i].file], k[i].row);
        *(across ? &f->n_across : &f->n_within) += 1;
    }
}

void sr_check_ids(struct sr_check_private *c) {
    struct keyed *k = sr_check_alloc(c, c->check->rows, sizeof *k);
    struct id_findings f = {0};
    const size_t n = k ? key_ids(k, c) : 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        end = key_end(k, begin, n);
        look_at_ids(c, &f, k, begin, end);
    }
    sr_free(k);
    if (f.within) {
        sr_check_say(f.within, "%zu row%s an id that a row before in the same file has", f.n_within,
                     f.n_within == 1 ? " has" : "s have");
        sr_check_advise(f.within, "make ids unique: drop, merge and compare go by them");
        sr_check_number(f.within, "rows", (double)f.n_within);
    }
    if (f.across) {
        sr_check_say(f.across, "%zu row%s an id that a row of another file has", f.n_across,
                     f.n_across == 1 ? " has" : "s have");
        sr_check_advise(f.across,
                        "the same texts on both sides of a split measure memory: drop them from one "
                        "(saferoute data drop); if they are other texts, make ids unique");
        sr_check_number(f.across, "rows", (double)f.n_across);
    }
}
