/* test_trust_isolate_answers.c: one answer of a reader (--isolate) at a time that no reader of ours gives,
 * and that it is refused. Random lies, and the channel itself: test_trust_isolate.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/puppet.h"

/* ---- one question ---- */

typedef int question(const struct puppet *p, struct sr_error *err);

static void expect(struct puppet *p, question *asked, bool fine, const char *name) {
    struct sr_error err = {0}, again = {0};
    const int status = asked(p, &err);
    if (fine) {
        cr_expect_eq(status, 0, "%s: %s", name, err.text);
        cr_expect_not(p->channel.failed, "%s", name);
    } else {
        cr_expect_eq(status, SR_DATA, "%s", name);
        cr_expect(strstr(err.text, "answered what no reader answers"), "%s: %s", name, err.text);
        cr_expect_eq(sr_h5_check(p->f, &again), SR_DATA, "%s", name);
        cr_expect_str_eq(again.text, err.text);
    }
}

/* said is the answer to op. */
static void expect_of(question *asked, enum sr_isolate_op op, struct said said, bool fine, const char *name) {
    struct puppet p;
    puppet_begin(&p);
    p.said[op] = said;
    expect(&p, asked, fine, name);
    puppet_end(&p);
}

/* ---- what a dataset is ---- */

static int ask_info(const struct puppet *p, struct sr_error *err) {
    struct sr_h5_info info;
    return sr_h5_info(p->f, "features", &info, err);
}

struct info_lie {
    const char *name;
    struct sr_isolate_info said;
    bool fine;
};

Test(isolate_answers, what_a_dataset_is) {
    static const struct info_lie lies[] = {
        {"columns", {SR_H5_INTEGER, 1, 1, {ROWS, 1, 1, 1}, "uint8"}, true},
        {"of another type and many axes", {SR_H5_OTHER, 32, 16, {ROWS, 2, 3, 4}, "another type"}, true},
        {"a kind below all", {SR_H5_HALF - 1, 2, 2, {ROWS, WIDTH, 1, 1}, "float16"}, false},
        {"a kind above all", {SR_H5_OTHER + 1, 2, 2, {ROWS, WIDTH, 1, 1}, "float16"}, false},
        {"values of no bytes", {SR_H5_HALF, 2, 0, {ROWS, WIDTH, 1, 1}, "float16"}, false},
        {"values of half of all memory", {SR_H5_OTHER, 0, UINT64_MAX / 2 + 1, {1, 1, 1, 1}, "x"}, false},
        {"less than no axes", {SR_H5_INTEGER, -1, 1, {1, 1, 1, 1}, "int8"}, false},
        {"more axes than HDF5 has", {SR_H5_HALF, 33, 2, {ROWS, WIDTH, 1, 1}, "float16"}, false},
        {"a length of no axis", {SR_H5_HALF, 2, 2, {ROWS, WIDTH, 2, 1}, "float16"}, false},
        {"more than the file may hold", {SR_H5_HALF, 2, 2, {1ull << 40, WIDTH, 1, 1}, "float16"}, false},
        {"more than 2^64 bytes", {SR_H5_HALF, 2, 2, {1ull << 32, 1ull << 31, 1, 1}, "float16"}, false},
        {"a type without an end",
         {SR_H5_HALF, 2, 2, {ROWS, WIDTH, 1, 1}, "float16_float16_float16_float16_"},
         false}};
    for (size_t i = 0; i < SR_COUNT(lies); i++)
        expect_of(ask_info, SR_ISOLATE_INFO, (struct said){&lies[i].said, sizeof lies->said, 0, 0, 0},
                  lies[i].fine, lies[i].name);
    const struct said few = {&lies[0].said, sizeof lies->said - 1, 0, 0, 0};
    expect_of(ask_info, SR_ISOLATE_INFO, few, false, "a byte too few");
    expect_of(ask_info, SR_ISOLATE_INFO, (struct said){NULL, sizeof lies->said + 1, 0, 0, 1}, false,
              "a byte too many");
}

