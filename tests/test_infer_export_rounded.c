/* test_infer_export_rounded.c: `saferoute export --dtype`: what it writes decides as the library does in that
 * precision, what it costs is measured, and formats that have no place for such weights refuse them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "infer/infer.h"
#include "tests/run_program.h"

static char *folder;

/* Every test is a process of its own: paths are short in the folder itself. */
static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    run_fine(folder, "data synth --out train.h5 --rows 1500 --width 64 --seed 1");
    run_fine(folder, "data synth --out test.h5 --rows 1200 --width 64 --seed 2");
    run_fine(folder, "train --train train.h5 --val test.h5 --out run --hidden 32,16 --epochs 2");
    run_fine(folder,
             "sweep --model run/best.safetensors --data test.h5 --rule budget=0.2 --out w.safetensors");
}

static void end(void) {
    folder_end(folder);
}

TestSuite(export_rounded, .init = begin, .fini = end);

static struct sr_router *open_as(const char *path, int precision) {
    const struct saferoute_options options = {.precision = precision};
    struct sr_router *r;
    struct sr_error err;
    cr_assert_eq(sr_router_open_with(&r, path, &options, &err), 0, "%s", err.text);
    return r;
}

static void expect_same_bits(const struct sr_router *a, const struct sr_router *b) {
    enum { ROWS = 50, WIDTH = 64 };
    float x[ROWS * WIDTH];
    struct saferoute_decision one[ROWS], other[ROWS];
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        x[i] = (float)sr_random_normal(5, sr_stream(SR_STREAM_TEST, 0, 0), i);
    const struct saferoute_rows rows = {
        .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = ROWS, .width = WIDTH};
    saferoute_decide(sr_router_shipped(a), one, &rows, NULL);
    saferoute_decide(sr_router_shipped(b), other, &rows, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        cr_expect_eq(memcmp(&one[i].logit, &other[i].logit, sizeof one[i].logit), 0, "row %zu", i);
        cr_expect_eq(memcmp(&one[i].range, &other[i].range, sizeof one[i].range), 0, "row %zu", i);
        cr_expect(one[i].large == other[i].large && one[i].precision == other[i].precision);
    }
}

static void check_dtype(const char *dtype, int precision) {
    char path[32];
    snprintf(path, sizeof path, "%s.safetensors", dtype);
    struct run r = run_program(
        folder, "export --model w.safetensors --to safetensors --dtype %s --data test.h5 --out %s", dtype,
        path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "instead of float32, on 1200 rows of test.h5");
    expect_in(r.out, "decisions ");
    expect_in(r.out, "AUPRC ");
    run_end(&r);
    struct sr_router *stored = open_as(path, SAFEROUTE_AS_STORED),
                     *made = open_as("w.safetensors", precision),
                     *exact = open_as("w.safetensors", SAFEROUTE_AS_STORED);
    float threshold = 0, same = 1;
    expect_same_bits(stored, made);
    cr_expect(sr_router_threshold(stored, &threshold) && sr_router_threshold(exact, &same));
    cr_expect_eq(threshold, same);
    cr_expect_str_eq(sr_router_precision(stored), dtype);
    sr_router_close(exact);
    sr_router_close(made);
    sr_router_close(stored);
}

Test(export_rounded, decides_as_the_library_does_in_that_precision) {
    check_dtype("int8", SAFEROUTE_COMPUTE_INT8);
    check_dtype("bfloat16", SAFEROUTE_COMPUTE_BFLOAT16);
}

/* The number behind a word of what export printed. */
static double printed(const char *out, const char *word) {
    const char *at = strstr(out, word);
    cr_assert_not_null(at, "\"%s\" is not in: %s", word, out);
    return atof(at + strlen(word));
}

Test(export_rounded, says_what_infer_says_of_both) {
    enum { ROWS = 1200 };
    float prob[2][ROWS];
    size_t flips = 0;
    double largest = 0;
    struct run r = run_program(
        folder,
        "export --model w.safetensors --to safetensors --dtype int8 --data test.h5 --out q.safetensors");
    cr_assert_eq(r.status, 0, "%s", r.err);
    for (int i = 0; i < 2; i++) {
        struct run s =
            run_program(folder, "infer --model %s --data test.h5", i ? "q.safetensors" : "w.safetensors");
        const char *line = s.out;
        cr_assert_eq(s.status, 0, "%s", s.err);
        for (size_t row = 0; row < ROWS; row++) {
            line = strchr(line, '\n') + 1;
            const char *field = line;
            for (int comma = 0; comma < 3; comma++)
                field = strchr(field, ',') + 1;
            prob[i][row] = (float)atof(field);
        }
        run_end(&s);
    }
    struct sr_router *router = open_as("w.safetensors", SAFEROUTE_AS_STORED);
    float threshold = 0;
    sr_router_threshold(router, &threshold);
    for (size_t i = 0; i < ROWS; i++) {
        largest = fmax(largest, fabs((double)prob[0][i] - (double)prob[1][i]));
        flips += (prob[0][i] > threshold) != (prob[1][i] > threshold);
    }
    cr_expect(largest > 0);
    cr_expect_float_eq(printed(r.out, "changes by "), largest, 5.1e-6, "printed with five decimals");
    cr_expect_eq((size_t)printed(r.out, "decisions  "), flips);
    sr_router_close(router);
    run_end(&r);
}

