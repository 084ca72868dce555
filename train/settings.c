/* settings.c: from a command line to the settings of a run; see settings.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/parent.h"
#include "train/recipe.h"
#include "train/settings.h"

#define SETTINGS_MAX (4u << 20) /* bytes of a config.yaml that is read */

bool sr_settings_auto(const struct sr_config *c) {
    return c->resume && strcmp(c->resume, "auto") == 0;
}

/* ---- what is said in one place and follows in another ---- */

/* The network's shape is that of the weights; a contradiction is refused. */
static int hidden_from_init(const struct sr_config *c, struct sr_options *o, struct sr_error *err) {
    char widths[256], given[256], kept[SR_RUN_PATH];
    if (!c->init)
        return SR_OK;
    const char *from = c->init;
    snprintf(kept, sizeof kept, "%.*s/%s", SR_RUN_PATH - 64, c->out, SR_PARENT_FILE);
    if (sr_settings_auto(c) && access(from, F_OK) != 0 && access(kept, F_OK) == 0)
        from = kept; /* the run has a copy */
    const int status = sr_parent_hidden(widths, sizeof widths, from, err);
    if (status < 0 || !sr_options_given(o, "hidden"))
        return status < 0 ? status : sr_options_set(o, "hidden", widths, SR_ORIGIN_INIT, err);
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->table[i].key, "hidden") == 0 &&
            strcmp(sr_options_text(o, i, given, sizeof given), widths) != 0)
            return sr_fail(
                err, SR_USAGE,
                "hidden is %s, but the weights in %s have %s: leave hidden out, or train from scratch", given,
                c->init, widths);
    return SR_OK;
}

static int recipe_apply(struct sr_config *c, struct sr_options *o, struct sr_error *err) {
    int status = SR_OK;
    if (c->recipe == SR_RECIPE_AUTO)
        status = sr_options_set(o, "recipe", c->init ? "finetune" : "seed", SR_ORIGIN_DEFAULT, err);
    return status < 0 ? status : sr_recipe_apply(o, (enum sr_recipe)c->recipe, err);
}

/* The default rates are those of three hidden layers; with another depth the first of them serves all. */
static int dropout_fit(const struct sr_config *c, struct sr_options *o, struct sr_error *err) {
    const bool fits = c->dropout.n == c->hidden.n || c->dropout.n == 1;
    return fits || sr_options_given(o, "dropout")
               ? SR_OK
               : sr_options_set(o, "dropout", "0.3", SR_ORIGIN_DEFAULT, err);
}

/* ---- paths, so that a run can be resumed from another folder ---- */

/* One path made absolute, as it is where that would bring a comma, which separates paths, into the list. */
static void path_print(FILE *to, const char *path) {
    char absolute[PATH_MAX], folder[PATH_MAX];
    if (realpath(path, absolute))
        fputs(strchr(absolute, ',') ? path : absolute, to);
    else if (path[0] != '/' && getcwd(folder, sizeof folder) && !strchr(folder, ','))
        fprintf(to, "%s/%s", folder, path); /* of a missing file its reader says so */
    else
        fputs(path, to);
}

static void paths_print(FILE *to, const char *paths) {
    for (const char *p = paths; *p; p += *p == ',') {
        const size_t length = strcspn(p, ",");
        char one[PATH_MAX];
        fputs(p == paths ? "" : ",", to);
        if ((size_t)snprintf(one, sizeof one, "%.*s", (int)(length < PATH_MAX ? length : PATH_MAX), p) <
            sizeof one)
            path_print(to, one);
        else /* no file has such a name; its reader says so */
            fwrite(p, 1, length, to);
        p += length;
    }
}

static int paths_absolute(struct sr_options *o, const char *key, const char *paths, struct sr_error *err) {
    if (!paths)
        return SR_OK;
    struct sr_text_stream to;
    if (sr_text_stream_open(&to, err) < 0)
        return SR_NOMEM;
    paths_print(to.stream, paths);
    char *list = sr_text_stream_close(&to, err);
    const int status = list ? sr_options_set(o, key, list, sr_options_origin(o, key), err) : SR_NOMEM;
    sr_free(list);
    return status;
}

