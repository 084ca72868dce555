/* config.c: the table of settings of `saferoute train`, and what follows from it.
 *
 * The defaults of the recipe are those of the published router (README, "The recipe").
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/infer.h"
#include "train/config.h"
#include "train/recipe.h"

#define AT(field) offsetof(struct sr_config, field)
#define WIDEST    8192 /* what a deployed router scores without allocating (infer/) */
#define NO_LIMIT  9e15 /* integers up to here are exact in a double */

const struct sr_option sr_config_table[] = {
    {"train", SR_OPTION_TEXT, AT(train), .metavar = "A.h5[,B.h5]", .repeats = true,
     .help = "feature dumps to train on; may be given again, and may be patterns such as 'week-*.h5'"},
    {"train_weight", SR_OPTION_INTEGERS, AT(train_weight), .min = 1, .max = SR_FILE_WEIGHT_MAX,
     .help = "how often the rows of each --train item are drawn, relative to each other, e.g. 1,3"},
    {"val", SR_OPTION_TEXT, AT(val), .metavar = "V.h5", .repeats = true,
     .help = "feature dumps to select the best epoch on"},
    {"val_fraction", SR_OPTION_REAL, AT(val_fraction), .fallback = "0", .max = 0.9, .metavar = "F",
     .help = "without --val: part of the training rows to hold out, stratified, groups kept together"},
    {"split_seed", SR_OPTION_INTEGER, AT(split_seed), .fallback = "0", .max = NO_LIMIT,
     .help = "which rows --val-fraction holds out; the same for every --seed"},
    {"init", SR_OPTION_TEXT, AT(init), .metavar = "W",
     .help = "weights to begin with (fine-tuning); kept as the result where no epoch beats them"},
    {"out", SR_OPTION_TEXT, AT(out), .metavar = "RUN", .flag_only = true, .help = "run folder to make"},
    {"resume", SR_OPTION_TEXT, AT(resume), .metavar = "RUN|auto", .flag_only = true,
     .help = "continue the run in this folder, bit for bit; auto: the run in --out if there is one, else a "
             "new one. --isolate is to be given again"},
    {"config", SR_OPTION_TEXT, AT(config), .metavar = "FILE", .flag_only = true,
     .help = "YAML or JSON file of settings, one flat mapping"},

    {"json", SR_OPTION_SWITCH, AT(json), .flag_only = true, .help = "print the summary as one JSON object"},
    {"full", SR_OPTION_SWITCH, AT(full), .flag_only = true, .help = "print more of the summary"},

    {"recipe", SR_OPTION_CHOICE, AT(recipe), .fallback = "auto", .choices = SR_RECIPE_CHOICES,
     .help = "named settings, each of which can still be given; auto: finetune with --init, else seed"},
    {"seed", SR_OPTION_INTEGER, AT(seed), .fallback = "0", .max = NO_LIMIT,
     .help = "seed of every random number"},
    {"seeds", SR_OPTION_INTEGER, AT(seeds), .fallback = "1", .min = 1, .max = 100,
     .help = "train so often, with seed, seed + 1, ...; the median run on validation is the result"},
    {"epochs", SR_OPTION_INTEGER, AT(epochs), .fallback = "500", .min = 1, .max = 1e6,
     .help = "epochs at most"},
    {"patience", SR_OPTION_INTEGER, AT(patience), .fallback = "100", .max = 1e6,
     .help = "stop after so many epochs without a better validation AUPRC; 0: never"},
    {"batch", SR_OPTION_INTEGER, AT(batch), .fallback = "256", .min = 2, .max = 65536, .help = "rows a step"},
    {"epoch_rows", SR_OPTION_INTEGER, AT(epoch_rows), .fallback = "0", .max = NO_LIMIT,
     .help = "rows drawn between two validations; 0: as many as there are"},
    {"sampler", SR_OPTION_CHOICE, AT(sampler), .fallback = "balanced", .choices = "balanced|none",
     .help = "draw both classes equally often, or every row once"},
    {"lr", SR_OPTION_REAL, AT(lr), .fallback = "5e-4", .min = 1e-12, .max = 10,
     .help = "highest learning rate"},
    {"eta_min", SR_OPTION_REAL, AT(eta_min), .fallback = "1e-6", .max = 10, .help = "lowest learning rate"},
    {"schedule", SR_OPTION_CHOICE, AT(schedule), .fallback = "cosine", .choices = "cosine|constant",
     .help = "learning rate: cosine with warm restarts, or lr throughout"},
    {"t0", SR_OPTION_INTEGER, AT(t0), .fallback = "50", .min = 1, .max = 1e6,
     .help = "epochs to the first warm restart of the cosine"},
    {"t_mult", SR_OPTION_INTEGER, AT(t_mult), .fallback = "2", .min = 1, .max = 1000,
     .help = "each cycle is so many times as long as the one before"},
    {"weight_decay", SR_OPTION_REAL, AT(weight_decay), .fallback = "0.01", .max = 10,
     .help = "AdamW's decay, on every parameter"},
    {"beta1", SR_OPTION_REAL, AT(beta1), .fallback = "0.9", .max = 0.999999,
     .help = "AdamW's first decay rate"},
    {"beta2", SR_OPTION_REAL, AT(beta2), .fallback = "0.999", .max = 0.99999999,
     .help = "AdamW's second decay rate"},
    {"eps", SR_OPTION_REAL, AT(eps), .fallback = "1e-8", .min = 1e-30, .max = 1, .help = "AdamW's epsilon"},
    {"clip", SR_OPTION_REAL, AT(clip), .fallback = "1", .max = 1e9,
     .help = "largest global norm of the gradient; 0: no limit"},
    {"loss", SR_OPTION_CHOICE, AT(loss), .fallback = "focal", .choices = "focal|bce",
     .help = "focal loss, or binary cross-entropy"},
    {"alpha", SR_OPTION_REAL, AT(alpha), .fallback = "0.75", .max = 1,
     .help = "focal loss: weight of positive rows; negative ones get 1 - alpha"},
    {"gamma", SR_OPTION_REAL, AT(gamma), .fallback = "2", .max = 20, .help = "focal loss: focusing exponent"},
    {"pos_weight", SR_OPTION_REAL, AT(pos_weight), .fallback = "1", .min = 1e-6, .max = 1e6,
     .help = "multiplies the loss of positive rows, with either loss"},
    {"label_smoothing", SR_OPTION_REAL, AT(label_smoothing), .fallback = "0", .max = 0.9,
     .help = "a label y counts as y (1 - s) + s/2"},
    {"normalize", SR_OPTION_CHOICE, AT(normalize), .fallback = "none", .choices = "none|standard",
     .help = "standard: train on (x - mean) / deviation of each feature; folded into the weights on saving"},
    {"hidden", SR_OPTION_INTEGERS, AT(hidden), .fallback = "1024,512,256", .min = 1, .max = WIDEST,
     .help = "widths of the hidden layers"},
    {"dropout", SR_OPTION_REALS, AT(dropout), .fallback = "0.3,0.3,0.2", .max = 0.99,
     .help = "dropout behind each hidden layer; one number serves all (0.3 where there are not three)"},
    {"window", SR_OPTION_INTEGER, AT(window), .fallback = "32768", .min = 256, .max = 4e9,
     .help = "rows shuffled together; streaming holds two windows in memory"},

    {"on_bad_row", SR_OPTION_CHOICE, AT(on_bad_row), .fallback = "error", .choices = "error|skip",
     .help = "rows with a NaN or an infinity: stop, or leave them out"},
    SR_DATA_FEATURE_OPTIONS(struct sr_config, how),
    SR_DATA_LABEL_OPTIONS(struct sr_config, how),

    {"memory", SR_OPTION_BYTES, AT(memory), .fallback = "auto", .metavar = "SIZE",
     .help = "memory to use, e.g. 4G; larger dumps are streamed. Never changes results"},
    {"threads", SR_OPTION_INTEGER, AT(threads), .fallback = "0", .max = 1024,
     .help = "threads; 0: as many as this process may use. Never changes results"},
    {"checkpoint_seconds", SR_OPTION_REAL, AT(checkpoint_seconds), .fallback = "30", .max = 1e6,
     .help = "seconds between checkpoints. Never changes results"},
    {"max_minutes", SR_OPTION_REAL, AT(max_minutes), .fallback = "0", .max = 1e6,
     .help = "end after so many minutes with the best epoch so far; --resume can go on. 0: no limit"},
};
const size_t sr_config_count = SR_COUNT(sr_config_table);

