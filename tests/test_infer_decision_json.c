/* test_infer_decision_json.c: a decision as a line of JSON, and `saferoute explain`, which makes it again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/run_program.h"

#include <math.h>

#include "data/data.h"
#include "data/h5.h"
#include "infer/infer.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define WEIGHTS VECTORS "/router_weights.safetensors"

enum { WIDTH = 16 };

/* The line, parsed; all sizes that it can be cut to are tried. */
static struct sr_json *line_of(const struct saferoute_decision *d, const char *id) {
    char line[8192], cut[8192];
    const size_t length = saferoute_decision_json(line, sizeof line, d, id);
    cr_assert_lt(length, sizeof line);
    cr_assert_eq(strlen(line), length);
    cr_expect_null(strpbrk(line, "\n\r"));
    for (size_t size = 0; size <= length + 1; size++) {
        memset(cut, 'x', length + 3);
        cr_assert_eq(saferoute_decision_json(size ? cut : NULL, size, d, id), length);
        if (size) {
            cr_assert_eq(strlen(cut), size <= length ? size - 1 : length, "size %zu", size);
            cr_assert(strncmp(cut, line, strlen(cut)) == 0 && cut[size] == 'x', "size %zu", size);
        }
    }
    return parse(line);
}

static const char *text_of(const struct sr_json *o, const char *key) {
    const char *text = sr_json_as_string(sr_json_get(o, key));
    cr_assert_not_null(text, "%s", key);
    return text;
}

Test(infer_decision_json, every_reason) {
    for (int reason = 0; reason < SAFEROUTE_REASON_COUNT; reason++) {
        const struct saferoute_decision d = {.artefact = {0xab, 1, [31] = 0xff},
                                             .key = 0x123456789abcdef0u,
                                             .logit = -1.1f,
                                             .prob = .1f,
                                             .calibrated = 1e-30f,
                                             .threshold = .6f,
                                             .range = .5f,
                                             .range_limit = 1,
                                             .large = reason != 0,
                                             .reason = (uint8_t)reason,
                                             .precision = SAFEROUTE_COMPUTE_INT8};
        struct sr_json *o = line_of(&d, "id");
        cr_expect_str_eq(text_of(o, "reason"), saferoute_reason_name(reason));
        cr_expect_str_eq(text_of(o, "decision"), reason ? "large" : "small");
        cr_expect_str_eq(text_of(o, "precision"), "int8");
        cr_expect_str_eq(text_of(o, "key"), "123456789abcdef0");
        cr_expect_str_eq(text_of(o, "artefact"),
                         "ab010000000000000000000000000000000000000000000000000000000000ff");
        cr_expect_eq(number(o, "schema_version"), 1);
        cr_expect_eq((float)number(o, "logit"), d.logit);
        cr_expect_eq((float)number(o, "prob"), d.prob);
        cr_expect_eq((float)number(o, "calibrated"), d.calibrated);
        cr_expect_eq((float)number(o, "threshold"), d.threshold);
        cr_expect_eq((float)number(o, "range"), d.range);
        cr_expect_eq((float)number(o, "range_limit"), d.range_limit);
        sr_json_free(o);
    }
}

Test(infer_decision_json, what_is_no_number_is_null) {
    static const char *const keys[] = {"logit", "prob", "calibrated", "threshold", "range"};
    const struct saferoute_decision d = {.logit = NAN,
                                         .prob = NAN,
                                         .calibrated = -INFINITY,
                                         .threshold = NAN,
                                         .range = INFINITY,
                                         .reason = 200};
    struct sr_json *o = line_of(&d, NULL);
    for (size_t i = 0; i < SR_COUNT(keys); i++)
        cr_expect(sr_json_is_null(sr_json_get(o, keys[i])), "%s", keys[i]);
    cr_expect(sr_json_is_null(sr_json_get(o, "id")));
    cr_expect_str_eq(text_of(o, "reason"), "UNKNOWN");
    sr_json_free(o);
}

