/* cmd_sweep.h: what `saferoute sweep` chose, and the ways it is said; internal to the command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_SWEEP_H
#define SR_CMD_SWEEP_H

#include "data/data.h"
#include "eval/eval.h"
#include "infer/infer.h"

/* Of --calibrate: none, or a kind of calibrator and 1. */
enum { SR_CALIBRATE_NONE };

struct sr_sweep_options {
    struct sr_score_options score;
    struct sr_data_options how;
    struct sr_prices prices;
    char *rule, *traffic, *out, *csv;
    int calibrate;
    int on_bad_row; /* enum sr_on_bad_row of cmd_rows.h */
    bool json;
    bool rule_given, threshold_given;
};

#define SR_CHOICES_MAX 32

/* A rule, and the threshold it chose. */
struct sr_choice {
    char rule[64];       /* as given; "given" for --threshold */
    int status;          /* 0, or why there is no threshold: SR_NO, SR_DATA */
    struct sr_error why; /* where there is none */
    float threshold;
    const struct sr_point *point; /* what it does on the calibration rows */
    double traffic_share;         /* routed of the traffic; NaN without */
};

/* A calibrator with the scores of prob before and after, on the rows it was fitted to. */
struct sr_calibrated {
    struct sr_calibrator *calibrator; /* NULL: none was asked for */
    struct sr_calibration_scores before, after;
    struct sr_bin before_bins[SR_BINS], after_bins[SR_BINS]; /* equal mass */
};

struct sr_sweep_result {
    const struct sr_sweep_options *options;
    const struct sr_scoring *scoring;
    struct sr_rows rows;
    struct sr_sweep sweep, traffic; /* traffic: no points without --traffic */
    char traffic_id[65];
    struct sr_choice choice[SR_CHOICES_MAX];
    size_t choices;
    struct sr_calibrated calibrated;
};

/* Chooses and calibrates; prints progress and warnings. Free after a failure too. */
int sr_sweep_measure(struct sr_sweep_result *r, const struct sr_sweep_options *o, const struct sr_scoring *s,
                     struct sr_error *err);
void sr_sweep_result_free(struct sr_sweep_result *r);

/* Everything but the sweep at every threshold as one tree. */
struct sr_json *sr_sweep_result_json(const struct sr_sweep_result *r);
/* What a choice does: counts, ratios and Wilson's intervals of proportions. */
struct sr_json *sr_choice_json(const struct sr_sweep_result *r, const struct sr_choice *c);
void sr_sweep_print(const struct sr_sweep_result *r);

/* Writes the router with its threshold or calibrator to --out, and checks what it wrote. Prints progress. */
int sr_sweep_router_write(const struct sr_sweep_result *r, struct sr_error *err);

#endif
