/* test_train_bench.c: `saferoute bench` as a command: its parts, its JSON, its tables. How fast anything is
 * is not tested.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>

#include "tests/dump_fixture.h"
#include "tests/router_fixture.h"
#include "tests/run_program.h"
#include "train/bench.h"

#define QUICK "--rounds 2 --seconds 0.001"

/* What --threads 2 gives. */
#ifdef _OPENMP
enum { TEAM = 2 };
#else
enum { TEAM = 1 };
#endif

/* A dump with rows of both classes. */
static const char *dump_make(char path[256], const char *folder) {
    const struct sr_synth how = {.rows = 600, .width = 32, .seed = 1, .world = 1};
    struct sr_error err = {0};
    snprintf(path, 256, "%s/dump.h5", folder);
    cr_assert_eq(sr_synth_write(path, &how, &err), 0, "%s", err.text);
    return path;
}

/* A small router with a range check, which is quicker than one that the program makes up. */
static const char *router_make(char path[256], const char *folder) {
    struct network n;
    network_begin(&n, SMALL, DIRECTIONS);
    snprintf(path, 256, "%s/router.safetensors", folder);
    network_write(&n, path);
    network_end(&n);
    return path;
}

static struct sr_json *bench_json(const char *folder, const char *arguments) {
    struct run r = run_program(folder, "bench " QUICK " --json %s", arguments);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out);
    run_end(&r);
    return o;
}

/* Every key of a comma-separated list is a finite number above `least` in o, or not below it where strict is
 * false. */
static void expect_numbers(const struct sr_json *o, const char *keys, bool strict) {
    char copy[512], *rest = copy;
    snprintf(copy, sizeof copy, "%s", keys);
    for (char *key; (key = strsep(&rest, ","));) {
        const double x = number(o, key);
        cr_expect(isfinite(x) && (strict ? x > 0 : x >= 0), "%s is %g", key, x);
    }
}

/* KEY lies in its range. */
static void expect_range(const struct sr_json *o, const char *key) {
    char name[64];
    double least = (double)NAN, most = (double)NAN;
    snprintf(name, sizeof name, "%s_range", key);
    const struct sr_json *range = sr_json_get(o, name);
    cr_expect_eq(sr_json_size(range), 2, "%s", name);
    cr_expect(sr_json_as_number(sr_json_at(range, 0), &least) &&
              sr_json_as_number(sr_json_at(range, 1), &most));
    cr_expect(least <= number(o, key) && number(o, key) <= most, "%s: %g in %g..%g", key, number(o, key),
              least, most);
}

static const char *text_of(const struct sr_json *o, const char *key) {
    const char *text = sr_json_as_string(sr_json_get(o, key));
    cr_assert_not_null(text, "%s", key);
    return text;
}

/* ---- what each part says ---- */

static void expect_machine(const struct sr_json *o) {
    static const char *const texts[] = {
        "version",           "compiler",        "cpu", "cpu_features", "isa", "blas", "blas_core",
        "blas_core_at_load", "blas_core_action"};
    const struct sr_json *limits = sr_json_get(o, "limits");
    bool weak;
    for (size_t i = 0; i < SR_COUNT(texts); i++)
        text_of(o, texts[i]);
    cr_expect(sr_json_as_bool(sr_json_get(o, "blas_core_weak"), &weak));
    cr_expect_eq(sr_json_size(limits),
                 3 * TEAM + 4); /* three by one thread and by all, four sizes of memory */
    size_t seen[4] = {0};
    for (size_t i = 0; i < sr_json_size(limits); i++) {
        static const char *const names[] = {"fma", "int8", "update", "read"};
        const struct sr_json *limit = sr_json_at(limits, i);
        expect_numbers(limit, "value,threads", true);
        text_of(limit, "what");
        for (size_t k = 0; k < SR_COUNT(names); k++)
            seen[k] += strcmp(text_of(limit, "name"), names[k]) == 0;
    }
    cr_expect(seen[0] == TEAM && seen[1] == TEAM && seen[2] == TEAM && seen[3] == 4);
    cr_expect_eq(number(sr_json_at(limits, 3 * TEAM), "bytes"),
                 2752768); /* int8 weights of the published router */
}

