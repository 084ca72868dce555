/* inspect_weights.c: weights of a router and checkpoints of a run, as facts; see inspect.h.
 *
 * Both are opened with their checksum. Metadata is shown as it stands: what this program does not know comes
 * last.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/infer.h"
#include "train/checkpoint.h"
#include "train/inspect.h"

#define LISTED 1000 /* entries of metadata at most */

static const char *format_of(const struct sr_peek *p) {
    const char *format =
        sr_json_as_string(sr_json_get(sr_json_get(p->header.json, "__metadata__"), "format"));
    return format ? format : "";
}

/* Also a state dict from elsewhere that has the names. */
bool sr_inspect_weights_recognise(const struct sr_peek *p) {
    return p->header.json &&
           (strcmp(format_of(p), "saferoute") == 0 || sr_json_get(p->header.json, "cls.0.weight"));
}

bool sr_inspect_checkpoint_recognise(const struct sr_peek *p) {
    return p->header.json && strcmp(format_of(p), "saferoute-checkpoint") == 0;
}

/* ---- tensors ---- */

/* "2048-1024-512-256-1" from the Linears, or the folded layers; "" where there are none. */
static void widths_text(char text[256], const struct sr_safetensors *file, bool folded) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t l = 0; used < 200; l++) {
        char key[32];
        snprintf(key, sizeof key, folded ? "folded.%zu.weight" : "cls.%zu.weight", folded ? l : 4 * l);
        const struct sr_tensor *t = sr_safetensors_find(file, key);
        if (!t || t->rank != 2)
            break;
        if (l == 0)
            used += (size_t)snprintf(text, 256, "%" PRIu64, t->shape[1]);
        used += (size_t)snprintf(text + used, 256 - used, "-%" PRIu64, t->shape[0]);
    }
}

/* Numbers that training moves: no running statistics, no counters, no moments, no scales of int8. */
static uint64_t parameters(const struct sr_safetensors *file) {
    uint64_t n = 0;
    for (size_t i = 0; i < sr_safetensors_count(file); i++) {
        const struct sr_tensor *t = sr_safetensors_at(file, i);
        if ((strncmp(t->name, "cls.", 4) == 0 || strncmp(t->name, "folded.", 7) == 0) &&
            !strstr(t->name, "running_") && !strstr(t->name, "num_batches") && !strstr(t->name, ".scale"))
            n += sr_tensor_items(t);
    }
    return n;
}

/* "23: 20 F32, 3 I64" */
static void add_tensors(struct sr_facts *f, const struct sr_safetensors *file) {
    size_t of_type[SR_DTYPE_COUNT] = {0}, used = 0;
    char text[256] = "";
    const size_t n = sr_safetensors_count(file);
    struct sr_json *types = sr_json_object();
    for (size_t i = 0; i < n; i++)
        of_type[sr_safetensors_at(file, i)->dtype]++;
    for (size_t t = 0; t < SR_DTYPE_COUNT; t++)
        if (of_type[t] > 0) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu %s", used ? ", " : "",
                                     of_type[t], sr_dtype_name((enum sr_dtype)t));
            sr_json_set(types, sr_dtype_name((enum sr_dtype)t), sr_json_integer((int64_t)of_type[t]));
        }
    sr_facts_add(f, "tensors", types, "%zu: %s", n, text);
}

static void add_precision(struct sr_facts *f, const char *precision) {
    if (precision)
        sr_facts_add(f, "precision", sr_json_string(precision),
                     "%s, rounded from float32 weights: measures below are of those", precision);
    else
        sr_facts_text(f, "precision", NULL);
}

void sr_facts_of_tensors(struct sr_facts *f, const struct sr_safetensors *file) {
    char widths[256];
    const char *stored = sr_safetensors_metadata(file, "sha256");
    const bool folded = sr_safetensors_find(file, "folded.0.weight") != NULL;
    widths_text(widths, file, folded);
    sr_facts_section(f, "network");
    if (widths[0])
        sr_facts_add(f, "architecture", sr_json_string(widths),
                     "%s, %sGELU (erf) behind all layers but the last", widths,
                     folded ? "BatchNorm folded in, " : "BatchNorm and ");
    if (folded)
        add_precision(f, sr_safetensors_metadata(file, "precision"));
    sr_facts_count(f, "parameters", parameters(file));
    add_tensors(f, file);
    sr_facts_text(f, "sha256", sr_safetensors_hash(file));
    sr_facts_add(f, "checksum", sr_json_bool(stored != NULL), "%s",
                 stored ? "right: the file says the same" : "none in the file; this one is computed");
}

