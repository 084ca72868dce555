/* scan.c: one pass over all features before training: bad rows, mean and deviation, hashes. See data.h.
 *
 * Sums are double and taken of x - reference, where the reference is the first good row: the textbook formula
 * E[x^2] - E[x]^2 then loses nothing to a mean far from zero. Each column is summed over rows in order and
 * columns are shared out in fixed blocks, so the result has the same bits for any number of threads, and for
 * features kept or streamed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <endian.h>
#include <math.h>
#include <string.h>

#include "data/scan.h"
#include "data/set.h"

#define SCAN_ROWS  (4 * SR_BAND_ROWS)
#define COLUMNS    ((size_t)128) /* columns a block: sums of a block stay in the first-level cache */
#define ID_SAMPLES ((size_t)1024)

struct scanner {
    const struct sr_data *d;
    struct sr_scan *scan;
    unsigned char *raw; /* [SCAN_ROWS] raw rows, where features are not kept */
    float *x;           /* [SCAN_ROWS, width] */
    uint8_t *good;      /* [SCAN_ROWS] */
    uint64_t *bits;     /* [SCAN_ROWS], sr_row_bits of each, little-endian */
    float *reference;   /* [width] */
    uint64_t good_rows;
    size_t bad_room;           /* items scan->bad_row has room for */
    struct sr_sha256 sha, all; /* of data_id, of values_id */
    size_t sample, samples;    /* next of the rows hashed, and how many */
};

static void hash_number(struct sr_sha256 *sha, uint64_t value) {
    value = htole64(value);
    sr_sha256_add(sha, &value, sizeof value);
}

static void begin_hash(struct scanner *s) {
    sr_sha256_begin(&s->sha);
    sr_sha256_begin(&s->all);
    hash_number(&s->sha, s->d->rows);
    hash_number(&s->sha, s->d->width);
    if (s->d->label)
        sr_sha256_add(&s->sha, s->d->label, s->d->rows);
    s->samples = s->d->rows < ID_SAMPLES ? s->d->rows : ID_SAMPLES;
}

/* Hashes the sampled rows among first .. first+n, of which x holds the values. */
static void hash_rows(struct scanner *s, size_t first, size_t n) {
    for (; s->sample < s->samples; s->sample++) {
        size_t row = s->sample * s->d->rows / s->samples;
        if (row >= first + n)
            return;
        const float *x = s->x + (row - first) * s->d->width;
        for (size_t k = 0; k < s->d->width; k++) {
            uint32_t bits;
            memcpy(&bits, x + k, sizeof bits);
            bits = htole32(bits);
            sr_sha256_add(&s->sha, &bits, sizeof bits);
        }
    }
}

static float length_of(const float *x, size_t width) {
    double sum = 0;
    for (size_t k = 0; k < width; k++)
        sum += (double)x[k] * (double)x[k];
    return (float)sqrt(sum);
}

static int fetch(struct scanner *s, size_t first, size_t n, struct sr_error *err) {
    const struct sr_data_private *in = s->d->in;
    const unsigned char *raw = s->raw;
    size_t width = s->d->width;
    if (in->kept) {
        raw = in->kept + first * in->row_bytes;
    } else {
        int status = sr_set_read(s->d, s->raw, first, n, err);
        if (status < 0)
            return status;
    }
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < n; r++) {
        sr_feature_to_float(s->x + r * width, raw + r * in->row_bytes, width, in->type);
        s->good[r] = (uint8_t)sr_vec()->all_finite(s->x + r * width, width);
        s->scan->hash[first + r] = sr_row_hash(s->x + r * width, width);
        s->bits[r] = htole64(sr_row_bits(s->x + r * width, width));
        s->scan->length[first + r] = s->good[r] ? length_of(s->x + r * width, width) : NAN;
    }
    return 0;
}

static int note_bad(struct scanner *s, size_t row, struct sr_error *err) {
    struct sr_scan *scan = s->scan;
    if (scan->bad_rows == s->bad_room) {
        size_t room = 2 * s->bad_room + 64;
        uint32_t *grown = sr_realloc(scan->bad_row, s->bad_room * sizeof *grown, room * sizeof *grown, err);
        if (!grown)
            return SR_NOMEM;
        scan->bad_row = grown;
        s->bad_room = room;
    }
    scan->bad_row[scan->bad_rows++] = (uint32_t)row;
    return 0;
}

/* Collects bad rows; the first good row of all becomes the reference. */
static int look_at_rows(struct scanner *s, size_t first, size_t n, struct sr_error *err) {
    for (size_t r = 0; r < n; r++) {
        if (!s->good[r]) {
            if (note_bad(s, first + r, err) < 0)
                return SR_NOMEM;
        } else if (s->good_rows++ == 0) {
            memcpy(s->reference, s->x + r * s->d->width, s->d->width * sizeof(float));
        }
    }
    return 0;
}

