/* test_train_inspect.c: `saferoute inspect` as a user runs it: files of our own, two of them side by
 * side, damaged ones, and text of strangers. Files of other programs: test_train_inspect_foreign.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/nn.h"
#include "tests/inspect_sample.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define WEIGHTS VECTORS "/router_weights.safetensors"
#define GUARDS  VECTORS "/eval_guards.h5"

static void expect_not_in(const char *text, const char *word) {
    cr_expect_null(strstr(text, word), "\"%s\" is in: %s", word, text);
}

/* ---- weights ---- */

static const struct sr_pair known[] = {
    {"format", "saferoute"},
    {"format_version", "1"},
    {"threshold", "0.7"},
    {"threshold_rule", "recall=0.8"},
    {"threshold_data", "d47a"},
    {"threshold_metrics", "{\"f1\":0.4321,\"f1_ci\":[0.41,0.46],\"routed\":{\"f1\":0.8765}}"},
    {"metrics", "{\"epoch\":7,\"val/auprc\":0.3456}"},
    {"trained_on", "a11ce"},
    {"rows_trained", "00000000000000010000000000000002"},
    {"feature_norm", "post"},
    {"calibration", "{\"method\":\"temperature\",\"temperature\":1.5}"},
    {"made_for", "a customer"},
};

/* The vectors' router with these pairs, as folder/NAME. */
static void make_router(const char *folder, const char *name, const struct sr_pair *pairs, size_t n) {
    struct sr_safetensors *plain;
    struct sr_error err;
    char path[256];
    cr_assert_eq(sr_safetensors_open(&plain, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path_in(path, folder, name), plain, pairs, n, &err), 0, "%s",
                 err.text);
    sr_safetensors_close(plain);
}

Test(inspect, weights_tell_what_they_hold) {
    static const char *const lines[] = {
        "w.safetensors: router: weights with a threshold\n\n",
        "\narchitecture       16-12-8-4-1, BatchNorm and GELU (erf)",
        "\nparameters         397\n",
        "\nchecksum           right: the file says the same\n",
        "\nthreshold          0.7\n",
        "\nthreshold_rule     recall=0.8\n",
        "\nthreshold_metrics  F1 0.4321 [0.4100, 0.4600]\n                   safety F1: routed 0.8765\n",
        "\ncalibration        temperature 1.5\n",
        "\nrange_check        none: the file carries no statistics",
        "\nmetrics            epoch 7: AUPRC 0.3456\n",
        "\ntrained_on         a11ce\n",
        "\nselected_on        unknown\n",
        "\nparent             none is named\n",
        "\nrows_trained       2 distinct\n",
        "\nfeature_norm       post\n",
        "\nfeature_layer      unknown\n",
        "\n\nmade_for           a customer\n",
    };
    char *folder = folder_begin(), path[256];
    make_router(folder, "w.safetensors", known, SR_COUNT(known));
    char *out = inspect(folder, path_in(path, folder, "w.safetensors"));
    for (size_t i = 0; i < SR_COUNT(lines); i++)
        expect_in(out, lines[i]);
    expect_not_in(out, "{\"");
    sr_free(out);
    struct sr_json *o = inspect_json(folder, path);
    cr_expect_eq(number(o, "threshold.threshold"), .7);
    cr_expect_eq(number(o, "threshold.threshold_metrics.f1"), .4321);
    cr_expect_eq(number(o, "training.rows_trained"), 2);
    cr_expect_eq(number(o, "network.tensors.F32"), 20);
    cr_expect(sr_json_is_null(sr_json_get(sr_json_get(o, "contract"), "feature_layer")));
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "kind")), "weights");
    sr_json_free(o);
    folder_end(folder);
}

/* A state dict from elsewhere says nothing but its tensors. */
Test(inspect, weights_without_metadata_are_unknown) {
    static const char *const lines[] = {
        "\nthreshold          none is chosen yet", "\nmetrics            unknown\n",
        "\ntrained_on         unknown\n",          "\nrows_trained       unknown\n",
        "\nfeature_norm       unknown\n",          "\nlarge_threshold    unknown\n"};
    char *folder = folder_begin();
    char *out = inspect(folder, WEIGHTS);
    for (size_t i = 0; i < SR_COUNT(lines); i++)
        expect_in(out, lines[i]);
    sr_free(out);
    folder_end(folder);
}