/* ---- metadata ---- */

static struct sr_json *json_of(const char *text) {
    struct sr_json *tree = NULL;
    if (text)
        sr_json_parse(&tree, text, strlen(text), NULL);
    return tree;
}

/* "0.5651" or "0.5651 [0.5434, 0.5873]" behind a name, with a comma where something stands before. */
static void put_figure(char *text, size_t size, const char *name, const struct sr_json *from,
                       const char *key) {
    char key_ci[64], interval[48] = "";
    double value, low, high;
    const size_t used = strlen(text);
    if (!sr_json_as_number(sr_json_get(from, key), &value))
        return;
    snprintf(key_ci, sizeof key_ci, "%s_ci", key);
    const struct sr_json *ci = sr_json_get(from, key_ci);
    if (sr_json_as_number(sr_json_at(ci, 0), &low) && sr_json_as_number(sr_json_at(ci, 1), &high))
        snprintf(interval, sizeof interval, " [%.4f, %.4f]", low, high);
    snprintf(text + used, size - used, "%s%s %.4f%s", used ? ", " : "", name, value, interval);
}

void sr_facts_of_metrics(struct sr_facts *f, const char *key, struct sr_json *metrics) {
    char text[512] = "";
    double epoch;
    if (!sr_json_as_number(sr_json_get(metrics, "epoch"), &epoch)) {
        sr_json_free(metrics);
        sr_facts_text(f, key, NULL);
        return;
    }
    put_figure(text, sizeof text, "AUPRC", metrics, "val/auprc");
    put_figure(text, sizeof text, "chance", metrics, "val/base_rate");
    put_figure(text, sizeof text, "AUROC", metrics, "val/auroc");
    put_figure(text, sizeof text, "at 0.6: F1", metrics, "val/f1");
    put_figure(text, sizeof text, "precision", metrics, "val/precision");
    put_figure(text, sizeof text, "recall", metrics, "val/recall");
    put_figure(text, sizeof text, "share routed", metrics, "val/share_routed");
    sr_facts_add(f, key, metrics, "epoch %.0f: %s", epoch, text);
}

static void add_threshold_metrics(struct sr_facts *f, const char *text) {
    struct sr_json *m = json_of(text);
    char line[512] = "", safety[256] = "";
    put_figure(line, sizeof line, "F1", m, "f1");
    put_figure(line, sizeof line, "precision", m, "precision");
    put_figure(line, sizeof line, "recall", m, "recall");
    put_figure(line, sizeof line, "share routed", m, "share_routed");
    put_figure(safety, sizeof safety, "small", sr_json_get(m, "small"), "f1");
    put_figure(safety, sizeof safety, "routed", sr_json_get(m, "routed"), "f1");
    put_figure(safety, sizeof safety, "large", sr_json_get(m, "large"), "f1");
    if (line[0])
        sr_facts_add(f, "threshold_metrics", m, "%s%s%s", line, safety[0] ? "\nsafety F1: " : "", safety);
    else
        sr_json_free(m);
}

static void add_threshold(struct sr_facts *f, const struct sr_safetensors *file) {
    const char *threshold = sr_safetensors_metadata(file, "threshold");
    double value;
    sr_facts_section(f, "threshold");
    if (!threshold || !*threshold) {
        sr_facts_add(f, "threshold", sr_json_null(),
                     "none is chosen yet: 0.6 is used, and said (saferoute sweep chooses one)");
        return;
    }
    sr_facts_add(f, "threshold",
                 sr_decimal_parse(&value, threshold) ? sr_json_number(value) : sr_json_string(threshold),
                 "%s", threshold);
    sr_facts_text(f, "threshold_rule", sr_safetensors_metadata(file, "threshold_rule"));
    sr_facts_text(f, "threshold_data", sr_safetensors_metadata(file, "threshold_data"));
    if (sr_safetensors_metadata(file, "threshold_traffic"))
        sr_facts_text(f, "threshold_traffic", sr_safetensors_metadata(file, "threshold_traffic"));
    add_threshold_metrics(f, sr_safetensors_metadata(file, "threshold_metrics"));
}

