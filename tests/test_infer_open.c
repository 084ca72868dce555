/* test_infer_open.c: opening: from a file or memory, every option, files that are damaged, statistics that
 * are nonsense, folded weights, a locale with commas.
 *
 * SPDX-License-Identifier: MIT
 */
#include <locale.h>
#include <sys/stat.h>

#include "tests/router_fixture.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"

enum { ROWS = 60 };

/* It must be refused with that status and, in the text, that word. */
static void expect_refused(struct network *n, const struct saferoute_options *o, int status,
                           const char *word) {
    struct saferoute_router *r = (struct saferoute_router *)n;
    struct saferoute_error why = {0};
    cr_expect_eq(network_open(&r, n, o, &why), status, "%s", word);
    cr_expect_null(r);
    cr_expect_eq(why.status, status);
    cr_expect(strstr(why.text, word), "\"%s\" is not in: %s", word, why.text);
    cr_expect_null(strchr(why.text, '\n'));
    network_end(n);
}

static void logits_of(const struct saferoute_router *r, float logit[ROWS]) {
    float *x = rows_begin(ROWS, WIDTH, 1);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    saferoute_logits(r, logit, &rows);
    sr_free(x);
}

/* ---- file and memory ---- */

Test(infer_open, from_memory_as_from_the_file) {
    for (int precision = 0; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        const struct saferoute_options o = {.precision = precision};
        struct saferoute_router *a, *b;
        struct saferoute_error why = {.status = 1, .text = "old"};
        struct sr_error err;
        struct network n;
        void *bytes;
        size_t size;
        char path[64];
        float left[ROWS], right[ROWS];
        network_begin(&n, SMALL, DIRECTIONS);
        network_says(&n, "threshold", "0.4");
        network_says(&n, "feature_norm", "post");
        network_write(&n, temporary(path));
        cr_assert_eq(saferoute_open(&a, path, &o, &why), 0);
        cr_expect(why.status == 0 && why.text[0] == '\0');
        cr_assert_eq(sr_file_read(&bytes, &size, path, 1 << 20, &err), 0);
        cr_assert_eq(saferoute_open_memory(&b, bytes, size, &o, NULL), 0);
        memset(bytes, 0, size);
        sr_free(bytes);
        logits_of(a, left);
        logits_of(b, right);
        cr_expect(same_bits(left, right, sizeof left), "precision %d", precision);
        cr_expect_str_eq(saferoute_artefact(a), saferoute_artefact(b));
        cr_expect_str_eq(saferoute_metadata(b, "feature_norm"), "post");
        cr_expect_null(saferoute_metadata(b, "feature_layer"));
        cr_expect_null(saferoute_metadata(b, NULL));
        cr_expect_eq(saferoute_threshold(b), .4f);
        cr_expect_eq(saferoute_width(b), WIDTH);
        saferoute_close(a);
        saferoute_close(b);
        unlink(path);
        network_end(&n);
    }
}

Test(infer_open, of_no_router) {
    cr_expect_eq(saferoute_width(NULL), 0);
    cr_expect(isnan(saferoute_threshold(NULL)));
    cr_expect_str_empty(saferoute_artefact(NULL));
    cr_expect_eq(saferoute_precision(NULL), SAFEROUTE_AS_STORED);
    cr_expect_eq(saferoute_range_limit(NULL), 0);
    cr_expect_null(saferoute_metadata(NULL, "threshold"));
    saferoute_close(NULL);
    saferoute_release(NULL);
    cr_expect_str_eq(saferoute_version(), SR_VERSION);
    cr_expect_str_eq(saferoute_reason_name(SAFEROUTE_REASON_OVERLOAD), "OVERLOAD");
    cr_expect_str_eq(saferoute_reason_name(-1), "UNKNOWN");
    cr_expect_str_eq(saferoute_reason_text(-1), "unknown");
    cr_expect_str_eq(saferoute_reason_name(SAFEROUTE_REASON_COUNT), "UNKNOWN");
    cr_expect_str_eq(saferoute_reason_text(SAFEROUTE_REASON_COUNT), "unknown");
}

