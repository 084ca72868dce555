/* inspect_rows.c: feature dumps and scores of infer, as facts; see inspect.h.
 *
 * The columns of a dump are read, its features are not: how many rows are damaged is for a scan to say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "data/data.h"
#include "train/inspect.h"

#define SOURCES_SHOWN 24

bool sr_inspect_hdf5_recognise(const struct sr_peek *p) {
    return p->n >= 8 && memcmp(p->head, SR_HDF5_MAGIC, 8) == 0;
}

/* A table whose first line has a column prob. */
bool sr_inspect_scores_recognise(const struct sr_peek *p) {
    char line[512], *rest = line;
    const size_t n = strcspn(p->head, "\r\n");
    if (p->is_folder || n == p->n || n >= sizeof line)
        return false;
    snprintf(line, sizeof line, "%.*s", (int)n, p->head);
    for (char *field; (field = strsep(&rest, ","));)
        if (strcmp(field, "prob") == 0 || strcmp(field, "\"prob\"") == 0)
            return true;
    return false;
}

/* ---- scores ---- */

static void add_scores(struct sr_facts *f, const struct sr_data_look *l) {
    char rows[SR_COUNT_TEXT], large[SR_COUNT_TEXT];
    sr_facts_section(f, "scores");
    sr_facts_count(f, "rows", l->rows);
    if (l->scored < l->rows)
        sr_facts_count(f, "without_score", l->rows - l->scored);
    if (l->scored > 0)
        sr_facts_add(f, "prob", sr_json_number(l->mean), "%.4g to %.4g, mean %.4g", l->low, l->high, l->mean);
    if (l->has_decision && l->rows > 0)
        sr_facts_add(f, "routed", sr_json_integer((int64_t)l->large),
                     "%s of %s rows go to the large guard, %.2f %%", sr_count_text(large, l->large),
                     sr_count_text(rows, l->rows), 100 * (double)l->large / (double)l->rows);
    sr_facts_add(f, "read_by", sr_json_null(),
                 "saferoute eval --scores and sweep --scores, with the dump they are of");
}

int sr_inspect_scores_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                           struct sr_error *err) {
    struct sr_data_look l;
    (void)title;
    const int status = sr_data_look_csv(&l, p->path, err);
    if (status == 0)
        add_scores(f, &l);
    return status;
}

/* ---- dumps ---- */

/* One dataset a line, N for the number of rows: "features [N,2048] float16". */
static void add_columns(struct sr_facts *f, const char *columns, size_t rows) {
    char lines[sizeof((struct sr_data_look *)0)->columns], count[32];
    const size_t digits = (size_t)snprintf(count, sizeof count, "[%zu", rows);
    size_t n = 0;
    for (const char *c = columns; *c; c++) {
        if (strncmp(c, ", ", 2) == 0) {
            lines[n++] = '\n';
            c++;
        } else if (strncmp(c, count, digits) == 0 && strchr(",]", c[digits])) {
            lines[n++] = '[';
            lines[n++] = 'N';
            c += digits - 1;
        } else {
            lines[n++] = *c;
        }
    }
    lines[n] = '\0';
    sr_facts_add(f, "datasets", sr_json_string(columns), "%s", lines);
}

static void add_share(struct sr_facts *f, const char *key, const uint8_t *column, size_t rows,
                      const char *what) {
    char one[SR_COUNT_TEXT], all[SR_COUNT_TEXT], rest[SR_COUNT_TEXT + 32] = "", count[SR_COUNT_TEXT];
    size_t ones = 0, known = 0;
    if (!column) {
        sr_facts_add(f, key, sr_json_null(), "no such column");
        return;
    }
    for (size_t i = 0; i < rows; i++) {
        ones += column[i] == 1;
        known += column[i] != SR_UNKNOWN;
    }
    if (known < rows)
        snprintf(rest, sizeof rest, "; of %s rows not known", sr_count_text(count, rows - known));
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "ones", sr_json_integer((int64_t)ones));
    sr_json_set(value, "known", sr_json_integer((int64_t)known));
    sr_facts_add(f, key, value, "%s of %s, %.2f %%%s%s", sr_count_text(one, ones), sr_count_text(all, known),
                 known ? 100 * (double)ones / (double)known : 0.0, what, rest);
}

/* Share of the rows, of those where both are known, on which a guard agrees with gold. */
static void add_accuracy(struct sr_facts *f, const char *key, const uint8_t *pred, const struct sr_data *d) {
    size_t right = 0, known = 0;
    if (!pred || !d->gold)
        return;
    for (size_t i = 0; i < d->rows; i++)
        if (pred[i] != SR_UNKNOWN && d->gold[i] != SR_UNKNOWN) {
            known++;
            right += pred[i] == d->gold[i];
        }
    if (known > 0)
        sr_facts_add(f, key, sr_json_number((double)right / (double)known), "%.4f against gold",
                     (double)right / (double)known);
}

