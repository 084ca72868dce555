/* number.c: decimals to doubles, quickly where that is exact; see number.h.
 *
 * A decimal of at most 2^53 times or divided by a power of ten up to 10^22 is one multiplication or division
 * of two exact doubles, which rounds once, so it is the nearest double (W. D. Clinger, How to Read Floating
 * Point Numbers Accurately, 1990). A float as Python prints it has 17 digits, too many for that: up to 19
 * digits over a power of ten up to 10^27 are divided as integers of 128 bits, of which the quotient and
 * whether anything was left over say all that rounding needs. The rest goes to strtod, in the C locale:
 * elsewhere its decimal point may be a comma.
 *
 * SPDX-License-Identifier: MIT
 */
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nn/base/number.h"

#define EXACT_POWER    22                  /* 10^22 is a double */
#define EXACT_MANTISSA ((uint64_t)1 << 53) /* integers up to it are doubles */
#define LONG_POWER     27                  /* 5^27 fits into 64 bits */
#define DIGITS         19                  /* fit into 64 bits */
#define EXPONENT_MOST  100000              /* far beyond any double: digits behind it are only counted */

static const double power[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* text holds a decimal, as scan has seen, so strtod reads as far. The C locale is a static object of the C
 * library, which needs no freeing. */
static double slow(const char *text) {
    return strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

/* mantissa / 10^power, 0 < power <= LONG_POWER, rounded once. Of 10^power = 5^power 2^power only the first
 * factor is divided by; the dividend has its highest bit set, so that the quotient has more than 64 bits. */
static double divide(uint64_t mantissa, int by) {
    uint64_t five = 1;
    for (int i = 0; i < by; i++)
        five *= 5;
    const int up = __builtin_clzll(mantissa);
    const unsigned __int128 dividend = (unsigned __int128)(mantissa << up) << 64;
    const unsigned __int128 quotient = dividend / five;
    const int down = 64 - __builtin_clzll((uint64_t)(quotient >> 64));
    const bool rest = quotient * five != dividend; /* else the quotient, too, ends in 64 zero bits */
    const uint64_t top = (uint64_t)(quotient >> down) | rest; /* 64 bits, the last of them for all below */
    uint64_t bits = top >> 11;                                /* 53 bits */
    const uint64_t below = top & 0x7ff;
    bits += below > 0x400 || (below == 0x400 && (bits & 1));
    return ldexp((double)bits, 11 + down - 64 - up - by);
}

struct decimal {
    uint64_t mantissa; /* the first DIGITS digits */
    int exponent;      /* of ten */
    int digits;        /* significant ones, however many */
    bool any;          /* a digit was there, if only zeros */
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const char *scan_digits(struct decimal *d, const char *p, bool behind_point) {
    for (; is_digit(*p); p++) {
        d->any = true;
        if (d->digits < DIGITS) {
            d->mantissa = 10 * d->mantissa + (uint64_t)(*p - '0');
            d->digits += d->mantissa > 0;
            d->exponent -= behind_point;
        } else {
            d->digits += d->digits < EXPONENT_MOST;
            d->exponent += !behind_point;
        }
    }
    return p;
}

/* An "e" without digits behind it is no exponent. */
static const char *scan_exponent(struct decimal *d, const char *p) {
    const char *q = p + 1;
    if (*p != 'e' && *p != 'E')
        return p;
    const bool negative = *q == '-';
    q += *q == '-' || *q == '+';
    if (!is_digit(*q))
        return p;
    int exponent = 0;
    for (; is_digit(*q); q++)
        exponent = exponent < EXPONENT_MOST ? 10 * exponent + (*q - '0') : exponent;
    d->exponent += negative ? -exponent : exponent;
    return q;
}

static const char *scan(struct decimal *d, const char *p) {
    p = scan_digits(d, p, false);
    if (*p == '.')
        p = scan_digits(d, p + 1, true);
    return d->any ? scan_exponent(d, p) : NULL;
}

static const char *parse_word(double *value, const char *p) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", (double)NAN}, {"infinity", (double)INFINITY}, {"inf", (double)INFINITY}};
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(words[i].word);
        if (strncasecmp(p, words[i].word, n) == 0) {
            *value = words[i].value;
            return p + n;
        }
    }
    return NULL;
}

const char *sr_number_parse(double *value, const char *text) {
    struct decimal d = {0};
    const bool negative = *text == '-';
    const char *first = text + (*text == '-' || *text == '+'), *end = scan(&d, first);
    if (!end)
        end = parse_word(value, first);
    else if (d.mantissa == 0)
        *value = 0;
    else if (d.digits <= DIGITS && d.mantissa <= EXACT_MANTISSA && abs(d.exponent) <= EXACT_POWER)
        *value =
            d.exponent < 0 ? (double)d.mantissa / power[-d.exponent] : (double)d.mantissa * power[d.exponent];
    else if (d.digits <= DIGITS && d.exponent < 0 && d.exponent >= -LONG_POWER)
        *value = divide(d.mantissa, -d.exponent);
    else
        *value = slow(first);
    if (end && negative)
        *value = -*value;
    return end;
}
