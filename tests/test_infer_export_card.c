/* test_infer_export_card.c: the model card and the folder for Hugging Face: what is known stands in them,
 * what is not is unknown, and text of strangers stays text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include "infer/export_card.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define WEIGHTS VECTORS "/router_weights.safetensors"
#define SOURCES "--data " VECTORS "/eval_unknown.h5" /* a dump with sources */

static const struct sr_pair known[] = {
    {"threshold", "0.7"},
    {"threshold_rule", "recall=0.8"},
    {"threshold_data", "d47a"},
    {"threshold_metrics",
     "{\"threshold\":0.7,\"ranked\":1234,\"positives\":56,\"f1\":0.4321,\"f1_ci\":[0.41,0.46],"
     "\"precision\":null,\"routed\":{\"f1\":0.8765,\"f1_ci\":[0.8,0.9],\"recall\":0.5}}"},
    {"metrics", "{\"epoch\":7,\"val/auprc\":0.3456,\"val/f1\":null}"},
    {"trained_on", "a11ce"},
    {"selected_on", "b0b"},
    {"parent", "ca401"},
    {"train_share", "0.25"},
    {"rows_trained", "00000000000000010000000000000002"},
    {"feature_model", "guard-1.7B"},
    {"feature_norm", "post"},
    {"calibration", "{\"method\":\"temperature\",\"temperature\":1.5}"},
    {"calibration_data", "ca1b"},
};

/* The vectors' router with these pairs in its metadata, as folder/w.safetensors. */
static void make_router(const char *folder, const struct sr_pair *pairs, size_t n) {
    struct sr_safetensors *plain;
    struct sr_error err;
    char path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&plain, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path, plain, pairs, n, &err), 0, "%s", err.text);
    sr_safetensors_close(plain);
}

static char *read_in(const char *folder, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return slurp(path);
}

/* The card of folder/w.safetensors, made with these further arguments. */
static char *card_of(const char *folder, const char *arguments) {
    struct run r = run_program(folder, "export --model %s/w.safetensors --to card --out %s/card.md %s",
                               folder, folder, arguments);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    return read_in(folder, "card.md");
}

static void expect_not_in(const char *text, const char *word) {
    cr_expect_null(strstr(text, word), "\"%s\" is in: %s", word, text);
}

