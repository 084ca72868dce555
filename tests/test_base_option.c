/* test_base_option.c: settings: every type, range, spelling and origin.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/base.h"
#include "tests/failing_memory.h"

struct sample {
    int64_t rows, size, free_range;
    double rate, shift;
    bool json, quiet;
    char *out, *name, *data, *empty;
    int mode;
    struct sr_integers hidden;
    struct sr_reals dropout;
};

#define AT(field) offsetof(struct sample, field)

static const struct sr_option table[] = {
    {"rows", SR_OPTION_INTEGER, AT(rows), .fallback = "7", .min = 1, .max = 100, .help = "how many"},
    {"free_range", SR_OPTION_INTEGER, AT(free_range), .help = "any"},
    {"size", SR_OPTION_BYTES, AT(size), .fallback = "auto", .metavar = "BYTES"},
    {"learning_rate", SR_OPTION_REAL, AT(rate), .fallback = ".5", .max = 1, .help = "how fast"},
    {"shift", SR_OPTION_REAL, AT(shift), .help = "any"},
    {"json", SR_OPTION_SWITCH, AT(json), .help = "print JSON"},
    {"quiet", SR_OPTION_SWITCH, AT(quiet), .fallback = "true"},
    {"out", SR_OPTION_TEXT, AT(out), .flag_only = true},
    {"name", SR_OPTION_TEXT, AT(name), .fallback = "x"},
    {"mode", SR_OPTION_CHOICE, AT(mode), .fallback = "stop", .choices = "stop|skip|warn"},
    {"hidden", SR_OPTION_INTEGERS, AT(hidden), .fallback = "4,3", .min = 1, .max = 9000},
    {"dropout", SR_OPTION_REALS, AT(dropout), .fallback = "[0.3, .2]", .max = 1},
    {"data", SR_OPTION_TEXT, AT(data), .fallback = "d", .repeats = true},
    {"empty", SR_OPTION_TEXT, AT(empty), .fallback = "", .help = "without a default"},
};

static struct sample v;
static struct sr_options o;
static struct sr_error err;

static void begin(void) {
    memset(&v, 0x5a, sizeof v); /* begin must not rely on zeros */
    cr_assert_eq(sr_options_begin(&o, table, SR_COUNT(table), &v, &err), SR_OK, "%s", err.text);
}

static void end(void) {
    sr_options_end(&o);
}

TestSuite(option, .init = begin, .fini = end);

static int give(const char *a, const char *b, const char *c) {
    char *argv[3];
    int argc = 0;
    const char *const given[] = {a, b, c};
    for (int i = 0; i < 3 && given[i]; i++)
        argv[argc++] = strdup(given[i]);
    const int status = sr_options_arguments(&o, argc, argv, &err);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return status;
}

static void expect_refused(const char *a, const char *b, const char *wanted) {
    cr_expect_eq(give(a, b, NULL), SR_USAGE, "%s %s", a, b ? b : "");
    cr_expect(strstr(err.text, wanted), "\"%s\" is not in: %s", wanted, err.text);
}

Test(option, defaults_come_from_the_table) {
    cr_expect(v.rows == 7 && v.size == -1 && v.rate == .5 && !v.json && v.quiet && v.mode == 0 &&
              v.free_range == 0);
    cr_expect_null(v.out);
    cr_expect_str_eq(v.name, "x");
    cr_expect(v.hidden.n == 2 && v.hidden.v[0] == 4 && v.hidden.v[1] == 3);
    cr_expect(v.dropout.n == 2 && v.dropout.v[0] == .3 && v.dropout.v[1] == .2);
    cr_expect(!sr_options_given(&o, "rows") && !sr_options_given(&o, "out"));
}

Test(option, flags_in_both_spellings) {
    cr_expect_eq(give("--learning-rate", ".25", NULL), SR_OK, "%s", err.text);
    cr_expect_eq(v.rate, .25);
    cr_expect_eq(give("--learning_rate=1e-3", "--out", "a=b"), SR_OK, "%s", err.text);
    cr_expect_eq(v.rate, 1e-3);
    cr_expect_str_eq(v.out, "a=b");
    cr_expect_eq(give("--out=", NULL, NULL), SR_OK);
    cr_expect_str_eq(v.out, "");
    cr_expect_eq(give("--free-range", "-5", NULL), SR_OK, "%s", err.text);
    cr_expect_eq(v.free_range, -5);
    cr_expect_eq(sr_options_origin(&o, "learning_rate"), SR_ORIGIN_FLAG);
    cr_expect(sr_options_given(&o, "learning-rate"));
    cr_expect_eq(sr_options_origin(&o, "nothing"), SR_ORIGIN_DEFAULT);
}

