/* compare.h: two dumps of the same rows, row by row: two ways of extracting them, say.
 *
 * Rows are joined by their ids, or by their numbers. A pair is a row of each; pairs are in the order of the
 * first dump's rows. Nothing here judges what a difference means but sr_comparison_verdict, whose rule stands
 * beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_COMPARE_H
#define SR_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/data.h"

/* ---- which rows ---- */

struct sr_pairs {
    size_t n;
    uint32_t *row[2];     /* [n]: of the first dump, ascending, and of the second */
    size_t only[2];       /* rows that the other dump lacks */
    size_t first_only[2]; /* the first of them, where there are any */
    size_t strangers;     /* joined by number: pairs whose ids, which both dumps have, are not the same */
    size_t first_stranger;
};

/* Joins by /id, or by number where by_row says so. SR_DATA: no ids; an id twice in one file; no row in both;
 * by number, other numbers of rows. Free with sr_pairs_free, also after a failure. */
int sr_pairs_make(struct sr_pairs *out, const struct sr_data *const d[2], bool by_row, struct sr_error *err);
void sr_pairs_free(struct sr_pairs *p);

/* ---- features ---- */

/* One pair. Where either row has a NaN or an infinity the numbers are NaN and `bad` says which. */
struct sr_row_difference {
    double cosine;   /* of equal rows 1; of one row of zeros 0 */
    float length[2]; /* Euclidean */
    float relative;  /* length of the difference over the greater of the two lengths */
    float largest;   /* largest |a - b| of a feature */
    uint32_t column; /* where that is */
    uint8_t bad;     /* bit 0: the first dump's row, bit 1: the second's */
    bool same;       /* as float32, the bits of both are the same: also of rows that are bad */
};

/* out [p->n]. Both dumps have one width. The second's rows are read into memory of about `memory` bytes, once
 * and in order; the first's are read in order once for each time that memory was filled, but only where
 * partners are there: dumps in one order are both read once. *unrelated: the median cosine of rows of the
 * first with rows of the second that are not their partners, of a sample; NaN where there are no two good
 * pairs. Runs on all OpenMP threads; the same bits for any number, and any memory. progress as in
 * sr_data_scan. */
