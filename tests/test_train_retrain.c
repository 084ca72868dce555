/* test_train_retrain.c: the weekly job: warm start, recipes, several files, normalized features, seeds, and
 * one command line that begins, resumes and shows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/data.h"
#include "infer/infer.h"
#include "tests/run_program.h"
#include "train/config.h"
#include "train/normalize.h"
#include "train/recipe.h"
#include "train/seeds.h"

#define SMALL "--hidden 24,12 --dropout 0.2,0.1 --batch 32 --patience 0 --window 256 --threads 1"

static void dump_make(const char *folder, const char *name, int rows, int seed) {
    struct run r = run_program(folder, "data synth --out %s/%s --rows %d --width 32 --seed %d", folder, name,
                               rows, seed);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

static char *begin(void) {
    char *folder = folder_begin();
    dump_make(folder, "old.h5", 600, 1);
    dump_make(folder, "val.h5", 300, 2);
    dump_make(folder, "new1.h5", 200, 3);
    dump_make(folder, "new2.h5", 150, 4);
    return folder;
}

static struct run train(const char *folder, const char *run, const char *more) {
    return run_program(folder, "train --val %s/val.h5 --out %s/%s %s", folder, folder, run, more);
}

static void train_fine(const char *folder, const char *run, const char *more) {
    struct run r = train(folder, run, more);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

/* FOLDER is where "@" stands. */
static const char *in_folder(char text[1024], const char *folder, const char *pattern) {
    size_t used = 0;
    for (; *pattern; pattern++)
        used += (size_t)snprintf(text + used, 1024 - used, "%.*s", *pattern == '@' ? 256 : 1,
                                 *pattern == '@' ? folder : pattern);
    return text;
}

static void base_train(const char *folder) {
    char line[1024];
    train_fine(folder, "base", in_folder(line, folder, "--train @/old.h5 --epochs 20 " SMALL));
}

static char *run_text(const char *folder, const char *run, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
    return slurp(path);
}

static struct sr_json *run_json(const char *folder, const char *run, const char *name) {
    char *text = run_text(folder, run, name);
    struct sr_json *o;
    struct sr_error err;
    cr_assert_eq(sr_json_parse(&o, text, strlen(text), &err), 0, "%s", err.text);
    sr_free(text);
    return o;
}

static double json_number(const struct sr_json *o, const char *key) {
    double value = (double)NAN;
    sr_json_as_number(sr_json_get(o, key), &value);
    return value;
}

static struct sr_safetensors *run_weights(const char *folder, const char *run, const char *name) {
    char path[512];
    struct sr_safetensors *file;
    struct sr_error err;
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, name);
    cr_assert_eq(sr_safetensors_open(&file, path, &err), 0, "%s", err.text);
    return file;
}

static void same_file(const char *folder, const char *a, const char *b, const char *name) {
    char path[512];
    void *bytes[2];
    size_t size[2];
    struct sr_error err;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", folder, i ? b : a, name);
        cr_assert_eq(sr_file_read(&bytes[i], &size[i], path, 1 << 26, &err), 0, "%s", err.text);
    }
    cr_expect(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0, "%s differs between %s and %s",
              name, a, b);
    sr_free(bytes[0]);
    sr_free(bytes[1]);
}

static const char *const results[] = {"best.safetensors", "last.safetensors", "checkpoint.safetensors",
                                      "metrics.csv",      "metrics.jsonl",    "summary.txt",
                                      "summary.json"};

static void same_results(const char *folder, const char *a, const char *b) {
    for (size_t i = 0; i < SR_COUNT(results); i++)
        same_file(folder, a, b, results[i]);
}

/* ---- warm start ---- */

#define RUIN " --train @/old.h5 --lr 10 --epochs 2 --batch 32 --threads 1"

/* A learning rate that destroys the weights: what training began with stays, bit for bit. What nobody knows
 * of weights from elsewhere is not made up then. */
