/* vectors.h: reading what other programs computed and tests/vectors holds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_VECTORS_H
#define SR_TEST_VECTORS_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "nn/base/base.h"

static inline struct sr_safetensors *vectors_open(const char *name) {
    struct sr_error err = {0};
    struct sr_safetensors *file = NULL;
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/vectors/%s.safetensors", SR_SOURCE_DIR, name);
    cr_assert_eq(sr_safetensors_open(&file, path, &err), SR_OK, "%s", err.text);
    return file;
}

/* The tensor PREFIX.NAME, or NULL. */
static inline const struct sr_tensor *vector_find(const struct sr_safetensors *file, const char *prefix,
                                                  const char *name) {
    char key[2 * SR_TENSOR_NAME];
    snprintf(key, sizeof key, "%s.%s", prefix, name);
    return sr_safetensors_find(file, key);
}

/* Its n numbers. */
static inline const double *vector_need(const struct sr_safetensors *file, const char *prefix,
                                        const char *name, size_t n) {
    const struct sr_tensor *t = vector_find(file, prefix, name);
    cr_assert(t, "%s.%s is not among the vectors", prefix, name);
    cr_assert_eq(t->dtype, SR_F64);
    cr_assert_eq(sr_tensor_items(t), n, "%s.%s has %zu items, not %zu", prefix, name,
                 (size_t)sr_tensor_items(t), n);
    return t->data;
}

#endif
