/* test_data_spelling.c: ids of fixed length as text: their padding cut off, in hexadecimal where they do not
 * print.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "data/h5.h"

enum { NULL_TERMINATED, NULL_PADDED, SPACE_PADDED }; /* H5T_str_t */

static void expect_text(const char *item, size_t bytes, bool opaque, int pad, const char *wanted) {
    const struct sr_h5_spelling how = {.bytes = bytes, .opaque = opaque, .pad = pad};
    char text[64];
    sr_h5_spell(text, &how, item);
    cr_expect_str_eq(text, wanted, "%s, not %s", text, wanted);
}

Test(spelling, of_each_padding) {
    expect_text("ab\0cd", 5, false, NULL_TERMINATED, "ab");
    expect_text("abcde", 5, false, NULL_TERMINATED, "abcde");
    expect_text("ab\0\0\0", 5, false, NULL_PADDED, "ab");
    expect_text("ab\0c\0", 5, false, NULL_PADDED, "6162006300"); /* a NUL inside does not print */
    expect_text("ab   ", 5, false, SPACE_PADDED, "ab");
    expect_text(" ab\0 ", 5, false, SPACE_PADDED, "2061620020");
    expect_text("\0\0\0", 3, false, NULL_PADDED, "");
    expect_text("   ", 3, false, SPACE_PADDED, "");
    expect_text("ab\0", 3, true, NULL_PADDED, "616200"); /* opaque bytes are no text */
}

Test(spelling, what_does_not_print_is_hexadecimal) {
    static const struct {
        const char *item, *wanted;
    } bad[] = {{"a\x1f", "611f"},
               {"a\x7f", "617f"},
               {"a\x80", "6180"}, /* goes on with nothing begun */
               {"\xc1\x81", "c181"},
               {"a\xc2", "61c2"}, /* begins, and ends too early */
               {"\xc2"
                "a",
                "c261"},
               {"\xe2\x82", "e282"},
               {"\xe2\x82"
                "a",
                "e28261"},
               {"\xe2"
                "a\x82",
                "e26182"},
               {"\xf0\x9f\x98", "f09f98"},
               {"\xf5\x80\x80\x80", "f5808080"}};
    static const char *const good[] = {"a", "~", "\xc2\xa9", "\xdf\xbf", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < SR_COUNT(bad); i++)
        expect_text(bad[i].item, strlen(bad[i].item), false, NULL_PADDED, bad[i].wanted);
    expect_text("a\xc2\xa9", 2, false, NULL_PADDED, "61c2"); /* goes on in the next item */
    for (size_t i = 0; i < SR_COUNT(good); i++)
        expect_text(good[i], strlen(good[i]), false, NULL_PADDED, good[i]);
}
