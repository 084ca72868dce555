/* test_infer_export_c.c: exported C compiles without a warning under gcc and clang, computes the bits of
 * `saferoute infer`, sends what it cannot judge to the large guard, and notices when anything of it was
 * changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/dump_fixture.h"
#include "tests/exported_c.h"

#include <math.h>

#include "infer/export.h"

#define GUARDS SR_SOURCE_DIR "/tests/vectors/eval_guards.h5"

/* Writes rows as numbers that read back as the same floats. */
static void write_rows(const char *folder, const float *x, size_t rows, size_t width) {
    char path[128];
    snprintf(path, sizeof path, "%s/rows.txt", folder);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    for (size_t i = 0; i < rows * width; i++)
        fprintf(f, "%.9g%c", (double)x[i], i % width == width - 1 ? '\n' : ' ');
    cr_assert_eq(fclose(f), 0);
}

/* ---- the same numbers as the program ---- */

/* Field n of a line of CSV, into text. */
static void field(char text[64], const char *line, int n) {
    for (; n > 0; n--)
        line += strcspn(line, ",\n") + 1;
    snprintf(text, 64, "%.*s", (int)strcspn(line, ",\n"), line);
}

/* Every line "row,logit,prob,decision" against the program's "row,id,logit,prob,decision,reason". */
static void compare_csv(const char *c, const char *infer, size_t rows) {
    static const int own[] = {0, 1, 2, 3}, theirs[] = {0, 2, 3, 4};
    size_t lines = 0;
    for (; *(c = strchr(c, '\n') + 1); lines++) {
        infer = strchr(infer, '\n') + 1;
        for (size_t i = 0; i < 4; i++) {
            char got[64], want[64];
            field(got, c, own[i]);
            field(want, infer, theirs[i]);
            const bool number = i == 1 || i == 2;
            cr_expect(number ? strtof(got, NULL) == strtof(want, NULL) : strcmp(got, want) == 0,
                      "row %zu: %s, infer %s", lines, got, want);
        }
    }
    cr_expect_eq(lines, rows);
}

/* The C of these weights, by that compiler, on that dump. */
static void expect_same_as_infer(const char *folder, const char *weights, const char *dump,
                                 const char *compile) {
    char path[128];
    struct sr_data *d = open_paths(dump, &(const struct sr_data_options){0});
    float *x = all_features(d);
    write_rows(folder, x, d->rows, d->width);
    export_as(folder, weights, "router.c");
    expect_status(folder, in_folder(folder, "%s -D ROUTER_MAIN -o scorer router.c -lm", compile), 0);
    expect_status(folder, in_folder(folder, "./scorer <rows.txt >scores.csv"), 0);
    struct run r = run_program(folder, "infer --model '%s' --data '%s' --threshold .5", weights, dump);
    cr_assert_eq(r.status, 0, "%s", r.err);
    snprintf(path, sizeof path, "%s/scores.csv", folder);
    char *scores = slurp(path);
    compare_csv(scores, r.out, d->rows);
    sr_free(scores);
    run_end(&r);
    sr_free(x);
    sr_data_close(d);
}