Test(retrain, weights_that_nothing_beats_stay) {
    static const struct sr_pair unknown[] = {{"rows_trained", NULL}, {"train_share", NULL}};
    char *folder = begin(), line[1024];
    base_train(folder);
    train_fine(folder, "tuned", in_folder(line, folder, "--init @/base/best.safetensors" RUIN));
    struct sr_safetensors *base = run_weights(folder, "base", "best.safetensors"),
                          *tuned = run_weights(folder, "tuned", "best.safetensors"),
                          *last = run_weights(folder, "tuned", "last.safetensors");
    cr_expect_str_eq(sr_safetensors_hash(tuned), sr_safetensors_hash(base));
    cr_expect_str_neq(sr_safetensors_hash(last), sr_safetensors_hash(base), "nothing was trained");
    cr_expect_str_eq(sr_safetensors_metadata(tuned, "parent"), sr_safetensors_hash(base));
    cr_expect_null(sr_safetensors_metadata(base, "parent"));
    struct sr_json *o = run_json(folder, "tuned", "summary.json");
    cr_expect_eq(json_number(o, "best_epoch"), 0);
    sr_json_free(o);
    char *metrics = run_text(folder, "tuned", "metrics.csv");
    cr_expect(strstr(metrics, "\n0,0,,,"), "no row of epoch 0 without lr and loss in: %s", metrics);
    sr_free(metrics);
    cr_assert_eq(sr_safetensors_rewrite(in_folder(line, folder, "@/others"), base, unknown, 2, NULL), 0);
    train_fine(folder, "again", in_folder(line, folder, "--init @/others" RUIN));
    struct sr_safetensors *others = run_weights(folder, "again", "best.safetensors");
    cr_expect_str_eq(sr_safetensors_hash(others), sr_safetensors_hash(base));
    for (size_t i = 0; i < SR_COUNT(unknown); i++)
        cr_expect_null(sr_safetensors_metadata(others, unknown[i].key), "%s", unknown[i].key);
    sr_safetensors_close(others);
    sr_safetensors_close(base);
    sr_safetensors_close(tuned);
    sr_safetensors_close(last);
    folder_end(folder);
}

Test(retrain, goes_on_from_the_weights_and_says_what_changed) {
    char *folder = begin(), line[1024];
    base_train(folder);
    struct run r = train(folder, "tuned",
                         in_folder(line, folder,
                                   "--init @/base/best.safetensors --train @/old.h5 --train '@/new*.h5' "
                                   "--train-weight 1,3 --epochs 4 --batch 32 --threads 1"));
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "parent"), "%s", r.out);
    cr_expect(strstr(r.out, "val.h5"), "no table by file: %s", r.out);
    run_end(&r);
    char *config = run_text(folder, "tuned", "config.yaml");
    cr_expect(strstr(config, "new1.h5,") && strstr(config, "new2.h5\""), "%s", config);
    cr_expect(strstr(config, "train_weight: [1,3,3]  # flag"), "%s", config);
    cr_expect(strstr(config, "hidden: [24,12]  # weights"), "%s", config);
    cr_expect(strstr(config, "recipe: finetune  # default"), "%s", config);
    cr_expect(strstr(config, "  # recipe"), "the recipe set nothing: %s", config);
    cr_expect(strstr(config, "epochs: 4  # flag"), "a flag lost against the recipe: %s", config);
    sr_free(config);
    struct sr_json *o = run_json(folder, "tuned", "summary.json"),
                   *base = run_json(folder, "base", "summary.json");
    cr_expect_float_eq(json_number(sr_json_get(o, "old"), "auprc"), json_number(base, "auprc"), 1e-15,
                       "the same weights on the same rows");
    cr_expect_eq(sr_json_size(sr_json_get(o, "files")), 1);
    cr_expect_gt(sr_json_size(sr_json_get(o, "sources")), 1);
    sr_json_free(o);
    sr_json_free(base);
    folder_end(folder);
}

