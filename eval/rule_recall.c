/* rule_recall.c: of the thresholds that find this share of the hard rows, the most precise one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/rule.h"

static double value(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    (void)s;
    return sr_recall(p->label) >= r->target ? sr_precision(p->label) : (double)NAN;
}

/* At threshold 0 recall is the highest. */
int sr_rule_recall(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                   struct sr_error *err) {
    const int status = sr_rule_need_labels(s, err);
    *point = sr_rule_best(s, value, r);
    if (status < 0 || *point < s->n)
        return status;
    return sr_fail(err, SR_NO, "no threshold is valid: recall is %.4g at threshold 0 and at most that at any",
                   sr_recall(s->point[0].label));
}
