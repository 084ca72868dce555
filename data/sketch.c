/* sketch.c: hashes of rows, and the smallest of them as a sketch of a set of rows; see sketch.h.
 *
 * A row's float16 values, four to a word of 64 bits, are dealt out to LANES sums that do not wait for each
 * other. A word w enters a sum h as
 *     h <- rotate(h + w a, 31) b,    a and b odd (the round of xxHash64, Collet 2014),
 * and the sums enter the result in order, each through the finaliser of splitmix64 (Steele, Lea, Flood,
 * OOPSLA 2014), which spreads every bit over all 64: a sketch picks rows by the highest of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sketch.h"

#define BLOCK 1024 /* features rounded at a time: they stay in the first-level cache */
#define WORD  4    /* float16 values in 64 bits */
#define LANES 4
#define GROUP ((size_t)WORD * LANES) /* divides BLOCK */

#define MIX_1 0xBF58476D1CE4E5B9u
#define MIX_2 0x94D049BB133111EBu

/* ---- rows ---- */

static inline uint64_t word_of(const uint16_t *half) {
    return (uint64_t)half[0] | (uint64_t)half[1] << 16 | (uint64_t)half[2] << 32 | (uint64_t)half[3] << 48;
}

static inline uint64_t round_of(uint64_t h, uint64_t word) {
    h += word * MIX_1;
    return (h << 31 | h >> 33) * MIX_2;
}

static void groups_add(uint64_t lane[LANES], const uint16_t *half, size_t n) {
    uint64_t h[LANES];
    memcpy(h, lane, sizeof h);
    for (size_t i = 0; i < n; i += GROUP)
        for (size_t l = 0; l < LANES; l++)
            h[l] = round_of(h[l], word_of(half + i + l * WORD));
    memcpy(lane, h, sizeof h);
}

static uint64_t finalise(uint64_t h) {
    h = (h ^ h >> 30) * MIX_1;
    h = (h ^ h >> 27) * MIX_2;
    return h ^ h >> 31;
}

/* Adds n values of 16 bits; value has room for whole groups. */
static void values_add(uint64_t lane[LANES], uint16_t *value, size_t n) {
    const size_t whole = (n + GROUP - 1) / GROUP * GROUP;
    memset(value + n, 0, (whole - n) * sizeof *value);
    groups_add(lane, value, whole);
}

static uint64_t lanes_join(const uint64_t lane[LANES], size_t width) {
    uint64_t hash = width;
    for (size_t l = 0; l < LANES; l++)
        hash = finalise(hash + lane[l]);
    return hash;
}

uint64_t sr_row_hash(const float *x, size_t width) {
    uint64_t lane[LANES] = {0};
    uint16_t half[BLOCK];
    for (size_t at = 0; at < width; at += BLOCK) {
        const size_t n = width - at < BLOCK ? width - at : BLOCK;
        sr_vec()->float_to_half(half, x + at, n);
        values_add(lane, half, n);
    }
    return lanes_join(lane, width);
}

uint64_t sr_row_bits(const float *x, size_t width) {
    uint64_t lane[LANES] = {0};
    uint16_t part[2 * BLOCK];
    for (size_t at = 0; at < width; at += BLOCK) {
        const size_t n = width - at < BLOCK ? width - at : BLOCK;
        for (size_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, x + at + i, sizeof bits);
            part[2 * i] = (uint16_t)bits;
            part[2 * i + 1] = (uint16_t)(bits >> 16);
        }
        values_add(lane, part, 2 * n);
    }
    return lanes_join(lane, width);
}

/* ---- sets of rows ---- */

static int rising(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Leaves the smallest distinct of n hashes, at most SR_SKETCH_ROWS, in order. Returns how many these are. */
static size_t smallest(uint64_t *hash, size_t n) {
    size_t kept = 0;
    /* cppcheck-suppress uninitvar ; filled by the call before */
    qsort(hash, n, sizeof *hash, rising);
    for (size_t i = 0; i < n && kept < SR_SKETCH_ROWS; i++)
        if (kept == 0 || hash[i] != hash[kept - 1])
            hash[kept++] = hash[i];
    return kept;
}

static void keep_smallest(struct sr_sketch *out, uint64_t *hash, size_t n) {
    out->n = smallest(hash, n);
    memcpy(out->hash, hash, out->n * sizeof *hash);
}

void sr_sketch_make(struct sr_sketch *out, const uint64_t *hash, const uint32_t *row, size_t n) {
    uint64_t found[2 * SR_SKETCH_ROWS], limit = UINT64_MAX;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t h = hash[row ? row[i] : i];
        if (h > limit)
            continue;
        found[count++] = h;
        if (count == 2ul * SR_SKETCH_ROWS && (count = smallest(found, count)) == SR_SKETCH_ROWS)
            limit = found[count - 1];
    }
    keep_smallest(out, found, count);
}

