/* test_data_convert_text.c: dumps from CSV, JSONL and text files: values, and every place an error names.
 *
 * SPDX-License-Identifier: MIT
 */
#include <locale.h>

#include "data/lines.h"
#include "tests/convert_sample.h"

TestSuite(convert_text, .init = convert_begin, .fini = convert_end);

/* ---- what is the same in both ---- */

/* Row 0 knows everything, row 1 as little as it may. */
static void expect_two_rows(struct sr_data *d) {
    static const float x[] = {0.5f, -2, 1e-3f, 3, 65504, 0x1p-24f};
    cr_assert_eq(d->rows, 2);
    cr_assert_eq(d->width, 3);
    float *read = all_features(d);
    for (size_t i = 0; i < 6; i++)
        cr_expect_eq(read[i], x[i], "value %zu is %.9g", i, (double)read[i]);
    sr_free(read);
    cr_expect(d->gold[0] == 1 && d->gold[1] == SR_UNKNOWN);
    cr_expect(d->small_prob[0] == .25f && isnan(d->small_prob[1]));
    cr_expect(d->large_pred[0] == 1 && d->large_pred[1] == 0);
    cr_expect(d->label[0] == 1 && d->label[1] == SR_UNKNOWN);
    cr_expect(d->weight[0] == 2 && d->weight[1] == .5f);
    cr_expect_str_eq(d->id[0], "a,\"b\" \xc3\xa9");
    cr_expect_str_eq(d->id[1], "17");
    cr_expect_str_eq(d->source_names[d->source[0]], "forum");
    cr_expect_neq(d->group[0], d->group[1]);
    sr_data_close(d);
}

#define HEAD "id,gold,small_prob,large_pred,weight,source,group,"

Test(convert_text, csv_with_a_column_a_feature) {
    write_text("rows.csv", "\xef\xbb\xbf" HEAD "f1,f0,f2\r\n"
                           "\"a,\"\"b\"\" \xc3\xa9\",1,.25,True,2,forum,x,-2,0.5,1e-3\r\n"
                           "17,,,0,0.5,,,65504,3,5.9604644775390625e-08\r\n");
    expect_two_rows(convert_open("rows.csv --dtype float32"));
    write_text("rows.csv", HEAD "h 3,h 1,h 2\n" /* from 1 on, and a prefix of its own */
                                "\"a,\"\"b\"\" \xc3\xa9\",1,.25,1,2,forum,x,1e-3, 0.5 ,-2\n"
                                "17,-1,nan,0,0.5,,,5.9604644775390625e-08,3,65504");
    expect_two_rows(convert_open("rows.csv --dtype float32 --feature-prefix 'h '"));
}

Test(convert_text, csv_with_a_column_of_lists) {
    write_text("rows.csv", HEAD "embeddings\n"
                                "\"a,\"\"b\"\" \xc3\xa9\",1,.25,1,2,forum,x,\"[0.5, -2.0, 0.001]\"\n"
                                "17,,,0,0.5,,,\"[3,65504 , 5.9604644775390625e-08]\"\n");
    expect_two_rows(convert_open("rows.csv --dtype float32"));
}

Test(convert_text, jsonl) {
    write_text(
        "rows.jsonl",
        "{\"features\": [0.5, -2, 1e-3], \"id\": \"a,\\\"b\\\" \\u00e9\", \"gold\": true, \"other\": "
        "{\"gold\": "
        "[\"}\"]}, \"small_prob\": 0.25, \"large_pred\": 1, \"weight\": 2, \"source\": \"forum\", \"group\": "
        "\"x\"}\r\n\n"
        "{ \"gold\": null , \"small_prob\" : NaN, \"large_pred\": 0, \"weight\": 0.5, \"id\": 17,\n");
    convert_refuses(65, "rows.jsonl: line 3: column", "rows.jsonl");
    FILE *f = fopen("rows.jsonl", "r+");
    cr_assert_not_null(f);
    cr_assert_eq(fseek(f, -1, SEEK_END), 0);
    fputs("\"features\":[3,65504,5.9604644775390625e-08]}", f);
    cr_assert_eq(fclose(f), 0);
    expect_two_rows(convert_open("rows.jsonl --dtype float32"));
}

