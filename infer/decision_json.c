/* decision_json.c: a decision as one line of JSON, for the log; nothing is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "infer/printer.h"
#include "infer/router.h"

/* NaN and infinities, which JSON has not, are null. */
static void print_number(struct sr_printer *to, const char *key, float value) {
    char text[SR_DECIMAL_TEXT];
    sr_print(to, ",\"%s\":%s", key, isfinite(value) ? sr_decimal_float(text, value) : "null");
}

/* UTF-8 as it is, but for control characters; what is no UTF-8 becomes '?'. */
static void print_string(struct sr_printer *to, const char *text) {
    sr_print(to, "\"");
    for (size_t n; *text; text += n) {
        n = sr_utf8_length(text);
        if (*text == '"' || *text == '\\')
            sr_print(to, "\\%c", *text);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            sr_print(to, "\\u%04x", (unsigned char)*text);
        else
            sr_print(to, "%.*s", n > 0 ? (int)n : 1, n > 0 ? text : "?");
        n = n > 0 ? n : 1;
    }
    sr_print(to, "\"");
}

static const char *range_mode(int mode) {
    return mode == SAFEROUTE_RANGE_ROUTE ? "route" : mode == SAFEROUTE_RANGE_COUNT ? "count" : "off";
}

size_t saferoute_decision_json(char *out, size_t size, const struct saferoute_decision *d, const char *id) {
    struct sr_printer to = {.text = out, .size = size};
    sr_print(&to, "{\"schema_version\":1,\"id\":");
    if (id)
        print_string(&to, id);
    else
        sr_print(&to, "null");
    sr_print(&to, ",\"key\":\"%016" PRIx64 "\",\"artefact\":\"", d->key);
    for (size_t i = 0; i < sizeof d->artefact; i++)
        sr_print(&to, "%02x", d->artefact[i]);
    sr_print(&to, "\",\"precision\":\"%s\",\"decision\":\"%s\",\"reason\":\"%s\"",
             sr_precision_name(d->precision), d->large ? "large" : "small", saferoute_reason_name(d->reason));
    print_number(&to, "logit", d->logit);
    print_number(&to, "prob", d->prob);
    print_number(&to, "calibrated", d->calibrated);
    print_number(&to, "threshold", d->threshold);
    print_number(&to, "range", d->range);
    print_number(&to, "range_limit", d->range_limit);
    sr_print(&to, ",\"range_mode\":\"%s\"", range_mode(d->range_mode));
    sr_print(&to, "}");
    return to.length;
}
