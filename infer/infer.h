/* infer.h: the door of infer: the deployed router.
 *
 * A router is opened from a weights file, folded (BatchNorm into Linear) and immutable afterwards; any number
 * of threads may score with it at once. Scoring allocates nothing and starts no thread: callers split rows. A
 * row's result is the same bits alone or among others.
 *
 *     struct sr_router *r;
 *     sr_router_open(&r, "best.safetensors", err);
 *     sr_router_logits(r, logit, x, rows);              // x: [rows, sr_router_width(r)]
 *     prob = sr_router_prob(logit[0]);
 *     sr_router_close(r);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_INFER_H
#define SR_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "infer/saferoute.h"
#include "nn/base/base.h"

/* Used, and said, when no threshold was chosen. */
#define SR_THRESHOLD_UNSET 0.6f

struct sr_router;

/* Opens a weights file (keys cls.*, see "Files" in the README). Depth and widths follow from the tensors.
 * SR_NOINPUT: no such file. SR_DATA: not a safetensors file, a tensor missing or of the wrong shape (named),
 * a value that is not finite, a running_var below 0. */
int sr_router_open(struct sr_router **out, const char *path, struct sr_error *err);
/* As options (may be NULL) say. SR_USAGE: a precision that the file cannot be computed in. */
int sr_router_open_with(struct sr_router **out, const char *path, const struct saferoute_options *options,
                        struct sr_error *err);
int sr_router_open_bytes(struct sr_router **out, const void *bytes, size_t size, const char *path,
                         const struct saferoute_options *options, struct sr_error *err);
void sr_router_close(struct sr_router *r); /* NULL is fine */

/* The same object as the shipped library's functions (saferoute.h) take it, and back. */
static inline const struct saferoute_router *sr_router_shipped(const struct sr_router *r) {
    return (const struct saferoute_router *)r;
}
static inline const struct sr_router *sr_router_of(const struct saferoute_router *r) {
    return (const struct sr_router *)r;
}

/* Can a router of layers that read width[0..layers) numbers, the last of which gives one, be opened? SR_DATA
 * with what is too wide: a layer's inputs and outputs must lie in the scratch of scoring together. what is
 * for the message. */
int sr_router_check_widths(const size_t *width, size_t layers, const char *what, struct sr_error *err);

size_t sr_router_width(const struct sr_router *r); /* features a row, D */

/* True and the threshold if one was chosen for these weights. */
bool sr_router_threshold(const struct sr_router *r, float *threshold);

/* A metadata value of the file (threshold_rule, feature_model, ...) or NULL. */
const char *sr_router_metadata(const struct sr_router *r, const char *key);

/* SHA-256 of the router's whole file, in hex. */
const char *sr_router_artefact(const struct sr_router *r);

/* logit[i] for x[i, 0..width). */
void sr_router_logits(const struct sr_router *r, float *logit, const float *x, size_t rows);

/* 1/(1+exp(-logit)), rounded once to float32. */
float sr_router_prob(float logit);

const char *sr_router_precision(const struct sr_router *r); /* what it computes in; as the next */
const char *sr_precision_name(int precision); /* "int8", of enum saferoute_precision; static storage */

/* ---- part of the program, not of the shipped library: score.c ---- */
struct sr_data;
struct sr_data_options;
struct sr_overlap;

/* enum saferoute_reason, and of rows without a score in a file of scores: */
#define SR_REASON_NOT_SCORED SAFEROUTE_REASON_COUNT
/* As saferoute_reason_text; "" where the score decided. Static storage. */
const char *sr_reason_text(int reason);

/* Scores of every row of a dump, in row order. A bad row has none: NaN. */
struct sr_scores {
    size_t rows, bad_rows;
    size_t out_of_range; /* rows with that reason */
    float *logit;        /* NULL where the scores came from a file */
    float *prob;
    float *range;    /* how far out, see range.c; 0 where it was not looked at. NULL as logit */
    uint8_t *reason; /* SCORE, OUT_OF_RANGE (which is scored), or why there is no score */
    uint64_t *hash;  /* sr_row_hash of the features; NULL where the scores came from a file */
};
/* SR_DATA if the dump's width is not the router's. Runs on all OpenMP threads; same bits for any number.
 * progress may be NULL. Free with sr_scores_free. */