Test(inspect, weights_that_cannot_be_used_say_why) {
    const struct sr_pair future[] = {{"format", "saferoute"}, {"format_version", "9"}, {"threshold", "2"}};
    char *folder = folder_begin(), path[256];
    make_router(folder, "w.safetensors", future, SR_COUNT(future));
    char *out = inspect(folder, path_in(path, folder, "w.safetensors"));
    expect_in(out, "\nusable             no: ");
    expect_in(out, "format_version is \"9\"");
    sr_free(out);
    folder_end(folder);
}

/* ---- two weights ---- */

/* The vectors' router with item 1 of cls.0.bias moved by `delta`, and without its last tensor; bias is where
 * the tensor lies that is changed. */
static void make_changed(const char *folder, float delta, double *norm_of_bias) {
    struct sr_safetensors *plain;
    struct sr_tensor list[32];
    struct sr_error err;
    char path[256];
    float bias[12];
    cr_assert_eq(sr_safetensors_open(&plain, WEIGHTS, &err), 0, "%s", err.text);
    const size_t n = sr_safetensors_count(plain);
    *norm_of_bias = 0;
    for (size_t i = 0; i < n; i++) {
        list[i] = *sr_safetensors_at(plain, i);
        if (strcmp(list[i].name, "cls.0.bias") != 0)
            continue;
        memcpy(bias, list[i].data, sizeof bias);
        for (size_t k = 0; k < SR_COUNT(bias); k++)
            *norm_of_bias += (double)bias[k] * (double)bias[k];
        bias[1] += delta;
        list[i].data = bias;
    }
    cr_assert_eq(sr_safetensors_write(path_in(path, folder, "c.safetensors"), list, n - 1, NULL, 0, &err), 0);
    sr_safetensors_close(plain);
}

Test(inspect, two_weights_differ_where_they_do) {
    char *folder = folder_begin(), path[256], arguments[512];
    double square, want;
    make_changed(folder, .5f, &square);
    snprintf(arguments, sizeof arguments, WEIGHTS " %s", path_in(path, folder, "c.safetensors"));
    char *out = inspect(folder, arguments);
    expect_in(out, "\ncls.0.bias         max difference 0.5, norm ");
    expect_in(out, "\nonly_in_first      1 tensors, ");
    expect_in(out, "\nequal              21 of 22 tensors, to the bit\n");
    expect_not_in(out, "cls.0.weight");
    expect_not_in(out, "threshold");
    sr_free(out);
    struct sr_json *o = inspect_json(folder, arguments);
    const struct sr_json *tensor = sr_json_get(sr_json_get(o, "differences"), "tensor");
    cr_assert(sr_json_as_number(sr_json_get(sr_json_get(tensor, "cls.0.bias"), "relative_norm"), &want));
    /* .5 added in float32 to a number of order 1: off by 2^-24 at most. */
    cr_expect_float_eq(want, .5 / sqrt(square), 1e-6);
    sr_json_free(o);
    folder_end(folder);
}

Test(inspect, two_routers_differ_in_their_thresholds) {
    struct sr_pair other[SR_COUNT(known)];
    char *folder = folder_begin(), a[256], b[256], arguments[640];
    memcpy(other, known, sizeof other);
    other[2].value = "0.8";
    other[3].value = NULL;
    make_router(folder, "a.safetensors", known, SR_COUNT(known));
    make_router(folder, "b.safetensors", other, SR_COUNT(other));
    snprintf(arguments, sizeof arguments, "%s %s", path_in(a, folder, "a.safetensors"),
             path_in(b, folder, "b.safetensors"));
    char *out = inspect(folder, arguments);
    expect_in(out, "\nthreshold          0.7 -> 0.8\nthreshold_rule     recall=0.8 -> unknown\n\n");
    expect_in(out, "\nequal              23 of 23 tensors, to the bit\n");
    expect_not_in(out, "trained_on");
    sr_free(out);
    folder_end(folder);
}

/* ---- runs and checkpoints ---- */

static void make_run(const char *folder, const char *name, const char *more) {
    char arguments[1024];
    snprintf(arguments, sizeof arguments,
             "train --train %s/d.h5 --val-fraction 0.25 --out %s/%s --hidden 8 --dropout 0.1 --batch 50 %s",
             folder, folder, name, more);
    run_fine(folder, arguments);
}

