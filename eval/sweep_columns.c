/* sweep_columns.c: a sweep as columns; see sweep_columns.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "eval/sweep_columns.h"

/* What a column is made of. */
struct source {
    const struct sr_sweep *sweep;
    const struct sr_prices *prices;
};

static uint64_t sum(struct sr_confusion c) {
    return c.tp + c.fp + c.tn + c.fn;
}

static bool has_guards(const struct sr_sweep *s) {
    return sum(s->point[0].safety) > 0;
}

static double share(const struct source *s, const struct sr_point *p) {
    return (double)p->routed / (double)s->sweep->rows;
}

/* Of the rows with gold and both verdicts, as the rule "cost" weighs it. */
static double cost(const struct source *s, const struct sr_point *p) {
    const double rows = (double)sum(p->safety);
    return sr_prices_cost(s->prices, (double)p->safety_routed / rows, (double)p->safety.fn / rows,
                          (double)p->safety.fp / rows);
}

/* X(key, value of point p in source s) */
#define COUNTS(X)                                                                                            \
    X(routed, p->routed)                                                                                     \
    X(tp, p->label.tp)                                                                                       \
    X(fp, p->label.fp)                                                                                       \
    X(tn, p->label.tn)                                                                                       \
    X(fn, p->label.fn)

#define SAFETY_COUNTS(X)                                                                                     \
    X(safety_routed, p->safety_routed)                                                                       \
    X(safety_tp, p->safety.tp)                                                                               \
    X(safety_fp, p->safety.fp)                                                                               \
    X(safety_tn, p->safety.tn)                                                                               \
    X(safety_fn, p->safety.fn)

#define RATIOS(X)                                                                                            \
    X(share_routed, share(s, p))                                                                             \
    X(precision, sr_precision(p->label))                                                                     \
    X(recall, sr_recall(p->label))                                                                           \
    X(f1, sr_f1(p->label))                                                                                   \
    X(safety_precision, sr_precision(p->safety))                                                             \
    X(safety_recall, sr_recall(p->safety))                                                                   \
    X(safety_f1, sr_f1(p->safety))                                                                           \
    X(latency_ms, sr_prices_latency(s->prices, share(s, p)))                                                 \
    X(price, sr_prices_price(s->prices, share(s, p)))                                                        \
    X(cost, cost(s, p))

#define X(key, value)                                                                                        \
    static struct sr_json *key##_of(const struct source *s, const struct sr_point *p) {                      \
        (void)s;                                                                                             \
        return sr_json_integer((int64_t)(value));                                                            \
    }
COUNTS(X)
SAFETY_COUNTS(X)
#undef X

#define X(key, value)                                                                                        \
    static struct sr_json *key##_of(const struct source *s, const struct sr_point *p) {                      \
        (void)s;                                                                                             \
        return sr_json_number(value);                                                                        \
    }
RATIOS(X)
#undef X

static struct sr_json *threshold_of(const struct source *s, const struct sr_point *p) {
    char text[SR_DECIMAL_TEXT];
    (void)s;
    return sr_json_number(strtod(sr_decimal_float(text, p->threshold), NULL));
}

struct column {
    const char *key;
    struct sr_json *(*of)(const struct source *s, const struct sr_point *p);
    bool needs_guards, is_ratio;
};

static const struct column columns[] = {{"threshold", threshold_of, false, false},
#define X(key, value) {#key, key##_of, false, false},
                                        COUNTS(X)
#undef X
#define X(key, value) {#key, key##_of, true, false},
                                            SAFETY_COUNTS(X)
#undef X
#define X(key, value) {#key, key##_of, false, true},
                                                RATIOS(X)
#undef X
};

static struct sr_json *value_of(const struct column *c, const struct source *s, const struct sr_point *p) {
    return c->needs_guards && !has_guards(s->sweep) ? sr_json_null() : c->of(s, p);
}

static struct sr_json *column_json(const struct column *c, const struct source *s) {
    struct sr_json *list = sr_json_array();
    bool known = false;
    for (size_t i = 0; i < s->sweep->n; i++) {
        struct sr_json *value = value_of(c, s, &s->sweep->point[i]);
        known |= !sr_json_is_null(value);
        sr_json_append(list, value);
    }
    if (known)
        return list;
    sr_json_free(list);
    return sr_json_null();
}

struct sr_json *sr_sweep_json(const struct sr_sweep *s, enum sr_sweep_columns which,
                              const struct sr_prices *prices) {
    const struct source from = {s, prices};
    struct sr_json *o = sr_json_object();
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        if (!columns[c].is_ratio || which == SR_SWEEP_COUNTS_AND_RATIOS)
            sr_json_set(o, columns[c].key, column_json(&columns[c], &from));
    return o;
}

void sr_point_json(struct sr_json *to, const struct sr_sweep *s, const struct sr_point *p,
                   const struct sr_prices *prices) {
    const struct source from = {s, prices};
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        sr_json_set(to, columns[c].key, value_of(&columns[c], &from, p));
}

/* ---- CSV ---- */

static void put_ratio(FILE *to, double value) {
    if (isnan(value))
        fputc(',', to);
    else
        fprintf(to, ",%.9g", value);
}

void sr_sweep_csv(FILE *to, const struct sr_sweep *sweep, const struct sr_prices *prices) {
    const struct source from = {sweep, prices}, *s = &from;
    const bool guards = has_guards(sweep);
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        fprintf(to, "%s%s", c ? "," : "", columns[c].key);
    fputc('\n', to);
    for (size_t i = 0; i < sweep->n; i++) {
        const struct sr_point *p = &sweep->point[i];
        fprintf(to, "%.9g", (double)p->threshold);
#define X(key, value) fprintf(to, ",%llu", (unsigned long long)(value));
        COUNTS(X)
#undef X
        if (!guards)
            fputs(",,,,,", to);
#define X(key, value)                                                                                        \
    if (guards)                                                                                              \
        fprintf(to, ",%llu", (unsigned long long)(value));
        SAFETY_COUNTS(X)
#undef X
#define X(key, value) put_ratio(to, value);
        RATIOS(X)
#undef X
        fputc('\n', to);
    }
}