static void expect_training(const struct sr_json *o) {
    static const double batches[] = {64, 256, 1024, 256}, threads[] = {TEAM, TEAM, TEAM, 1};
    cr_expect_eq(sr_json_size(o), 2 + TEAM);
    for (size_t i = 0; i < sr_json_size(o); i++) {
        const struct sr_json *c = sr_json_at(o, i);
        cr_expect_eq(number(c, "batch"), batches[i]);
        cr_expect_eq(number(c, "threads"), threads[i]);
        expect_numbers(c,
                       "forward_ms,backward_ms,update_ms,step_ms,rows_per_second,forward_of_peak,"
                       "backward_of_peak,update_of_limit,step_of_peak,gemm_forward_of_peak,"
                       "gemm_backward_of_peak",
                       true);
        expect_range(c, "rows_per_second");
        cr_expect_eq(sr_json_get(c, "scaling") != NULL, i == 3);
    }
    if (TEAM > 1)
        expect_numbers(sr_json_at(o, 3), "scaling", true);
}

static void expect_epoch(const struct sr_json *list) {
    static const double batches[] = {64, 256, 1024};
    cr_expect_eq(sr_json_size(list), 3);
    for (size_t i = 0; i < sr_json_size(list); i++) {
        const struct sr_json *o = sr_json_at(list, i);
        cr_expect_eq(number(o, "rows"), 600);
        cr_expect_eq(number(o, "features"), 32);
        cr_expect_eq(number(o, "batch"), batches[i]);
        cr_expect_eq(number(o, "threads"), TEAM);
        cr_expect_eq((double)sr_json_size(sr_json_get(o, "seconds")), number(o, "rounds"));
        expect_numbers(o, "rows_per_second,step_of_peak,forward_ms,backward_ms,update_ms", true);
        expect_numbers(o, "waiting,waiting_ms", false);
        expect_range(o, "rows_per_second");
        cr_expect_leq(number(o, "waiting"), 1);
    }
}

static void expect_scoring(const struct sr_json *o) {
    static const char *const precisions[] = {"float32", "bfloat16", "int8"};
    static const double batches[] = {1, 8, 64, 1024};
    cr_expect_eq(sr_json_size(o), 12);
    for (size_t i = 0; i < sr_json_size(o); i++) {
        const struct sr_json *c = sr_json_at(o, i);
        cr_expect_str_eq(text_of(c, "precision"), precisions[i / 4]);
        cr_expect_eq(number(c, "batch"), batches[i % 4]);
        cr_expect_eq(number(c, "threads"), 1);
        expect_numbers(c, "rows_per_second,of_limit", true);
        expect_range(c, "rows_per_second");
    }
}

static void expect_latency(const struct sr_json *o) {
    static const char *const precisions[] = {"float32", "bfloat16", "int8"};
    cr_expect_eq(sr_json_size(o), 3 * TEAM);
    for (size_t i = 0; i < sr_json_size(o); i++) {
        const struct sr_json *c = sr_json_at(o, i);
        cr_expect_str_eq(text_of(c, "precision"), precisions[i % 3]);
        cr_expect_eq(number(c, "callers"), i < 3 ? 1 : TEAM);
        cr_expect_eq(number(c, "calls"), 50 * number(c, "callers")); /* 50,000 for each of --seconds */
        expect_numbers(c, "p50_us,p99_us,p999_us,of_limit", true);
        expect_range(c, "p50_us");
        cr_expect(number(c, "p99_us") <= number(c, "p999_us"));
    }
}

static void expect_reading(const struct sr_json *o, int rows) {
    cr_expect_eq(number(o, "rows"), rows);
    cr_expect_eq(sr_json_size(sr_json_get(o, "seconds")), 2);
    expect_numbers(o, "rows_per_second,of_limit", true);
    expect_range(o, "rows_per_second");
    cr_expect_eq(strlen(text_of(o, "checksum")), 16);
}