Test(isolate_answers, what_a_dataset_is_stays) {
    struct puppet p;
    struct sr_h5_info info;
    puppet_begin(&p);
    snprintf(p.info.type, sizeof p.info.type, "a\x1b[2J");
    cr_expect_eq(sr_h5_info(p.f, "features", &info, NULL), 0);
    cr_expect_str_eq(info.type, "a?[2J");
    p.info.shape[0] = 2 * ROWS;
    cr_expect_eq(sr_h5_info(p.f, "features", &info, NULL), 0);
    cr_expect_eq(info.shape[0], ROWS);
    cr_expect_eq(sr_h5_info(p.f, "others", &info, NULL), 0);
    cr_expect_eq(info.shape[0], 2 * ROWS);
    puppet_end(&p);
}

static int ask_storage(const struct puppet *p, struct sr_error *err) {
    struct sr_h5_storage s;
    const int status = sr_h5_storage(p->f, "features", &s, err);
    cr_expect(status < 0 || !strchr(s.filters, 27));
    return status;
}

struct storage_lie {
    const char *name;
    struct sr_isolate_storage said;
    bool fine;
};

Test(isolate_answers, how_a_dataset_lies) {
    static const struct storage_lie lies[] = {
        {"in one piece", {.kind = SR_H5_ONE_PIECE, .filters = "a\x1b"}, true},
        {"chunks", {.kind = SR_H5_CHUNKS, .chunk = {4, UINT32_MAX, 1, 1}}, true},
        {"a kind below all", {.kind = SR_H5_ONE_PIECE - 1, .chunk = {1, 1, 1, 1}}, false},
        {"a kind above all", {.kind = SR_H5_CHUNKS + 1, .chunk = {1, 1, 1, 1}}, false},
        {"chunks of nothing", {.kind = SR_H5_CHUNKS, .chunk = {4, 8, 1, 0}}, false},
        {"chunks that HDF5 has not", {.kind = SR_H5_CHUNKS, .chunk = {1ull << 32, 1, 1, 1}}, false}};
    for (size_t i = 0; i < SR_COUNT(lies); i++)
        expect_of(ask_storage, SR_ISOLATE_STORAGE, (struct said){&lies[i].said, sizeof lies->said, 0, 0, 0},
                  lies[i].fine, lies[i].name);
    struct sr_isolate_storage endless = {.kind = SR_H5_ONE_PIECE};
    memset(endless.filters, 'x', sizeof endless.filters);
    expect_of(ask_storage, SR_ISOLATE_STORAGE, (struct said){&endless, sizeof endless, 0, 0, 0}, false,
              "filters without an end");
}

/* ---- what cannot fail ---- */

static void expect_list_in(char *text, size_t size, struct said said, bool fine, const char *list) {
    struct puppet p;
    puppet_begin(&p);
    p.said[SR_ISOLATE_LIST] = said;
    sr_h5_list(p.f, text, size);
    cr_expect(strcmp(text, list) == 0, "%.40s instead of %.40s", text, list);
    cr_expect_eq(p.channel.failed, !fine, "%.40s", list);
    puppet_end(&p);
}

static void expect_list(struct said said, bool fine, const char *list) {
    char text[16];
    expect_list_in(text, sizeof text, said, fine, list);
}

Test(isolate_answers, what_is_in_a_file) {
    expect_list((struct said){"a\x1b[2J", 6, 0, 0, 0}, true, "a?[2J");
    expect_list((struct said){"fifteen letters", 16, 4, 0, 0}, true, "fifteen letters");
    expect_list((struct said){"fifteen letters", 15, 0, 0, 0}, true, "nothing");
    expect_list((struct said){NULL, 0, 0, 0, 0}, true, "nothing");
    expect_list((struct said){NULL, 17, 0, 0, 'a'}, false, "nothing");
    expect_list((struct said){NULL, 17, 9, 0, 'a'}, false, "nothing");
}

/* Whoever asked would have room for it, and the bytes behind the window are there. */
Test(isolate_answers, what_is_behind_the_window) {
    static char text[SR_ISOLATE_WINDOW + 64], want[SR_ISOLATE_WINDOW + 1];
    const size_t n = SR_ISOLATE_WINDOW + 1;
    memset(want, 'a', n - 1);
    expect_list_in(text, sizeof text, (struct said){NULL, n, 0, 0, 'a'}, true, want);
    expect_list_in(text, sizeof text, (struct said){NULL, n, n, 0, 'a'}, false, "nothing");
}

