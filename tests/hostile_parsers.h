/* hostile_parsers.h: what reads each format of tests/hostile in process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_HOSTILE_PARSERS_H
#define SR_TEST_HOSTILE_PARSERS_H

#include "data/data.h"
#include "data/pickle.h"
#include "data/tensors.h"
#include "data/zip.h"
#include "infer/infer.h"
#include "tests/hostile.h"
#include "train/checkpoint.h"
#include "train/config.h"

/* X(format, parser, least cases) */
#define HOSTILE_FORMATS(X)                                                                                   \
    X(pt, hostile_tensors, 100)                                                                              \
    X(pickle, hostile_pickle, 150)                                                                           \
    X(safetensors, hostile_safetensors, 90)                                                                  \
    X(npy, hostile_tensors, 45)                                                                              \
    X(yaml, hostile_yaml, 45)                                                                                \
    X(csv, hostile_table, 25)                                                                                \
    X(jsonl, hostile_table, 25)                                                                              \
    X(json, hostile_json, 25)

/* Opens a file of tensors and reads every tensor whole. */
static inline int hostile_tensors(const char *path, struct sr_error *err) {
    struct sr_tensors *t;
    int status = sr_tensors_open(&t, path, err);
    for (size_t i = 0; status == SR_OK && i < sr_tensors_count(t); i++) {
        const struct sr_tensor_info *info = sr_tensors_at(t, i);
        const size_t items = (size_t)sr_tensor_info_items(info);
        void *out = sr_alloc(items + 1, sr_dtype_size(info->dtype), err);
        status = out ? sr_tensors_read(t, i, 0, out, items, err) : SR_NOMEM;
        sr_free(out);
    }
    sr_tensors_close(t);
    return status;
}

/* A pickle as the data.pkl of an archive whose record data/0 holds six float32. */
static inline void hostile_wrap(const char *archive, const char *pickle) {
    static const float numbers[6] = {0, 1, 2, 3, 4, 5};
    struct sr_error err;
    void *bytes;
    size_t size;
    cr_assert_eq(sr_file_read(&bytes, &size, pickle, 1 << 20, &err), 0, "%s", err.text);
    const struct sr_zip_part parts[] = {
        {"m/data.pkl", bytes, size}, {"m/data/0", numbers, sizeof numbers}, {"m/version", "3", 1}};
    cr_assert_eq(sr_zip_write(archive, parts, SR_COUNT(parts), &err), SR_OK, "%s", err.text);
    sr_free(bytes);
}

static inline int hostile_pickle(const char *path, struct sr_error *err) {
    char *folder = folder_begin(), archive[64];
    snprintf(archive, sizeof archive, "%s/m.pt", folder);
    hostile_wrap(archive, path);
    const int status = hostile_tensors(archive, err);
    folder_end(folder);
    return status;
}

static inline bool hostile_begins(const char *path, const char *word) {
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, word, strlen(word)) == 0;
}

/* A checkpoint as a run that goes on first looks at it. */
static inline int hostile_checkpoint(const char *path, struct sr_error *err) {
    struct sr_position at = {0};
    struct sr_history history = {0};
    const int status = sr_checkpoint_finished(path, &at, &history, err);
    sr_history_free(&history);
    return status < 0 ? status : 0;
}

/* As a serving process opens it: with the self-test. */
static inline int hostile_library(const char *path, struct sr_error *err) {
    struct saferoute_router *r = NULL;
    struct saferoute_error why;
    const int status = saferoute_open(&r, path, NULL, &why);
    saferoute_close(r);
    return status < 0 ? sr_fail(err, status, "%s", why.text) : 0;
}

/* Weights by four doors: as a file of tensors, as safetensors, as a router, by the library. The first two
 * must agree on what is a file. */
static inline int hostile_safetensors(const char *path, struct sr_error *err) {
    struct sr_error other = {0};
    struct sr_safetensors *s = NULL;
    struct sr_router *r = NULL;
    const int by_parts = hostile_tensors(path, &other), status = sr_safetensors_open(&s, path, err);
    sr_safetensors_close(s);
    cr_expect_eq(by_parts, status, "%s: %s, but %s", path, other.text, err->text);
    if (status < 0)
        return status;
    if (hostile_begins(path, "checkpoint_"))
        return hostile_checkpoint(path, err);
    const int opened = sr_router_open(&r, path, err);
    sr_router_close(r);
    return opened == 0 ? hostile_library(path, err) : opened;
}

static inline int hostile_yaml(const char *path, struct sr_error *err) {
    struct sr_config config;
    struct sr_options o;
    int status = sr_options_begin(&o, sr_config_table, sr_config_count, &config, err);
    if (status == 0)
        status = sr_option_file_read(&o, path, false, err);
    sr_options_end(&o);
    return status;
}

static inline int hostile_table(const char *path, struct sr_error *err) {
    const struct sr_convert how = {.from = path, .type = SR_CONVERT_FLOAT, .feature_prefix = "f"};
    struct sr_converted done = {0};
    char *folder = folder_begin(), out[64];
    snprintf(out, sizeof out, "%s/d.h5", folder);
    const int status = sr_convert_write(&done, out, &how, NULL, NULL, err);
    folder_end(folder);
    return status;
}

/* contract_*: where features come from, by hand; others: any JSON. */
static inline int hostile_json(const char *path, struct sr_error *err) {
    struct sr_pair *pairs = NULL;
    struct sr_json *o = NULL;
    void *text;
    size_t n;
    int status;
    if (hostile_begins(path, "contract_")) {
        status = sr_contract_file_read(&pairs, &n, path, true, err);
        sr_free(pairs);
        return status;
    }
    status = sr_file_read(&text, &n, path, 1 << 20, err);
    if (status < 0)
        return status;
    status = sr_json_parse(&o, text, n, err);
    sr_json_free(o);
    sr_free(text);
    return status;
}

#endif
