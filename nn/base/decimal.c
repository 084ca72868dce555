/* decimal.c: the shortest text of a number; see decimal.h.
 *
 * Up to 15 digits (6 for a float) come through a number unchanged, so what needs no more is found among them
 * once the zeros at its end are gone; 17 (9) always suffice. Subnormal numbers hold less, and are tried from
 * one digit on. Exponents from -4 to 15 are spelt out: 100, not 1e+02.
 *
 * Of each count of digits only the nearest decimal is tried. Below a power of two numbers lie twice as close
 * as above, so for 46 of these the nearest with 16 digits reads back as another number and one further up
 * would not: they get 17.
 *
 * Numbers have a point in files whatever the locale of the process, which may be another program's: this
 * thread's is the C locale meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/decimal.h"
#include "nn/base/number.h"

/* To the C locale; returns what to give to uselocale afterwards. The C locale is a static object of the C
 * library, which needs no freeing. */
static locale_t enter_c(void) {
    return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

/* value to that many digits; text holds it as d.ddde+xx already. */
static void spell(char text[SR_DECIMAL_TEXT], double value, int digits) {
    const char *e = strchr(text, 'e');
    const int exponent = e ? (int)strtol(e + 1, NULL, 10) : 99;
    const int decimals = digits - 1 > exponent ? digits - 1 - exponent : 0;
    if (isnan(value)) /* 0/0 is "-nan" to printf on x86 */
        snprintf(text, SR_DECIMAL_TEXT, "nan");
    else if (exponent >= -4 && exponent < 16)
        snprintf(text, SR_DECIMAL_TEXT, "%.*f", decimals, value);
    else
        snprintf(text, SR_DECIMAL_TEXT, "%.*g", digits, value);
}

/* Of the d.ddde+xx in text: how many digits are left without the zeros at its end; at least one. */
static int count_digits(const char *text) {
    const char *first = *text == '-' ? text + 1 : text, *last = strchr(text, 'e');
    int digits = 1;
    for (const char *p = first + 2; last && p < last; p++)
        digits = *p != '0' ? (int)(p - first) : digits;
    return digits;
}

const char *sr_decimal(char text[SR_DECIMAL_TEXT], double value) {
    const locale_t before = enter_c();
    int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    do
        snprintf(text, SR_DECIMAL_TEXT, "%.*e", digits - 1, value);
    while (strtod(text, NULL) != value && digits++ < DBL_DECIMAL_DIG);
    spell(text, value, count_digits(text));
    uselocale(before);
    return text;
}

const char *sr_decimal_float(char text[SR_DECIMAL_TEXT], float value) {
    const locale_t before = enter_c();
    int digits = fabsf(value) < FLT_MIN ? 1 : FLT_DIG;
    do
        snprintf(text, SR_DECIMAL_TEXT, "%.*e", digits - 1, (double)value);
    while (strtof(text, NULL) != value && digits++ < FLT_DECIMAL_DIG);
    spell(text, (double)value, count_digits(text));
    uselocale(before);
    return text;
}

double sr_decimal_number(float value) {
    char text[SR_DECIMAL_TEXT];
    double number = (double)NAN;
    sr_decimal_parse(&number, sr_decimal_float(text, value));
    return number;
}

bool sr_decimal_parse(double *value, const char *text) {
    const char *end = sr_number_parse(value, text);
    return end && *end == '\0';
}
