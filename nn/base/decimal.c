/* decimal.c: the shortest text of a number; see decimal.h.
 *
 * Tries 1 to 17 digits (9 for a float), as that many always suffice. Exponents from -4 to 15 are spelt out:
 * 100, not 1e+02.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/decimal.h"

/* value to that many digits; text holds it as d.ddde+xx already. */
static const char *spell(char text[SR_DECIMAL_TEXT], double value, int digits) {
    const char *e = strchr(text, 'e');
    const int exponent = e ? atoi(e + 1) : 99;
    const int decimals = digits - 1 > exponent ? digits - 1 - exponent : 0;
    if (exponent >= -4 && exponent < 16)
        snprintf(text, SR_DECIMAL_TEXT, "%.*f", decimals, value);
    else
        snprintf(text, SR_DECIMAL_TEXT, "%.*g", digits, value);
    return text;
}

const char *sr_decimal(char text[SR_DECIMAL_TEXT], double value) {
    int digits = 0;
    do
        snprintf(text, SR_DECIMAL_TEXT, "%.*e", digits++, value);
    while (strtod(text, NULL) != value && digits < 17);
    return spell(text, value, digits);
}

const char *sr_decimal_float(char text[SR_DECIMAL_TEXT], float value) {
    int digits = 0;
    do
        snprintf(text, SR_DECIMAL_TEXT, "%.*e", digits++, (double)value);
    while (strtof(text, NULL) != value && digits < 9);
    return spell(text, (double)value, digits);
}
