/* prices.h: what guards and errors cost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PRICES_H
#define SR_PRICES_H

#include <stdbool.h>

#include "nn/base/base.h"

/* X(key) */
#define SR_PRICE_LIST(X)                                                                                     \
    X(small_ms)                                                                                              \
    X(router_ms)                                                                                             \
    X(large_ms)                                                                                              \
    X(small_cost)                                                                                            \
    X(large_cost)                                                                                            \
    X(missed_cost)                                                                                           \
    X(alarm_cost)

/* NaN: not known, and so is what would follow from it. */
struct sr_prices {
#define X(key) double key;
    SR_PRICE_LIST(X)
#undef X
};
extern const struct sr_prices sr_prices_unknown;

/* Rows of a command's table of options; struct type has a struct sr_prices called member. What was not given
 * is made NaN by sr_prices_begin, once the arguments are read. */
/* clang-format off */
#define SR_PRICE_OPTION(type, member, key_, metavar_, help_) \
    {#key_, SR_OPTION_REAL, offsetof(type, member.key_), .max = 1e12, .metavar = metavar_, .help = help_}
#define SR_PRICE_OPTIONS(type, member) \
    SR_PRICE_OPTION(type, member, small_ms, "MS", "latency of the small guard, which always runs"), \
    SR_PRICE_OPTION(type, member, router_ms, "MS", "latency of the router; 0 unless given"), \
    SR_PRICE_OPTION(type, member, large_ms, "MS", "latency of the large guard"), \
    SR_PRICE_OPTION(type, member, small_cost, "C", "price of a row for the small guard, any unit of money"), \
    SR_PRICE_OPTION(type, member, large_cost, "C", "price of a row for the large guard"), \
    SR_PRICE_OPTION(type, member, missed_cost, "C", "price of an unsafe row called safe"), \
    SR_PRICE_OPTION(type, member, alarm_cost, "C", "price of a safe row called unsafe")
/* clang-format on */
void sr_prices_begin(struct sr_prices *p, const struct sr_options *given);

/* SR_USAGE for prices that say nothing alone: small and large, missed and alarm belong together, router_ms to
 * the other ms; and where errors are added to what guards cost, missed and alarm to small_cost and
 * large_cost.
 */
int sr_prices_check(const struct sr_prices *p, bool errors_are_added, struct sr_error *err);

/* Of a row on average where this share is routed: small + router + share * large. */
double sr_prices_latency(const struct sr_prices *p, double share);
double sr_prices_price(const struct sr_prices *p, double share); /* of guards, without errors */
/* And with errors: missed and alarms are the shares of rows that are unsafe and called safe, and the other
 * way round. */
double sr_prices_cost(const struct sr_prices *p, double share, double missed, double alarms);

/* An object of all, null where not known. */
struct sr_json *sr_prices_json(const struct sr_prices *p);

#endif
