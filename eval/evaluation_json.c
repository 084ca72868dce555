/* evaluation_json.c: an evaluation as JSON: every figure by its key, its interval beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eval/eval.h"

struct sr_json *sr_interval_json(struct sr_interval i) {
    struct sr_json *pair = isnan(i.low) ? sr_json_null() : sr_json_array();
    if (!isnan(i.low)) {
        sr_json_append(pair, sr_json_number(i.low));
        sr_json_append(pair, sr_json_number(i.high));
    }
    return pair;
}

static void set_figure(struct sr_json *to, const char *key, const double *value, const struct sr_interval *ci,
                       size_t figure) {
    char key_ci[64];
    sr_json_set(to, key, sr_json_number(value[figure]));
    if (!ci)
        return;
    snprintf(key_ci, sizeof key_ci, "%s_ci", key);
    sr_json_set(to, key_ci, sr_interval_json(ci[figure]));
}

static const char *const judge_keys[] = {
#define X(name, key) key,
    SR_JUDGE_LIST(X)
#undef X
};

static const char *const judge_figure_keys[] = {
#define X(name, key) key,
    SR_JUDGE_FIGURE_LIST(X)
#undef X
};

void sr_figures_json(struct sr_json *to, const double *value, const struct sr_interval *ci) {
    static const char *const keys[] = {
#define X(name, key) key,
        SR_FIGURE_LIST(X)
#undef X
    };
    static const char *const prevalence_keys[] = {
#define X(name, key) key,
        SR_PREVALENCE_FIGURE_LIST(X)
#undef X
    };
    struct sr_json *prevalence = sr_json_object();
    for (size_t f = 0; f < SR_FIGURE_OF_JUDGES; f++)
        set_figure(to, keys[f], value, ci, f);
    for (enum sr_judge j = 0; j < SR_JUDGES; j++) {
        struct sr_json *judge = sr_json_object();
        for (enum sr_judge_figure f = 0; f < SR_OF_JUDGE; f++)
            set_figure(judge, judge_figure_keys[f], value, ci, sr_figure(j, f));
        sr_json_set(to, judge_keys[j], judge);
    }
    for (size_t f = 0; f < SR_OF_PREVALENCE; f++)
        set_figure(prevalence, prevalence_keys[f], value, ci, SR_FIGURE_OF_PREVALENCE + f);
    sr_json_set(to, "prevalence", prevalence);
}

static void set_count(struct sr_json *to, const char *key, uint64_t n) {
    sr_json_set(to, key, sr_json_integer((int64_t)n));
}

void sr_evaluation_json(struct sr_json *to, const struct sr_evaluation *e) {
    const struct sr_confusion c = e->confusion;
    struct sr_json *table = sr_json_object();
    sr_json_set(to, "threshold", sr_json_number(sr_decimal_number(e->threshold)));
    set_count(to, "rows", e->rows);
    set_count(to, "bad_rows", e->bad_rows);
    set_count(to, "unlabelled", e->unlabelled);
    set_count(to, "ranked", e->ranked);
    set_count(to, "positives", e->positives);
    set_count(to, "rows_routed", e->routed);
    set_count(to, "system_rows", e->system_rows);
    set_count(to, "entropy_rows", e->entropy_rows);
    set_count(to, "groups", e->groups);
    sr_json_set(to, "too_few", sr_json_bool(e->too_few));
    set_count(to, "tp", c.tp);
    set_count(to, "fp", c.fp);
    set_count(to, "tn", c.tn);
    set_count(to, "fn", c.fn);
    sr_figures_json(to, e->value, e->ci);
    set_count(table, "cc", e->cc);
    set_count(table, "cw", e->cw);
    set_count(table, "wc", e->wc);
    set_count(table, "ww", e->ww);
    sr_json_set(to, "table", table);
}

static struct sr_json *changed_json(const struct sr_comparison *c) {
    struct sr_json *o = sr_json_object(), *mcnemar = sr_json_object();
    set_count(o, "to_large", c->to_large);
    set_count(o, "to_small", c->to_small);
    sr_json_set(o, "to_large_per_1000", sr_json_number(1000 * (double)c->to_large / (double)c->old.rows));
    sr_json_set(o, "to_small_per_1000", sr_json_number(1000 * (double)c->to_small / (double)c->old.rows));
    set_count(mcnemar, "only_new_right", c->only_new_right);
    set_count(mcnemar, "only_old_right", c->only_old_right);
    sr_json_set(mcnemar, "p_value", sr_json_number(c->p_value));
    sr_json_set(o, "mcnemar", mcnemar);
    return o;
}

void sr_comparison_json(struct sr_json *to, const struct sr_comparison *c) {
    struct sr_json *old = c ? sr_json_object() : sr_json_null(),
                   *delta = c ? sr_json_object() : sr_json_null();
    if (c) {
        sr_evaluation_json(old, &c->old);
        sr_figures_json(delta, c->delta, c->ci);
    }
    sr_json_set(to, "old", old);
    sr_json_set(to, "delta", delta);
    sr_json_set(to, "changed", c ? changed_json(c) : sr_json_null());
}
