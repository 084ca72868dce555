/* split.c: rows into training and validation. See data.h, and deal.h for how.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/data.h"
#include "data/deal.h"

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

/* Marks the rows of validation: in_val[row]. */
static int deal_rows(uint8_t *in_val, const struct sr_data *d, const uint32_t *rows, size_t n, uint64_t seed,
                     const size_t quota[2], struct sr_error *err) {
    const size_t quotas[4] = {0, 0, quota[0], quota[1]};
    struct sr_deal deal = {0};
    uint32_t *stratum = sr_alloc(d->rows, sizeof *stratum, err);
    int status = stratum ? sr_deal_begin(&deal, rows, n, d->group, seed, err) : SR_NOMEM;
    for (size_t i = 0; i < n && status == 0; i++)
        stratum[rows[i]] = d->label[rows[i]];
    if (status == 0)
        status = sr_deal_fill(&deal, in_val, 2, stratum, 2, quotas, err);
    sr_deal_end(&deal);
    sr_free(stratum);
    return status;
}

static int check_classes(size_t *n_val, const uint8_t *in_val, const struct sr_data *d, const uint32_t *rows,
                         size_t n, struct sr_error *err) {
    size_t taken[2] = {0, 0};
    for (size_t i = 0; i < n; i++)
        taken[d->label[rows[i]]] += in_val[rows[i]];
    *n_val = taken[0] + taken[1];
    if (taken[0] && taken[1])
        return 0;
    return sr_fail(err, SR_DATA,
                   "groups are so large that validation gets no row with label %d; give a file of "
                   "validation rows instead",
                   taken[0] ? 1 : 0);
}

/* The rows that are marked so. */
static uint32_t *pick(const uint8_t *in_val, uint8_t which, const uint32_t *rows, size_t n, size_t wanted,
                      struct sr_error *err) {
    uint32_t *out = sr_alloc(wanted, sizeof *out, err);
    size_t k = 0;
    for (size_t i = 0; out && i < n; i++)
        if (in_val[rows[i]] == which)
            out[k++] = rows[i];
    return out;
}

int sr_data_split(const struct sr_data *d, const uint32_t *rows, size_t n, double fraction, uint64_t seed,
                  uint32_t **train, size_t *n_train, uint32_t **val, size_t *n_val, struct sr_error *err) {
    size_t quota[2] = {0, 0}, in_all = 0;
    *train = *val = NULL;
    *n_train = *n_val = 0;
    if (!(fraction > 0 && fraction < 1))
        return sr_fail(err, SR_USAGE, "the validation fraction is %g, but must be between 0 and 1", fraction);
    if (!d->label)
        return sr_fail(err, SR_DATA, "a split needs labels, and the data has none");
    uint8_t *in_val = sr_alloc(d->rows, 1, err);
    int status = in_val ? choose_quotas(quota, d, rows, n, fraction, err) : SR_NOMEM;
    if (status == 0)
        status = deal_rows(in_val, d, rows, n, seed, quota, err);
    if (status == 0)
        status = check_classes(&in_all, in_val, d, rows, n, err);
    if (status == 0) {
        *train = pick(in_val, 0, rows, n, n - in_all, err);
        *val = *train ? pick(in_val, 1, rows, n, in_all, err) : NULL;
        status = *val ? 0 : SR_NOMEM;
    }
    if (status == 0) {
        *n_train = n - in_all;
        *n_val = in_all;
    } else {
        sr_free(*train);
        *train = *val = NULL;
    }
    sr_free(in_val);
    return status;
}