Test(infer_open, artefact_is_the_hash_of_the_file) {
    struct saferoute_router *r;
    char line[128] = "";
    FILE *f = popen("sha256sum " WEIGHTS, "r");
    cr_assert(f && fgets(line, sizeof line, f));
    pclose(f);
    cr_assert_eq(saferoute_open(&r, WEIGHTS, NULL, NULL), 0);
    cr_expect_eq(strncmp(line, saferoute_artefact(r), 64), 0, "%s", line);
    cr_expect_eq(strlen(saferoute_artefact(r)), 64);
    for (size_t i = 0; i < 32; i++) {
        unsigned byte;
        cr_expect(sscanf(line + 2 * i, "%2x", &byte) == 1 && byte == sr_router_of(r)->artefact[i]);
    }
    saferoute_close(r);
}

/* ---- options ---- */

Test(infer_open, options_out_of_range) {
    static const struct saferoute_options bad[] = {
        {.precision = -1},
        {.precision = SAFEROUTE_COMPUTE_INT8 + 1},
        {.range = -1},
        {.range = SAFEROUTE_RANGE_OFF + 1},
        {.range_cap = -.1f},
        {.range_cap = 1.1f},
        {.range_cap = NAN},
        {.explore = -1e-9f},
        {.explore = 1.0001f},
        {.explore = INFINITY},
        {.has_threshold = 1, .threshold = -.1f},
        {.has_threshold = 1, .threshold = 1.1f},
        {.has_threshold = 1, .threshold = NAN},
        {.reserved = {1}},
        {.reserved = {[SR_COUNT(((struct saferoute_options *)0)->reserved) - 1] = 1}},
    };
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        struct network n;
        network_begin(&n, SMALL, 0);
        expect_refused(&n, &bad[i], SAFEROUTE_USAGE, "options.");
    }
    const struct saferoute_options unused = {.threshold = 7};
    struct saferoute_router *r = router_begin(&unused, 0);
    cr_expect_eq(saferoute_threshold(r), SR_THRESHOLD_UNSET);
    saferoute_close(r);
    cr_expect_eq(saferoute_open(&r, NULL, NULL, NULL), SAFEROUTE_USAGE);
    cr_expect_null(r);
    cr_expect_eq(saferoute_open_memory(&r, NULL, 5, NULL, NULL), SAFEROUTE_USAGE);
    cr_expect_null(r);
}

/* ---- files that are none ---- */

Test(infer_open, missing_files_and_folders) {
    struct saferoute_router *r = NULL;
    struct saferoute_error why;
    cr_expect_eq(saferoute_open(&r, "/nonexistent/r.safetensors", NULL, &why), SAFEROUTE_NOINPUT);
    cr_expect(strstr(why.text, "/nonexistent/r.safetensors"), "%s", why.text);
    cr_expect_eq(saferoute_open(&r, "", NULL, NULL), SAFEROUTE_NOINPUT);
    cr_expect_lt(saferoute_open(&r, "/tmp", NULL, &why), 0);
    cr_expect(strstr(why.text, "/tmp"), "%s", why.text);
    cr_expect_eq(saferoute_open_memory(&r, "", 0, NULL, &why), SAFEROUTE_DATA);
    cr_expect_null(r);
}

/* Nobody writes to the pipe; a server that waits for one is ended by the alarm. */
Test(infer_open, a_pipe_is_refused_without_waiting) {
    struct saferoute_router *r = NULL;
    struct saferoute_error why;
    char path[64];
    unlink(temporary(path));
    cr_assert_eq(mkfifo(path, 0600), 0);
    alarm(10);
    cr_expect_eq(saferoute_open(&r, path, NULL, &why), SAFEROUTE_NOINPUT);
    cr_expect(strstr(why.text, "not a regular file"), "%s", why.text);
    unlink(path);
}

/* The whole of a small router's file, with a length that can be cut. */
static unsigned char *file_bytes(size_t *size) {
    static const size_t tiny[] = {3, 4, 1};
    struct network n;
    char path[64];
    void *bytes;
    network_begin(&n, tiny, 2, 0);
    network_says(&n, "threshold", "0.4");
    network_write(&n, temporary(path));
    cr_assert_eq(sr_file_read(&bytes, size, path, 1 << 20, NULL), 0);
    unlink(path);
    network_end(&n);
    return bytes;
}