Test(inspect, runs_tell_how_far_they_are) {
    char *folder = folder_begin(), arguments[640];
    snprintf(arguments, sizeof arguments, "data synth --out %s/d.h5 --rows 300 --width 12", folder);
    run_fine(folder, arguments);
    make_run(folder, "a", "--epochs 3 --seed 4");
    make_run(folder, "b", "--epochs 2 --seed 4");
    snprintf(arguments, sizeof arguments, "%s/a", folder);
    char *out = inspect(folder, arguments);
    expect_in(out, "finished           yes\nepochs             3\n");
    expect_in(out, "\nbest               epoch ");
    expect_in(
        out, "\nfiles              best.safetensors, last.safetensors, checkpoint.safetensors, config.yaml,");
    expect_in(out, "rows of 12, ");
    expect_in(out, "\nseed               4 (flag)\n");
    expect_not_in(out, "(default)");
    sr_free(out);
    snprintf(arguments, sizeof arguments, "%s/a %s/b", folder, folder);
    out = inspect(folder, arguments);
    expect_in(out, "\nepochs             3 -> 2\n");
    expect_in(out, "\nepochs             3 (flag) -> 2 (flag)\n");
    expect_not_in(out, "\nseed ");
    sr_free(out);
    snprintf(arguments, sizeof arguments, "%s/a/checkpoint.safetensors", folder);
    out = inspect(folder, arguments);
    expect_in(out, "checkpoint.safetensors: checkpoint of a run\n");
    expect_in(out, "\nfinished           yes\n");
    expect_in(out, "\narchitecture       12-8-1,");
    snprintf(arguments, sizeof arguments, "\nproducts           %s\n", sr_matmul_bits());
    expect_in(out, arguments);
    sr_free(out);
    snprintf(arguments, sizeof arguments, "%s/a/checkpoint.safetensors %s/a/last.safetensors", folder,
             folder);
    out = inspect(folder, arguments);
    expect_in(out, "\nequal              9 of 9 tensors, to the bit\n");
    sr_free(out);
    folder_end(folder);
}

/* ---- rows ---- */

Test(inspect, of_two_dumps_it_says_what_was_not_compared) {
    char *folder = folder_begin();
    char *out = inspect(folder, GUARDS " " GUARDS);
    expect_in(out, "\nno difference (features and single rows are not compared)\n");
    sr_free(out);
    folder_end(folder);
}

Test(inspect, dumps_tell_their_rows_and_labels) {
    char *folder = folder_begin(), arguments[256];
    char *stored = slurp(VECTORS "/eval_guards.json");
    struct sr_json *want = parse(stored), *o = inspect_json(folder, GUARDS);
    cr_expect_eq(number(o, "rows.rows"), number(want, "rows"));
    cr_expect_eq(number(o, "labels.positive.ones"), number(want, "positives"));
    cr_expect_float_eq(number(o, "labels.small_accuracy"), number(want, "small.accuracy"), 1e-12);
    cr_expect_float_eq(number(o, "labels.large_accuracy"), number(want, "large.accuracy"), 1e-12);
    sr_json_free(o);
    sr_json_free(want);
    sr_free(stored);
    char *out = inspect(folder, GUARDS);
    expect_in(out, "eval_guards.h5: feature dump\n\nrows               240\n");
    expect_in(out, "features [N,16] ");
    expect_in(out, "\nfeature_norm       unknown\n");
    sr_free(out);
    snprintf(arguments, sizeof arguments, GUARDS " " VECTORS "/eval_unknown.h5");
    out = inspect(folder, arguments);
    expect_in(out, "; of 10 rows not known\n");
    expect_not_in(out, "feature_norm");
    sr_free(out);
    folder_end(folder);
}

