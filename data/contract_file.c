/* contract_file.c: a feature contract written down by hand, as JSON. See data.h.
 *
 * Keys and values are checked strictly: a slip in a name would leave the real key unknown without a word.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/contract.h"
#include "data/number.h"

#define FILE_MOST ((size_t)1 << 20)

static int check_key(const char *path, const char *key, struct sr_error *err) {
    const char *names[SR_CONTRACT_KEYS + 1] = {NULL};
    for (int k = 0; k < SR_CONTRACT_KEYS; k++) {
        names[k] = sr_contract_key(k);
        if (strcmp(names[k], key) == 0)
            return 0;
    }
    const char *near = sr_nearest(key, names);
    return sr_fail(err, SR_USAGE, "%s: a contract has no key %.60s%s%s", path, key,
                   near ? "; did you mean " : "", near ? near : "");
}

/* Of a router and not of a dump; one file may serve `import` as well. */
static bool is_of_router(const char *key) {
    return strcmp(key, "threshold") == 0 || strcmp(key, "threshold_rule") == 0;
}

static bool ends_in(const char *text, const char *ending) {
    const size_t n = strlen(text), e = strlen(ending);
    return n >= e && strcmp(text + n - e, ending) == 0;
}

static int check_value(const char *path, const char *key, const char *value, struct sr_error *err) {
    double number = 0;
    if (strcmp(key, "feature_norm") == 0 && strcmp(value, "pre") != 0 && strcmp(value, "post") != 0 &&
        strcmp(value, "unit") != 0)
        return sr_fail(err, SR_USAGE,
                       "%s: feature_norm is \"%.40s\", but must be pre (before the final norm), post or unit",
                       path, value);
    if (ends_in(key, "_threshold")) {
        const char *end = sr_number_parse(&number, value);
        if (!end || *end || !(number > 0 && number <= 1))
            return sr_fail(err, SR_USAGE, "%s: %s is \"%.40s\", but must be above 0 and at most 1", path, key,
                           value);
    }
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

/* The pairs of o: with out, into it, its strings into text. Returns the bytes of the strings, or a status. */
static int64_t take_pairs(struct sr_pair *out, char *text, const struct sr_json *o, const char *path,
                          struct sr_error *err) {
    const struct sr_json *value;
    int64_t used = 0;
    void *iter = NULL;
    for (const char *key; (key = sr_json_next(o, &iter, &value));) {
        char number[SR_DECIMAL_TEXT];
        const char *as_text = value_text(number, value);
        if (sr_json_is_null(value) || is_of_router(key))
            continue;
        int status = check_key(path, key, err);
        if (status == 0 && !as_text)
            status = sr_fail(err, SR_DATA, "%s: %s is neither a string nor a number", path, key);
        if (status == 0)
            status = check_value(path, key, as_text, err);
        if (status < 0)
            return status;
        if (out) {
            *out++ = (struct sr_pair){strcpy(text + used, key), text + used + strlen(key) + 1};
            strcpy(text + used + strlen(key) + 1, as_text);
        }
        used += (int64_t)(strlen(key) + strlen(as_text) + 2);
    }
    return used;
}

static int copy_pairs(struct sr_pair **pairs, size_t *n, const struct sr_json *o, const char *path,
                      struct sr_error *err) {
    const int64_t bytes = take_pairs(NULL, NULL, o, path, err);
    const size_t room = sr_json_size(o) * sizeof **pairs;
    if (bytes < 0)
        return (int)bytes;
    *pairs = sr_alloc(1, room + (size_t)bytes, err);
    if (!*pairs)
        return SR_NOMEM;
    take_pairs(*pairs, (char *)*pairs + room, o, path, err);
    *n = 0;
    while (*n < sr_json_size(o) && (*pairs)[*n].key)
        ++*n;
    return 0;
}

int sr_contract_file_read(struct sr_pair **pairs, size_t *n, const char *path, struct sr_error *err) {
    struct sr_json *o = NULL;
    struct sr_error why;
    void *text;
    size_t size;
    int status = sr_file_read(&text, &size, path, FILE_MOST, err);
    if (status < 0)
        return status;
    if (sr_json_parse(&o, text, size, &why) < 0)
        status = sr_fail(err, why.status, "%s: %.300s", path, why.text);
    else if (!sr_json_is_object(o))
        status =
            sr_fail(err, SR_DATA, "%s: a contract is one object, {\"feature_model\": \"...\", ...}", path);
    else
        status = copy_pairs(pairs, n, o, path, err);
    sr_json_free(o);
    sr_free(text);
    return status;
}
