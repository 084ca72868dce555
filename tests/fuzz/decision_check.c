/* decision_check.c: a logged line of a decision, as `explain` takes it (infer/cmd_explain_line.c). What is
 * accepted is the library's line of such a decision.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/cmd_explain_line.h"
#include "tests/fuzz/parsers.h"

static struct saferoute_decision decision_of(const struct sr_explain_line *l) {
    struct saferoute_decision d = {.key = l->key,
                                   .logit = l->logit,
                                   .prob = l->prob,
                                   .calibrated = l->calibrated,
                                   .threshold = l->threshold,
                                   .range = l->range,
                                   .range_limit = l->range_limit,
                                   .precision = (uint8_t)l->precision,
                                   .large = strcmp(l->decision, "large") == 0,
                                   .reason = SAFEROUTE_REASON_COUNT};
    for (size_t i = 0; i < sizeof d.artefact; i++) {
        const char digits[3] = {l->artefact[2 * i], l->artefact[2 * i + 1]};
        d.artefact[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    for (int i = 0; i < SAFEROUTE_REASON_COUNT; i++)
        if (strcmp(saferoute_reason_name(i), l->reason) == 0)
            d.reason = (uint8_t)i;
    d.range_mode = strcmp(l->range_mode, "off") == 0     ? SAFEROUTE_RANGE_OFF
                   : strcmp(l->range_mode, "count") == 0 ? SAFEROUTE_RANGE_COUNT
                                                         : SAFEROUTE_RANGE_ROUTE;
    return d;
}

static bool same(float a, float b) {
    return a == b || (a != a && b != b);
}

void fuzz_decision(const uint8_t *data, size_t size) {
    static char json[SAFEROUTE_JSON_SIZE * 4];
    struct sr_error err = {0};
    struct sr_explain_line l, again;
    if (!fuzz_accepted(sr_explain_line_parse(&l, (const char *)data, size, &err), &err))
        return;
    const struct saferoute_decision d = decision_of(&l);
    const size_t length = saferoute_decision_json(json, sizeof json, &d, l.id);
    FUZZ_CHECK(length < sizeof json && sr_explain_line_parse(&again, json, length, &err) == 0, "%s: %s",
               err.text, json);
    FUZZ_CHECK(strcmp(l.artefact, again.artefact) == 0 && strcmp(l.decision, again.decision) == 0 &&
                   strcmp(l.reason, again.reason) == 0 && strcmp(l.range_mode, again.range_mode) == 0 &&
                   l.precision == again.precision && l.key == again.key,
               "other words: %s", json);
    FUZZ_CHECK(same(l.logit, again.logit) && same(l.prob, again.prob) && same(l.range, again.range) &&
                   same(l.calibrated, again.calibrated) && same(l.threshold, again.threshold) &&
                   same(l.range_limit, again.range_limit),
               "other numbers: %s", json);
}
