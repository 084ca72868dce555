/* test_infer_stats.c: where training's rows lie, as measured: against a brute force, for odd shapes of data,
 * for any number of threads, and on the real guards' dumps against vectors taken the wrong way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <unistd.h>

#include "data/h5.h"
#include "infer/infer.h"
#include "infer/router.h"
#include "tests/dump_fixture.h"
#include "tests/hash_fill.h"
#include "tests/run_program.h"

/* A dump of these values in float16, its statistics and what they were taken from. */
struct measured {
    struct sr_data *d;
    struct sr_scan scan;
    uint32_t *row;
    float *x;
    struct sr_stats stats;
};

static struct measured measure_file(const char *path) {
    static const struct sr_data_options how = {.features_only = true};
    struct measured m = {.d = open_paths(path, &how)};
    struct sr_error err = {0};
    m.scan = scan_of(m.d);
    m.row = all_rows(m.d->rows);
    m.x = all_features(m.d);
    cr_assert_eq(sr_stats_measure(&m.stats, m.d, &m.scan, m.row, m.d->rows, &err), 0, "%s", err.text);
    return m;
}

static struct measured measure(const float *x, size_t rows, size_t width) {
    char path[64] = "/tmp/sr_test_stats_XXXXXX";
    struct sr_h5 *f;
    struct sr_error err = {0};
    uint16_t *half = sr_alloc(rows * width, sizeof *half, NULL);
    close(mkstemp(path));
    sr_vec()->float_to_half(half, x, rows * width);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", rows, width, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", half, 0, rows, width, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    sr_free(half);
    struct measured m = measure_file(path);
    unlink(path);
    return m;
}

static void measured_end(struct measured *m) {
    sr_stats_free(&m->stats);
    sr_free(m->x);
    sr_free(m->row);
    sr_scan_free(&m->scan);
    sr_data_close(m->d);
}

