/* listed.c: a column of indices into a list of names. See listed.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/listed.h"

static int read_index(struct sr_listed *l, const struct sr_h5 *f, const char *column, size_t rows,
                      struct sr_error *err) {
    if (!(l->index = sr_alloc(rows, sizeof *l->index, err)))
        return SR_NOMEM;
    const int status = sr_h5_read_integers(f, column, l->index, rows, err);
    for (size_t i = 0; status == 0 && i < rows; i++)
        if (l->index[i] < 0 || (uint64_t)l->index[i] >= l->count)
            return sr_fail(err, SR_DATA, "%s: /%s row %zu is %lld, but its attribute names lists only %zu",
                           f->path, column, i, (long long)l->index[i], l->count);
    return status;
}

int sr_listed_read(struct sr_listed *out, const struct sr_h5 *f, const char *column, size_t rows,
                   struct sr_error *err) {
    *out = (struct sr_listed){.names = NULL};
    int status = sr_h5_attribute_list(f, column, "names", &out->names, &out->count, err);
    if (status == 0 && out->names)
        status = read_index(out, f, column, rows, err);
    if (status < 0)
        sr_listed_free(out);
    return status;
}

void sr_listed_free(struct sr_listed *l) {
    sr_free(l->names);
    sr_free(l->index);
    *l = (struct sr_listed){.names = NULL};
}
