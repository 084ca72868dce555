/* utf8_check.c: text of strangers made fit to show (nn/base/utf8.c), and as JSON of decisions (infer).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/saferoute.h"
#include "tests/fuzz/parsers.h"

/* Whether all of it prints, which cleaning again must leave as it is. */
static bool prints(const char *text) {
    for (size_t n; *text; text += n)
        if ((n = sr_utf8_printable(text)) == 0)
            return false;
    return true;
}

static void check_lengths(const char *text) {
    for (const char *p = text; *p; p++) {
        const size_t n = sr_utf8_length(p), shown = sr_utf8_printable(p);
        FUZZ_CHECK(n <= 4 && (shown == 0 || shown == n) && n <= strlen(p), "a character of %zu bytes", n);
    }
}

/* What a terminal obeys, whatever utf8.c thinks of it: ESC, a line's end, CSI, and two that turn text round.
 */
static void check_harmless(const char *text) {
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): they are what is looked for */
    static const char *const never[] = {"\x1b", "\n", "\x7f", "\xc2\x9b", "\xe2\x80\xae", "\xe2\x81\xa6"};
    for (size_t i = 0; i < SR_COUNT(never); i++)
        FUZZ_CHECK(!strstr(text, never[i]), "'%s' does not print", text);
}

void fuzz_utf8(const uint8_t *data, size_t size) {
    static char clean[64], again[64], all[4096], json[SAFEROUTE_JSON_SIZE * 8];
    char *text = fuzz_text(data, size < 2000 ? size : 2000);
    const struct saferoute_decision d = {.prob = .5f};
    check_lengths(text);
    sr_utf8_clean(clean, sizeof clean, text);
    sr_utf8_clean(all, sizeof all, text);
    check_harmless(all);
    FUZZ_CHECK(prints(clean) && prints(all), "'%s' does not print", all);
    FUZZ_CHECK(strlen(all) == strlen(text) && (!prints(text) || strcmp(all, text) == 0), "'%s' is '%s'", text,
               all);
    FUZZ_CHECK(strncmp(all, clean, strlen(clean)) == 0, "cut to '%s'", clean);
    FUZZ_CHECK(strcmp(sr_utf8_clean(again, sizeof again, clean), clean) == 0, "cleaned again '%s'", again);
    const size_t needed = saferoute_decision_json(json, sizeof json, &d, text);
    struct sr_json *v = NULL;
    FUZZ_CHECK(needed < sizeof json && sr_json_parse(&v, json, needed, NULL) == 0, "no JSON: %s", json);
    fuzz_check_printable(json, "a decision's line");
    sr_json_free(v);
    sr_free(text);
}
