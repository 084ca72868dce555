/* convert_columns.c: the columns of a conversion into the dump. See convert.h.
 *
 * Probabilities keep the type they come in: a verdict is cut in the type of its column (guard.c), so a
 * float16 .1 widened, or a 0.49999999 narrowed, would change sides.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/convert.h"
#include "data/values.h"

static int write_binary(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err) {
    int8_t *item = sr_alloc(f->rows, sizeof *item, err);
    bool unknown = false;
    for (size_t i = 0; item && i < f->rows; i++) {
        unknown = unknown || isnan(f->number[i]);
        item[i] = isnan(f->number[i]) ? -1 : (int8_t)f->number[i];
    }
    const int status = item
                           ? sr_h5_write_column(to, sr_field_role(f),
                                                unknown ? SR_H5_WRITE_I8 : SR_H5_WRITE_U8, item, f->rows, err)
                           : SR_NOMEM;
    sr_free(item);
    return status;
}

/* Numbers of a 16- or 32-bit type back into it; they came from there. */
static int write_as(const struct sr_h5 *to, const struct sr_field *f, enum sr_feature type,
                    enum sr_h5_type stored, struct sr_error *err) {
    void *item = sr_alloc(f->rows, sr_feature_size(type), err);
    float *scratch = sr_alloc(f->rows, sizeof *scratch, err);
    int status = SR_NOMEM;
    if (item && scratch) {
        sr_values_to_feature(item, f->number, f->rows, SR_F64, type, scratch);
        status = sr_h5_write_column(to, sr_field_role(f), stored, item, f->rows, err);
    }
    sr_free(item);
    sr_free(scratch);
    return status;
}

static int write_probs(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err) {
    switch (f->dtype) {
    case SR_F16:
        return write_as(to, f, SR_FEATURE_HALF, SR_H5_WRITE_HALF, err);
    case SR_BF16:
        return write_as(to, f, SR_FEATURE_BFLOAT, SR_H5_WRITE_BFLOAT, err);
    case SR_F32:
        return write_as(to, f, SR_FEATURE_FLOAT, SR_H5_WRITE_F32, err);
    default:
        return sr_h5_write_column(to, sr_field_role(f), SR_H5_WRITE_F64, f->number, f->rows, err);
    }
}

/* A file that shows its columns row by row may have begun without them. */
static int write_weights(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err) {
    for (size_t i = 0; i < f->rows; i++)
        if (isnan(f->number[i]))
            return sr_fail(err, SR_DATA, "row %zu has no %.60s, but other rows do; every row needs one", i,
                           f->name);
    return write_as(to, f, SR_FEATURE_FLOAT, SR_H5_WRITE_F32, err);
}

static int write_texts(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err) {
    const char **text = sr_alloc(f->rows, sizeof *text, err);
    for (size_t i = 0; text && i < f->rows; i++)
        text[i] = sr_field_at(f, i);
    const int status =
        text ? sr_h5_write_column(to, sr_field_role(f), SR_H5_WRITE_TEXT, text, f->rows, err) : SR_NOMEM;
    sr_free(text);
    return status;
}

/* True if text is the one spelling of a 64-bit integer: not 007, not +7. */
static bool is_integer(const char *text, int64_t *value) {
    char again[24], *end;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (errno || end == text || *end)
        return false;
    snprintf(again, sizeof again, "%lld", (long long)*value);
    return strcmp(again, text) == 0;
}

/* Integers where all groups are such, so that they are the groups of a dump written with integers. */
static int write_groups(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err) {
    int64_t *item = sr_alloc(f->rows, sizeof *item, err);
    bool integers = !f->text;
    if (!item)
        return SR_NOMEM;
    for (size_t i = 0; i < f->rows && integers; i++)
        integers = is_integer(sr_field_at(f, i), &item[i]);
    const int status = integers ? sr_h5_write_column(to, "group", SR_H5_WRITE_I64, item, f->rows, err)
                                : write_texts(to, f, err);
    sr_free(item);
    return status;
}

int sr_convert_column(const struct sr_h5 *to, const struct sr_field *f, struct sr_error *err) {
    switch (sr_field_form(f)) {
    case SR_FORM_BINARY:
        return write_binary(to, f, err);
    case SR_FORM_PROB:
        return write_probs(to, f, err);
    case SR_FORM_WEIGHT:
        return write_weights(to, f, err);
    case SR_FORM_TEXT:
        return write_texts(to, f, err);
    case SR_FORM_GROUP:
        return write_groups(to, f, err);
    case SR_FORM_MATRIX:
        break;
    }
    return 0;
}