Test(option, switches_take_no_value) {
    cr_expect_eq(give("--json", "--no-quiet", NULL), SR_OK, "%s", err.text);
    cr_expect(v.json && !v.quiet);
    cr_expect_eq(give("--json=no", "--quiet=on", NULL), SR_OK);
    cr_expect(!v.json && v.quiet);
    expect_refused("--json", "true", "unexpected argument 'true'");
    expect_refused("--json=2", NULL, "true or false");
    expect_refused("--no-rows", NULL, "unknown option --no-rows");
    expect_refused("--no-nothing", NULL, "unknown option --no-nothing");
    expect_refused("--no-json=false", NULL, "unknown option --no-json");
}

Test(option, set_reaches_config_keys_only) {
    cr_expect_eq(give("--set", "rows=9", NULL), SR_OK, "%s", err.text);
    cr_expect_eq(v.rows, 9);
    cr_expect_eq(sr_options_origin(&o, "rows"), SR_ORIGIN_SET);
    cr_expect_eq(give("--set=learning_rate=.75", "--set", "name=a=b"), SR_OK, "%s", err.text);
    cr_expect_eq(v.rate, .75);
    cr_expect_str_eq(v.name, "a=b");
    expect_refused("--set", "rows", "key=value");
    expect_refused("--set", "out=x", "unknown key out");
    expect_refused("--set", "row=1", "did you mean rows?");
    cr_expect_eq(sr_options_set(&o, "out", "x", SR_ORIGIN_FILE, &err), SR_USAGE);
    cr_expect_eq(sr_options_set(&o, "rows", "8", SR_ORIGIN_FILE, &err), SR_OK);
    cr_expect_eq(sr_options_origin(&o, "rows"), SR_ORIGIN_FILE);
}

Test(option, later_wins) {
    cr_expect_eq(give("--rows=1", "--set=rows=2", "--rows=3"), SR_OK);
    cr_expect_eq(v.rows, 3);
}

Test(option, unknown_names_get_a_suggestion) {
    expect_refused("--learning-rte", "1", "unknown option --learning-rte; did you mean --learning-rate?");
    expect_refused("--fe-rane", "1", "did you mean --free-range?");
    expect_refused("--set", "oot=1", "unknown key oot");
    cr_expect_null(strstr(err.text, "out?"), "a flag is no key: %s", err.text);
    expect_refused("--josn", NULL, "did you mean --json?");
    expect_refused("--zzzzzz", NULL, "unknown option --zzzzzz");
    cr_expect_null(strstr(err.text, "mean"), "%s", err.text);
    expect_refused("rows", "1", "unexpected argument 'rows'");
    expect_refused("-r", "1", "unexpected argument '-r'");
    expect_refused("--", NULL, "unexpected argument");
    expect_refused("--=3", NULL, "unknown option");
}

/* Without memory there is no suggestion, but the same message. */
Test(option, unknown_names_without_memory) {
    memory_begin(1);
    cr_expect_eq(sr_options_set(&o, "rovs", "3", SR_ORIGIN_FILE, &err), SR_USAGE);
    cr_expect(memory_end().failed);
    cr_expect_str_eq(err.text, "unknown key rovs");
    cr_expect_eq(sr_options_set(&o, "rovs", "3", SR_ORIGIN_FILE, &err), SR_USAGE);
    cr_expect_str_eq(err.text, "unknown key rovs; did you mean rows?");
}

Test(option, a_value_may_not_be_missing) {
    expect_refused("--rows", NULL, "--rows needs a value");
    expect_refused("--out", "--json", "--out needs a value");
    expect_refused("--set", NULL, "--set needs a value");
}

