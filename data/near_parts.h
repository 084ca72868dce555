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

/* Of a standardised feature: one column that is far out in a few rows does not make these alike. */
#define SR_NEAR_CLIP 6.0f

struct sr_near_signature {
    uint64_t word[SR_NEAR_WORDS];
};

/* z = (x - shift) * scale, within SR_NEAR_CLIP; both [width]. */
struct sr_near_scale {
    float *shift, *scale;
    double spread; /* of a set: variances as shares of those of the space's scale, summed */
};

/* The sets of one width. Rows of different spaces are never compared. */
struct sr_near_space {
    size_t width;
    struct sr_near_scale all; /* of the rows of all its sets */
    float *fold;              /* [width]: all.scale with a random sign */
};

struct sr_near {
    struct sr_data *const *sets;
    size_t n;      /* sets */
    size_t *first; /* [n + 1]: first row of each set */
    size_t rows;   /* of all sets */
    double cosine;
    struct sr_scan_visitor *visitor; /* [n] */
    struct sr_near_feed *feed;       /* [n]: what a visitor knows */
    struct sr_near_space *space;     /* [spaces] */
    size_t spaces;
    size_t *space_of;               /* [n] */
    struct sr_near_scale *own;      /* [n]: of the set's rows; shift is NULL where these are too few */
    float *sign;                    /* [2, SR_NEAR_BITS]: random signs */
    uint64_t *hash;                 /* [rows] */
    uint64_t *value;                /* [rows]: hash of all bits; NULL where all sets are float16 */
    uint8_t *good;                  /* [rows]: all features finite */
    struct sr_near_signature *bits; /* [rows], NULL where only exact duplicates are wanted */
    uint8_t *open;                  /* [rows]: may have near duplicates that have not been seen; or NULL */
    uint32_t *same, *root, *twin;   /* [rows] */
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

/* Near ones are looked for among the rows of the set. */
static inline bool sr_near_wanted(const struct sr_near *near, size_t set) {
    return near->cosine > 0 && near->sets[set]->width >= SR_NEAR_WIDTH_MIN;
}

/* z[0..n) = features at .. at+n, which x holds, standardised. */
static inline void sr_near_standardise(float *z, const float *x, const float *shift, const float *scale,
                                       size_t n) {
    for (size_t k = 0; k < n; k++) {
        const float v = (x[k] - shift[k]) * scale[k];
        z[k] = v > SR_NEAR_CLIP ? SR_NEAR_CLIP : v < -SR_NEAR_CLIP ? -SR_NEAR_CLIP : v;
    }
}

/* Raw rows first .. first+n of a set, from memory where they are kept. */
int sr_near_read(const struct sr_data *d, unsigned char *out, size_t first, size_t n, struct sr_error *err);

/* near_same.c: a hash of all bits of a row; and fills near->same. */
uint64_t sr_near_value_hash(const float *x, size_t width);
int sr_near_same_find(struct sr_near *near, struct sr_error *err);

/* near_sample.c: fills own, and all of each space, from a sample of the rows. */
int sr_near_sample(struct sr_near *near, struct sr_error *err);

/* near_sketch.c: fills fold and sign; and the signature of a row of a space. */
int sr_near_sketch_begin(struct sr_near *near, struct sr_error *err);
void sr_near_sketch(struct sr_near_signature *out, const struct sr_near *near,
                    const struct sr_near_space *space, const float *x);

/* near_tables.c: pairs of open rows that may be near duplicates (cosine not set yet), ascending, into *pair,
 * which the caller frees. In the first round of all; later of rows that root does not connect yet. Leaves
 * those open that may have more of them. done: called with the fraction of the tables that are done. */
int sr_near_tables(struct sr_near_pair **pair, size_t *pairs, struct sr_near *near, size_t round,
                   void (*done)(void *user, double fraction), void *user, struct sr_error *err);

/* near_exact.c: sets the cosines of pairs in that order and drops those below near->cosine. */
int sr_near_exact(struct sr_near_pair *pair, size_t *pairs, const struct sr_near *near,
                  void (*done)(void *user, double fraction), void *user, struct sr_error *err);

/* qsort's: ascending by a, then b. */
int sr_near_compare_pairs(const void *a, const void *b);

#endif