Test(infer_open, cut_anywhere) {
    size_t size;
    unsigned char *bytes = file_bytes(&size);
    for (size_t n = 0; n < size; n++) {
        struct saferoute_router *r = (struct saferoute_router *)bytes;
        struct saferoute_error why = {0};
        unsigned char *part = malloc(n + 1); /* so that ASan sees what is read behind it */
        part = realloc(memcpy(part, bytes, n), n ? n : 1);
        cr_assert_eq(saferoute_open_memory(&r, part, n, NULL, &why), SAFEROUTE_DATA, "%zu bytes", n);
        cr_assert(r == NULL && why.text[0] != '\0');
        free(part);
    }
    sr_free(bytes);
}

/* Any byte another: refused, or, in what the checksum does not cover, another file by its artefact. */
Test(infer_open, another_byte_anywhere) {
    size_t size, taken = 0;
    unsigned char *bytes = file_bytes(&size);
    uint64_t header;
    struct saferoute_router *r, *sound;
    memcpy(&header, bytes, sizeof header);
    cr_assert_eq(saferoute_open_memory(&sound, bytes, size, NULL, NULL), 0);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x11;
        const int status = saferoute_open_memory(&r, bytes, size, NULL, NULL);
        cr_assert_eq(status == 0, r != NULL);
        cr_assert(status == 0 || status == SAFEROUTE_DATA, "byte %zu: %d", i, status);
        if (i >= 8 + header)
            cr_assert_lt(status, 0, "byte %zu of the data", i);
        if (r)
            cr_assert_str_neq(saferoute_artefact(r), saferoute_artefact(sound));
        taken += status == 0;
        saferoute_close(r);
        bytes[i] ^= 0x11;
    }
    cr_expect_lt(taken, header / 4, "%zu", taken);
    saferoute_close(sound);
    sr_free(bytes);
}

/* ---- what is known of training's rows ---- */

/* A value of a tensor of statistics that may not be. */
static void check_stat(const char *name, size_t i, float value) {
    struct network n;
    network_begin(&n, SMALL, DIRECTIONS);
    ((float *)network_find(&n, name)->data)[i] = value;
    expect_refused(&n, NULL, SAFEROUTE_DATA, name);
}

Test(infer_stats_file, all_or_none) {
    static const char *const names[] = {SR_STATS_MEAN, SR_STATS_VAR, SR_STATS_BASIS, SR_STATS_RANGE};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct network n;
        network_begin(&n, SMALL, DIRECTIONS);
        network_remove(&n, names[i]);
        expect_refused(&n, NULL, SAFEROUTE_DATA, names[i]);
        network_begin(&n, SMALL, DIRECTIONS);
        network_find(&n, names[i])->dtype = SR_I32;
        expect_refused(&n, NULL, SAFEROUTE_DATA, names[i]);
        network_begin(&n, SMALL, DIRECTIONS);
        struct sr_tensor *t = network_find(&n, names[i]);
        t->shape[t->rank - 1]--;
        expect_refused(&n, NULL, SAFEROUTE_DATA, names[i]);
        network_begin(&n, SMALL, DIRECTIONS);
        t = network_find(&n, names[i]);
        t->shape[t->rank++] = 1;
        expect_refused(&n, NULL, SAFEROUTE_DATA, names[i]);
        check_stat(names[i], 1, NAN);
        check_stat(names[i], 2, INFINITY);
    }
}

Test(infer_stats_file, values_that_may_not_be) {
    check_stat(SR_STATS_VAR, WIDTH - 1, -1e-9f);
    check_stat(SR_STATS_RANGE, 0, -.1f);
    check_stat(SR_STATS_RANGE, 0, 4.1f); /* above the high end */
    check_stat(SR_STATS_RANGE, 1, 0);
    check_stat(SR_STATS_RANGE, 2, -.1f);
    check_stat(SR_STATS_RANGE, 2, 1.1f);
    struct network n;
    network_begin(&n, SMALL, DIRECTIONS);
    network_find(&n, SR_STATS_BASIS)->shape[0] = 0;
    expect_refused(&n, NULL, SAFEROUTE_DATA, SR_STATS_BASIS);
    network_begin(&n, SMALL, 0);
    network_add(&n, SR_STATS_MEAN, WIDTH, 0, 1, 0);
    network_add(&n, SR_STATS_VAR, WIDTH, 0, 0, 1);
    network_add(&n, SR_STATS_RANGE, 3, 0, 0, .5f);
    network_add(&n, SR_STATS_BASIS, WIDTH + 1, WIDTH, 1, 0);
    expect_refused(&n, NULL, SAFEROUTE_DATA, SR_STATS_BASIS);
}