Test(option, values_of_the_wrong_kind_are_refused) {
    static const char *const bad[] = {"--free-range=99999999999999999999",
                                      "--shift=nan",
                                      "--shift=-inf",
                                      "--rows=",
                                      "--rows=0",
                                      "--rows=101",
                                      "--rows=5x",
                                      "--rows=5.0",
                                      "--rows=1e1",
                                      "--rows=99999999999999999999",
                                      "--learning-rate=1.01",
                                      "--learning-rate=-0.1",
                                      "--learning-rate=nan",
                                      "--learning-rate=inf",
                                      "--learning-rate=",
                                      "--size=5X",
                                      "--size=-1",
                                      "--size=K",
                                      "--size=4GB",
                                      "--size=nan",
                                      "--size=9e30",
                                      "--size=",
                                      "--mode=",
                                      "--mode=sto",
                                      "--mode=stop|skip",
                                      "--hidden=1,,2",
                                      "--hidden=1,",
                                      "--hidden=0",
                                      "--hidden=1,9001",
                                      "--hidden=a",
                                      "--hidden=[1",
                                      "--dropout=.1,2",
                                      "--dropout=1 2"};
    for (size_t i = 0; i < SR_COUNT(bad); i++)
        expect_refused(bad[i], NULL, "' is not ");
    expect_refused("--rows=101", NULL, "--rows: '101' is not a whole number from 1 to 100");
    expect_refused("--mode=x", NULL, "one of stop|skip|warn");
    expect_refused("--hidden=x", NULL, "--hidden: 'x' is not at most 128 whole numbers with commas between");
}

Test(option, sizes_have_units) {
    static const struct {
        const char *text;
        int64_t bytes;
    } known[] = {{"0", 0},          {"123", 123},      {"2K", 2048},      {"2k", 2048},
                 {"1.5M", 1572864}, {"4G", 1ll << 32}, {"1T", 1ll << 40}, {"auto", -1}};
    for (size_t i = 0; i < SR_COUNT(known); i++) {
        cr_expect_eq(sr_options_set(&o, "size", known[i].text, SR_ORIGIN_SET, &err), SR_OK, "%s", err.text);
        cr_expect_eq(v.size, known[i].bytes, "%s", known[i].text);
    }
}

Test(option, lists_may_be_empty_or_in_brackets) {
    cr_expect_eq(give("--hidden=[ 10, 20 ,30 ]", NULL, NULL), SR_OK, "%s", err.text);
    cr_expect(v.hidden.n == 3 && v.hidden.v[2] == 30);
    cr_expect_eq(give("--hidden=[]", "--dropout=", NULL), SR_OK, "%s", err.text);
    cr_expect(v.hidden.n == 0 && v.dropout.n == 0);
}

/* "--KEY=" and n numbers, each as long as its type can be. Free with free. */
static char *long_list(const char *key, const char *number, size_t n) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    fprintf(to, "--%s=", key);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s%s", i ? "," : "", number);
    fclose(to);
    return text;
}

Test(option, full_lists_are_read_and_printed_whole) {
    static const struct {
        size_t row;
        const char *number;
    } longest[] = {{10, "9000"}, {11, "2.2250738585072014e-308"}};
    for (size_t i = 0; i < SR_COUNT(longest); i++) {
        const size_t row = longest[i].row;
        const char *key = table[row].key, *number = longest[i].number;
        char *full = long_list(key, number, SR_LIST_MAX), *over = long_list(key, number, SR_LIST_MAX + 1);
        char text[SR_LIST_TEXT];
        cr_assert_eq(give(full, NULL, NULL), SR_OK, "%s", err.text);
        cr_expect_eq(v.hidden.n, i == 0 ? SR_LIST_MAX : 2);
        cr_expect_eq(v.dropout.n, i == 1 ? SR_LIST_MAX : 2);
        cr_expect_str_eq(sr_options_text(&o, row, text, sizeof text), strchr(full, '=') + 1);
        expect_refused(over, NULL, "at most 128");
        cr_expect_eq(i == 0 ? v.hidden.n : v.dropout.n, SR_LIST_MAX, "a refused list changes nothing");
        free(full);
        free(over);
        end();
        begin(); /* for the other list */
    }
}

/* What a buffer has no room for is left out, and that is shown. */
Test(option, a_list_is_cut_where_its_buffer_ends) {
    char text[6];
    cr_assert_eq(give("--hidden=1024,512,256", NULL, NULL), SR_OK, "%s", err.text);
    cr_expect_str_eq(sr_options_text(&o, 10, text, sizeof text), "10...");
}

