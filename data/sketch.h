/* sketch.h: which rows were used: small enough to travel with the weights, good enough to see them again.
 *
 * A row is known by a hash of its features rounded to float16, so that the form of the file does not matter:
 * a copy repacked (as float16 too), converted or merged with others has the same. A sketch keeps the
 * SR_SKETCH_ROWS smallest distinct hashes of a set of rows (bottom-k: Broder 1997; Cohen and Kaplan 2007).
 * Rows of another set that are among them were in the first one too; of its rows below the sketch's greatest
 * hash, the share that is among them estimates the share of all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SKETCH_H
#define SR_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

#define SR_SKETCH_ROWS 1024

/* Hash of a row's features, each rounded to the nearest float16 (ties to even; infinite where that overflows;
 * 0 and -0 are one, and all NaN are). The same on every machine: it is stored. Any thread. */
uint64_t sr_row_hash(const float *x, size_t width);

/* Hash of a row's features as they are, each of their bits. The same on every machine. Any thread. */
uint64_t sr_row_bits(const float *x, size_t width);

struct sr_sketch {
    size_t n;                      /* hashes in it; less than SR_SKETCH_ROWS: all there are */
    uint64_t hash[SR_SKETCH_ROWS]; /* rising, distinct */
};

/* The sketch of rows row[0..n), or of rows 0..n-1 where row is NULL, of which hash[] holds the hashes. */
void sr_sketch_make(struct sr_sketch *out, const uint64_t *hash, const uint32_t *row, size_t n);
/* Adds the rows of another one: the sketch of both sets together. */
void sr_sketch_merge(struct sr_sketch *to, const struct sr_sketch *from);

/* Distinct rows of the set: exact where the sketch holds all of them, else (k - 1) over the share of all
 * hashes that lie below its k-th, whose relative deviation is 1/sqrt(k - 2), 3 % (Giroire 2009). */
double sr_sketch_rows(const struct sr_sketch *s);

/* 16 hexadecimal digits a hash, for a weights file's metadata; free with sr_free. And back: SR_DATA for what
 * sr_sketch_text would not write; path and key say in the message where it stands. */
char *sr_sketch_text(const struct sr_sketch *s, struct sr_error *err);
int sr_sketch_parse(struct sr_sketch *out, const char *text, const char *path, const char *key,
                    struct sr_error *err);

/* How many of the rows 0..n-1 are certainly in the sketch's set, and about which share of all n: exact where
 * the sketch holds all hashes of its set; else an estimate from the rows below its greatest hash, whose
 * expectation is the true share where one set contains the other (Haldane 1945, inverse sampling) and close
 * to it elsewhere. NaN where that is 0/0: no row is low enough to tell. */
struct sr_overlap {
    size_t seen;
    double share; /* 0..1, NaN: not known */
};
struct sr_overlap sr_sketch_overlap(const struct sr_sketch *s, const uint64_t *hash, size_t n);

/* "about 12 %", "less than 0.1 %", or "some" where the share is not known. Returns text. */
#define SR_OVERLAP_TEXT 32
const char *sr_overlap_text(char text[SR_OVERLAP_TEXT], const struct sr_overlap *overlap);

#endif