Test(infer_stats_file, range_limit) {
    static const char *const bad[] = {"", "high", "0", "-1", "nan", "inf", "1e-60", "1e60", "1,5", "2 "};
    struct network n;
    struct saferoute_router *r;
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        network_begin(&n, SMALL, DIRECTIONS);
        network_says(&n, SR_RANGE_LIMIT, bad[i]);
        expect_refused(&n, NULL, SAFEROUTE_DATA, SR_RANGE_LIMIT);
    }
    network_begin(&n, SMALL, DIRECTIONS);
    network_says(&n, SR_RANGE_LIMIT, "1.5");
    cr_assert_eq(network_open(&r, &n, NULL, NULL), 0);
    cr_expect_eq(saferoute_range_limit(r), 1.5f);
    saferoute_close(r);
    network_end(&n);
    network_begin(&n, SMALL, 0);
    cr_assert_eq(network_open(&r, &n, NULL, NULL), 0);
    cr_expect_eq(saferoute_range_limit(r), 0, "nothing is known");
    saferoute_close(r);
    network_end(&n);
}

/* No variance in any feature: nothing that could be divided by. Weights of int8 are divided by it. */
Test(infer_stats_file, constant_features) {
    for (int p = SAFEROUTE_COMPUTE_FLOAT32; p <= SAFEROUTE_COMPUTE_INT8; p++) {
        const struct saferoute_options options = {.precision = p};
        struct network n;
        struct saferoute_router *r = NULL;
        network_begin(&n, SMALL, DIRECTIONS);
        memset(n.own[network_find(&n, SR_STATS_VAR) - n.tensor], 0, WIDTH * sizeof(float));
        if (p == SAFEROUTE_COMPUTE_INT8) {
            expect_refused(&n, &options, SAFEROUTE_DATA, "row 0 has no finite logit");
            continue;
        }
        cr_assert_eq(network_open(&r, &n, &options, NULL), 0);
        cr_expect_eq(sr_router_of(r)->range.inverse[0], 0);
        saferoute_close(r);
        network_end(&n);
    }
}

Test(infer_stats_file, thresholds_that_are_none) {
    static const char *const bad[] = {"0,4", "1.5", "-0.1", "nan", "0.4x"};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        struct network n;
        network_begin(&n, SMALL, 0);
        network_says(&n, "threshold", bad[i]);
        expect_refused(&n, NULL, SAFEROUTE_DATA, "threshold");
    }
}

/* ---- a locale with commas ---- */

/* A locale whose decimal point is a comma, installed or made; NULL if neither can be. */
static const char *comma_locale(char folder[32]) {
    char command[256];
    folder[0] = '\0';
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        return "de_DE.UTF-8";
    snprintf(folder, 32, "/tmp/sr_locale_XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null", folder);
    const int made = system(command);
    setenv("LOCPATH", folder, 1);
    return made == 0 || made == 256 ? setlocale(LC_ALL, "de_DE.UTF-8") : NULL; /* 1: with warnings */
}

