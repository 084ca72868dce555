/* tensor_files.h: the files of tests/vectors/pt, made by scripts/make_tensor_files.py.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_TENSOR_FILES_H
#define SR_TEST_TENSOR_FILES_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "data/data.h"

static inline const char *vector_path(char path[256], const char *name) {
    snprintf(path, 256, "%s/tests/vectors/pt/%s", SR_SOURCE_DIR, name);
    return path;
}

static inline struct sr_tensors *open_tensors(const char *path) {
    struct sr_error err = {0};
    struct sr_tensors *t;
    cr_assert_eq(sr_tensors_open(&t, path, &err), SR_OK, "%s", err.text);
    return t;
}

/* A file that the safetensors package wrote; read by the floor's reader, which is not the one under test. */
static inline struct sr_safetensors *open_expected(const char *name) {
    char path[256];
    struct sr_error err = {0};
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, vector_path(path, name), &err), SR_OK, "%s", err.text);
    return s;
}

#endif
