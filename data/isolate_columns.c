/* isolate_columns.c: columns, texts and attributes, asked of a reader. See isolate_client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/isolate_client.h"
#include "nn/base/sizes.h"

#define INTEGER_TEXT 24 /* bytes of an integer as text, or more */

static int ask_column(const struct sr_h5 *f, enum sr_isolate_op op, const char *name, void *out, size_t rows,
                      size_t each, struct sr_error *err) {
    struct sr_isolate_request q;
    uint64_t bytes = 0;
    int status = sr_away_request(&q, op, f, "", name, err);
    if (status == 0 && !sr_size_mul(&bytes, rows, each))
        status = sr_fail(err, SR_DATA, "%s: /%s has more rows than memory can hold", f->path, name);
    q.rows = rows;
    return status < 0 ? status : sr_away_exact(f, &q, out, bytes, NULL, err);
}

int sr_away_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                          struct sr_error *err) {
    return ask_column(f, SR_ISOLATE_INTEGERS, name, out, rows, sizeof *out, err);
}

int sr_away_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                         struct sr_error *err) {
    return ask_column(f, SR_ISOLATE_DOUBLES, name, out, rows, sizeof *out, err);
}

/* Doubles on their way to the caller. */
struct passing {
    struct sr_channel *channel;
    const char *path;
    double *values; /* [SR_ISOLATE_WINDOW / sizeof(double)] */
    uint64_t left;
    int (*take)(void *user, const double *values, size_t n, struct sr_error *err);
    void *user;
};

static int take_passing(void *user, const void *bytes, size_t n, struct sr_error *err) {
    struct passing *p = user;
    if (n % sizeof *p->values != 0 || n / sizeof *p->values > p->left)
        return sr_channel_nonsense(p->channel, p->path, err);
    memcpy(p->values, bytes, n);
    p->left -= n / sizeof *p->values;
    return p->take(p->user, p->values, n / sizeof *p->values, err);
}

int sr_away_each_double(const struct sr_h5 *f, const char *name,
                        int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                        void *user, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_h5_info info;
    int status = sr_away_request(&q, SR_ISOLATE_EACH_DOUBLE, f, "", name, err);
    if (status == 0)
        status = sr_away_info(f, name, &info, err);
    if (status < 0)
        return status;
    struct passing p = {.channel = sr_away_of(f)->channel,
                        .path = f->path,
                        .left = info.shape[0],
                        .take = take,
                        .user = user};
    p.values = sr_alloc(SR_ISOLATE_WINDOW, 1, err);
    status = p.values ? sr_away_ask(f, &q, take_passing, &p, NULL, err) : SR_NOMEM;
    if (status == 0 && p.left > 0)
        status = sr_channel_nonsense(p.channel, f->path, err);
    sr_free(p.values);
    return status;
}

/* ---- texts ---- */

/* Bytes that a column may come to as text: fixed values as digits, or what variable ones are limited to. */
static uint64_t texts_most(const struct sr_h5 *f, const struct sr_h5_info *info, size_t rows) {
    const uint64_t fixed = sr_size_times(rows, sr_size_sum(sr_size_times(info->size, 2), INTEGER_TEXT)),
                   variable = sr_size_sum(sr_h5_texts_most(f), rows);
    return fixed > variable ? fixed : variable;
}

int sr_away_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                       struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_h5_info info;
    *out = NULL;
    int status = sr_away_info(f, name, &info, err);
    if (status == 0)
        status = sr_away_request(&q, SR_ISOLATE_TEXTS, f, "", name, err);
    if (status < 0)
        return status;
    struct sr_growing g = sr_growing_of(f, texts_most(f, &info, rows));
    q.rows = rows;
    status = sr_away_ask(f, &q, sr_take_growing, &g, NULL, err);
    if (status == 0)
        status = sr_growing_texts(out, &g, rows, err);
    sr_free(g.bytes);
    return status;
}

int sr_away_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                      struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_growing g = sr_growing_of(f, SR_H5_TEXT_MAX + SR_H5_LIST_MAX);
    uint64_t there = 0;
    char **texts = NULL;
    *value = NULL;
    int status = sr_away_request(&q, SR_ISOLATE_ATTRIBUTE, f, object, name, err);
    if (status == 0)
        status = sr_away_ask(f, &q, sr_take_growing, &g, &there, err);
    if (status == 0)
        status = sr_growing_texts(&texts, &g, there ? 1 : 0, err);
    if (status == 0 && there && !(*value = sr_strdup(texts[0], err)))
        status = SR_NOMEM;
    sr_free(texts);
    sr_free(g.bytes);
    return status;
}

int sr_away_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                           size_t *n, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_growing g = sr_growing_of(f, SR_H5_TEXT_MAX + SR_H5_LIST_MAX);
    uint64_t texts = 0;
    *values = NULL;
    *n = 0;
    int status = sr_away_request(&q, SR_ISOLATE_ATTRIBUTE_LIST, f, object, name, err);
    if (status == 0)
        status = sr_away_ask(f, &q, sr_take_growing, &g, &texts, err);
    if (status == 0 && texts > SR_H5_LIST_MAX)
        status = sr_channel_nonsense(g.channel, f->path, err);
    if (status == 0 && texts > 0 && (status = sr_growing_texts(values, &g, texts, err)) == 0)
        *n = texts;
    sr_free(g.bytes);
    return status;
}
