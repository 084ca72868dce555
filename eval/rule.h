/* rule.h: thresholds by intention. A rule NAME is rule_NAME.c and a line of rules.def.
 *
 *     struct sr_rule_request r;
 *     sr_rule_parse(&r, "risk=0.05@0.95", err);
 *     size_t point;
 *     if (r.rule->choose(&point, &sweep, &r, err) == 0) threshold = sweep.point[point].threshold;
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_RULE_H
#define SR_RULE_H

#include "eval/sweep.h"

struct sr_rule;

/* A rule with its numbers, "budget=0.3". Prices are the caller's to fill in. */
struct sr_rule_request {
    const struct sr_rule *rule;
    double target;     /* behind =, 0..1; NaN for a rule that takes none */
    double confidence; /* behind @; .95 where it is not given */
    struct sr_prices prices;
};

struct sr_rule {
    const char *name;     /* "system-f1" */
    const char *argument; /* what stands behind =: "share", or NULL */
    const char *help;     /* one line, lower case, no full stop */
    /* Writes the number of a point. SR_NO: no threshold is valid, and why. SR_USAGE: prices are missing that
     * it needs; SR_DATA: the rows lack what it needs (labels of both classes, gold and verdicts). */
    int (*choose)(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                  struct sr_error *err);
};

/* All rules; *n gets their number. Static storage. */
const struct sr_rule *sr_rules(size_t *n);

/* SR_USAGE: unknown ("did you mean"), a number missing, too many, or outside its range. */
int sr_rule_parse(struct sr_rule_request *out, const char *text, struct sr_error *err);

#endif