Test(inspect, a_dump_whose_labels_are_no_use_still_tells_the_rest) {
    char *folder = folder_begin();
    char *out = inspect(folder, VECTORS "/eval_unlabelled.h5 --features last_hidden");
    expect_in(out, "\nlabels             none\n");
    expect_in(out, "\nfeature_model      unknown\n");
    sr_free(out);
    out = inspect(folder, SR_SOURCE_DIR "/tests/dumps/disagree.h5");
    expect_in(out, "\nlabels             cannot be used: ");
    expect_in(out, "\ngold               4 of 12, 33.33 % unsafe\n");
    expect_in(out, "\ntrain              no   missing: labels that can be used (see labels)\n");
    sr_free(out);
    out = inspect(folder, SR_SOURCE_DIR "/tests/dumps/bad_weight_nan.h5");
    expect_in(out, "\ntrouble            " SR_SOURCE_DIR "/tests/dumps/bad_weight_nan.h5: /weight row ");
    expect_in(out, "\npositive ");
    expect_in(out, "\ntrain              no   missing: columns that can be used (see labels, trouble)\n");
    sr_free(out);
    folder_end(folder);
}

Test(inspect, scores_are_the_same_as_table_and_as_hdf5) {
    char *folder = folder_begin(), arguments[256], *text[2];
    static const char *const names[] = {"s.csv", "s.h5"};
    for (size_t i = 0; i < 2; i++) {
        struct run r =
            run_program(folder, "infer --model " WEIGHTS " --data " GUARDS " --threshold .5 --out %s/%s",
                        folder, names[i]);
        cr_assert_eq(r.status, 0, "%s", r.err);
        run_end(&r);
        snprintf(arguments, sizeof arguments, "%s/%s", folder, names[i]);
        char *out = inspect(folder, arguments);
        expect_in(out, ": scores of infer\n\nrows               240\n");
        expect_in(out, "\nrouted             132 of 240 rows go to the large guard, 55.00 %\n");
        text[i] = strdup(strstr(out, "\nprob "));
        *strchr(text[i] + 1, '\n') = '\0';
        sr_free(out);
    }
    cr_expect_str_eq(text[0], text[1]);
    free(text[0]);
    free(text[1]);
    folder_end(folder);
}

/* ---- the folder for Hugging Face ---- */

Test(inspect, an_upload_tells_whether_its_parts_belong_together) {
    char *folder = folder_begin(), arguments[512], path[256];
    make_router(folder, "w.safetensors", known, SR_COUNT(known));
    snprintf(arguments, sizeof arguments, "export --model %s/w.safetensors --to hf --out %s/hf", folder,
             folder);
    run_fine(folder, arguments);
    char *out = inspect(folder, path_in(path, folder, "hf"));
    expect_in(out, ": folder for Hugging Face\n\nconfig_threshold   0.7\nconfig_is_of       these weights\n");
    expect_in(out, "\ncard               README.md\n");
    expect_in(out, "\nthreshold_rule     recall=0.8\n");
    sr_free(out);
    out = inspect(folder, path_in(path, folder, "hf/README.md"));
    expect_in(out, ": model card\n");
    sr_free(out);
    double norm;
    make_changed(folder, 1, &norm);
    snprintf(arguments, sizeof arguments, "mv %s/c.safetensors %s/hf/model.safetensors", folder, folder);
    cr_assert_eq(system(arguments), 0);
    out = inspect(folder, path_in(path, folder, "hf"));
    expect_in(out, "\nconfig_is_of       other weights than model.safetensors\n");
    sr_free(out);
    folder_end(folder);
}

/* ---- damaged, unknown, not there ---- */

static void expect_refused(const char *folder, const char *name, int status, const char *word) {
    char path[256];
    expect_failure(run_program(folder, "inspect %s", path_in(path, folder, name)), status, word);
}