Test(train_bench, json_has_every_part) {
    char *folder = folder_begin(), path[256], arguments[320];
    snprintf(arguments, sizeof arguments, "--threads 2 --data %s", dump_make(path, folder));
    struct sr_json *o = bench_json(folder, arguments);
    cr_expect_eq(number(o, "schema_version"), 1);
    expect_machine(sr_json_get(o, "machine"));
    expect_training(sr_json_get(o, "training"));
    expect_epoch(sr_json_get(o, "epoch"));
    expect_scoring(sr_json_get(o, "scoring"));
    expect_latency(sr_json_get(o, "latency"));
    expect_reading(sr_json_get(o, "reading"), 600);
    cr_expect_eq(sr_json_size(sr_json_get(o, "left_out")), 0);
    cr_expect_eq(sr_json_size(o), 8);
    sr_json_free(o);
    folder_end(folder);
}

/* ---- choosing ---- */

Test(train_bench, without_a_dump_two_parts_are_left_out_and_that_is_said) {
    char *folder = folder_begin(), path[256], arguments[320];
    snprintf(arguments, sizeof arguments, "--threads 1 --model %s", router_make(path, folder));
    struct sr_json *o = bench_json(folder, arguments);
    const struct sr_json *left = sr_json_get(o, "left_out");
    cr_expect(sr_json_is_null(sr_json_get(o, "epoch")) && sr_json_is_null(sr_json_get(o, "reading")));
    expect_in(text_of(left, "epoch"), "--data");
    expect_in(text_of(left, "reading"), "--data");
    cr_expect_eq(sr_json_size(left), 2);
    cr_expect_eq(sr_json_size(sr_json_get(o, "training")), 3); /* one thread has nothing to be held against */
    cr_expect_eq(sr_json_size(sr_json_get(o, "latency")), 3);
    sr_json_free(o);
    struct run r = run_program(folder, "bench " QUICK " %s", arguments);
    expect_in(r.out, "epoch is left out: no dump is given (--data)");
    run_end(&r);
    folder_end(folder);
}

Test(train_bench, parts_are_picked) {
    char *folder = folder_begin(), path[256], arguments[320];
    snprintf(arguments, sizeof arguments, "--parts latency,machine --model %s", router_make(path, folder));
    struct sr_json *o = bench_json(folder, arguments);
    cr_expect(sr_json_get(o, "machine") && sr_json_get(o, "latency"));
    cr_expect_eq(sr_json_size(o), 4); /* those, schema_version and left_out */
    sr_json_free(o);
    expect_failure(run_program(folder, "bench --parts machine,latancy"), 2, "did you mean latency?");
    expect_failure(run_program(folder, "bench --parts ''"), 2, "unknown part ''");
    expect_failure(run_program(folder, "bench --parts reading"), 2, "reading cannot be measured: no dump");
    expect_failure(run_program(folder, "bench --parts epoch"), 2, "epoch cannot be measured: no dump");
    folder_end(folder);
}

Test(train_bench, an_epoch_needs_labels_of_both_classes) {
    char *folder = folder_begin();
    expect_failure(
        run_program(folder, "bench --parts epoch --data %s/tests/dumps/no_label.h5", SR_SOURCE_DIR), 2,
        "no labels");
    struct run r =
        run_program(folder, "bench " QUICK " --parts epoch --data %s/tests/dumps/half.h5", SR_SOURCE_DIR);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "12 rows of 8 float16, streamed, read in one piece");
    run_end(&r);
    folder_end(folder);
}

Test(train_bench, errors_are_those_of_the_files) {
    char *folder = folder_begin();
    expect_failure(run_program(folder, "bench --parts reading --data nowhere.h5"), 66, "nowhere.h5");
    expect_failure(run_program(folder, "bench --parts epoch --data nowhere.h5"), 66, "nowhere.h5");
    expect_failure(run_program(folder, "bench --parts scoring --model nowhere.safetensors"), 66, "nowhere");
    expect_failure(run_program(folder, "bench --parts latency --model %s/README.md", SR_SOURCE_DIR), 65,
                   "README.md");
    expect_failure(
        run_program(folder, "bench --parts reading --data %s/tests/dumps/bad_damaged.h5", SR_SOURCE_DIR), 65,
        "rows 4 to 7");
    expect_failure(run_program(folder, "bench --parts latency --rounds 0"), 2, "rounds");
    folder_end(folder);
}