/* Numbers as long as int64_t allows, which no row of the table does. */
Test(option, the_longest_list_fits_its_buffer) {
    static const struct sr_option any[] = {{.key = "any", .type = SR_OPTION_INTEGERS},
                                           {.key = "real", .type = SR_OPTION_REALS}};
    struct sr_integers integers = {SR_LIST_MAX, {0}};
    struct sr_reals reals = {SR_LIST_MAX, {0}};
    for (size_t i = 0; i < SR_LIST_MAX; i++) {
        integers.v[i] = INT64_MIN;
        reals.v[i] = -DBL_MIN;
    }
    char text[SR_LIST_TEXT];
    cr_expect_null(
        strstr(sr_options_text(&(struct sr_options){any, 1, &integers, NULL}, 0, text, sizeof text), "..."));
    cr_expect_null(
        strstr(sr_options_text(&(struct sr_options){any, 2, &reals, NULL}, 1, text, sizeof text), "..."));
}

Test(option, a_repeated_flag_adds_where_the_row_says_so) {
    cr_expect_eq(give("--data=a", "--data=b", "--data=c"), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "a,b,c");
    cr_expect_eq(give("--data=a", "--data=b", "--data=c"), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "a,b,c"); /* arguments taken a second time do not double */
    cr_expect_eq(give("--data", "e", NULL), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "e");
    cr_expect_eq(sr_options_origin(&o, "data"), SR_ORIGIN_FLAG);
    cr_expect_eq(give("--name=a", "--name=b", NULL), SR_OK);
    cr_expect_str_eq(v.name, "b"); /* a row that does not repeat: the later one wins */
}

Test(option, a_setting_between_repeated_flags_begins_anew) {
    cr_expect_eq(give("--data=a", "--set=data=b", "--data=c"), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "c");
    cr_expect_eq(give("--data=a", "--data=b", "--set=data=c"), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "c");
    cr_expect_eq(sr_options_set(&o, "data", "x", SR_ORIGIN_FILE, &err), SR_OK);
    cr_expect_eq(give("--data=y", NULL, NULL), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "y");
}

Test(option, origins_have_names) {
    static const char *const names[] = {"default", "recipe", "weights", "file", "--set", "flag"};
    for (int i = SR_ORIGIN_DEFAULT; i <= SR_ORIGIN_FLAG; i++)
        cr_expect_str_eq(sr_origin_name((enum sr_origin)i), names[i]);
    cr_expect_eq(sr_options_set(&o, "rows", "9", SR_ORIGIN_RECIPE, &err), SR_OK);
    cr_expect_eq(sr_options_origin(&o, "rows"), SR_ORIGIN_RECIPE);
    cr_expect(sr_options_given(&o, "rows"));
}

/* What sr_options_text prints sets the same value, whatever it is: each key takes its turn through text and
 * back. */
Test(option, text_can_be_read_back) {
    static const char *const given[][2] = {{"rows", "100"},
                                           {"free_range", "-9223372036854775808"},
                                           {"size", "3000"},
                                           {"size", "1.5M"},
                                           {"size", "auto"},
                                           {"size", "0"},
                                           {"learning_rate", "0.1"},
                                           {"learning_rate", "3.3333333333333331e-5"},
                                           {"json", "yes"},
                                           {"mode", "warn"},
                                           {"hidden", "1,2,3"},
                                           {"hidden", ""},
                                           {"dropout", "0.1,0.3333333333333333"},
                                           {"name", "a b \"c\""}};
    for (size_t i = 0; i < SR_COUNT(given); i++) {
        char text[256], again[256];
        size_t row = 0;
        cr_assert_eq(sr_options_set(&o, given[i][0], given[i][1], SR_ORIGIN_SET, &err), SR_OK, "%s",
                     err.text);
        while (strcmp(table[row].key, given[i][0]) != 0)
            row++;
        const struct sample before = v;
        char *name = strdup(v.name);
        sr_options_text(&o, row, text, sizeof text);
        cr_assert_eq(sr_options_set(&o, given[i][0], text, SR_ORIGIN_SET, &err), SR_OK, "%s", err.text);
        cr_expect_str_eq(sr_options_text(&o, row, again, sizeof again), text);
        cr_expect(v.rows == before.rows && v.free_range == before.free_range && v.size == before.size, "%s",
                  text);
        cr_expect(v.rate == before.rate && v.json == before.json && v.mode == before.mode, "%s", text);
        cr_expect(memcmp(&v.hidden, &before.hidden, sizeof v.hidden) == 0, "%s", text);
        cr_expect(memcmp(&v.dropout, &before.dropout, sizeof v.dropout) == 0, "%s", text);
        cr_expect_str_eq(v.name, name);
        free(name);
    }
}

