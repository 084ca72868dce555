/* compare_verdict.c: are two dumps the same, and if not, in what they differ. See compare.h for the rule.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/compare.h"
#include "data/set.h"

/* What rounding makes: of a row's length, and of each feature. */
struct rounding {
    double relative, absolute;
};

static struct rounding rounding_of(enum sr_feature type) {
    return type == SR_FEATURE_HALF     ? (struct rounding){0x1p-10, 0x1p-24}
           : type == SR_FEATURE_BFLOAT ? (struct rounding){0x1p-8, 0x1p-133}
                                       : (struct rounding){0x1p-23, 0x1p-149};
}

static struct rounding rounding_of_both(const struct sr_comparison *c) {
    const struct rounding a = rounding_of(c->d[0]->in->type), b = rounding_of(c->d[1]->in->type);
    return (struct rounding){fmax(a.relative, b.relative), fmax(a.absolute, b.absolute)};
}

double sr_comparison_rounding(const struct sr_comparison *c) {
    return rounding_of_both(c).relative;
}

/* No row differs by more than rounding makes. */
static bool is_rounding(const struct sr_comparison *c) {
    const struct rounding r = rounding_of_both(c);
    const double absolute = r.absolute * sqrt((double)c->d[0]->width);
    for (size_t i = 0; i < c->pairs.n; i++) {
        const struct sr_row_difference *row = &c->row[i];
        const double longer = fmax((double)row->length[0], (double)row->length[1]);
        if (!row->bad && (double)row->relative > r.relative + absolute / longer)
            return false;
    }
    return true;
}

/* Bad rows are the same where their bits are. */
static bool bad_rows_differ(const struct sr_feature_summary *s) {
    return s->bad[1] + s->bad[2] > 0 || s->bad_same < s->bad[3];
}

static enum sr_verdict verdict_of_features(const struct sr_comparison *c) {
    const struct sr_feature_summary *s = &c->features;
    if (!c->same_width || bad_rows_differ(s))
        return SR_VERDICT_DIFFER;
    if (s->n == 0 || c->row[s->largest_pair].largest == 0)
        return SR_VERDICT_SAME;
    return is_rounding(c) ? SR_VERDICT_ROUNDING : SR_VERDICT_DIFFER;
}

static bool in_one(uint8_t in) {
    return in == SR_IN_A || in == SR_IN_B;
}

static enum sr_verdict verdict_of_change(const struct sr_change *g) {
    if (in_one(g->prob_in) || in_one(g->verdict_in) || g->to_one + g->to_zero + g->one_sided > 0 ||
        g->probs_one_sided > 0 || g->largest > SR_PROB_ROUNDING)
        return SR_VERDICT_DIFFER;
    return g->largest > 0 ? SR_VERDICT_ROUNDING : SR_VERDICT_SAME;
}

static enum sr_verdict verdict_of_tag(const struct sr_tag *t) {
    return in_one(t->in) || t->changed > 0 ? SR_VERDICT_DIFFER : SR_VERDICT_SAME;
}

/* Columns, of both dumps together, of which nothing can be said. */
static size_t left_out(const struct sr_comparison *c) {
    size_t n = 0;
    for (int side = 0; c->troubles && side < 2; side++)
        n += c->troubles[side].n - c->troubles[side].disagree;
    return n;
}

enum sr_verdict sr_comparison_verdict(const struct sr_comparison *c) {
    const enum sr_verdict all[] = {
        c->pairs.strangers + left_out(c) > 0 ? SR_VERDICT_DIFFER : SR_VERDICT_SAME,
        verdict_of_features(c),
        verdict_of_change(&c->label),
        verdict_of_change(&c->gold),
        verdict_of_change(&c->small),
        verdict_of_change(&c->large),
        verdict_of_change(&c->router),
        verdict_of_tag(&c->weight),
        verdict_of_tag(&c->group),
        verdict_of_tag(&c->source),
    };
    enum sr_verdict worst = SR_VERDICT_SAME;
    for (size_t i = 0; i < SR_COUNT(all); i++)
        worst = all[i] > worst ? all[i] : worst;
    return worst;
}

/* ---- in words ---- */

struct reasons {
    struct sr_json *list;
    char text[2048];
};

__attribute__((format(printf, 2, 3))) static void add_reason(struct reasons *r, const char *format, ...) {
    char reason[256];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    const size_t used = strlen(r->text);
    sr_json_append(r->list, sr_json_string(reason));
    snprintf(r->text + used, sizeof r->text - used, "%s%s", used ? "; " : "", reason);
}

__attribute__((format(printf, 3, 4))) static void add_count(struct reasons *r, size_t n, const char *format,
                                                            ...) {
    char what[160], count[SR_COUNT_TEXT];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (n > 0)
        add_reason(r, "%s %s", sr_count_text(count, n), what);
}

static void add_change(struct reasons *r, const struct sr_change *change, const char *prob,
                       const char *what) {
    if (change->largest > SR_PROB_ROUNDING)
        add_reason(r, "%s is off by up to %.2g", prob, change->largest);
    add_count(r, change->probs_one_sided, "values of %s are known in one dump only", prob);
    add_count(r, change->to_one + change->to_zero, "%s change", what);
    add_count(r, change->one_sided, "%s are known in one dump only", what);
}