Test(retrain, refuses_weights_that_do_not_fit) {
    char *folder = begin(), line[1024];
    base_train(folder);
    struct run r = run_program(folder, "data synth --out %s/wide.h5 --rows 100 --width 33", folder);
    cr_assert_eq(r.status, 0);
    run_end(&r);
    expect_failure(
        train(folder, "x",
              in_folder(line, folder, "--init @/base/best.safetensors --train @/old.h5 --hidden 9")),
        2, "24,12");
    expect_failure(
        train(folder, "x", in_folder(line, folder, "--init @/base/best.safetensors --train @/wide.h5")), 65,
        "different guards");
    expect_failure(
        train(folder, "x",
              in_folder(line, folder, "--init @/base/best.safetensors --train @/wide.h5,@/val.h5")),
        2, "both in --train and in --val");
    snprintf(line, sizeof line, "%s/x", folder);
    cr_expect_neq(access(line, F_OK), 0, "a refused run left its folder");
    expect_failure(train(folder, "x", in_folder(line, folder, "--init @/none --train @/old.h5")), 66, "none");
    expect_failure(train(folder, "x", in_folder(line, folder, "--init @/old.h5 --train @/old.h5")), 65,
                   "old.h5");
    expect_failure(train(folder, "x",
                         in_folder(line, folder, "--train @/old.h5 --train @/new1.h5 --train-weight 1,2,3")),
                   2, "train-weight");
    expect_failure(train(folder, "x", in_folder(line, folder, "--train '@/none*.h5'")), 66, "none*");
    expect_failure(train(folder, "x", in_folder(line, folder, "--train @/new1.h5 --train '@/new*.h5'")), 2,
                   "new1.h5 twice");
    folder_end(folder);
}

/* ---- recipes ---- */

Test(retrain, recipes_give_way_to_what_is_said) {
    struct sr_config c;
    struct sr_options o;
    struct sr_error err;
    for (int recipe = SR_RECIPE_SEED; recipe <= SR_RECIPE_FINETUNE; recipe++) {
        cr_assert_eq(sr_options_begin(&o, sr_config_table, sr_config_count, &c, &err), 0);
        cr_assert_eq(sr_options_set(&o, "lr", "0.003", SR_ORIGIN_FILE, &err), 0);
        cr_assert_eq(sr_recipe_apply(&o, (enum sr_recipe)recipe, &err), 0, "%s", err.text);
        cr_expect_eq(c.lr, 0.003);
        cr_expect_eq(sr_config_check(&(struct sr_config){.train = (char[]){"a"},
                                                         .val = (char[]){"b"},
                                                         .hidden = c.hidden,
                                                         .dropout = c.dropout,
                                                         .lr = c.lr,
                                                         .eta_min = c.eta_min},
                                     &err),
                     0, "%s", err.text);
        sr_options_end(&o);
    }
}

/* The remarks on settings given as "key=value" pairs, one behind the other. */
static void remarks(char text[2048], const char *pairs) {
    struct sr_config c;
    struct sr_options o;
    struct sr_error err;
    char list[512], one[256];
    size_t used = 0;
    snprintf(list, sizeof list, "%s", pairs);
    cr_assert_eq(sr_options_begin(&o, sr_config_table, sr_config_count, &c, &err), 0);
    for (char *rest = list, *pair; (pair = strsep(&rest, " "));) {
        char *value = strchr(pair, '=');
        if (!value)
            continue;
        *value = '\0';
        cr_assert_eq(sr_options_set(&o, pair, value + 1, SR_ORIGIN_FLAG, &err), 0, "%s", err.text);
    }
    text[0] = '\0';
    for (size_t i = 0; sr_config_remark(&o, i, one); i++)
        used += (size_t)snprintf(text + used, 2048 - used, "%s\n", one);
    sr_options_end(&o);
}

Test(retrain, stacked_and_idle_settings_are_said_aloud) {
    static const struct {
        const char *pairs, *word;
    } cases[] = {
        {"", "more than once (balanced draws, alpha 0.75)"},
        {"sampler=none pos_weight=3", "more than once (alpha 0.75, pos_weight 3)"},
        {"loss=bce gamma=1 sampler=none", "no part with loss bce"},
        {"schedule=constant t0=3", "no part with schedule constant"},
        {"epochs=20", "--t0 20"},
        {"epochs=60 patience=70", "never reached"},
        {"train_weight=2", "one training file"},
    };
    char text[2048];
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        remarks(text, cases[i].pairs);
        cr_expect(strstr(text, cases[i].word), "%s: \"%s\" is not in: %s", cases[i].pairs, cases[i].word,
                  text);
    }
    remarks(text, "sampler=none t0=500");
    cr_expect_str_empty(text);
}

/* ---- normalized features ---- */

