/* convert_sample.h: `saferoute data convert` run in a folder of its own, on files that tests write there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_CONVERT_SAMPLE_H
#define SR_TEST_CONVERT_SAMPLE_H

#include <math.h>
#include <sys/stat.h>

#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

#define CONVERT_VECTORS SR_SOURCE_DIR "/tests/vectors/convert/"

static char *convert_folder;

/* For .init and .fini of a suite: file names are relative to the folder. */
static inline void convert_begin(void) {
    convert_folder = folder_begin();
    cr_assert_eq(chdir(convert_folder), 0);
}

static inline void convert_end(void) {
    cr_assert_eq(chdir("/"), 0);
    folder_end(convert_folder);
}

static inline void write_bytes(const char *name, const void *bytes, size_t size) {
    struct sr_error err = {0};
    cr_assert_eq(sr_atomic_file_write(name, bytes, size, &err), 0, "%s", err.text);
}

static inline void write_text(const char *name, const char *text) {
    write_bytes(name, text, strlen(text));
}

/* A .npy file, as NumPy writes version 1.0; shape is "(12, 8)". */
static inline void write_npy(const char *name, const char *descr, const char *shape, const void *data,
                             size_t bytes) {
    char head[128];
    FILE *f = fopen(name, "wb");
    cr_assert_not_null(f);
    const int n =
        snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape);
    fprintf(f, "\x93NUMPY\x01%c%c%c%s", 0, n, 0, head);
    cr_assert_eq(fwrite(data, 1, bytes, f), bytes);
    cr_assert_eq(fclose(f), 0);
}

/* features.npy: the float32 features of the fixtures. */
static inline void write_features(void) {
    float x[FIXTURE_ROWS * FIXTURE_WIDTH];
    for (size_t i = 0; i < SR_COUNT(x); i++)
        x[i] = fixture_value(i / FIXTURE_WIDTH, i % FIXTURE_WIDTH);
    write_npy("features.npy", "<f4", "(12, 8)", x, sizeof x);
}

/* As vLLM's connector writes them: hidden_states [tokens, layers, 2], token_ids [tokens]; value of token t,
 * layer l, feature k is 100 t + 10 l + k + base. */
static inline void write_hidden(const char *name, uint64_t tokens, uint64_t layers, float base) {
    struct sr_error err = {0};
    float x[64];
    int64_t ids[16] = {0};
    for (uint64_t i = 0; i < tokens * layers * 2; i++)
        x[i] = (float)(100 * (i / (2 * layers)) + 10 * (i / 2 % layers) + i % 2) + base;
    const struct sr_tensor tensors[] = {{"hidden_states", SR_F32, 3, {tokens, layers, 2}, x},
                                        {"token_ids", SR_I64, 1, {tokens}, ids}};
    cr_assert_eq(sr_safetensors_write(name, tensors, 2, NULL, 0, &err), 0, "%s", err.text);
}

/* A folder of two requests, with three layers. */
static inline void write_requests(void) {
    cr_assert_eq(mkdir("hidden", 0700), 0);
    write_hidden("hidden/cmpl-b.safetensors", 2, 3, 1000);
    write_hidden("hidden/cmpl-a.safetensors", 4, 3, 0);
    write_text("hidden/cmpl-a.safetensors.lock", "");
    write_text("gold.csv", "gold\n1\n0\n");
}

/* Runs `data convert --out out.h5` with these arguments; it must end well. Returns what it printed. */
__attribute__((format(printf, 1, 2))) static inline struct run convert_fine(const char *format, ...) {
    char arguments[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    struct run r = run_program(convert_folder, "data convert --out out.h5 %s", arguments);
    cr_assert_eq(r.status, 0, "%s: %s", arguments, r.err);
    return r;
}

/* The same, and opens the dump; labels as stored where there are any. */
static inline struct sr_data *convert_open(const char *arguments) {
    struct run r = convert_fine("%s", arguments);
    const struct sr_data_options how = {.features_only = strstr(r.out, "no labels") != NULL};
    run_end(&r);
    return open_paths("out.h5", &how);
}

/* The run must fail with that status and word, and leave no dump. */
static inline void convert_refuses(int status, const char *word, const char *arguments) {
    expect_failure(run_program(convert_folder, "data convert --out none.h5 %s", arguments), status, word);
    cr_expect_neq(access("none.h5", F_OK), 0, "%s wrote a dump", arguments);
}

/* The features are scale * those of the fixtures + offset. */
static inline void expect_features(struct sr_data *d, float scale, float offset) {
    cr_assert_eq(d->rows, FIXTURE_ROWS);
    cr_assert_eq(d->width, FIXTURE_WIDTH);
    float *x = all_features(d);
    for (size_t i = 0; i < FIXTURE_ROWS * FIXTURE_WIDTH; i++) {
        const float wanted = scale * fixture_value(i / FIXTURE_WIDTH, i % FIXTURE_WIDTH) + offset;
        cr_expect_eq(x[i], wanted, "value %zu is %g, not %g", i, (double)x[i], (double)wanted);
    }
    sr_free(x);
}

/* "float16", as the file has it. */
static inline void expect_type(const char *dataset, const char *type) {
    struct sr_error err = {0};
    struct sr_h5 *f;
    struct sr_h5_info info;
    cr_assert_eq(sr_h5_open(&f, "out.h5", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_info(f, dataset, &info, &err), 0, "%s", err.text);
    cr_expect_str_eq(info.type, type, "%s is %s, not %s", dataset, info.type, type);
    sr_h5_close(f, NULL);
}

static inline const char *contract_of(const struct sr_data *d, const char *key) {
    for (size_t i = 0; i < d->contract_count; i++)
        if (strcmp(d->contract[i].key, key) == 0)
            return d->contract[i].value;
    return "";
}

#endif