static void add_calibration(struct sr_facts *f, const struct sr_safetensors *file) {
    struct sr_json *c = json_of(sr_safetensors_metadata(file, "calibration"));
    const char *method = sr_json_as_string(sr_json_get(c, "method"));
    double temperature;
    sr_facts_section(f, "calibration");
    if (!sr_safetensors_metadata(file, "calibration")) {
        sr_facts_add(f, "calibration", sr_json_null(), "none");
        return;
    }
    if (!method)
        sr_facts_add(f, "calibration", c ? c : sr_json_null(), "unreadable");
    else if (sr_json_as_number(sr_json_get(c, "temperature"), &temperature))
        sr_facts_add(f, "calibration", c, "%s %.6g", method, temperature);
    else
        sr_facts_add(f, "calibration", c, "%s of %zu knots", method, sr_json_size(sr_json_get(c, "prob")));
    sr_facts_text(f, "calibration_data", sr_safetensors_metadata(file, "calibration_data"));
}

static void add_sketch(struct sr_facts *f, const char *key, const char *text) {
    struct sr_sketch sketch;
    char count[SR_COUNT_TEXT];
    const int status = text ? sr_sketch_parse(&sketch, text, "", key, NULL) : SR_DATA;
    if (status == SR_NOMEM)
        f->status = SR_NOMEM;
    if (status < 0) {
        sr_facts_add(f, key, sr_json_null(), text ? "unreadable" : NULL);
        return;
    }
    const double rows = rint(sr_sketch_rows(&sketch));
    const bool exact = sketch.n < SR_SKETCH_ROWS;
    sr_count_text(count, (uint64_t)rows);
    sr_facts_add(f, key, sr_json_integer((int64_t)rows),
                 exact ? "%s distinct" : "about %s distinct (hashes of 1,024)", count);
}

static void add_parent(struct sr_facts *f, const char *parent) {
    if (parent && *parent)
        sr_facts_text(f, "parent", parent);
    else
        sr_facts_add(f, "parent", sr_json_null(), "none is named");
}

/* Whether rows far from those of training are noticed. */
static void add_range(struct sr_facts *f, const struct sr_safetensors *file) {
    const bool is_known = sr_safetensors_find(file, "stats.mean") != NULL;
    const char *limit = sr_safetensors_metadata(file, "range_limit");
    sr_facts_section(f, "range");
    sr_facts_add(f, "range_check", sr_json_bool(is_known), "%s",
                 is_known ? "the file carries statistics of training's rows"
                          : "none: the file carries no statistics of training's rows");
    if (is_known)
        sr_facts_add(f, "range_limit", sr_json_string(limit), "%s", limit ? limit : "1 (not chosen yet)");
}

static void add_origin(struct sr_facts *f, const struct sr_safetensors *file) {
    const char *share = sr_safetensors_metadata(file, "train_share");
    sr_facts_section(f, "training");
    sr_facts_of_metrics(f, "metrics", json_of(sr_safetensors_metadata(file, "metrics")));
    sr_facts_text(f, "trained_on", sr_safetensors_metadata(file, "trained_on"));
    sr_facts_text(f, "selected_on", sr_safetensors_metadata(file, "selected_on"));
    add_parent(f, sr_safetensors_metadata(file, "parent"));
    for (enum sr_use u = 0; u < SR_USES; u++)
        add_sketch(f, sr_use_key(u), sr_safetensors_metadata(file, sr_use_key(u)));
    if (share)
        sr_facts_add(f, "train_share", sr_json_string(share), "%s of positives, as the loss weighed them",
                     share);
    else
        sr_facts_text(f, "train_share", NULL);
}