/* "in A only: label, small_prob" */
static void add_columns(struct reasons *r, const struct sr_comparison *c, uint8_t where) {
    const struct {
        const char *name;
        uint8_t in;
    } columns[] = {
        {"label", c->label.verdict_in},   {"gold", c->gold.verdict_in},
        {"small_prob", c->small.prob_in}, {"small_verdict", c->small.verdict_in},
        {"large_prob", c->large.prob_in}, {"large_verdict", c->large.verdict_in},
        {"weight", c->weight.in},         {"group", c->group.in},
        {"source", c->source.in},
    };
    char names[160] = "";
    for (size_t i = 0; i < SR_COUNT(columns); i++)
        if (columns[i].in == where)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? ", " : "",
                     columns[i].name);
    if (*names)
        add_reason(r, "in %s only: %s", where == SR_IN_A ? "A" : "B", names);
}

static void add_feature_reasons(struct reasons *r, const struct sr_comparison *c) {
    const struct sr_feature_summary *s = &c->features;
    if (!c->same_width)
        add_reason(r, "rows of %zu and of %zu features", c->d[0]->width, c->d[1]->width);
    add_count(r, s->bad[1] + s->bad[2], "rows have a NaN or an infinity in one dump only");
    add_count(r, s->bad[3] - s->bad_same,
              "rows have a NaN or an infinity in both dumps and are not the same");
    if (!c->same_width || s->n == 0)
        return;
    const double relative = (double)c->row[s->relative_pair].relative;
    const bool is_unit = s->scale == SR_SCALE_UNIT_A || s->scale == SR_SCALE_UNIT_B;
    if (is_unit)
        add_reason(r, "%s looks unit-length", s->scale == SR_SCALE_UNIT_A ? "A" : "B");
    else if (s->scale == SR_SCALE_CONSTANT)
        add_reason(r, "B looks like A times %.4g", s->ratio_50);
    else if (!is_rounding(c))
        add_reason(r, "features are off by up to %.2g of a row's length", relative);
    if (s->cosine_min < .9995) /* which prints below 1 */
        add_reason(r, "cosine down to %.3f", s->cosine_min);
}

static void add_all_reasons(struct reasons *r, const struct sr_comparison *c) {
    add_count(r, c->pairs.strangers, "pairs of rows have ids that are not the same");
    add_feature_reasons(r, c);
    add_change(r, &c->small, "small_prob", "verdicts of the small guard");
    add_change(r, &c->large, "large_prob", "verdicts of the large guard");
    add_change(r, &c->gold, "gold", "human labels");
    add_change(r, &c->label, "label", "labels");
    add_change(r, &c->router, "the router's prob", "decisions of the router");
    add_count(r, c->weight.changed, "weights change");
    add_count(r, c->group.changed, "groups change");
    add_count(r, c->source.changed, "sources change");
    add_columns(r, c, SR_IN_A);
    add_columns(r, c, SR_IN_B);
    add_count(r, left_out(c), "columns cannot be used and were not compared");
    add_count(r, sr_comparison_missing(c), "rows are in one dump only");
}

/* What is no difference of the rows, but is not to be overlooked. */
static void add_contract_note(struct sr_facts *f, const struct sr_comparison *c) {
    int differ = 0;
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        differ += sr_comparison_contract_differs(c, k);
    if (differ > 0)
        sr_facts_add(f, "but_contract", sr_json_integer(differ), "%d key%s of the contract differ%s", differ,
                     differ == 1 ? "" : "s", differ == 1 ? "s" : "");
}

static const char *const keys[] = {"same", "rounding", "differ"};
static const char *const texts[] = {"the same: every number is, as float32", "the same to rounding",
                                    "differ"};

/* Where some rows are in one dump only, how the others are. */
static void add_shared(struct sr_facts *f, const struct sr_comparison *c, enum sr_verdict shared) {
    char count[SR_COUNT_TEXT];
    sr_facts_add(f, "rows_in_both", sr_json_string(keys[shared]), "%s, in %s rows", texts[shared],
                 sr_count_text(count, c->pairs.n));
    if (sr_comparison_missing(c) == 0)
        sr_facts_hush(f);
}

void sr_comparison_verdict_facts(struct sr_facts *f, const struct sr_comparison *c) {
    struct reasons r = {.list = sr_json_array()};
    const enum sr_verdict shared = sr_comparison_verdict(c),
                          verdict = sr_comparison_missing(c) > 0 ? SR_VERDICT_DIFFER : shared;
    const double rounding = sr_comparison_rounding(c);
    sr_facts_section(f, "verdict");
    if (verdict == SR_VERDICT_DIFFER)
        add_all_reasons(&r, c);
    sr_facts_add(f, "verdict", sr_json_string(keys[verdict]), "%s%s%s", texts[verdict], *r.text ? ": " : "",
                 r.text);
    sr_facts_add(f, "reasons", r.list, "%s", "");
    sr_facts_hush(f);
    add_shared(f, c, shared);
    sr_facts_count(f, "flips", c->flips);
    sr_facts_hush(f);
    sr_facts_add(f, "rounding", sr_json_number(rounding),
                 "is a difference up to %.2g of a row's length, and of %g of a probability; and nothing else "
                 "differs",
                 rounding, SR_PROB_ROUNDING);
    if (verdict == SR_VERDICT_SAME)
        sr_facts_hush(f);
    add_contract_note(f, c);
}
