/* calibrator.c: using a calibrator of any kind: applying it, as text and back.
 *
 * The text comes from weights files that strangers made: whatever sr_calibrator_text would not write is
 * refused, with what is wrong and where. Fitting needs labelled rows and is eval's.
 *
 * A kind `name` is name_members, name_apply, name_write and name_read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "nn/base/alloc.h"
#include "nn/base/calibrator.h"
#include "nn/base/json.h"
#include "nn/base/option.h"
#include "nn/base/words.h"

#define METHOD      "method"
#define TEMPERATURE "temperature"
#define PROB        "prob"
#define CALIBRATED  "calibrated"

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

double sr_prob_clip(double prob) {
    return fmin(fmax(prob, 0x1p-52), 1 - 0x1p-52);
}

double sr_prob_logit(double prob) {
    const double p = sr_prob_clip(prob);
    return log(p / (1 - p));
}

/* ---- temperature ---- */

static double temperature_apply(const struct sr_calibrator *c, double prob) {
    return 1 / (1 + exp(-sr_prob_logit(prob) / c->temperature));
}

static void temperature_write(struct sr_json *to, const struct sr_calibrator *c) {
    sr_json_set(to, TEMPERATURE, sr_json_number(c->temperature));
}

static int temperature_read(struct sr_calibrator **out, const struct sr_json *from, struct sr_error *err) {
    double temperature;
    if (!sr_json_as_number(sr_json_get(from, TEMPERATURE), &temperature) || !(temperature > 0))
        return sr_fail(err, SR_DATA, "\"" TEMPERATURE "\" is not a number above 0");
    *out = sr_calibrator_new(SR_CALIBRATOR_TEMPERATURE, 0, err);
    if (!*out)
        return SR_NOMEM;
    (*out)->temperature = temperature;
    return 0;
}

static const char *const temperature_members[] = {TEMPERATURE, NULL};

/* ---- isotonic ---- */

/* Of the last knot that is not above prob; prob is at or above the first. */
static size_t knot_below(const struct sr_calibrator *c, double prob) {
    size_t low = 0, high = c->knots;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (c->prob[middle] <= prob)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double isotonic_apply(const struct sr_calibrator *c, double prob) {
    if (prob <= c->prob[0])
        return c->calibrated[0];
    const size_t k = knot_below(c, prob);
    const double from = c->calibrated[k];
    if (k + 1 == c->knots)
        return from;
    const double to = c->calibrated[k + 1], way = (prob - c->prob[k]) / (c->prob[k + 1] - c->prob[k]);
    return fmin(from + way * (to - from), to); /* the sum may round to above its end */
}

static struct sr_json *list_of(const double *value, size_t n) {
    struct sr_json *list = sr_json_array();
    for (size_t i = 0; i < n; i++)
        sr_json_append(list, sr_json_number(value[i]));
    return list;
}

static void isotonic_write(struct sr_json *to, const struct sr_calibrator *c) {
    sr_json_set(to, PROB, list_of(c->prob, c->knots));
    sr_json_set(to, CALIBRATED, list_of(c->calibrated, c->knots));
}

/* Numbers from 0 to 1, none below the one before, nor equal to it where they must rise. */
static int read_list(double *value, const struct sr_json *list, const char *name, bool rises,
                     struct sr_error *err) {
    for (size_t i = 0; i < sr_json_size(list); i++) {
        if (!sr_json_as_number(sr_json_at(list, i), &value[i]) || !(value[i] >= 0 && value[i] <= 1))
            return sr_fail(err, SR_DATA, "item %zu of \"%s\" is not a number from 0 to 1", i, name);
        if (i > 0 && (value[i] < value[i - 1] || (rises && value[i] == value[i - 1])))
            return sr_fail(err, SR_DATA, "item %zu of \"%s\", %.9g, is %s the one before, %.9g", i, name,
                           value[i], rises ? "not above" : "below", value[i - 1]);
    }
    return 0;
}

static int isotonic_read(struct sr_calibrator **out, const struct sr_json *from, struct sr_error *err) {
    const struct sr_json *prob = sr_json_get(from, PROB), *calibrated = sr_json_get(from, CALIBRATED);
    if (!sr_json_is_array(prob) || !sr_json_is_array(calibrated))
        return sr_fail(err, SR_DATA, "\"" PROB "\" and \"" CALIBRATED "\" are not both lists");
    const size_t n = sr_json_size(prob);
    if (n == 0 || n != sr_json_size(calibrated))
        return sr_fail(err, SR_DATA,
                       "\"" PROB "\" has %zu items and \"" CALIBRATED "\" %zu; they must be as many, and "
                       "at least one",
                       n, sr_json_size(calibrated));
    struct sr_calibrator *c = sr_calibrator_new(SR_CALIBRATOR_ISOTONIC, n, err);
    int status = c ? read_list(c->prob, prob, PROB, true, err) : SR_NOMEM;
    if (status == 0)
        status = read_list(c->calibrated, calibrated, CALIBRATED, false, err);
    if (status == 0)
        *out = c;
    else
        sr_calibrator_free(c);
    return status;
}

static const char *const isotonic_members[] = {PROB, CALIBRATED, NULL};

/* ---- any kind ---- */

struct type {
    const char *method;
    const char *const *members; /* of its JSON besides "method", ends with NULL */
    double (*apply)(const struct sr_calibrator *c, double prob); /* never NaN */
    void (*write)(struct sr_json *to, const struct sr_calibrator *c);
    /* All members are there, and no others; what they hold is to be checked. */
    int (*read)(struct sr_calibrator **out, const struct sr_json *from, struct sr_error *err);
};

static const struct type types[] = {
#define X(NAME, name)                                                                                        \
    [SR_CALIBRATOR_##NAME] = {#name, name##_members, name##_apply, name##_write, name##_read},
    SR_CALIBRATOR_LIST(X)
#undef X
};

const char *sr_calibrator_method(const struct sr_calibrator *c) {
    return types[c->kind].method;
}

double sr_calibrator_apply(const struct sr_calibrator *c, double prob) {
    return isnan(prob) ? prob : types[c->kind].apply(c, prob);
}

char *sr_calibrator_text(const struct sr_calibrator *c, struct sr_error *err) {
    struct sr_json *object = sr_json_object();
    sr_json_set(object, METHOD, sr_json_string(sr_calibrator_method(c)));
    types[c->kind].write(object, c);
    char *text = sr_json_text(object, 0, err);
    sr_json_free(object);
    return text;
}

/* -1 for a word that is no method. */
static int kind_of(const char *word) {
    for (size_t kind = 0; kind < SR_COUNT(types); kind++)
        if (strcmp(word, types[kind].method) == 0)
            return (int)kind;
    return -1;
}

static int check_members(const struct sr_json *object, const struct type *type, struct sr_error *err) {
    const struct sr_json *value;
    const char *key;
    for (const char *const *member = type->members; *member; member++)
        if (!sr_json_get(object, *member))
            return sr_fail(err, SR_DATA, "no \"%s\"", *member);
    for (void *iter = NULL; (key = sr_json_next(object, &iter, &value));)
        if (strcmp(key, METHOD) != 0 && !sr_is_listed(key, type->members))
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
    const int status = check_members(object, &types[kind], err);
    return status < 0 ? status : types[kind].read(out, object, err);
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
