/* cmd_eval.h: what `saferoute eval` measured, and the ways it is said; internal to the command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_EVAL_H
#define SR_CMD_EVAL_H

#include "data/data.h"
#include "eval/eval.h"
#include "infer/infer.h"

struct sr_eval_options {
    struct sr_score_options score;
    struct sr_data_options how;
    struct sr_prices prices;
    char *baseline, *traffic, *run, *report, *gate;
    double prevalence; /* NaN: not given */
    bool headroom, full, json;
    int on_bad_row; /* enum sr_on_bad_row of cmd_rows.h */
};

/* The rows of an unlabelled dump, scored. */
struct sr_traffic {
    size_t rows, routed;
    double latency_ms, price;
};

struct sr_eval_result {
    const struct sr_eval_options *options;
    const struct sr_scoring *scoring;
    struct sr_rows rows;
    struct sr_measure_options how;
    char labels[256];

    struct sr_evaluation all;
    const char *const *names;    /* of slices, [slices] */
    struct sr_evaluation *slice; /* [slices] */
    size_t slices;
    struct sr_overlap used[SR_USES], old_used[SR_USES]; /* old: where has_old */

    bool has_old;
    struct sr_comparison change, equal_share; /* at each router's own threshold; at the old one's share */
    float equal_threshold;                    /* of the new one there */
    struct sr_comparison *slice_change;       /* [slices] */

    struct sr_calibrator *calibrator; /* of the weights; NULL: they have none */
    struct sr_calibration_scores calibrated;
    struct sr_interval calibrated_ci[SR_CALIBRATION_SCORES];

    bool has_traffic;
    struct sr_traffic traffic;
    struct sr_json *evaluation; /* all of it */
    struct sr_gate_line gate[SR_GATE_MAX];
    size_t conditions; /* of the gate */
};

/* cmd_headroom.c: `eval --headroom`: prints what routing can win by the columns of a dump; features are not
 * read. SR_USAGE for prices that say nothing alone or contradict each other. */
int sr_headroom_run(const struct sr_eval_options *o, struct sr_error *err);

/* Fills everything but the JSON; prints progress and warnings. Free after a failure too. */
int sr_eval_measure(struct sr_eval_result *r, const struct sr_eval_options *o, const struct sr_scoring *s,
                    struct sr_error *err);
/* Fills r->evaluation. */
int sr_eval_json(struct sr_eval_result *r, struct sr_error *err);
void sr_eval_print(const struct sr_eval_result *r);
void sr_eval_free(struct sr_eval_result *r);

#endif