/* Rows with a few strong directions in common. */
static float *rows_begin(size_t rows, size_t width, double scale, double offset) {
    float *x = sr_alloc(rows * width, sizeof *x, NULL);
    for (size_t i = 0; i < rows * width; i++)
        x[i] = (float)(offset +
                       scale * (hash_value(1, i) + 2 * hash_value(2, i / width) * hash_value(3, i % width)));
    return x;
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Each direction has length 1, or 0 where the rows have no more; no two have anything in common. Returns how
 * many have length. */
static size_t check_orthonormal(const struct sr_stats *s) {
    size_t found = 0;
    for (size_t a = 0; a < s->directions; a++) {
        const double length = dot(s->basis + a * s->width, s->basis + a * s->width, s->width);
        cr_expect(length == 0 || fabs(length - 1) < 1e-5, "direction %zu: %g", a, length);
        found += length > 0;
        for (size_t b = 0; b < a; b++) /* of unit lengths rounded to 6e-8, up to 128 terms */
            cr_expect_float_eq(dot(s->basis + a * s->width, s->basis + b * s->width, s->width), 0, 1e-5);
    }
    return found;
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *x, size_t n, double q) {
    qsort(x, n, sizeof *x, compare);
    const double at = q * (double)(n - 1);
    const size_t i = (size_t)at;
    return i + 1 < n ? x[i] * (1 - (at - (double)i)) + x[i + 1] * (at - (double)i) : x[i];
}

/* The limits, from the stored tensors alone, in double. */
static void check_limits(const struct measured *m) {
    const size_t n = m->d->rows, width = m->d->width;
    const struct sr_stats *s = &m->stats;
    double *t = sr_alloc(n, sizeof *t, NULL), *share = sr_alloc(n, sizeof *share, NULL), mean_variance = 0;
    for (size_t i = 0; i < width; i++)
        mean_variance += (double)s->variance[i] / (double)width;
    for (size_t r = 0; r < n; r++) {
        double inside = 0, all = 0;
        for (size_t i = 0; i < width; i++) {
            const double v = fmax((double)s->variance[i], 1e-6 * mean_variance),
                         x = (double)m->x[r * width + i];
            t[r] += (x - (double)s->mean[i]) * (x - (double)s->mean[i]) / v / (double)width;
            all += x * x / v;
        }
        for (size_t k = 0; k < s->directions; k++) {
            double along = 0;
            for (size_t i = 0; i < width; i++)
                along += (double)s->basis[k * width + i] * (double)m->x[r * width + i] /
                         sqrt(fmax((double)s->variance[i], 1e-6 * mean_variance));
            inside += along * along;
        }
        share[r] = all > 0 ? inside / all : 0;
    }
    const double want[] = {quantile(t, n, 1e-4), quantile(t, n, 1 - 1e-4), quantile(share, n, 1e-4)};
    for (size_t i = 0; i < 3; i++) /* float sums of some hundred terms */
        cr_expect_float_eq((double)s->range[i], want[i], 1e-4 * want[i] + 1e-12, "%zu: %g, not %g", i,
                           (double)s->range[i], want[i]);
    sr_free(t);
    sr_free(share);
}

Test(infer_stats, equal_a_brute_force) {
    static const size_t shapes[][2] = {{3000, 64}, {500, 128}, {20, 100}, {2, 30}, {1000, 3}, {700, 1}};
    for (size_t i = 0; i < SR_COUNT(shapes); i++) {
        float *x = rows_begin(shapes[i][0], shapes[i][1], 2, .5);
        struct measured m = measure(x, shapes[i][0], shapes[i][1]);
        cr_assert_not_null(m.stats.block, "%zu rows of %zu", shapes[i][0], shapes[i][1]);
        cr_expect_gt(check_orthonormal(&m.stats), 0);
        cr_expect_leq(m.stats.directions, shapes[i][1]);
        check_limits(&m);
        measured_end(&m);
        sr_free(x);
    }
}

/* The strongest direction of rows that have one in common. */
Test(infer_stats, finds_the_main_direction) {
    enum { N = 400, WIDE = 48 };
    float *x = rows_begin(N, WIDE, 1, 0);
    for (size_t i = 0; i < N * WIDE; i++)
        x[i] = (float)(3 * hash_value(2, i / WIDE) * (i % WIDE % 2 ? 1 : -1) + .02 * hash_value(1, i));
    struct measured m = measure(x, N, WIDE);
    double along = 0;
    for (size_t k = 0; k < m.stats.directions; k++) {
        double sum = 0;
        for (size_t i = 0; i < WIDE; i++)
            sum += (double)m.stats.basis[k * WIDE + i] * (i % 2 ? 1 : -1) / sqrt(WIDE);
        along += sum * sum;
    }
    cr_expect_gt(along, .999, "%g of it lies in the directions found", along);
    measured_end(&m);
    sr_free(x);
}

/* Directions are those of columns scaled to one variance: a few quiet ones that go together, among loud ones
 * that do not, are found. */
Test(infer_stats, quiet_columns_count_as_much_as_loud_ones) {
    enum { N = 400, WIDE = 48, QUIET = 12 };
    float *x = rows_begin(N, WIDE, 1, 0);
    for (size_t i = 0; i < N * WIDE; i++) {
        const double own = hash_value(1, i), common = hash_value(2, i / WIDE);
        x[i] = (float)(i % WIDE < QUIET ? .05 * (common + .1 * own) : 10 * own);
    }
    struct measured m = measure(x, N, WIDE);
    double along = 0;
    for (size_t k = 0; k < m.stats.directions; k++) {
        double sum = 0;
        for (size_t i = 0; i < QUIET; i++)
            sum += (double)m.stats.basis[k * WIDE + i] / sqrt(QUIET);
        along += sum * sum;
    }
    cr_expect_gt(along, .99, "%g of it lies in the directions found", along);
    measured_end(&m);
    sr_free(x);
}

Test(infer_stats, constant_features) {
    enum { N = 600, WIDE = 32 };
    float *x = rows_begin(N, WIDE, 1, 0);
    for (size_t i = 0; i < N; i++)
        x[i * WIDE + 5] = 7;
    struct measured m = measure(x, N, WIDE);
    cr_assert_not_null(m.stats.block);
    cr_expect_eq(m.stats.variance[5], 0);
    for (size_t i = 0; i < WIDE; i++)
        cr_expect(isfinite(m.stats.inverse[i]) && m.stats.inverse[i] > 0);
    check_limits(&m);
    measured_end(&m);
    sr_free(x);
}

Test(infer_stats, rows_that_are_all_alike_have_none) {
    float *x = sr_alloc(100 * 16, sizeof *x, NULL);
    struct sr_tensor list[SR_STATS_TENSORS];
    for (int value = 0; value < 2; value++) {
        for (size_t i = 0; i < 100 * 16; i++)
            x[i] = (float)value;
        struct measured m = measure(x, 100, 16);
        cr_expect_null(m.stats.block);
        cr_expect_eq(sr_stats_tensors(list, &m.stats), 0);
        measured_end(&m);
    }
    sr_free(x);
}

Test(infer_stats, any_number_of_threads_gives_the_same_bits) {
    float *x = rows_begin(1000, 130, 1, .2);
    struct measured one, many;
    sr_cpu_threads(1);
    one = measure(x, 1000, 130);
    for (int threads = 2; threads <= 3; threads++) {
        sr_cpu_threads(threads);
        many = measure(x, 1000, 130);
        cr_expect_eq(memcmp(one.stats.basis, many.stats.basis, one.stats.directions * 130 * sizeof(float)),
                     0);
        cr_expect_eq(memcmp(one.stats.range, many.stats.range, sizeof one.stats.range), 0);
        measured_end(&many);
    }
    measured_end(&one);
    sr_free(x);
}

/* ---- the real guards ---- */

static bool find_real(char path[512], const char *name) {
    const char *folder = getenv("SAFEROUTE_DATA");
    snprintf(path, 512, "%s/%s", folder ? folder : SR_SOURCE_DIR "/../shared/data", name);
    return access(path, R_OK) == 0;
}

/* What is done to a vector on its way, and the share of rows that must, or may, be seen. */
static void as_it_is(float *x, size_t n) {
    (void)x;
    (void)n;
}
static void a_tenth(float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= .1f;
}
static void unit_length(float *x, size_t n) {
    const float length = (float)sqrt(dot(x, x, n));
    for (size_t i = 0; i < n; i++)
        x[i] /= length;
}
static void reversed(float *x, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        const float a = x[i];
        x[i] = x[n - 1 - i];
        x[n - 1 - i] = a;
    }
}

