/* rule.c: rules by name, and what they share; see rule.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/rule.h"

#define CONFIDENCE .95
#define NAME_MOST  32

const struct sr_rule sr_rules[] = {
#define SR_RULE(name, example, help, kind) {example, help, kind, sr_rule_##name},
#include "eval/rules.def"
#undef SR_RULE
    {0}};

/* ---- by name ---- */

static size_t name_length(const char *text) {
    return strcspn(text, "=@");
}

static const struct sr_rule *find(const char *text) {
    const size_t n = name_length(text);
    for (const struct sr_rule *r = sr_rules; r->example; r++)
        if (name_length(r->example) == n && memcmp(r->example, text, n) == 0)
            return r;
    return NULL;
}

static int fail_unknown(const char *text, struct sr_error *err) {
    char names[SR_COUNT(sr_rules)][NAME_MOST], list[256] = "", word[NAME_MOST];
    const char *each[SR_COUNT(sr_rules)] = {NULL};
    for (size_t i = 0; sr_rules[i].example; i++) {
        snprintf(names[i], NAME_MOST, "%.*s", (int)name_length(sr_rules[i].example), sr_rules[i].example);
        each[i] = names[i];
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", sr_rules[i].example);
    }
    snprintf(word, sizeof word, "%.*s", (int)name_length(text), text);
    const char *near = sr_nearest(word, each);
    return sr_fail(err, SR_USAGE, "no rule is called '%s'%s%s%s; there are %s", word,
                   near ? ": did you mean " : "", near ? near : "", near ? "?" : "", list);
}

/* A number from 0 to 1 that ends where `end` stands. */
static bool parse_number(double *out, const char *text, const char *end) {
    char *stop;
    if ((*text < '0' || *text > '9') && *text != '.')
        return false;
    *out = strtod(text, &stop);
    return stop == end && *out >= 0 && *out <= 1;
}

static int parse_numbers(struct sr_rule_request *r, const char *text, struct sr_error *err) {
    const char *example = r->rule->example, *end = text + strlen(text);
    const char *target = strchr(text, '='), *confidence = strchr(text, '@');
    if ((target != NULL) != (strchr(example, '=') != NULL))
        return sr_fail(err, SR_USAGE, "rule '%.60s' %s: it is written %s", text,
                       target ? "takes no number" : "lacks its number", example);
    if (confidence && !strchr(example, '@'))
        return sr_fail(err, SR_USAGE, "rule '%.60s' takes no confidence behind @: it is written %s", text,
                       example);
    if (target && !parse_number(&r->target, target + 1, confidence ? confidence : end))
        return sr_fail(err, SR_USAGE, "rule '%.60s': a number from 0 to 1 is expected behind =, as in %s",
                       text, example);
    if (confidence &&
        !(parse_number(&r->confidence, confidence + 1, end) && r->confidence > 0 && r->confidence < 1))
        return sr_fail(err, SR_USAGE,
                       "rule '%.60s': a number above 0 and below 1 is expected behind @, as in %s", text,
                       example);
    return 0;
}

int sr_rule_parse(struct sr_rule_request *out, const char *text, struct sr_error *err) {
    *out = (struct sr_rule_request){
        .rule = find(text), .target = (double)NAN, .confidence = CONFIDENCE, .prices = sr_prices_unknown};
    return out->rule ? parse_numbers(out, text, err) : fail_unknown(text, err);
}

/* ---- shared by rules ---- */

size_t sr_rule_best(const struct sr_sweep *s, sr_rule_value value, const struct sr_rule_request *r) {
    size_t best = s->n;
    double most = (double)NAN;
    for (size_t i = 0; i < s->n; i++) {
        const double v = value(&s->point[i], s, r);
        if (!isnan(v) && !(v < most)) {
            most = v;
            best = i;
        }
    }
    return best;
}

int sr_rule_need_labels(const struct sr_sweep *s, struct sr_error *err) {
    const struct sr_confusion c = s->point[0].label;
    const uint64_t positives = c.tp + c.fn, negatives = c.fp + c.tn;
    if (positives > 0 && negatives > 0)
        return 0;
    return sr_fail(err, SR_DATA,
                   "this rule needs scored rows of both labels: %" PRIu64 " are positive and %" PRIu64
                   " negative",
                   positives, negatives);
}

int sr_rule_need_guards(const struct sr_sweep *s, struct sr_error *err) {
    const struct sr_confusion c = s->point[0].safety;
    if (c.tp + c.fp + c.tn + c.fn > 0)
        return 0;
    return sr_fail(err, SR_DATA,
                   "this rule needs rows with gold and both guards' verdicts, and none has them");
}
