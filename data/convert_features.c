/* convert_features.c: features into the type of the dump. See convert.h.
 *
 * Where the source has that type already its bytes go through untouched. Each value is rounded once. One too
 * large for float16 would become an infinity, and its row one that cannot be scored, long after anybody
 * remembers why: so such a conversion is refused, with the count. Rows that had a NaN or an infinity before
 * stay as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/convert.h"
#include "data/values.h"

static enum sr_feature choose_type(enum sr_dtype stored, int wanted) {
    switch ((enum sr_convert_type)wanted) {
    case SR_CONVERT_HALF:
        return SR_FEATURE_HALF;
    case SR_CONVERT_BFLOAT:
        return SR_FEATURE_BFLOAT;
    case SR_CONVERT_FLOAT:
        return SR_FEATURE_FLOAT;
    case SR_CONVERT_KEEP:
        break;
    }
    return stored == SR_F16 ? SR_FEATURE_HALF : stored == SR_BF16 ? SR_FEATURE_BFLOAT : SR_FEATURE_FLOAT;
}

static enum sr_dtype dtype_of(enum sr_feature type) {
    return type == SR_FEATURE_HALF ? SR_F16 : type == SR_FEATURE_BFLOAT ? SR_BF16 : SR_F32;
}

const char *sr_convert_type_name(enum sr_feature type) {
    return type == SR_FEATURE_HALF ? "float16" : type == SR_FEATURE_BFLOAT ? "bfloat16" : "float32";
}

int sr_convert_features_begin(struct sr_convert_features *c, const struct sr_h5 *to, const struct sr_field *f,
                              size_t rows, const struct sr_convert *how, struct sr_error *err) {
    c->to = to;
    c->type = choose_type(f->dtype, how->type);
    c->width = f->width;
    c->half = sr_alloc(SR_BAND_ROWS * f->width, sr_feature_size(c->type), err);
    c->scratch = sr_alloc(f->width, sizeof *c->scratch, err);
    if (!c->half || !c->scratch)
        return SR_NOMEM;
    const struct sr_h5_layout layout = {.type = c->type,
                                        .rows = rows == SR_ROWS_UNKNOWN ? SR_H5_GROWS : rows,
                                        .width = f->width,
                                        .gzip = how->gzip};
    return sr_h5_write_layout(to, "features", &layout, SR_BAND_ROWS, err);
}

void sr_convert_features_free(struct sr_convert_features *c) {
    sr_free(c->half);
    sr_free(c->scratch);
}

/* A row whose values are not all finite, before or after. */
static void look_closely(struct sr_convert_features *c, const void *raw, const void *out, size_t row,
                         enum sr_dtype dtype) {
    const enum sr_dtype written = dtype_of(c->type);
    bool bad = false;
    for (size_t j = 0; j < c->width; j++) {
        double before, after;
        sr_values_to_double(&before, (const char *)raw + j * sr_dtype_size(dtype), 1, dtype);
        sr_values_to_double(&after, (const char *)out + j * sr_dtype_size(written), 1, written);
        bad = bad || !isfinite(before);
        if (!isfinite(before) || isfinite(after))
            continue;
        c->float_overflows = c->float_overflows || isinf((float)before);
        if (c->overflows++ == 0) {
            c->overflow = before;
            c->overflow_row = row;
        }
    }
    if (bad && c->bad_rows++ == 0)
        c->first_bad = row;
}

/* A value that was not finite is not afterwards either, so one look at what comes out is enough. */
static void convert_row(struct sr_convert_features *c, const void *raw, void *out, size_t row,
                        enum sr_dtype dtype) {
    if (raw != out)
        sr_values_to_feature(out, raw, c->width, dtype, c->type, c->scratch);
    if (!sr_values_finite(out, c->width, dtype_of(c->type)))
        look_closely(c, raw, out, row, dtype);
}

int sr_convert_features_put(struct sr_convert_features *c, const struct sr_field *f, struct sr_error *err) {
    const bool same = f->dtype == dtype_of(c->type);
    const size_t from_bytes = f->width * sr_dtype_size(f->dtype),
                 to_bytes = f->width * sr_feature_size(c->type);
    unsigned char *out = same ? f->band : c->half;
    for (size_t r = 0; r < f->rows; r++)
        convert_row(c, f->band + r * from_bytes, out + r * to_bytes, c->rows + r, f->dtype);
    int status = 0;
    if (c->overflows == 0)
        status = sr_h5_write_rows(c->to, "features", out, c->rows, f->rows, f->width, err);
    c->rows += f->rows;
    return status;
}

int sr_convert_features_end(const struct sr_convert_features *c, struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    const char *advice = c->type == SR_FEATURE_FLOAT  ? ""
                         : c->float_overflows         ? "; float32 does not hold all of them either"
                         : c->type == SR_FEATURE_HALF ? "; use --dtype float32"
                                                      : "";
    if (c->rows == 0)
        return sr_fail(err, SR_DATA, "%s has no rows", c->from);
    if (c->overflows > 0)
        return sr_fail(err, SR_DATA, "%s: %zu feature values are beyond what %s holds, first %s in row %zu%s",
                       c->from, c->overflows, sr_convert_type_name(c->type), sr_decimal(text, c->overflow),
                       c->overflow_row, advice);
    if (c->bad_rows == c->rows)
        return sr_fail(err, SR_DATA, "%s: every row has a NaN or an infinity among its features", c->from);
    return 0;
}