static const struct {
    const char *name;
    void (*change)(float *x, size_t n);
    double least, most;
    /* Wanted is below .001 of rows as they are, which 5 of the 4,424 rows of guard-val would miss. */
} ways[] = {{"as they are", as_it_is, 0, .001},
            {"times .1", a_tenth, .999, 1},
            {"unit length", unit_length, .999, 1},
            {"reversed", reversed, .999, 1}};

static double share_out(const struct saferoute_router *r, const float *x, size_t rows, size_t width,
                        void (*change)(float *, size_t)) {
    float *own = sr_alloc(width, sizeof *own, NULL);
    struct saferoute_stats stats = {0};
    for (size_t i = 0; i < rows; i++) {
        struct saferoute_decision d;
        memcpy(own, x + i * width, width * sizeof *own);
        change(own, width);
        saferoute_decide(
            r, &d,
            &(struct saferoute_rows){.features = own, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = width},
            &stats);
    }
    sr_free(own);
    return (double)stats.reason[SAFEROUTE_REASON_OUT_OF_RANGE] / (double)rows;
}

Test(infer_stats, tells_vectors_of_the_real_guards_from_wrong_ones) {
    char train[512], val[512], weights[512];
    if (!find_real(train, "guard-train.h5") || !find_real(val, "guard-val.h5"))
        cr_skip_test("no guard dumps: set SAFEROUTE_DATA");
    char *folder = folder_begin();
    struct run run = run_program(folder,
                                 "train --train '%s' --val '%s' --out %s/run --recipe plain --epochs 2 "
                                 "--set hidden=32,16 --set dropout=.1,.1",
                                 train, val, folder);
    cr_assert_eq(run.status, 0, "%s", run.err);
    run_end(&run);
    static const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths(val, &how);
    float *x = all_features(d);
    snprintf(weights, sizeof weights, "%s/run/best.safetensors", folder);
    for (int precision = SAFEROUTE_COMPUTE_FLOAT32; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct saferoute_router *r;
        struct saferoute_error why;
        const struct saferoute_options o = {.precision = precision};
        cr_assert_eq(saferoute_open(&r, weights, &o, &why), 0, "%s", why.text);
        for (size_t i = 0; i < SR_COUNT(ways); i++) {
            const double share = share_out(r, x, d->rows, d->width, ways[i].change);
            cr_expect(share >= ways[i].least && share <= ways[i].most, "%s, %s: %g out of range",
                      ways[i].name, sr_precision_name(precision), share);
        }
        saferoute_close(r);
    }
    sr_free(x);
    sr_data_close(d);
    folder_end(folder);
}