/* ---- routers that are given ---- */

/* Each precision there is: a folded file has one. */
Test(train_bench, a_folded_router_is_measured_in_its_own_precision) {
    char *folder = folder_begin(), path[256], model[256], arguments[320], command[1024];
    const struct sr_synth how = {.rows = 60, .width = WIDTH, .seed = 1, .world = 1};
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/dump.h5", folder);
    cr_assert_eq(sr_synth_write(path, &how, &err), 0, "%s", err.text);
    snprintf(arguments, sizeof arguments, "--threads 1 --parts latency --model %s",
             router_make(model, folder));
    struct sr_json *o = bench_json(folder, arguments);
    cr_expect_eq(sr_json_size(sr_json_get(o, "latency")), 3);
    sr_json_free(o);
    snprintf(
        command, sizeof command,
        "export --model %s --to safetensors --dtype int8 --threshold .5 --data %s --out %s/int8.safetensors",
        model, path, folder);
    run_fine(folder, command);
    snprintf(arguments, sizeof arguments, "--threads 1 --parts latency,scoring --model %s/int8.safetensors",
             folder);
    o = bench_json(folder, arguments);
    cr_expect_eq(sr_json_size(sr_json_get(o, "latency")), 1);
    cr_expect_eq(sr_json_size(sr_json_get(o, "scoring")), 4);
    cr_expect_str_eq(text_of(sr_json_at(sr_json_get(o, "latency"), 0), "precision"), "int8");
    sr_json_free(o);
    folder_end(folder);
}

/* ---- the screen ---- */

Test(train_bench, tables_fit_the_screen) {
    char *folder = folder_begin(), path[256], model[256];
    struct run r = run_program(folder, "bench " QUICK " --threads 2 --data %s --model %s",
                               dump_make(path, folder), router_make(model, folder));
    static const char *const words[] = {"OpenBLAS core",      "FMA",
                                        "weights in int8",    "training, 2048 features",
                                        "600 rows of 32",     "scoring by one thread",
                                        "latency of one row", "checksum"};
    cr_expect_eq(r.status, 0, "%s", r.err);
    for (size_t i = 0; i < SR_COUNT(words); i++)
        expect_in(r.out, words[i]);
    char *rest = r.out;
    for (char *line; (line = strsep(&rest, "\n"));) {
        const size_t n = strlen(line);
        cr_expect(n <= 100 || strstr(line, folder), "%zu columns: %s", n, line);
        cr_expect(n == 0 || line[n - 1] != ' ', "a space ends: %s", line);
    }
    run_end(&r);
    folder_end(folder);
}

Test(train_bench, a_weak_core_is_warned_of) {
    char *folder = folder_begin();
    /* OpenBLAS has stronger cores than this one */
    const bool weak = sr_isa_cpu() == SR_ISA_AVX512 || sr_isa_cpu() == SR_ISA_AVX512VNNI;
    cr_assert_eq(setenv("OPENBLAS_CORETYPE", "Haswell", 1), 0);
    cr_assert_eq(setenv("SAFEROUTE_ISA", "base", 1), 0); /* else OpenBLAS has nothing to do */
    struct run r = run_program(folder, "bench " QUICK " --parts machine");
    cr_expect_eq(strstr(r.out, "WARNING: with such a core training is slower") != NULL, weak, "%s", r.out);
    run_end(&r);
    struct sr_json *o = bench_json(folder, "--parts machine");
    bool said = !weak;
    cr_expect(sr_json_as_bool(sr_json_get(sr_json_get(o, "machine"), "blas_core_weak"), &said));
    cr_expect_eq(said, weak);
    sr_json_free(o);
    unsetenv("SAFEROUTE_ISA");
    r = run_program(folder, "bench " QUICK " --parts machine");
    cr_expect_eq(strstr(r.out, "WARNING: with such a core") != NULL, weak && sr_isa_best() < SR_ISA_AVX2,
                 "%s", r.out);
    run_end(&r);
    unsetenv("OPENBLAS_CORETYPE");
    folder_end(folder);
}
