/* test_base_number.c: decimals read as the nearest double, as strtod of the C locale reads them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/number.h"
#include "nn/base/base.h"

static void same_as_strtod(const char *text) {
    double value = 0;
    char *end;
    const double wanted = strtod(text, &end);
    const char *behind = sr_number_parse(&value, text);
    cr_expect_eq(behind, end, "\"%s\": %zd bytes, not %zd", text, behind ? behind - text : -1, end - text);
    cr_expect(memcmp(&value, &wanted, sizeof value) == 0, "\"%s\" is %a, not %a", text, value, wanted);
}

Test(number, reads_as_strtod_does) {
    const char *const texts[] = {
        "0",
        "0.00000000000000000000000000",
        "-0e-30",
        "0e999",
        "-0",
        "1",
        "+1.5",
        "-.5",
        "5.",
        "1e3",
        "1E-3",
        "1e+22",
        "1e22",
        "1e23",
        "-1e-22",
        "1e-23",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993e0",
        "0.1",
        "0.30000000000000004",
        "123456789012345678",
        "1234567890123456789",
        "12345678901234567890",
        "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000000000000000000000000000000012345678901234567890123",
        "000000000000000000000000000000000000000001.5",
        "1.50000000000000000000000000000000000000000000",
        "1e308",
        "1e309",
        "-1e400",
        "1e-400",
        "4.9e-324",
        "2.4703282292062328e-324",
        "1e999999999999999999",
        "1e-999999999999999999",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "8.98846567431158e307",
        "9007199254740991e22",
        "9007199254740992e-22",
        "1e",
        "1e+",
        "1ex",
        "1.5.5",
        "3,5",
        "7 ",
        "12abc",
    };
    for (size_t i = 0; i < SR_COUNT(texts); i++)
        same_as_strtod(texts[i]);
}

/* Halfway between two doubles, and a last digit to either side; one of 19 digits. */
Test(number, ties_go_to_even) {
    const char *const texts[] = {"4503599627370496.5",
                                 "4503599627370497.5",
                                 "4503599627370496.501",
                                 "4503599627370496.499",
                                 "4503599627370497.499",
                                 "9007199254740993.0",
                                 "9007199254740993.001",
                                 "0.12345678901234567",
                                 "1234567890.123456789",
                                 "9.223372036854775807",
                                 "0.000000009999999999999999999",
                                 "9999999999999999999e-27",
                                 "18014398509481984.01"};
    for (size_t i = 0; i < SR_COUNT(texts); i++)
        same_as_strtod(texts[i]);
}

/* All ways of reading meet among numbers like those of features: every count of digits, many exponents. */
Test(number, reads_many_as_strtod_does) {
    char text[64];
    for (uint64_t i = 0; i < 100000; i++) {
        const double x = sr_random_normal(1, 2, i) * pow(10, (double)(i % 80) - 40);
        snprintf(text, sizeof text, "%.*e", (int)(i % 19), x);
        same_as_strtod(text);
        snprintf(text, sizeof text, "%.*g", (int)(i % 19) + 1, x);
        same_as_strtod(text);
    }
}

/* Over 10^27 the quotient of integers has 12 bits more than a double, so every 4096th looks like a tie, and
 * what the division leaves over decides. */
Test(number, what_a_division_leaves_over_counts) {
    char text[64];
    for (uint64_t i = 0; i < 100000; i++) {
        snprintf(text, sizeof text, "%llue-27",
                 (unsigned long long)(1000000000000000000 + sr_random_below(3, 4, i, 8000000000000000000)));
        same_as_strtod(text);
    }
}

Test(number, words) {
    double value;
    cr_expect_str_empty(sr_number_parse(&value, "nan"));
    cr_expect(isnan(value));
    cr_expect_str_empty(sr_number_parse(&value, "NaN"));
    cr_expect(isnan(value));
    cr_expect_str_empty(sr_number_parse(&value, "-Infinity"));
    cr_expect_eq(value, (double)-INFINITY);
    cr_expect_str_eq(sr_number_parse(&value, "infx"), "x");
    cr_expect_eq(value, (double)INFINITY);
}

Test(number, no_numbers) {
    const char *const texts[] = {"", "-", "+", ".", "-.", "e5", ".e5", " 1", "x", "--1", "na", "true"};
    double value;
    for (size_t i = 0; i < SR_COUNT(texts); i++)
        cr_expect_null(sr_number_parse(&value, texts[i]), "%s", texts[i]);
    cr_expect_str_eq(sr_number_parse(&value, "0x10"), "x10"); /* no hexadecimal */
}

Test(number, a_whole_text_is_a_number_or_none) {
    const char *const texts[] = {"", " 1", "1 ", "1x", "0x10", "1,5", "nanx"};
    double value;
    cr_expect(sr_decimal_parse(&value, "-1.5e3") && value == -1500);
    cr_expect(sr_decimal_parse(&value, "inf") && isinf(value));
    for (size_t i = 0; i < SR_COUNT(texts); i++)
        cr_expect_not(sr_decimal_parse(&value, texts[i]), "%s", texts[i]);
}