/* Columns appear where the first line has them; lines before have unknown values there. */
Test(convert_text, jsonl_lines_need_not_be_alike) {
    write_text("rows.jsonl",
               "{\"X\": [1]}\n{\"X\": [2], \"gold\": 1, \"group\": 5}\n{\"group\": 6, \"X\": [3]}\n");
    struct sr_data *d = convert_open("rows.jsonl");
    cr_expect_eq(d->rows, 3);
    cr_expect_null(d->small_pred);
    sr_data_close(d);
    expect_type("gold", "int8");
    expect_type("group", "strings"); /* one is empty */
    write_text("w.jsonl", "{\"X\": [1]}\n{\"X\": [2], \"weight\": 1}\n");
    convert_refuses(65, "row 0 has no weight, but other rows do", "w.jsonl");
    write_text("w.jsonl", "{\"X\": [1], \"weight\": 1}\n{\"X\": [2]}\n");
    convert_refuses(65, "w.jsonl: line 2: no weight, which every row needs", "w.jsonl");
}

/* The same names as a JSON reader sees them. */
Test(convert_text, jsonl_names_may_be_escaped) {
    write_text("rows.jsonl", "{\"X\":[1],\"lab\\u0065l\":1,\"\\\"\":0}\n{\"\\u0058\":[2],\"label\":0}\n");
    struct sr_data *d = convert_open("rows.jsonl");
    cr_expect_eq(d->label[0], 1);
    cr_expect_eq(d->label[1], 0);
    sr_data_close(d);
    write_text("rows.jsonl", "{\"X\":[1],\"label\":1,\"lab\\u0065l\":0}\n");
    convert_refuses(65, "two members are called label", "rows.jsonl");
    write_text("rows.jsonl", "{\"X\":[1],\"label\":1,\"\\q\":0}\n");
    convert_refuses(65, "column 22: this is no JSON", "rows.jsonl");
}

/* Plain words of JSON are ids like numbers. */
Test(convert_text, jsonl_ids_may_be_words) {
    write_text("rows.jsonl", "{\"X\":[1],\"id\":true}\n{\"X\":[2],\"id\":1.5e3}\n{\"X\":[3],\"id\":NaN}\n");
    struct sr_data *d = convert_open("rows.jsonl");
    cr_expect_str_eq(d->id[0], "true");
    cr_expect_str_eq(d->id[1], "1.5e3");
    cr_expect_str_eq(d->id[2], "");
    sr_data_close(d);
}

Test(convert_text, columns_from_several_files) {
    write_features();
    write_text("gold.csv", "who,unsafe\nx,0\nx,1\nx,0\nx,1\nx,0\nx,1\nx,0\nx,1\nx,0\nx,1\nx,0\nx,1\n");
    write_text("probs.jsonl",
               "{\"p\":{}, \"s\":0.1}\n{\"s\":0.2}\n{\"s\":0.3}\n{\"s\":0.4}\n{\"s\":0.5}\n{\"s\":0.6}\n"
               "{\"s\":0.7}\n{\"s\":0.8}\n{\"s\":0.9}\n{\"s\":1}\n{\"s\":0}\n{\"s\":1e-1}");
    write_text("group.txt", "1\n1\n2\n2\n3\n3\n4\n4\n5\n5\n-6\n-6\n");
    write_text("large.csv", "anything\n0\n1\n0\n1\n0\n1\n0\n1\n0\n1\n0\n\n");
    struct sr_data *d =
        convert_open("--features features.npy --gold gold.csv:unsafe --small-prob probs.jsonl:s "
                     "--group group.txt --large-pred large.csv --source gold.csv:who");
    expect_features(d, 1, 0);
    for (size_t i = 0; i < 12; i++) {
        cr_expect_eq(d->gold[i], i % 2);
        cr_expect_eq(d->small_pred[i], i >= 4 && i <= 9, "row %zu", i);
        cr_expect_eq(d->large_pred[i], i == 11 ? SR_UNKNOWN : i % 2);
        cr_expect_eq(d->group[i], i < 10 ? (int64_t)(i / 2 + 1) : -6);
        cr_expect_eq(d->source[i], 0);
    }
    sr_data_close(d);
    expect_type("small_prob", "float64");
    expect_type("group", "int64");
}

