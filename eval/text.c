/* text.c: pieces of a line; see text.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>

#include "eval/text.h"

#define UNDEFINED "undefined"

void sr_put_name(FILE *to, const char *name) {
    fprintf(to, "%-14s ", name);
}

/* NOLINTNEXTLINE(misc-no-recursion): once for three digits */
void sr_put_count(FILE *to, uint64_t n) {
    if (n >= 1000) {
        sr_put_count(to, n / 1000);
        fprintf(to, ",%03" PRIu64, n % 1000);
    } else
        fprintf(to, "%" PRIu64, n);
}

static size_t next(const char *text) {
    const size_t n = sr_utf8_printable(text);
    return n ? n : 1;
}

static int characters(const char *text) {
    int n = 0;
    for (; *text; text += next(text))
        n++;
    return n;
}

void sr_put_text(FILE *to, const char *text, int width) {
    const int pad = width - characters(text);
    for (size_t n; *text; text += n) {
        n = next(text);
        fwrite(sr_utf8_printable(text) ? text : "?", 1, n, to);
    }
    fprintf(to, "%*s", pad > 0 ? pad : 0, "");
}

int sr_text_wider(int width, const char *text) {
    const int n = characters(text);
    return n <= width ? width : n < SR_TEXT_WIDE ? n : SR_TEXT_WIDE;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
void sr_put(FILE *to, const char *format, double value, double scale) {
    if (isnan(value))
        fputs(UNDEFINED, to);
    else
        fprintf(to, format, scale * value);
}

static size_t text_number(char *text, size_t size, const char *format, double value) {
    const int n = isnan(value) ? snprintf(text, size, UNDEFINED) : snprintf(text, size, format, value);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
#pragma GCC diagnostic pop

void sr_put_interval(FILE *to, const char *format, struct sr_interval i, double scale) {
    fputc('[', to);
    sr_put(to, format, i.low, scale);
    if (!isnan(i.low)) {
        fputs(", ", to);
        sr_put(to, format, i.high, scale);
    }
    fputc(']', to);
}

const char *sr_text_figure(char text[SR_TEXT], const char *format, double value, struct sr_interval i,
                           double scale) {
    size_t n = text_number(text, SR_TEXT, format, scale * value);
    if (isnan(i.low))
        return text;
    n += (size_t)snprintf(text + n, SR_TEXT - n, " [");
    n += text_number(text + n, SR_TEXT - n, format, scale * i.low);
    n += (size_t)snprintf(text + n, SR_TEXT - n, ", ");
    n += text_number(text + n, SR_TEXT - n, format, scale * i.high);
    snprintf(text + n, SR_TEXT - n, "]");
    return text;
}
