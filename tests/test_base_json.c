/* test_base_json.c: JSON out and in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/base.h"
#include "nn/base/calibrator.h"
#include "tests/failing_memory.h"

static struct sr_error err;

static void expect_text(struct sr_json *tree, int indent, const char *wanted) {
    char *text = sr_json_text(tree, indent, &err);
    cr_assert_not_null(text, "%s", err.text);
    cr_expect_str_eq(text, wanted);
    sr_free(text);
    sr_json_free(tree);
}

Test(json, tree_becomes_text_in_the_order_it_was_set) {
    struct sr_json *o = sr_json_object(), *a = sr_json_array();
    sr_json_set(o, "z", sr_json_integer(-9223372036854775807));
    sr_json_set(o, "a", a);
    sr_json_append(a, sr_json_bool(true));
    sr_json_append(a, sr_json_null());
    sr_json_append(a, sr_json_string("a\"\\\n\x01é"));
    sr_json_append(a, sr_json_array());
    sr_json_append(a, sr_json_object());
    expect_text(o, 0, "{\"z\":-9223372036854775807,\"a\":[true,null,\"a\\\"\\\\\\n\\u0001é\",[],{}]}");
}

Test(json, indent_puts_one_value_a_line) {
    struct sr_json *o = sr_json_object(), *a = sr_json_array();
    sr_json_append(a, sr_json_integer(1));
    sr_json_append(a, sr_json_integer(2));
    sr_json_set(o, "a", a);
    sr_json_set(o, "b", sr_json_object());
    expect_text(o, 2, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

Test(json, numbers_are_short_and_read_back_exactly) {
    static const double numbers[] = {0.1,  0.6,  1.0 / 3,      5e-324, 1.7976931348623157e308,
                                     -0.0, 1e22, 123456789.125};
    struct sr_json *a = sr_json_array(), *back;
    for (size_t i = 0; i < SR_COUNT(numbers); i++)
        sr_json_append(a, sr_json_number(numbers[i]));
    char *text = sr_json_text(a, 0, &err);
    cr_assert_eq(sr_json_parse(&back, text, strlen(text), &err), SR_OK, "%s", err.text);
    for (size_t i = 0; i < SR_COUNT(numbers); i++) {
        double number = 0;
        cr_expect(sr_json_as_number(sr_json_at(back, i), &number));
        cr_expect(memcmp(&number, &numbers[i], sizeof number) == 0, "%.17g came back as %.17g", numbers[i],
                  number);
    }
    cr_expect(strncmp(text, "[0.1,0.6,0.3333333333333333,", 28) == 0, "%s", text);
    sr_free(text);
    sr_json_free(a);
    sr_json_free(back);
}

Test(json, what_json_has_no_words_for_is_replaced) {
    struct sr_json *a = sr_json_array();
    sr_json_append(a, sr_json_number((double)NAN));
    sr_json_append(a, sr_json_number(-(double)INFINITY));
    sr_json_append(a, sr_json_string(NULL));
    sr_json_append(a, sr_json_string("a\xff\xc3<\xed\xa0\x80\xc0\x80\xf4\x90\x80\x80.\xf0\x9f\x98\x80"));
    sr_json_append(a, sr_json_number(2));
    expect_text(a, 0, "[null,null,null,\"a?\?<????????\?.\xf0\x9f\x98\x80\",2.0]");
}

Test(json, a_lost_value_is_remembered) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "lost", NULL); /* what a maker without memory returns */
    sr_json_set(o, "there", sr_json_integer(1));
    cr_expect_null(sr_json_text(o, 0, &err));
    cr_expect_eq(err.status, SR_NOMEM);
    cr_expect_null(sr_json_text(NULL, 0, &err));
    sr_json_free(o);
}

Test(json, parse_refuses_what_is_not_json_and_says_where) {
    static const char *const bad[] = {
        "",         "{",       "{\"a\":1,}",    "{\"a\":1,\"a\":2}",     "[1] 2", "{'a':1}", "nul",
        "\"\xff\"", "[1e999]", "[\"\\u0000\"]", "[99999999999999999999]"};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        struct sr_json *tree;
        cr_expect_eq(sr_json_parse(&tree, bad[i], strlen(bad[i]), &err), SR_DATA, "%s", bad[i]);
        cr_expect_null(tree);
        cr_expect(strncmp(err.text, "line 1, column ", 15) == 0, "%s", err.text);
    }
}

/* A list of n zeros. */
static int parse_zeros(size_t n) {
    struct sr_json *tree = NULL;
    char *text = sr_alloc(2 * n + 1, 1, &err);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 2 * i + 1, "0,", 2);
    text[0] = '[';
    text[2 * n] = ']';
    const int status = sr_json_parse(&tree, text, 2 * n + 1, &err);
    sr_json_free(tree);
    sr_free(text);
    return status;
}

Test(json, parse_takes_so_many_values_and_no_more) {
    cr_expect_eq(parse_zeros((1 << 20) - 1), SR_OK);
    cr_expect_eq(parse_zeros(1 << 20), SR_DATA);
    cr_expect(strstr(err.text, "more values than"), "%s", err.text);
}

