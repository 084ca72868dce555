/* parts.c: which row goes to which part. See parts.h.
 *
 * Who belongs together, who is held out, and what is refused; the shares of the rest are met by shares.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/near.h"
#include "data/shares.h"

const char *sr_part_name(int part) {
    static const char *const names[] = {"train", "calibration", "test"};
    return names[part];
}

/* ---- groups ---- */

struct keyed {
    int64_t key;
    uint32_t row;
};

static int compare_keys(const void *pa, const void *pb) {
    const struct keyed *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* group[row]: the first row of its group. */
static int number_groups(int64_t *group, const int64_t *of_data, size_t rows, struct sr_error *err) {
    struct keyed *k = sr_alloc(rows, sizeof *k, err);
    if (!k)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++)
        k[i] = (struct keyed){of_data[i], (uint32_t)i};
    qsort(k, rows, sizeof *k, compare_keys);
    for (size_t i = 0, first = 0; i < rows; i++) {
        first = k[i].key == k[first].key ? first : i;
        group[k[i].row] = k[first].row;
    }
    sr_free(k);
    return 0;
}

static int find_groups(int64_t *group, struct sr_data *d, const struct sr_parting *how,
                       void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    if (how->near > 0)
        return sr_near_groups(group, d, how->near, progress, user, err);
    if (d->group)
        return number_groups(group, d->group, d->rows, err);
    for (size_t i = 0; i < d->rows; i++)
        group[i] = (int64_t)i;
    return 0;
}

/* ---- sources held out ---- */

static int find_source(size_t *out, const struct sr_data *d, const char *name, struct sr_error *err) {
    for (size_t s = 0; s < d->sources; s++)
        if (strcmp(d->source_names[s], name) == 0) {
            *out = s;
            return 0;
        }
    const char **names = sr_alloc(d->sources + 1, sizeof *names, err);
    if (!names)
        return SR_NOMEM;
    memcpy(names, d->source_names, d->sources * sizeof *names);
    const char *near = sr_nearest(name, names);
    const int status = sr_fail(err, SR_USAGE, "%s: no source is called %.60s%s%.60s%s", sr_data_path(d, 0),
                               name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    sr_free(names);
    return status;
}

/* Groups with a row of the sources go to test whole: a twin in training would tell of it. */
static int mark_groups(uint8_t *part, const struct sr_data *d, const int64_t *group, const uint8_t *held,
                       struct sr_error *err) {
    uint8_t *touched = sr_alloc(d->rows, 1, err); /* by the group's lowest row */
    if (!touched)
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++)
        if (held[d->source[i]])
            touched[group[i]] = 1;
    for (size_t i = 0; i < d->rows; i++)
        if (touched[group[i]])
            part[i] = SR_PART_TEST;
    sr_free(touched);
    return 0;
}

static int hold_out(uint8_t *part, const struct sr_data *d, const int64_t *group, const char *sources,
                    struct sr_error *err) {
    if (!d->source)
        return sr_fail(err, SR_DATA, "%s: no dataset /source, so none can be held out", sr_data_path(d, 0));
    char *list = sr_strdup(sources, err), *rest = list;
    uint8_t *held = sr_alloc(d->sources, 1, err);
    int status = list && held ? 0 : SR_NOMEM;
    for (char *name; status == 0 && (name = strsep(&rest, ","));) {
        size_t s = 0;
        status = find_source(&s, d, name, err);
        if (status == 0)
            held[s] = 1;
    }
    if (status == 0)
        status = mark_groups(part, d, group, held, err);
    sr_free(list);
    sr_free(held);
    return status;
}

/* ---- shares ---- */

/* With sources held out they are what the test rows are, and it gets no others. */
static bool has_share(const struct sr_parting *how, int part) {
    return how->out[part] && !(part == SR_PART_TEST && how->hold_out);
}

static int deal_rest(uint8_t *part, const struct sr_data *d, const int64_t *group,
                     const struct sr_parting *how, struct sr_error *err) {
    double share[SR_PARTS];
    for (int p = 0; p < SR_PARTS; p++)
        share[p] = has_share(how, p) ? how->fraction[p] : 0;
    return sr_shares_deal(part, d, group, share, how->seed, err);
}

/* ---- all of it ---- */

static int check_fractions(const struct sr_parting *how, struct sr_error *err) {
    const bool alone = how->hold_out && !how->out[SR_PART_CALIBRATION];
    double all = 0;
    for (int p = 0; p < SR_PARTS; p++) {
        if (!has_share(how, p))
            continue;
        if (!(how->fraction[p] > 0 && (alone || how->fraction[p] < 1)))
            return sr_fail(err, SR_USAGE, "the fraction of %s is %g, but must be between 0 and 1",
                           sr_part_name(p), how->fraction[p]);
        all += how->fraction[p];
    }
    if (fabs(all - 1) > 1e-6)
        return sr_fail(err, SR_USAGE, "the fractions of the parts add up to %g, not to 1", all);
    return 0;
}

static int check_parts(const uint8_t *part, size_t rows, const struct sr_parting *how, struct sr_error *err) {
    size_t n[SR_PARTS] = {0};
    for (size_t i = 0; i < rows; i++)
        n[part[i]]++;
    for (int p = 0; p < SR_PARTS; p++)
        if (how->out[p] && n[p] == 0)
            return sr_fail(
                err, SR_DATA,
                "%s would have no rows: there are too few, groups are too large, or sources held out are "
                "all there is",
                sr_part_name(p));
    return 0;
}

int sr_parts_choose(uint8_t *part, struct sr_data *d, const struct sr_parting *how,
                    void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    int status = check_fractions(how, err);
    if (status < 0)
        return status;
    int64_t *group = sr_alloc(d->rows, sizeof *group, err);
    memset(part, SR_PART_TRAIN, d->rows);
    status = group ? find_groups(group, d, how, progress, user, err) : SR_NOMEM;
    if (status == 0 && how->hold_out)
        status = hold_out(part, d, group, how->hold_out, err);
    if (status == 0)
        status = deal_rest(part, d, group, how, err);
    if (status == 0)
        status = check_parts(part, d->rows, how, err);
    sr_free(group);
    return status;
}
