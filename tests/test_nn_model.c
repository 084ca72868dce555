/* test_nn_model.c: what a model promises besides its mathematics: which specs it takes, its names, its first
 * weights, its dropout masks, and the way through a weights file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "tests/hash_fill.h"
#include "tests/one_layer.h"

static struct sr_model *create(const struct sr_model_spec *spec, size_t max_rows) {
    struct sr_error err = {0};
    struct sr_model *m = NULL;
    cr_assert_eq(sr_model_create(&m, spec, max_rows, &err), SR_OK, "%s", err.text);
    return m;
}

/* ---- specs ---- */

static void refused(struct sr_model_spec spec, size_t max_rows, const char *says) {
    struct sr_error err = {0};
    struct sr_model *m = (struct sr_model *)&spec;
    cr_expect_eq(sr_model_create(&m, &spec, max_rows, &err), SR_USAGE, "%s", says);
    cr_expect_null(m);
    cr_expect(strstr(err.text, says), "\"%s\" does not say \"%s\"", err.text, says);
}

Test(nn_model, bad_specs_are_refused) {
    struct sr_model_spec spec = sr_model_spec_seed(0);
    refused(spec, 8, "0 features");
    refused(sr_model_spec_seed(SR_WIDTH_MAX + 1), 8, "features");
    spec = sr_model_spec_seed(16);
    refused(spec, 0, "0 rows");
    refused(spec, SIZE_MAX, "rows");
    spec.n_hidden = SR_HIDDEN_MAX + 1;
    refused(spec, 8, "hidden layers");
    spec = sr_model_spec_seed(16);
    spec.hidden[1] = 0;
    refused(spec, 8, "hidden layer 2");
    spec.hidden[1] = SIZE_MAX;
    refused(spec, 8, "hidden layer 2");
    static const double p[] = {1, -0.1, 1.5, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        spec = sr_model_spec_seed(16);
        spec.dropout[2] = p[i];
        refused(spec, 8, "dropout of hidden layer 3");
    }
}

/* No hidden layer is logistic regression; sixteen are allowed. */
Test(nn_model, smallest_and_deepest) {
    struct sr_model_spec spec = {.in = 1, .n_hidden = 0};
    struct sr_model *m = create(&spec, 1);
    const real x[] = {3};
    sr_model_init(m, 1);
    sr_model_forward(m, &(struct sr_pass){.training = false}, x, 1);
    cr_expect_eq(m->n_params, 2);
    cr_expect_eq(sr_model_logits(m)[0], m->params[0] * 3);
    sr_model_free(m);
    spec = (struct sr_model_spec){.in = 3, .n_hidden = SR_HIDDEN_MAX};
    for (size_t i = 0; i < SR_HIDDEN_MAX; i++)
        spec.hidden[i] = 1 + i % 3;
    m = create(&spec, 2);
    cr_expect_eq(m->n_layers, 4 * SR_HIDDEN_MAX + 1);
    sr_model_free(m);
    sr_model_free(NULL);
}

/* ---- names ---- */

Test(nn_model, seed_keys) {
    static const char *const keys[] = {"cls.0.weight",
                                       "cls.0.bias",
                                       "cls.1.weight",
                                       "cls.1.bias",
                                       "cls.1.running_mean",
                                       "cls.1.running_var",
                                       "cls.1.num_batches_tracked",
                                       "cls.4.weight",
                                       "cls.4.bias",
                                       "cls.5.weight",
                                       "cls.5.bias",
                                       "cls.5.running_mean",
                                       "cls.5.running_var",
                                       "cls.5.num_batches_tracked",
                                       "cls.8.weight",
                                       "cls.8.bias",
                                       "cls.9.weight",
                                       "cls.9.bias",
                                       "cls.9.running_mean",
                                       "cls.9.running_var",
                                       "cls.9.num_batches_tracked",
                                       "cls.12.weight",
                                       "cls.12.bias"};
    const struct sr_model_spec spec = sr_model_spec_seed(2048);
    struct sr_model *m = create(&spec, 2);
    struct sr_tensor list[23];
    cr_assert_eq(sr_model_tensor_count(m), 23);
    cr_expect_eq(m->n_params, 2758145);
    sr_model_tensors(m, list);
    for (size_t i = 0; i < 23; i++)
        cr_expect_str_eq(list[i].name, keys[i]);
    cr_expect(list[0].rank == 2 && list[0].shape[0] == 1024 && list[0].shape[1] == 2048);
    cr_expect(list[21].rank == 2 && list[21].shape[0] == 1 && list[21].shape[1] == 256);
    cr_expect(list[22].rank == 1 && list[22].shape[0] == 1 && list[22].dtype == SR_F32);
    cr_expect(list[6].rank == 0 && list[6].dtype == SR_I64);
    sr_model_free(m);
}

