/* inspect_sample.h: `saferoute inspect` run on files of a test's folder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_INSPECT_SAMPLE_H
#define SR_TEST_INSPECT_SAMPLE_H

#include "tests/run_program.h"

/* What inspect prints of these arguments; free with sr_free. */
static inline char *inspect(const char *folder, const char *arguments) {
    struct run r = run_program(folder, "inspect %s", arguments);
    cr_assert_eq(r.status, 0, "%s: %s", arguments, r.err);
    cr_expect_str_empty(r.err);
    sr_free(r.err);
    return r.out;
}

static inline struct sr_json *inspect_json(const char *folder, const char *arguments) {
    char text[512];
    snprintf(text, sizeof text, "--json %s", arguments);
    char *out = inspect(folder, text);
    struct sr_json *o = parse(out);
    cr_expect_eq(number(o, "schema_version"), 1);
    sr_free(out);
    return o;
}

static inline const char *path_in(char path[256], const char *folder, const char *name) {
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static inline void write_bytes(const char *folder, const char *name, const void *bytes, size_t n) {
    char path[256];
    struct sr_error err;
    cr_assert_eq(sr_atomic_file_write(path_in(path, folder, name), bytes, n, &err), 0, "%s", err.text);
}

#endif