Test(option, text_is_short_and_empty_when_unset) {
    char text[64];
    cr_expect_str_eq(sr_options_text(&o, 0, text, sizeof text), "7");
    cr_expect_str_eq(sr_options_text(&o, 2, text, sizeof text), "auto");
    cr_expect_str_eq(sr_options_text(&o, 3, text, sizeof text), "0.5");
    cr_expect_str_eq(sr_options_text(&o, 7, text, sizeof text), "");
    cr_expect_str_eq(sr_options_text(&o, 10, text, sizeof text), "4,3");
    cr_expect_str_eq(sr_options_text(&o, 11, text, sizeof text), "0.3,0.2");
    v.size = 3ll << 30;
    cr_expect_str_eq(sr_options_text(&o, 2, text, sizeof text), "3G");
    v.size = 1ll << 50;
    cr_expect_str_eq(sr_options_text(&o, 2, text, sizeof text), "1024T");
    v.size = 0;
    cr_expect_str_eq(sr_options_text(&o, 2, text, sizeof text), "0");
    cr_assert_eq(sr_options_set(&o, "hidden", "4,3,2,1,5", SR_ORIGIN_SET, &err), SR_OK);
    static const char *const cut[] = {NULL,    "",       ".",       "..",       "...",      "4...",
                                      "4,...", "4,3...", "4,3,...", "4,3,2...", "4,3,2,1,5"};
    for (size_t size = 1; size < SR_COUNT(cut); size++) { /* marked, not overrun, and not a shorter list */
        memset(text, '!', sizeof text);
        cr_expect_str_eq(sr_options_text(&o, 10, text, size), cut[size]);
        for (size_t i = size; i < sizeof text; i++)
            cr_expect_eq(text[i], '!');
    }
    cr_expect_eq(sr_options_set(&o, "hidden", "4,3,...", SR_ORIGIN_FILE, &err), SR_USAGE);
}

Test(option, help_has_a_line_for_every_row) {
    char *text = NULL;
    size_t size, lines = 0;
    FILE *to = open_memstream(&text, &size);
    sr_options_help(table, SR_COUNT(table), to);
    fclose(to);
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    cr_expect_eq(lines, SR_COUNT(table));
    cr_expect(strstr(text, "  --learning-rate X           how fast (.5)\n"), "%s", text);
    cr_expect(strstr(text, "  --json                      print JSON\n"), "%s", text);
    cr_expect(strstr(text, "  --empty TEXT                without a default\n"), "%s", text);
    cr_expect(strstr(text, "  --mode stop|skip|warn"), "%s", text);
    free(text);
}

/* Behind 30 columns of flag 70 are left: 40, a space and 29 fit, 40, a space and 30 do not. */
#define FORTY "1234567890123456789012345678901234567890"

Test(option, long_help_is_broken_between_words) {
    static const struct sr_option wide[] = {
        {"short", SR_OPTION_TEXT, 0, .fallback = "a-default-of-its-own",
         .help =
             "many words that together are far too long for a line of one hundred columns and hence go on "
             "below, at the same column, as often as is needed for the whole of it"},
        {"a_very_long_name_of_a_flag", SR_OPTION_TEXT, 0, .fallback = NULL, .metavar = "VALUE",
         .help = "its help is below"},
        {"full", SR_OPTION_TEXT, 0, .fallback = NULL, .help = FORTY " 12345678901234567890123456789"},
        {"over", SR_OPTION_TEXT, 0, .fallback = NULL, .help = FORTY " 123456789012345678901234567890"},
        {.key = "bare", .type = SR_OPTION_SWITCH},
    };
    char *text = NULL;
    size_t size, lines = 0;
    FILE *to = open_memstream(&text, &size);
    sr_options_help(wide, SR_COUNT(wide), to);
    fclose(to);
    for (char *line = text, *next; *line; line = next, lines++) {
        next = strchr(line, '\n') + 1;
        cr_expect_leq(next - 1 - line, SR_HELP_WIDTH, "%.*s", (int)(next - line), line);
        cr_expect(line[0] == ' ' && next[-2] != ' ', "%s", text);
    }
    cr_expect_eq(lines, 9, "%s", text);
    cr_expect(strstr(text, "of one hundred\n                              columns and hence"), "%s", text);
    cr_expect(strstr(text, "whole of it (a-default-of-its-own)\n"), "%s", text);
    cr_expect(strstr(text, FORTY " 12345678901234567890123456789\n"), "column 100 can be used: %s", text);
    cr_expect(strstr(text, FORTY "\n                              123456789012345678901234567890\n"), "%s",
              text);
    cr_expect(strstr(text, "-a-flag VALUE\n                              its help is below\n"), "%s", text);
    cr_expect(strstr(text, "\n  --bare\n"), "%s", text);
    free(text);
}

