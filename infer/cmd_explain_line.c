/* cmd_explain_line.c: see cmd_explain_line.h. The line comes out of a log: what it says is printed, so words
 * that the library does not write are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "infer/cmd_explain_line.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int take_text(char *to, size_t size, const struct sr_json *line, const char *key,
                     struct sr_error *err) {
    const char *text = sr_json_as_string(sr_json_get(line, key));
    if (!text)
        return sr_fail(err, SR_DATA, "--decision: no text \"%s\": not a line of saferoute_decision_json",
                       key);
    if ((size_t)snprintf(to, size, "%s", text) >= size)
        return sr_fail(err, SR_DATA, "--decision: \"%s\" is longer than any that the library writes", key);
    return 0;
}

static int take_digits(char *to, size_t digits, const struct sr_json *line, const char *key,
                       struct sr_error *err) {
    const int status = take_text(to, digits + 1, line, key, err);
    if (status == 0 && (strlen(to) != digits || strspn(to, "0123456789abcdef") != digits))
        return sr_fail(err, SR_DATA, "--decision: \"%s\" is not %zu hexadecimal digits", key, digits);
    return status;
}

/* One of the words, which end in NULL. */
static int take_word(char *to, size_t size, const struct sr_json *line, const char *key,
                     const char *const *words, struct sr_error *err) {
    const int status = take_text(to, size, line, key, err);
    if (status < 0)
        return status;
    for (; *words; words++)
        if (strcmp(to, *words) == 0)
            return 0;
    return sr_fail(err, SR_DATA, "--decision: %s \"%s\" is none that the library writes", key, to);
}

static int take_number(float *to, const struct sr_json *line, const char *key, struct sr_error *err) {
    const struct sr_json *value = sr_json_get(line, key);
    double number = (double)NAN;
    if (!sr_json_is_null(value) && !sr_json_as_number(value, &number))
        return sr_fail(err, SR_DATA, "--decision: \"%s\" is missing or no number", key);
    *to = sr_json_is_null(value) ? NAN : (float)number;
    if (isinf(*to))
        return sr_fail(err, SR_DATA, "--decision: \"%s\" is greater than any float32", key);
    return 0;
}

static int take_precision(int *to, const struct sr_json *line, struct sr_error *err) {
    char name[32];
    const int status = take_text(name, sizeof name, line, "precision", err);
    if (status < 0)
        return status;
    for (*to = SAFEROUTE_COMPUTE_FLOAT32; *to <= SAFEROUTE_COMPUTE_INT8; ++*to)
        if (strcmp(sr_precision_name(*to), name) == 0)
            return 0;
    return sr_fail(err, SR_DATA, "--decision: precision \"%s\" is none: no router decided this", name);
}

static int take_numbers(struct sr_explain_line *l, const struct sr_json *line, struct sr_error *err) {
    const struct {
        const char *key;
        float *to;
    } numbers[] = {{"logit", &l->logit},         {"prob", &l->prob},   {"calibrated", &l->calibrated},
                   {"threshold", &l->threshold}, {"range", &l->range}, {"range_limit", &l->range_limit}};
    int status = 0;
    for (size_t i = 0; i < SR_COUNT(numbers) && status == 0; i++)
        status = take_number(numbers[i].to, line, numbers[i].key, err);
    return status;
}

static int take_words(struct sr_explain_line *l, const struct sr_json *line, struct sr_error *err) {
    static const char *const decisions[] = {"small", "large", NULL}, *const modes[] = {"route", "count",
                                                                                       "off", NULL};
#define X(name, text) #name,
    static const char *const reasons[] = {SAFEROUTE_REASON_LIST(X) NULL};
#undef X
    char key[17];
    int status;
    if ((status = take_digits(l->artefact, 64, line, "artefact", err)) < 0 ||
        (status = take_digits(key, 16, line, "key", err)) < 0 ||
        (status = take_word(l->decision, sizeof l->decision, line, "decision", decisions, err)) < 0 ||
        (status = take_word(l->reason, sizeof l->reason, line, "reason", reasons, err)) < 0 ||
        (status = take_word(l->range_mode, sizeof l->range_mode, line, "range_mode", modes, err)) < 0)
        return status;
    const char *id = sr_json_as_string(sr_json_get(line, "id"));
    l->key = strtoull(key, NULL, 16);
    snprintf(l->id, sizeof l->id, "%s", id ? id : "");
    return 0;
}

/* Whether there is something to make again. */
static int check_reason(const struct sr_explain_line *l, struct sr_error *err) {
    if (strcmp(l->reason, saferoute_reason_name(SAFEROUTE_REASON_NO_FEATURES)) == 0)
        return sr_fail(err, SR_DATA,
                       "--decision: reason NO_FEATURES: none were given, so the row went to the "
                       "large guard; there is nothing to make again");
    if (strcmp(l->reason, saferoute_reason_name(SAFEROUTE_REASON_NO_ROUTER)) == 0)
        return sr_fail(err, SR_DATA,
                       "--decision: reason NO_ROUTER: no router was open, so the row went to the "
                       "large guard; there is nothing to make again");
    return 0;
}

int sr_explain_line_parse(struct sr_explain_line *l, const char *text, size_t size, struct sr_error *err) {
    struct sr_json *line;
    int status = sr_json_parse(&line, text, size, err);
    if (status < 0)
        return status;
    if ((status = take_words(l, line, err)) == 0 && (status = check_reason(l, err)) == 0 &&
        (status = take_numbers(l, line, err)) == 0)
        status = take_precision(&l->precision, line, err);
    sr_json_free(line);
    return status;
}