Test(isolate_answers, yes_is_one) {
    struct puppet p;
    puppet_begin(&p);
    for (uint64_t number = 0; number < 3; number++) {
        p.said[SR_ISOLATE_HAS].number = p.said[SR_ISOLATE_HAS_ATTRIBUTE].number = number;
        cr_expect_eq(sr_h5_has(p.f, "features"), number == 1);
        cr_expect_eq(sr_h5_has_attribute(p.f, "features", "names"), number == 1);
    }
    puppet_end(&p);
}

/* Names that a request has no room for are not asked about. */
Test(isolate_answers, names_have_an_end) {
    static char name[SR_ISOLATE_PATH + 1];
    struct puppet p;
    struct sr_error err = {0};
    char *value;
    puppet_begin(&p);
    p.said[SR_ISOLATE_HAS].number = p.said[SR_ISOLATE_HAS_ATTRIBUTE].number = 1;
    memset(name, 'a', SR_ISOLATE_NAME - 1);
    cr_expect(sr_h5_has_attribute(p.f, name, "names"));
    memset(name, 'a', SR_ISOLATE_NAME);
    cr_expect_not(sr_h5_has_attribute(p.f, name, "names"));
    cr_expect_eq(sr_h5_attribute(p.f, name, "names", &value, &err), SR_DATA);
    cr_expect(strstr(err.text, "too long for --isolate"), "%s", err.text);
    memset(name, 'a', SR_ISOLATE_PATH - 1);
    cr_expect(sr_h5_has(p.f, name));
    memset(name, 'a', SR_ISOLATE_PATH);
    cr_expect_not(sr_h5_has(p.f, name));
    cr_expect_not(p.channel.failed);
    puppet_end(&p);
}

/* ---- columns ---- */

static int ask_integers(const struct puppet *p, struct sr_error *err) {
    int64_t out[ROWS];
    return sr_h5_read_integers(p->f, "label", out, ROWS, err);
}

static int ask_doubles(const struct puppet *p, struct sr_error *err) {
    double out[ROWS];
    return sr_h5_read_doubles(p->f, "label", out, ROWS, err);
}

struct taken {
    const struct puppet *p;
    size_t n;
};

/* Never from the window, which another process may change at any time. */
static int take_values(void *user, const double *values, size_t n, struct sr_error *err) {
    struct taken *t = user;
    (void)err;
    const unsigned char *at = (const unsigned char *)values;
    cr_expect(at < t->p->window || at >= t->p->window + SR_ISOLATE_WINDOW, "values in the window");
    t->n += n;
    return 0;
}

static int ask_each(const struct puppet *p, struct sr_error *err) {
    struct taken t = {.p = p};
    const int status = sr_h5_each_double(p->f, "features", take_values, &t, err);
    cr_expect(status < 0 ? t.n <= ROWS : t.n == ROWS, "%zu values", t.n);
    return status;
}

Test(isolate_answers, values_are_as_many_as_rows) {
    static const struct {
        question *asked;
        enum sr_isolate_op op;
    } columns[] = {{ask_integers, SR_ISOLATE_INTEGERS},
                   {ask_doubles, SR_ISOLATE_DOUBLES},
                   {ask_each, SR_ISOLATE_EACH_DOUBLE}};
    enum { ALL = ROWS * 8 };
    for (size_t i = 0; i < SR_COUNT(columns); i++) {
        question *asked = columns[i].asked;
        const enum sr_isolate_op op = columns[i].op;
        expect_of(asked, op, (struct said){NULL, ALL, 0, 0, 1}, true, "all");
        expect_of(asked, op, (struct said){NULL, ALL, 16, 0, 1}, true, "all in pieces");
        expect_of(asked, op, (struct said){NULL, 0, 0, 0, 1}, false, "none");
        expect_of(asked, op, (struct said){NULL, ALL - 8, 0, 0, 1}, false, "one too few");
        expect_of(asked, op, (struct said){NULL, ALL + 8, 0, 0, 1}, false, "one too many");
        expect_of(asked, op, (struct said){NULL, ALL + 8, 8, 0, 1}, false, "one too many, in pieces");
        expect_of(asked, op, (struct said){NULL, ALL + 1, 0, 0, 1}, false, "a byte too many");
    }
    expect_of(ask_each, SR_ISOLATE_EACH_DOUBLE, (struct said){NULL, ALL, 12, 0, 1}, false, "a half of one");
}

