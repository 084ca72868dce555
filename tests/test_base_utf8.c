/* test_base_utf8.c: what is a character, what prints, and text cut between characters.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "nn/base/base.h"

/* The first and last of each length, and their neighbours that are none. */
Test(utf8, characters_end_where_the_standard_says) {
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"a", 1},
                 {"\x7f", 1},
                 {"\x80", 0},
                 {"\xc1\xbf", 0},
                 {"\xc2\x80", 2},
                 {"\xdf\xbf", 2},
                 {"\xe0\x9f\xbf", 0},
                 {"\xe0\xa0\x80", 3},
                 {"\xc3", 0},
                 {"\xed\x9f\xbf", 3},
                 {"\xed\xa0\x80", 0},
                 {"\xee\x80\x80", 3},
                 {"\xe2\x82", 0},
                 {"\xef\xbf\xbf", 3},
                 {"\xf0\x8f\xbf\xbf", 0},
                 {"\xf0\x90\x80\x80", 4},
                 {"\xff", 0},
                 {"\xf4\x8f\xbf\xbf", 4},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xf5\x80\x80\x80", 0}};
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        cr_expect_eq(sr_utf8_length(cases[i].text), cases[i].length, "case %zu", i);
}

Test(utf8, what_turns_writing_round_does_not_print) {
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"\xe2\x80\xa9", 3}, {"\xe2\x80\xaa", 0}, {"\xe2\x80\xae", 0}, {"\xe2\x80\xaf", 3},
                 {"\xe2\x81\xa5", 3}, {"\xe2\x81\xa6", 0}, {"\xe2\x81\xa9", 0}, {"\xe2\x81\xaa", 3},
                 {"\xe2\x82\xaa", 3}, {"\xe3\x80\xaa", 3}};
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        cr_expect_eq(sr_utf8_printable(cases[i].text), cases[i].length, "case %zu", i);
}

Test(utf8, a_terminal_is_given_no_orders) {
    char to[64], five[5];
    cr_expect_str_eq(sr_utf8_clean(to, sizeof to, "plain, größer \xe2\x82\xac"),
                     "plain, größer \xe2\x82\xac");
    cr_expect_str_eq(sr_utf8_clean(to, sizeof to, "a\033[31mb\nc\x7f"), "a?[31mb?c?");
    cr_expect_str_eq(sr_utf8_clean(to, sizeof to,
                                   "\xc2\x9b"
                                   "31m\xc2\xa0"),
                     "??31m\xc2\xa0");
    cr_expect_str_eq(sr_utf8_clean(to, sizeof to, "x\xc3"), "x?");
    cr_expect_str_eq(sr_utf8_clean(to, sizeof to,
                                   "\xe2\x80\xae"
                                   "a\xe2\x80\xaf"),
                     "???a\xe2\x80\xaf", "writing direction");
    cr_expect_str_eq(sr_utf8_clean(five, sizeof five, "abc\xc3\xa9"), "abc", "no half of a character");
    cr_expect_str_eq(sr_utf8_clean(five, sizeof five, "ab\xc3\xa9z"), "ab\xc3\xa9");
}