/* A row's value as text: text of any length as it is, the rest in the buffer. */
static const char *value_text(const struct sr_options *o, size_t i, char buffer[SR_LIST_TEXT]) {
    if (o->table[i].type != SR_OPTION_TEXT)
        return sr_options_text(o, i, buffer, SR_LIST_TEXT);
    const char *text;
    memcpy(&text, (const char *)o->values + o->table[i].offset, sizeof text);
    return text ? text : "";
}

/* Where things are: what lies there is known by its hash, not by its name. recipe speaks through its keys,
 * and each of several seeds is a run of its own. */
static const char *const names_data[] = {"train", "val", "init", "seeds", NULL};
static const char *const never_decides[] = {"recipe",      "memory", "threads", "checkpoint_seconds",
                                            "max_minutes", NULL};

static bool decides_result(const struct sr_option *row) {
    return !row->flag_only && !sr_is_listed(row->key, names_data) && !sr_is_listed(row->key, never_decides);
}

size_t sr_config_differs(const struct sr_options *a, const struct sr_options *b) {
    char of_a[SR_LIST_TEXT], of_b[SR_LIST_TEXT];
    size_t i = 0;
    for (; i < a->count; i++) {
        if (!decides_result(&a->table[i]) && !sr_is_listed(a->table[i].key, names_data))
            continue;
        const char *x = value_text(a, i, of_a), *y = value_text(b, i, of_b);
        if (strcmp(x, y) != 0)
            break;
    }
    return i;
}

