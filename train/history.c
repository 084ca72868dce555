/* history.c: the epochs of a run, and metrics.csv and metrics.jsonl made from them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/history.h"

const struct sr_epoch_column sr_epoch_column[SR_EPOCH_COLUMNS] = {
#define X(field, key, whole) {key, whole},
    SR_EPOCH_LIST(X)
#undef X
};

struct sr_json *sr_epoch_json(const struct sr_epoch *epoch) {
    const double *value = (const double *)epoch;
    struct sr_json *o = sr_json_object();
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++)
        sr_json_set(o, sr_epoch_column[c].key,
                    sr_epoch_column[c].whole ? sr_json_integer((int64_t)value[c]) : sr_json_number(value[c]));
    return o;
}

int sr_history_append(struct sr_history *h, const struct sr_epoch *epoch, struct sr_error *err) {
    if (h->n == h->room) {
        const size_t room = h->room ? 2 * h->room : 64;
        void *grown = sr_realloc(h->epoch, h->room * sizeof *h->epoch, room * sizeof *h->epoch, err);
        if (!grown)
            return SR_NOMEM;
        h->epoch = grown;
        h->room = room;
    }
    h->epoch[h->n++] = *epoch;
    return SR_OK;
}

void sr_history_free(struct sr_history *h) {
    sr_free(h->epoch);
    *h = (struct sr_history){0};
}

/* 9 digits: more than a float holds, few enough to read. */
static void number_print(FILE *to, size_t column, double value, const char *undefined) {
    if (isnan(value))
        fputs(undefined, to);
    else
        fprintf(to, sr_epoch_column[column].whole ? "%.0f" : "%.9g", value);
}

static void csv_print(FILE *to, const struct sr_history *h) {
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++)
        fprintf(to, "%s%s", c ? "," : "", sr_epoch_column[c].key);
    putc('\n', to);
    for (size_t i = 0; i < h->n; i++) {
        const double *value = (const double *)&h->epoch[i];
        for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++) {
            if (c)
                putc(',', to);
            number_print(to, c, value[c], "");
        }
        putc('\n', to);
    }
}

static void jsonl_print(FILE *to, const struct sr_history *h) {
    for (size_t i = 0; i < h->n; i++) {
        const double *value = (const double *)&h->epoch[i];
        fprintf(to, "{\"schema_version\": %d", SR_METRICS_SCHEMA);
        for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++) {
            fprintf(to, ", \"%s\": ", sr_epoch_column[c].key);
            number_print(to, c, value[c], "null");
        }
        fputs("}\n", to);
    }
}

static int file_write(const struct sr_history *h, const struct sr_run *run, const char *name,
                      void (*print)(FILE *, const struct sr_history *), struct sr_error *err) {
    struct sr_text_stream to;
    if (sr_text_stream_open(&to, err) < 0)
        return SR_NOMEM;
    print(to.stream, h);
    char *text = sr_text_stream_close(&to, err);
    const int status = text ? sr_run_write(run, name, text, strlen(text), err) : SR_NOMEM;
    sr_free(text);
    return status;
}

int sr_history_write(const struct sr_history *h, const struct sr_run *run, struct sr_error *err) {
    const int status = file_write(h, run, "metrics.csv", csv_print, err);
    return status < 0 ? status : file_write(h, run, "metrics.jsonl", jsonl_print, err);
}
