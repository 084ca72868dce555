/* inspect_folder.c: run folders and folders for Hugging Face, as facts; see inspect.h.
 *
 * A run is only looked at: it is not locked, and may go on meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "train/checkpoint.h"
#include "train/inspect.h"
#include "train/seeds.h"

#define TEXT_MAX ((size_t)64 << 20) /* bytes of a file of settings or JSON */

/* "FOLDER/NAME"; false where there is no such file. */
static bool file_in(char path[SR_RUN_PATH], const char *folder, const char *name) {
    return snprintf(path, SR_RUN_PATH, "%s/%s", folder, name) < SR_RUN_PATH && access(path, F_OK) == 0;
}

bool sr_inspect_run_recognise(const struct sr_peek *p) {
    char path[SR_RUN_PATH];
    return p->is_folder && file_in(path, p->path, "config.yaml");
}

bool sr_inspect_upload_recognise(const struct sr_peek *p) {
    char path[SR_RUN_PATH];
    return p->is_folder && file_in(path, p->path, "config.json") &&
           file_in(path, p->path, "model.safetensors");
}

/* ---- settings ---- */

/* "lr: 0.001  # flag" as a fact; what nobody has set is not shown. */
static void add_setting(struct sr_facts *f, char *line) {
    char *value, *origin;
    if (!sr_config_line(line, &value, &origin))
        return;
    sr_facts_add(f, line, sr_json_string(value), "%s (%s)", value, origin);
    if (strcmp(origin, "default") == 0)
        sr_facts_hush(f);
}

static int add_settings(struct sr_facts *f, const char *folder, struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *text;
    size_t size;
    if (!file_in(path, folder, "config.yaml"))
        return 0;
    const int status = sr_file_read_regular(&text, &size, path, "a file", TEXT_MAX, err);
    if (status < 0)
        return status;
    sr_facts_section(f, "settings");
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        add_setting(f, line);
    sr_free(text);
    return 0;
}

/* ---- data ---- */

static int json_in(struct sr_json **out, const char *folder, const char *name, struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *text;
    size_t size;
    struct sr_error why;
    *out = NULL;
    if (!file_in(path, folder, name))
        return 0;
    int status = sr_file_read_regular(&text, &size, path, "a file", TEXT_MAX, err);
    if (status < 0)
        return status;
    if ((status = sr_json_parse(out, text, size, &why)) < 0)
        sr_fail(err, status, "%s: %.300s", path, why.text);
    sr_free(text);
    return status;
}

static void add_part(struct sr_facts *f, const struct sr_json *data, const char *part, const char *key) {
    const struct sr_json *o = sr_json_get(data, part);
    const char *id = sr_json_as_string(sr_json_get(o, "data_id"));
    char all[SR_COUNT_TEXT], ones[SR_COUNT_TEXT];
    int64_t rows, positives, width;
    if (!sr_json_as_integer(sr_json_get(o, "rows"), &rows) || rows <= 0 ||
        !sr_json_as_integer(sr_json_get(o, "positives"), &positives) ||
        !sr_json_as_integer(sr_json_get(o, "features"), &width)) {
        sr_facts_text(f, key, NULL);
        return;
    }
    sr_facts_add(f, key, sr_json_string(id), "%s rows of %lld, %s positive (%.2f %%)\n%s",
                 sr_count_text(all, (uint64_t)rows), (long long)width,
                 sr_count_text(ones, (uint64_t)positives), 100 * (double)positives / (double)rows,
                 id ? id : "");
}

static int add_data(struct sr_facts *f, const char *folder, struct sr_error *err) {
    struct sr_json *data;
    const int status = json_in(&data, folder, "data.json", err);
    if (status < 0 || !data)
        return status;
    sr_facts_section(f, "data");
    add_part(f, data, "train", "trained_on");
    add_part(f, data, "val", "selected_on");
    sr_json_free(data);
    return 0;
}

/* ---- how far ---- */

