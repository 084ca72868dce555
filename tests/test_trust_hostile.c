/* test_trust_hostile.c: malformed files, each refused with the message that its table says: by the parser in
 * process, and some by the program's commands. See hostile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/data.h"
#include "tests/hostile.h"

/* Opens a file of tensors and reads every tensor whole. */
static int read_tensors(const char *path, struct sr_error *err) {
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

static void expect_tensors(const struct hostile *h) {
    struct sr_error err = {0};
    hostile_limit_memory();
    const double begin = hostile_cpu();
    const int status = read_tensors(h->path, &err);
    hostile_expect(h, status, &err, hostile_cpu() - begin);
}

Test(hostile, tables_and_files_agree) {
    hostile_check_table("npy", 1);
    hostile_check_table("pt", 1);
}

ParameterizedTestParameters(hostile, npy) {
    return hostile_parameters("npy");
}

ParameterizedTest(struct hostile *h, hostile, npy) {
    expect_tensors(h);
}

ParameterizedTestParameters(hostile, pt) {
    return hostile_parameters("pt");
}

ParameterizedTest(struct hostile *h, hostile, pt) {
    expect_tensors(h);
}
