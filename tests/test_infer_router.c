/* test_infer_router.c: a weights file as a router: the same logits as PyTorch, folding against its
 * definition, the same bits whatever the rows around, and refusal of every weights file that is not whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "infer/infer.h"
#include "infer/router.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"
#define CASE    SR_SOURCE_DIR "/tests/vectors/router_case.safetensors"

/* ---- a weights file that can be damaged ---- */

struct weights {
    struct sr_safetensors *file;
    struct sr_tensor tensor[64];
    size_t n;
    struct sr_pair metadata[8];
    size_t n_metadata;
    float spare[64]; /* for values that are changed */
    char path[64];
};

static void weights_begin(struct weights *w) {
    struct sr_error err;
    memset(w, 0, sizeof *w);
    cr_assert_eq(sr_safetensors_open(&w->file, WEIGHTS, &err), 0, "%s", err.text);
    w->n = sr_safetensors_count(w->file);
    for (size_t i = 0; i < w->n; i++)
        w->tensor[i] = *sr_safetensors_at(w->file, i);
    snprintf(w->path, sizeof w->path, "/tmp/sr_test_router_XXXXXX");
    const int fd = mkstemp(w->path);
    cr_assert(fd >= 0);
    close(fd);
}

static struct sr_tensor *weights_find(struct weights *w, const char *name) {
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->tensor[i].name, name) == 0)
            return &w->tensor[i];
    cr_assert(false, "no tensor %s", name);
    return NULL;
}

static void weights_remove(struct weights *w, const char *name) {
    *weights_find(w, name) = w->tensor[w->n - 1];
    w->n--;
}

static void weights_add(struct weights *w, const char *name, enum sr_dtype dtype, uint64_t items) {
    struct sr_tensor *t = &w->tensor[w->n++];
    *t = (struct sr_tensor){.dtype = dtype, .rank = 1, .shape = {items}, .data = w->spare};
    snprintf(t->name, sizeof t->name, "%s", name);
}

/* Makes item i of a small tensor another value. */
static void weights_change(struct weights *w, const char *name, size_t i, float value) {
    struct sr_tensor *t = weights_find(w, name);
    cr_assert_leq(sr_tensor_items(t), 64);
    memcpy(w->spare, t->data, (size_t)sr_tensor_items(t) * sizeof(float));
    t->data = w->spare;
    w->spare[i] = value;
}

/* Writes and opens them: the status, and r and err filled. */
static int weights_open(struct weights *w, struct sr_router **r, struct sr_error *err) {
    cr_assert_eq(sr_safetensors_write(w->path, w->tensor, w->n, w->metadata, w->n_metadata, err), 0, "%s",
                 err->text);
    return sr_router_open(r, w->path, err);
}

static void weights_end(struct weights *w) {
    unlink(w->path);
    sr_safetensors_close(w->file);
}

