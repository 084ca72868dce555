/* rule_budget.c: as many rows to the large guard as the budget allows. Needs no labels, so it can be chosen
 * on traffic.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/rule.h"

static double value(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    const double share = (double)p->routed / (double)s->rows;
    return share <= r->target ? share : (double)NAN;
}

int sr_rule_budget(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                   struct sr_error *err) {
    *point = sr_rule_best(s, value, r);
    if (*point < s->n)
        return 0;
    return sr_fail(
        err, SR_NO,
        "no threshold is valid: %.4g %% of the rows cannot be scored and are routed at any, which is "
        "above the budget of %.4g %%",
        100 * (double)s->point[s->n - 1].routed / (double)s->rows, 100 * r->target);
}