Test(isolate_answers, rows_that_memory_cannot_hold) {
    struct puppet p;
    struct sr_error err = {0};
    int64_t none;
    puppet_begin(&p);
    cr_expect_eq(sr_h5_read_integers(p.f, "label", &none, SIZE_MAX / 8 + 1, &err), SR_DATA);
    cr_expect(strstr(err.text, "more rows than memory can hold"), "%s", err.text);
    cr_expect_not(p.channel.failed);
    puppet_end(&p);
}

/* ---- texts ---- */

static int ask_texts(const struct puppet *p, struct sr_error *err) {
    char **out;
    const int status = sr_h5_read_texts(p->f, "id", &out, 3, err);
    cr_expect(status < 0 ? !out : strlen(out[0]) + strlen(out[1]) + strlen(out[2]) > 0);
    sr_free(out);
    return status;
}

static int ask_text(const struct puppet *p, struct sr_error *err) {
    char **out;
    const int status = sr_h5_read_texts(p->f, "id", &out, 1, err);
    sr_free(out);
    return status;
}

/* Of more rows than there is memory for. */
static int ask_many_texts(const struct puppet *p, struct sr_error *err) {
    char **out;
    return sr_h5_read_texts(p->f, "id", &out, SIZE_MAX / 16, err);
}

Test(isolate_answers, texts_are_as_many_as_rows) {
    static const struct {
        const char *name, *bytes;
        size_t n;
        bool fine;
    } lies[] = {{"three", "a\0bc\0d", 7, true},
                {"two", "ab\0c", 5, false},
                {"four", "a\0b\0c\0d", 8, false},
                {"less than a byte each", "a", 2, false},
                {"one without an end", "a\0b\0c", 5, false}};
    for (size_t i = 0; i < SR_COUNT(lies); i++)
        for (size_t piece = 0; piece < 4; piece += 3)
            expect_of(ask_texts, SR_ISOLATE_TEXTS, (struct said){lies[i].bytes, lies[i].n, piece, 0, 0},
                      lies[i].fine, lies[i].name);
    static const char full[48 + 1] = "a text that fills the last of blocks of 64 bytes";
    expect_of(ask_text, SR_ISOLATE_TEXTS, (struct said){full, 48, 0, 0, 0}, false, "no end at all");
    expect_of(ask_texts, SR_ISOLATE_TEXTS, (struct said){NULL, 0, 0, 0, 0}, false, "none");
    expect_of(ask_many_texts, SR_ISOLATE_TEXTS, (struct said){"a\0b", 4, 0, 0, 0}, false, "far too few");
}

/* What strings may come to by the file's size, and by what a channel takes of any file. */
Test(isolate_answers, texts_have_an_end, .timeout = 60) {
    struct puppet p;
    puppet_begin(&p);
    const size_t most = (size_t)sr_h5_texts_most(p.f) + 1; /* and its NUL */
    puppet_end(&p);
    expect_of(ask_text, SR_ISOLATE_TEXTS, (struct said){NULL, most, 0, 0, 'a'}, true, "as much as may be");
    expect_of(ask_text, SR_ISOLATE_TEXTS, (struct said){NULL, most + 1, 0, 0, 'a'}, false, "a byte more");
    for (size_t n = 100; n < 102; n++) {
        puppet_begin(&p);
        p.channel.most = 100;
        p.said[SR_ISOLATE_TEXTS] = (struct said){NULL, n, 60, 0, 'a'};
        expect(&p, ask_text, n == 100, "what the channel takes");
        puppet_end(&p);
    }
}

/* ---- attributes ---- */

