/* cmd_sweep_json.c: everything `saferoute sweep` found, as one tree of JSON; see cmd_sweep.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/cmd_rows.h"
#include "eval/cmd_sweep.h"

static void set_interval(struct sr_json *o, const char *key, uint64_t part, uint64_t whole) {
    sr_json_set(o, key, sr_interval_json(sr_wilson((double)part, (double)whole)));
}

struct sr_json *sr_choice_json(const struct sr_sweep_result *r, const struct sr_choice *c) {
    struct sr_json *o = sr_json_object();
    const bool found = c->status == 0;
    sr_json_set(o, "rule", sr_json_string(c->rule));
    sr_json_set(o, "valid", sr_json_bool(found));
    sr_json_set(o, "why_not", sr_json_string(found ? NULL : c->why.text));
    if (!found) {
        sr_json_set(o, "threshold", sr_json_null());
        return o;
    }
    const struct sr_confusion l = c->point->label;
    sr_point_json(o, &r->sweep, c->point, &r->options->prices);
    sr_json_set(o, "threshold", sr_json_number(sr_decimal_number(c->threshold)));
    sr_json_set(o, "rows", sr_json_integer((int64_t)r->sweep.rows));
    set_interval(o, "share_routed_ci", c->point->routed, r->sweep.rows);
    set_interval(o, "precision_ci", l.tp, l.tp + l.fp);
    set_interval(o, "recall_ci", l.tp, l.tp + l.fn);
    sr_json_set(o, "traffic_share_routed", sr_json_number(c->traffic_share));
    sr_json_set(o, "traffic_latency_ms",
                sr_json_number(sr_prices_latency(&r->options->prices, c->traffic_share)));
    sr_json_set(o, "traffic_price", sr_json_number(sr_prices_price(&r->options->prices, c->traffic_share)));
    return o;
}

static void set_scores(struct sr_json *o, const char *key, const struct sr_calibration_scores *s,
                       const struct sr_bin bins[SR_BINS]) {
    struct sr_json *one = sr_calibration_json(s);
    sr_json_set(one, "mass", sr_bins_json(bins));
    sr_json_set(o, key, one);
}

static struct sr_json *calibration_json(const struct sr_calibrated *c) {
    struct sr_json *o = c->calibrator ? sr_json_object() : sr_json_null();
    if (c->calibrator) {
        sr_json_set(o, "method", sr_json_string(sr_calibrator_method(c->calibrator)));
        set_scores(o, "before", &c->before, c->before_bins);
        set_scores(o, "after", &c->after, c->after_bins);
    }
    return o;
}

struct sr_json *sr_sweep_result_json(const struct sr_sweep_result *r) {
    struct sr_json *o = sr_json_object(), *choices = sr_json_array();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_rows_files_json(o, r->options->score.model, r->scoring->data);
    sr_rows_labels_json(o, r->scoring->data);
    sr_json_set(o, "rows", sr_json_integer((int64_t)r->sweep.rows));
    sr_json_set(o, "bad_rows", sr_json_integer((int64_t)r->scoring->scores.bad_rows));
    sr_json_set(o, "prices", sr_prices_json(&r->options->prices));
    sr_json_set(o, "traffic", sr_json_string(r->traffic.n > 0 ? sr_path_name(r->options->traffic) : NULL));
    sr_json_set(o, "traffic_rows",
                r->traffic.n > 0 ? sr_json_integer((int64_t)r->traffic.rows) : sr_json_null());
    for (size_t i = 0; i < r->choices; i++)
        sr_json_append(choices, sr_choice_json(r, &r->choice[i]));
    sr_json_set(o, "choices", choices);
    sr_json_set(o, "calibration", calibration_json(&r->calibrated));
    return o;
}
