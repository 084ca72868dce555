/* rule.h: thresholds by intention. A rule NAME is rule_NAME.c and a line of rules.def.
 *
 *     struct sr_rule_request r;
 *     size_t point;
 *     sr_rule_parse(&r, "risk=0.05@0.95", err);
 *     if (r.rule->choose(&point, &sweep, &r, err) == 0)
 *         threshold = sweep.point[point].threshold;
 *
 * What a rule promises holds for the rows of the sweep. Only "risk" promises something of rows not seen.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_RULE_H
#define SR_RULE_H

#include "eval/sweep.h"

enum sr_rule_kind {
    SR_RULE_OF_LABELS, /* looks at labels, or gold and verdicts */
    SR_RULE_OF_SHARE,  /* only at how many rows are routed: is best chosen on traffic */
    SR_RULE_OF_CHANCE  /* takes labelled rows as independent draws of what will be served */
};

struct sr_rule;

/* A rule with its numbers. Prices are the caller's to fill in. */
struct sr_rule_request {
    const struct sr_rule *rule;
    double target;     /* behind =, 0..1; NaN for a rule that takes none */
    double confidence; /* behind @, above 0 and below 1; .95 where it is not given */
    struct sr_prices prices;
};

/* Writes the number of a point of s, the one with fewer rows routed of two that do as well. SR_NO: no
 * threshold is valid, and why. SR_USAGE: prices are missing that it needs. SR_DATA: the rows lack what it
 * needs (labels of both classes, gold and verdicts). */
typedef int (*sr_rule_choose)(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                              struct sr_error *err);

struct sr_rule {
    const char *example; /* as a user writes it, "risk=0.05@0.95" */
    const char *help;    /* one line, lower case, no full stop */
    enum sr_rule_kind kind;
    sr_rule_choose choose;
};

/* All of rules.def, ended by one without example; static storage. */
extern const struct sr_rule sr_rules[];

/* SR_USAGE: unknown ("did you mean"), a number missing, too many, or outside its range. */
int sr_rule_parse(struct sr_rule_request *out, const char *text, struct sr_error *err);

/* ---- for rule_*.c ---- */

#define SR_RULE(name, example, help, kind)                                                                   \
    int sr_rule_##name(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,             \
                       struct sr_error *err);
#include "eval/rules.def"
#undef SR_RULE

/* How good a point is: greater is better, NaN out of the question. */
typedef double (*sr_rule_value)(const struct sr_point *p, const struct sr_sweep *s,
                                const struct sr_rule_request *r);

/* The best point, of equal ones the one with the highest threshold; s->n where all are NaN. */
size_t sr_rule_best(const struct sr_sweep *s, sr_rule_value value, const struct sr_rule_request *r);

/* SR_DATA unless there are rows of both labels that have a prob; rows with gold and both verdicts. */
int sr_rule_need_labels(const struct sr_sweep *s, struct sr_error *err);
int sr_rule_need_guards(const struct sr_sweep *s, struct sr_error *err);

#endif
