/* narrow.c: features into the type of the dump. See narrow.h.
 *
 * Where the source has that type already its bytes go through untouched. Each value is rounded once. One too
 * large for float16 would become an infinity, and its row one that cannot be scored, long after anybody
 * remembers why: so such a conversion is refused, with the count. Rows that had a NaN or an infinity before
 * stay as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/narrow.h"

#include <math.h>
#include <string.h>

enum sr_dtype sr_narrow_dtype(enum sr_feature type) {
    return type == SR_FEATURE_HALF ? SR_F16 : type == SR_FEATURE_BFLOAT ? SR_BF16 : SR_F32;
}

int sr_narrow_begin(struct sr_narrow *n, enum sr_feature type, size_t width, struct sr_error *err) {
    *n = (struct sr_narrow){.type = type, .width = width};
    n->scratch = sr_alloc(width, sizeof *n->scratch, err);
    return n->scratch ? 0 : SR_NOMEM;
}

void sr_narrow_free(struct sr_narrow *n) {
    sr_free(n->scratch);
}

/* A row whose values are not all finite, before or after. */
static void look_closely(struct sr_narrow *n, const void *raw, const void *out, enum sr_dtype dtype) {
    const enum sr_dtype written = sr_narrow_dtype(n->type);
    bool bad = false;
    for (size_t j = 0; j < n->width; j++) {
        double before, after;
        sr_values_to_double(&before, (const char *)raw + j * sr_dtype_size(dtype), 1, dtype);
        sr_values_to_double(&after, (const char *)out + j * sr_dtype_size(written), 1, written);
        bad = bad || !isfinite(before);
        if (!isfinite(before) || isfinite(after))
            continue;
        n->float_overflows = n->float_overflows || isinf((float)before);
        if (n->overflows++ == 0) {
            n->overflow = before;
            n->overflow_row = n->rows;
        }
    }
    if (bad && n->bad_rows++ == 0)
        n->first_bad = n->rows;
}

/* Zeros of either sign. */
static size_t count_zeros(const unsigned char *x, size_t n, enum sr_dtype dtype) {
    size_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = 0; /* without the sign, which is shifted out */
        if (sr_dtype_size(dtype) == sizeof(uint16_t)) {
            uint16_t v;
            memcpy(&v, x + i * sizeof v, sizeof v);
            bits = (uint64_t)v << 49;
        } else if (sr_dtype_size(dtype) == sizeof(uint32_t)) {
            uint32_t v;
            memcpy(&v, x + i * sizeof v, sizeof v);
            bits = (uint64_t)v << 33;
        } else {
            memcpy(&bits, x + i * sizeof bits, sizeof bits);
            bits <<= 1;
        }
        zeros += bits == 0;
    }
    return zeros;
}

static void look_for_zeros(struct sr_narrow *n, const unsigned char *from, const unsigned char *to,
                           enum sr_dtype dtype) {
    const size_t after = count_zeros(to, n->width, sr_narrow_dtype(n->type));
    const size_t before = after > 0 ? count_zeros(from, n->width, dtype) : 0;
    if (after == before)
        return;
    if (n->underflows == 0)
        n->underflow_row = n->rows;
    n->underflows += after - before;
    if (after == n->width && n->vanished_rows++ == 0)
        n->first_vanished = n->rows;
}

/* A value that was not finite is not afterwards either, so one look at what comes out is enough. */
void sr_narrow_rows(struct sr_narrow *n, void *out, const void *raw, size_t rows, enum sr_dtype dtype) {
    const size_t from_bytes = n->width * sr_dtype_size(dtype), to_bytes = n->width * sr_feature_size(n->type);
    for (size_t r = 0; r < rows; r++, n->rows++) {
        const unsigned char *from = (const unsigned char *)raw + r * from_bytes;
        unsigned char *to = (unsigned char *)out + r * to_bytes;
        if (from != to) {
            sr_values_to_feature(to, from, n->width, dtype, n->type, n->scratch);
            if (dtype != sr_narrow_dtype(n->type))
                look_for_zeros(n, from, to, dtype);
        }
        if (!sr_values_finite(to, n->width, sr_narrow_dtype(n->type)))
            look_closely(n, from, to, dtype);
    }
}

/* bfloat16 has the exponents of float32, which would do no better. */
static const char *advice(const struct sr_narrow *n) {
    return n->type == SR_FEATURE_HALF ? "; use --dtype float32" : "";
}

static int check_features(const struct sr_narrow *n, const char *from, struct sr_error *err) {
    if (n->vanished_rows > 0)
        return sr_fail(
            err, SR_DATA,
            "%s: %zu row%s would have no feature but 0, since %s holds none of the values, first row "
            "%zu%s",
            from, n->vanished_rows, n->vanished_rows == 1 ? "" : "s", sr_feature_name(n->type),
            n->first_vanished, advice(n));
    if (n->bad_rows == n->rows)
        return sr_fail(err, SR_DATA, "%s: every row has a NaN or an infinity among its features", from);
    return 0;
}

int sr_narrow_end(const struct sr_narrow *n, bool features, const char *from, struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    if (n->rows == 0)
        return sr_fail(err, SR_DATA, "%s has no rows", from);
    if (n->overflows > 0)
        return sr_fail(err, SR_DATA, "%s: %zu feature value%s beyond what %s holds, first %s in row %zu%s",
                       from, n->overflows, n->overflows == 1 ? " is" : "s are", sr_feature_name(n->type),
                       sr_decimal(text, n->overflow), n->overflow_row,
                       n->float_overflows && n->type != SR_FEATURE_FLOAT
                           ? "; float32 does not hold all of them either"
                           : advice(n));
    return features ? check_features(n, from, err) : 0;
}
