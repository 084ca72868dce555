/* compare_verdict.c: are two dumps the same, and if not, in what they differ. See compare.h for the rule.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "data/compare.h"
#include "data/set.h"

double sr_comparison_rounding(const struct sr_comparison *c) {
    double coarsest = 0;
    for (int side = 0; side < 2; side++) {
        const enum sr_feature type = c->d[side]->in->type;
        coarsest = fmax(coarsest, type == SR_FEATURE_HALF     ? 0x1p-10
                                  : type == SR_FEATURE_BFLOAT ? 0x1p-8
                                                              : 0x1p-23);
    }
    return coarsest;
}

static double largest_prob_change(const struct sr_comparison *c) {
    return fmax(c->router.largest, fmax(c->small.largest, c->large.largest));
}

enum sr_verdict sr_comparison_verdict(const struct sr_comparison *c) {
    const struct sr_feature_summary *s = &c->features;
    const size_t gold = c->gold.to_one + c->gold.to_zero;
    if (!c->same_width || c->flips > 0 || gold > 0 || s->bad[1] + s->bad[2] > 0)
        return SR_VERDICT_DIFFER;
    const double apart = s->n > 0 ? (double)c->row[s->relative_pair].relative : 0,
                 prob = largest_prob_change(c);
    if (apart == 0 && prob == 0)
        return SR_VERDICT_SAME;
    return apart <= sr_comparison_rounding(c) && prob <= SR_PROB_ROUNDING ? SR_VERDICT_ROUNDING
                                                                          : SR_VERDICT_DIFFER;
}

/* ---- in words ---- */

struct reasons {
    struct sr_json *list;
    char text[512];
};

__attribute__((format(printf, 2, 3))) static void add_reason(struct reasons *r, const char *format, ...) {
    char reason[128];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    const size_t used = strlen(r->text);
    sr_json_append(r->list, sr_json_string(reason));
    snprintf(r->text + used, sizeof r->text - used, "%s%s", used ? "; " : "", reason);
}

static void add_changes(struct reasons *r, const struct sr_change *change, const char *what) {
    const size_t n = change->to_one + change->to_zero;
    char count[SR_COUNT_TEXT];
    if (n > 0)
        add_reason(r, "%s %s change", sr_count_text(count, n), what);
}

static void add_feature_reasons(struct reasons *r, const struct sr_comparison *c) {
    const struct sr_feature_summary *s = &c->features;
    if (!c->same_width)
        add_reason(r, "rows of %zu and of %zu features", c->d[0]->width, c->d[1]->width);
    if (s->bad[1] + s->bad[2] > 0)
        add_reason(r, "%zu rows have a NaN or an infinity in one dump only", s->bad[1] + s->bad[2]);
    if (!c->same_width || s->n == 0)
        return;
    const double relative = (double)c->row[s->relative_pair].relative;
    const bool is_unit = s->scale == SR_SCALE_UNIT_A || s->scale == SR_SCALE_UNIT_B;
    if (is_unit)
        add_reason(r, "%s looks unit-length", s->scale == SR_SCALE_UNIT_A ? "A" : "B");
    else if (s->scale == SR_SCALE_CONSTANT)
        add_reason(r, "B looks like A times %.4g", s->ratio_50);
    else if (relative > sr_comparison_rounding(c))
        add_reason(r, "features are off by up to %.2g of a row's length", relative);
    if (s->cosine_min < .9995) /* which prints below 1 */
        add_reason(r, "cosine down to %.3f", s->cosine_min);
}

static void add_all_reasons(struct reasons *r, const struct sr_comparison *c) {
    add_feature_reasons(r, c);
    if (c->small.largest > SR_PROB_ROUNDING)
        add_reason(r, "small_prob is off by up to %.2g", c->small.largest);
    add_changes(r, &c->small, "verdicts of the small guard");
    if (c->large.largest > SR_PROB_ROUNDING)
        add_reason(r, "large_prob is off by up to %.2g", c->large.largest);
    add_changes(r, &c->large, "verdicts of the large guard");
    add_changes(r, &c->gold, "human labels");
    add_changes(r, &c->label, "labels");
    if (c->router.largest > SR_PROB_ROUNDING)
        add_reason(r, "the router's prob is off by up to %.2g", c->router.largest);
    add_changes(r, &c->router, "decisions of the router");
}

/* What is no difference of the rows in both, but is not to be overlooked. */
static void add_notes(struct sr_facts *f, const struct sr_comparison *c) {
    char count[SR_COUNT_TEXT];
    int differ = 0;
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        differ += sr_comparison_contract_differs(c, k);
    if (c->pairs.only[0] + c->pairs.only[1] > 0)
        sr_facts_add(f, "but_rows", sr_json_integer((int64_t)(c->pairs.only[0] + c->pairs.only[1])),
                     "in one dump only: %s", sr_count_text(count, c->pairs.only[0] + c->pairs.only[1]));
    if (differ > 0)
        sr_facts_add(f, "but_contract", sr_json_integer(differ), "%d key%s of the contract differ%s", differ,
                     differ == 1 ? "" : "s", differ == 1 ? "s" : "");
}

void sr_comparison_verdict_facts(struct sr_facts *f, const struct sr_comparison *c) {
    struct reasons r = {.list = sr_json_array()};
    const enum sr_verdict verdict = sr_comparison_verdict(c);
    static const char *const keys[] = {"same", "rounding", "differ"};
    sr_facts_section(f, "verdict");
    if (verdict == SR_VERDICT_DIFFER)
        add_all_reasons(&r, c);
    struct sr_json *key = sr_json_string(keys[verdict]);
    if (verdict == SR_VERDICT_DIFFER)
        sr_facts_add(f, "verdict", key, "differ: %s", r.text);
    else
        sr_facts_add(f, "verdict", key, "%s",
                     verdict == SR_VERDICT_SAME ? "the same, to the bit" : "the same to rounding");
    sr_facts_add(f, "reasons", r.list, "%s", "");
    sr_facts_hush(f);
    sr_facts_count(f, "flips", c->flips);
    sr_facts_hush(f);
    sr_facts_add(
        f, "rounding", sr_json_number(sr_comparison_rounding(c)),
        "is a difference up to %.2g of a row's length, and of %g of a probability; and nothing flips",
        sr_comparison_rounding(c), SR_PROB_ROUNDING);
    if (verdict == SR_VERDICT_SAME)
        sr_facts_hush(f);
    add_notes(f, c);
}
