/* import_contract.c: what a user says of a router that its file does not: a JSON object, read strictly; see
 * import.h.
 *
 * A key that is not known is refused rather than kept: a contract with a misspelt key would be one that is
 * never compared with anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "infer/import.h"

#define FILE_BYTES (1u << 20)

enum kind { TEXT, NORM, SHARE };

static const struct {
    const char *name;
    enum kind kind;
} keys[SR_IMPORT_KEYS] = {
#define X(key, kind) {#key, kind},
    SR_IMPORT_CONTRACT_LIST(X)
#undef X
};

const char *sr_import_key_name(int key) {
    return keys[key].name;
}

static int find_key(const char *name, const char *path, struct sr_error *err) {
    const char *names[SR_IMPORT_KEYS + 1] = {NULL};
    for (int k = 0; k < SR_IMPORT_KEYS; k++) {
        if (strcmp(keys[k].name, name) == 0)
            return k;
        names[k] = keys[k].name;
    }
    const char *near = sr_nearest(name, names);
    return sr_fail(err, SR_USAGE, "%s: unknown key '%.100s'%s%s%s", path, name, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

/* The value as text into text [n]; false if it is neither text nor a number, or too long. */
static bool value_text(char *text, size_t n, const struct sr_json *value) {
    const char *string = sr_json_as_string(value);
    double number;
    if (string)
        return (size_t)snprintf(text, n, "%s", string) < n && *string;
    if (!sr_json_as_number(value, &number))
        return false;
    sr_decimal(text, number);
    return true;
}

static bool is_share(const char *text) {
    double value;
    return sr_decimal_parse(&value, text) && value >= 0 && value <= 1;
}

static int take(struct sr_import_contract *c, const char *name, const struct sr_json *value, const char *path,
                struct sr_error *err) {
    char text[1024];
    const int k = find_key(name, path, err);
    if (k < 0 || sr_json_is_null(value))
        return k < 0 ? k : 0;
    if (!value_text(text, sizeof text, value))
        return sr_fail(err, SR_USAGE, "%s: %s is neither text of at most %zu bytes nor a number", path, name,
                       sizeof text - 1);
    if (keys[k].kind == NORM && strcmp(text, "pre") != 0 && strcmp(text, "post") != 0 &&
        strcmp(text, "unit") != 0)
        return sr_fail(err, SR_USAGE,
                       "%s: %s is '%.60s'; it is pre or post (taken before or after the final norm) or unit "
                       "(of length 1)",
                       path, name, text);
    if (keys[k].kind == SHARE && !is_share(text))
        return sr_fail(err, SR_USAGE, "%s: %s is '%.60s', not a number from 0 to 1", path, name, text);
    c->value[k] = sr_strdup(text, err);
    return c->value[k] ? 0 : SR_NOMEM;
}

static int take_all(struct sr_import_contract *c, const struct sr_json *o, const char *path,
                    struct sr_error *err) {
    const struct sr_json *value;
    void *iter = NULL;
    int status = 0;
    if (!sr_json_is_object(o))
        return sr_fail(err, SR_USAGE, "%s: not a JSON object, {\"feature_model\": \"...\", ...}", path);
    for (const char *name; status == 0 && (name = sr_json_next(o, &iter, &value));)
        status = take(c, name, value, path, err);
    if (status == 0 && c->value[SR_IMPORT_KEY_threshold_rule] && !c->value[SR_IMPORT_KEY_threshold])
        status = sr_fail(err, SR_USAGE, "%s: threshold_rule without a threshold", path);
    return status;
}

int sr_import_contract_read(struct sr_import_contract *c, const char *path, struct sr_error *err) {
    struct sr_error why;
    struct sr_json *o = NULL;
    void *bytes = NULL;
    size_t size;
    *c = (struct sr_import_contract){0};
    int status = sr_file_read(&bytes, &size, path, FILE_BYTES, err);
    if (status == 0 && (status = sr_json_parse(&o, bytes, size, &why)) < 0)
        status = sr_fail(err, status == SR_DATA ? SR_USAGE : status, "%s: %.400s", path, why.text);
    if (status == 0)
        status = take_all(c, o, path, err);
    sr_json_free(o);
    sr_free(bytes);
    return status;
}

void sr_import_contract_free(struct sr_import_contract *c) {
    for (int k = 0; k < SR_IMPORT_KEYS; k++)
        sr_free(c->value[k]);
    *c = (struct sr_import_contract){0};
}