static int ask_attribute(const struct puppet *p, struct sr_error *err) {
    char *value;
    const int status = sr_h5_attribute(p->f, "/", "feature_model", &value, err);
    sr_free(value);
    return status;
}

static int ask_attribute_list(const struct puppet *p, struct sr_error *err) {
    char **values;
    size_t n;
    const int status = sr_h5_attribute_list(p->f, "source", "names", &values, &n, err);
    cr_expect_eq(values != NULL, n > 0);
    sr_free(values);
    return status;
}

Test(isolate_answers, attributes, .timeout = 60) {
    const enum sr_isolate_op one = SR_ISOLATE_ATTRIBUTE, list = SR_ISOLATE_ATTRIBUTE_LIST;
    const size_t most = (size_t)SR_H5_TEXT_MAX + SR_H5_LIST_MAX;
    expect_of(ask_attribute, one, (struct said){NULL, 0, 0, 0, 0}, true, "none");
    expect_of(ask_attribute, one, (struct said){"a", 2, 0, 1, 0}, true, "a text");
    expect_of(ask_attribute, one, (struct said){NULL, 0, 0, 1, 0}, false, "one that is not there");
    expect_of(ask_attribute, one, (struct said){"a", 2, 0, 0, 0}, false, "none that is there");
    expect_of(ask_attribute, one, (struct said){"a\0b", 4, 0, 1, 0}, false, "two");
    expect_of(ask_attribute, one, (struct said){NULL, most, 0, 1, 'a'}, true, "as much as may be");
    expect_of(ask_attribute, one, (struct said){NULL, most + 1, 0, 1, 'a'}, false, "a byte more");
    expect_of(ask_attribute_list, list, (struct said){NULL, 0, 0, 0, 0}, true, "no list");
    expect_of(ask_attribute_list, list, (struct said){"a\0b", 4, 0, 2, 0}, true, "a list");
    expect_of(ask_attribute_list, list, (struct said){"a\0b", 4, 0, 3, 0}, false, "one too few");
    expect_of(ask_attribute_list, list, (struct said){"a\0b", 4, 0, UINT64_MAX, 0}, false, "all too few");
    expect_of(ask_attribute_list, list, (struct said){NULL, most + 1, 0, 1, 'a'}, false, "a byte more");
    expect_of(ask_attribute_list, list, (struct said){NULL, SR_H5_LIST_MAX, 0, SR_H5_LIST_MAX, 0}, true,
              "the longest list");
    expect_of(ask_attribute_list, list, (struct said){NULL, SR_H5_LIST_MAX + 1, 0, SR_H5_LIST_MAX + 1, 0},
              false, "a longer one");
}

/* ---- features ---- */

static int open_matrix(const struct puppet *p, struct sr_error *err) {
    struct sr_h5_matrix *m;
    const int status = sr_h5_matrix_open(&m, p->f, "features", SR_FEATURE_HALF, err);
    if (status == 0)
        sr_h5_matrix_close(m);
    return status;
}

Test(isolate_answers, ways_are_three) {
    const enum sr_isolate_op op = SR_ISOLATE_MATRIX_OPEN;
    const size_t n = sizeof SR_H5_BY_CHUNKS;
    expect_of(open_matrix, op, (struct said){SR_H5_BY_CHUNKS, n, 0, 1, 0}, true, "one");
    expect_of(open_matrix, op, (struct said){SR_H5_BY_CHUNKS, n - 1, 0, 1, 0}, false, "without its end");
    expect_of(open_matrix, op, (struct said){SR_H5_BY_CHUNKS, 2, 0, 1, 0}, false, "its beginning");
    expect_of(open_matrix, op, (struct said){NULL, 0, 0, 1, 0}, false, "none");
    expect_of(open_matrix, op, (struct said){NULL, 100, 0, 1, 'a'}, false, "a long one");
}

