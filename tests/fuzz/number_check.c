/* number_check.c: decimals (nn/base/number.c, decimal.c), held against the C library's strtod: what is a
 * number here is one there, and the same to the last bit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "nn/base/number.h"
#include "tests/fuzz/parsers.h"

static bool same(double a, double b) {
    /* the same bits. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-*) */
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

/* A number for strtod but none here: in hexadecimal, behind spaces, nan(...). */
static bool is_other(const char *text) {
    return isspace((unsigned char)*text) || strpbrk(text, "xX(");
}

static void check_shortest(double x) {
    char text[SR_DECIMAL_TEXT];
    double again;
    FUZZ_CHECK(sr_decimal_parse(&again, sr_decimal(text, x)) && same(x, again), "%.17g is printed as %s", x,
               text);
    const float f = (float)x;
    FUZZ_CHECK(sr_decimal_parse(&again, sr_decimal_float(text, f)) && same((double)(float)again, (double)f),
               "the float %.9g is printed as %s", (double)f, text);
    FUZZ_CHECK(isnan(f) || (float)sr_decimal_number(f) == f, "%.9g", (double)f);
}

void fuzz_number(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size), *end;
    double x = 0, whole;
    const char *behind = sr_number_parse(&x, text);
    const double y = strtod(text, &end);
    FUZZ_CHECK(!behind || (behind > text && behind <= text + strlen(text)), "read past the end of %s", text);
    if (behind && !is_other(text))
        FUZZ_CHECK(behind == end && same(x, y), "'%s' is %.17g up to byte %zu, by strtod %.17g up to %zu",
                   text, x, (size_t)(behind - text), y, (size_t)(end - text));
    if (!behind)
        FUZZ_CHECK(end == text || is_other(text), "'%s' is a number for strtod", text);
    const bool taken = sr_decimal_parse(&whole, text);
    FUZZ_CHECK(taken == (behind && !*behind), "'%s' is taken whole: %d", text, taken);
    fuzz_outcome = (struct fuzz_outcome){.status = taken ? SR_OK : SR_DATA};
    if (behind)
        check_shortest(x);
    if (size >= sizeof x) {
        memcpy(&x, data, sizeof x);
        check_shortest(x);
    }
    sr_free(text);
}
