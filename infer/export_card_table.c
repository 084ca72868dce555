/* export_card_table.c: an evaluation, as eval --json and the key threshold_metrics have it, as Markdown
 * tables, and its being read; see export_card.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/export_card.h"

#define EVALUATION_MAX ((size_t)256 << 20) /* bytes of a report that is read */

enum form { PLAIN, PER_CENT, PER_1000 };

/* null is undefined; no such key is unknown. */
static void put_missing(FILE *to, const struct sr_json *value) {
    fputs(sr_json_is_null(value) ? "undefined" : "**unknown**", to);
}

/* "0.5651 [0.5434, 0.5873]" */
static void put_figure(FILE *to, const struct sr_json *from, const char *key, enum form form) {
    const double scale = form == PER_CENT ? 100 : 1;
    const int digits = form == PLAIN ? 4 : form == PER_CENT ? 2 : 1;
    char key_ci[64];
    double value, low, high;
    if (!sr_json_as_number(sr_json_get(from, key), &value)) {
        put_missing(to, sr_json_get(from, key));
        return;
    }
    fprintf(to, "%.*f%s", digits, value * scale, form == PER_CENT ? " %" : "");
    snprintf(key_ci, sizeof key_ci, "%s_ci", key);
    const struct sr_json *ci = sr_json_get(from, key_ci);
    if (sr_json_as_number(sr_json_at(ci, 0), &low) && sr_json_as_number(sr_json_at(ci, 1), &high))
        fprintf(to, " [%.*f, %.*f]", digits, low * scale, digits, high * scale);
}

static void put_count(FILE *to, const struct sr_json *from, const char *key) {
    int64_t n;
    if (sr_json_as_integer(sr_json_get(from, key), &n) && n >= 0)
        sr_card_put_count(to, (uint64_t)n);
    else
        put_missing(to, sr_json_get(from, key));
}

static void put_rows(FILE *to, const struct sr_json *e) {
    int64_t left_out;
    put_count(to, e, "ranked");
    fputs(" labelled rows, ", to);
    put_count(to, e, "positives");
    fputs(" of them positive", to);
    if (sr_json_as_integer(sr_json_get(e, "bad_rows"), &left_out) && left_out > 0) {
        fputs("; ", to);
        sr_card_put_count(to, (uint64_t)left_out);
        fputs(" rows without a score are left out where labels count, and routed", to);
    }
    fputs(". Intervals are of 95 %.\n\n", to);
}

/* Its interval stands in the table of the router, and is none where every row or no row is routed. */
static void put_share(FILE *to, const struct sr_json *judge) {
    double share;
    if (sr_json_as_number(sr_json_get(judge, "share_routed"), &share))
        fprintf(to, "%.2f %%", 100 * share);
    else
        put_missing(to, sr_json_get(judge, "share_routed"));
}

static void put_guards(FILE *to, const struct sr_json *e) {
    static const struct sr_pair judges[] = {{"small", "small guard alone"},
                                            {"random", "random routing of as many rows"},
                                            {"entropy", "the small guard's entropy instead"},
                                            {"routed", "**with this router**"},
                                            {"oracle", "perfect routing"},
                                            {"large", "large guard alone"}};
    double f1;
    if (!sr_json_as_number(sr_json_get(sr_json_get(e, "routed"), "f1"), &f1)) {
        fputs("Safety of the guards is unknown: these rows lack gold or a guard's verdicts.\n\n", to);
        return;
    }
    fputs("| safety | F1 | recall | precision | routed |\n|---|---|---|---|---|\n", to);
    for (size_t i = 0; i < SR_COUNT(judges); i++) {
        const struct sr_json *judge = sr_json_get(e, judges[i].key);
        fprintf(to, "| %s | ", judges[i].value);
        put_figure(to, judge, "f1", PLAIN);
        fputs(" | ", to);
        put_figure(to, judge, "recall", PLAIN);
        fputs(" | ", to);
        put_figure(to, judge, "precision", PLAIN);
        fputs(" | ", to);
        put_share(to, judge);
        fputs(" |\n", to);
    }
    putc('\n', to);
}