static const char *const known[] = {"format",
                                    "format_version",
                                    "sha256",
                                    "threshold",
                                    "threshold_rule",
                                    "threshold_data",
                                    "threshold_traffic",
                                    "threshold_metrics",
                                    "calibration",
                                    "calibration_data",
                                    "metrics",
                                    "trained_on",
                                    "selected_on",
                                    "parent",
                                    "rows_trained",
                                    "rows_selected",
                                    "rows_calibrated",
                                    "train_share",
                                    "range_limit",
                                    "precision"};

static bool is_known(const char *key) {
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        if (strcmp(key, sr_contract_key(k)) == 0)
            return true;
    for (size_t i = 0; i < SR_COUNT(known); i++)
        if (strcmp(key, known[i]) == 0)
            return true;
    return false;
}

static void add_rest(struct sr_facts *f, const struct sr_safetensors *file) {
    size_t n;
    const struct sr_pair *pairs = sr_safetensors_pairs(file, &n);
    sr_facts_section(f, "contract");
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        sr_facts_text(f, sr_contract_key(k), sr_safetensors_metadata(file, sr_contract_key(k)));
    sr_facts_section(f, "other_metadata");
    for (size_t i = 0; i < n && i < LISTED; i++)
        if (!is_known(pairs[i].key))
            sr_facts_text(f, pairs[i].key, pairs[i].value);
}

/* ---- kinds ---- */

int sr_inspect_weights_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                            struct sr_error *err) {
    struct sr_safetensors *file;
    struct sr_router *router = NULL;
    struct sr_error why;
    void *bytes;
    size_t size;
    int status = sr_safetensors_bytes(&bytes, &size, p->path, err);
    if (status < 0)
        return status;
    status = sr_safetensors_open_memory(&file, bytes, size, p->path, err);
    if (status < 0) {
        sr_free(bytes);
        return status;
    }
    if (sr_safetensors_metadata(file, "threshold"))
        *title = "router: weights with a threshold";
    sr_facts_of_tensors(f, file);
    const int opened = sr_router_open_bytes(&router, bytes, size, p->path, NULL, &why);
    if (opened == SAFEROUTE_NOMEM)
        f->status = SR_NOMEM;
    if (opened < 0)
        sr_facts_add(f, "usable", sr_json_bool(false), "no: %s", why.text);
    sr_router_close(router);
    sr_free(bytes);
    add_threshold(f, file);
    add_calibration(f, file);
    add_range(f, file);
    add_origin(f, file);
    add_rest(f, file);
    sr_safetensors_close(file);
    return 0;
}

static void add_position(struct sr_facts *f, const struct sr_position *at, const struct sr_history *h,
                         bool finished) {
    sr_facts_section(f, "run");
    sr_facts_add(f, "finished", sr_json_bool(finished), "%s",
                 finished ? "yes" : "no: saferoute train --resume goes on with it");
    sr_facts_count(f, "epochs", (uint64_t)at->epoch);
    sr_facts_count(f, "steps", (uint64_t)at->step);
    if (!finished)
        sr_facts_count(f, "batches_of_epoch", (uint64_t)at->batch);
    if (at->best > 0)
        sr_facts_add(f, "best", sr_json_number(h->epoch[at->best - 1].epoch),
                     "epoch %.0f, validation AUPRC %.4f", h->epoch[at->best - 1].epoch,
                     h->epoch[at->best - 1].val_auprc);
}

int sr_inspect_checkpoint_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                               struct sr_error *err) {
    static const char *const keys[] = {"config", "train_id", "val_id", "products"};
    struct sr_safetensors *file;
    struct sr_position at = {0};
    struct sr_history history = {0};
    (void)title;
    int status = sr_safetensors_open(&file, p->path, err);
    if (status < 0)
        return status;
    const int finished = sr_checkpoint_finished(p->path, &at, &history, err);
    if (finished >= 0) {
        sr_facts_of_tensors(f, file);
        add_position(f, &at, &history, finished > 0);
        sr_facts_section(f, "identity");
        for (size_t i = 0; i < SR_COUNT(keys); i++)
            sr_facts_text(f, keys[i], sr_safetensors_metadata(file, keys[i]));
        add_parent(f, sr_safetensors_metadata(file, "parent"));
    }
    sr_history_free(&history);
    sr_safetensors_close(file);
    return finished < 0 ? finished : 0;
}
