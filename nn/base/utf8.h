/* utf8.h: text from files of strangers, made fit to show.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_UTF8_H
#define SR_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 character at s, 0 if it is none: overlong forms, surrogates and values past U+10FFFF. */
size_t sr_utf8_length(const char *s);

/* The same, and 0 for control characters (C0, DEL, C1) and those of writing direction, which a terminal would
 * obey. */
size_t sr_utf8_printable(const char *s);

/* text into to [size], which may be text, with '?' for each byte of what does not print; cut between
 * characters. Returns to. */
const char *sr_utf8_clean(char *to, size_t size, const char *text);

#endif
