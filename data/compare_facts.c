/* compare_facts.c: a comparison of two dumps, as facts. See compare.h.
 *
 * The first dump is called A and the second B, as on the command line; rows are those of A.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/compare.h"
#include "data/contract.h"
#include "data/dump_facts.h"
#include "data/row_name.h"

static const char *name_pair(char text[SR_ROW_NAME], const struct sr_comparison *c, size_t pair) {
    return sr_row_name(text, c->d[0], c->pairs.row[0][pair]);
}

/* The pair's row in A and in B, with a number. */
static struct sr_json *pair_value(const struct sr_comparison *c, size_t pair, double number) {
    struct sr_json *value = sr_row_value(c->d[0], c->pairs.row[0][pair]);
    sr_json_set(value, "row_b", sr_json_integer((int64_t)c->pairs.row[1][pair]));
    sr_json_set(value, "value", sr_json_number(number));
    return value;
}

/* ---- rows ---- */

static void add_only(struct sr_facts *f, const char *key, const struct sr_comparison *c, int side) {
    char count[SR_COUNT_TEXT], name[SR_ROW_NAME];
    const size_t n = c->pairs.only[side], row = c->pairs.first_only[side];
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "rows", sr_json_integer((int64_t)n));
    sr_json_set(value, "first", n ? sr_row_value(c->d[side], row) : sr_json_null());
    if (n > 0)
        sr_facts_add(f, key, value, "%s, the first is row %s", sr_count_text(count, n),
                     sr_row_name(name, c->d[side], row));
    else
        sr_facts_add(f, key, value, "none");
}

/* Joined by number, and both have ids. */
static void add_strangers(struct sr_facts *f, const struct sr_comparison *c) {
    char count[SR_COUNT_TEXT], a[SR_ROW_NAME], b[SR_ROW_NAME];
    const size_t n = c->pairs.strangers, first = c->pairs.first_stranger;
    if (n == 0)
        return;
    sr_facts_add(
        f, "other_ids", sr_json_integer((int64_t)n),
        "%s pairs joined by number have ids that are not the same, the first A's row %s and B's row %s; "
        "without --by-row rows are joined by /id",
        sr_count_text(count, n), sr_row_name(a, c->d[0], first), sr_row_name(b, c->d[1], first));
}

static void add_rows(struct sr_facts *f, const struct sr_comparison *c) {
    sr_facts_section(f, "rows");
    sr_facts_count(f, "rows_a", c->d[0]->rows);
    sr_facts_count(f, "rows_b", c->d[1]->rows);
    sr_facts_count(f, "in_both", c->pairs.n);
    add_only(f, "only_a", c, 0);
    add_only(f, "only_b", c, 1);
    add_strangers(f, c);
}

/* ---- features ---- */

static void add_cosine(struct sr_facts *f, const struct sr_comparison *c) {
    const struct sr_feature_summary *s = &c->features;
    char text[SR_COSINE_WORST * (SR_ROW_NAME + 24)] = "", name[SR_ROW_NAME];
    struct sr_json *value = sr_json_object(), *worst = sr_json_array();
    sr_json_set(value, "min", sr_json_number(s->cosine_min));
    sr_json_set(value, "p1", sr_json_number(s->cosine_1));
    sr_json_set(value, "median", sr_json_number(s->cosine_50));
    sr_facts_add(f, "cosine", value, "min %.6f, 1 %% %.6f, median %.6f", s->cosine_min, s->cosine_1,
                 s->cosine_50);
    sr_facts_add(f, "unrelated_cosine", sr_json_number(s->unrelated),
                 "median %.6f: of rows that do not belong together", s->unrelated);
    if (isnan(s->unrelated))
        sr_facts_hush(f);
    for (size_t i = 0; i < s->n_worst; i++) {
        const double cosine = c->row[s->worst[i]].cosine;
        const size_t used = strlen(text);
        sr_json_append(worst, pair_value(c, s->worst[i], cosine));
        snprintf(text + used, sizeof text - used, "%s%.6f row %s", i ? "\n" : "", cosine,
                 name_pair(name, c, s->worst[i]));
    }
    sr_facts_add(f, "lowest_cosines", worst, "%s", text);
    if (s->cosine_min > 1 - 5e-7) /* which prints as 1 */
        sr_facts_hush(f);
}