/* One weight an item becomes one weight a file. */
static int weights_expand(const struct sr_config *c, struct sr_options *o, const size_t *files, size_t items,
                          struct sr_error *err) {
    char text[1024];
    size_t used = 0, n = 0;
    if (c->train_weight.n == 0)
        return SR_OK;
    if (c->train_weight.n != items)
        return sr_fail(err, SR_USAGE,
                       "%zu weights in --train-weight for %zu items in --train: give one for each",
                       c->train_weight.n, items);
    for (size_t i = 0; i < items; i++)
        for (size_t k = 0; k < files[i]; k++, n++)
            if (n < SR_LIST_MAX)
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", n ? "," : "",
                                         (long long)c->train_weight.v[i]);
    if (n > SR_LIST_MAX)
        return sr_fail(err, SR_USAGE, "--train names %zu files; weights can be given to at most %d", n,
                       SR_LIST_MAX);
    return sr_options_set(o, "train_weight", text, sr_options_origin(o, "train_weight"), err);
}

static bool list_has(const char *list, const char *path, size_t length) {
    for (size_t n; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (n == length && strncmp(list, path, n) == 0)
            return true;
    }
    return false;
}

/* A file twice, say by name and by a pattern, would count twice without a word; validation on training rows
 * measures memory, not the router. */
static int files_check(const struct sr_config *c, struct sr_error *err) {
    size_t n;
    for (const char *p = c->train; *p; p += n + (p[n] == ',')) {
        n = strcspn(p, ",");
        if (p[n] == ',' && list_has(p + n + 1, p, n))
            return sr_fail(
                err, SR_USAGE,
                "--train names %.*s twice: name it once, and give --train-weight to draw it more often",
                (int)n, p);
        if (c->val && list_has(c->val, p, n))
            return sr_fail(
                err, SR_USAGE,
                "%.*s is both in --train and in --val: validate on other rows, or hold some out with "
                "--val-fraction",
                (int)n, p);
    }
    return SR_OK;
}

/* Patterns become the files they match now, so that a resumed run reads the same ones. */
static int patterns_expand(struct sr_config *c, struct sr_options *o, struct sr_error *err) {
    size_t room = 1, *files;
    char *list = NULL;
    for (const char *p = c->train; *p; p++)
        room += *p == ',';
    files = sr_alloc(room, sizeof *files, err);
    int status = files ? sr_data_paths(&list, c->train, files, room, err) : SR_NOMEM;
    if (status == SR_OK)
        status = weights_expand(c, o, files, room, err);
    if (status == SR_OK)
        status = paths_absolute(o, "train", list, err);
    sr_free(list);
    sr_free(files);
    list = NULL;
    if (status == SR_OK && c->val)
        status = sr_data_paths(&list, c->val, NULL, SIZE_MAX, err);
    if (status == SR_OK && c->val)
        status = paths_absolute(o, "val", list, err);
    if (status == SR_OK)
        status = files_check(c, err);
    sr_free(list);
    return status == SR_OK ? paths_absolute(o, "init", c->init, err) : status;
}

/* ---- runs that exist ---- */

static void origin_set(struct sr_options *o, const char *key, const char *origin) {
    for (size_t i = 0; i < o->count; i++)
        for (int k = SR_ORIGIN_DEFAULT; k <= SR_ORIGIN_FLAG; k++)
            if (strcmp(o->table[i].key, key) == 0 && strcmp(sr_origin_name((enum sr_origin)k), origin) == 0)
                o->origins[i] = (enum sr_origin)k;
}

/* Read from config.yaml, a setting still comes from where it came from then: what the log says of it, and the
 * config.yaml of a seed whose turn comes only now, are those of a run never stopped. */
static int settings_read(struct sr_options *o, const char *path, struct sr_error *err) {
    void *text;
    size_t size;
    char *value, *origin;
    int status = sr_file_read_regular(&text, &size, path, "a run's settings", SETTINGS_MAX, err);
    if (status < 0)
        return status;
    status = sr_option_file_parse(o, text, size, path, false, err);
    char *rest = text;
    for (char *line; status == SR_OK && (line = strsep(&rest, "\n"));)
        if (sr_config_line(line, &value, &origin))
            origin_set(o, line, origin);
    sr_free(text);
    return status;
}