Test(export_rounded, other_formats_refuse_such_weights_and_safetensors_copies_them) {
    static const char *const refusing[] = {"c q.c", "pt q.pt", "onnx q.onnx", "hf q"};
    run_fine(folder,
             "export --model w.safetensors --to safetensors --dtype int8 --data test.h5 --out q.safetensors");
    for (size_t i = 0; i < SR_COUNT(refusing); i++) {
        const char *space = strchr(refusing[i], ' ');
        expect_failure(run_program(folder, "export --model q.safetensors --to %.*s --out %s",
                                   (int)(space - refusing[i]), refusing[i], space + 1),
                       65, "folded and rounded to int8");
        cr_expect_neq(access(strcmp(space + 1, "q") == 0 ? "q/config.json" : space + 1, F_OK), 0);
    }
    run_fine(folder, "export --model q.safetensors --to safetensors --out copy.safetensors");
    cr_expect_eq(system("cmp q.safetensors copy.safetensors"), 0);
}

Test(export_rounded, what_makes_no_sense_is_refused) {
    expect_failure(
        run_program(folder, "export --model w.safetensors --to safetensors --dtype int8 --out q.safetensors"),
        2, "--data is missing");
    expect_failure(
        run_program(folder,
                    "export --model w.safetensors --to safetensors --data test.h5 --out q.safetensors"),
        2, "float32 costs nothing");
    expect_failure(
        run_program(folder,
                    "export --model w.safetensors --to onnx --dtype int8 --data test.h5 --out q.onnx"),
        2, "--dtype is for --to safetensors");
    run_fine(folder, "data synth --out narrow.h5 --rows 50 --width 16");
    expect_failure(run_program(folder,
                               "export --model w.safetensors --to safetensors --dtype int8 --data narrow.h5 "
                               "--out q.safetensors"),
                   65, "rows of 16 features");
    cr_expect_neq(access("q.safetensors", F_OK), 0);
}

/* A folder may hold a card that somebody wrote by hand. */
Test(export_rounded, a_folder_for_hugging_face_spares_what_it_has_not_written) {
    run_fine(folder, "export --model w.safetensors --to hf --out hf");
    run_fine(folder, "export --model w.safetensors --to hf --out hf");
    cr_assert_eq(system("echo '# By hand' > hf/README.md"), 0);
    expect_failure(run_program(folder, "export --model w.safetensors --to hf --out hf"), 2,
                   "is there already");
    char *kept = slurp("hf/README.md");
    cr_expect_str_eq(kept, "# By hand\n");
    sr_free(kept);
}

/* Features of very different sizes and means, as those of language models are: int8 reads them standardised.
 */
Test(export_rounded, int8_is_near_float32_whatever_the_sizes_of_features) {
    enum { ROWS = 400, WIDTH = 64 };
    float x[ROWS * WIDTH], logit[2][ROWS];
    run_fine(folder, "import w.safetensors --out other.safetensors --stats train.h5");
    struct sr_safetensors *file;
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(&file, "other.safetensors", &err), 0, "%s", err.text);
    const size_t n = sr_safetensors_count(file);
    struct sr_tensor list[64];
    cr_assert_leq(n, SR_COUNT(list));
    for (size_t i = 0; i < n; i++) { /* feature j times 10^(j mod 5 - 2), plus that times 3 */
        list[i] = *sr_safetensors_at(file, i);
        float *value = list[i].data;
        for (size_t k = 0; k < sr_tensor_items(&list[i]); k++) {
            const float size = powf(10, (float)(k % WIDTH % 5) - 2);
            if (strcmp(list[i].name, "cls.0.weight") == 0)
                value[k] /= size;
            if (strcmp(list[i].name, "stats.mean") == 0)
                value[k] = value[k] * size + 3 * size;
            if (strcmp(list[i].name, "stats.var") == 0)
                value[k] *= size * size;
        }
    }
    cr_assert_eq(sr_safetensors_write("sized.safetensors", list, n, NULL, 0, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
    for (size_t i = 0; i < SR_COUNT(x); i++)
        x[i] = ((float)sr_random_normal(6, sr_stream(SR_STREAM_TEST, 0, 0), i) + 3) *
               powf(10, (float)(i % WIDTH % 5) - 2);
    for (int precision = 0; precision < 2; precision++) {
        struct sr_router *r =
            open_as("sized.safetensors", precision ? SAFEROUTE_COMPUTE_INT8 : SAFEROUTE_COMPUTE_FLOAT32);
        sr_router_logits(r, logit[precision], x, ROWS);
        sr_router_close(r);
    }
    /* Three layers rounded to steps of 1/127 of their largest number give .06 on these rows; with layer 0 not
     * moved to standardised features it is 47, with its bias not 6. */
    double apart = 0;
    for (size_t i = 0; i < ROWS; i++)
        apart += fabs((double)logit[0][i] - (double)logit[1][i]) / ROWS;
    cr_expect(apart < .2, "%g", apart);
}