Test(convert_text, lines_may_end_in_carriage_returns) {
    write_text("x.csv", "f0\r\n1\r\n2\r\n");
    write_text("ids.txt", "\xef\xbb\xbf"
                          "first\r\nsecond\r\n");
    struct sr_data *d = convert_open("x.csv --id ids.txt");
    cr_expect_str_eq(d->id[0], "first");
    cr_expect_str_eq(d->id[1], "second");
    sr_data_close(d);
}

/* A number of digits that is no 64-bit integer's own spelling is a name. */
Test(convert_text, groups_of_digits_may_be_names) {
    write_text("rows.csv", "f0,label,group\n1,0,7\n2,1,007\n");
    struct sr_data *d = convert_open("rows.csv");
    cr_expect_neq(d->group[0], d->group[1]);
    sr_data_close(d);
    expect_type("group", "strings");
}

/* ---- many rows ---- */

Test(convert_text, a_thousand_rows) {
    enum { ROWS = 1000 };
    FILE *csv = fopen("rows.csv", "w"), *json = fopen("rows.jsonl", "w");
    cr_assert(csv && json);
    fputs("f0,f1,id,label\n", csv);
    for (int i = 0; i < ROWS; i++) {
        fprintf(csv, "%d,%d.5,r%d,%d\n", i, -i, i, i % 3 == 0);
        fprintf(json, "{\"id\":\"r%d\",\"features\":[%d,%d.5],\"label\":%d}\n", i, i, -i, i % 3 == 0);
    }
    cr_assert_eq(fclose(csv) | fclose(json), 0);
    const char *const files[] = {"rows.csv", "rows.jsonl", "rows.csv --gzip 2"};
    for (size_t k = 0; k < SR_COUNT(files); k++) {
        struct sr_data *d = convert_open(files[k]);
        float *x = all_features(d);
        char id[16];
        cr_assert_eq(d->rows, ROWS);
        for (int i = 0; i < ROWS; i++) {
            snprintf(id, sizeof id, "r%d", i);
            cr_expect_str_eq(d->id[i], id);
            cr_expect(x[2 * i] == (float)i && x[2 * i + 1] == (i ? -(float)i - .5f : .5f), "row %d", i);
            cr_expect_eq(d->label[i], i % 3 == 0);
        }
        sr_free(x);
        sr_data_close(d);
    }
}

/* ---- errors ---- */

static void csv_refused(const char *word, const char *text) {
    write_text("t.csv", text);
    convert_refuses(65, word, "t.csv");
}