/* config.yaml is UTF-8, and a run is resumed from it. */
static int check_texts(const struct sr_config *c, struct sr_error *err) {
    for (size_t i = 0; i < sr_config_count; i++) {
        const struct sr_option *row = &sr_config_table[i];
        const char *text;
        if (row->flag_only || row->type != SR_OPTION_TEXT)
            continue;
        memcpy(&text, (const char *)c + row->offset, sizeof text);
        for (size_t n; text && *text; text += n)
            if ((n = sr_utf8_length(text)) == 0)
                return sr_fail(
                    err, SR_USAGE,
                    "--%s is not UTF-8, so config.yaml cannot hold it: give the file or dataset a name "
                    "that is",
                    row->key);
    }
    return SR_OK;
}

int sr_config_check(const struct sr_config *c, struct sr_error *err) {
    if (check_texts(c, err) < 0)
        return SR_USAGE;
    if (!c->train)
        return sr_fail(err, SR_USAGE, "no training data: give --train A.h5 (several: A.h5,B.h5)");
    if (!c->val && c->val_fraction == 0)
        return sr_fail(
            err, SR_USAGE,
            "nothing to select the best epoch on: give --val V.h5, or hold out rows with --val-fraction 0.1");
    if (c->val && c->val_fraction > 0)
        return sr_fail(err, SR_USAGE, "--val and --val-fraction contradict each other: give one of them");
    if (c->hidden.n > SR_HIDDEN_MAX)
        return sr_fail(err, SR_USAGE, "%zu hidden layers are too many: at most %d", c->hidden.n,
                       SR_HIDDEN_MAX);
    if (c->hidden.n != c->dropout.n && c->dropout.n != 1)
        return sr_fail(err, SR_USAGE,
                       "%zu hidden layers but %zu dropout rates: give one for each, or one for all",
                       c->hidden.n, c->dropout.n);
    if ((double)c->seed + (double)c->seeds - 1 > NO_LIMIT)
        return sr_fail(err, SR_USAGE, "seed %lld and the %lld after it are too large: give a smaller seed",
                       (long long)c->seed, (long long)c->seeds - 1);
    if (c->epoch_rows == 1)
        return sr_fail(err, SR_USAGE,
                       "epoch_rows is 1, but BatchNorm needs two rows: give more, or 0 for all");
    if (c->eta_min > c->lr)
        return sr_fail(err, SR_USAGE, "eta_min %g is above lr %g: the learning rate would rise", c->eta_min,
                       c->lr);
    return SR_OK;
}

/* ---- remarks ---- */

/* Each says what it has to say into text, or returns false. */
typedef bool remark(const struct sr_config *c, const struct sr_options *o, char text[256]);