int sr_score_data(struct sr_scores *out, const struct sr_router *r, struct sr_data *d,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err);
/* The same of rows row[0..n) of it, ascending: out has n items. */
int sr_score_rows(struct sr_scores *out, const struct sr_router *r, struct sr_data *d, const uint32_t *row,
                  size_t n, void (*progress)(void *user, double fraction), void *user, struct sr_error *err);
void sr_scores_free(struct sr_scores *s);

/* The metadata key of the range that is the limit (SR_RANGE_LIMIT_UNSET where it is not there).
 * sr_scores_range_limit gives the limit beyond which SR_RANGE_TRIPS of these rows are, or a row less, and how
 * many are. 1: limit filled; 0: it is not to be set: fewer than SR_RANGE_ROWS rows have a range, too few to
 * say, or the limit would be above SR_RANGE_LIMIT_MOST, where wrong vectors pass: these rows are not like
 * those of training; or SR_NOMEM. */
#define SR_RANGE_LIMIT       "range_limit"
#define SR_RANGE_LIMIT_UNSET 1.02
#define SR_RANGE_LIMIT_MOST  2.0
#define SR_RANGE_TRIPS       1e-3
#define SR_RANGE_ROWS        1000
int sr_scores_range_limit(float *limit, size_t *beyond, const struct sr_scores *s, struct sr_error *err);

/* Where the features of training lie (stats.c); what range.c asks of a row comes from it. block NULL: nothing
 * is known, as of rows that are all alike. */
struct sr_stats {
    size_t width, directions;
    float *mean, *variance, *inverse; /* [width]; inverse of the deviation */
    float *basis;                     /* [directions, width] */
    float range[3];                   /* low, high, share; see range.c */
    void *block;                      /* what the pointers point to */
};
struct sr_scan;
/* Of rows row[0..n) of d, ascending, all of them finite; scan is d's. Reads some tens of thousands of rows at
 * most, some of them twice. Free with sr_stats_free. */
int sr_stats_measure(struct sr_stats *out, struct sr_data *d, const struct sr_scan *scan, const uint32_t *row,
                     size_t n, struct sr_error *err);
void sr_stats_free(struct sr_stats *s);
/* Its tensors, stats.*, which borrow from it; returns how many: 0 where nothing is known. */
#define SR_STATS_TENSORS 4
#define SR_STATS_ROWS    10000 /* fewer rows have none in ten thousand, where the limits are */
size_t sr_stats_tensors(struct sr_tensor list[SR_STATS_TENSORS], const struct sr_stats *s);

/* What every command that scores is told alike; the rows of its table of options are SR_SCORE_OPTIONS(type,
 * member), where member is the struct's name in the command's own. */
struct sr_score_options {
    char *model, *data;
    char *scores;     /* SR_SCORES_OPTION; NULL in a command that has none */
    double threshold; /* SR_THRESHOLD_OPTION; counts only if it was given */
    int64_t threads, memory;
};

/* clang-format off */
#define SR_SCORE_OPTIONS(type, member) \
    {"model", SR_OPTION_TEXT, offsetof(type, member.model), .metavar = "W", .help = "weights (safetensors)"}, \
    {"data", SR_OPTION_TEXT, offsetof(type, member.data), .metavar = "D.h5[,E.h5]", \
     .help = "feature dumps, taken as one set of rows"}, \
    {"threads", SR_OPTION_INTEGER, offsetof(type, member.threads), .fallback = "0", .max = 1024, \
     .metavar = "N", .help = "threads; 0: as many as this process may use. Never changes results"}, \
    {"memory", SR_OPTION_BYTES, offsetof(type, member.memory), .fallback = "0", .metavar = "SIZE", \
     .help = "read features up to this size into memory first; else in bands. Never changes results"}