/* w z + b of the normalized row is w' x + b' of the row itself. */
Test(retrain, folding_changes_no_output) {
    enum { OUT = 3, WIDTH = 5 };
    float shift[WIDTH] = {1, -2, 30, 0, 0.5F}, scale[WIDTH] = {0.1F, 3, 20, 1, 7};
    const struct sr_normalization n = {WIDTH, shift, scale};
    real w[OUT * WIDTH], b[OUT], w_x[OUT * WIDTH], b_x[OUT], back[OUT * WIDTH], b_back[OUT];
    for (int i = 0; i < OUT * WIDTH; i++)
        w[i] = (real)sr_random_normal(1, sr_stream(SR_STREAM_TEST, 0, 0), (uint64_t)i);
    for (int i = 0; i < OUT; i++)
        b[i] = (real)i - 1;
    sr_normalization_fold(w_x, b_x, w, b, OUT, &n);
    sr_normalization_unfold(back, b_back, w_x, b_x, OUT, &n);
    for (int o = 0; o < OUT; o++) {
        double z = (double)b[o], x = (double)b_x[o], size = 1;
        for (int k = 0; k < WIDTH; k++) {
            const double value = k * 1.5 - 2;
            const double normal = (value - (double)shift[k]) * (double)scale[k];
            z += (double)w[o * WIDTH + k] * normal;
            x += (double)w_x[o * WIDTH + k] * value;
            size += fabs((double)w_x[o * WIDTH + k] * value) + fabs((double)w[o * WIDTH + k] * normal);
        }
        cr_expect_float_eq(x, z, 4 * 6e-8 * size, "each weight and bias is rounded once to float");
        cr_expect_float_eq((double)b_back[o], (double)b[o], 4 * 6e-8 * size);
    }
    for (int i = 0; i < OUT * WIDTH; i++)
        cr_expect_float_eq((double)back[i], (double)w[i], 2 * 6e-8 * fabs((double)w[i]));
}

/* The weights as saved, scored by the code that ships, are those that were validated while training. */
Test(retrain, normalized_training_saves_weights_for_raw_features) {
    char *folder = begin(), line[1024];
    const char *settings = "--train @/old.h5 --normalize standard --epochs 6 " SMALL;
    train_fine(folder, "normal", in_folder(line, folder, settings));
    struct sr_json *o = run_json(folder, "normal", "summary.json");
    const struct sr_json *metrics = sr_json_get(o, "metrics");
    /* scores differ by about 1e-6, so neighbouring rows may swap: 300 rows, one swap moves AUPRC by 1e-3 */
    cr_expect_float_eq(json_number(o, "auprc"), json_number(metrics, "val/auprc"), 1e-3);
    sr_json_free(o);
    train_fine(folder, "plain", in_folder(line, folder, "--train @/old.h5 --epochs 6 " SMALL));
    char *a = run_text(folder, "normal", "metrics.csv"), *b = run_text(folder, "plain", "metrics.csv");
    cr_expect_str_neq(a, b, "normalizing changed nothing");
    sr_free(a);
    sr_free(b);
    /* fine-tuning under another normalization begins with the same function */
    train_fine(
        folder, "tuned",
        in_folder(line, folder,
                  "--init @/plain/best.safetensors --train @/old.h5 --normalize standard --lr 10 --epochs 1 "
                  "--batch 32 --threads 1"));
    struct sr_safetensors *plain = run_weights(folder, "plain", "best.safetensors"),
                          *tuned = run_weights(folder, "tuned", "best.safetensors");
    cr_expect_str_eq(sr_safetensors_hash(tuned), sr_safetensors_hash(plain));
    o = run_json(folder, "tuned", "summary.json");
    /* Scores differ by 1e-6 at most and lie 1e-3 apart, so that no two rows swap. Without unfolding many
     * would: the columns' means and deviations are some percent off 0 and 1. */
    cr_expect_float_eq(json_number(o, "auprc"), json_number(sr_json_get(o, "metrics"), "val/auprc"), 1e-9);
    sr_json_free(o);
    sr_safetensors_close(plain);
    sr_safetensors_close(tuned);
    folder_end(folder);
}

/* ---- the job ---- */

#define JOB                                                                                                  \
    "--init @/base/best.safetensors --train @/old.h5 --train '@/new*.h5' --train-weight 1,2 --normalize "    \
    "standard "                                                                                              \
    "--epoch-rows 333 --epochs 12 --patience 0 --batch 32 --window 256 --threads 1 --sampler none --lr "     \
    "1e-3 "