int sr_compare_features(struct sr_row_difference *out, double *unrelated, const struct sr_pairs *p,
                        const struct sr_data *const d[2], size_t memory,
                        void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

enum sr_scale {
    SR_SCALE_OTHER,    /* rows point elsewhere, or no nearer to their partners than to other rows */
    SR_SCALE_SAME,     /* lengths are the same, to a hundredth */
    SR_SCALE_UNIT_A,   /* rows of the first have length 1, those of the second have not */
    SR_SCALE_UNIT_B,   /* the other way round */
    SR_SCALE_CONSTANT, /* the second is the first times one number, to a hundredth */
    SR_SCALE_VARIES,   /* the factor is another for each row */
    SR_SCALE_NONE      /* rows of zeros have no factor */
};

#define SR_COSINE_WORST 5

/* Quantiles are interpolated linearly, as NumPy's. Of pairs without bad rows; NaN without any. */
struct sr_feature_summary {
    size_t n;        /* such pairs */
    size_t bad[4];   /* pairs by `bad` */
    size_t bad_same; /* of bad[3], those whose rows are the same */
    double cosine_min, cosine_1, cosine_50;
    double unrelated;                       /* as above */
    size_t worst[SR_COSINE_WORST], n_worst; /* pairs of the lowest cosines, rising */
    size_t largest_pair, relative_pair;     /* of the largest difference of a feature, and of a row */
    double ratio_1, ratio_50, ratio_99;     /* length of the second over that of the first */
    enum sr_scale scale;                    /* 98 % of the rows say so */
};

/* Rows point the same way where cosine_1 is at least .99, and what it lacks to 1 at most half of what
 * `unrelated` lacks: features with a few large columns are all alike. */
int sr_feature_summary_make(struct sr_feature_summary *out, const struct sr_row_difference *row, size_t n,
                            double unrelated, struct sr_error *err);

/* ---- columns ---- */

/* Which dumps have a column. */
enum { SR_IN_A = 1, SR_IN_B = 2, SR_IN_BOTH = 3 };

/* What a guard, or the router, says of the rows, in one dump and in the other. */
struct sr_change {
    uint8_t prob_in, verdict_in; /* SR_IN_A | SR_IN_B; 0: in neither */
    size_t probs;                /* pairs with a probability in both */
    size_t probs_one_sided;      /* with one in one dump only, where both have the column */
    double mean, largest;
    size_t largest_pair;
    size_t verdicts;        /* pairs with a verdict in both */
    size_t to_one, to_zero; /* verdicts that change */
    size_t one_sided;       /* as probs_one_sided */
};

/* prob[2] and pred[2] are columns of the dumps, NULL where absent. flipped [p->n] (may be NULL) becomes 1
 * where verdicts change, or are known in one dump only. */
struct sr_change sr_change_of(const struct sr_pairs *p, const float *const prob[2],
                              const uint8_t *const pred[2], uint8_t *flipped);

/* A column that is the same in a pair or not: a weight, a group, a source's name. */
struct sr_tag {
    uint8_t in;
    size_t changed, first; /* pairs, and the first of them */
};

/* ---- together ---- */

struct sr_comparison {
    const struct sr_data *d[2];
    const struct sr_troubles *troubles; /* [2], of opening them; NULL: none */
    struct sr_pairs pairs;
    bool same_width;
    struct sr_row_difference *row; /* [pairs.n], NULL where widths differ */
    struct sr_feature_summary features;
    struct sr_change label, gold, small, large;
    struct sr_tag weight, group, source;
    bool routed; /* there is a router, whose words are: */
    struct sr_change router;
    float threshold;
    const char *threshold_origin;        /* static storage */
    size_t out_of_range[2], unscored[2]; /* of the pairs' rows */
    uint8_t *flipped; /* [pairs.n]: label, verdict or decision is another, or known in one dump only */
    size_t flips;     /* such pairs; sr_comparison_count */
};

/* Joins, and compares columns; d is borrowed. Features and router are the caller's to add. Free with
 * sr_comparison_free, also after a failure. */
int sr_comparison_begin(struct sr_comparison *c, const struct sr_data *const d[2], bool by_row,
                        struct sr_error *err);
void sr_comparison_count(struct sr_comparison *c);
void sr_comparison_free(struct sr_comparison *c);

/* Of the rows in both. Same: every number is, as float32 (float64 is kept so); rows that are bad have the
 * same bits. Rounding: the difference of every row is at most what rounding to the coarser of the two types
 * makes (of the row's length 2^-10 for float16, 2^-8 for bfloat16, 2^-23 for float32, and of each feature the
 * smallest number of the type: both roundings together), no probability changes by more than
 * SR_PROB_ROUNDING, and nothing else differs. Differ: all else, also a column or a value that one dump lacks,
 * and ids that do not agree. */
enum sr_verdict { SR_VERDICT_SAME, SR_VERDICT_ROUNDING, SR_VERDICT_DIFFER };
#define SR_PROB_ROUNDING 1e-3
double sr_comparison_rounding(const struct sr_comparison *c); /* 2^-10 and so on */
enum sr_verdict sr_comparison_verdict(const struct sr_comparison *c);

/* Rows in one dump only, of both together. */
static inline size_t sr_comparison_missing(const struct sr_comparison *c) {
    return c->pairs.only[0] + c->pairs.only[1];
}

/* Key k of the contract is another in the two, or unknown to one of them. */
bool sr_comparison_contract_differs(const struct sr_comparison *c, int k);

/* The verdict with its reasons, and all of it, as facts. */
void sr_comparison_verdict_facts(struct sr_facts *f, const struct sr_comparison *c);
void sr_comparison_facts(struct sr_facts *f, const struct sr_comparison *c);

#endif