Test(isolate_answers, rows_that_cannot_be_read) {
    static const struct sr_isolate_info no[] = {
        {SR_H5_HALF, 1, 2, {ROWS, 1, 1, 1}, "float16"},
        {SR_H5_HALF, 3, 2, {ROWS, WIDTH, 2, 1}, "float16"},
        {SR_H5_HALF, 2, 2, {ROWS, 0, 1, 1}, "float16"},
        {SR_H5_HALF, 2, 2, {ROWS, SR_ISOLATE_WINDOW / sizeof(float) + 1, 1, 1}, "float16"}};
    for (size_t i = 0; i < SR_COUNT(no); i++) {
        struct puppet p;
        struct sr_error err = {0};
        puppet_begin(&p);
        p.info = no[i];
        cr_expect_eq(open_matrix(&p, &err), SR_DATA, "%zu", i);
        cr_expect(strstr(err.text, "rows that --isolate cannot read"), "%zu: %s", i, err.text);
        puppet_end(&p);
    }
}

static int read_matrix(const struct puppet *p, struct sr_error *err) {
    uint16_t out[ROWS * WIDTH];
    struct sr_h5_matrix *m;
    cr_assert_eq(sr_h5_matrix_open(&m, p->f, "features", SR_FEATURE_HALF, err), 0, "%s", err->text);
    const int status = sr_h5_matrix_read(m, out, 0, ROWS, SR_FEATURE_HALF, err);
    sr_h5_matrix_close(m);
    return status;
}

Test(isolate_answers, features_are_as_many_as_rows) {
    const enum sr_isolate_op op = SR_ISOLATE_MATRIX_READ;
    enum { ALL = ROWS * WIDTH * 2 };
    expect_of(read_matrix, op, (struct said){NULL, ALL, 0, 0, 1}, true, "all");
    expect_of(read_matrix, op, (struct said){NULL, ALL, 100, 0, 1}, true, "all in pieces");
    expect_of(read_matrix, op, (struct said){NULL, ALL - 1, 0, 0, 1}, false, "a byte too few");
    expect_of(read_matrix, op, (struct said){NULL, ALL + 1, 0, 0, 1}, false, "a byte too many");
    expect_of(read_matrix, op, (struct said){NULL, ALL + 1, 100, 0, 1}, false, "that in pieces");
}

/* Rows are asked for by as many as the window holds. */
Test(isolate_answers, the_window_is_enough) {
    enum { MANY = 5, LONG = SR_ISOLATE_WINDOW / sizeof(float) / 2 };
    struct puppet p;
    struct sr_error err = {0};
    struct sr_h5_matrix *m;
    float *x = sr_alloc(MANY * LONG, sizeof *x, NULL);
    puppet_begin(&p);
    p.info = (struct sr_isolate_info){SR_H5_HALF, 2, 2, {MANY, LONG, 1, 1}, "float16"};
    p.said[SR_ISOLATE_MATRIX_READ] = (struct said){NULL, 2 * LONG * sizeof *x, 0, 0, 1};
    cr_assert_eq(sr_h5_matrix_open(&m, p.f, "features", SR_FEATURE_HALF, &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_matrix_read(m, x, 0, 4, SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    cr_expect_eq(p.most_rows, 2);
    sr_h5_matrix_close(m);
    puppet_end(&p);
    sr_free(x);
}

/* ---- files ---- */

/* A reader gets time by what its files have on disk, not by what a sparse one claims. */
Test(isolate_answers, a_sparse_file_gets_no_time) {
    struct puppet p;
    struct stat st;
    puppet_begin(&p);
    cr_assert_eq(stat(p.path, &st), 0);
    cr_expect(st.st_blocks > 0 && st.st_blocks * 512 < FILE_BYTES);
    cr_expect_eq(p.channel.files, (uint64_t)st.st_blocks * 512);
    p.channel.files += 7;
    sr_h5_close(p.f, NULL);
    cr_expect_eq(p.channel.files, 7);
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&p.f, p.path, &err), 0, "%s", err.text);
    puppet_end(&p);
}

Test(isolate_answers, no_directory_is_handed_over) {
    struct puppet p;
    struct sr_error err = {0};
    struct sr_h5 *f;
    puppet_begin(&p);
    const size_t before = p.requests;
    cr_expect_eq(sr_h5_open(&f, "/tmp", &err), SR_NOINPUT);
    cr_expect(strstr(err.text, "/tmp is a folder"), "%s", err.text);
    cr_expect_eq(p.requests, before);
    puppet_end(&p);
}