Test(json, strings_lose_their_escapes_in_place) {
    static const struct {
        const char *text, *means;
    } texts[] = {{"plain", "plain"},
                 {"", ""},
                 {"a\\u0062c", "abc"},
                 {"\\n\\\\\\\"", "\n\\\""},
                 {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                 {"\\u00e9\\u20ac", "\xc3\xa9\xe2\x82\xac"}};
    for (size_t i = 0; i < SR_COUNT(texts); i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", texts[i].text);
        const size_t n = sr_json_unescape(text, strlen(text));
        cr_expect(n == strlen(texts[i].means) && memcmp(text, texts[i].means, n) == 0, "%s", texts[i].text);
    }
    static const char *const none[] = {"\\ud800", "\\ud800\\u0041", "\\ud800\\ue000", "\\udc00", "a\\u0000",
                                       "\\q",     "\xff",           "\\u12"};
    for (size_t i = 0; i < SR_COUNT(none); i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", none[i]);
        cr_expect_eq(sr_json_unescape(text, strlen(text)), 0, "%s", none[i]);
    }
}

Test(json, parse_survives_deep_nesting) {
    char *deep = sr_alloc(100001, 1, &err);
    struct sr_json *tree;
    memset(deep, '[', 100000);
    cr_expect_eq(sr_json_parse(&tree, deep, 100000, &err), SR_DATA);
    sr_free(deep);
}

Test(json, looking_for_the_wrong_kind_finds_nothing) {
    struct sr_json *tree;
    static const char text[] = "{\"n\":1.5,\"s\":\"x\",\"a\":[1],\"o\":{\"k\":2}}";
    int64_t integer;
    double number;
    cr_assert_eq(sr_json_parse(&tree, text, strlen(text), &err), SR_OK);
    cr_expect_eq(sr_json_size(tree), 4);
    cr_expect(!sr_json_as_integer(sr_json_get(tree, "n"), &integer));
    cr_expect(sr_json_as_number(sr_json_at(sr_json_get(tree, "a"), 0), &number) && number == 1);
    cr_expect(!sr_json_as_number(sr_json_get(tree, "s"), &number));
    cr_expect_str_eq(sr_json_as_string(sr_json_get(tree, "s")), "x");
    cr_expect_null(sr_json_as_string(sr_json_get(tree, "n")));
    cr_expect_null(sr_json_get(tree, "none"));
    cr_expect_null(sr_json_get(sr_json_get(tree, "a"), "k"));
    cr_expect_null(sr_json_at(sr_json_get(tree, "a"), 1));
    cr_expect_null(sr_json_at(tree, 0));
    cr_expect_eq(sr_json_size(sr_json_get(tree, "s")), 0);
    cr_expect(sr_json_is_array(sr_json_get(tree, "a")) && !sr_json_is_object(sr_json_get(tree, "a")));
    cr_expect(!sr_json_is_object(NULL) && !sr_json_is_array(NULL));
    struct sr_json *nothing = sr_json_null();
    cr_expect(sr_json_is_null(nothing) && !sr_json_is_null(tree) && !sr_json_is_null(NULL));
    struct sr_json *yes = sr_json_bool(true);
    bool is = false;
    cr_expect(sr_json_as_bool(yes, &is) && is && !sr_json_as_bool(nothing, &is));
    cr_expect(!sr_json_as_bool(NULL, &is) && !sr_json_as_bool(sr_json_get(tree, "n"), &is));
    struct sr_json *no = sr_json_bool(false);
    cr_expect(sr_json_as_bool(no, &is) && !is);
    sr_json_free(no);
    sr_json_free(yes);
    sr_json_free(nothing);
    sr_json_free(tree);
}

/* A number as long as the first room for one, so that its end needs more. */
Test(json, parse_tells_a_lack_of_memory) {
    static const char rest[] = ", \"a\", {\"b\": true}, 12, -1.5]";
    char text[300] = "[1.";
    memset(text + 3, '0', 254);
    memcpy(text + 257, rest, sizeof rest);
    bool failed = true;
    uint64_t nth = 1;
    for (; failed; nth++) {
        struct sr_json *tree;
        memory_begin(nth);
        const int status = sr_json_parse(&tree, text, strlen(text), &err);
        sr_json_free(tree);
        const struct memory_report r = memory_end();
        failed = r.failed;
        cr_expect_eq(status, failed ? SR_NOMEM : SR_OK, "%d: %s", (int)nth, err.text);
        cr_expect_eq(r.live, 0, "%d: %zu blocks leaked", (int)nth, r.live);
    }
    cr_expect_gt(nth, 8);
}

/* Its text is JSON. */
Test(json, a_calibrator_that_there_is_no_memory_for) {
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct sr_calibrator *c = NULL;
        memory_begin(nth);
        const int status = sr_calibrator_parse(&c, "{\"method\":\"temperature\",\"temperature\":1.3}", &err);
        sr_calibrator_free(c);
        const struct memory_report r = memory_end();
        failed = r.failed;
        cr_expect_eq(status, failed ? SR_NOMEM : 0, "%d: %s", (int)nth, err.text);
        cr_expect_eq(r.live, 0, "%d: %zu blocks leaked", (int)nth, r.live);
    }
}