Test(infer_open, a_comma_locale_changes_nothing) {
    char folder[32], command[64], text[2][SAFEROUTE_JSON_SIZE], counts[2][SAFEROUTE_PROMETHEUS_SIZE];
    struct saferoute_stats stats[2] = {{.logit_sum = .5}, {.logit_sum = .5}};
    for (int comma = 0; comma < 2; comma++) {
        struct saferoute_router *r;
        struct network n;
        struct saferoute_decision d;
        struct saferoute_error why;
        float *x = rows_begin(1, WIDTH, 3);
        const struct saferoute_rows rows = rows_of(x, 1);
        const char *name = comma ? comma_locale(folder) : "C";
        if (!name || (comma && strcmp(localeconv()->decimal_point, ",") != 0))
            cr_skip_test("no locale with commas: install the package locales");
        network_begin(&n, SMALL, DIRECTIONS);
        network_says(&n, "threshold", "0.4");
        network_says(&n, SR_RANGE_LIMIT, "1.25");
        network_says(&n, "calibration", "{\"method\":\"temperature\",\"temperature\":1.5}");
        cr_assert_eq(network_open(&r, &n, NULL, &why), 0, "%s", why.text);
        cr_expect_eq(saferoute_threshold(r), .4f);
        saferoute_decide(r, &d, &rows, &stats[comma]);
        saferoute_decision_json(text[comma], sizeof text[comma], &d, "id");
        saferoute_stats_prometheus(counts[comma], sizeof counts[comma], &stats[comma]);
        saferoute_close(r);
        network_end(&n);
        sr_free(x);
    }
    setlocale(LC_ALL, "C");
    cr_expect_str_eq(text[0], text[1]);
    cr_expect_str_eq(counts[0], counts[1]);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect(folder[0] == '\0' || system(command) == 0);
}

/* ---- folded weights ---- */

/* The network as a router of a precision would be exported. */
static void fold_begin(struct network *n, struct saferoute_router **from, int precision) {
    struct network plain;
    struct sr_tensor list[SR_FOLDED_TENSORS];
    network_begin(&plain, SMALL, DIRECTIONS);
    cr_assert_eq(network_open(from, &plain, &(struct saferoute_options){.precision = precision}, NULL), 0);
    memset(n, 0, sizeof *n);
    n->width = WIDTH;
    network_add_stats(n, DIRECTIONS);
    cr_assert_eq(sr_router_unpack((struct sr_router *)*from, NULL), 0);
    const size_t count = sr_folded_tensors(list, sr_router_of(*from));
    memcpy(n->tensor + n->n, list, count * sizeof *list);
    n->n += count;
    network_says(n, SR_FOLDED_KEY, sr_precision_name(precision));
    network_says(n, SR_FOLDED_INPUTS, sr_folded_inputs(sr_router_of(*from)));
    network_end(&plain);
}

Test(infer_folded, opens_as_what_was_exported) {
    for (int precision = SAFEROUTE_COMPUTE_BFLOAT16; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct network n;
        struct saferoute_router *from, *to, *none;
        float want[ROWS], got[ROWS];
        fold_begin(&n, &from, precision);
        for (int asked = 0; asked <= SAFEROUTE_COMPUTE_INT8; asked++) {
            const struct saferoute_options o = {.precision = asked};
            if (asked != SAFEROUTE_AS_STORED && asked != precision) {
                cr_expect_eq(network_open(&none, &n, &o, NULL), SAFEROUTE_USAGE);
                continue;
            }
            cr_assert_eq(network_open(&to, &n, &o, NULL), 0);
            logits_of(from, want);
            logits_of(to, got);
            cr_expect(same_bits(want, got, sizeof want), "precision %d", precision);
            cr_expect_eq(sr_router_of(to)->precision, precision);
            saferoute_close(to);
        }
        saferoute_close(from);
        network_end(&n);
    }
}

Test(infer_folded, missing_or_misshapen_tensors) {
    for (int precision = SAFEROUTE_COMPUTE_BFLOAT16; precision <= SAFEROUTE_COMPUTE_INT8; precision++)
        for (size_t i = 4; i < (precision == SAFEROUTE_COMPUTE_INT8 ? 15u : 12u); i++)
            for (int way = 0; way < 4; way++) {
                struct network n;
                struct saferoute_router *from;
                fold_begin(&n, &from, precision);
                struct sr_tensor *t = &n.tensor[i];
                if (way == 0)
                    *t = n.tensor[--n.n]; /* borrowed: nothing to free */
                else if (way == 1)
                    t->shape[0]--;
                else if (way == 2)
                    t->shape[t->rank++] = 1;
                else
                    t->dtype = t->dtype == SR_F32 ? SR_I32 : t->dtype == SR_I8 ? SR_U8 : SR_F16;
                expect_refused(&n, NULL, SAFEROUTE_DATA, "folded.");
                saferoute_close(from);
            }
}

