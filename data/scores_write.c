/* scores_write.c: what a router says of every row, as HDF5. See data.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5.h"
#include "data/data.h"

static int write_rows(const struct sr_h5 *f, size_t rows, struct sr_error *err) {
    uint32_t *row = sr_alloc(rows, sizeof *row, err);
    if (!row)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++)
        row[i] = (uint32_t)i;
    int status = sr_h5_write_column(f, "row", SR_H5_WRITE_U32, row, rows, err);
    sr_free(row);
    return status;
}

int sr_data_write_scores(const char *path, const struct sr_data *d, const struct sr_score_columns *c,
                         struct sr_error *err) {
    struct sr_atomic_file *target;
    struct sr_h5 *f = NULL;
    int status = sr_atomic_file_open(&target, path, err);
    if (status < 0)
        return status;
    status = sr_h5_create(&f, sr_atomic_file_path(target), path, err);
    if (status == 0)
        status = write_rows(f, d->rows, err);
    if (status == 0 && d->id)
        status = sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, d->id, d->rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "logit", SR_H5_WRITE_F32, c->logit, d->rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "prob", SR_H5_WRITE_F32, c->prob, d->rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "decision", SR_H5_WRITE_U8, c->decision, d->rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "reason", SR_H5_WRITE_TEXT, c->reason, d->rows, err);
    if (status == 0 && c->calibrated)
        status = sr_h5_write_column(f, "calibrated", SR_H5_WRITE_F32, c->calibrated, d->rows, err);
    return sr_h5_commit(f, target, status, err);
}
