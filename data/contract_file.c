/* contract_file.c: a feature contract written down by hand, as JSON. See data.h.
 *
 * Keys and values are checked strictly: a slip in a name would leave the real key unknown without a word, and
 * the contract would be one that is never compared with anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/contract.h"

#define FILE_MOST ((size_t)1 << 20)

/* Of a router and not of a dump. */
static const char *const of_router[] = {"threshold", "threshold_rule"};

static int check_key(const char *path, const char *key, struct sr_error *err) {
    const char *names[SR_CONTRACT_KEYS + SR_COUNT(of_router) + 1] = {NULL};
    size_t n = 0;
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        names[n++] = sr_contract_key(k);
    for (size_t k = 0; k < SR_COUNT(of_router); k++)
        names[n++] = of_router[k];
    for (size_t k = 0; k < n; k++)
        if (strcmp(names[k], key) == 0)
            return 0;
    const char *near = sr_nearest(key, names);
    return sr_fail(err, SR_USAGE, "%s: unknown key '%.100s'%s%s%s", path, key, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

static bool is_of_router(const char *key) {
    return strcmp(key, of_router[0]) == 0 || strcmp(key, of_router[1]) == 0;
}

static int check_norm(const char *path, const char *value, struct sr_error *err) {
    if (strcmp(value, "pre") == 0 || strcmp(value, "post") == 0 || strcmp(value, "unit") == 0)
        return 0;
    return sr_fail(err, SR_USAGE,
                   "%s: feature_norm is '%.60s'; it is pre or post (taken before or after the final norm) or "
                   "unit (of length 1)",
                   path, value);
}

/* A guard that is unsafe from 0 on would be always; a router may send all rows with a prob above 0. */
static int check_threshold(const char *path, const char *key, const char *value, struct sr_error *err) {
    const bool of_guard = !is_of_router(key);
    double number;
    if (sr_decimal_parse(&number, value) && number >= 0 && number <= 1 && (number > 0 || !of_guard))
        return 0;
    return sr_fail(err, SR_USAGE, "%s: %s is '%.60s', not a number %s", path, key, value,
                   of_guard ? "above 0 and at most 1" : "from 0 to 1");
}

static int check_value(const char *path, const char *key, const char *value, struct sr_error *err) {
    if (!value || !*value)
        return sr_fail(err, SR_USAGE,
                       "%s: %s is %s; it takes text or a number, and null where it is not known", path, key,
                       value ? "empty" : "neither text nor a number");
    if (strcmp(key, "feature_norm") == 0)
        return check_norm(path, value, err);
    if (sr_ends_in(key, "threshold"))
        return check_threshold(path, key, value, err);
    return 0;
}

/* A string as it is, a number as its shortest decimal; NULL for anything else. */
static const char *value_text(char number[SR_DECIMAL_TEXT], const struct sr_json *value) {
    int64_t integer;
    double decimal;
    if (sr_json_as_integer(value, &integer)) {
        snprintf(number, SR_DECIMAL_TEXT, "%lld", (long long)integer);
        return number;
    }
    return sr_json_as_number(value, &decimal) ? sr_decimal(number, decimal) : sr_json_as_string(value);
}

/* Where pairs are put: NULL to count their bytes first. */
struct taker {
    const char *path;
    bool router; /* the router's keys are taken too */
    struct sr_pair *out;
    char *text;
    size_t n, bytes;
};

static void take(struct taker *t, const char *key, const char *value) {
    const size_t key_bytes = strlen(key) + 1, value_bytes = strlen(value) + 1;
    if (t->out) {
        char *at = t->text + t->bytes;
        memcpy(at, key, key_bytes);
        memcpy(at + key_bytes, value, value_bytes);
        t->out[t->n] = (struct sr_pair){at, at + key_bytes};
    }
    t->n++;
    t->bytes += key_bytes + value_bytes;
}

/* All values are checked, those that are not taken too: the file may serve another command next. */
static int take_pairs(struct taker *t, const struct sr_json *o, struct sr_error *err) {
    const struct sr_json *value;
    bool threshold = false, rule = false;
    void *iter = NULL;
    for (const char *key; (key = sr_json_next(o, &iter, &value));) {
        char number[SR_DECIMAL_TEXT];
        const char *text = value_text(number, value);
        int status = check_key(t->path, key, err);
        if (status == 0 && sr_json_is_null(value))
            continue;
        if (status == 0)
            status = check_value(t->path, key, text, err);
        if (status < 0)
            return status;
        threshold = threshold || strcmp(key, "threshold") == 0;
        rule = rule || strcmp(key, "threshold_rule") == 0;
        if (t->router || !is_of_router(key))
            take(t, key, text);
    }
    return rule && !threshold ? sr_fail(err, SR_USAGE, "%s: threshold_rule without a threshold", t->path) : 0;
}

static int copy_pairs(struct sr_pair **pairs, size_t *n, const struct sr_json *o, const char *path,
                      bool router, struct sr_error *err) {
    struct taker t = {.path = path, .router = router};
    int status = take_pairs(&t, o, err);
    if (status < 0)
        return status;
    const size_t room = t.n * sizeof *t.out;
    t.out = sr_alloc(1, room + t.bytes + 1, err); /* + 1: never nothing */
    if (!t.out)
        return SR_NOMEM;
    t.text = (char *)t.out + room;
    t.n = t.bytes = 0;
    status = take_pairs(&t, o, err);
    *pairs = t.out;
    *n = t.n;
    return status;
}

int sr_contract_file_read(struct sr_pair **pairs, size_t *n, const char *path, bool router,
                          struct sr_error *err) {
    struct sr_json *o = NULL;
    struct sr_error why;
    void *text;
    size_t size;
    int status = sr_file_read(&text, &size, path, FILE_MOST, err);
    if (status < 0)
        return status;
    if ((status = sr_json_parse(&o, text, size, &why)) < 0)
        status = sr_fail(err, status == SR_DATA ? SR_USAGE : status, "%s: %.400s", path, why.text);
    else if (!sr_json_is_object(o))
        status = sr_fail(err, SR_USAGE, "%s: not a JSON object, {\"feature_model\": \"...\", ...}", path);
    else
        status = copy_pairs(pairs, n, o, path, router, err);
    sr_json_free(o);
    sr_free(text);
    return status;
}