Test(infer_folded, numbers_that_are_none) {
    static const char *const names[] = {"folded.0.scale", "folded.1.bias", "folded.3.weight"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct network n;
        struct saferoute_router *from;
        fold_begin(&n, &from, SAFEROUTE_COMPUTE_INT8);
        *(float *)network_find(&n, names[i])->data = NAN;
        expect_refused(&n, NULL, SAFEROUTE_DATA, names[i]);
        saferoute_close(from);
    }
    struct network n;
    struct saferoute_router *from;
    fold_begin(&n, &from, SAFEROUTE_COMPUTE_BFLOAT16);
    *(uint16_t *)network_find(&n, "folded.1.weight")->data = 0xff80; /* -inf */
    expect_refused(&n, NULL, SAFEROUTE_DATA, "folded.1.weight");
    saferoute_close(from);
}

/* A file that has lost its statistics would feed raw features to a layer that was folded for standardised
 * ones. */
Test(infer_folded, weights_without_their_statistics_are_refused) {
    struct network n;
    struct saferoute_router *from, *to = NULL;
    struct saferoute_error why = {0};
    fold_begin(&n, &from, SAFEROUTE_COMPUTE_INT8);
    static const char *const stats[] = {SR_STATS_MEAN, SR_STATS_VAR, SR_STATS_BASIS, SR_STATS_RANGE};
    for (size_t i = 0; i < SR_COUNT(stats); i++)
        network_remove(&n, stats[i]);
    cr_expect_eq(network_open(&to, &n, NULL, &why), SAFEROUTE_DATA);
    cr_expect(strstr(why.text, "stats.* are missing"), "%s", why.text);
    cr_expect_null(to);
    saferoute_close(from);
    network_end(&n);
}

/* ---- self-test ---- */

static void wrong_linear(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride, const float *w,
                         const float *bias, size_t rows, size_t in, size_t outputs) {
    sr_kernels()->linear(out, out_stride, x, x_stride, w, bias, rows, in, outputs);
    out[0] += 1e-3f;
}

Test(infer_self_test, notices_kernels_that_compute_something_else) {
    struct sr_kernels wrong = *sr_kernels();
    struct network n;
    struct saferoute_router *opened;
    struct sr_error err = {0};
    wrong.linear = wrong_linear;
    network_begin(&n, SMALL, DIRECTIONS);
    cr_assert_eq(network_open(&opened, &n, NULL, NULL), 0);
    struct sr_router *r = (struct sr_router *)opened;
    cr_expect_eq(sr_router_self_test(r, "w", &err), 0, "%s", err.text);
    r->kernels = &wrong;
    cr_expect_eq(sr_router_self_test(r, "w", &err), SR_BUG);
    cr_expect(strstr(err.text, "SAFEROUTE_ISA=base"), "%s", err.text);
    saferoute_close(opened);
    network_end(&n);
}

/* A name in a file must not write a line of its own into somebody's log. */
Test(infer_open, errors_are_one_line) {
    struct network n;
    struct saferoute_router *r;
    struct saferoute_error why = {0};
    network_begin(&n, SMALL, DIRECTIONS);
    network_says(&n, "threshold", "x\nINFO all fine\x1b[31m");
    cr_expect_eq(network_open(&r, &n, NULL, &why), SAFEROUTE_DATA);
    for (const char *c = why.text; *c; c++)
        cr_expect((unsigned char)*c >= 0x20, "%d", *c);
    network_end(&n);
}

Test(infer_open, null_is_an_error_or_nothing) {
    struct saferoute_decision d = {.large = 7};
    float logit = 5;
    cr_expect_eq(saferoute_open(NULL, "w", NULL, NULL), SAFEROUTE_USAGE);
    cr_expect_eq(saferoute_open_memory(NULL, "w", 1, NULL, NULL), SAFEROUTE_USAGE);
    cr_expect_eq(saferoute_reload(NULL, "w", NULL, NULL), SAFEROUTE_USAGE);
    cr_expect_null(saferoute_acquire(NULL));
    saferoute_decide(NULL, &d, NULL, NULL);
    saferoute_logits(NULL, &logit, NULL);
    cr_expect(d.large == 7 && logit == 5);
    saferoute_slot_destroy(NULL);
    saferoute_release(NULL);
}