/* Widths that are no multiple of the 16 lanes, and hidden layers narrower and wider than them. */
static void train_odd(const char *folder) {
    struct run r = run_program(folder, "data synth --rows 300 --width 37 --seed 3 --out %s/odd.h5", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(
        folder,
        "train --train %s/odd.h5 --val-fraction .3 --epochs 1 --hidden 33,7 --dropout .1 --batch 50 "
        "--out %s/run",
        folder, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

static void expect_same_bits(const char *compile) {
    char *folder = folder_begin(), weights[128], dump[128];
    expect_same_as_infer(folder, WEIGHTS, GUARDS, compile);
    train_odd(folder);
    snprintf(weights, sizeof weights, "%s/run/best.safetensors", folder);
    snprintf(dump, sizeof dump, "%s/odd.h5", folder);
    expect_same_as_infer(folder, weights, dump, compile);
    folder_end(folder);
}

Test(infer_export_c, gcc_gives_the_bits_of_infer) {
    need("gcc");
    expect_same_bits("gcc -O2 " STRICT);
}

Test(infer_export_c, clang_gives_the_bits_of_infer) {
    need("clang");
    expect_same_bits("clang -O2 " STRICT);
}

/* The loop that other compilers get, and no optimisation; and sanitizers. */
Test(infer_export_c, plain_loops_give_the_same_bits) {
    need("gcc");
    expect_same_bits("gcc -O0 -D ROUTER_PLAIN " STRICT);
    expect_same_bits("gcc -O1 -fsanitize=address,undefined -fno-sanitize-recover=all " STRICT);
}

Test(infer_export_c, is_c_plus_plus_too) {
    char *folder = folder_begin();
    need("g++");
    export_as(folder, WEIGHTS, "router.c");
    expect_status(folder, in_folder(folder, "g++ -pedantic -Wall -Wextra -Werror -x c++ -c router.c"), 0);
    folder_end(folder);
}

/* ---- what it does with what it cannot judge ---- */

Test(infer_export_c, a_bad_row_goes_to_the_large_guard) {
    need("gcc");
    char *folder = folder_begin(), path[128];
    float x[4][16] = {{0}};
    x[0][3] = NAN;
    x[1][15] = INFINITY;
    x[2][0] = -INFINITY;
    for (size_t i = 0; i < 16; i++)
        x[3][i] = 3e38f; /* the first layer's sums overflow */
    write_rows(folder, x[0], 4, 16);
    export_as(folder, WEIGHTS, "router.c");
    expect_status(folder, in_folder(folder, "gcc -O2 -std=c99 -D ROUTER_MAIN -o scorer router.c -lm"), 0);
    expect_status(folder, in_folder(folder, "./scorer <rows.txt >scores.csv"), 0);
    snprintf(path, sizeof path, "%s/scores.csv", folder);
    char *scores = slurp(path);
    for (int i = 0; i < 4; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n%d,nan,nan,large\n", i);
        expect_in(scores, line);
    }
    sr_free(scores);
    folder_end(folder);
}

/* WEIGHTS whose every unit of the first layer falls with feature 5: there infinity becomes GELU(-infinity),
 * 0. */
static void write_swallowing(const char *folder) {
    struct sr_safetensors *file;
    struct sr_tensor tensor[64];
    struct sr_error err;
    char path[128];
    float w[12 * 16], gamma[12];
    snprintf(path, sizeof path, "%s/swallowing.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    const size_t n = sr_safetensors_count(file);
    for (size_t i = 0; i < n; i++) {
        tensor[i] = *sr_safetensors_at(file, i);
        if (strcmp(tensor[i].name, "cls.0.weight") == 0)
            tensor[i].data = memcpy(w, tensor[i].data, sizeof w);
        if (strcmp(tensor[i].name, "cls.1.weight") == 0)
            tensor[i].data = memcpy(gamma, tensor[i].data, sizeof gamma);
    }
    for (size_t o = 0; o < 12; o++) {
        w[16 * o + 5] = -1;
        gamma[o] = fabsf(gamma[o]) + .1f;
    }
    cr_assert_eq(sr_safetensors_write(path, tensor, n, NULL, 0, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

/* An infinity is looked for among the features and behind every layer, not left to show in the logit. */
Test(infer_export_c, an_infinity_that_the_network_swallows_is_seen) {
    need("gcc");
    char *folder = folder_begin(), weights[128], path[128];
    float x[2 * 16] = {0};
    x[5] = 3e38f; /* becomes -infinity behind the first layer, and 0 behind its GELU */
    x[16 + 5] = INFINITY;
    write_swallowing(folder);
    snprintf(weights, sizeof weights, "%s/swallowing.safetensors", folder);
    write_rows(folder, x, 2, 16);
    export_as(folder, weights, "router.c");
    expect_status(folder, in_folder(folder, "gcc -O2 -std=c99 -D ROUTER_MAIN -o scorer router.c -lm"), 0);
    expect_status(folder, in_folder(folder, "./scorer <rows.txt >scores.csv"), 0);
    snprintf(path, sizeof path, "%s/scores.csv", folder);
    char *scores = slurp(path);
    expect_in(scores, "\n0,nan,nan,large\n1,nan,nan,large\n");
    sr_free(scores);
    folder_end(folder);
}

Test(infer_export_c, the_program_says_where_its_input_is_no_row) {
    need("gcc");
    char *folder = folder_begin();
    export_as(folder, WEIGHTS, "router.c");
    expect_status(folder, in_folder(folder, "gcc -std=c99 -D ROUTER_MAIN -o scorer router.c -lm"), 0);
    expect_status(folder, in_folder(folder, "echo 1 2 3 | ./scorer"), 65);
    expect_status(folder, in_folder(folder, "echo 1 2 three | ./scorer | grep -c ."), 0);
    expect_status(folder, in_folder(folder, "./scorer </dev/null"), 0);
    folder_end(folder);
}

/* Without NaN and rounding to rely on there is no safe decision. */
Test(infer_export_c, fast_math_is_refused) {
    char *folder = folder_begin();
    export_as(folder, WEIGHTS, "router.c");
    for (size_t i = 0; i < SR_COUNT(compilers); i++)
        if (have(compilers[i])) {
            expect_status(folder, in_folder(folder, "! %s -ffast-math -c router.c", compilers[i]), 0);
            expect_status(folder, in_folder(folder, "! %s -ffinite-math-only -c router.c", compilers[i]), 0);
        }
    folder_end(folder);
}

/* ---- damage ---- */

/* Changes the first `from` behind `behind` in a file of the folder to `to`, of the same length. */
static void change(const char *folder, const char *name, const char *behind, const char *from,
                   const char *to) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = slurp(path), *at = strstr(text, behind);
    cr_assert(at && (at = strstr(at + strlen(behind), from)), "no %s behind %s", from, behind);
    memcpy(at, to, strlen(to));
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), NULL), 0);
    sr_free(text);
}

/* The last digit of the first word of a table, whatever it is, becomes another. */
static void change_word(const char *folder, const char *table) {
    char path[128];
    snprintf(path, sizeof path, "%s/router.c", folder);
    char *text = slurp(path), *at = strstr(text, table);
    cr_assert(at && (at = strstr(at, "0x")), "no table %s", table);
    at[9] = at[9] == '0' ? '1' : '0';
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), NULL), 0);
    sr_free(text);
}