/* Of those that use a threshold. */
#define SR_THRESHOLD_OPTION(type, member) \
    {"threshold", SR_OPTION_REAL, offsetof(type, member.threshold), .max = 1, .metavar = "T", \
     .help = "route rows with prob > T; else the weights' own threshold, else 0.6"}

/* And of those that can do with scores alone. */
#define SR_SCORES_OPTION(type, member) \
    {"scores", SR_OPTION_TEXT, offsetof(type, member.scores), .metavar = "F.csv|F.h5", \
     .help = "take the scores that infer wrote for this data; features are only read of a few rows, to see " \
             "that --model gives the same, which may be left out"}
/* clang-format on */

/* A router, a dump, the threshold that holds and the scores. */
struct sr_scoring {
    struct sr_router *router; /* NULL: scores come from a file, and no model was given */
    const char *model_path;   /* its weights file, or NULL; borrowed from the options, as the next */
    const char *scores_path;  /* the file that scores are taken from, or NULL */
    struct sr_data *data;
    float threshold;
    bool threshold_is_set;                /* given, or stored in the weights */
    char threshold_text[SR_DECIMAL_TEXT]; /* the shortest decimal that is this float: "0.6" */
    char threshold_origin[96];            /* "given by --threshold" */
    struct sr_scores scores;
};

/* Opens both, the dump as `how` says; refuses widths that differ (SR_DATA), sets the threshold and the number
 * of threads. SR_USAGE without data, or with neither a model nor scores. Features are kept in memory where
 * they are to be, and not read where scores come from a file. Close also after a failure. */
int sr_scoring_open(struct sr_scoring *s, const struct sr_score_options *o, const struct sr_data_options *how,
                    bool threshold_given, struct sr_error *err);
void sr_scoring_close(struct sr_scoring *s);

/* Scores the dump into s->scores, with a progress bar, or takes the scores from their file, after warning of
 * what the dump's contract and the weights' differ in (cmd_scoring.c: prints). SR_DATA where the file's
 * scores are not those of the weights given beside it: some rows are scored to see. */
int sr_scoring_run(struct sr_scoring *s, struct sr_error *err);

/* A line for every part of the dump's contract that the weights contradict (cmd_scoring.c: prints). dump and
 * weights: what they are called, "the traffic", "the weights". r may be NULL. */
void sr_router_compare(const struct sr_router *r, const struct sr_data *d, const char *dump,
                       const char *weights);

/* A file or, as a list with patterns, the files that a command reads. */
struct sr_input {
    const char *option, *path; /* path NULL: was not given */
    bool is_dumps;
};
/* SR_USAGE if the file `out` that --option names is one of those, whatever its spelling or links: replacing
 * it would destroy it. out may be NULL. */
int sr_inputs_spare(const struct sr_input *inputs, size_t n, const char *option, const char *out,
                    struct sr_error *err);

/* What a row was used for on the way to these weights, as the keys of their metadata that hold a sketch
 * (sketch.h) of such rows. X(NAME, key, what a user reads: "these rows were ... the weights") */
#define SR_USE_LIST(X)                                                                                       \
    X(TRAINED, "rows_trained", "used to train")                                                              \
    X(SELECTED, "rows_selected", "used to select the best epoch of")                                         \
    X(CALIBRATED, "rows_calibrated", "used to choose the threshold or the calibration of")

enum sr_use {
#define X(name, key, text) SR_USE_##name,
    SR_USE_LIST(X)
#undef X
        SR_USES
};

const char *sr_use_key(enum sr_use use); /* "rows_trained"; static storage */

/* Of the rows scored, how many were used for what: overlap [SR_USES]. Not known (a share of NaN, no row seen)
 * where the weights do not say, or features were not read. SR_DATA: a key of the weights holds no sketch;
 * path is theirs, for the message. */
int sr_router_used(struct sr_overlap *overlap, const struct sr_router *r, const char *path,
                   const struct sr_scores *scores, struct sr_error *err);

/* The next entry, from *i on, of the dump's contract (features, labels) that the weights contradict, or NULL.
 * *i starts as 0. */
const struct sr_pair *sr_router_differs(const struct sr_router *r, const struct sr_data *d, size_t *i);

#endif