Test(infer_decision_json, hostile_ids) {
    char every[256];
    for (size_t i = 0; i < 255; i++)
        every[i] = (char)(i + 1);
    every[255] = '\0';
    const char *const ids[] = {"",   "\"},{\"decision\":\"small", "\\", "\\u0041\\\"", "line\nbreak\r\t",
                               every};
    const struct saferoute_decision d = {.large = 1};
    for (size_t i = 0; i < SR_COUNT(ids); i++) {
        struct sr_json *o = line_of(&d, ids[i]);
        cr_expect_str_eq(text_of(o, "decision"), "large");
        cr_expect_eq(sr_json_size(o), 14);
        if (i + 1 < SR_COUNT(ids))
            cr_expect_str_eq(text_of(o, "id"), ids[i]);
        sr_json_free(o);
    }
    char line[SAFEROUTE_JSON_SIZE];
    memset(every, 1, 128);
    every[128] = '\0';
    const struct saferoute_decision longest = {.key = UINT64_MAX,
                                               .logit = -1.17549435e-38f,
                                               .prob = -1.17549435e-38f,
                                               .calibrated = -1.17549435e-38f,
                                               .threshold = -1.17549435e-38f,
                                               .range = -1.17549435e-38f,
                                               .range_limit = -1.17549435e-38f,
                                               .reason = SAFEROUTE_REASON_OUT_OF_RANGE,
                                               .precision = SAFEROUTE_COMPUTE_BFLOAT16};
    cr_expect_lt(saferoute_decision_json(line, sizeof line, &longest, every), sizeof line,
                 "as the header says");
}

/* ---- explain ---- */

/* Features in row.npy, and the line that a process with these options wrote of them in line.json. */
static void npy_write(const char *folder, const float *x, size_t width) {
    char path[256], dict[118];
    struct sr_error err;
    unsigned char file[128 + 4 * 64] = "\x93NUMPY\x01\x00\x76\x00";
    snprintf(dict, sizeof dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, %zu), }", width);
    memset(file + 10, ' ', 118);
    memcpy(file + 10, dict, strlen(dict));
    file[127] = '\n';
    memcpy(file + 128, x, width * sizeof *x);
    snprintf(path, sizeof path, "%s/row.npy", folder);
    cr_assert_eq(sr_atomic_file_write(path, file, 128 + width * sizeof *x, &err), 0, "%s", err.text);
}

static void line_write(const char *folder, const struct saferoute_decision *d, const char *id) {
    char path[256], line[SAFEROUTE_JSON_SIZE];
    const size_t n = saferoute_decision_json(line, sizeof line, d, id);
    snprintf(path, sizeof path, "%s/line.json", folder);
    cr_assert_eq(sr_atomic_file_write(path, line, n, NULL), 0);
}

static struct saferoute_decision log_row(const char *folder, const float *x, size_t width,
                                         const struct saferoute_options *o) {
    struct saferoute_router *r;
    struct saferoute_decision d;
    const uint64_t key = 77;
    cr_assert_eq(saferoute_open(&r, WEIGHTS, o, NULL), 0);
    saferoute_decide(r, &d,
                     &(struct saferoute_rows){
                         .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = width, .key = &key},
                     NULL);
    saferoute_close(r);
    line_write(folder, &d, NULL);
    npy_write(folder, x, width);
    return d;
}

static struct run explain(const char *folder) {
    return run_program(folder, "explain --model " WEIGHTS " --decision %s/line.json --features %s/row.npy",
                       folder, folder);
}

static void expect_same(struct run r, const char *word) {
    cr_expect_eq(r.status, 0, "%s%s", r.out, r.err);
    cr_expect_eq(strncmp(r.out, "same: ", 6), 0, "%s", r.out);
    expect_in(r.out, word);
    run_end(&r);
}

static void expect_different(struct run r, const char *word) {
    cr_expect_eq(r.status, 1, "%s%s", r.out, r.err);
    cr_expect_eq(strncmp(r.out, "different\n", 10), 0, "%s", r.out);
    expect_in(r.err, word);
    run_end(&r);
}

static const float row[WIDTH] = {.5f, -1,   2, .25f, 1,    -.75f, .1f,   .3f,
                                 -2,  1.5f, 0, .7f,  -.4f, .9f,   -1.1f, 2.5f};