static void expect_red(const char *table) {
    char *folder = folder_begin();
    export_as(folder, WEIGHTS, "router.c");
    change_word(folder, table);
    expect_status(folder, in_folder(folder, "gcc -std=c99 -D ROUTER_MAIN -o scorer router.c -lm"), 0);
    expect_status(folder, in_folder(folder, "./scorer </dev/null"), 70);
    folder_end(folder);
}

/* One unit of the last place of one weight moves no logit by as much as rounding does. */
Test(infer_export_c, the_self_test_sees_one_bit_of_one_weight) {
    need("gcc");
    expect_red("router_w0[");
    expect_red("router_b1[");
    expect_red("router_w3[");
}

Test(infer_export_c, the_self_test_sees_wrong_arithmetic) {
    need("gcc");
    static const struct {
        const char *behind, *from, *to;
    } change_to[] = {
        {"router_gelu(", "0.30f", "0.31f"},
        {"router_exp(", "-2.12194440e-4f", "+2.12194440e-4f"},
        {"router_decide(", "p > ", "p < "},
        {"router_decide(", "!router_finite(&p, 1) ||", "                        "},
    };
    for (size_t i = 0; i < SR_COUNT(change_to); i++) {
        char *folder = folder_begin();
        export_as(folder, WEIGHTS, "router.c");
        change(folder, "router.c", change_to[i].behind, change_to[i].from, change_to[i].to);
        expect_status(folder, in_folder(folder, "gcc -std=c99 -D ROUTER_MAIN -o scorer router.c -lm"), 0);
        expect_status(folder, in_folder(folder, "./scorer </dev/null"), 70);
        folder_end(folder);
    }
}

Test(infer_export_c, a_header_of_another_export_does_not_compile) {
    need("gcc");
    char *folder = folder_begin();
    export_as(folder, WEIGHTS, "router.c");
    change(folder, "router.h", "ROUTER_CHECKSUM", "0x", "0X");
    expect_status(folder, in_folder(folder, "gcc -std=c99 -c router.c"), 0);
    change(folder, "router.h", "ROUTER_CHECKSUM", "u /*", "1 /*");
    expect_status(folder, in_folder(folder, "! gcc -std=c99 -c router.c"), 0);
    folder_end(folder);
}

struct exported {
    char *folder;
    struct sr_safetensors *file;
    struct sr_router *router;
    struct sr_export e;
};

