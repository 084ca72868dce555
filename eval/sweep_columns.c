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
    static uint64_t key##_of(const struct sr_point *p) {                                                     \
        return value;                                                                                        \
    }
COUNTS(X)
SAFETY_COUNTS(X)
#undef X

struct column {
    const char *key;
    uint64_t (*of)(const struct sr_point *p);
    bool needs_guards;
};

/* The threshold's column, the only one that is no count, stands before these. */
static const struct column columns[] = {
#define X(key, value) {#key, key##_of, false},
    COUNTS(X)
#undef X
#define X(key, value) {#key, key##_of, true},
        SAFETY_COUNTS(X)
#undef X
};

static struct sr_json *threshold_json(const struct sr_point *p) {
    return sr_json_number(sr_decimal_number(p->threshold));
}

static bool is_known(const struct column *c, const struct sr_sweep *s) {
    return !c->needs_guards || has_guards(s);
}

static struct sr_json *column_json(const struct column *c, const struct sr_sweep *s) {
    struct sr_json *list = is_known(c, s) ? sr_json_array() : sr_json_null();
    for (size_t i = 0; is_known(c, s) && i < s->n; i++)
        sr_json_append(list, sr_json_integer((int64_t)c->of(&s->point[i])));
    return list;
}

struct sr_json *sr_sweep_json(const struct sr_sweep *s) {
    struct sr_json *o = sr_json_object(), *threshold = sr_json_array();
    for (size_t i = 0; i < s->n; i++)
        sr_json_append(threshold, threshold_json(&s->point[i]));
    sr_json_set(o, "threshold", threshold);
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        sr_json_set(o, columns[c].key, column_json(&columns[c], s));
    return o;
}

void sr_point_json(struct sr_json *to, const struct sr_sweep *sweep, const struct sr_point *p,
                   const struct sr_prices *prices) {
    const struct source from = {sweep, prices}, *s = &from;
    sr_json_set(to, "threshold", threshold_json(p));
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        sr_json_set(to, columns[c].key,
                    is_known(&columns[c], sweep) ? sr_json_integer((int64_t)columns[c].of(p))
                                                 : sr_json_null());
#define X(key, value) sr_json_set(to, #key, sr_json_number(value));
    RATIOS(X)
#undef X
}

/* ---- as text: printf would take most of the time of a million points ---- */

static void put_count(FILE *to, uint64_t n) {
    char text[20], *p = text + sizeof text;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    fwrite(p, 1, (size_t)(text + sizeof text - p), to);
}

static void print_column(FILE *to, const struct column *c, const struct sr_sweep *s) {
    fprintf(to, ",\"%s\":%s", c->key, is_known(c, s) ? "[" : "null");
    for (size_t i = 0; is_known(c, s) && i < s->n; i++) {
        if (i > 0)
            putc(',', to);
        put_count(to, c->of(&s->point[i]));
    }
    if (is_known(c, s))
        putc(']', to);
}

void sr_sweep_print_json(FILE *to, const struct sr_sweep *s) {
    fputs("{\"threshold\":[", to);
    for (size_t i = 0; i < s->n; i++)
        fprintf(to, "%s%.9g", i ? "," : "", (double)s->point[i].threshold);
    putc(']', to);
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        print_column(to, &columns[c], s);
    putc('}', to);
}

/* Nine decimals of what lies between 0 and 1, without the zeros at their end. */
static void put_share(FILE *to, double value) {
    char text[12] = "0.";
    uint64_t n = (uint64_t)(value * 1e9 + .5);
    int last = n > 0 ? 10 : 0;
    for (int d = 10; d > 1; n /= 10)
        text[d--] = (char)('0' + n % 10);
    if (n > 0)
        text[0] = '1';
    while (last > 1 && text[last] == '0')
        last--;
    fwrite(text, 1, (size_t)(text[last] == '.' ? last : last + 1), to);
}

static void put_ratio(FILE *to, double value) {
    putc(',', to);
    if (value >= 0 && value <= 1)
        put_share(to, value);
    else if (!isnan(value))
        fprintf(to, "%.9g", value);
}

static void print_header(FILE *to) {
    fputs("threshold", to);
    for (size_t c = 0; c < SR_COUNT(columns); c++)
        fprintf(to, ",%s", columns[c].key);
#define X(key, value) fputs("," #key, to);
    RATIOS(X)
#undef X
    putc('\n', to);
}

void sr_sweep_csv(FILE *to, const struct sr_sweep *sweep, const struct sr_prices *prices) {
    const struct source from = {sweep, prices}, *s = &from;
    print_header(to);
    for (size_t i = 0; i < sweep->n; i++) {
        const struct sr_point *p = &sweep->point[i];
        fprintf(to, "%.9g", (double)p->threshold);
        for (size_t c = 0; c < SR_COUNT(columns); c++) {
            putc(',', to);
            if (is_known(&columns[c], sweep))
                put_count(to, columns[c].of(p));
        }
#define X(key, value) put_ratio(to, value);
        RATIOS(X)
#undef X
        putc('\n', to);
    }
}