static void add_labels(struct sr_facts *f, const struct sr_data *d) {
    char text[256];
    sr_data_labels_text(text, d);
    sr_facts_section(f, "labels");
    sr_facts_text(f, "labels", text);
    add_share(f, "positive", d->label, d->rows, " (small guard wrong, large guard right)");
    add_share(f, "gold", d->gold, d->rows, " unsafe");
    add_share(f, "small_guard", d->small_pred, d->rows, " called unsafe");
    add_accuracy(f, "small_accuracy", d->small_pred, d);
    add_share(f, "large_guard", d->large_pred, d->rows, " called unsafe");
    add_accuracy(f, "large_accuracy", d->large_pred, d);
}

struct source {
    size_t rows, labelled, positives;
};

static struct source source_of(const struct sr_data *d, size_t s) {
    struct source of = {0};
    for (size_t i = 0; i < d->rows; i++)
        if (d->source[i] == (int32_t)s) {
            of.rows++;
            of.positives += d->label && d->label[i] == 1;
            of.labelled += d->label && d->label[i] != SR_UNKNOWN;
        }
    return of;
}

static void add_source(struct sr_facts *f, const char *name, const struct source *of) {
    char rows[SR_COUNT_TEXT];
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "rows", sr_json_integer((int64_t)of->rows));
    sr_json_set(value, "labelled", sr_json_integer((int64_t)of->labelled));
    sr_json_set(value, "positives", sr_json_integer((int64_t)of->positives));
    sr_count_text(rows, of->rows);
    if (of->labelled > 0)
        sr_facts_add(f, name, value, "%s rows, %.2f %% positive", rows,
                     100 * (double)of->positives / (double)of->labelled);
    else
        sr_facts_add(f, name, value, "%s rows", rows);
}

/* Of a dump of many sources, the first ones. */
static void add_sources(struct sr_facts *f, const struct sr_data *d) {
    sr_facts_section(f, "sources");
    for (size_t s = 0; s < d->sources && s < SOURCES_SHOWN; s++) {
        const struct source of = source_of(d, s);
        add_source(f, d->source_names[s], &of);
    }
}

static void add_contract(struct sr_facts *f, const struct sr_data *d) {
    sr_facts_section(f, "contract");
    for (int k = 0; k < SR_CONTRACT_KEYS; k++) {
        const char *value = NULL;
        for (size_t i = 0; i < d->contract_count; i++)
            if (strcmp(d->contract[i].key, sr_contract_key(k)) == 0)
                value = d->contract[i].value;
        sr_facts_text(f, sr_contract_key(k), value);
    }
}

static void add_dump(struct sr_facts *f, const struct sr_data *d, const struct sr_data_look *l,
                     const char *trouble) {
    sr_facts_section(f, "rows");
    sr_facts_count(f, "rows", d->rows);
    sr_facts_add(f, "features", sr_json_integer((int64_t)d->width), "%zu a row, kept as %s, %.1f MB",
                 d->width, sr_data_feature_type(d), (double)sr_data_bytes(d) / 1e6);
    add_columns(f, l->columns, d->rows);
    sr_facts_add(f, "groups", sr_json_bool(d->group != NULL), "%s",
                 d->group ? "yes: rows of one are not split" : "none");
    sr_facts_add(f, "sources", sr_json_integer((int64_t)d->sources), "%zu%s", d->sources,
                 d->sources > SOURCES_SHOWN ? ", the first below" : "");
    if (trouble) {
        sr_facts_section(f, "labels");
        sr_facts_add(f, "labels", sr_json_null(), "cannot be used: %s", trouble);
    } else {
        add_labels(f, d);
    }
    if (d->source)
        add_sources(f, d);
    add_contract(f, d);
}

int sr_inspect_hdf5_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                         struct sr_error *err) {
    struct sr_data_options features = *p->how;
    struct sr_data_look l;
    struct sr_data *d = NULL;
    struct sr_error trouble;
    int status = sr_data_look_hdf5(&l, p->path, err);
    if (status < 0)
        return status;
    if (l.is_scores) {
        *title = "scores of infer";
        add_scores(f, &l);
        add_columns(f, l.columns, l.rows);
        return 0;
    }
    *title = "feature dump";
    features.features_only = true;
    const int whole = sr_data_open(&d, p->path, p->how, &trouble);
    if (whole < 0 && (whole == SR_NOMEM || (status = sr_data_open(&d, p->path, &features, err)) < 0))
        return status < 0 ? status : sr_fail(err, whole, "%s", trouble.text);
    add_dump(f, d, &l, whole < 0 ? trouble.text : NULL);
    sr_data_close(d);
    return 0;
}