Test(convert_text, csv_that_is_wrong) {
    csv_refused("t.csv is empty; a header line", "");
    csv_refused("t.csv has no rows", "f0,label\n");
    csv_refused(
        "t.csv: no column features; the header line has: a, label (where features have a column each, "
        "--feature-prefix",
        "a,label\n1,1\n");
    csv_refused("t.csv: line 3: column f1 is \"x\", but a number", "f0,f1,label\n1,2,0\n3,x,1\n");
    csv_refused("t.csv: line 2: column f1 is \"1,5\", but a number", "f0,f1,label\n1,\"1,5\",0\n");
    csv_refused("t.csv: line 2: column f0 is \"0x10\"", "f0,label\n0x10,0\n");
    csv_refused("2 columns begin with f, but there is no f1", "f0,f2,label\n1,2,0\n");
    csv_refused("the first feature is f7; they are counted from 0 or 1", "f7,f8,label\n1,2,0\n");
    csv_refused("t.csv: line 1: two columns are called \"f0\"", "f0,f0,label\n1,2,0\n");
    csv_refused("t.csv: line 3: label is \"2\", but it must be 0 or 1", "f0,label\n1,0\n1,2\n");
    csv_refused("t.csv: line 2: label is \"yes\", but a number is needed", "f0,label\n1,yes\n");
    csv_refused("t.csv: line 2: label is \"1 1\", but a number is needed", "f0,label\n1,1 1\n");
    csv_refused("t.csv: line 2: label is \"truely\", but", "f0,label\n1,truely\n");
    csv_refused("t.csv: line 2: small_prob is \"1.5\", but a probability", "f0,label,small_prob\n1,1,1.5\n");
    csv_refused("t.csv: line 2: no weight, which every row needs", "f0,label,weight\n1,1,\n");
    csv_refused("t.csv: line 2: weight is \"inf\", but a weight is finite", "f0,label,weight\n1,1,inf\n");
    csv_refused("t.csv: line 3 has 1 fields, but the first line has 2", "f0,label\n1,1\n2\n");
    csv_refused("both labels and y could be the label", "f0,labels,y\n1,1,1\n");
    csv_refused("t.csv: line 2: X, value 1: numbers between commas in brackets are needed, not \"b]\"",
                "X,label\n\"[1,b]\",1\n");
    csv_refused("t.csv: line 2: X, value 0: numbers", "X,label\n[1 2],1\n");
    csv_refused("t.csv: line 2: X, value 1: numbers", "X,label\n\"[1,2\",1\n");
    csv_refused("t.csv: line 2: X, value 2: numbers", "X,label\n\"[1,2] 3\",1\n");
    csv_refused("t.csv: line 3: 3 features, but the rows before have 2",
                "X,label\n\"[1,2]\",1\n\"[1,2,3]\",1\n");
    csv_refused("t.csv: line 2: 0 features a row", "X,label\n[],1\n");
    write_text("t.csv", "a,b\n1,1\n");
    convert_refuses(65, "t.csv: no column c; the header line has: a, b", "t.csv --features t.csv:c");
    convert_refuses(65, "t.csv: no column label; the header line has: a, b\n",
                    "--features t.csv:a --label t.csv");
    convert_refuses(66, "no.csv", "no.csv");
}

/* More rows than columns have room for at first; words for labels in all spellings. */
Test(convert_text, thousands_of_rows) {
    static const char *const words[] = {"true", "FALSE", "True", "false", "1", "0", " tRUE ", "0.0"};
    enum { ROWS = 9000 };
    char *text = sr_alloc(ROWS, 32, NULL);
    size_t used = (size_t)sprintf(text, "id,f0,label\n");
    for (int i = 0; i < ROWS; i++)
        used += (size_t)sprintf(text + used, "r%d,%d,%s\n", i, i % 100, words[i % 8]);
    write_bytes("rows.csv", text, used);
    sr_free(text);
    struct sr_data *d = convert_open("rows.csv --dtype float32");
    cr_assert_eq(d->rows, ROWS);
    float *x = all_features(d);
    for (int i = 0; i < ROWS; i++) {
        char id[16];
        snprintf(id, sizeof id, "r%d", i);
        cr_assert_str_eq(d->id[i], id);
        cr_assert_eq(x[i], (float)(i % 100), "row %d", i);
        cr_assert_eq(d->label[i], i % 2 == 0, "row %d", i);
    }
    sr_free(x);
    sr_data_close(d);
}

static void json_refused(const char *word, const char *text) {
    write_text("t.jsonl", text);
    convert_refuses(65, word, "t.jsonl");
}

