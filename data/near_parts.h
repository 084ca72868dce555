/* near_parts.h: what the files of the near-duplicate finder share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NEAR_PARTS_H
#define SR_NEAR_PARTS_H

#include "data/near.h"
#include "data/set.h"

#define SR_NEAR_BITS  ((size_t)256) /* of a signature; a power of two */
#define SR_NEAR_WORDS (SR_NEAR_BITS / 64)
#define SR_NEAR_LANES 16 /* sums that a cosine is taken in */

struct sr_near_signature {
    uint64_t word[SR_NEAR_WORDS];
};

/* A row that may be a near duplicate of the one it is kept for. */
struct sr_near_candidate {
    uint32_t row;
    uint32_t distance; /* bits in which the signatures differ */
};

struct sr_near_list { /* the nearest found so far, ascending by (distance, row) */
    struct sr_near_candidate nearest[SR_NEAR_KEPT];
    uint32_t count;
};

struct sr_near {
    struct sr_data *const *sets;
    size_t n;      /* sets */
    size_t *first; /* [n + 1]: first row of each set */
    size_t rows;   /* of all sets */
    size_t width;
    double cosine;
    struct sr_scan_visitor *visitor; /* [n] */
    struct sr_near_feed *feed;       /* [n]: what a visitor knows */
    float *shift, *scale;            /* [width]: z = (x - shift) * scale */
    float *fold;                     /* [width]: scale with a random sign */
    float *sign;                     /* [2, SR_NEAR_BITS]: random signs */
    uint64_t *hash;                  /* [rows] */
    uint8_t *good;                   /* [rows]: all features finite */
    struct sr_near_signature *bits;  /* [rows], NULL where only exact duplicates are wanted */
    uint32_t *same, *root, *twin;    /* [rows] */
    struct sr_near_pair *pair;
    size_t pairs;
};

struct sr_near_feed {
    struct sr_near *near;
    size_t set;
};

static inline size_t sr_near_set(const struct sr_near *near, size_t row) {
    size_t s = 0;
    while (row >= near->first[s + 1])
        s++;
    return s;
}

static inline bool sr_near_wanted(const struct sr_near *near) {
    return near->cosine > 0 && near->width >= SR_NEAR_WIDTH_MIN;
}

/* Raw rows first .. first+n of a set, from memory where they are kept. */
int sr_near_read(const struct sr_data *d, unsigned char *out, size_t first, size_t n, struct sr_error *err);

/* near_sketch.c: fills shift, scale, fold and sign from a sample of the rows; and the signature of a row. */
int sr_near_sketch_begin(struct sr_near *near, struct sr_error *err);
void sr_near_sketch(struct sr_near_signature *out, const struct sr_near *near, const float *x);

/* near_tables.c: pairs that may be near duplicates (cosine not set yet), ascending, into near->pair. done:
 * called with the fraction of the tables that are done. */
int sr_near_tables(struct sr_near *near, void (*done)(void *user, double fraction), void *user,
                   struct sr_error *err);

/* near_exact.c: sets the cosines of near->pair and drops pairs below near->cosine. */
int sr_near_exact(struct sr_near *near, void (*done)(void *user, double fraction), void *user,
                  struct sr_error *err);

#endif