void sr_card_put_evaluation(FILE *to, const struct sr_json *e) {
    static const struct {
        const char *key, *name;
        enum form form;
    } figures[] = {{"auprc", "AUPRC", PLAIN},
                   {"base_rate", "AUPRC of chance (share of positive rows)", PLAIN},
                   {"entropy_auprc", "AUPRC of the small guard's entropy, which needs no router", PLAIN},
                   {"auroc", "AUROC", PLAIN},
                   {"f1", "F1", PLAIN},
                   {"recall", "recall", PLAIN},
                   {"precision", "precision", PLAIN},
                   {"share_routed", "share routed", PER_CENT},
                   {"missed_routed", "unsafe rows missed per 1,000 rows", PER_1000},
                   {"missed_small", "the same with the small guard alone", PER_1000}};
    put_rows(to, e);
    put_guards(to, e);
    fputs("| router, against labels | |\n|---|---|\n", to);
    for (size_t i = 0; i < SR_COUNT(figures); i++) {
        fprintf(to, "| %s | ", figures[i].name);
        put_figure(to, e, figures[i].key, figures[i].form);
        fputs(" |\n", to);
    }
    putc('\n', to);
}

/* Names come from the data: a list, as in a table a name could make columns. */
void sr_card_put_slices(FILE *to, const struct sr_json *e) {
    const struct sr_json *slices = sr_json_get(e, "slices");
    if (sr_json_size(slices) == 0)
        return;
    fputs("By source:\n\n", to);
    for (size_t i = 0; i < sr_json_size(slices); i++) {
        const struct sr_json *slice = sr_json_at(slices, i);
        bool few = false;
        fputs("- ", to);
        sr_card_put_code(to, sr_json_as_string(sr_json_get(slice, "name")));
        fputs(": ", to);
        put_count(to, slice, "ranked");
        fputs(" rows, AUPRC ", to);
        put_figure(to, slice, "auprc", PLAIN);
        fputs(", F1 ", to);
        put_figure(to, slice, "f1", PLAIN);
        fputs(", routed ", to);
        put_figure(to, slice, "share_routed", PER_CENT);
        if (sr_json_as_bool(sr_json_get(slice, "too_few"), &few) && few)
            fputs("; too few rows to tell much", to);
        putc('\n', to);
    }
    putc('\n', to);
}

/* ---- reading ---- */

static int evaluation_fits(const struct sr_json *o, const char *path, const struct sr_export *e,
                           struct sr_error *err) {
    char text[SR_DECIMAL_TEXT], other[SR_DECIMAL_TEXT];
    const char *hash = sr_json_as_string(sr_json_get(o, "model_sha256"));
    int64_t version;
    double threshold;
    if (!sr_json_as_integer(sr_json_get(o, "schema_version"), &version) ||
        !sr_json_as_number(sr_json_get(o, "threshold"), &threshold) ||
        !sr_json_is_object(sr_json_get(o, "routed")))
        return sr_fail(
            err, SR_DATA,
            "%s: not a report of an evaluation: saferoute eval --model W --data D --json writes one", path);
    if (hash && strcmp(hash, sr_safetensors_hash(e->file)) != 0)
        return sr_fail(err, SR_DATA,
                       "%s measured other weights (sha256 %.16s...) than these (%.16s...): evaluate these",
                       path, hash, sr_safetensors_hash(e->file));
    if (!e->has_threshold || (float)threshold != e->threshold)
        return sr_fail(err, SR_DATA, "%s was measured at threshold %s, this router's is %s: evaluate at that",
                       path, sr_decimal(other, threshold),
                       e->has_threshold ? sr_decimal_float(text, e->threshold) : "unknown");
    return 0;
}

int sr_card_evaluation_open(struct sr_json **out, const char *path, const struct sr_export *e,
                            struct sr_error *err) {
    void *text;
    size_t size;
    struct sr_error why;
    int status = sr_file_read(&text, &size, path, EVALUATION_MAX, err);
    if (status < 0)
        return status;
    status = sr_json_parse(out, text, size, &why);
    sr_free(text);
    if (status < 0)
        return sr_fail(err, status, "%s: %.300s", path, why.text);
    if ((status = evaluation_fits(*out, path, e, err)) < 0) {
        sr_json_free(*out);
        *out = NULL;
    }
    return status;
}