static bool favoured_twice(const struct sr_config *c, const struct sr_options *o, char text[256]) {
    const bool balanced = c->sampler == SR_SAMPLER_BALANCED;
    const bool alpha = c->loss == SR_LOSS_FOCAL && c->alpha > .5, weight = c->pos_weight > 1;
    char by_alpha[32] = "", by_weight[40] = "";
    (void)o;
    if (balanced + alpha + weight < 2)
        return false;
    if (alpha)
        snprintf(by_alpha, sizeof by_alpha, ", alpha %.3g", c->alpha);
    if (weight)
        snprintf(by_weight, sizeof by_weight, ", pos_weight %.3g", c->pos_weight);
    snprintf(
        text, 256,
        "positive rows are favoured more than once (%s%s%s): probabilities run high, which a threshold makes "
        "good",
        balanced ? "balanced draws" : "", by_alpha + (balanced ? 0 : 2), by_weight);
    return true;
}

static bool focal_keys_unused(const struct sr_config *c, const struct sr_options *o, char text[256]) {
    snprintf(text, 256, "alpha and gamma play no part with loss bce; pos_weight weighs positive rows there");
    return c->loss == SR_LOSS_BCE && (sr_options_given(o, "alpha") || sr_options_given(o, "gamma"));
}

static bool schedule_keys_unused(const struct sr_config *c, const struct sr_options *o, char text[256]) {
    snprintf(text, 256, "t0, t_mult and eta_min play no part with schedule constant");
    return c->schedule == SR_SCHEDULE_CONSTANT &&
           (sr_options_given(o, "t0") || sr_options_given(o, "t_mult") || sr_options_given(o, "eta_min"));
}

static bool cosine_cut_off(const struct sr_config *c, const struct sr_options *o, char text[256]) {
    (void)o;
    snprintf(
        text, 256,
        "the learning rate takes %lld epochs (t0) to fall, but there are only %lld: --t0 %lld lets it fall "
        "to the end",
        (long long)c->t0, (long long)c->epochs, (long long)c->epochs);
    return c->schedule == SR_SCHEDULE_COSINE && c->epochs < c->t0;
}

static bool patience_unused(const struct sr_config *c, const struct sr_options *o, char text[256]) {
    snprintf(text, 256, "patience %lld is never reached in %lld epochs", (long long)c->patience,
             (long long)c->epochs);
    return c->patience >= c->epochs && sr_options_origin(o, "patience") > SR_ORIGIN_RECIPE;
}

static bool weight_of_one_file(const struct sr_config *c, const struct sr_options *o, char text[256]) {
    (void)o;
    snprintf(text, 256, "train_weight plays no part with one training file");
    return c->train_weight.n == 1;
}

const char *sr_config_remark(const struct sr_options *o, size_t i, char text[256]) {
    static remark *const remarks[] = {favoured_twice, focal_keys_unused, schedule_keys_unused,
                                      cosine_cut_off, patience_unused,   weight_of_one_file};
    for (size_t k = 0; k < SR_COUNT(remarks); k++)
        if (remarks[k](o->values, o, text) && i-- == 0)
            return text;
    return NULL;
}

/* ---- the pieces ---- */

struct sr_model_spec sr_config_model(const struct sr_config *c, size_t width) {
    struct sr_model_spec spec = {.in = width, .n_hidden = c->hidden.n};
    for (size_t i = 0; i < c->hidden.n; i++) {
        spec.hidden[i] = (size_t)c->hidden.v[i];
        spec.dropout[i] = c->dropout.v[c->dropout.n == 1 ? 0 : i];
    }
    return spec;
}

int sr_config_fits(const struct sr_config *c, size_t width, struct sr_error *err) {
    const struct sr_model_spec spec = sr_config_model(c, width);
    size_t widths[SR_HIDDEN_MAX + 1] = {width};
    struct sr_error why = {0};
    memcpy(widths + 1, spec.hidden, spec.n_hidden * sizeof *widths);
    return sr_router_check_widths(widths, spec.n_hidden + 1, "these features and --hidden", &why) == SR_OK
               ? SR_OK
               : sr_fail(err, SR_USAGE, "%s", why.text);
}

