/* utf8.c: which bytes are a character, and which of those print; see utf8.h.
 *
 * The ranges are those of RFC 3629, section 4.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <string.h>

#include "nn/base/utf8.h"

size_t sr_utf8_length(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    const size_t n = s[0] < 0x80   ? 1
                     : s[0] < 0xc2 ? 0
                     : s[0] < 0xe0 ? 2
                     : s[0] < 0xf0 ? 3
                     : s[0] < 0xf5 ? 4
                                   : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] >= 0x90))
        return 0;
    return n;
}

/* U+202A to U+202E and U+2066 to U+2069 turn round what stands beside them. */
static bool is_bidi(const unsigned char *s) {
    return s[0] == 0xe2 &&
           ((s[1] == 0x80 && s[2] >= 0xaa && s[2] <= 0xae) || (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9));
}

size_t sr_utf8_printable(const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    const bool is_control = s[0] < ' ' || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
    return is_control || is_bidi(s) ? 0 : sr_utf8_length(text);
}

const char *sr_utf8_clean(char *to, size_t size, const char *text) {
    size_t used = 0;
    while (*text) {
        const size_t n = sr_utf8_printable(text), bytes = n ? n : 1;
        if (used + bytes >= size)
            break;
        memmove(to + used, n ? text : "?", bytes); /* to may be text */
        used += bytes;
        text += bytes;
    }
    to[used] = '\0';
    return to;
}