/* On --resume RUN the settings are those of the run; only what never changes results may be given again. */
static int resume_settings(struct sr_options *o, const struct sr_run *run, int argc, char **argv,
                           struct sr_error *err) {
    static const char *const allowed[] = {"resume",      "isolate", "memory", "threads", "checkpoint_seconds",
                                          "max_minutes", "train",   "val",    "json",    "full"};
    char path[SR_RUN_PATH];
    for (size_t i = 0; i < o->count; i++) {
        bool may = false;
        for (size_t j = 0; j < SR_COUNT(allowed); j++)
            may |= strcmp(o->table[i].key, allowed[j]) == 0;
        if (!may && o->origins[i] != SR_ORIGIN_DEFAULT)
            return sr_fail(
                err, SR_USAGE,
                "%s cannot be changed in a resumed run: its settings are those in %s; start a new run with "
                "--out",
                o->table[i].key, sr_run_file(run, "config.yaml", path));
    }
    const int status = settings_read(o, sr_run_file(run, "config.yaml", path), err);
    return status < 0 ? status : sr_options_arguments(o, argc, argv, err);
}

/* Lists of many files are told apart behind what they share: from the item on where they differ. */
static size_t shared_items(const char *a, const char *b) {
    size_t items = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        items = a[i] == ',' ? i + 1 : items;
    return items;
}

/* The same command line means the same run: whatever decides the result must be as it was. */
static int same_settings(const struct sr_options *o, const struct sr_run *run, struct sr_error *err) {
    struct sr_config then;
    struct sr_options was;
    char path[SR_RUN_PATH], before[SR_LIST_TEXT], now[SR_LIST_TEXT];
    int status = sr_options_begin(&was, sr_config_table, sr_config_count, &then, err);
    if (status == SR_OK)
        status = sr_option_file_read(&was, sr_run_file(run, "config.yaml", path), false, err);
    if (status == SR_OK) {
        const size_t i = sr_config_differs(o, &was);
        if (i < o->count) {
            sr_options_text(&was, i, before, sizeof before);
            sr_options_text(o, i, now, sizeof now);
            const size_t shared = shared_items(before, now);
            const char *cut = shared ? "...," : "";
            status =
                sr_fail(err, SR_USAGE,
                        "%s was begun with %s %s%.100s, now it is %s%.100s: finish it with --resume %s, or "
                        "give another --out",
                        run->folder, o->table[i].key, cut, before + shared, cut, now + shared, run->folder);
        }
    }
    sr_options_end(&was);
    return status;
}

int sr_settings_complete(struct sr_config *c, struct sr_options *o, struct sr_run *run, int argc, char **argv,
                         struct sr_error *err) {
    int status = SR_OK;
    if (c->resume && !sr_settings_auto(c)) {
        status = sr_run_open(run, c->resume, err);
        if (status == SR_OK)
            status = resume_settings(o, run, argc, argv, err);
        return status == SR_OK ? sr_config_check(c, err) : status;
    }
    if (!c->out)
        return sr_fail(err, SR_USAGE, "no run folder: give --out RUN (or --resume RUN to go on with one)");
    if (c->config) {
        status = sr_option_file_read(o, c->config, false, err);
        if (status == SR_OK)
            status = sr_options_arguments(o, argc, argv, err);
    }
    if (status == SR_OK)
        status = hidden_from_init(c, o, err);
    if (status == SR_OK)
        status = recipe_apply(c, o, err);
    if (status == SR_OK)
        status = dropout_fit(c, o, err);
    if (status == SR_OK)
        status = sr_config_check(c, err);
    if (status == SR_OK)
        status = patterns_expand(c, o, err);
    if (status == SR_OK && sr_settings_auto(c) && access(c->out, F_OK) == 0) {
        status = sr_run_open(run, c->out, err);
        return status == SR_OK ? same_settings(o, run, err) : status;
    }
    return status == SR_OK ? sr_run_absent(c->out, err) : status;
}

/* What config.yaml says must be readable when the run is resumed; a file name of odd bytes is not. */
char *sr_settings_text(const struct sr_options *o, struct sr_error *err) {
    struct sr_config scratch;
    struct sr_options again;
    struct sr_error inner = {0};
    char *text = sr_config_text(o, err);
    if (!text)
        return NULL;
    int status = sr_options_begin(&again, sr_config_table, sr_config_count, &scratch, err);
    const int readable = status == SR_OK
                             ? sr_option_file_parse(&again, text, strlen(text), "config.yaml", false, &inner)
                             : SR_OK;
    if (readable == SR_NOMEM)
        status = sr_fail(err, SR_NOMEM, "%s", inner.text);
    else if (readable < 0)
        status =
            sr_fail(err, SR_USAGE,
                    "a path or name cannot be kept in the run's settings (%s): use names of printable UTF-8",
                    inner.text);
    sr_options_end(&again);
    if (status == SR_OK)
        return text;
    sr_free(text);
    return NULL;
}
