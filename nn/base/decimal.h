/* decimal.h: numbers as text for people and for files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DECIMAL_H
#define SR_DECIMAL_H

#include <stdbool.h>

#define SR_DECIMAL_TEXT 32

/* The shortest decimal that reads back as the same double (a digit more for some powers of two): .1 is "0.1",
 * not "0.10000000000000001"; whole numbers below 1e16 are spelt out; "nan", "inf" and "-inf" for what is not
 * finite. Returns text. */
const char *sr_decimal(char text[SR_DECIMAL_TEXT], double value);

/* The same for a float: 0.6f is "0.6". */
const char *sr_decimal_float(char text[SR_DECIMAL_TEXT], float value);

/* The double that the shortest decimal of a float reads as: of 0.6f it is 0.6, as JSON should have it. */
double sr_decimal_number(float value);

/* The number that the whole text is, as sr_number_parse reads it; "nan" and "inf" are numbers, " 1" and "0x1"
 * are none. False, with *value undefined, where it is none. */
bool sr_decimal_parse(double *value, const char *text);

#endif