struct sr_schedule sr_config_schedule(const struct sr_config *c) {
    const bool constant = c->schedule == SR_SCHEDULE_CONSTANT; /* a cosine between lr and lr */
    return (struct sr_schedule){.lr = c->lr,
                                .eta_min = constant ? c->lr : c->eta_min,
                                .t0 = (uint64_t)c->t0,
                                .t_mult = (uint64_t)c->t_mult};
}

struct sr_focal sr_config_loss(const struct sr_config *c) {
    const bool focal = c->loss == SR_LOSS_FOCAL;
    return (struct sr_focal){.positive = c->pos_weight * (focal ? c->alpha : 1),
                             .negative = focal ? 1 - c->alpha : 1,
                             .gamma = focal ? c->gamma : 0,
                             .smoothing = c->label_smoothing};
}

struct sr_adamw sr_config_adamw(const struct sr_config *c, double lr) {
    return (struct sr_adamw){.lr = lr,
                             .beta1 = c->beta1,
                             .beta2 = c->beta2,
                             .eps = c->eps,
                             .weight_decay = c->weight_decay,
                             .max_norm = c->clip};
}

/* The character of n bytes at s. */
static uint32_t code_point(const char *s, size_t n) {
    uint32_t c = (unsigned char)*s & (n == 1 ? 0x7f : 0xff >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3f);
    return c;
}

/* Whether a character stands for itself in a quoted text: YAML takes no control characters, folds lines, and
 * has no U+FEFF, U+FFFE and U+FFFF; the rest would turn round what is beside it on a screen. */
static bool yaml_takes(const char *s, size_t n) {
    const uint32_t c = code_point(s, n);
    return sr_utf8_printable(s) && c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

/* A value as YAML: lists in brackets, text in double quotes with JSON's escapes. */
static void yaml_value(FILE *to, const struct sr_option *row, const char *value) {
    const bool list = row->type == SR_OPTION_INTEGERS || row->type == SR_OPTION_REALS;
    if (row->type != SR_OPTION_TEXT) {
        fprintf(to, list ? "[%s]" : "%s", value);
        return;
    }
    putc('"', to);
    for (size_t n; *value; value += n) {
        n = sr_utf8_length(value);
        n = n ? n : 1;
        if (yaml_takes(value, n))
            fprintf(to, *value == '"' || *value == '\\' ? "\\%.*s" : "%.*s", (int)n, value);
        else
            fprintf(to, "\\u%04x", (unsigned)code_point(value, n));
    }
    putc('"', to);
}

char *sr_config_text(const struct sr_options *o, struct sr_error *err) {
    char buffer[SR_LIST_TEXT];
    struct sr_text_stream to;
    if (sr_text_stream_open(&to, err) < 0)
        return NULL;
    for (size_t i = 0; i < o->count; i++) {
        const struct sr_option *row = &o->table[i];
        const char *value = value_text(o, i, buffer);
        if (row->flag_only || (row->type == SR_OPTION_TEXT && !value[0]))
            continue;
        fprintf(to.stream, "%s: ", row->key);
        yaml_value(to.stream, row, value);
        fprintf(to.stream, "  # %s\n", sr_origin_name(o->origins[i]));
    }
    return sr_text_stream_close(&to, err);
}

bool sr_config_line(char *line, char **value, char **origin) {
    static const char mark[] = "  # ";
    *value = strstr(line, ": ");
    *origin = NULL;
    for (char *at = line; (at = strstr(at, mark)); at++)
        *origin = at;
    if (!*value || !*origin || *origin < *value)
        return false;
    **value = **origin = '\0';
    *value += 2;
    *origin += strlen(mark);
    return true;
}

void sr_config_hash(const struct sr_options *o, int64_t seed, char hex[65]) {
    struct sr_sha256 s;
    char buffer[SR_LIST_TEXT], number[32];
    snprintf(number, sizeof number, "%lld", (long long)seed);
    sr_sha256_begin(&s);
    for (size_t i = 0; i < o->count; i++) {
        if (!decides_result(&o->table[i]))
            continue;
        const char *value = strcmp(o->table[i].key, "seed") == 0 ? number : value_text(o, i, buffer);
        sr_sha256_add(&s, o->table[i].key, strlen(o->table[i].key) + 1);
        sr_sha256_add(&s, value, strlen(value) + 1);
    }
    sr_sha256_end(&s, hex);
}
