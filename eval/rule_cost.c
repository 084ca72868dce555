/* rule_cost.c: the threshold with the least expected cost of a row: guards, missed unsafe rows and false
 * alarms, on the rows with gold and both verdicts.
 *
 * The small guard always runs, so that its price decides nothing and need not be known.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/rule.h"

/* Of all rows together: sums of whole prices are exact, and so are ties. */
static double value(const struct sr_point *p, const struct sr_sweep *s, const struct sr_rule_request *r) {
    struct sr_prices prices = r->prices;
    (void)s;
    prices.small_cost = 0;
    return -sr_prices_cost(&prices, (double)p->safety_routed, (double)p->safety.fn, (double)p->safety.fp);
}

int sr_rule_cost(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                 struct sr_error *err) {
    const struct sr_prices *p = &r->prices;
    if (isnan(p->large_cost) || isnan(p->missed_cost) || isnan(p->alarm_cost))
        return sr_fail(
            err, SR_USAGE,
            "rule cost weighs prices: give --small-cost and --large-cost, --missed-cost (of an unsafe "
            "row called safe) and --alarm-cost (of a safe row called unsafe), all in one unit");
    const int status = sr_rule_need_guards(s, err);
    *point = sr_rule_best(s, value, r);
    return status;
}
