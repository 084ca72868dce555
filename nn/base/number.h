/* number.h: numbers from text, whatever the locale.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NUMBER_H
#define SR_NUMBER_H

/* The double nearest to the decimal at text (digits, a point, an exponent, a sign; also nan, inf and infinity
 * in any case, but no hexadecimal), into *value. Returns what is behind it, or NULL if no number begins
 * there. text ends in NUL. Any thread. */
const char *sr_number_parse(double *value, const char *text);

#endif