/* Kills the command now and then, and starts the same command line again. */
Test(retrain, one_command_line_begins_resumes_and_shows, .timeout = 300) {
    char *folder = begin(), line[1024], command[2048];
    int stopped = 0;
    base_train(folder);
    train_fine(folder, "whole", in_folder(line, folder, JOB));
    for (int k = 1; k <= 8; k++) {
        snprintf(command, sizeof command,
                 "timeout -s KILL 0.0%d '%s' train --val %s/val.h5 --out %s/job --resume auto "
                 "--checkpoint-seconds 0 %s >/dev/null 2>&1 </dev/null",
                 k, SR_PROGRAM, folder, folder, in_folder(line, folder, JOB));
        const int raw = system(command);
        stopped += WIFEXITED(raw) && WEXITSTATUS(raw) == 137;
    }
    cr_expect_geq(stopped, 2, "only %d kills: nothing was tested", stopped);
    in_folder(line, folder, JOB "--resume auto");
    train_fine(folder, "job", line);
    same_results(folder, "whole", "job");
    struct run again = train(folder, "job", line);
    cr_assert_eq(again.status, 0, "%s", again.err);
    cr_expect(strstr(again.out, "AUPRC"), "a finished run is shown: %s", again.out);
    cr_expect(strstr(again.err, "nothing is left to train"), "%s", again.err);
    run_end(&again);
    same_results(folder, "whole", "job");
    char swap[1024];
    snprintf(swap, sizeof swap, "cd %s && cp base/best.safetensors kept && cp job/best.safetensors base/",
             folder);
    cr_assert_eq(system(swap), 0);
    expect_failure(train(folder, "job", line), 2, "begun with other weights");
    snprintf(swap, sizeof swap, "cd %s && cp kept base/best.safetensors", folder);
    cr_assert_eq(system(swap), 0);
    in_folder(line, folder, JOB "--resume auto --lr 2e-3");
    expect_failure(train(folder, "job", line), 2, "begun with lr 0.001");
    dump_make(folder, "new1.h5", 200, 9);
    in_folder(line, folder, JOB "--resume auto");
    expect_failure(train(folder, "job", line), 2, "training data");
    dump_make(folder, "new3.h5", 50, 9);
    expect_failure(train(folder, "job", line), 2, "begun with train ...,");
    expect_failure(train(folder, "job", line), 2, "new3.h5: finish it with");
    folder_end(folder);
}

Test(retrain, time_limits_end_with_what_there_is) {
    char *folder = begin(), line[1024];
    base_train(folder);
    struct run r =
        train(folder, "none", in_folder(line, folder, "--train @/old.h5 --max-minutes 1e-9 " SMALL));
    cr_expect_eq(r.status, 75, "%s", r.err);
    cr_expect(strstr(r.err, "--epoch-rows"), "%s", r.err);
    run_end(&r);
    r = train(
        folder, "parent",
        in_folder(
            line, folder,
            "--init @/base/best.safetensors --train @/old.h5 --max-minutes 1e-9 --threads 1 --batch 32"));
    cr_expect_eq(r.status, 0, "the weights training began with are a result: %s", r.err);
    cr_expect(strstr(r.err, "time is up"), "%s", r.err);
    run_end(&r);
    r = run_program(folder, "train --resume %s/parent --max-minutes 0", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    train_fine(
        folder, "whole",
        in_folder(line, folder, "--init @/base/best.safetensors --train @/old.h5 --threads 1 --batch 32"));
    same_results(folder, "whole", "parent");
    folder_end(folder);
}

static void in_shell(const char *folder, const char *command) {
    char line[1024];
    snprintf(line, sizeof line, "cd '%s' && %s", folder, command);
    cr_assert_eq(system(line), 0, "%s", line);
}

/* A finished run whose summary is lost makes it again; without its data or the weights it began with it is
 * shown as it is. */
Test(retrain, finished_runs_need_nothing_but_themselves) {
    char *folder = begin(), line[1024];
    const char *settings = "--train @/old.h5 --epochs 2 --seeds 2 --resume auto " SMALL;
    base_train(folder);
    train_fine(folder, "two", in_folder(line, folder, settings));
    in_shell(folder, "cp -r two kept && rm two/seed-0/summary.json two/seed-1/summary.json");
    train_fine(folder, "two", in_folder(line, folder, settings));
    same_results(folder, "two/seed-0", "kept/seed-0");
    same_results(folder, "two/seed-1", "kept/seed-1");
    in_shell(folder, "grep -q '^seeds: 1 ' two/seed-1/config.yaml");
    const char *tuned = "--init @/live --train @/old.h5 --epochs 1 --batch 32 --threads 1 --resume auto";
    const char *both =
        "--init @/live --train @/old.h5 --epochs 1 --batch 32 --threads 1 --seeds 2 --resume auto";
    in_shell(folder, "cp base/best.safetensors live");
    train_fine(folder, "tuned", in_folder(line, folder, tuned));
    train_fine(folder, "both", in_folder(line, folder, both));
    in_shell(folder, "rm live");
    train_fine(folder, "both", in_folder(line, folder, both));
    in_shell(folder, "rm old.h5");
    train_fine(folder, "both", in_folder(line, folder, both));
    struct run r = train(folder, "two", in_folder(line, folder, settings));
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "its data is gone"), "%s", r.err);
    run_end(&r);
    r = train(folder, "tuned", in_folder(line, folder, tuned));
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    in_shell(folder, "rm -r two/seed-1");
    expect_failure(train(folder, "two", in_folder(line, folder, settings)), 66, "old.h5");
    folder_end(folder);
}