/* The file must be refused as bad data, with `word` in the message. */
static void expect_refused(struct weights *w, const char *word) {
    struct sr_router *r = NULL;
    struct sr_error err = {0};
    cr_expect_eq(weights_open(w, &r, &err), SR_DATA, "taken in spite of %s", word);
    cr_expect_null(r);
    cr_expect(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
    weights_end(w);
}

static struct sr_router *expect_taken(struct weights *w) {
    struct sr_router *r = NULL;
    struct sr_error err;
    cr_assert_eq(weights_open(w, &r, &err), 0, "%s", err.text);
    weights_end(w);
    return r;
}

/* ---- the same numbers as PyTorch ---- */

Test(infer_router, agrees_with_pytorch) {
    struct sr_safetensors *file;
    struct sr_router *r;
    struct sr_error err;
    float logit[33];
    cr_assert_eq(sr_router_open(&r, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_open(&file, CASE, &err), 0, "%s", err.text);
    cr_expect_eq(sr_router_width(r), 16);
    const double *want = sr_safetensors_find(file, "logit")->data;
    sr_router_logits(r, logit, sr_safetensors_find(file, "x")->data, 33);
    /* Float32 through four short layers with values of order 1, against float64: a few units of 1e-7. */
    for (size_t i = 0; i < 33; i++)
        cr_expect(fabs((double)logit[i] - want[i]) < 1e-6, "row %zu: %.9g, PyTorch %.9g", i, (double)logit[i],
                  want[i]);
    sr_safetensors_close(file);
    sr_router_close(r);
}

Test(infer_router, prob_is_the_logistic_function) {
    cr_expect_eq(sr_router_prob(0), .5f);
    cr_expect_eq(sr_router_prob(-200), 0);
    cr_expect_eq(sr_router_prob(200), 1);
    cr_expect(isnan(sr_router_prob(NAN)));
    /* log(3): odds of 3 to 1; float32 */
    cr_expect_float_eq(sr_router_prob(1.0986123f), .75f, 1e-7);
    cr_expect_float_eq(sr_router_prob(-1.0986123f), .25f, 1e-7);
}

/* ---- a row alone and among others ---- */

static float *random_floats(size_t n, uint64_t which) {
    float *x = sr_alloc(n, sizeof *x, NULL);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)sr_random_normal(3, sr_stream(SR_STREAM_TEST, which, 0), i);
    return x;
}

Test(infer_router, a_row_has_the_same_bits_alone) {
    enum { ROWS = 2500, WIDTH = 16 }; /* more than one block of scratch: 8192 / 12 rows */
    struct sr_router *r;
    float *x = random_floats((size_t)ROWS * WIDTH, 0), *logit = sr_alloc(ROWS, sizeof *logit, NULL);
    cr_assert_eq(sr_router_open(&r, WEIGHTS, NULL), 0);
    sr_router_logits(r, logit, x, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        float alone;
        sr_router_logits(r, &alone, x + i * WIDTH, 1);
        cr_assert_eq(memcmp(&alone, &logit[i], sizeof alone), 0, "row %zu: %.9g alone, %.9g among others", i,
                     (double)alone, (double)logit[i]);
    }
    sr_router_close(r);
    sr_free(x);
    sr_free(logit);
}

Test(infer_router, scoring_allocates_nothing) {
    struct sr_router *r;
    float *x = random_floats(100 * 16, 1), logit[100];
    cr_assert_eq(sr_router_open(&r, WEIGHTS, NULL), 0);
    const uint64_t before = sr_alloc_count();
    sr_router_logits(r, logit, x, 100);
    cr_expect_eq(sr_alloc_count(), before);
    sr_router_close(r);
    sr_free(x);
}

/* ---- folding ---- */

Test(infer_fold, equals_linear_then_batchnorm) {
    enum { IN = 37, OUT = 29 };
    float *w = random_floats(IN * OUT, 2), *bias = random_floats(OUT, 3), *gamma = random_floats(OUT, 4);
    float *beta = random_floats(OUT, 5), *mean = random_floats(OUT, 6), *variance = random_floats(OUT, 7);
    float *x = random_floats(IN, 8), folded_w[IN * OUT], folded_bias[OUT];
    for (size_t o = 0; o < OUT; o++)
        variance[o] = variance[o] * variance[o] + (o % 5 ? .01f : 0);
    struct sr_router_layer layer = {.inputs = IN, .outputs = OUT, .w = folded_w, .bias = folded_bias};
    const struct sr_fold from = {w, bias, gamma, beta, mean, variance};
    cr_assert_eq(sr_fold_layer(&layer, &from, "test", NULL), 0);
    for (size_t o = 0; o < OUT; o++) {
        double h = (double)bias[o], got = (double)folded_bias[o], size = fabs(got);
        for (size_t i = 0; i < IN; i++) {
            const double term = (double)folded_w[o * IN + i] * (double)x[i];
            h += (double)w[o * IN + i] * (double)x[i];
            got += term;
            size += fabs(term);
        }
        const double want =
            (h - (double)mean[o]) / sqrt((double)variance[o] + 1e-5) * (double)gamma[o] + (double)beta[o];
        /* Each folded number is rounded once, by at most 6e-8 of itself: relative to the sum of magnitudes.
         */
        cr_expect(fabs(got - want) <= 1e-6 * size, "output %zu: %.12g folded, %.12g unfolded", o, got, want);
    }
    float *all[] = {w, bias, gamma, beta, mean, variance, x};
    for (size_t i = 0; i < SR_COUNT(all); i++)
        sr_free(all[i]);
}

Test(infer_fold, refuses_what_float_cannot_hold) {
    struct weights w;
    weights_begin(&w);
    weights_change(&w, "cls.1.weight", 3, 3e38f);
    memset(w.spare + 32, 0, 12 * sizeof(float));
    weights_find(&w, "cls.1.running_var")->data = w.spare + 32;
    expect_refused(&w, "cls.0");
}

/* ---- refusal ---- */

Test(infer_refuses, every_missing_tensor) {
    struct weights w;
    char name[SR_TENSOR_NAME];
    weights_begin(&w);
    const size_t n = w.n;
    weights_end(&w);
    cr_assert_eq(n, 23);
    for (size_t i = 0; i < n; i++) {
        weights_begin(&w);
        snprintf(name, sizeof name, "%s", w.tensor[i].name);
        weights_remove(&w, name);
        if (strstr(name, "num_batches_tracked"))
            sr_router_close(expect_taken(&w));
        else
            expect_refused(&w, name);
    }
}

Test(infer_refuses, every_tensor_of_another_type) {
    struct weights w;
    char name[SR_TENSOR_NAME];
    for (size_t i = 0; i < 23; i++) {
        weights_begin(&w);
        struct sr_tensor *t = &w.tensor[i];
        snprintf(name, sizeof name, "%s", t->name);
        t->dtype = t->dtype == SR_I64 ? SR_F64 : SR_I32; /* of the same size */
        expect_refused(&w, name);
    }
}

Test(infer_refuses, every_tensor_of_another_rank) {
    struct weights w;
    char name[SR_TENSOR_NAME];
    for (size_t i = 0; i < 23; i++) {
        weights_begin(&w);
        struct sr_tensor *t = &w.tensor[i];
        snprintf(name, sizeof name, "%s", t->name);
        t->shape[t->rank++] = 1;
        expect_refused(&w, name);
    }
}

Test(infer_refuses, nan_and_infinity_anywhere) {
    static const char *const names[] = {"cls.0.bias",         "cls.1.weight",      "cls.1.bias",
                                        "cls.5.running_mean", "cls.5.running_var", "cls.8.weight",
                                        "cls.12.weight",      "cls.12.bias"};
    for (size_t i = 0; i < SR_COUNT(names); i++)
        for (int infinite = 0; infinite < 2; infinite++) {
            struct weights w;
            weights_begin(&w);
            weights_change(&w, names[i], 0, infinite ? -INFINITY : NAN);
            expect_refused(&w, names[i]);
        }
}

Test(infer_refuses, negative_variance) {
    struct weights w;
    weights_begin(&w);
    weights_change(&w, "cls.5.running_var", 2, -1e-8f);
    expect_refused(&w, "variance");
}

Test(infer_refuses, a_network_of_another_kind) {
    static const char *const names[] = {"cls.2.weight",  "cls.13.weight",       "cls.16.weight",
                                        "cls.00.weight", "cls.0.scale",         "cls.weight",
                                        "cls.4",         "cls.12.running_mean", "cls.999.weight"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct weights w;
        weights_begin(&w);
        weights_add(&w, names[i], SR_F32, 4);
        expect_refused(&w, "cls.");
    }
}

Test(infer_refuses, shapes_that_do_not_chain) {
    struct weights w;
    weights_begin(&w);
    struct sr_tensor *t = weights_find(&w, "cls.4.weight"); /* (8, 12): as many items, other sides */
    t->shape[0] = 12;
    t->shape[1] = 8;
    expect_refused(&w, "cls.4.weight");
    weights_begin(&w);
    t = weights_find(&w, "cls.12.weight"); /* (1, 4) */
    t->shape[0] = 4;
    t->shape[1] = 1;
    expect_refused(&w, "cls.12.weight");
    weights_begin(&w);
    t = weights_find(&w, "cls.5.bias"); /* (8) */
    t->shape[0] = 7;
    expect_refused(&w, "cls.5.bias");
}

Test(infer_refuses, two_logits) {
    struct weights w;
    weights_begin(&w);
    struct sr_tensor *t = weights_find(&w, "cls.12.weight");
    t->shape[0] = 2;
    t->data = w.spare;
    expect_refused(&w, "one logit");
}

Test(infer_refuses, a_layer_wider_than_the_scratch) {
    const size_t wide = SR_ROUTER_WIDEST + 1;
    float *zeros = sr_alloc(wide, sizeof *zeros, NULL);
    static const char *const names[] = {"cls.0.weight", "cls.0.bias",         "cls.1.weight",
                                        "cls.1.bias",   "cls.1.running_mean", "cls.1.running_var",
                                        "cls.4.weight"};
    for (int fits = 0; fits < 2; fits++) {
        struct weights w;
        weights_begin(&w);
        w.n = 0;
        for (size_t i = 0; i < SR_COUNT(names); i++) {
            weights_add(&w, names[i], SR_F32, wide - (size_t)fits);
            w.tensor[i].data = zeros;
        }
        weights_add(&w, "cls.4.bias", SR_F32, 1);
        w.tensor[0].rank = w.tensor[6].rank = 2;
        w.tensor[0].shape[1] = 1;
        w.tensor[6].shape[1] = w.tensor[6].shape[0];
        w.tensor[6].shape[0] = 1;
        if (!fits) {
            expect_refused(&w, "8192");
            continue;
        }
        struct sr_router *r = expect_taken(&w);
        float logit[3] = {9, 9, 9};
        sr_router_logits(r, logit, (const float[]){1, 2, 3}, 3);
        cr_expect(logit[0] == 0 && logit[1] == 0 && logit[2] == 0);
        sr_router_close(r);
    }
    sr_free(zeros);
}

/* As many numbers as all layers together may have, and one more. */
Test(infer_refuses, a_layer_that_reads_too_much) {
    static float zeros[SR_SCRATCH];
    for (size_t inputs = SR_SCRATCH - 1; inputs <= SR_SCRATCH; inputs++) {
        struct weights w;
        weights_begin(&w);
        w.n = 0;
        weights_add(&w, "cls.0.weight", SR_F32, 1);
        w.tensor[0].rank = 2;
        w.tensor[0].shape[1] = inputs;
        w.tensor[0].data = zeros;
        weights_add(&w, "cls.0.bias", SR_F32, 1);
        if (inputs == SR_SCRATCH)
            expect_refused(&w, "layer 0 reads 11264 numbers and gives 1; together they may be 11264 at most");
        else
            sr_router_close(expect_taken(&w));
    }
}

/* Names that only look like those of a layer. */
Test(infer_refuses, layers_of_no_number) {
    static const char *const names[] = {"cls.x.weight", "cls.-1.weight", "cls.", "cls.8", "cls.8weight"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct weights w;
        weights_begin(&w);
        weights_add(&w, names[i], SR_F32, 1);
        expect_refused(&w, "has no place in a router");
    }
}

Test(infer_refuses, files_that_are_none) {
    struct sr_router *r = NULL;
    struct sr_error err;
    cr_expect_eq(sr_router_open(&r, "/nonexistent/w.safetensors", &err), SR_NOINPUT);
    cr_expect_eq(sr_router_open(&r, SR_SOURCE_DIR "/tests/vectors/eval_cases.safetensors", &err), SR_DATA);
    cr_expect(strstr(err.text, "cls.0.weight"), "%s", err.text);
    cr_expect_eq(sr_router_open(&r, SR_SOURCE_DIR "/CMakeLists.txt", &err), SR_DATA);
    cr_expect_null(r);
}

Test(infer_refuses, a_file_cut_short_or_with_a_flipped_bit) {
    struct weights w;
    struct sr_router *r = NULL;
    struct sr_error err;
    void *bytes;
    size_t size;
    weights_begin(&w);
    cr_assert_eq(weights_open(&w, &r, &err), 0, "%s", err.text);
    sr_router_close(r);
    r = NULL;
    cr_assert_eq(sr_file_read(&bytes, &size, w.path, 1 << 20, &err), 0);
    cr_assert_eq(sr_atomic_file_write(w.path, bytes, size - 1, &err), 0);
    cr_expect_eq(sr_router_open(&r, w.path, &err), SR_DATA);
    ((unsigned char *)bytes)[size - 9] ^= 1;
    cr_assert_eq(sr_atomic_file_write(w.path, bytes, size, &err), 0);
    cr_expect_eq(sr_router_open(&r, w.path, &err), SR_DATA);
    sr_free(bytes);
    weights_end(&w);
}

/* ---- what is taken ---- */

Test(infer_takes, tensors_beside_the_network) {
    struct weights w;
    weights_begin(&w);
    weights_add(&w, "other.mean", SR_F32, 16);
    weights_add(&w, "calibration.a", SR_F32, 1);
    weights_add(&w, "optim.cls.0.weight.m", SR_F32, 1);
    sr_router_close(expect_taken(&w));
}

Test(infer_takes, a_network_without_hidden_layers) {
    struct weights w;
    float x[4] = {1, 2, 3, 4}, logit = 0;
    weights_begin(&w);
    w.n = 0;
    weights_add(&w, "cls.0.weight", SR_F32, 1);
    w.tensor[0].rank = 2;
    w.tensor[0].shape[1] = 4;
    weights_add(&w, "cls.0.bias", SR_F32, 1);
    memcpy(w.spare, (const float[]){10, 1, 0, -1}, 4 * sizeof(float));
    struct sr_router *r = expect_taken(&w);
    sr_router_logits(r, &logit, x, 1);
    cr_expect_eq(logit, 1 * 10 + 2 * 1 - 4 + 10); /* spare[0] is the bias too */
    sr_router_close(r);
}

Test(infer_takes, metadata_and_threshold) {
    struct weights w;
    float threshold = -1;
    weights_begin(&w);
    w.metadata[0] = (struct sr_pair){"threshold", "0.55"};
    w.metadata[1] = (struct sr_pair){"feature_model", "guard-a"};
    w.n_metadata = 2;
    struct sr_router *r = expect_taken(&w);
    cr_expect(sr_router_threshold(r, &threshold));
    cr_expect_eq(threshold, 0.55f);
    cr_expect_str_eq(sr_router_metadata(r, "feature_model"), "guard-a");
    cr_expect_null(sr_router_metadata(r, "feature_layer"));
    sr_router_close(r);

    weights_begin(&w);
    threshold = -1;
    r = expect_taken(&w);
    cr_expect_not(sr_router_threshold(r, &threshold));
    cr_expect_eq(threshold, -1);
    sr_router_close(r);
}

Test(infer_refuses, a_threshold_that_is_none) {
    static const char *const texts[] = {"high", "0.5x", "1.5", "-0.1", "nan", "inf", " "};
    for (size_t i = 0; i < SR_COUNT(texts); i++) {
        struct weights w;
        weights_begin(&w);
        w.metadata[0] = (struct sr_pair){"threshold", texts[i]};
        w.n_metadata = 1;
        expect_refused(&w, "threshold");
    }
}

Test(infer_refuses, weights_of_a_later_format) {
    struct weights w;
    weights_begin(&w);
    w.metadata[0] = (struct sr_pair){"format", "saferoute"};
    w.metadata[1] = (struct sr_pair){"format_version", "2"};
    w.n_metadata = 2;
    expect_refused(&w, "format_version");
    weights_begin(&w);
    w.metadata[0] = (struct sr_pair){"format", "pt"}; /* what PyTorch's users write */
    w.n_metadata = 1;
    sr_router_close(expect_taken(&w));
}