Test(convert_text, jsonl_that_is_wrong) {
    json_refused("t.jsonl has no rows", "");
    json_refused("t.jsonl: line 2: column 1: an object", "{\"X\":[1]}\n[1]\n");
    json_refused("t.jsonl: line 1: no features, which every row needs", "{\"label\":1}\n");
    json_refused("t.jsonl: line 2: no X, which every row needs", "{\"X\":[1]}\n{\"label\":1}\n");
    convert_refuses(65, "t.jsonl: line 1: no emb, which every row needs", "--features t.jsonl:emb");
    json_refused("t.jsonl: line 2: X is null, but a list of numbers", "{\"X\":[1]}\n{\"X\":null}\n");
    json_refused("t.jsonl: line 1: X is 1, but a list of numbers", "{\"X\":1}\n");
    json_refused("t.jsonl: line 1: label is [1], but a number is needed", "{\"X\":[1],\"label\":[1]}\n");
    json_refused("t.jsonl: line 1: id is {}, but a string or a number", "{\"X\":[1],\"id\":{}}\n");
    json_refused("t.jsonl: line 1: column 15: this is no JSON", "{\"X\":[1],\"id\":word}\n");
    json_refused("t.jsonl: line 1: column 19: a comma or the object's end", "{\"X\":[1],\"label\":1x}\n");
    json_refused("t.jsonl: line 1: column 15: this is no JSON", "{\"X\":[1],\"id\":tnonsense}\n");
    json_refused("t.jsonl: line 1: column 16: a comma", "{\"X\":[1],\"id\":1-2}\n");
    json_refused("t.jsonl: line 1: column 23: a comma", "{\"X\":[1],\"id\":Infinity\\x}\n");
    json_refused("t.jsonl: line 2: 2 features, but the rows before have 1", "{\"X\":[1]}\n{\"X\":[1,2]}\n");
    json_refused("t.jsonl: line 1: X, value 1: numbers between commas", "{\"X\":[1,[2]]}\n");
    json_refused("t.jsonl: line 1: column 9: this is no JSON", "{\"X\":[1,]}\n");
    json_refused("t.jsonl: line 1: two members are called label", "{\"X\":[1],\"label\":1,\"label\":0}\n");
    json_refused("both X and embeddings could be the features", "{\"X\":[1],\"embeddings\":[1]}\n");
    json_refused("t.jsonl: line 2: the label is called label here, but y on a line before",
                 "{\"X\":[1],\"y\":1}\n{\"X\":[2],\"label\":0}\n");
    json_refused("t.jsonl: line 3: the label is called labels here, but label on a line before",
                 "{\"X\":[1],\"label\":1}\n{\"X\":[2]}\n{\"X\":[2],\"labels\":0}\n");
    json_refused("t.jsonl: line 2: the label is called label here, but y on a line before",
                 "{\"X\":[1],\"y\":1}\n{\"X\":[2],\"y\":1,\"label\":0}\n");
    json_refused("t.jsonl: line 2: the features is called features here, but X on a line before",
                 "{\"X\":[1]}\n{\"features\":[2]}\n");
    json_refused("line 1: column 10: the line ends in the middle of it; was the file cut short?",
                 "{\"X\":[1,2\n");
    json_refused("line 1: column 11: the line ends in the middle", "{\"X:[1,2]}\n");
    json_refused("line 1: column 10: a comma or the object's end", "{\"X\":[1] \"y\":1}\n");
    json_refused("line 1: column 10: a name in quotes", "{\"X\":[1],}\n");
    json_refused("line 1: column 6: a colon", "{\"X\" [1]}\n");
    json_refused("line 1: column 6: this is no JSON", "{\"X\":,\"y\":1}\n");
    json_refused("line 1: column 11: more text behind", "{\"X\":[1]} x\n");
    json_refused("t.jsonl: line 1: column 17: this is no JSON", "{\"X\":[1],\"id\":\"\\x\"}\n");
    write_text("t.jsonl", "{\"X\":[1]}\n");
    convert_refuses(65, "t.jsonl: no row has a g", "t.jsonl --gold t.jsonl:g");
    write_bytes("t.jsonl", "{\0}", 3);
    convert_refuses(65, "t.jsonl: line 1 has a NUL byte", "t.jsonl");
}