/* ---- first weights ---- */

/* n normal numbers of the deviation: mean, deviation and share beyond two deviations, each within five of its
 * own. */
static void expect_normal(const char *key, const real *w, size_t n, double deviation) {
    double sum = 0, squares = 0, beyond = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
        beyond += fabs((double)w[i]) > 2 * deviation;
    }
    const double N = (double)n, share = erfc(sqrt(2.0));
    cr_expect(fabs(sum / N) < 5 * deviation / sqrt(N), "%s: mean %g", key, sum / N);
    cr_expect(fabs(sqrt(squares / N) / deviation - 1) < 5 / sqrt(2 * N), "%s: deviation %g, not %g", key,
              sqrt(squares / N), deviation);
    cr_expect(fabs(beyond / N - share) < 5 * sqrt(share * (1 - share) / N), "%s: %g beyond two deviations",
              key, beyond / N);
}

Test(nn_model, kaiming_init) {
    const struct sr_model_spec spec = sr_model_spec_seed(2048);
    struct sr_model *m = create(&spec, 2);
    char key[SR_TENSOR_NAME];
    sr_model_init(m, 42);
    for (size_t i = 0; i < m->n_layers; i++)
        for (size_t t = 0; t < m->layer[i].n_tensors; t++) {
            const struct sr_layer_tensor *tensor = &m->layer[i].tensor[t];
            const size_t n = one_tensor_items(tensor);
            sr_model_key(&m->layer[i], tensor, key);
            if (tensor->rank == 2)
                expect_normal(key, tensor->data, n, sqrt(2.0 / (double)tensor->shape[1]));
            else if (tensor->role == SR_ROLE_COUNTER)
                cr_expect_eq(*tensor->counter, 0);
            else
                for (size_t j = 0; j < n; j++)
                    cr_assert_eq(tensor->data[j],
                                 !strcmp(tensor->name, "running_var") || !strcmp(tensor->name, "weight"));
        }
    sr_model_free(m);
}

/* A pure function of the seed: same on any number of threads, other with another seed, other in every layer.
 */
Test(nn_model, init_is_a_function_of_the_seed) {
    const struct sr_model_spec spec = {.in = 64, .n_hidden = 2, .hidden = {64, 64}};
    struct sr_model *a = create(&spec, 2), *b = create(&spec, 2);
    const size_t bytes = a->n_params * sizeof(real);
    sr_cpu_threads(1);
    sr_model_init(a, 42);
    sr_cpu_threads(4);
    sr_model_init(b, 42);
    cr_expect_eq(memcmp(a->params, b->params, bytes), 0);
    cr_expect_neq(memcmp(a->layer[0].tensor[0].data, a->layer[4].tensor[0].data, 64 * 64 * sizeof(real)), 0);
    sr_model_init(b, 43);
    cr_expect_neq(memcmp(a->params, b->params, bytes), 0);
    sr_model_free(a);
    sr_model_free(b);
}

/* ---- dropout ---- */

static void masks(struct sr_layer *l, const struct sr_pass *pass, uint8_t *keep, real *y, const real *x,
                  size_t rows) {
    one_layer_forward(l, pass, y, x, rows);
    blocks_copy(l->saved, keep, true, rows, l->out, 1);
}

Test(nn_model, dropout_masks) {
    enum { COUNT = 150 * 200 };
    struct sr_layer l = one_layer(&sr_layer_dropout, 200, 200, 0.3, 150);
    real *x = test_alloc(COUNT, sizeof(real)), *y = test_alloc(COUNT, sizeof(real));
    uint8_t *keep = test_alloc(COUNT, 1), *other = test_alloc(COUNT, 1);
    struct sr_pass pass = {.training = true, .seed = 1, .step = 2};
    double kept = 0;
    hash_fill(x, COUNT, 1, 1, 3);
    masks(&l, &pass, keep, y, x, 150);
    for (size_t i = 0; i < COUNT; i++) {
        kept += keep[i];
        cr_assert_eq(y[i], keep[i] ? x[i] * (real)(1 / 0.7) : 0);
    }
    cr_expect(fabs(kept / COUNT - 0.7) < 5 * sqrt(0.3 * 0.7 / COUNT), "kept %g", kept / COUNT);
    masks(&l, &pass, other, y, x, 150);
    cr_expect_eq(memcmp(keep, other, COUNT), 0, "the same pass has another mask");
    masks(&l, &pass, other, y, x, 20);
    cr_expect_eq(memcmp(keep, other, 20 * 200), 0, "the mask of a row depends on the rows behind it");
    pass.step = 3;
    masks(&l, &pass, other, y, x, 150);
    cr_expect_neq(memcmp(keep, other, COUNT), 0, "two steps share a mask");
    pass.step = 2;
    pass.seed = 2;
    masks(&l, &pass, other, y, x, 150);
    cr_expect_neq(memcmp(keep, other, COUNT), 0, "two seeds share a mask");
    pass.seed = 1;
    l.index++;
    masks(&l, &pass, other, y, x, 150);
    cr_expect_neq(memcmp(keep, other, COUNT), 0, "two layers share a mask");
    pass.training = false;
    one_layer_forward(&l, &pass, y, x, 150);
    cr_expect_eq(memcmp(x, y, COUNT * sizeof(real)), 0, "evaluation does not copy");
    one_layer_free(&l);
    sr_free(x);
    sr_free(y);
    sr_free(keep);
    sr_free(other);
}