Test(json, walk_visits_every_member_in_order) {
    struct sr_json *tree;
    static const char text[] = "{\"c\":0,\"a\":1,\"b\":2}";
    const struct sr_json *value;
    void *iter = NULL;
    char keys[8] = "";
    int64_t number, sum = 0;
    cr_assert_eq(sr_json_parse(&tree, text, strlen(text), &err), SR_OK);
    for (const char *key; (key = sr_json_next(tree, &iter, &value));) {
        strcat(keys, key);
        cr_expect(sr_json_as_integer(value, &number));
        sum += number;
    }
    cr_expect_str_eq(keys, "cab");
    cr_expect_eq(sum, 3);
    sr_json_free(tree);
}

Test(decimal, reads_back_exactly_whatever_the_bits) {
    char text[SR_DECIMAL_TEXT];
    for (uint64_t i = 0; i < 100000; i++) {
        const uint64_t bits = sr_random_bits(5, sr_stream(SR_STREAM_TEST, 0, 0), i);
        const uint32_t half = (uint32_t)bits;
        double number, back;
        float small;
        memcpy(&number, &bits, sizeof number);
        memcpy(&small, &half, sizeof small);
        if (isfinite(number)) {
            back = strtod(sr_decimal(text, number), NULL);
            cr_assert(memcmp(&back, &number, sizeof back) == 0, "%.17g is written %s", number, text);
        }
        if (isfinite(small))
            cr_assert_eq(strtof(sr_decimal_float(text, small), NULL), small, "%.9g is written %s",
                         (double)small, text);
    }
}

/* As Python's repr has them, but for ".0" at the end and where an exponent begins. */
Test(decimal, is_the_shortest_that_reads_back) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1. / 3, "0.3333333333333333"},
        {2. / 3, "0.6666666666666666"},
        {100, "100"},
        {-12, "-12"},
        {1234.5, "1234.5"},
        {1000000.25, "1000000.25"},
        {9007199254740992.0, "9007199254740992"},
        {9999999999999998.0, "9999999999999998"},
        {1e15, "1000000000000000"},
        {1e16, "1e+16"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {-0.0001, "-0.0001"},
        {0.00012345678901234567, "0.00012345678901234567"},
        {0.00001, "1e-05"},
        {(double)0.6f, "0.6000000238418579"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {-DBL_MIN, "-2.2250738585072014e-308"},
        {0x0.fffffffffffffp-1022, "2.225073858507201e-308"}, /* the greatest subnormal */
        {5e-324, "5e-324"},
        {-1e-323, "-1e-323"},
        {1.5e-322, "1.5e-322"},
        {(double)INFINITY, "inf"},
        {-(double)INFINITY, "-inf"},
        {(double)NAN, "nan"},
        {-(double)NAN, "nan"}, /* what 0/0 is on x86 */
    };
    char text[SR_DECIMAL_TEXT];
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        cr_expect_str_eq(sr_decimal(text, cases[i].value), cases[i].text);
}

Test(decimal, of_a_float_is_the_shortest_that_reads_back) {
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0f, "-0"},
        {0.6f, "0.6"},
        {0.1f, "0.1"},
        {1.f / 3, "0.33333334"},
        {2.f / 3, "0.6666667"},
        {-2.5f, "-2.5"},
        {1e-5f, "1e-05"},
        {16777216.0f, "16777216"},
        {0x1.fffffep-1f, "0.99999994"},
        {0x1.000002p0f, "1.0000001"},
        {FLT_MAX, "3.4028235e+38"},
        {FLT_MIN, "1.1754944e-38"},
        {0x0.fffffep-126f, "1.1754942e-38"},
        {FLT_TRUE_MIN, "1e-45"},
        {-2 * FLT_TRUE_MIN, "-3e-45"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
        {-NAN, "nan"},
    };
    char text[SR_DECIMAL_TEXT];
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        cr_expect_str_eq(sr_decimal_float(text, cases[i].value), cases[i].text);
}

/* No decimal of one digit less reads back. */
Test(decimal, has_no_digit_too_many) {
    char text[SR_DECIMAL_TEXT], shorter[SR_DECIMAL_TEXT];
    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t bits = sr_random_bits(5, sr_stream(SR_STREAM_TEST, 1, 0), i);
        double number;
        int digits = 0;
        /* of any size, subnormal, in 0..1, and with few digits */
        memcpy(&number, &(uint64_t){i % 4 == 1 ? bits >> 40 : bits}, sizeof number);
        if (i % 4 > 1)
            number = i % 4 == 2 ? (double)bits * 0x1p-64 : (double)(bits % 100000) / 1000;
        sr_decimal(text, number);
        for (const char *p = text; *p && *p != 'e'; p++)
            digits += *p >= '0' && *p <= '9' && (digits > 0 || *p != '0');
        if (digits < 2 || !strchr(text, '.')) /* nor zeros that only say how large it is */
            continue;
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, number);
        cr_assert(strtod(shorter, NULL) != number, "%s could be %s", text, shorter);
    }
}
