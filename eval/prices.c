/* prices.c: what guards and errors cost; see prices.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/prices.h"

#define UNKNOWN ((double)NAN)

const struct sr_prices sr_prices_unknown = {UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN};

void sr_prices_begin(struct sr_prices *p, const struct sr_options *given) {
#define X(key)                                                                                               \
    if (!sr_options_given(given, #key))                                                                      \
        p->key = UNKNOWN;
    SR_PRICE_LIST(X)
#undef X
    if (isnan(p->router_ms)) /* microseconds */
        p->router_ms = 0;
}

int sr_prices_check(const struct sr_prices *p, bool errors_are_added, struct sr_error *err) {
    const struct {
        const char *first, *second;
        double a, b;
    } pairs[] = {{"small-cost", "large-cost", p->small_cost, p->large_cost},
                 {"small-ms", "large-ms", p->small_ms, p->large_ms},
                 {"missed-cost", "alarm-cost", p->missed_cost, p->alarm_cost}};
    for (size_t i = 0; i < SR_COUNT(pairs); i++)
        if (isnan(pairs[i].a) != isnan(pairs[i].b))
            return sr_fail(err, SR_USAGE, "--%s and --%s say nothing one without the other; give both",
                           pairs[i].first, pairs[i].second);
    if (p->router_ms > 0 && isnan(p->small_ms))
        return sr_fail(err, SR_USAGE,
                       "--router-ms says nothing without --small-ms and --large-ms; give them too");
    if (errors_are_added && !isnan(p->missed_cost) && isnan(p->small_cost))
        return sr_fail(
            err, SR_USAGE,
            "--missed-cost and --alarm-cost are added to what the guards cost; give --small-cost and "
            "--large-cost too");
    return 0;
}

double sr_prices_latency(const struct sr_prices *p, double share) {
    return p->small_ms + p->router_ms + share * p->large_ms;
}

double sr_prices_price(const struct sr_prices *p, double share) {
    return p->small_cost + share * p->large_cost;
}

double sr_prices_cost(const struct sr_prices *p, double share, double missed, double alarms) {
    return sr_prices_price(p, share) + missed * p->missed_cost + alarms * p->alarm_cost;
}

struct sr_json *sr_prices_json(const struct sr_prices *p) {
    struct sr_json *o = sr_json_object();
#define X(key) sr_json_set(o, #key, sr_json_number(p->key));
    SR_PRICE_LIST(X)
#undef X
    return o;
}