static void add_largest(struct sr_facts *f, const struct sr_comparison *c) {
    const struct sr_feature_summary *s = &c->features;
    const struct sr_row_difference *of = &c->row[s->largest_pair];
    const double relative = (double)c->row[s->relative_pair].relative;
    char name[SR_ROW_NAME];
    struct sr_json *value = pair_value(c, s->largest_pair, (double)of->largest);
    sr_json_set(value, "feature", sr_json_integer((int64_t)of->column));
    if (of->largest > 0)
        sr_facts_add(f, "largest_difference", value, "%.4g, of feature %u of row %s", (double)of->largest,
                     (unsigned)of->column, name_pair(name, c, s->largest_pair));
    else
        sr_facts_add(f, "largest_difference", value, "0");
    value = pair_value(c, s->relative_pair, relative);
    if (relative > 0)
        sr_facts_add(f, "row_difference", value, "up to %.4g of a row's length, row %s", relative,
                     name_pair(name, c, s->relative_pair));
    else
        sr_facts_add(f, "row_difference", value, "0");
}

static const char *scale_text(enum sr_scale scale) {
    return scale == SR_SCALE_SAME     ? "the same"
           : scale == SR_SCALE_NONE   ? "unknown: rows of zeros have none"
           : scale == SR_SCALE_VARIES ? "same directions, but the factor is another for each row: a norm or "
                                        "pooling differs"
                                      : "rows point elsewhere: another layer, token, prompt or model, or pre "
                                        "and post norm";
}

static void add_ratio(struct sr_facts *f, const struct sr_feature_summary *s) {
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "p1", sr_json_number(s->ratio_1));
    sr_json_set(value, "median", sr_json_number(s->ratio_50));
    sr_json_set(value, "p99", sr_json_number(s->ratio_99));
    if (isnan(s->ratio_50))
        sr_facts_add(f, "length_ratio", value, "undefined: the rows of A are zeros");
    else
        sr_facts_add(f, "length_ratio", value, "B to A: %.4g to %.4g for 98 %% of the rows, median %.4g",
                     s->ratio_1, s->ratio_99, s->ratio_50);
}

static void add_scale(struct sr_facts *f, const struct sr_feature_summary *s) {
    static const char *const keys[] = {"other", "same", "unit_a", "unit_b", "constant", "varies", "none"};
    add_ratio(f, s);
    struct sr_json *key = sr_json_string(keys[s->scale]);
    if (s->scale == SR_SCALE_UNIT_A || s->scale == SR_SCALE_UNIT_B)
        sr_facts_add(f, "scale", key, "%s looks unit-length (feature_norm unit): same directions, length 1",
                     s->scale == SR_SCALE_UNIT_A ? "A" : "B");
    else if (s->scale == SR_SCALE_CONSTANT)
        sr_facts_add(f, "scale", key, "B looks like A times %.4g: same directions", s->ratio_50);
    else
        sr_facts_add(f, "scale", key, "%s", scale_text(s->scale));
}

static void add_bad(struct sr_facts *f, const struct sr_feature_summary *s) {
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "only_a", sr_json_integer((int64_t)s->bad[1]));
    sr_json_set(value, "only_b", sr_json_integer((int64_t)s->bad[2]));
    sr_json_set(value, "both", sr_json_integer((int64_t)s->bad[3]));
    sr_json_set(value, "both_same", sr_json_integer((int64_t)s->bad_same));
    sr_facts_add(f, "bad_rows", value,
                 "NaN or infinity: %zu in A alone, %zu in B alone, %zu in both (%zu of them the same)",
                 s->bad[1], s->bad[2], s->bad[3], s->bad_same);
    if (s->bad[1] + s->bad[2] + s->bad[3] == 0)
        sr_facts_hush(f);
}