static size_t count_of(const char *text, const char *word) {
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

Test(export_card, says_what_is_known) {
    static const char *const words[] = {
        "saferoute_threshold: 0.7\n",
        "**A row goes to the large guard if prob > 0.7;",
        "width=16, hidden=(12, 8, 4)",
        "to_large = ~(prob <= 0.7)",
        "- small guard (`feature_model`): `guard-1.7B`\n",
        "- layer (`feature_layer`): **unknown**\n",
        "This router wants the one **after** the final norm.",
        "- rule that chose it: `recall=0.8`: the most precise threshold that reaches this recall\n",
        "- data it was chosen on: `d47a`\n",
        "**Not measured on rows of its own.**",
        "1,234 labelled rows, 56 of them positive.",
        "| **with this router** | 0.8765 [0.8000, 0.9000] | 0.5000 | **unknown** | **unknown** |",
        "| F1 | 0.4321 [0.4100, 0.4600] |",
        "| precision | undefined |",
        "epoch 7. It was chosen on them",
        "| AUPRC | 0.3456 |",
        "| F1 at threshold 0.6 | undefined |",
        "- trained on: `a11ce`\n",
        "the parent's among them: 2 (from `rows_trained`)",
        "share of positive rows as the loss weighed them: 25 %",
        "- temperature: 1.5;",
        "- trained on from the weights with the SHA-256: `ca401`\n",
    };
    char *folder = folder_begin();
    make_router(folder, known, SR_COUNT(known));
    char *card = card_of(folder, "");
    for (size_t i = 0; i < SR_COUNT(words); i++)
        expect_in(card, words[i]);
    sr_free(card);
    folder_end(folder);
}

Test(export_card, what_is_not_known_is_unknown) {
    static const char *const words[] = {
        "- norm (`feature_norm`): **unknown**\n",
        "one of them, and which is **unknown**.",
        "- data it was chosen on: **unknown**\n",
        "- trained on: **unknown**\n",
        "**Unknown**: nothing is stored that was measured where this threshold was chosen.",
        "**Unknown**: the weights hold no metrics of training.",
        "the parent's among them: **unknown**\n",
        "- large guard (`large_model`): **unknown**\n",
        "None. prob orders rows;",
        "Licence: **unknown**",
    };
    char *folder = folder_begin();
    make_router(folder, NULL, 0);
    char *card = card_of(folder, "--threshold 0.25");
    for (size_t i = 0; i < SR_COUNT(words); i++)
        expect_in(card, words[i]);
    expect_in(card, "- rule that chose it: `given`\n");
    expect_not_in(card, "license: \"");
    sr_free(card);
    folder_end(folder);
}

/* Of .4 nothing is known but that it was given. */
Test(export_card, a_threshold_given_has_none_of_the_measures_of_the_stored_one) {
    char *folder = folder_begin();
    make_router(folder, known, SR_COUNT(known));
    char *card = card_of(folder, "--threshold 0.4");
    expect_in(card, "saferoute_threshold: 0.4\n");
    expect_in(card, "- data it was chosen on: **unknown**\n");
    expect_not_in(card, "0.4321");
    expect_not_in(card, "d47a");
    expect_in(card, "| AUPRC | 0.3456 |");
    sr_free(card);
    folder_end(folder);
}

Test(export_card, the_least_threshold_is_a_number_for_yaml_too) {
    char *folder = folder_begin();
    make_router(folder, NULL, 0);
    char *card = card_of(folder, "--threshold 1e-6");
    expect_in(card, "\nsaferoute_threshold: 1.0e-06\n");
    sr_free(card);
    folder_end(folder);
}

/* ---- text of strangers ---- */

Test(export_card, text_of_strangers_stays_text) {
    static const struct sr_pair hostile[] = {
        {"threshold", "0.7"},
        {"feature_model", "x` <img src=x onerror=alert(1)> [a](http://evil.example) | **y**"},
        {"feature_layer", "line\n---\nlicense: mit\n---\n# Heading"},
        {"feature_norm", "``two`` and ```three```"},
        {"feature_template", "\x1b[31mred \xe2\x80\xae left \xff"},
        {"threshold_rule", "f1\n\n## Limits\n\nNone."},
        {"large_model", "<script>"},
        {"metrics", "[[[[1]]]]"},
        {"threshold_metrics",
         "{\"ranked\":-5,\"positives\":\"<b>\",\"f1\":{},\"f1_ci\":[\"a\"],\"routed\":7}"},
        {"rows_trained", "zz"},
        {"train_share", "nan"},
    };
    static const char *const words[] = {
        "`` x` <img src=x onerror=alert(1)> [a](http://evil.example) | **y** ``\n",
        "`line?---?license: mit?---?# Heading`\n",
        "```` ``two`` and ```three``` ````\n",
        "`?[31mred ??? left ?`\n",
        "`f1??## Limits??None.`\n",
        "`<script>`",
        "the parent's among them: **unknown**\n",
        "as the loss weighed them: **unknown**\n",
        "**unknown** labelled rows, **unknown** of them positive",
    };
    char *folder = folder_begin();
    make_router(folder, hostile, SR_COUNT(hostile));
    char *card = card_of(folder, "");
    for (size_t i = 0; i < SR_COUNT(words); i++)
        expect_in(card, words[i]);
    cr_expect_eq(count_of(card, "\n## Limits\n"), 1);
    cr_expect_eq(count_of(card, "---\n"), 2, "front matter begins once and ends once");
    sr_free(card);
    folder_end(folder);
}

/* ---- measured on rows of a test ---- */

/* folder/eval.json: the router on the dump's rows at that threshold. */
static void evaluate(const char *folder, const char *threshold) {
    char path[128];
    struct sr_error err;
    struct run r = run_program(folder, "eval --model %s/w.safetensors " SOURCES " --threshold %s --json",
                               folder, threshold);
    cr_assert_eq(r.status, 0, "%s", r.err);
    snprintf(path, sizeof path, "%s/eval.json", folder);
    cr_assert_eq(sr_atomic_file_write(path, r.out, strlen(r.out), &err), 0);
    run_end(&r);
}

Test(export_card, a_report_of_eval_stands_in_it) {
    char *folder = folder_begin(), line[256], arguments[128];
    make_router(folder, known, 3);
    evaluate(folder, "0.7");
    char *text = read_in(folder, "eval.json");
    struct sr_json *o = parse(text);
    snprintf(arguments, sizeof arguments, "--eval %s/eval.json", folder);
    char *card = card_of(folder, arguments);
    snprintf(line, sizeof line, "| **with this router** | %.4f [", number(o, "routed.f1"));
    expect_in(card, line);
    snprintf(line, sizeof line, "| share routed | %.2f %% [", 100 * number(o, "share_routed"));
    expect_in(card, line);
    const struct sr_json *slice = sr_json_at(sr_json_get(o, "slices"), 0);
    cr_assert_not_null(slice);
    snprintf(line, sizeof line, "\n- `%s`: %.0f rows, AUPRC %.4f [",
             sr_json_as_string(sr_json_get(slice, "name")), number(slice, "ranked"), number(slice, "auprc"));
    expect_in(card, line);
    expect_in(card, "From `eval_unknown.h5`. Whether some of them trained the router is **unknown**.\n");
    expect_not_in(card, "Not measured on rows of its own");
    expect_not_in(card, "does not say which weights");
    sr_free(card);
    sr_json_free(o);
    sr_free(text);
    folder_end(folder);
}

Test(export_card, a_report_of_something_else_is_refused) {
    char *folder = folder_begin(), path[128];
    struct sr_error err;
    const char *other = "{\"schema_version\":2,\"threshold\":0.7,\"routed\":{},\"model_sha256\":\"beef\"}";
    make_router(folder, known, 3);
    evaluate(folder, "0.6");
#define CARD "export --model %s/w.safetensors --to card --out %s/card.md --eval %s"
    snprintf(path, sizeof path, "%s/eval.json", folder);
    expect_failure(run_program(folder, CARD, folder, folder, path), 65,
                   "at threshold 0.6, this router's is 0.7");
    cr_assert_eq(sr_atomic_file_write(path, other, strlen(other), &err), 0);
    expect_failure(run_program(folder, CARD, folder, folder, path), 65,
                   "measured other weights (sha256 beef");
    cr_assert_eq(sr_atomic_file_write(path, "[1]", 3, &err), 0);
    expect_failure(run_program(folder, CARD, folder, folder, path), 65, "not a report of an evaluation");
    cr_assert_eq(sr_atomic_file_write(path, "{", 1, &err), 0);
    expect_failure(run_program(folder, CARD, folder, folder, path), 65, "not JSON");
    expect_failure(run_program(folder, CARD, folder, folder, "none.json"), 66, "none.json");
    expect_failure(run_program(folder,
                               "export --model %s/w.safetensors --to safetensors --out %s/o.safetensors "
                               "--eval %s",
                               folder, folder, path),
                   2, "--eval is for the card");
    snprintf(path, sizeof path, "%s/card.md", folder);
    cr_expect_neq(access(path, F_OK), 0, "nothing was written");
    folder_end(folder);
}

/* ---- the folder ---- */

Test(export_hf, weights_config_and_card_tell_of_each_other) {
    char *folder = folder_begin(), path[256], line[128];
    struct sr_safetensors *weights;
    struct sr_error err;
    make_router(folder, known, SR_COUNT(known));
    struct run r = run_program(folder, "export --model %s/w.safetensors --to hf --out %s/hf", folder, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    snprintf(path, sizeof path, "%s/hf/model.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&weights, path, &err), 0, "%s", err.text);
    char *config = read_in(folder, "hf/config.json"), *card = read_in(folder, "hf/README.md");
    struct sr_json *o = parse(config);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "sha256")), sr_safetensors_hash(weights));
    cr_expect_eq(number(o, "threshold"), .7);
    snprintf(line, sizeof line, "saferoute_sha256: \"%s\"\n", sr_safetensors_hash(weights));
    expect_in(card, line);
    sr_json_free(o);
    sr_free(config);
    sr_free(card);
    sr_safetensors_close(weights);
    run_end(&r);
    folder_end(folder);
}

