/* gate_check.c: the conditions of `eval --gate` (eval/gate.c): the input's first line, held against the rest
 * as the evaluation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "eval/gate.h"
#include "tests/fuzz/parsers.h"

void fuzz_gate(const uint8_t *data, size_t size) {
    static struct sr_gate_line line[SR_GATE_MAX];
    struct sr_error err = {0}, alone = {0};
    struct sr_json *evaluation = NULL;
    char *text = fuzz_text(data, size), *rest = strchr(text, '\n');
    if (rest)
        *rest++ = '\0';
    const int read = sr_gate_check(NULL, NULL, text, NULL, &alone);
    fuzz_accepted(read, &alone);
    if (rest && sr_json_parse(&evaluation, rest, strlen(rest), NULL) == 0) {
        size_t n = 0;
        const int status = sr_gate_check(line, &n, text, evaluation, &err);
        FUZZ_CHECK(n <= SR_GATE_MAX && (status != SR_USAGE || n == 0), "%zu lines, status %d", n, status);
        FUZZ_CHECK(read == SR_OK || status == SR_USAGE, "no conditions, and yet %d", status);
        bool all = true;
        for (size_t i = 0; i < n; i++) {
            fuzz_check_printable(line[i].text, "a condition's line");
            FUZZ_CHECK(!strchr(line[i].text, '\n'), "a condition of more than a line: %s", line[i].text);
            all = all && line[i].holds;
        }
        FUZZ_CHECK(status == SR_USAGE || status == SR_NOMEM || all == (status == SR_OK), "status %d", status);
        fuzz_accepted(status, &err);
        sr_json_free(evaluation);
    }
    sr_free(text);
}