/* Adds the good rows to the sums, which live in mean and deviation until the end. */
static void add_rows(struct scanner *s, size_t n) {
    size_t width = s->d->width;
#pragma omp parallel for schedule(static)
    for (size_t begin = 0; begin < width; begin += COLUMNS) {
        size_t end = begin + COLUMNS < width ? begin + COLUMNS : width;
        double *sum = s->scan->mean, *squares = s->scan->deviation;
        for (size_t r = 0; r < n; r++) {
            if (!s->good[r])
                continue;
            const float *x = s->x + r * width;
            for (size_t k = begin; k < end; k++) {
                double shifted = (double)x[k] - (double)s->reference[k];
                sum[k] += shifted;
                squares[k] += shifted * shifted;
            }
        }
    }
}

static void finish(struct scanner *s) {
    double n = (double)s->good_rows;
    for (size_t k = 0; k < s->d->width; k++) {
        double shift = s->scan->mean[k] / n; /* NaN without good rows */
        double variance = s->scan->deviation[k] / n - shift * shift;
        s->scan->mean[k] = (double)s->reference[k] + shift;
        s->scan->deviation[k] = sqrt(variance < 0 ? 0 : variance);
    }
    sr_sha256_end(&s->sha, s->scan->data_id);
    sr_sha256_end(&s->all, s->scan->values_id);
}

static int allocate(struct scanner *s, struct sr_error *err) {
    size_t width = s->d->width;
    s->scan->mean = sr_alloc(width, sizeof(double), err);
    s->scan->deviation = sr_alloc(width, sizeof(double), err);
    s->scan->hash = sr_alloc(s->d->rows, sizeof(uint64_t), err);
    s->scan->length = sr_alloc(s->d->rows, sizeof(float), err);
    s->raw = sr_alloc(s->d->in->kept ? 0 : SCAN_ROWS, s->d->in->row_bytes, err);
    s->x = sr_alloc(SCAN_ROWS * sizeof(float), width, err);
    s->good = sr_alloc(SCAN_ROWS, 1, err);
    s->bits = sr_alloc(SCAN_ROWS, sizeof *s->bits, err);
    s->reference = sr_alloc(width, sizeof(float), err);
    bool results = s->scan->mean && s->scan->deviation && s->scan->hash && s->scan->length;
    return results && s->raw && s->x && s->good && s->bits && s->reference ? 0 : SR_NOMEM;
}

static void show_rows(const struct scanner *s, size_t first, size_t n, const struct sr_scan_visitor *visitor,
                      size_t visitors) {
    const struct sr_scan_block block = {first, n, s->x, s->good, s->scan->hash + first};
    for (size_t v = 0; v < visitors; v++)
        visitor[v].visit(visitor[v].user, &block);
}

int sr_scan_visit(struct sr_data *d, struct sr_scan *scan, const struct sr_scan_visitor *visitor,
                  size_t visitors, void (*progress)(void *user, double fraction), void *user,
                  struct sr_error *err) {
    struct scanner s = {.d = d, .scan = scan};
    *scan = (struct sr_scan){0};
    int status = allocate(&s, err);
    if (status < 0)
        goto out;
    begin_hash(&s);
    for (size_t first = 0; first < d->rows; first += SCAN_ROWS) {
        size_t n = d->rows - first < SCAN_ROWS ? d->rows - first : SCAN_ROWS;
        if ((status = fetch(&s, first, n, err)) < 0 || (status = look_at_rows(&s, first, n, err)) < 0)
            goto out;
        add_rows(&s, n);
        hash_rows(&s, first, n);
        sr_sha256_add(&s.all, s.bits, n * sizeof *s.bits);
        show_rows(&s, first, n, visitor, visitors);
        if (progress)
            progress(user, (double)(first + n) / (double)d->rows);
    }
    finish(&s);
out:
    sr_free(s.raw);
    sr_free(s.x);
    sr_free(s.good);
    sr_free(s.bits);
    sr_free(s.reference);
    if (status < 0)
        sr_scan_free(scan);
    return status;
}

int sr_data_scan(struct sr_data *d, struct sr_scan *scan, void (*progress)(void *user, double fraction),
                 void *user, struct sr_error *err) {
    return sr_scan_visit(d, scan, NULL, 0, progress, user, err);
}

void sr_scan_free(struct sr_scan *scan) {
    sr_free(scan->bad_row);
    sr_free(scan->mean);
    sr_free(scan->deviation);
    sr_free(scan->hash);
    sr_free(scan->length);
    *scan = (struct sr_scan){0};
}