static int add_progress(struct sr_facts *f, const char *folder, struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_position at = {0};
    struct sr_history h = {0};
    sr_facts_section(f, "run");
    if (!file_in(path, folder, "checkpoint.safetensors")) {
        sr_facts_add(f, "finished", sr_json_bool(false), "no: there is no checkpoint yet");
        return 0;
    }
    const int finished = sr_checkpoint_finished(path, &at, &h, err);
    if (finished >= 0) {
        sr_facts_add(f, "finished", sr_json_bool(finished > 0), "%s%s",
                     finished ? "yes" : "no: saferoute train --resume ", finished ? "" : folder);
        sr_facts_count(f, "epochs", (uint64_t)at.epoch);
        sr_facts_count(f, "steps", (uint64_t)at.step);
        if (at.best > 0)
            sr_facts_of_metrics(f, "best", sr_epoch_json(&h.epoch[at.best - 1]));
        if (h.n > 0)
            sr_facts_of_metrics(f, "last", sr_epoch_json(&h.epoch[h.n - 1]));
    }
    sr_history_free(&h);
    return finished < 0 ? finished : 0;
}

/* The hash of the weights in a file of the folder. */
static int add_weights(struct sr_facts *f, const char *folder, const char *name, const char *key,
                       struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_safetensors *file;
    if (!file_in(path, folder, name))
        return 0;
    const int status = sr_safetensors_open(&file, path, err);
    if (status < 0)
        return status;
    sr_facts_text(f, key, sr_safetensors_hash(file));
    sr_safetensors_close(file);
    return 0;
}

static void add_files(struct sr_facts *f, const char *folder) {
    char text[512] = "", path[SR_RUN_PATH];
    size_t used = 0;
    for (size_t i = 0; i < SR_RUN_FILES; i++)
        if (file_in(path, folder, sr_run_files[i]))
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", sr_run_files[i]);
    sr_facts_add(f, "files", sr_json_string(text), "%s", text);
}

int sr_inspect_run_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                        struct sr_error *err) {
    char path[SR_RUN_PATH];
    const bool seeds = file_in(path, p->path, SR_SEEDS_JSON);
    int status = 0;
    if (seeds)
        *title = "run of several seeds (each in its folder seed-K)";
    else
        status = add_progress(f, p->path, err);
    sr_facts_section(f, "files");
    if (status == 0)
        status = add_weights(f, p->path, "best.safetensors", "sha256_of_best", err);
    if (status == 0)
        status = add_weights(f, p->path, "parent.safetensors", "sha256_of_parent", err);
    if (status == 0)
        add_files(f, p->path);
    if (status == 0)
        status = add_data(f, p->path, err);
    return status == 0 ? add_settings(f, p->path, err) : status;
}

/* ---- for Hugging Face ---- */

static void add_config(struct sr_facts *f, const struct sr_json *config, const char *weights) {
    struct sr_safetensors *file;
    struct sr_error why;
    const char *said = sr_json_as_string(sr_json_get(config, "sha256"));
    double threshold;
    sr_facts_section(f, "config");
    if (sr_json_as_number(sr_json_get(config, "threshold"), &threshold))
        sr_facts_add(f, "config_threshold", sr_json_number(threshold), "%.9g", threshold);
    if (!said || sr_safetensors_open(&file, weights, &why) < 0) {
        sr_facts_text(f, "config_is_of", NULL);
        return;
    }
    const bool same = strcmp(said, sr_safetensors_hash(file)) == 0;
    sr_facts_add(f, "config_is_of", sr_json_bool(same), "%s",
                 same ? "these weights" : "other weights than model.safetensors");
    sr_safetensors_close(file);
}

int sr_inspect_upload_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                           struct sr_error *err) {
    char path[SR_RUN_PATH], card[SR_RUN_PATH];
    struct sr_json *config;
    int status = json_in(&config, p->path, "config.json", err);
    if (status < 0 || !file_in(path, p->path, "model.safetensors"))
        return status;
    const char *format = sr_json_as_string(sr_json_get(config, "format"));
    if (!format || strcmp(format, "saferoute-router") != 0)
        status = sr_fail(err, SR_DATA, "%s: a folder for Hugging Face, but config.json is none of a router's",
                         p->path);
    if (status == 0) {
        const struct sr_peek weights = {.path = path};
        const char *inner;
        add_config(f, config, path);
        sr_facts_add(f, "card", sr_json_bool(file_in(card, p->path, "README.md")), "%s",
                     file_in(card, p->path, "README.md") ? "README.md" : "none");
        status = sr_inspect_weights_look(f, &weights, &inner, err);
    }
    (void)title;
    sr_json_free(config);
    return status;
}
