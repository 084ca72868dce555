/* rule_precision.c: of the thresholds that are this precise, the one that finds the most.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/rule.h"

static double value(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    (void)s;
    return sr_precision(p->label) >= r->target ? sr_recall(p->label) : (double)NAN;
}

static double precision(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    (void)s;
    (void)r;
    return sr_precision(p->label);
}

int sr_rule_precision(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                      struct sr_error *err) {
    const int status = sr_rule_need_labels(s, err);
    *point = sr_rule_best(s, value, r);
    if (status < 0 || *point < s->n)
        return status;
    const size_t best = sr_rule_best(s, precision, r);
    if (best == s->n)
        return sr_fail(err, SR_NO, "no threshold is valid: none routes a labelled row");
    return sr_fail(err, SR_NO, "no threshold is valid: the best precision is %.4g, at threshold %.4g",
                   sr_precision(s->point[best].label), (double)s->point[best].threshold);
}