/* ---- seeds ---- */

Test(retrain, several_seeds_deliver_the_median_run) {
    char *folder = begin(), line[1024];
    const char *settings = "--train @/old.h5 --epochs 4 --seed 7 --seeds 3 " SMALL;
    struct run r = train(folder, "many", in_folder(line, folder, settings));
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "deviation") && strstr(r.out, "median run"), "%s", r.out);
    run_end(&r);
    struct sr_json *o = run_json(folder, "many", "seeds.json");
    const struct sr_json *runs = sr_json_get(o, "runs");
    cr_assert_eq(sr_json_size(runs), 3);
    char *steps = sr_json_text(sr_json_get(sr_json_at(runs, 0), "step"), 0, NULL);
    cr_expect(steps && steps[strspn(steps, "0123456789")] == '\0', "steps are whole: %s", steps);
    sr_free(steps);
    double auprc[3], sum = 0, squares = 0;
    for (size_t i = 0; i < 3; i++)
        sum += auprc[i] = json_number(sr_json_at(runs, i), "val/auprc");
    for (size_t i = 0; i < 3; i++)
        squares += (auprc[i] - sum / 3) * (auprc[i] - sum / 3);
    cr_expect_float_eq(json_number(sr_json_get(o, "mean"), "val/auprc"), sum / 3, 1e-12);
    cr_expect_float_eq(json_number(sr_json_get(o, "deviation"), "val/auprc"), sqrt(squares / 2), 1e-12);
    const double delivered = json_number(o, "delivered_seed"), middle = auprc[(int)delivered - 7];
    int below = 0;
    for (size_t i = 0; i < 3; i++)
        below += auprc[i] < middle;
    cr_expect_eq(below, 1, "seed %g is not the median", delivered);
    sr_json_free(o);
    char name[64];
    snprintf(name, sizeof name, "many/seed-%d", (int)delivered);
    same_file(folder, "many", name, "best.safetensors");
    train_fine(folder, "alone", in_folder(line, folder, "--train @/old.h5 --epochs 4 --seed 8 " SMALL));
    same_results(folder, "alone", "many/seed-8");
    r = run_program(folder, "train --resume %s/many --json", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "\"schema_version\": 2"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}

Test(retrain, medians_of_even_and_equal_numbers) {
    int64_t seed[4] = {0, 1, 2, 3};
    struct sr_epoch best[4] = {{.val_auprc = .4}, {.val_auprc = .1}, {.val_auprc = .3}, {.val_auprc = .3}};
    struct sr_seeds s = {.n = 4, .seed = seed, .best = best};
    sr_seeds_measure(&s);
    cr_expect_eq(s.median, 2, "the lower of the two in the middle, the first of equals");
    s.n = 1;
    sr_seeds_measure(&s);
    cr_expect_eq(s.median, 0);
    cr_expect(isnan(s.deviation.val_auprc));
}

