/* test_trust_h5_limits.c: what HDF5 files may cost and claim, where no stored file can show it: descriptors,
 * files that are large or made here. The stored ones: test_trust_hostile_h5.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_copy.h"
#include "data/h5_ways.h"
#include "tests/hostile.h"

/* ---- descriptors ---- */

Test(h5_limits, a_descriptor_that_cannot_be_looked_at_is_an_error_of_the_system) {
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_h5_here_open_descriptor(&f, 1000, "given.h5", &err), SR_IO);
    cr_expect(strstr(err.text, "Bad file descriptor"), "%s", err.text);
}

/* ---- an index that lies ---- */

enum { MANY = 4200 };

/* Of more chunks than are asked for their places, each half as large as it is if one believes the index. */
static struct sr_h5 *open_many(void) {
    char path[300];
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, "hdf5/index_many.h5"), &err), 0, "%s", err.text);
    return f;
}

Test(h5_limits, features_are_right_whatever_size_the_index_tells) {
    static float x[MANY];
    struct sr_h5 *f = open_many();
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_h5_matrix_way(m), "through HDF5");
    for (size_t first = 0; first < MANY; first += 700)
        cr_assert_eq(sr_h5_matrix_read(m, x + first, first, 700, SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(x[i], (float)(i + 1), "row %zu: %g", i, (double)x[i]);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

static int expect_labels(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)user;
    (void)err;
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(values[i], (double)(i / 2 % 2), "row %zu: %g", i, values[i]);
    return n == MANY ? 0 : SR_BUG;
}

Test(h5_limits, columns_are_right_whatever_size_the_index_tells) {
    static int64_t label[MANY];
    static unsigned char item[MANY];
    struct sr_h5 *f = open_many();
    struct sr_h5_items *t = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_read_integers(f, "label", label, MANY, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_each_double(f, "label", expect_labels, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_open(&t, f, "label", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_read(t, item, 0, MANY, &err), 0, "%s", err.text);
    for (size_t i = 0; i < MANY; i++)
        cr_assert(label[i] == (int64_t)(i / 2 % 2) && item[i] == label[i], "row %zu: %lld, %d", i,
                  (long long)label[i], item[i]);
    sr_h5_items_close(t);
    sr_h5_close(f, NULL);
}