static void exported_begin(struct exported *x) {
    struct sr_error err;
    x->folder = folder_begin();
    cr_assert_eq(sr_safetensors_open(&x->file, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_open(&x->router, WEIGHTS, &err), 0, "%s", err.text);
    x->e = (struct sr_export){.file = x->file,
                              .router = x->router,
                              .has_threshold = true,
                              .threshold = .5f,
                              .threshold_rule = "given",
                              .name = "router.c"};
    cr_assert_eq(sr_export_c_write(&x->e, x->folder, &err), 0, "%s", err.text);
    cr_assert_eq(sr_export_c_check(&x->e, x->folder, &err), 0, "%s", err.text);
}

static void exported_end(struct exported *x) {
    sr_router_close(x->router);
    sr_safetensors_close(x->file);
    folder_end(x->folder);
}

/* What is written wrongly is found by reading it back, before it has its name. */
Test(infer_export_c, the_check_sees_what_was_written_wrongly) {
    static const struct {
        const char *file, *behind, *from, *to;
    } damage[] = {
        {"router.c", "router_w0[", ",0x", ",1x"},
        {"router.c", "router_w1[", "\n0x", "\n0,"},
        {"router.c", "router_w2[", "0x", "-1"},
        {"router.c", "router_b0[", "};", ",}"},
        {"router.c", "router_expected[4] = {0x", ",", ";"},
        {"router.c", "router_layers[] = {\n    {", "16", "15"},
        {"router.c", "router_layers[] = {", "router_b1", "router_b2"},
        {"router.c", "router_layers[] = {", "};", "{}"},
        {"router.c", "router_threshold(void) {", "0x3f0", "0x3f1"},
        {"router.c", "#if ROUTER_CHECKSUM != ", "0x", "1x"},
        {"router.h", "ROUTER_CHECKSUM", "0x", "1x"},
        {"router.h", "ROUTER_CHECKSUM", "u /*", "1 /*"},
    };
    for (size_t i = 0; i < SR_COUNT(damage); i++) {
        struct exported x;
        struct sr_error err = {0};
        exported_begin(&x);
        change(x.folder, damage[i].file, damage[i].behind, damage[i].from, damage[i].to);
        cr_expect_eq(sr_export_c_check(&x.e, x.folder, &err), SR_BUG, "%s of %s: taken", damage[i].to,
                     damage[i].behind);
        cr_expect(strstr(err.text, "router.c: read back"), "%s", err.text);
        exported_end(&x);
    }
}

Test(infer_export_c, the_check_sees_one_bit) {
    static const char *const tables[] = {"router_w0[", "router_b0[", "router_w3[", "router_b3[",
                                         "router_expected["};
    for (size_t i = 0; i < SR_COUNT(tables); i++) {
        struct exported x;
        struct sr_error err = {0};
        exported_begin(&x);
        change_word(x.folder, tables[i]);
        cr_expect_eq(sr_export_c_check(&x.e, x.folder, &err), SR_BUG, "%s: taken", tables[i]);
        cr_expect(strstr(err.text, "other bits"), "%s", err.text);
        exported_end(&x);
    }
}

/* ---- files ---- */

Test(infer_export_c, two_exports_are_the_same_bytes) {
    char *folder = folder_begin();
    export_as(folder, WEIGHTS, "router.c");
    cr_expect_eq(in_folder(folder, "mkdir one && mv router.? one"), 0);
    export_as(folder, WEIGHTS, "router.c");
    expect_status(folder, in_folder(folder, "cmp router.c one/router.c && cmp router.h one/router.h"), 0);
    folder_end(folder);
}

/* Only the .c was asked for by name. */
Test(infer_export_c, a_header_of_somebody_else_is_spared) {
    char *folder = folder_begin(), path[128];
    snprintf(path, sizeof path, "%s/router.h", folder);
    cr_assert_eq(sr_atomic_file_write(path, "mine", 4, NULL), 0);
    expect_failure(
        run_program(folder, "export --to c --model " WEIGHTS " --threshold .5 --out %s/router.c", folder), 2,
        "router.h is there already");
    char *text = slurp(path);
    cr_expect_str_eq(text, "mine");
    sr_free(text);

    snprintf(path, sizeof path, "%s/router.c", folder);
    cr_expect_neq(access(path, F_OK), 0, "a router.c without its header");
    cr_expect_eq(in_folder(folder, "rm router.h"), 0);
    export_as(folder, WEIGHTS, "router.c");
    export_as(folder, WEIGHTS, "router.c");
    folder_end(folder);
}
