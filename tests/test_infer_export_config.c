/* test_infer_export_config.c: config.json says what the router is, null where that is not known, and nothing
 * of a threshold that was put in another one's place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include "infer/export_config.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"

/* The vectors' router under other metadata, as an export sees it. */
struct subject {
    char *folder;
    struct sr_safetensors *file;
    struct sr_router *router;
    struct sr_export e;
};

static struct subject subject_begin(const struct sr_pair *pairs, size_t n) {
    struct subject s = {.folder = folder_begin()};
    struct sr_safetensors *plain;
    struct sr_error err;
    char path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", s.folder);
    cr_assert_eq(sr_safetensors_open(&plain, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path, plain, pairs, n, &err), 0, "%s", err.text);
    sr_safetensors_close(plain);
    cr_assert_eq(sr_safetensors_open(&s.file, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_open(&s.router, path, &err), 0, "%s", err.text);
    s.e = (struct sr_export){.file = s.file, .router = s.router, .name = "x"};
    s.e.has_threshold = sr_router_threshold(s.router, &s.e.threshold);
    s.e.threshold_rule = sr_router_metadata(s.router, "threshold_rule");
    return s;
}

static void subject_end(struct subject *s) {
    sr_router_close(s->router);
    sr_safetensors_close(s->file);
    folder_end(s->folder);
}

/* Writes config.json, checks it, and returns what stands in it. */
static struct sr_json *config_of(const struct subject *s) {
    struct sr_error err = {0};
    char path[128];
    cr_assert_eq(sr_export_config_write(&s->e, s->folder, "config.json", &err), 0, "%s", err.text);
    cr_assert_eq(sr_export_config_check(&s->e, s->folder, "config.json", &err), 0, "%s", err.text);
    snprintf(path, sizeof path, "%s/config.json", s->folder);
    char *text = slurp(path);
    struct sr_json *o = parse(text);
    sr_free(text);
    return o;
}

static const struct sr_pair known[] = {
    {"threshold", "0.7"},
    {"threshold_rule", "budget=0.2"},
    {"threshold_data", "abc"},
    {"threshold_metrics", "{\"f1\":0.5,\"rows\":12}"},
    {"metrics", "{\"val/auprc\":0.25}"},
    {"feature_model", "guard \"A\"\n\xff"},
    {"large_threshold", "0.4"},
    {"calibration", "{\"method\":\"temperature\",\"temperature\":2}"},
    {"train_share", "not JSON"},
};

static void expect_text(const struct sr_json *o, const char *key, const char *want) {
    const char *text = sr_json_as_string(sr_json_get(o, key));
    cr_expect(text && strcmp(text, want) == 0, "%s is %s, not %s", key, text ? text : "no text", want);
}

Test(export_config, says_what_the_router_is) {
    struct subject s = subject_begin(known, SR_COUNT(known));
    struct sr_json *o = config_of(&s);
    expect_text(o, "format", "saferoute-router");
    expect_text(o, "threshold_rule", "budget=0.2");
    expect_text(o, "threshold_data", "abc");
    expect_text(o, "train_share", "not JSON");
    expect_text(o, "sha256", sr_safetensors_hash(s.file));
    expect_text(sr_json_get(o, "contract"), "feature_model", "guard \"A\"\n?");
    cr_expect_eq(number(o, "threshold"), .7, "0.7 as JSON has it, not as a float widens");
    cr_expect_eq(number(o, "threshold_metrics.f1"), .5);
    cr_expect_eq(number(o, "metrics.val/auprc"), .25);
    cr_expect_eq(number(o, "contract.large_threshold"), .4);
    cr_expect_eq(number(o, "calibration.temperature"), 2);
    expect_text(o, "artefact", s.router->artefact_text);
    cr_expect_eq(number(o, "architecture.inputs"), 16);
    cr_expect_eq(sr_json_size(sr_json_get(sr_json_get(o, "architecture"), "hidden")), s.router->layers - 1);
    sr_json_free(o);
    subject_end(&s);
}

Test(export_config, what_is_nested_without_end_stays_a_string) {
    const struct sr_pair deep[] = {{"metrics", "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"},
                                   {"threshold_metrics", "{\"a\":[[[1]]]}"},
                                   {"threshold", "0.5"}};
    struct subject s = subject_begin(deep, SR_COUNT(deep));
    struct sr_json *o = config_of(&s);
    expect_text(o, "metrics", deep[0].value);
    cr_expect(sr_json_is_object(sr_json_get(o, "threshold_metrics")));
    sr_json_free(o);
    subject_end(&s);
}

Test(export_config, what_is_not_known_is_null_and_there) {
    static const char *const keys[] = {"threshold", "threshold_rule",    "threshold_data", "parent",
                                       "metrics",   "threshold_metrics", "calibration",    "trained_on"};
    static const char *const contract[] = {"feature_model", "feature_revision", "feature_layer",
                                           "feature_norm",  "feature_pooling",  "feature_template"};
    const struct sr_pair empty = {"feature_norm", ""};
    struct subject s = subject_begin(&empty, 1);
    struct sr_json *o = config_of(&s);
    for (size_t i = 0; i < SR_COUNT(keys); i++)
        cr_expect(sr_json_is_null(sr_json_get(o, keys[i])), "%s", keys[i]);
    for (size_t i = 0; i < SR_COUNT(contract); i++)
        cr_expect(sr_json_is_null(sr_json_get(sr_json_get(o, "contract"), contract[i])), "%s", contract[i]);
    cr_expect_eq(sr_json_size(sr_json_get(o, "contract")), SR_COUNT(contract));
    sr_json_free(o);
    subject_end(&s);
}

/* What sweep measured at .7 is not what .4 does. */
Test(export_config, a_threshold_given_takes_the_measures_of_the_old_one_away) {
    struct subject s = subject_begin(known, SR_COUNT(known));
    s.e.threshold = .4f;
    s.e.threshold_rule = "given";
    struct sr_json *o = config_of(&s);
    cr_expect_eq(number(o, "threshold"), .4);
    cr_expect(sr_json_is_null(sr_json_get(o, "threshold_data")));
    cr_expect(sr_json_is_null(sr_json_get(o, "threshold_metrics")));
    cr_expect_eq(number(o, "metrics.val/auprc"), .25);
    sr_json_free(o);
    subject_end(&s);
}

Test(export_config, a_file_that_says_otherwise_is_seen) {
    struct subject s = subject_begin(known, SR_COUNT(known));
    struct sr_error err = {0};
    sr_json_free(config_of(&s));
    s.e.threshold = .8f;
    cr_expect_eq(sr_export_config_check(&s.e, s.folder, "config.json", &err), SR_BUG);
    expect_in(err.text, "threshold");
    s.e.threshold = .7f;
    s.router->layer[0].outputs++;
    cr_expect_eq(sr_export_config_check(&s.e, s.folder, "config.json", &err), SR_BUG);
    expect_in(err.text, "architecture");
    s.router->layer[0].outputs--;
    subject_end(&s);
}

Test(export_config, safetensors_drops_what_was_measured_at_another_threshold) {
    struct subject s = subject_begin(known, SR_COUNT(known));
    struct sr_safetensors *out;
    struct sr_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", s.folder);
    struct run r =
        run_program(s.folder, "export --model %s --threshold 0.4 --to safetensors --out %s/o.safetensors",
                    path, s.folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    snprintf(path, sizeof path, "%s/o.safetensors", s.folder);
    cr_assert_eq(sr_safetensors_open(&out, path, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_safetensors_metadata(out, "threshold"), "0.4");
    cr_expect_null(sr_safetensors_metadata(out, "threshold_metrics"));
    cr_expect_null(sr_safetensors_metadata(out, "threshold_data"));
    cr_expect_not_null(sr_safetensors_metadata(out, "metrics"));
    sr_safetensors_close(out);
    subject_end(&s);
}