/* ---- weights file ---- */

static const struct sr_model_spec small = {.in = 5, .n_hidden = 1, .hidden = {4}, .dropout = {0.1}};
enum { SMALL_TENSORS = 9 };

/* Writes the tensors and loads them into a fresh model; its status and message. */
static int load_back(const struct sr_tensor *list, size_t n, struct sr_model *m, struct sr_error *err) {
    char path[] = "/tmp/sr_test_nn_model_XXXXXX";
    struct sr_safetensors *file = NULL;
    const int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(sr_safetensors_write(path, list, n, NULL, 0, err), SR_OK, "%s", err->text);
    cr_assert_eq(sr_safetensors_open(&file, path, err), SR_OK, "%s", err->text);
    const int status = sr_model_load(m, file, err);
    sr_safetensors_close(file);
    unlink(path);
    return status;
}

Test(nn_model, load_gives_the_same_bits) {
    struct sr_error err = {0};
    struct sr_tensor list[SMALL_TENSORS];
    struct sr_model *a = create(&small, 2), *b = create(&small, 2);
    cr_assert_eq(sr_model_tensor_count(a), SMALL_TENSORS);
    hash_fill(a->params, a->n_params, 1, 1, 0);
    hash_fill(a->state, a->n_state, 2, 1, 2);
    *a->layer[1].tensor[4].counter = INT64_C(1) << 40;
    sr_model_tensors(a, list);
    cr_assert_eq(load_back(list, SMALL_TENSORS, b, &err), SR_OK, "%s", err.text);
    cr_expect_eq(memcmp(a->params, b->params, a->n_params * sizeof(real)), 0);
    cr_expect_eq(memcmp(a->state, b->state, a->n_state * sizeof(real)), 0);
    cr_expect_eq(*b->layer[1].tensor[4].counter, INT64_C(1) << 40);
    sr_model_free(a);
    sr_model_free(b);
}

Test(nn_model, load_refuses_what_does_not_fit) {
    struct sr_model *m = create(&small, 2);
    struct sr_tensor list[SMALL_TENSORS], bad[SMALL_TENSORS];
    struct sr_error err = {0};
    sr_model_tensors(m, list);
    for (size_t missing = 0; missing < SMALL_TENSORS; missing++) {
        size_t n = 0;
        for (size_t i = 0; i < SMALL_TENSORS; i++)
            if (i != missing)
                bad[n++] = list[i];
        cr_expect_eq(load_back(bad, n, m, &err), SR_DATA, "without %s", list[missing].name);
        cr_expect(strstr(err.text, list[missing].name), "\"%s\" does not name %s", err.text,
                  list[missing].name);
    }
    for (size_t wrong = 0; wrong < SMALL_TENSORS; wrong++) {
        memcpy(bad, list, sizeof bad);
        if (list[wrong].rank == 2) { /* transposed: as many numbers, another shape */
            bad[wrong].shape[0] = list[wrong].shape[1];
            bad[wrong].shape[1] = list[wrong].shape[0];
        } else if (list[wrong].rank == 1 && list[wrong].shape[0] > 1)
            bad[wrong].shape[0]--;
        else
            bad[wrong].rank = 1 - list[wrong].rank, bad[wrong].shape[0] = 1;
        cr_expect_eq(load_back(bad, SMALL_TENSORS, m, &err), SR_DATA, "%s of another shape",
                     list[wrong].name);
        cr_expect(strstr(err.text, list[wrong].name), "\"%s\" does not name %s", err.text, list[wrong].name);
    }
    memcpy(bad, list, sizeof bad);
    bad[0].dtype = SR_I32;
    cr_expect_eq(load_back(bad, SMALL_TENSORS, m, &err), SR_DATA, "a weight of integers");
    sr_model_free(m);
}