Test(inspect, what_is_no_file_of_ours_is_refused_with_what_it_looks_like) {
    char *folder = folder_begin(), path[256], command[600];
    void *bytes;
    size_t size;
    make_router(folder, "w.safetensors", known, SR_COUNT(known));
    cr_assert_eq(sr_file_read(&bytes, &size, path_in(path, folder, "w.safetensors"), 1 << 20, NULL), 0);
    write_bytes(folder, "header.safetensors", bytes, 300);
    write_bytes(folder, "cut.safetensors", bytes, size - 1);
    ((char *)bytes)[size - 3] ^= 1;
    write_bytes(folder, "bit.safetensors", bytes, size);
    ((char *)bytes)[9] = '\'';
    write_bytes(folder, "quote.safetensors", bytes, size);
    sr_free(bytes);
    expect_refused(folder, "header.safetensors", 65, "cut off inside its header");
    expect_refused(folder, "cut.safetensors", 65, "the file is cut off");
    expect_refused(folder, "bit.safetensors", 65, "SHA-256");
    expect_refused(folder, "quote.safetensors", 65, "header: line 1");
    write_bytes(folder, "x.txt", "hello\n", 6);
    expect_refused(folder, "x.txt", 65, "it begins \"hello\"");
    write_bytes(folder, "x.bin",
                "\x7f"
                "ELF\0\1",
                6);
    expect_refused(folder, "x.bin", 65,
                   "binary, and of no kind that is known here: 6 bytes, the first are 7f 45 4c");
    write_bytes(folder, "empty", "", 0);
    expect_refused(folder, "empty", 65, "the file is empty");
    write_bytes(folder, "j.json", "{\"schema_version\": 2", 20);
    expect_refused(folder, "j.json", 65, "line 1");
    write_bytes(folder, "s.csv", "row,prob\n0,much\n", 16);
    expect_refused(folder, "s.csv", 65, "prob is \"much\"");
    write_bytes(folder, "h.h5", "\x89HDF\r\n\x1a\n____", 12);
    expect_refused(folder, "h.h5", 65, "h.h5");
    snprintf(command, sizeof command, "mkdir %s/nothing", folder);
    cr_assert_eq(system(command), 0);
    expect_refused(folder, "nothing", 65, "neither config.yaml");
    expect_refused(folder, "none", 66, "no such file");
    expect_failure(run_program(folder, "inspect"), 2, "which file?");
    expect_failure(run_program(folder, "inspect " WEIGHTS " " GUARDS), 2, "only files of one kind");
    folder_end(folder);
}

/* A pipe in a folder is not waited for; one in the place of the checkpoint is none. */
Test(inspect, pipes_inside_a_folder_are_refused, .timeout = 60) {
    static const char *const names[] = {"config.yaml", "data.json", "best.safetensors",
                                        "checkpoint.safetensors"};
    char command[600];
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        char *folder = folder_begin();
        snprintf(command, sizeof command, "mkdir %s/run && touch %s/run/config.yaml", folder, folder);
        cr_assert_eq(system(command), 0);
        snprintf(command, sizeof command, "rm -f %s/run/%s && mkfifo %s/run/%s", folder, names[i], folder,
                 names[i]);
        cr_assert_eq(system(command), 0);
        if (i < 3) {
            expect_refused(folder, "run", 66, "is not a regular file");
        } else {
            char *out = inspect(folder, path_in(command, folder, "run"));
            expect_in(out, "epochs             0\n");
            sr_free(out);
        }
        folder_end(folder);
    }
}

/* ---- text of strangers ---- */

Test(inspect, text_of_strangers_moves_nothing_on_the_screen) {
    static const struct sr_pair hostile[] = {
        {"feature_model", "\x1b[2Jx\nthreshold          0.1"},
        {"feature_layer", "\xe2\x80\xaetfel"},
        {"evil\nkey", "1"},
        {"threshold", "0.7\x1b"},
        {"threshold_metrics", "{\"f1\":\"x\",\"f1_ci\":7}"},
        {"metrics", "{\"epoch\":1e300,\"val/auprc\":[]}"},
        {"calibration", "{\"method\":5}"},
        {"rows_trained", "0"},
    };
    char *folder = folder_begin(), path[256];
    make_router(folder, "w.safetensors", hostile, SR_COUNT(hostile));
    char *out = inspect(folder, path_in(path, folder, "w.safetensors"));
    cr_expect_null(strchr(out, '\x1b'));
    expect_not_in(out, "\xe2\x80\xae");
    expect_in(out, "\nfeature_model      ?[2Jx?threshold          0.1\n");
    expect_in(out, "\nevil?key           1\n");
    expect_in(out, "\nthreshold          0.7?\n");
    expect_in(out, "\ncalibration        unreadable\n");
    expect_in(out, "\nrows_trained       unreadable\n");
    sr_free(out);
    struct sr_json *o = inspect_json(folder, path);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(sr_json_get(o, "contract"), "feature_model")),
                     hostile[0].value);
    sr_json_free(o);
    folder_end(folder);
}