/* The first value of a column without a name would be taken for the name. */
Test(convert_text, a_column_without_a_header_is_refused) {
    write_features();
    write_text("y.csv", "1\n0\n1\n0\n1\n0\n1\n0\n1\n0\n1\n0\n1\n");
    convert_refuses(65,
                    "y.csv: line 1 is \"1\", a number, and no header; put the column's name above it, or "
                    "call the file .txt",
                    "--features features.npy --label y.csv");
    write_text("x.csv", "0\n5\n6\n"); /* but a name of features that were asked for */
    struct sr_data *d = convert_open("x.csv --feature-prefix ''");
    cr_expect_eq(d->rows, 2);
    sr_data_close(d);
}

Test(convert_text, text_files_that_are_wrong) {
    write_features();
    write_text("t.txt", "1\n0\nx\n");
    convert_refuses(65, "t.txt: line 3: label is \"x\", but a number",
                    "--features features.npy --label t.txt");
    convert_refuses(65, "a .txt file is one column without a name",
                    "--features features.npy --label t.txt:x");
    convert_refuses(65, "it can be no features", "t.txt");
    convert_refuses(65, "it can be no label", "t.txt --features features.npy");
    write_text("u.jsonl", "{\"label\":1}\n");
    convert_refuses(65, "u.jsonl: line 1: no features, which every row needs", "--features u.jsonl");
    write_text("u.jsonl", "{\"X\":[1],\"id\":\"\\ud800 is half of a character, and this goes on and on\"}\n");
    convert_refuses(65, "id is \"\\ud800 is half of a character, and this, which is no JSON string",
                    "u.jsonl");
    write_text("u.jsonl", "{\"X\":[1],\"id\":\"\\ud800\"}\n");
    convert_refuses(65, "id is \"\\ud800\", which is no JSON string", "u.jsonl");
}

/* Null, NaN and empty features are bad rows, which are kept. */
Test(convert_text, unknown_features_are_bad_rows) {
    write_text("t.jsonl", "{\"X\":[1,null]}\n{\"X\":[NaN,-Infinity]}\n{\"X\":[1,2]}\n");
    struct run r = convert_fine("t.jsonl");
    expect_in(r.err, "2 of 3 rows have a NaN or an infinity among their features, the first is row 0");
    run_end(&r);
    write_text("t.csv", "f0,f1\n1,2\n,1\n");
    r = convert_fine("t.csv");
    expect_in(r.err, "1 of 2 rows have a NaN or an infinity among their features, the first is row 1");
    run_end(&r);
}

/* ---- damaged files ---- */

/* A file with these bytes is converted or refused with a message that names it; it never does harm. */
static void survives(const char *name, const char *bytes, size_t size) {
    struct sr_converted done;
    struct sr_error err = {0};
    write_bytes(name, bytes, size);
    const struct sr_convert how = {.from = name, .feature_prefix = "f"};
    const int status = sr_convert_write(&done, "out.h5", &how, NULL, NULL, &err);
    cr_expect(status == 0 || status == SR_DATA, "%d: %s", status, err.text);
    cr_expect(status == 0 || strstr(err.text, name) || strstr(err.text, "out.h5"), "%s", err.text);
}

static void damage(const char *name, const char *text) {
    static const char other[] = {'\0', '"', ',', ']'};
    const size_t size = strlen(text);
    char bytes[256];
    for (size_t n = 0; n < size; n++)
        survives(name, text, n);
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < SR_COUNT(other); k++) {
            memcpy(bytes, text, size);
            bytes[i] = other[k];
            survives(name, bytes, size);
        }
}

