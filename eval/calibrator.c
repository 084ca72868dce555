/* calibrator.c: a calibrator of any kind: fitting, applying, as text and back.
 *
 * The text comes from weights files that strangers made: whatever sr_calibrator_text would not write is
 * refused, with what is wrong and where.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "eval/calibrator.h"

#define METHOD "method"

static const char *const methods[] = {
#define X(NAME, name) #name,
    SR_CALIBRATOR_LIST(X)
#undef X
        NULL};

static const struct sr_calibrator_type *const types[] = {
#define X(NAME, name) [SR_CALIBRATOR_##NAME] = &sr_calibrator_##name,
    SR_CALIBRATOR_LIST(X)
#undef X
};

static void carve(struct sr_arena *arena, struct sr_calibrator *c) {
    c->prob = sr_arena_take(arena, c->knots, sizeof *c->prob);
    c->calibrated = sr_arena_take(arena, c->knots, sizeof *c->calibrated);
}

struct sr_calibrator *sr_calibrator_new(enum sr_calibrator_kind kind, size_t knots, struct sr_error *err) {
    struct sr_arena arena = {0};
    struct sr_calibrator counted = {.kind = kind, .knots = knots}, *c;
    sr_arena_take(&arena, 1, sizeof *c);
    carve(&arena, &counted);
    if (sr_arena_allocate(&arena, err) < 0)
        return NULL;
    c = sr_arena_take(&arena, 1, sizeof *c);
    *c = counted;
    carve(&arena, c);
    return c;
}

void sr_calibrator_free(struct sr_calibrator *c) {
    sr_free(c);
}

const char *sr_calibrator_method(const struct sr_calibrator *c) {
    return methods[c->kind];
}

double sr_calibrator_apply(const struct sr_calibrator *c, double prob) {
    return isnan(prob) ? prob : types[c->kind]->apply(c, prob);
}

/* The probs as doubles, as c gives them (NULL: as they are). Free with sr_free. */
static double *widen(const struct sr_calibrator *c, const float *prob, size_t n, struct sr_error *err) {
    double *wide = sr_alloc(n, sizeof *wide, err);
    for (size_t i = 0; wide && i < n; i++)
        wide[i] = c ? sr_calibrator_apply(c, (double)prob[i]) : (double)prob[i];
    return wide;
}

int sr_calibrator_reliability(struct sr_reliability **out, const struct sr_calibrator *c,
                              const uint8_t *label, const float *prob, size_t n, struct sr_error *err) {
    double *wide = widen(c, prob, n, err);
    *out = NULL;
    const int status = wide ? sr_reliability_create(out, label, wide, n, err) : SR_NOMEM;
    sr_free(wide);
    return status;
}

/* ---- fitting ---- */

static int fit_sorted(struct sr_calibrator **out, enum sr_calibrator_kind kind, const uint8_t *label,
                      const double *prob, size_t n, struct sr_error *err) {
    struct sr_ranks rows;
    int status = sr_ranks_sort(&rows, label, prob, n, err);
    if (status < 0)
        return status;
    if (rows.positives == 0 || rows.positives == rows.n)
        status = sr_fail(err, SR_DATA,
                         "calibration needs rows of both classes that have a prob: there are %zu positive "
                         "and %zu negative ones",
                         rows.positives, rows.n - rows.positives);
    else
        status = types[kind]->fit(out, &rows, prob, err);
    sr_ranks_free(&rows);
    return status;
}

int sr_calibrator_fit(struct sr_calibrator **out, enum sr_calibrator_kind kind, const uint8_t *label,
                      const float *prob, size_t n, struct sr_error *err) {
    double *wide = widen(NULL, prob, n, err);
    *out = NULL;
    const int status = wide ? fit_sorted(out, kind, label, wide, n, err) : SR_NOMEM;
    sr_free(wide);
    return status;
}

/* ---- text ---- */

char *sr_calibrator_text(const struct sr_calibrator *c, struct sr_error *err) {
    struct sr_json *object = sr_json_object();
    sr_json_set(object, METHOD, sr_json_string(sr_calibrator_method(c)));
    types[c->kind]->write(object, c);
    char *text = sr_json_text(object, 0, err);
    sr_json_free(object);
    return text;
}

/* -1 for a word that is no method. */
static int kind_of(const char *word) {
    for (int kind = 0; methods[kind]; kind++)
        if (strcmp(word, methods[kind]) == 0)
            return kind;
    return -1;
}

static bool is_listed(const char *word, const char *const *list) {
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static int check_members(const struct sr_json *object, const struct sr_calibrator_type *type,
                         struct sr_error *err) {
    const struct sr_json *value;
    const char *key;
    for (const char *const *member = type->members; *member; member++)
        if (!sr_json_get(object, *member))
            return sr_fail(err, SR_DATA, "no \"%s\"", *member);
    for (void *iter = NULL; (key = sr_json_next(object, &iter, &value));)
        if (strcmp(key, METHOD) != 0 && !is_listed(key, type->members))
            return sr_fail(err, SR_DATA, "\"%.40s\" does not belong to this method", key);
    return 0;
}

static int read_object(struct sr_calibrator **out, const struct sr_json *object, struct sr_error *err) {
    if (!sr_json_is_object(object))
        return sr_fail(err, SR_DATA, "not a JSON object");
    const char *method = sr_json_as_string(sr_json_get(object, METHOD));
    if (!method)
        return sr_fail(err, SR_DATA, "\"" METHOD "\" is missing or not a string");
    const int kind = kind_of(method);
    if (kind < 0)
#define X(NAME, name) " " #name
        return sr_fail(err, SR_DATA, "unknown method \"%.40s\"; there are:" SR_CALIBRATOR_LIST(X), method);
#undef X
    const int status = check_members(object, types[kind], err);
    return status < 0 ? status : types[kind]->read(out, object, err);
}

int sr_calibrator_parse(struct sr_calibrator **out, const char *text, struct sr_error *err) {
    struct sr_json *object;
    *out = NULL;
    int status = sr_json_parse(&object, text, strlen(text), err);
    if (status < 0)
        return status;
    status = read_object(out, object, err);
    sr_json_free(object);
    return status;
}

int sr_calibrator_of_weights(struct sr_calibrator **out, const char *path, const char *text,
                             struct sr_error *err) {
    struct sr_error why;
    *out = NULL;
    const int status = text && *text ? sr_calibrator_parse(out, text, &why) : 0;
    return status < 0 ? sr_fail(err, status, "%s: metadata \"calibration\": %.300s", path, why.text) : 0;
}