Test(option, a_default_that_does_not_fit_is_found_at_once) {
    static const struct sr_option wrong[] = {
        {"rows", SR_OPTION_INTEGER, AT(rows), .fallback = "0", .min = 1, .max = 2}};
    struct sr_options other;
    struct sample w;
    cr_expect_eq(sr_options_begin(&other, wrong, 1, &w, &err), SR_USAGE);
    sr_options_end(&other);
}

Test(option, nearest_is_near_or_nothing) {
    static const char *const words[] = {"train", "eval", "infer", "data", "doctor", NULL};
    cr_expect_str_eq(sr_nearest("trian", words), "train");
    cr_expect_str_eq(sr_nearest("evl", words), "eval");
    cr_expect_str_eq(sr_nearest("inferr", words), "infer");
    cr_expect_str_eq(sr_nearest("dat", words), "data");
    cr_expect_null(sr_nearest("export", words));
    cr_expect_null(sr_nearest("", words));
    char lang[1000];
    memset(lang, 'x', sizeof lang);
    lang[sizeof lang - 1] = '\0';
    cr_expect_null(sr_nearest(lang, words));
}

/* ---- operands ---- */

static const struct sr_option operands[] = {
    {"json", SR_OPTION_SWITCH, AT(json), .help = ""},
    {"name", SR_OPTION_TEXT, AT(name), .operand = true, .metavar = "FILE", .help = ""},
    {"data", SR_OPTION_TEXT, AT(data), .operand = true, .metavar = "OTHER", .help = ""},
};

static int give_words(const char *a, const char *b, const char *c) {
    sr_options_end(&o);
    cr_assert_eq(sr_options_begin(&o, operands, SR_COUNT(operands), &v, &err), SR_OK, "%s", err.text);
    return give(a, b, c);
}

Test(option, words_fill_the_operands_in_order) {
    cr_expect_eq(give_words("a", "--json", "b"), SR_OK, "%s", err.text);
    cr_expect(v.json && strcmp(v.name, "a") == 0 && strcmp(v.data, "b") == 0);
    cr_expect_eq(give_words("--name=a", "b", NULL), SR_OK, "%s", err.text);
    cr_expect(strcmp(v.name, "a") == 0 && strcmp(v.data, "b") == 0);
    cr_expect_eq(give_words("a", "b", "c"), SR_USAGE);
    cr_expect(strstr(err.text, "unexpected argument 'c'"), "%s", err.text);
    cr_expect_eq(give_words("-a", NULL, NULL), SR_USAGE);
}

static const struct sr_option repeating_operand[] = {
    {"json", SR_OPTION_SWITCH, AT(json), .help = ""},
    {"data", SR_OPTION_TEXT, AT(data), .operand = true, .repeats = true, .metavar = "FILE", .help = ""},
};

Test(option, an_operand_that_repeats_takes_all_words) {
    sr_options_end(&o);
    cr_assert_eq(sr_options_begin(&o, repeating_operand, SR_COUNT(repeating_operand), &v, &err), SR_OK);
    cr_expect_eq(give("a", "--json", "b"), SR_OK, "%s", err.text);
    cr_expect(v.json && strcmp(v.data, "a,b") == 0, "%s", v.data);
    cr_expect_eq(give("a", "--json", "b"), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "a,b"); /* arguments taken a second time do not double */
    cr_expect_eq(give("--set=data=c", "d", "e"), SR_OK, "%s", err.text);
    cr_expect_str_eq(v.data, "d,e");
    cr_expect_eq(give("-a", NULL, NULL), SR_USAGE);
}