/* ---- what the weights may hold besides ---- */

/* The vectors' router as float32 with statistics of training, or as int8 (then without), as
 * folder/w.safetensors. */
static void make_other(const char *folder, int precision) {
    static float mean[16], var[16], basis[16] = {1}, range[3] = {.1f, 10, .01f};
    const struct saferoute_options how = {.precision = precision};
    const struct sr_pair metadata[] = {{"format", "saferoute"},
                                       {"format_version", "1"},
                                       {"threshold", "0.7"},
                                       {"precision", "int8"},
                                       {"folded_inputs", "raw"}};
    struct sr_tensor list[SR_FOLDED_TENSORS];
    struct sr_safetensors *plain;
    struct sr_router *r;
    struct sr_error err;
    char path[128];
    for (size_t i = 0; i < SR_COUNT(var); i++)
        var[i] = 1;
    const struct sr_tensor stats[] = {
        {.name = SR_STATS_MEAN, .dtype = SR_F32, .rank = 1, .shape = {16}, .data = mean},
        {.name = SR_STATS_VAR, .dtype = SR_F32, .rank = 1, .shape = {16}, .data = var},
        {.name = SR_STATS_BASIS, .dtype = SR_F32, .rank = 2, .shape = {1, 16}, .data = basis},
        {.name = SR_STATS_RANGE, .dtype = SR_F32, .rank = 1, .shape = {3}, .data = range}};
    cr_assert_eq(sr_safetensors_open(&plain, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_open_with(&r, WEIGHTS, &how, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_unpack(r, &err), 0, "%s", err.text);
    size_t n = precision ? sr_folded_tensors(list, r) : sr_safetensors_count(plain);
    for (size_t i = 0; !precision && i < n; i++)
        list[i] = *sr_safetensors_at(plain, i);
    if (!precision) {
        memcpy(list + n, stats, sizeof stats);
        n += SR_COUNT(stats);
    }
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    cr_assert_eq(sr_safetensors_write(path, list, n, metadata, precision ? 5 : 3, &err), 0, "%s", err.text);
    sr_router_close(r);
    sr_safetensors_close(plain);
}

/* The folder's weights are those that PyTorch loads strictly: without the statistics, and so another hash. */
Test(export_card, says_whether_a_wrong_vector_is_noticed) {
    char *folder = folder_begin();
    make_other(folder, 0);
    char *card = card_of(folder, "");
    expect_in(card, "reason OUT_OF_RANGE");
    sr_free(card);
    struct run r = run_program(folder, "export --model %s/w.safetensors --to hf --out %s/hf", folder, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    card = read_in(folder, "hf/README.md");
    expect_in(card, "nothing notices a wrong vector");
    sr_free(card);
    folder_end(folder);
}

Test(export_card, rounded_weights_are_for_the_library) {
    char *folder = folder_begin();
    make_other(folder, SAFEROUTE_COMPUTE_INT8);
    char *card = card_of(folder, "");
    expect_in(card, "349 parameters, int8");
    expect_in(card, "saferoute_open(");
    expect_in(card, "These weights are int8");
    expect_in(card, "before they were rounded to int8");
    expect_not_in(card, "```python");
    sr_free(card);
    expect_failure(run_program(folder, "export --model %s/w.safetensors --to hf --out %s/hf", folder, folder),
                   65, "rounded to int8, which this format has no place for");
    struct run r = run_program(folder, "inspect %s/w.safetensors", folder);
    expect_in(r.out, "\narchitecture       16-12-8-4-1, BatchNorm folded in, GELU");
    expect_in(r.out, "\nprecision          int8, rounded from float32 weights: ");
    expect_in(r.out, "\nparameters         349\n");
    expect_not_in(r.out, "usable");
    run_end(&r);
    folder_end(folder);
}

/* ---- the check ---- */

Test(export_card, a_card_that_says_otherwise_is_seen) {
    static const char *const damaged[] = {
        "",
        "# no front matter",
        "---\nsaferoute_threshold: 0.7\nsaferoute_sha256: \"HASH\"\n",
        "---\nsaferoute_threshold: 0.8\nsaferoute_sha256: \"HASH\"\n---\n",
        "---\nsaferoute_threshold: 0.7\nsaferoute_sha256: \"beef\"\n---\n",
        "---\nsaferoute_threshold: 0.7\n---\nsaferoute_sha256: \"HASH\"\n",
        "---\nsaferoute_threshold: 0.7\nsaferoute_sha256: \"HASH\"\ntags: [a, b]\n---\n",
    };
    char *folder = folder_begin(), path[128], text[512];
    struct sr_export e = {.name = "card.md", .has_threshold = true, .threshold = .7f};
    struct sr_safetensors *file;
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    e.file = file;
    snprintf(path, sizeof path, "%s/card.md", folder);
    for (size_t i = 0; i <= SR_COUNT(damaged); i++) {
        const char *form = i < SR_COUNT(damaged)
                               ? damaged[i]
                               : "---\nsaferoute_threshold: 0.7\nsaferoute_sha256: \"HASH\"\n---\n";
        const char *hash = strstr(form, "HASH");
        const int before = hash ? (int)(hash - form) : (int)strlen(form);
        snprintf(text, sizeof text, "%.*s%s%s", before, form, hash ? sr_safetensors_hash(file) : "",
                 hash ? hash + 4 : "");
        cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0);
        cr_expect_eq(sr_card_check(&e, folder, "card.md", &err), i < SR_COUNT(damaged) ? SR_BUG : 0, "%s",
                     text);
    }
    sr_safetensors_close(file);
    folder_end(folder);
}
