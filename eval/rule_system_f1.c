/* rule_system_f1.c: the threshold at which the two guards together have the best F1 against gold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/rule.h"

static double value(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    (void)s;
    (void)r;
    return sr_f1(p->safety);
}

int sr_rule_system_f1(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                      struct sr_error *err) {
    const int status = sr_rule_need_guards(s, err);
    *point = sr_rule_best(s, value, r);
    if (status == 0 && *point == s->n)
        return sr_fail(err, SR_DATA, "safety F1 is undefined at every threshold: no row is unsafe");
    return status;
}
