/* import_sample.h: `saferoute import` run in a folder of its own, on the network of checkpoint.pt as tests
 * change it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_IMPORT_SAMPLE_H
#define SR_TEST_IMPORT_SAMPLE_H

#include "infer/infer.h"
#include "infer/router.h"
#include "tests/run_program.h"
#include "tests/tensor_files.h"

static char *folder, source[256], out[256];
static struct sr_error err;

static inline void begin(void) {
    folder = folder_begin();
    snprintf(source, sizeof source, "%s/m.bin", folder);
    snprintf(out, sizeof out, "%s/w.safetensors", folder);
}

static inline void end(void) {
    folder_end(folder);
}

static inline void import_fine(const char *file, const char *flags) {
    struct run r = run_program(folder, "import '%s' --out '%s' %s", file, out, flags);
    cr_assert_eq(r.status, 0, "%s: %s", file, r.err);
    run_end(&r);
}

static inline void import_fails(const char *file, const char *flags, int status, const char *word) {
    expect_failure(run_program(folder, "import '%s' --out '%s' %s", file, out, flags), status, word);
    cr_expect_neq(access(out, F_OK), 0, "a file was left, though: %s", word);
}

/* ---- networks that are made here ---- */

#define TENSORS 23

/* The network of checkpoint.pt, to change before it is written. */
static struct sr_tensor list[TENSORS + SR_STATS_TENSORS + 1];
static size_t count;
static struct sr_safetensors *original;

static inline void take_original(void) {
    sr_safetensors_close(original);
    original = open_expected("as_float.checkpoint.safetensors");
    count = TENSORS;
    for (size_t i = 0; i < count; i++)
        list[i] = *sr_safetensors_at(original, i);
}

static inline struct sr_tensor *tensor(const char *name) {
    size_t i = 0;
    while (i < count && strcmp(list[i].name, name) != 0)
        i++;
    cr_assert_lt(i, count, "%s", name);
    return &list[i];
}

static inline void drop(const char *name) {
    *tensor(name) = list[count - 1];
    count--;
}

static inline void rename_to(const char *name, const char *new_name) {
    struct sr_tensor *t = tensor(name);
    memset(t->name, 0, sizeof t->name);
    memcpy(t->name, new_name, strlen(new_name));
}

static inline void write_list(const struct sr_pair *pairs, size_t n) {
    cr_assert_eq(sr_safetensors_write(source, list, count, pairs, n, &err), SR_OK, "%s", err.text);
}

static inline void refuses(const char *word) {
    write_list(NULL, 0);
    import_fails(source, "", 65, word);
    take_original();
}

#endif
