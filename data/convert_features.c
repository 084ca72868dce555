/* convert_features.c: features of a conversion into the dump, band for band. See convert.h, and narrow.h for
 * what becomes of a value that the type does not hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/convert.h"

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

int sr_convert_features_begin(struct sr_convert_features *c, const struct sr_h5 *to, const struct sr_field *f,
                              size_t rows, const struct sr_convert *how, struct sr_error *err) {
    const enum sr_feature type = choose_type(f->dtype, how->type);
    c->to = to;
    if (sr_narrow_begin(&c->narrow, type, f->width, err) < 0)
        return SR_NOMEM;
    c->half = sr_alloc(SR_BAND_ROWS * f->width, sr_feature_size(type), err);
    if (!c->half)
        return SR_NOMEM;
    const struct sr_h5_layout layout = {.type = type,
                                        .rows = rows == SR_ROWS_UNKNOWN ? SR_H5_GROWS : rows,
                                        .width = f->width,
                                        .gzip = how->gzip};
    return sr_h5_write_layout(to, "features", &layout, SR_BAND_ROWS, err);
}

void sr_convert_features_free(struct sr_convert_features *c) {
    sr_narrow_free(&c->narrow);
    sr_free(c->half);
}

int sr_convert_features_put(struct sr_convert_features *c, const struct sr_field *f, struct sr_error *err) {
    const size_t first = c->narrow.rows;
    void *out = f->dtype == sr_narrow_dtype(c->narrow.type) ? (void *)f->band : c->half;
    sr_narrow_rows(&c->narrow, out, f->band, f->rows, f->dtype);
    if (c->narrow.overflows > 0)
        return 0;
    return sr_h5_write_rows(c->to, "features", out, first, f->rows, f->width, err);
}

int sr_convert_features_end(const struct sr_convert_features *c, struct sr_error *err) {
    return sr_narrow_end(&c->narrow, true, c->from, err);
}