Test(infer_explain, same_for_every_precision_and_reason) {
    char *folder = folder_begin();
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        log_row(folder, row, WIDTH, &(struct saferoute_options){.precision = precision});
        expect_same(explain(folder), sr_precision_name(precision));
    }
    float bad[WIDTH];
    memcpy(bad, row, sizeof bad);
    bad[5] = NAN;
    cr_assert_eq(log_row(folder, bad, WIDTH, NULL).reason, SAFEROUTE_REASON_NOT_FINITE);
    expect_same(explain(folder), "NOT_FINITE");
    for (size_t i = 0; i < WIDTH; i++)
        bad[i] = 3.3e38f;
    cr_assert_eq(log_row(folder, bad, WIDTH, NULL).reason, SAFEROUTE_REASON_OVERFLOW);
    expect_same(explain(folder), "OVERFLOW");
    cr_assert_eq(log_row(folder, row, WIDTH - 1, NULL).reason, SAFEROUTE_REASON_WIDTH);
    expect_same(explain(folder), "WIDTH");
    const struct saferoute_options all = {.explore = 1, .has_threshold = 1, .threshold = 1};
    cr_assert_eq(log_row(folder, row, WIDTH, &all).reason, SAFEROUTE_REASON_EXPLORE);
    expect_same(explain(folder), "EXPLORE");
    folder_end(folder);
}

Test(infer_explain, different_features_router_or_line) {
    char *folder = folder_begin();
    struct saferoute_decision d = log_row(folder, row, WIDTH, NULL), other;
    float changed[WIDTH];
    memcpy(changed, row, sizeof changed);
    changed[3] += .001f;
    npy_write(folder, changed, WIDTH);
    expect_different(explain(folder), "the same router gives another result");
    npy_write(folder, row, WIDTH);

    other = d;
    other.large = !d.large;
    line_write(folder, &other, NULL);
    expect_different(explain(folder), "the line was changed");
    other = d;
    other.logit = nextafterf(d.logit, 9);
    line_write(folder, &other, NULL);
    expect_different(explain(folder), "the line was changed");
    other = d;
    other.artefact[0] ^= 1;
    line_write(folder, &other, NULL);
    expect_different(explain(folder), "not the weights that decided");
    other = d;
    other.reason = SAFEROUTE_REASON_OVERLOAD; /* of a row that is in range */
    line_write(folder, &other, NULL);
    expect_different(explain(folder), "the line was changed");
    line_write(folder, &d, NULL);
    expect_same(explain(folder), "SCORE");
    folder_end(folder);
}

/* A line with its first change[0] replaced by change[1]. */
static struct run explain_changed(const char *folder, const char *const change[2]) {
    const struct saferoute_decision d = {
        .large = 1, .prob = NAN, .precision = SAFEROUTE_COMPUTE_FLOAT32, .range_mode = SAFEROUTE_RANGE_ROUTE};
    char line[SAFEROUTE_JSON_SIZE], text[2 * SAFEROUTE_JSON_SIZE], path[256];
    saferoute_decision_json(line, sizeof line, &d, NULL);
    const char *at = strstr(line, change[0]);
    cr_assert(at, "%s is not in %s", change[0], line);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - line), line, change[1], at + strlen(change[0]));
    snprintf(path, sizeof path, "%s/line.json", folder);
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), NULL), 0);
    return explain(folder);
}

Test(infer_explain, refuses_what_cannot_be_made_again) {
    char *folder = folder_begin(), path[256];
    struct saferoute_decision d = {.large = 1, .reason = SAFEROUTE_REASON_NO_ROUTER};
    log_row(folder, row, WIDTH, NULL);
    line_write(folder, &d, NULL);
    expect_failure(explain(folder), 65, "NO_ROUTER");
    snprintf(path, sizeof path, "%s/line.json", folder);
    static const char *const garbage[] = {"",    "no json",          "{}",
                                          "[1]", "{\"artefact\":5}", "{\"artefact\":\"\""};
    for (size_t i = 0; i < SR_COUNT(garbage); i++) {
        cr_assert_eq(sr_atomic_file_write(path, garbage[i], strlen(garbage[i]), NULL), 0);
        struct run r = explain(folder);
        cr_expect_eq(r.status, 65, "%s: %s", garbage[i], r.err);
        run_end(&r);
    }
    unlink(path);
    expect_failure(explain(folder), 66, "line.json");
    log_row(folder, row, WIDTH, NULL);
    snprintf(path, sizeof path, "%s/row.npy", folder);
    unlink(path);
    expect_failure(explain(folder), 66, "row.npy");
    expect_failure(run_program(folder, "explain --model " WEIGHTS), 2, "--decision is missing");
    folder_end(folder);
}

