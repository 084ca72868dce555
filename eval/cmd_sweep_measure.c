/* cmd_sweep_measure.c: `saferoute sweep` chooses: rules on the calibration rows or on traffic, a calibrator;
 * see cmd_sweep.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "eval/cmd_rows.h"
#include "eval/cmd_sweep.h"
#include "eval/group.h"

/* ---- thresholds ---- */

/* Twins are no independent draws. */
static int twins_warn(const char *rule, const struct sr_rows *rows, struct sr_error *err) {
    size_t groups;
    const int status = sr_groups_count(&groups, rows->group, rows->n, err);
    if (status == 0 && groups < rows->n)
        sr_log_warn(
            "rule %s takes rows as independent, but the %zu rows are of %zu groups, twins among them: its "
            "promise is too strong; on a dump with one row of each group it would hold",
            rule, rows->n, groups);
    return status;
}

/* The budget is spent where the traffic is. */
static const struct sr_sweep *sweep_of(const struct sr_sweep_result *r, const struct sr_rule_request *q) {
    return q->rule->kind == SR_RULE_OF_SHARE && r->traffic.n > 0 ? &r->traffic : &r->sweep;
}

static int choose(struct sr_sweep_result *r, struct sr_choice *c, struct sr_error *err) {
    struct sr_rule_request q;
    size_t point = 0;
    int status = sr_rule_parse(&q, c->rule, err);
    if (status == 0 && q.rule->kind == SR_RULE_OF_CHANCE)
        status = twins_warn(c->rule, &r->rows, err);
    if (status < 0)
        return status;
    q.prices = r->options->prices;
    const struct sr_sweep *s = sweep_of(r, &q);
    c->status = q.rule->choose(&point, s, &q, &c->why);
    if (c->status == 0)
        c->threshold = s->point[point].threshold;
    if (c->status != SR_USAGE)
        return 0;
    *err = c->why;
    return SR_USAGE;
}

static void choice_finish(const struct sr_sweep_result *r, struct sr_choice *c) {
    const struct sr_sweep *t = &r->traffic;
    c->traffic_share = (double)NAN;
    if (c->status < 0)
        return;
    c->point = &r->sweep.point[sr_sweep_find(&r->sweep, c->threshold)];
    if (t->n > 0)
        c->traffic_share = (double)t->point[sr_sweep_find(t, c->threshold)].routed / (double)t->rows;
}

static int choice_add(struct sr_sweep_result *r, const char *rule, size_t length, struct sr_error *err) {
    struct sr_choice *c = &r->choice[r->choices];
    int status = 0;
    if (r->choices == SR_CHOICES_MAX)
        return sr_fail(err, SR_USAGE, "--rule: at most %d rules at once", SR_CHOICES_MAX);
    if (length >= sizeof c->rule)
        return sr_fail(err, SR_USAGE, "--rule: '%.60s...' is no rule", rule);
    memcpy(c->rule, rule, length);
    if (r->options->threshold_given)
        c->threshold = r->scoring->threshold;
    else
        status = choose(r, c, err);
    if (status < 0)
        return status;
    choice_finish(r, c);
    r->choices++;
    return 0;
}

/* Each rule of the list, or the threshold that was given. */
static int choices_make(struct sr_sweep_result *r, struct sr_error *err) {
    const char *rest = r->options->threshold_given ? "given" : r->options->rule;
    int status = 0;
    for (size_t n; status == 0 && rest; rest = rest[n] ? rest + n + 1 : NULL) {
        n = strcspn(rest, ",");
        status = choice_add(r, rest, n, err);
    }
    return status;
}

/* ---- traffic ---- */

static int traffic_sweep(struct sr_sweep_result *r, struct sr_error *err) {
    const struct sr_sweep_options *o = r->options;
    struct sr_scores scores = {0};
    if (!o->traffic)
        return 0;
    int status =
        sr_rows_traffic(&scores, o->out ? r->traffic_id : NULL, r->scoring, o->traffic, &o->how, err);
    if (status == 0)
        status = sr_sweep_make(&r->traffic, &(struct sr_rows){.n = scores.rows, .prob = scores.prob}, err);
    sr_scores_free(&scores);
    return status;
}

/* ---- calibration ---- */

/* Scores and table of the probs as c gives them; NULL: as they are. */
static int reliability(struct sr_calibration_scores *scores, struct sr_bin bins[SR_BINS],
                       const struct sr_calibrator *c, const struct sr_rows *rows, struct sr_error *err) {
    struct sr_bin width[SR_BINS];
    struct sr_reliability *r;
    const int status = sr_calibrator_reliability(&r, c, rows->label, rows->prob, rows->n, err);
    if (status < 0)
        return status;
    sr_reliability_measure(scores, r, NULL);
    sr_reliability_bins(width, bins, r);
    sr_reliability_free(r);
    return 0;
}

static int calibrate(struct sr_sweep_result *r, struct sr_error *err) {
    const struct sr_rows *rows = &r->rows;
    struct sr_calibrated *c = &r->calibrated;
    const int kind = r->options->calibrate - 1;
    if (r->options->calibrate == SR_CALIBRATE_NONE)
        return 0;
    int status = sr_calibrator_fit(&c->calibrator, (enum sr_calibrator_kind)kind, rows->label, rows->prob,
                                   rows->n, err);
    if (status == 0)
        status = reliability(&c->before, c->before_bins, NULL, rows, err);
    if (status == 0)
        status = reliability(&c->after, c->after_bins, c->calibrator, rows, err);
    return status;
}

int sr_sweep_measure(struct sr_sweep_result *r, const struct sr_sweep_options *o, const struct sr_scoring *s,
                     struct sr_error *err) {
    struct sr_overlap used[SR_USES];
    int status;
    *r = (struct sr_sweep_result){.options = o, .scoring = s, .rows = sr_rows_of(s)};
    if ((status = sr_rows_used(used, s->router, s->model_path, &s->scores, SR_USE_SELECTED, "the weights",
                               "on new rows the threshold will do something else", err)) < 0 ||
        (status = sr_sweep_make(&r->sweep, &r->rows, err)) < 0 || (status = traffic_sweep(r, err)) < 0 ||
        (status = choices_make(r, err)) < 0)
        return status;
    return calibrate(r, err);
}

void sr_sweep_result_free(struct sr_sweep_result *r) {
    sr_sweep_free(&r->sweep);
    sr_sweep_free(&r->traffic);
    sr_calibrator_free(r->calibrated.calibrator);
    *r = (struct sr_sweep_result){0};
}
