/* printer.h: text into a buffer of the caller's, as snprintf cuts and counts it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PRINTER_H
#define SR_PRINTER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct sr_printer {
    char *text;    /* NULL where size is 0 */
    size_t size;   /* bytes of text, with the NUL */
    size_t length; /* bytes there would be with room for all, without the NUL */
};

static inline __attribute__((format(printf, 2, 3))) void sr_print(struct sr_printer *to, const char *format,
                                                                  ...) {
    const size_t at = to->length < to->size ? to->length : to->size;
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(to->text ? to->text + at : NULL, to->size - at, format, arguments);
    va_end(arguments);
    to->length += n > 0 ? (size_t)n : 0;
}

#endif