void sr_sketch_merge(struct sr_sketch *to, const struct sr_sketch *from) {
    uint64_t both[2 * SR_SKETCH_ROWS];
    memcpy(both, to->hash, to->n * sizeof *both);
    memcpy(both + to->n, from->hash, from->n * sizeof *both);
    keep_smallest(to, both, to->n + from->n);
}

struct sr_overlap sr_sketch_overlap(const struct sr_sketch *s, const uint64_t *hash, size_t n) {
    const bool is_whole = s->n < SR_SKETCH_ROWS;
    const uint64_t greatest = is_whole ? UINT64_MAX : s->hash[s->n - 1];
    size_t seen = 0, below = 0, seen_below = 0;
    for (size_t i = 0; i < n; i++) {
        if (hash[i] > greatest)
            continue;
        const bool is_seen = bsearch(&hash[i], s->hash, s->n, sizeof *hash, rising);
        const bool counts = is_whole || hash[i] < greatest;
        seen += is_seen;
        below += counts;
        seen_below += counts && is_seen;
    }
    return (struct sr_overlap){.seen = seen,
                               .share = below ? (double)seen_below / (double)below : (double)NAN};
}

double sr_sketch_rows(const struct sr_sketch *s) {
    if (s->n < SR_SKETCH_ROWS)
        return (double)s->n;
    return (double)(s->n - 1) / (((double)s->hash[s->n - 1] + 1) * 0x1p-64);
}

/* ---- as text ---- */

#define DIGITS 16 /* hexadecimal ones of a hash */

char *sr_sketch_text(const struct sr_sketch *s, struct sr_error *err) {
    char *text = sr_alloc(s->n * DIGITS + 1, 1, err);
    for (size_t i = 0; text && i < s->n; i++)
        snprintf(text + i * DIGITS, DIGITS + 1, "%016" PRIx64, s->hash[i]);
    return text;
}

/* False if there are other characters than sr_sketch_text writes. */
static bool hash_parse(uint64_t *hash, const char *text) {
    *hash = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        const char c = text[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        *hash = *hash << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

int sr_sketch_parse(struct sr_sketch *out, const char *text, const char *path, const char *key,
                    struct sr_error *err) {
    const size_t size = strlen(text);
    out->n = size / DIGITS;
    if (size % DIGITS != 0 || out->n > SR_SKETCH_ROWS)
        return sr_fail(err, SR_DATA, "%s: %s has %zu characters; it takes %d for each of at most %d rows",
                       path, key, size, DIGITS, SR_SKETCH_ROWS);
    for (size_t i = 0; i < out->n; i++) {
        if (!hash_parse(&out->hash[i], text + i * DIGITS))
            return sr_fail(err, SR_DATA, "%s: %s: \"%.16s\" is no hash of a row (16 digits 0-9 and a-f)",
                           path, key, text + i * DIGITS);
        if (i > 0 && out->hash[i] <= out->hash[i - 1])
            return sr_fail(err, SR_DATA, "%s: %s: hash %zu, %.16s, is not above the one before it", path, key,
                           i, text + i * DIGITS);
    }
    return 0;
}

const char *sr_overlap_text(char text[SR_OVERLAP_TEXT], const struct sr_overlap *overlap) {
    if (isnan(overlap->share))
        snprintf(text, SR_OVERLAP_TEXT, "some");
    else if (overlap->share < .001)
        snprintf(text, SR_OVERLAP_TEXT, "less than 0.1 %%");
    else
        snprintf(text, SR_OVERLAP_TEXT, "about %.3g %%", 100 * overlap->share);
    return text;
}
