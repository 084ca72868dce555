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