Test(infer_explain, refuses_what_the_library_does_not_write) {
    static const char *const changed[][3] = {
        {"\"large\"", "\"\\u001b[2J\"", ": decision \""},
        {"\"SCORE\"", "\"\\u001b[2J\"", ": reason \""},
        {"\"route\"", "\"\\u001b[2J\"", ": range_mode \""},
        {"\"artefact\":\"0", "\"artefact\":\"g", "\"artefact\" is not 64 hexadecimal"},
        {"\"artefact\":\"0", "\"artefact\":\"", "\"artefact\" is not 64 hexadecimal"},
        {"\"key\":\"0", "\"key\":\"x", "\"key\" is not 16 hexadecimal"},
        {"\"artefact\":\"0", "\"artefact\":\"00", "\"artefact\" is longer than any"},
        {"\"decision\":\"large\"", "\"decision\":1", "no text \"decision\""},
        {"\"precision\":\"float32\"", "\"precision\":null", "no text \"precision\""},
        {"\"precision\":\"float32\"", "\"precision\":\"float64\"", "precision \"float64\" is none"},
        {"\"SCORE\"", "\"NO_FEATURES\"", "reason NO_FEATURES: none were given"},
        {"\"logit\":", "\"other\":", "\"logit\" is missing or no number"},
        {"\"prob\":null", "\"prob\":\"1\"", "\"prob\" is missing or no number"},
        {"\"prob\":null", "\"prob\":1e39", "\"prob\" is greater"}};
    char *folder = folder_begin();
    log_row(folder, row, WIDTH, NULL);
    for (size_t i = 0; i < SR_COUNT(changed); i++)
        expect_failure(explain_changed(folder, changed[i]), 65, changed[i][2]);
    folder_end(folder);
}

/* ---- rows of dumps by their id ---- */

/* Rows 0 (zeros) and 1 (`row`) with ids, in float16. */
static void dump_write(const char *path, const char *const ids[2]) {
    struct sr_h5 *f;
    struct sr_error err = {0};
    uint16_t half[2 * WIDTH] = {0};
    sr_vec()->float_to_half(half + WIDTH, row, WIDTH);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", 2, WIDTH, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", half, 0, 2, WIDTH, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, ids, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
}

Test(infer_explain, finds_the_row_of_a_dump_by_its_id) {
    static const char *const ids[] = {"first", "pr\u00fcfung \u4f60\u597d"};
    char *folder = folder_begin(), path[256];
    float x[WIDTH];
    uint16_t half[WIDTH];
    snprintf(path, sizeof path, "%s/d.h5", folder);
    dump_write(path, ids);
    sr_vec()->float_to_half(half, row, WIDTH);
    sr_vec()->half_to_float(x, half, WIDTH);
    const struct saferoute_decision d = log_row(folder, x, WIDTH, NULL);
    const struct {
        const char *id, *option;
        int status;
    } cases[] = {{ids[1], "", 0}, {"first", "", 1},     {"first", "--row 1", 0}, {"missing", "", 65},
                 {NULL, "", 2},   {NULL, "--row 1", 0}, {"first", "--row 2", 65}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        line_write(folder, &d, cases[i].id);
        struct run r =
            run_program(folder, "explain --model " WEIGHTS " --decision %s/line.json --features %s %s",
                        folder, path, cases[i].option);
        cr_expect_eq(r.status, cases[i].status, "case %zu: %s%s", i, r.out, r.err);
        run_end(&r);
    }
    folder_end(folder);
}