static void add_features(struct sr_facts *f, const struct sr_comparison *c) {
    sr_facts_section(f, "features");
    struct sr_json *width = sr_json_array();
    for (int side = 0; side < 2; side++)
        sr_json_append(width, sr_json_integer((int64_t)c->d[side]->width));
    if (c->same_width)
        sr_facts_add(f, "width", width, "%zu", c->d[0]->width);
    else
        sr_facts_add(f, "width", width, "%zu in A, %zu in B: features cannot be compared", c->d[0]->width,
                     c->d[1]->width);
    if (!c->same_width)
        return;
    if (c->features.n > 0) {
        add_cosine(f, c);
        add_largest(f, c);
        add_scale(f, &c->features);
    }
    add_bad(f, &c->features);
}

/* ---- guards, labels, router ---- */

static const char *missing_text(uint8_t in) {
    return in == SR_IN_A ? "in A only" : in == SR_IN_B ? "in B only" : "in neither";
}

/* "; 12 known in one only" */
static const char *one_sided_text(char text[64], size_t n) {
    char count[SR_COUNT_TEXT];
    text[0] = '\0';
    if (n > 0)
        snprintf(text, 64, "; %s known in one only", sr_count_text(count, n));
    return text;
}

static struct sr_json *prob_value(const struct sr_comparison *c, const struct sr_change *change) {
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "rows", sr_json_integer((int64_t)change->probs));
    sr_json_set(value, "known_in_one", sr_json_integer((int64_t)change->probs_one_sided));
    sr_json_set(value, "mean_change", sr_json_number(change->mean));
    sr_json_set(value, "largest",
                change->probs ? pair_value(c, change->largest_pair, change->largest) : sr_json_null());
    return value;
}

static void add_prob(struct sr_facts *f, const char *key, const struct sr_comparison *c,
                     const struct sr_change *change) {
    char name[SR_ROW_NAME], count[SR_COUNT_TEXT], rest[64];
    one_sided_text(rest, change->probs_one_sided);
    if (change->prob_in != SR_IN_BOTH)
        sr_facts_add(f, key, sr_json_null(), "%s", missing_text(change->prob_in));
    else if (change->probs == 0)
        sr_facts_add(f, key, prob_value(c, change), "known in both of no row%s", rest);
    else if (change->largest > 0)
        sr_facts_add(f, key, prob_value(c, change), "changes by %.3g on average and %.3g at most, row %s%s",
                     change->mean, change->largest, name_pair(name, c, change->largest_pair), rest);
    else
        sr_facts_add(f, key, prob_value(c, change), "the same in all %s rows that have it in both%s",
                     sr_count_text(count, change->probs), rest);
}

/* one, zero: what is said of a change to 1 and to 0. */
static void add_verdict(struct sr_facts *f, const char *key, const struct sr_change *change, const char *one,
                        const char *zero) {
    const size_t changes = change->to_one + change->to_zero;
    char n[SR_COUNT_TEXT], all[SR_COUNT_TEXT], up[SR_COUNT_TEXT], down[SR_COUNT_TEXT], rest[64];
    if (change->verdict_in != SR_IN_BOTH) {
        sr_facts_add(f, key, sr_json_null(), "%s", missing_text(change->verdict_in));
        return;
    }
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "rows", sr_json_integer((int64_t)change->verdicts));
    sr_json_set(value, "to_one", sr_json_integer((int64_t)change->to_one));
    sr_json_set(value, "to_zero", sr_json_integer((int64_t)change->to_zero));
    sr_json_set(value, "known_in_one", sr_json_integer((int64_t)change->one_sided));
    one_sided_text(rest, change->one_sided);
    sr_count_text(all, change->verdicts);
    if (changes > 0)
        sr_facts_add(f, key, value, "%s of %s change: %s to %s, %s to %s%s", sr_count_text(n, changes), all,
                     sr_count_text(up, change->to_one), one, sr_count_text(down, change->to_zero), zero,
                     rest);
    else
        sr_facts_add(f, key, value, "none of %s changes%s", all, rest);
}

/* Not worth a line where there is no such column. */
static void add_tag(struct sr_facts *f, const char *key, const struct sr_comparison *c,
                    const struct sr_tag *tag) {
    char n[SR_COUNT_TEXT], all[SR_COUNT_TEXT], name[SR_ROW_NAME];
    if (tag->in != SR_IN_BOTH) {
        sr_facts_add(f, key, sr_json_null(), "%s", missing_text(tag->in));
        if (tag->in == 0)
            sr_facts_hush(f);
        return;
    }
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "rows", sr_json_integer((int64_t)c->pairs.n));
    sr_json_set(value, "changed", sr_json_integer((int64_t)tag->changed));
    sr_count_text(all, c->pairs.n);
    if (tag->changed > 0)
        sr_facts_add(f, key, value, "%s of %s change, the first is row %s", sr_count_text(n, tag->changed),
                     all, name_pair(name, c, tag->first));
    else
        sr_facts_add(f, key, value, "none of %s changes", all);
}

