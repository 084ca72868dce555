/* split.c: rows into training and validation. See data.h.
 *
 * Groups (twins and paraphrases; a row alone where the data has none) are put into a random order by Philox,
 * keyed by the group itself, and taken for validation as long as no class gets more than its share. Large
 * groups that do not fit are passed over, so the shares are met as closely as the groups allow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "data/data.h"

struct member {
    uint64_t order; /* random, the same for all rows of a group */
    uint64_t group;
    uint32_t row;
};

static int compare(const void *pa, const void *pb) {
    const struct member *a = pa, *b = pb;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static void order_members(struct member *member, const struct sr_data *d, const uint32_t *rows, size_t n,
                          uint64_t seed) {
    for (size_t i = 0; i < n; i++) {
        uint64_t group = d->group ? (uint64_t)d->group[rows[i]] : rows[i];
        uint64_t order = sr_random_bits(seed, sr_stream(SR_STREAM_SPLIT, 0, 0), group);
        member[i] = (struct member){order, group, rows[i]};
    }
    qsort(member, n, sizeof *member, compare);
}

/* Rows of each class wanted in validation: at least one, and at least one left for training. */
static int choose_quotas(size_t quota[2], const struct sr_data *d, const uint32_t *rows, size_t n,
                         double fraction, struct sr_error *err) {
    size_t count[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        if (d->label[rows[i]] == SR_UNKNOWN)
            return sr_fail(err, SR_BUG,
                           "row %u of a split has no known label; only rows that have may be split", rows[i]);
        count[d->label[rows[i]]]++;
    }
    for (int c = 0; c < 2; c++) {
        if (count[c] < 2)
            return sr_fail(err, SR_DATA,
                           "%zu of %zu rows have label %d; a split needs at least two of each class",
                           count[c], n, c);
        quota[c] = (size_t)llround(fraction * (double)count[c]);
        quota[c] = quota[c] < 1 ? 1 : quota[c] > count[c] - 1 ? count[c] - 1 : quota[c];
    }
    return 0;
}

/* Marks the rows of validation (in_val[row]) and counts them by class. */
static void take_groups(uint8_t *in_val, size_t taken[2], const struct member *member, size_t n,
                        const uint8_t *label, const size_t quota[2]) {
    for (size_t begin = 0, end; begin < n; begin = end) {
        size_t here[2] = {0, 0};
        for (end = begin; end < n && member[end].group == member[begin].group; end++)
            here[label[member[end].row]]++;
        if (taken[0] + here[0] > quota[0] || taken[1] + here[1] > quota[1])
            continue;
        taken[0] += here[0];
        taken[1] += here[1];
        for (size_t i = begin; i < end; i++)
            in_val[member[i].row] = 1;
    }
}

int sr_data_split(const struct sr_data *d, const uint32_t *rows, size_t n, double fraction, uint64_t seed,
                  uint32_t **train, size_t *n_train, uint32_t **val, size_t *n_val, struct sr_error *err) {
    size_t quota[2] = {0, 0}, taken[2] = {0, 0};
    int status = SR_NOMEM;
    *train = *val = NULL;
    *n_train = *n_val = 0;
    if (!(fraction > 0 && fraction < 1))
        return sr_fail(err, SR_USAGE, "the validation fraction is %g, but must be between 0 and 1", fraction);
    if (!d->label)
        return sr_fail(err, SR_DATA, "a split needs labels, and the data has none");
    struct member *member = sr_alloc(n, sizeof *member, err);
    uint8_t *in_val = sr_alloc(d->rows, 1, err);
    if (!member || !in_val)
        goto out;
    if ((status = choose_quotas(quota, d, rows, n, fraction, err)) < 0)
        goto out;
    order_members(member, d, rows, n, seed);
    take_groups(in_val, taken, member, n, d->label, quota);
    if (!taken[0] || !taken[1]) {
        status = sr_fail(err, SR_DATA,
                         "groups are so large that validation gets no row with label %d; give a file of "
                         "validation rows instead",
                         taken[0] ? 1 : 0);
        goto out;
    }
    *train = sr_alloc(n - taken[0] - taken[1], sizeof **train, err);
    *val = sr_alloc(taken[0] + taken[1], sizeof **val, err);
    if (!*train || !*val) {
        status = SR_NOMEM;
        sr_free(*train);
        sr_free(*val);
        *train = *val = NULL;
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        if (in_val[rows[i]])
            (*val)[(*n_val)++] = rows[i];
        else
            (*train)[(*n_train)++] = rows[i];
out:
    sr_free(member);
    sr_free(in_val);
    return status;
}
