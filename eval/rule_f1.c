/* rule_f1.c: the threshold with the best F1 of decisions against labels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/rule.h"

static double value(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    (void)s;
    (void)r;
    return sr_f1(p->label);
}

int sr_rule_f1(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
               struct sr_error *err) {
    const int status = sr_rule_need_labels(s, err);
    *point = sr_rule_best(s, value, r);
    return status;
}