static void add_columns(struct sr_facts *f, const struct sr_comparison *c) {
    sr_facts_section(f, "columns");
    for (int side = 0; c->troubles && side < 2; side++)
        sr_trouble_facts(f, side ? "trouble_b" : "trouble_a", &c->troubles[side]);
    add_prob(f, "small_prob", c, &c->small);
    add_verdict(f, "small_verdict", &c->small, "unsafe", "safe");
    add_prob(f, "large_prob", c, &c->large);
    add_verdict(f, "large_verdict", &c->large, "unsafe", "safe");
    add_verdict(f, "gold", &c->gold, "unsafe", "safe");
    add_verdict(f, "label", &c->label, "1", "0");
    add_tag(f, "weight", c, &c->weight);
    add_tag(f, "group", c, &c->group);
    add_tag(f, "source", c, &c->source);
}

static void add_two(struct sr_facts *f, const char *key, const size_t n[2], const char *what) {
    char a[SR_COUNT_TEXT], b[SR_COUNT_TEXT];
    struct sr_json *value = sr_json_array();
    for (int side = 0; side < 2; side++)
        sr_json_append(value, sr_json_integer((int64_t)n[side]));
    sr_facts_add(f, key, value, "%s rows of A, %s of B%s", sr_count_text(a, n[0]), sr_count_text(b, n[1]),
                 what);
}

static void add_router(struct sr_facts *f, const struct sr_comparison *c) {
    char threshold[SR_DECIMAL_TEXT];
    sr_facts_section(f, "router");
    sr_facts_add(f, "threshold", sr_json_number((double)c->threshold), "%s (%s)",
                 sr_decimal_float(threshold, c->threshold), c->threshold_origin);
    add_prob(f, "prob", c, &c->router);
    add_verdict(f, "decision", &c->router, "the large guard", "the small guard");
    add_two(f, "out_of_range", c->out_of_range, " (these go to the large guard)");
    add_two(f, "unscored", c->unscored, " (these go to the large guard)");
    if (c->unscored[0] + c->unscored[1] == 0)
        sr_facts_hush(f);
}

/* ---- the contract ---- */

bool sr_comparison_contract_differs(const struct sr_comparison *c, int k) {
    const char *a = sr_contract_value(c->d[0], k), *b = sr_contract_value(c->d[1], k);
    return a && b ? strcmp(a, b) != 0 : a != b;
}

/* Only keys that differ; how many are the same and how many unknown to both is one line. */
static void add_contract(struct sr_facts *f, const struct sr_comparison *c) {
    int same = 0, unknown = 0;
    sr_facts_section(f, "contract");
    for (int k = 0; k < SR_CONTRACT_KEYS; k++) {
        const char *a = sr_contract_value(c->d[0], k), *b = sr_contract_value(c->d[1], k);
        struct sr_json *pair;
        if (!sr_comparison_contract_differs(c, k)) {
            same += a != NULL;
            unknown += a == NULL;
            continue;
        }
        pair = sr_json_array();
        sr_json_append(pair, sr_json_string(a));
        sr_json_append(pair, sr_json_string(b));
        sr_facts_add(f, sr_contract_key(k), pair, "%s -> %s", a ? a : "unknown", b ? b : "unknown");
    }
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "same", sr_json_integer(same));
    sr_json_set(value, "unknown", sr_json_integer(unknown));
    sr_facts_add(f, "contract", value, "%d keys the same, %d unknown to both", same, unknown);
}

void sr_comparison_facts(struct sr_facts *f, const struct sr_comparison *c) {
    add_rows(f, c);
    add_features(f, c);
    add_columns(f, c);
    if (c->routed)
        add_router(f, c);
    add_contract(f, c);
    sr_comparison_verdict_facts(f, c);
}