/* ---- rows as production has them ---- */

#define FIXTURE  SR_SOURCE_DIR "/tests/dumps/"
#define ONE_STEP "--epochs 1 --batch 12 --hidden 4 --dropout 0 --sampler none --threads 1"

static double first_train_loss(const char *folder, const char *dump, const char *val) {
    struct run r =
        run_program(folder, "train --train " FIXTURE "%s --val " FIXTURE "%s --out %s/%s " ONE_STEP, dump,
                    val, folder, dump);
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "weighted by /weight"), "%s", r.err);
    run_end(&r);
    struct sr_json *o = run_json(folder, dump, "summary.json");
    const double loss = json_number(sr_json_get(o, "metrics"), "train/loss");
    sr_json_free(o);
    return loss;
}

/* The same rows with four times the weight: the loss of the first step, from the same random weights. */
Test(retrain, row_weights_multiply_the_loss) {
    char *folder = folder_begin();
    const double once = first_train_loss(folder, "weight_double.h5", "weight_uint8.h5"),
                 four = first_train_loss(folder, "weight_uint8.h5", "weight_double.h5");
    cr_expect_gt(once, 0);
    cr_expect_float_eq(four, 4 * once, 1e-12 * four);
    folder_end(folder);
}

Test(retrain, rows_without_a_label_are_left_out_and_counted) {
    char *folder = folder_begin();
    struct run r = run_program(folder,
                               "train --train " FIXTURE "unknown_int8.h5 --val " FIXTURE
                               "weight_double.h5 --labels derived "
                               "--out %s/run " ONE_STEP,
                               folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "more rows have no known label and are left out"), "%s", r.err);
    run_end(&r);
    struct sr_json *o = run_json(folder, "run", "data.json");
    const struct sr_json *train_part = sr_json_get(o, "train");
    cr_expect_gt(json_number(train_part, "unlabelled"), 0);
    cr_expect_eq(json_number(train_part, "unlabelled") + json_number(train_part, "rows"), 12);
    sr_json_free(o);
    folder_end(folder);
}

/* Labels cut elsewhere are another problem: the weights say which, and eval warns of the difference. */
Test(retrain, the_label_contract_goes_with_the_weights) {
    char *folder = begin(), line[1024];
    train_fine(
        folder, "cut",
        in_folder(line, folder, "--train @/old.h5 --small-threshold .3 --labels derived --epochs 2 " SMALL));
    struct sr_safetensors *file = run_weights(folder, "cut", "best.safetensors");
    cr_expect_str_eq(sr_safetensors_metadata(file, "small_threshold"), "0.3");
    cr_expect_str_eq(sr_safetensors_metadata(file, "large_threshold"), "0.5");
    sr_safetensors_close(file);
    struct run r =
        run_program(folder, "eval --model %s/cut/best.safetensors --data %s/val.h5", folder, folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "small_threshold is \"0.5\" in the dump, but \"0.3\""), "%s", r.err);
    run_end(&r);
    r = train(folder, "on",
              in_folder(line, folder,
                        "--init @/cut/best.safetensors --train @/old.h5 --epochs 1 --batch 32 --threads 1"));
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "but \"0.3\" in the weights of --init"), "%s", r.err);
    run_end(&r);
    expect_failure(train(folder, "x", in_folder(line, folder, "--train @/old.h5 --small-threshold .3")), 65,
                   "labels disagree");
    folder_end(folder);
}

/* ---- held-out rows ---- */

Test(retrain, seeds_share_the_rows_held_out) {
    char *folder = begin(), ids[2][80];
    for (int seed = 0; seed < 2; seed++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", seed);
        struct run r = run_program(
            folder, "train --train %s/old.h5 --val-fraction .2 --out %s/%s --seed %d --epochs 1 " SMALL,
            folder, folder, name, seed);
        cr_assert_eq(r.status, 0, "%s", r.err);
        run_end(&r);
        struct sr_json *o = run_json(folder, name, "data.json");
        snprintf(ids[seed], sizeof ids[seed], "%s",
                 sr_json_as_string(sr_json_get(sr_json_get(o, "identity"), "rows")));
        sr_json_free(o);
    }
    cr_expect_str_eq(ids[0], ids[1]);
    folder_end(folder);
}