Test(convert_text, damaged_files_do_no_harm) {
    damage("t.jsonl",
           "{\"X\":[1,-2e3],\"id\":\"\\u00e9\",\"gold\":true,\"n\":{\"a\":[1]}}\n{\"X\":[null,4]}\n");
    damage("t.csv", "f0,f1,label,id\n1,-2e3,0,\"a\"\"b\"\r\n3,4,True,x\n");
}

/* ---- locale ---- */

/* Makes a locale with a decimal comma and uses it; false where localedef is missing. */
static bool use_comma(void) {
    write_text("comma.src", "comment_char %\nescape_char /\nLC_NUMERIC\ndecimal_point \",\"\n"
                            "thousands_sep \"\"\ngrouping -1\nEND LC_NUMERIC\n");
    char command[512];
    snprintf(command, sizeof command,
             "localedef -c --no-archive -i comma.src -f ANSI_X3.4-1968 %s/xx_COMMA >localedef.txt 2>&1",
             convert_folder);
    (void)!system(command); /* status 1: categories that this locale leaves out */
    setenv("LOCPATH", convert_folder, 1);
    return setlocale(LC_NUMERIC, "xx_COMMA") && strtod("2,5", NULL) == 2.5;
}

/* 17 digits go through strtod, which a comma locale stops at the point. */
Test(convert_text, a_comma_locale_changes_nothing) {
    const float wanted[] = {0.5f, 0.30000001192092896f, 2.5f, (float)1.2345678901234567e-30};
    struct sr_converted done;
    struct sr_error err = {0};
    if (!use_comma())
        cr_skip_test("no localedef: conversion in a comma locale was not tested");
    write_text("rows.csv",
               "f0,f1,label,small_prob\n0.5,0.30000001192092896,1,0.25\n2.5,1.2345678901234567e-30,0,1\n");
    write_text("rows.jsonl", "{\"X\":[0.5,0.30000001192092896],\"label\":1,\"small_prob\":0.25}\n"
                             "{\"X\":[2.5,1.2345678901234567e-30],\"label\":0,\"small_prob\":1}\n");
    const char *const files[] = {"rows.csv", "rows.jsonl"};
    for (size_t k = 0; k < SR_COUNT(files); k++) {
        const struct sr_convert how = {.from = files[k], .type = SR_CONVERT_FLOAT, .feature_prefix = "f"};
        cr_assert_eq(sr_convert_write(&done, "out.h5", &how, NULL, NULL, &err), 0, "%s", err.text);
        struct sr_data *d = open_paths("out.h5", NULL);
        float *x = all_features(d);
        cr_expect_arr_eq(x, wanted, sizeof wanted);
        cr_expect_eq(d->small_prob[0], .25f);
        sr_free(x);
        sr_data_close(d);
    }
}

/* ---- how ---- */

/* Calls of read() and its like by this process so far; -1 where the kernel does not tell. */
static long long reads(void) {
    long long n = -1;
    char line[128];
    FILE *io = fopen("/proc/self/io", "r");
    while (io && fgets(line, sizeof line, io))
        sscanf(line, "syscr: %lld", &n);
    if (io)
        fclose(io);
    return n;
}

/* Not a byte at a time: 200,000 of them. */
Test(convert_text, lines_are_read_in_blocks) {
    static char text[200001];
    struct sr_lines *lines;
    char *line;
    size_t n = 0;
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = i % 100 == 99 ? '\n' : 'a';
    write_text("lines.txt", text);
    const long long before = reads();
    cr_assert_eq(sr_lines_open(&lines, "lines.txt", NULL), 0);
    while (sr_lines_next(lines, &line, NULL) > 0)
        n++;
    sr_lines_close(lines);
    cr_expect_eq(n, 2000);
    if (before < 0)
        cr_skip("/proc/self/io is not to be read");
    cr_expect_lt(reads() - before, 400, "%lld calls for 200,000 bytes", reads() - before);
}
