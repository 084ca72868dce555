/* test_base_facts.c: facts on the screen, as JSON and side by side.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include "nn/base/facts.h"

static char *printed(const struct sr_facts *f) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_facts_print(to, f);
    fclose(to);
    return text;
}

Test(facts, lines_end_before_the_right_edge) {
    struct sr_facts f = {0};
    char words[1024] = "";
    for (size_t i = 0; i < 120; i++)
        strcat(words, i % 7 ? "word " : "\xc3\xa4\xc3\xb6\xc3\xbc ");
    sr_facts_section(&f, "s");
    sr_facts_text(&f, "words", words);
    sr_facts_text(&f, "one",
                  "0123456789012345678901234567890123456789012345678901234567890123456789"
                  "01234567890123456789012345678901234567890123456789");
    char *text = printed(&f), *rest = text;
    size_t lines = 0;
    for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        size_t columns = 0;
        for (const char *c = line; *c; c++)
            columns += ((unsigned char)*c & 0xc0) != 0x80;
        cr_expect(columns <= SR_HELP_WIDTH || strchr(line, '0'), "%zu columns: %s", columns, line);
        cr_expect(strncmp(line, "                   ", 19) == 0 || strncmp(line, "words", 5) == 0 ||
                      strncmp(line, "one", 3) == 0,
                  "%s", line);
    }
    cr_expect_gt(lines, 6);
    free(text);
    sr_facts_free(&f);
}

Test(facts, sections_stand_together_and_what_is_quiet_is_compared) {
    struct sr_facts a = {0}, b = {0}, out = {0};
    struct sr_json *o = sr_json_object();
    sr_facts_section(&a, "one");
    sr_facts_count(&a, "n", 1234567);
    sr_facts_text(&a, "quiet", "x");
    sr_facts_hush(&a);
    sr_facts_section(&a, "two");
    sr_facts_text(&a, "m", NULL);
    sr_facts_section(&a, "one");
    sr_facts_text(&a, "late", "yes");
    char *text = printed(&a);
    cr_expect_str_eq(text,
                     "n                  1,234,567\nlate               yes\n\nm                  unknown\n");
    free(text);
    sr_facts_section(&b, "one");
    sr_facts_count(&b, "n", 1234567);
    sr_facts_text(&b, "late", "");
    sr_facts_text(&b, "new", "1");
    sr_facts_differ(&out, &a, &b);
    text = printed(&out);
    cr_expect_str_eq(text, "quiet              x -> (absent)\nlate               yes -> unknown\n"
                           "new                (absent) -> 1\n\nm                  unknown -> (absent)\n");
    free(text);
    sr_facts_json(o, &a);
    cr_expect_eq(number(o, "one.n"), 1234567);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(sr_json_get(o, "one"), "late")), "yes");
    cr_expect(sr_json_is_null(sr_json_get(sr_json_get(o, "two"), "m")));
    sr_json_free(o);
    sr_facts_free(&a);
    sr_facts_free(&b);
    sr_facts_free(&out);
}

/* Held each against each they take 10^10 comparisons of keys, minutes; sorted, less than a second. */
Test(facts, many_facts_are_compared_by_sorting, .timeout = 60) {
    enum { MANY = 100000 };
    struct sr_facts a = {0}, b = {0}, out = {0};
    char key[32];
    sr_facts_section(&a, "s");
    sr_facts_section(&b, "s");
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "a key that is long %u", i);
        sr_facts_text(&a, key, "x");
        snprintf(key, sizeof key, "a key that is long %u", MANY - i);
        sr_facts_text(&b, key, i == 500 ? "y" : "x");
    }
    sr_facts_differ(&out, &a, &b);
    cr_expect_eq(out.status, 0);
    cr_assert_eq(out.n, 3);
    cr_expect_str_eq(out.fact[0].key, "a key that is long 0");
    cr_expect_str_eq(out.fact[0].text, "x -> (absent)");
    cr_expect_str_eq(out.fact[1].key, "a key that is long 99500");
    cr_expect_str_eq(out.fact[1].text, "x -> y");
    cr_expect_str_eq(out.fact[2].key, "a key that is long 100000");
    sr_facts_free(&a);
    sr_facts_free(&b);
    sr_facts_free(&out);
}
